//! The slots of a client: which are free, which reply each of the others waits for, and which replies have arrived and were not polled.

use std::ptr::NonNull;

use runtime_core::{Completion, ReplyHead, ReplyStatus};

use crate::buffer::Held;
use crate::imm::{FromServer, Tag};

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
    /// What names its request, or the last one that it had.
    tag: Tag,
    /// If it is free: the next one that is, or [`NONE`].
    next_free: u16,
    /// The immediate data of a reply to it without an error, or [`NOTHING`].
    expects: u64,
    /// Number of its request among the messages.
    number: u64,
    /// What the reply says.
    head: ReplyHead,
    /// Where its body is, unless it has none.
    buffer: Option<Held>,
}

/// No slot.
const NONE: u16 = u16::MAX;

/// Of a slot that is not in flight: no immediate data is that long.
const NOTHING: u64 = u64::MAX;

impl Slots {
    /// So many, whose responses take at most as many bytes.
    pub(crate) fn new(window: usize, response: usize) -> Self {
        let window = window as u16;
        let slot = |slot| Slot {
            tag: Tag::first(slot),
            next_free: if slot + 1 == window { NONE } else { slot + 1 },
            expects: NOTHING,
            number: 0,
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

    /// Puts a slot in flight, with the message of this number.
    ///
    /// # Safety
    /// 1. [`free`](Self::free) gave the slot, and none was sent or released since.
    #[inline(always)]
    pub(crate) unsafe fn send(&mut self, slot: u16, number: u64) -> Tag {
        debug_assert_eq!(self.free, slot, "nothing was released since it was given");
        // SAFETY: promise 1: it is one of these.
        let slot = unsafe { self.slots.get_unchecked_mut(usize::from(slot)) };
        self.free = slot.next_free;
        slot.tag = slot.tag.next();
        slot.number = number;
        slot.expects = u64::from(reply_to(slot.tag));
        slot.tag
    }

    /// The slot that a message is a reply to, and no error. `left` messages had left before it: a reply to
    /// one that had not is none.
    #[inline(always)]
    pub(crate) fn replied(&self, imm: u32, left: u64) -> Option<u16> {
        let tag = Tag::of_reply(imm);
        let slot = self.slots.get(tag.slot())?;
        (slot.expects == u64::from(imm) && slot.number < left).then_some(tag.slot() as u16)
    }

    /// Completes a slot.
    #[inline(always)]
    pub(crate) fn complete(&mut self, slot: u16, len: u32, held: Held) -> Completion {
        let place = held.place().start;
        let known = &mut self.slots[usize::from(slot)];
        known.expects = NOTHING;
        known.buffer = Some(held);
        Completion {
            slot,
            head: ReplyHead::new(ReplyStatus::Ok as u16, len),
            place,
        }
    }

    /// Notes any reply, for the one who polls it; gives the buffer back if there is no such call.
    pub(crate) fn arrive(
        &mut self,
        tag: Tag,
        head: ReplyHead,
        buffer: Option<Held>,
        left: u64,
    ) -> Option<Held> {
        if self.replied(reply_to(tag), left).is_none() {
            self.strays += 1;
            return buffer;
        }
        let slot = &mut self.slots[tag.slot()];
        slot.expects = NOTHING;
        slot.head = head;
        slot.buffer = buffer;
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

    /// Completes one that has arrived, if there is one.
    pub(crate) fn next_arrived(&mut self) -> Option<Completion> {
        let mut words = self.arrived.iter().enumerate();
        let (at, bits) = words.find(|(_, bits)| **bits != 0)?;
        Some(self.complete_arrived((at * 64 + bits.trailing_zeros() as usize) as u16))
    }

    /// Completes a slot whose reply has arrived.
    #[inline]
    pub(crate) fn complete_arrived(&mut self, slot: u16) -> Completion {
        self.arrived[usize::from(slot) / 64] &= !(1 << (slot % 64));
        self.arrived_count -= 1;
        let known = &self.slots[usize::from(slot)];
        let held = known.buffer.as_ref();
        Completion {
            slot,
            head: known.head,
            place: held.map_or_else(
                || NonNull::from(&*self.nothing).cast(),
                |held| held.place().start,
            ),
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
        known.buffer.take()
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
    fn send(slots: &mut Slots, number: u64) -> Tag {
        let slot = slots.free().expect("one is free");
        // SAFETY: it was given just now.
        unsafe { slots.send(slot, number) }
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
        assert_eq!(slots.replied(0, 1), None, "none is in flight");
        let tag = send(&mut slots, 7);
        let imm = reply_to(tag);
        assert_eq!(slots.replied(imm, 7), None, "it has not left");
        assert_eq!(slots.replied(imm, 8), Some(slot));
        for bit in 0..32 {
            assert_eq!(slots.replied(imm ^ 1 << bit, 8), None, "bit {bit}");
        }
        assert!(slots.arrive(tag, ok(), None, 8).is_none());
        assert_eq!(slots.replied(imm, 8), None, "it has arrived");
        assert_eq!((slots.strays, slots.has_arrived()), (0, true));
        slots.arrive(tag, ok(), None, 8);
        assert_eq!(slots.strays, 1);
        let completion = slots.next_arrived().expect("it has arrived");
        assert_eq!((completion.slot, completion.head), (slot, ok()));
        assert!(release(&mut slots, slot).is_none() && !slots.has_arrived());
    }

    #[test]
    fn a_slot_is_used_again_with_another_generation() {
        let mut slots = Slots::new(2, 64);
        let slot = slots.free().expect("all are free");
        let first = send(&mut slots, 0);
        slots.arrive(first, ok(), None, 1);
        let completion = slots.complete_arrived(slot);
        assert_eq!(completion.place.cast::<u64>().as_ptr() as usize % 8, 0);
        release(&mut slots, slot);
        assert_eq!(slots.free(), Some(slot), "the one used last is on top");
        let second = send(&mut slots, 1);
        assert_ne!(first, second);
        assert_eq!(slots.replied(reply_to(first), 2), None);
        assert_eq!(slots.replied(reply_to(second), 2), Some(slot));
    }

    #[test]
    fn every_slot_is_given_once() {
        let mut slots = Slots::new(4, 64);
        let taken: Vec<_> = std::iter::from_fn(|| {
            slots.free()?;
            Some(send(&mut slots, 0).slot())
        })
        .collect();
        assert_eq!(taken, [0, 1, 2, 3]);
        release(&mut slots, 2);
        release(&mut slots, 1);
        for slot in [1, 2] {
            assert_eq!(slots.free(), Some(slot));
            send(&mut slots, 0);
        }
        assert_eq!(slots.free(), None);
    }

    #[test]
    fn replies_beyond_the_window_are_strays() {
        let mut slots = Slots::new(2, 64);
        let tag = Tag::first(2);
        assert_eq!(slots.replied(reply_to(tag), 1), None);
        slots.arrive(tag, ok(), None, 1);
        assert_eq!(slots.strays, 1);
    }
}
