//! The slots of a client: which are free, which reply each of the others waits for, and which replies have arrived and were not polled.

use std::ptr::NonNull;

use runtime_core::{Completion, ReplyHead, ReplyStatus};

use crate::buffer::{Buffer, Held};
use crate::imm::{FromServer, Tag, next_reply};

/// All slots of a client.
pub(crate) struct Slots {
    slots: Box<[Slot]>,
    /// The free slot that was used last, whose memory is still near, or [`NONE`].
    free: u16,
    /// A bit for each slot whose reply has arrived and was not polled.
    arrived: Box<[u64]>,
    arrived_count: usize,
    /// The place of a response without a body, which has to have room for one.
    nothing: Box<[u64]>,
    /// Replies that came twice, or for nothing.
    pub(crate) strays: u64,
}

/// What is known of a slot.
struct Slot {
    /// The immediate data of a reply without an error to its request, or to the last one that it had; with [`OVER`] if it is not in flight.
    expects: u64,
    /// If it is free: the next one that is, or [`NONE`].
    next_free: u16,
    /// What the reply says.
    head: ReplyHead,
    /// Once it is completed: where the reply's body is, unless it has none.
    buffer: Option<NonNull<Buffer>>,
}

// SAFETY: the pointer is to a buffer, which is `Send` and `Sync`.
unsafe impl Send for Slot {}

/// No slot.
const NONE: u16 = u16::MAX;

/// No immediate data is that long.
const OVER: u64 = 1 << 63;

impl Slots {
    /// So many, whose responses take at most as many bytes.
    pub(crate) fn new(window: usize, response: usize) -> Self {
        let window = window as u16;
        let slot = |slot| Slot {
            expects: u64::from(reply_to(Tag::first(slot))) | OVER,
            next_free: if slot + 1 == window { NONE } else { slot + 1 },
            head: ReplyHead::new(0, 0),
            buffer: None,
        };
        Self {
            slots: (0..window).map(slot).collect(),
            free: 0,
            arrived: vec![0; usize::from(window).div_ceil(64)].into_boxed_slice(),
            arrived_count: 0,
            nothing: vec![0; response.div_ceil(size_of::<u64>())].into_boxed_slice(),
            strays: 0,
        }
    }

    /// A free slot, if there is one. It stays free until it is [sent](Self::send).
    #[inline(always)]
    pub(crate) fn free(&self) -> Option<u16> {
        (self.free != NONE).then_some(self.free)
    }

    /// Puts a slot in flight.
    ///
    /// # Safety
    /// 1. [`free`](Self::free) gave the slot, and none was sent or released since.
    #[inline(always)]
    pub(crate) unsafe fn send(&mut self, slot: u16) -> Tag {
        debug_assert_eq!(self.free, slot, "nothing was released since it was given");
        // SAFETY: promise 1: it is one of these.
        let slot = unsafe { self.slots.get_unchecked_mut(usize::from(slot)) };
        self.free = slot.next_free;
        let expects = next_reply(slot.expects as u32);
        slot.expects = u64::from(expects);
        Tag::of_reply(expects)
    }

    /// The slot that a message is a reply to, and no error.
    #[inline(always)]
    pub(crate) fn replied(&self, imm: u32) -> Option<u16> {
        let tag = Tag::of_reply(imm);
        let slot = self.slots.get(tag.slot())?;
        (slot.expects == u64::from(imm)).then_some(tag.slot() as u16)
    }

    /// Completes a slot.
    #[inline(always)]
    pub(crate) fn complete(&mut self, slot: u16, len: u32, held: Held) -> Completion {
        let place = held.place().start;
        let known = &mut self.slots[usize::from(slot)];
        known.expects |= OVER;
        known.buffer = Some(held.into_raw());
        Completion {
            slot,
            head: ReplyHead::new(ReplyStatus::Ok as u16, len),
            place,
        }
    }

    /// Notes any reply, for the one who polls it; gives the buffer back if there is no such call. `has_left` says whether a slot's request has
    /// left.
    pub(crate) fn arrive(
        &mut self,
        tag: Tag,
        head: ReplyHead,
        buffer: Option<Held>,
        has_left: impl FnOnce(usize) -> bool,
    ) -> Option<Held> {
        if self.replied(reply_to(tag)).is_none() || !has_left(tag.slot()) {
            self.strays += 1;
            return buffer;
        }
        let slot = &mut self.slots[tag.slot()];
        slot.expects |= OVER;
        slot.head = head;
        slot.buffer = buffer.map(Held::into_raw);
        self.arrived[tag.slot() / 64] |= 1 << (tag.slot() % 64);
        self.arrived_count += 1;
        None
    }

    /// True if there are replies that have arrived and were not polled.
    #[inline(always)]
    pub(crate) fn has_arrived(&self) -> bool {
        self.arrived_count != 0
    }

    /// True if that of this slot is one of them.
    #[inline(always)]
    pub(crate) fn is_arrived(&self, slot: u16) -> bool {
        self.arrived[usize::from(slot) / 64] & 1 << (slot % 64) != 0
    }

    /// One that has arrived, if there is one.
    #[cold]
    pub(crate) fn next_arrived(&self) -> Option<u16> {
        let mut words = self.arrived.iter().enumerate();
        let (at, bits) = words.find(|(_, bits)| **bits != 0)?;
        Some((at * 64 + bits.trailing_zeros() as usize) as u16)
    }

    /// Completes a slot whose reply has arrived.
    #[inline(always)]
    pub(crate) fn complete_arrived(&mut self, slot: u16) -> Completion {
        self.arrived[usize::from(slot) / 64] &= !(1 << (slot % 64));
        self.arrived_count -= 1;
        let known = &self.slots[usize::from(slot)];
        Completion {
            slot,
            head: known.head,
            place: match known.buffer {
                // SAFETY: buffers live as long as anyone may hold them, and this slot does.
                Some(buffer) => unsafe { buffer.as_ref() }.place.start,
                None => NonNull::from(&*self.nothing).cast(),
            },
        }
    }

    /// Frees a slot, and gives the buffer that its reply was in.
    ///
    /// # Safety
    /// 1. The slot is completed, and was not released since.
    #[inline(always)]
    pub(crate) unsafe fn release(&mut self, slot: u16) -> Option<Held> {
        // SAFETY: promise 1: it is one of these.
        let known = unsafe { self.slots.get_unchecked_mut(usize::from(slot)) };
        known.next_free = self.free;
        self.free = slot;
        // SAFETY: promise 1: the holder was put there when the slot completed, and nobody has had it from there since.
        known.buffer.map(|buffer| unsafe { Held::from_raw(buffer) })
    }
}

/// The immediate data of a reply without an error.
#[inline(always)]
const fn reply_to(tag: Tag) -> u32 {
    let status = ReplyStatus::Ok;
    FromServer::Reply { tag, status }.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok() -> ReplyHead {
        ReplyHead::new(ReplyStatus::Ok as u16, 8)
    }

    /// Puts the free slot in flight.
    fn send(slots: &mut Slots) -> Tag {
        let slot = slots.free().expect("one is free");
        // SAFETY: it was given just now.
        unsafe { slots.send(slot) }
    }

    /// Frees a slot of which the test knows that it is not free.
    fn release(slots: &mut Slots, slot: u16) -> Option<Held> {
        // SAFETY: it is completed, or as good as that: there are no buffers.
        unsafe { slots.release(slot) }
    }

    #[test]
    fn only_the_reply_that_a_slot_waits_for_is_taken() {
        let mut slots = Slots::new(2, 64);
        let slot = slots.free().expect("all are free");
        assert_eq!(slots.replied(0), None, "none is in flight");
        let tag = send(&mut slots);
        let imm = reply_to(tag);
        assert_eq!(slots.replied(imm), Some(slot));
        for bit in 0..32 {
            assert_eq!(slots.replied(imm ^ 1 << bit), None, "bit {bit}");
        }
        assert!(slots.arrive(tag, ok(), None, |_| false).is_none());
        assert_eq!(slots.strays, 1, "it has not left");
        assert!(slots.arrive(tag, ok(), None, |_| true).is_none());
        assert_eq!(slots.replied(imm), None, "it has arrived");
        assert_eq!((slots.strays, slots.has_arrived()), (1, true));
        slots.arrive(tag, ok(), None, |_| true);
        assert_eq!(slots.strays, 2);
        assert_eq!(slots.next_arrived(), Some(slot));
        let completion = slots.complete_arrived(slot);
        assert_eq!((completion.slot, completion.head), (slot, ok()));
        assert!(release(&mut slots, slot).is_none() && !slots.has_arrived());
    }

    #[test]
    fn a_slot_is_used_again_with_another_generation() {
        let mut slots = Slots::new(2, 64);
        let slot = slots.free().expect("all are free");
        let first = send(&mut slots);
        slots.arrive(first, ok(), None, |_| true);
        let completion = slots.complete_arrived(slot);
        assert_eq!(completion.place.cast::<u64>().as_ptr() as usize % 8, 0);
        release(&mut slots, slot);
        assert_eq!(slots.free(), Some(slot), "the one used last is on top");
        let second = send(&mut slots);
        assert_ne!(first, second);
        assert_eq!(slots.replied(reply_to(first)), None);
        assert_eq!(slots.replied(reply_to(second)), Some(slot));
    }

    #[test]
    fn every_slot_is_given_once() {
        let mut slots = Slots::new(4, 64);
        let taken: Vec<_> = std::iter::from_fn(|| {
            slots.free()?;
            Some(send(&mut slots).slot())
        })
        .collect();
        assert_eq!(taken, [0, 1, 2, 3]);
        release(&mut slots, 2);
        release(&mut slots, 1);
        for slot in [1, 2] {
            assert_eq!(slots.free(), Some(slot));
            send(&mut slots);
        }
        assert_eq!(slots.free(), None);
    }

    #[test]
    fn replies_beyond_the_window_are_strays() {
        let mut slots = Slots::new(2, 64);
        let tag = Tag::first(2);
        assert_eq!(slots.replied(reply_to(tag)), None);
        slots.arrive(tag, ok(), None, |_| true);
        assert_eq!(slots.strays, 1);
    }
}
