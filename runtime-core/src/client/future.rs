//! Calls as futures, for any executor.

use alloc::sync::Arc;
use core::cell::RefCell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::Core;
use crate::error::{CallError, Refusal};
use crate::service::Method;
use crate::transport::{ClientTransport, Failure};

/// A call whose reply is awaited.
///
/// It borrows the client shared, so several may be awaited together, and it stays on the thread that has the client: executors that move
/// their tasks between threads run it in a task that is bound to one, such as those of a `LocalSet`.
///
/// The call has been sent when it is made. It ends with the reply, at its deadline, or when
/// the server is gone, without help from the executor. Dropped before that, the call is abandoned.
#[must_use = "the call has been sent; its reply is lost unless this is awaited"]
pub struct Pending<'a, M: Method, T: ClientTransport, U> {
    core: &'a RefCell<Core<T, U>>,
    state: Waiting,
    method: core::marker::PhantomData<fn() -> M>,
}

enum Waiting {
    /// Not sent.
    Refused(Refusal),
    /// In flight in this slot.
    InFlight(u16),
    /// Over.
    Done,
}

impl<'a, M: Method, T: ClientTransport, U> Pending<'a, M, T, U> {
    pub(super) fn new(core: &'a RefCell<Core<T, U>>, started: Result<u16, Refusal>) -> Self {
        let state = match started {
            Ok(slot) => Waiting::InFlight(slot),
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
        let slot = match &this.state {
            Waiting::Refused(why) => {
                let result = Err((*why).into());
                this.state = Waiting::Done;
                return Poll::Ready(result);
            }
            Waiting::InFlight(slot) => *slot,
            // Polled after it was ready, which an executor must not do: it stays pending, as a fused future would.
            Waiting::Done => return Poll::Pending,
        };
        let mut core = this.core.borrow_mut();
        let result = core.poll_awaited::<M>(slot, context);
        if result.is_ready() {
            core.wakers.forget(slot);
            this.state = Waiting::Done;
        }
        result
    }
}

impl<T: ClientTransport, U> Core<T, U> {
    fn poll_awaited<M: Method>(
        &mut self,
        slot: u16,
        context: &mut Context<'_>,
    ) -> Poll<Result<M::Output, CallError<M::Error>>> {
        if let Some(result) = self.take_reply::<M>(slot) {
            return Poll::Ready(result);
        }
        self.wakers.register(slot, context.waker());
        self.transport
            .register(&Waker::from(Arc::clone(&self.wakers)));
        // What arrived before the waker was known woke nobody: look once more.
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
            // Each time: the timer may have woken this one early and forgotten it.
            self.transport.wake_at(deadline, context.waker());
            return Poll::Pending;
        };
        Poll::Ready(Err(failure.as_error::<M>()))
    }
}

impl<M: Method, T: ClientTransport, U> Drop for Pending<'_, M, T, U> {
    fn drop(&mut self) {
        if let Waiting::InFlight(slot) = &self.state {
            let slot = *slot;
            let mut core = self.core.borrow_mut();
            core.wakers.forget(slot);
            if core.take_reply::<M>(slot).is_none() {
                core.lose(slot);
            }
        }
    }
}

impl<M: Method, T: ClientTransport, U> fmt::Debug for Pending<'_, M, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending({})", M::NAME)
    }
}
