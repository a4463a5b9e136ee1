//! A request built where it will travel from.

use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::time::Duration;

use super::Core;
use super::calls::State;
use crate::service::{Method, MethodKind};
use crate::transport::ClientTransport;
use crate::wire::zeroed;

/// The request of a free slot, lent to be filled and sent; all zero to begin with. Dropped unsent, the slot is free again.
#[must_use = "a loan that is dropped is not sent"]
pub struct Loan<'a, M: Method, T: ClientTransport, U> {
    core: &'a mut Core<T, U>,
    slot: u16,
    place: NonNull<M::Request>,
}

impl<'a, M: Method, T: ClientTransport, U> Loan<'a, M, T, U> {
    pub(super) fn new(core: &'a mut Core<T, U>, slot: u16) -> Self {
        let place = core.request::<M>(slot);
        *place = zeroed();
        let place = NonNull::from(place);
        Self { core, slot, place }
    }

    /// Gives this call another deadline than its method's or the configuration's.
    pub fn within(self, deadline: Duration) -> Self {
        self.core.set_next_deadline(deadline);
        self
    }

    /// Sends the call; `user_data` comes back with the reply.
    pub fn send(self, user_data: U) {
        const {
            assert!(
                matches!(M::KIND, MethodKind::Call),
                "a oneway request is sent with `tell`"
            );
        };
        let mut this = core::mem::ManuallyDrop::new(self);
        let slot = this.slot;
        this.core.calls.start_callback::<M>(slot, user_data);
        this.core.send::<M>(slot);
    }

    /// Sends the oneway request.
    pub fn tell(self) {
        const {
            assert!(
                matches!(M::KIND, MethodKind::Oneway),
                "a call is sent with `send`"
            );
        };
        let mut this = core::mem::ManuallyDrop::new(self);
        let slot = this.slot;
        this.core.calls.start::<M>(slot, State::Oneway);
        this.core.send::<M>(slot);
    }
}

impl<M: Method, T: ClientTransport, U> Deref for Loan<'_, M, T, U> {
    type Target = M::Request;

    fn deref(&self) -> &M::Request {
        // SAFETY: promise 1 of `ClientTransport`: the slot is taken and ours until it is sent, which takes `self` by value. Any bytes
        // are a `M::Request` by promise 1 of `Wire`.
        unsafe { self.place.as_ref() }
    }
}

impl<M: Method, T: ClientTransport, U> DerefMut for Loan<'_, M, T, U> {
    fn deref_mut(&mut self) -> &mut M::Request {
        // SAFETY: as in `deref`; nobody else has the pointer.
        unsafe { self.place.as_mut() }
    }
}

impl<M: Method, T: ClientTransport, U> Drop for Loan<'_, M, T, U> {
    fn drop(&mut self) {
        self.core.forget_next_deadline();
        // SAFETY: `take` gave the slot, and it was not sent.
        unsafe { self.core.transport.give_back(self.slot) };
    }
}

impl<M: Method, T: ClientTransport, U> fmt::Debug for Loan<'_, M, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loan({})", M::NAME)
    }
}
