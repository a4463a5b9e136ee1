//! What is given back when a closure of the user's returns or panics.

use super::Core;
use crate::service::Lies;
use crate::transport::ClientTransport;

/// Frees a completed slot.
pub(super) struct Release<'a, T: ClientTransport, U> {
    pub(super) core: &'a mut Core<T, U>,
    pub(super) slot: u16,
}

impl<T: ClientTransport, U> Drop for Release<'_, T, U> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the slot of a completion, and nobody else releases it.
        unsafe { self.core.transport.release(self.slot) };
    }
}

/// Gives a slot back if filling its request panics.
pub(super) struct Taken<'a, T: ClientTransport, U> {
    pub(super) core: &'a mut Core<T, U>,
    pub(super) slot: u16,
}

impl<T: ClientTransport, U> Drop for Taken<'_, T, U> {
    fn drop(&mut self) {
        self.core.forget_next_deadline();
        // SAFETY: `take` gave the slot, and it was not sent.
        unsafe { self.core.transport.give_back(self.slot) };
    }
}

/// Frees an arrived event when its callback returns or panics.
pub(super) struct ReleaseArrived<'a, T: ClientTransport> {
    pub(super) transport: &'a mut T,
    pub(super) head: crate::transport::ArrivedHead,
}

impl<T: ClientTransport> ReleaseArrived<'_, T> {
    pub(super) fn lies(&mut self) -> Lies<'_> {
        // SAFETY: the event is released when `self`, borrowed here, is dropped.
        let place = unsafe { self.transport.arrived_bytes(&self.head) };
        // SAFETY: promise 3 of `ClientTransport`: a place with room for the largest event, valid until released, which happens when
        // `self`, borrowed here, is dropped.
        unsafe { Lies::new(place, T::APART) }
    }
}

impl<T: ClientTransport> Drop for ReleaseArrived<'_, T> {
    fn drop(&mut self) {
        // SAFETY: `poll_arrived` gave it to the one who made `self`, and nothing else releases it.
        unsafe { self.transport.release_arrived(self.head) };
    }
}
