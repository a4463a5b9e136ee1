//! Sleeping: a thread that parks is a [`Waker`] like any other.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread, ThreadId};

use crate::clock;

/// Parks the calling thread, with a waker that is made once for each thread that drives the endpoint.
#[derive(Default)]
pub struct Sleeper {
    waker: Option<(ThreadId, Waker)>,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

impl Sleeper {
    /// The waker that unparks the calling thread.
    pub fn waker(&mut self) -> &Waker {
        let thread = thread::current();
        let id = thread.id();
        if self.waker.as_ref().is_none_or(|(owner, _)| *owner != id) {
            self.waker = None;
        }
        &self
            .waker
            .get_or_insert_with(|| (id, Waker::from(Arc::new(Unpark(thread)))))
            .1
    }

    /// Sleeps until the waker is woken or the time has come; may wake early.
    pub fn sleep(until: u64) {
        if let Some(rest) = clock::until(until) {
            thread::park_timeout(rest);
        }
    }
}
