//! Threads of the library in programs of others.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread that takes no signals: they are for the program's threads, which may have blocked them to wait for them.
///
/// # Errors
/// There are no more threads, or no memory for one.
pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    // A thread begins with the mask of the one that starts it.
    #[cfg(unix)]
    let _blocked = Blocked::all();
    Builder::new().name(name.into()).spawn(run)
}

/// All signals of this thread are blocked until it is dropped.
#[cfg(unix)]
struct Blocked {
    before: libc::sigset_t,
}

#[cfg(unix)]
impl Blocked {
    fn all() -> Self {
        // SAFETY: a set of signals is plain memory, of any contents.
        let (mut all, mut before) = unsafe { core::mem::zeroed::<[libc::sigset_t; 2]>() }.into();
        // SAFETY: the set is written, and belongs to this function.
        unsafe { libc::sigfillset(&raw mut all) };
        // SAFETY: one set is read and the other written, and both belong to this function.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
        Self { before }
    }
}

#[cfg(unix)]
impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask that this thread had.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                core::ptr::null_mut(),
            );
        }
    }
}
