//! A file descriptor for epoll and the like.

use std::cell::OnceCell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::task::{Wake, Waker};

use rustix::event::{EventfdFlags, eventfd};

/// An eventfd that becomes readable when its endpoint has something to do.
///
/// The loop that uses it: `arm` the endpoint; if that says true, wait for the descriptor to become readable; then poll the
/// endpoint until nothing is left, and arm it again. Without arming nothing is written to it, so a busy endpoint makes
/// no system call.
///
/// Deadlines are kept by the typed client, and the descriptor knows nothing of them: a loop that waits for it without a timeout never
/// learns that a call has ended at its deadline, if nothing else arrives. So while calls are in flight a client's loop waits with a
/// timeout, at most the time until the earliest of their deadlines. These run from the first look at the clock after the call, so call
/// the client's `wait(Duration::ZERO)` once before waiting for the descriptor, and again when the timeout has passed: if it says true,
/// the next `poll` gives out the calls that have ended.
#[derive(Clone, Debug)]
pub struct Pollable {
    signal: Arc<Signal>,
    waker: Waker,
}

#[derive(Debug)]
struct Signal(OwnedFd);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The counter is full only if it is readable already, which is all that is wanted.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

impl Pollable {
    /// One that nothing has made readable yet.
    ///
    /// # Errors
    /// The operating system has no more descriptors.
    pub fn new() -> std::io::Result<Self> {
        let signal = Arc::new(Signal(eventfd(
            0,
            EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK,
        )?));
        let waker = Waker::from(Arc::clone(&signal));
        Ok(Self { signal, waker })
    }

    /// What makes it readable.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Makes it unreadable.
    pub fn clear(&self) {
        // Nothing to read is what is wanted.
        let _ = rustix::io::read(&self.signal.0, &mut [0; 8]);
    }
}

impl AsFd for Pollable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.0.as_fd()
    }
}

impl AsRawFd for Pollable {
    fn as_raw_fd(&self) -> RawFd {
        self.signal.0.as_raw_fd()
    }
}

/// The descriptor of an endpoint, made when it is first asked for.
#[derive(Debug, Default)]
pub struct LazyPollable(OnceCell<Pollable>);

impl LazyPollable {
    /// The descriptor.
    ///
    /// # Errors
    /// The operating system has no more descriptors.
    pub fn get(&self) -> std::io::Result<Pollable> {
        if let Some(pollable) = self.0.get() {
            return Ok(pollable.clone());
        }
        let made = Pollable::new()?;
        Ok(self.0.get_or_init(|| made).clone())
    }

    /// Makes it unreadable and has `register` take what makes it readable again: true if it is then safe to sleep on it, false if
    /// `is_ready` says that there is something already, or nobody has asked for the descriptor.
    pub fn arm(&self, register: impl FnOnce(&Waker), is_ready: impl FnOnce() -> bool) -> bool {
        let Some(pollable) = self.0.get() else {
            return false;
        };
        pollable.clear();
        register(pollable.waker());
        !is_ready()
    }
}
