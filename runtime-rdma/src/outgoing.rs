//! What is sent to one client.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use runtime_core::ReplyStatus;

use crate::imm::{FromServer, Tag};
use crate::sender::{SendFault, SendQueue};
use crate::slot::Slot;
use crate::verbs::{Cq, Region};
use crate::work::{Place, Work};

/// What is sent to the client.
pub(crate) struct Outgoing {
    pub(crate) queue: SendQueue,
    /// Events, used in turn: each with its place in `event_memory`.
    events: Box<[Work]>,
    next_event: usize,
    /// A single one.
    farewell: Box<[Work]>,
    /// Slots whose requests ended without a body, to be told together.
    freed: [u16; FREED],
    pub(crate) freed_len: usize,
    /// Where events are built.
    event_memory: Option<Region>,
    event_bytes: usize,
    /// Since when messages wait for room, and how many had left by then.
    waits: Option<(u64, u64)>,
    /// True once the server has removed it: receive buffers of requests that are still held do not go back to the queue.
    pub(crate) is_detached: bool,
    /// True once farewell was said: nothing is sent any more.
    pub(crate) is_closing: bool,
}

/// Nanoseconds for which messages wait for room at most. A side that keeps the protocol has buffers for all that it is sent, which its device
/// fills whatever its program does.
const PATIENCE: u64 = 5_000_000_000;

/// Slots that one message can free: a line of them.
const FREED: usize = 32;

impl Outgoing {
    /// Through this queue, with so many events of so many bytes in the region.
    pub(crate) fn new(
        queue: SendQueue,
        events: usize,
        event_bytes: usize,
        event_memory: Option<Region>,
    ) -> Self {
        let event = |number| match &event_memory {
            // SAFETY: the region was made for as many events.
            Some(memory) => unsafe { place_of(memory, number, event_bytes) },
            None => Place::NOWHERE,
        };
        Self {
            queue,
            events: Work::row((0..events).map(event)),
            next_event: 0,
            farewell: Work::row(std::iter::once(Place::NOWHERE)),
            freed: [0; FREED],
            freed_len: 0,
            event_memory,
            event_bytes,
            waits: None,
            is_detached: false,
            is_closing: false,
        }
    }

    /// Where the next event is built, if there are events.
    ///
    /// # Errors
    /// The one that was built there before has not left, and is read when it does: the client has given back what it cannot have.
    pub(crate) fn event_place(&mut self) -> Result<Option<NonNull<u8>>, SendFault> {
        let (Some(memory), Some(work)) = (&self.event_memory, self.events.get(self.next_event))
        else {
            return Ok(None);
        };
        if !self.queue.has_left(work) {
            return Err(self.queue.fail(SendFault::Full));
        }
        // SAFETY: it is below the event window, for which the region was made.
        let place = unsafe { place_of(memory, self.next_event, self.event_bytes) };
        Ok(Some(place.start))
    }

    /// Adds the event that was built there.
    ///
    /// # Safety
    /// 1. [`event_place`](Self::event_place) gave the place, and none was added since.
    pub(crate) unsafe fn push_event(&mut self, method: u16, len: u32) {
        let work = &self.events[self.next_event];
        self.next_event = (self.next_event + 1) % self.events.len();
        let said = FromServer::Event { method };
        // SAFETY: 1. By promise 1 it has left; it stays in its box. 2. This place is used again after it has left, which is when what goes
        // inline was read, and after the event window's worth of others, when the client has given this one back. One that says so without
        // having it has its own events garbled.
        unsafe { self.queue.push(work, said.to_bits(), len) };
    }

    /// True if messages have waited for so long that they will never find room.
    pub(crate) fn is_stuck(&mut self, now: u64) -> bool {
        let left = self.queue.posted();
        if self.queue.waiting() == 0 {
            self.waits = None;
        } else if let Some((since, before)) = self.waits
            && before == left
        {
            return now.saturating_sub(since) > PATIENCE;
        } else {
            self.waits = Some((now, left));
        }
        false
    }

    /// Adds the last message that the client gets.
    pub(crate) fn push_farewell(&mut self, slots: &[Slot]) {
        self.is_closing = true;
        self.queue.set_detour(true);
        self.tell_freed(slots);
        let said = FromServer::Leaves;
        // SAFETY: it is used here alone, once: the server says farewell when it goes. It stays in its box.
        unsafe {
            self.queue.push_signalled(&self.farewell[0], said.to_bits());
        }
    }

    /// True if the memory that a message was sent from is not read any more.
    pub(crate) fn may_reuse(&mut self, work: &Work, cq: &Cq) -> bool {
        if !self.queue.is_done(work) {
            // A fault is found again by whoever rings.
            let _ = self.queue.reap(cq);
        }
        self.queue.is_done(work)
    }

    /// Adds a slot to those that are told to be free.
    #[inline(always)]
    pub(crate) fn free(&mut self, tag: Tag, slots: &[Slot]) {
        if self.freed_len == FREED {
            self.tell_freed(slots);
        }
        self.freed[self.freed_len] = tag.to_bits();
        self.freed_len += 1;
        // They leave before the next reply.
        self.queue.set_detour(true);
    }

    /// Says which slots are free. One is as many replies without a body; several are a list, for which the response buffer of the first of
    /// them is used: the client expects nothing else from there.
    pub(crate) fn tell_freed(&mut self, slots: &[Slot]) {
        let len = std::mem::take(&mut self.freed_len);
        let Some(&first) = self.freed[..len].first() else {
            return;
        };
        self.queue.set_detour(self.is_closing);
        let tag = Tag::from_bits(first);
        let (said, bytes) = if len == 1 {
            let status = ReplyStatus::Ok;
            (FromServer::Reply { tag, status }, 0)
        } else {
            let place = slots[tag.slot()].response_place();
            // SAFETY: a response's buffer is at least a line, which is as long as the list, aligned, and of a slot whose request has been
            // answered and whose client has not been told.
            let list = unsafe { std::slice::from_raw_parts_mut(place.start.as_ptr(), 2 * len) };
            for (bytes, tag) in list.chunks_exact_mut(2).zip(self.freed) {
                bytes.copy_from_slice(&tag.to_le_bytes());
            }
            (FromServer::Freed, 2 * len as u32)
        };
        // SAFETY: whoever has this has the lock.
        let work = unsafe { slots[tag.slot()].reply() };
        // SAFETY: as for any reply.
        let number = unsafe { self.queue.push(work, said.to_bits(), bytes) };
        for tag in &self.freed[..len] {
            let slot = &slots[Tag::from_bits(*tag).slot()];
            // Release: pairs with the Acquire in `accept`.
            slot.state.store(number + 1, Ordering::Release);
        }
    }
}

/// The place of one of several messages of so many bytes.
///
/// # Safety
/// 1. The region is as long as that many messages.
unsafe fn place_of(memory: &Region, number: usize, bytes: usize) -> Place {
    Place {
        // SAFETY: promise 1.
        start: unsafe { memory.start().add(number * bytes) },
        lkey: memory.lkey(),
    }
}
