//! What wakes a side of a connection that sleeps: its completion channel, or anyone with its bell.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};

use atomic_waker::AtomicWaker;
use runtime_os::clock;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Rung by whoever has something for one side besides what its completion queue tells.
#[derive(Debug)]
pub(crate) struct Bell {
    fd: OwnedFd,
    /// [`RUNG`], [`LAGS`] and [`DUE`] in one: whoever has nothing to look after sees it at a glance.
    state: AtomicU8,
    /// The task of this side, if it has one.
    waker: AtomicWaker,
}

/// It has rung.
const RUNG: u8 = 1;

/// Some connection has messages that wait for room in the device's queue.
pub(crate) const LAGS: u8 = 2;

/// It is time to look at the clock.
pub(crate) const DUE: u8 = 4;

impl Bell {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            state: AtomicU8::new(0),
            waker: AtomicWaker::new(),
        })
    }

    /// Makes this side look.
    pub(crate) fn ring(&self) {
        // Release: what it is rung for happens before; pairs with the Acquire in `answer`.
        self.state.fetch_or(RUNG, Ordering::Release);
        // The counter is full only if it is readable already, which is all that is wanted.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
        self.wake();
    }

    /// Wakes the task alone: its completion queue has something. A waker is another's code: that it panics, which the panic's hook has
    /// reported, is not to end what the caller was about.
    pub(crate) fn wake(&self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.waker.wake()));
    }

    /// Has a task woken by the next ring.
    pub(crate) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }

    /// True if it has rung, or there is something else to look after.
    #[inline(always)]
    pub(crate) fn calls(&self) -> bool {
        // Relaxed: whoever looks after it looks again.
        self.state.load(Ordering::Relaxed) != 0
    }

    #[inline(always)]
    pub(crate) fn has_rung(&self) -> bool {
        // Relaxed: `answer` looks again.
        self.state.load(Ordering::Relaxed) & RUNG != 0
    }

    /// True if it has rung since the last time.
    pub(crate) fn answer(&self) -> bool {
        // Acquire: pairs with the Release in `ring`. It is taken before what it was rung for is looked at, so no ring is lost.
        self.state.fetch_and(!RUNG, Ordering::Acquire) & RUNG != 0
    }

    /// Notes that there is something to look after, and wakes nobody.
    pub(crate) fn note(&self, what: u8) {
        // Relaxed: it says only that a look is worth while; what is looked at is behind a lock.
        self.state.fetch_or(what, Ordering::Relaxed);
    }

    /// True if that was noted, and was not taken since.
    pub(crate) fn is_noted(&self, what: u8) -> bool {
        self.state.load(Ordering::Relaxed) & what != 0
    }

    /// The same, and takes it; asked before looking.
    pub(crate) fn take(&self, what: u8) -> bool {
        self.is_noted(what) && self.state.fetch_and(!what, Ordering::Relaxed) & what != 0
    }

    /// Sleeps until the bell has rung, `other` is readable, or the time has come.
    pub(crate) fn wait(&self, other: BorrowedFd<'_>, until: u64) {
        let Some(rest) = clock::until(until) else {
            return;
        };
        let timeout = Timespec {
            tv_sec: rest.as_secs() as i64,
            tv_nsec: i64::from(rest.subsec_nanos()),
        };
        let mut fds = [
            PollFd::from_borrowed_fd(self.fd.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(other, PollFlags::IN),
        ];
        // Interrupted, or anything else: whoever waits looks, and comes back.
        let _ = poll(&mut fds, Some(&timeout));
        // Nothing to read is what is wanted.
        let _ = rustix::io::read(&self.fd, &mut [0; 8]);
    }
}
