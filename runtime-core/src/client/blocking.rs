//! Calls that wait for their reply.

use core::fmt;
use core::time::Duration;

use super::Core;
use super::calls::State;
use crate::error::{CallError, Refusal};
use crate::service::{Method, Service, assert_call};
use crate::transport::{ClientTransport, Failure};

/// The calls of a client, each waiting for its reply; made by [`Client::blocking`](crate::Client::blocking).
///
/// Only the call's own slot is looked at: replies to other calls stay where they lie for the next `poll`.
pub struct Blocking<'a, S: Service, T: ClientTransport, U> {
    core: &'a mut Core<T, U>,
    /// What `within` said, which is for a call here and for no other.
    deadline: Option<Duration>,
    service: core::marker::PhantomData<fn() -> S>,
}

impl<'a, S: Service, T: ClientTransport, U> Blocking<'a, S, T, U> {
    pub(super) fn new(core: &'a mut Core<T, U>) -> Self {
        Self {
            core,
            deadline: None,
            service: core::marker::PhantomData,
        }
    }

    /// Gives the next call another deadline than its method's or the configuration's.
    pub fn within(&mut self, deadline: Duration) -> &mut Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sends a call and waits for its reply or its deadline, spinning first and sleeping then.
    ///
    /// # Errors
    /// See [`CallError`].
    #[inline]
    pub fn call<M: Method<Service = S>>(
        &mut self,
        fill: impl FnOnce(&mut M::Request),
    ) -> Result<M::Output, CallError<M::Error>> {
        const { assert_call::<M>() };
        if let Some(deadline) = self.deadline.take() {
            self.core.set_next_deadline(deadline);
        }
        let slot = self.core.build::<M>(fill)?;
        self.core.calls.start::<M>(slot, State::Awaited);
        self.core.send::<M>(slot);
        self.core.await_reply::<M>(slot)
    }
}

impl<T: ClientTransport, U> Core<T, U> {
    /// The result of an awaited call whose reply has arrived; frees its slot.
    #[inline(always)]
    pub(super) fn take_reply<M: Method>(
        &mut self,
        slot: u16,
    ) -> Option<Result<M::Output, CallError<M::Error>>> {
        let completion = match self.transport.poll_slot(slot) {
            Some(completion) => {
                self.record(slot);
                completion
            }
            // Recorded when `poll` came across it.
            None => self.calls.take_arrived(slot)?,
        };
        // The slot is released below, after the response was copied out of it.
        let result = self
            .outcome::<M::Service>(completion, M::ID, M::INDEX)
            .of::<M>()
            .map(|response| M::Output::from(*response));
        self.calls.end(slot);
        // SAFETY: `poll_slot` or `poll` gave the slot, which is given up here.
        unsafe { self.transport.release(slot) };
        Some(result)
    }

    /// Waits for the reply of an awaited call.
    #[inline]
    fn await_reply<M: Method>(&mut self, slot: u16) -> Result<M::Output, CallError<M::Error>> {
        if let Some(result) = self.take_reply::<M>(slot) {
            return result;
        }
        let now = self.transport.now();
        self.calls.stamp(now);
        let deadline = self.calls.deadline(slot);
        // What came in while the reply of this slot was not yet there may be its own: `sleep_until` asks for that only.
        self.sleep_until(now, Some(slot), deadline, |core| {
            core.calls.state(slot) != State::Awaited || core.transport.slot_ready(slot)
        });
        if let Some(result) = self.take_reply::<M>(slot) {
            return result;
        }
        let failure = if self.transport.peer_gone() {
            // The server may have answered just before it went.
            if let Some(result) = self.take_reply::<M>(slot) {
                return result;
            }
            self.lose(slot);
            Failure::Disconnected
        } else {
            self.time_out(slot);
            Failure::Timeout
        };
        Err(failure.as_error::<M>())
    }
}

/// How often an idempotent call is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Calls in all, at least 1.
    pub attempts: u32,
}

/// The idempotent calls of a client, repeated when they fail for want of an answer; made by
/// [`Client::retrying`](crate::Client::retrying).
///
/// A method that is not `@Idempotent` has no stub here, and `call` with one does not compile.
pub struct Retrying<'a, S: Service, T: ClientTransport, U> {
    core: &'a mut Core<T, U>,
    retry: Retry,
    service: core::marker::PhantomData<fn() -> S>,
}

impl<'a, S: Service, T: ClientTransport, U> Retrying<'a, S, T, U> {
    pub(super) fn new(core: &'a mut Core<T, U>, retry: Retry) -> Self {
        Self {
            core,
            retry,
            service: core::marker::PhantomData,
        }
    }

    /// Calls until there is an answer, be it an error of the service, or the attempts are used up.
    ///
    /// # Errors
    /// That of the last attempt.
    pub fn call<M: Method<Service = S>>(
        &mut self,
        mut fill: impl FnMut(&mut M::Request),
    ) -> Result<M::Output, CallError<M::Error>> {
        const {
            assert_call::<M>();
            assert!(
                M::IDEMPOTENT,
                "only a method marked `@Idempotent` may be repeated"
            );
        };
        let mut left = self.retry.attempts.max(1);
        loop {
            let slot = match self.core.build::<M>(&mut fill) {
                Ok(slot) => slot,
                Err(why @ (Refusal::WouldBlock | Refusal::Disconnected)) => return Err(why.into()),
            };
            self.core.calls.start::<M>(slot, State::Awaited);
            self.core.send::<M>(slot);
            let result = self.core.await_reply::<M>(slot);
            left -= 1;
            match result {
                Err(CallError::Timeout | CallError::Aborted) if left != 0 => {}
                result => return result,
            }
        }
    }
}

impl<S: Service, T: ClientTransport, U> fmt::Debug for Blocking<'_, S, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocking({})", S::NAME)
    }
}

impl<S: Service, T: ClientTransport, U> fmt::Debug for Retrying<'_, S, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Retrying({}, {:?})", S::NAME, self.retry)
    }
}
