//! What a server knows of a client's slot.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::buffer::{Buffer, Held};
use crate::work::{Place, Work};

/// A slot of a client, as the server has it: one place for all that a reply needs.
#[repr(C)]
pub(crate) struct Slot {
    /// What its replies are sent by.
    reply: Work,
    /// [`HELD`](Self::HELD), [`ENDED`](Self::ENDED), or how many messages have to have left before it may be used again: the last one is
    /// its reply. So a client that does not keep the protocol has no request accepted whose reply would be built where an earlier one
    /// still waits.
    pub(crate) state: AtomicU64,
    /// Where its response is built.
    response: AtomicPtr<Buffer>,
}

// SAFETY: `reply` is used only by whoever has the connection's lock, and the rest is atomic.
unsafe impl Sync for Slot {}

impl Slot {
    /// Its request is held.
    pub(crate) const HELD: u64 = u64::MAX;
    /// Its request has ended without a body, and the client has not been told.
    pub(crate) const ENDED: u64 = u64::MAX - 1;

    /// A row of them, with the buffers where their responses are built.
    pub(crate) fn row(responses: Vec<Held>) -> Box<[Self]> {
        let slot = |response: Held| Self {
            reply: Work::new(response.place()),
            state: AtomicU64::new(0),
            response: AtomicPtr::new(response.into_raw().as_ptr()),
        };
        let row: Box<[Self]> = responses.into_iter().map(slot).collect();
        row.iter().for_each(|slot| slot.reply.settle());
        row
    }

    /// What its replies are sent by.
    ///
    /// # Safety
    /// 1. The connection's lock is held for as long as it is used.
    #[inline(always)]
    pub(crate) unsafe fn reply(&self) -> &Work {
        &self.reply
    }

    /// The buffer where its response is built, again.
    ///
    /// # Safety
    /// 1. Nobody holds a request in this slot, and it is not used any more.
    pub(crate) unsafe fn take_response(&self) -> Held {
        // SAFETY: promise 1.
        unsafe { Held::from_raw(self.response_buffer()) }
    }

    #[inline(always)]
    pub(crate) fn response_buffer(&self) -> NonNull<Buffer> {
        // Acquire: pairs with the Release in `exchange`, for the slot's last request.
        let buffer = self.response.load(Ordering::Acquire);
        // SAFETY: `row` put a buffer there, and `exchange` only others.
        unsafe { NonNull::new_unchecked(buffer) }
    }

    #[inline(always)]
    pub(crate) fn response_place(&self) -> Place {
        // SAFETY: buffers live as long as the pool, which the connection keeps.
        unsafe { self.response_buffer().as_ref() }.place
    }

    /// Takes a buffer for the response, and gives the one that was there.
    pub(crate) fn exchange(&self, held: Held) -> Held {
        let before = self.response_buffer();
        // Release: pairs with the Acquire in `response_buffer`.
        self.response
            .store(held.into_raw().as_ptr(), Ordering::Release);
        // SAFETY: whoever holds the slot's request has the response's buffer, and the slot's is another now.
        unsafe { Held::from_raw(before) }
    }

    /// Writes the number of a refusal as the response: how long that is.
    #[cold]
    pub(crate) fn write_number(&self, number: u32) -> u32 {
        let place = self.response_place().start.cast::<u32>();
        // SAFETY: a response's buffer has room for a number, is aligned, and belongs to whoever holds the request.
        unsafe { place.write(number.to_le()) };
        size_of::<u32>() as u32
    }
}
