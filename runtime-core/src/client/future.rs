//! Calls as futures, for any executor.

use core::cell::RefCell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::Core;
use crate::error::{CallError, Refusal};
use crate::service::Method;
use crate::transport::{ClientTransport, Failure};

/// A call whose reply is awaited.
///
/// It borrows the client shared, so several may be awaited together. It ends with the reply, at its deadline, or when
/// the server is gone, without help from the executor. Dropped before that, the call is abandoned.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Pending<'a, M: Method, T: ClientTransport, U> {
    core: &'a RefCell<Core<T, U>>,
    state: Waiting,
    method: core::marker::PhantomData<fn() -> M>,
}

enum Waiting {
    /// Not sent.
    Refused(Refusal),
    /// In flight in this slot; true once the deadline's timer is set.
    InFlight(u16, bool),
    /// Over.
    Done,
}

impl<'a, M: Method, T: ClientTransport, U> Pending<'a, M, T, U> {
    pub(super) fn new(core: &'a RefCell<Core<T, U>>, started: Result<u16, Refusal>) -> Self {
        let state = match started {
            Ok(slot) => Waiting::InFlight(slot, false),
            Err(why) => Waiting::Refused(why),
        };
        Self {
            core,
            state,
            method: core::marker::PhantomData,
        }
    }
}

impl<M: Method, T: ClientTransport, U> Future for Pending<'_, M, T, U> {
    type Output = Result<M::Output, CallError<M::Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (slot, timer) = match &mut this.state {
            Waiting::Refused(why) => {
                let result = Err((*why).into());
                this.state = Waiting::Done;
                return Poll::Ready(result);
            }
            Waiting::InFlight(slot, timer) => (*slot, timer),
            // Polled after it was ready, which an executor must not do: it stays pending, as a fused future would.
            Waiting::Done => return Poll::Pending,
        };
        let mut core = this.core.borrow_mut();
        let result = core.poll_awaited::<M>(slot, timer, context);
        if result.is_ready() {
            this.state = Waiting::Done;
            // The one waker that the transport knows may have been ours: let the others look and register anew.
            core.calls.wake_all();
        }
        result
    }
}

impl<T: ClientTransport, U> Core<T, U> {
    fn poll_awaited<M: Method>(
        &mut self,
        slot: u16,
        timer: &mut bool,
        context: &mut Context<'_>,
    ) -> Poll<Result<M::Output, CallError<M::Error>>> {
        if let Some(result) = self.take_reply::<M>(slot) {
            return Poll::Ready(result);
        }
        self.calls.set_waker(slot, context.waker());
        self.transport.register(context.waker());
        // What arrived before the waker was known woke nobody: pass on what belongs to others and look once more.
        self.wake_arrived();
        let gone = self.transport.peer_gone();
        if let Some(result) = self.take_reply::<M>(slot) {
            return Poll::Ready(result);
        }
        let now = self.transport.now();
        self.calls.stamp(now);
        let deadline = self.calls.deadline(slot);
        let failure = if gone {
            self.lose(slot);
            Failure::Disconnected
        } else if now >= deadline {
            self.time_out(slot);
            Failure::Timeout
        } else {
            if !*timer {
                self.transport.wake_at(deadline, context.waker());
                *timer = true;
            }
            return Poll::Pending;
        };
        Poll::Ready(Err(failure.as_error::<M>()))
    }

    /// Wakes the others whose replies have arrived.
    fn wake_arrived(&mut self) {
        for slot in 0..self.transport.slots() as u16 {
            if self.calls.state(slot) == super::State::Awaited && self.transport.slot_ready(slot) {
                self.calls.wake(slot);
            }
        }
    }
}

impl<M: Method, T: ClientTransport, U> Drop for Pending<'_, M, T, U> {
    fn drop(&mut self) {
        if let Waiting::InFlight(slot, _) = self.state {
            let mut core = self.core.borrow_mut();
            if core.take_reply::<M>(slot).is_none() {
                core.lose(slot);
            }
            core.calls.wake_all();
        }
    }
}

impl<M: Method, T: ClientTransport, U> fmt::Debug for Pending<'_, M, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending({})", M::NAME)
    }
}
