//! What becomes readable when something arrives in a completion queue.

use core::ptr::{NonNull, null_mut};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;

use super::bindings::ibv_comp_channel;
use super::context::{Context, set_nonblocking};
use super::error::{destroyed, last};

/// A completion channel: its descriptor becomes readable when a completion arrives in a queue that is armed.
#[derive(Debug)]
pub struct Channel {
    raw: NonNull<ibv_comp_channel>,
    context: Arc<Context>,
}

// SAFETY: verbs objects are safe for multi-threaded access (ibv_alloc_td(3)).
unsafe impl Send for Channel {}
// SAFETY: as above.
unsafe impl Sync for Channel {}

impl Channel {
    /// A new one, whose descriptor does not block.
    ///
    /// # Errors
    /// The process has no more descriptors.
    pub fn new(context: &Arc<Context>) -> io::Result<Arc<Self>> {
        // SAFETY: the context is open.
        let raw = unsafe { (context.library().create_comp_channel)(context.raw()) };
        let channel = Self {
            raw: NonNull::new(raw).ok_or_else(last)?,
            context: Arc::clone(context),
        };
        set_nonblocking(channel.fd())?;
        Ok(Arc::new(channel))
    }

    /// Readable when an armed queue has got something.
    pub fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the channel is there.
        let fd: RawFd = unsafe { (*self.raw()).fd };
        // SAFETY: the descriptor is open for as long as the channel is there, which `self` keeps.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }

    /// Takes every event that waits, so that the descriptor is readable again only after another; says how many there were.
    ///
    /// # Errors
    /// The events cannot be read.
    pub fn take_events(&self) -> io::Result<usize> {
        let library = self.context.library();
        let mut taken = 0;
        loop {
            let (mut cq, mut with) = (null_mut(), null_mut());
            // SAFETY: the channel is there, and both pointers may be written.
            if unsafe { (library.get_cq_event)(self.raw(), &raw mut cq, &raw mut with) } != 0 {
                let error = last();
                return if error.kind() == io::ErrorKind::WouldBlock {
                    Ok(taken)
                } else {
                    Err(error)
                };
            }
            // At once, since destroying the queue waits for it (ibv_get_cq_event(3)).
            // SAFETY: the queue is not gone, for that reason, and one event of it was taken.
            unsafe { (library.ack_cq_events)(cq, 1) };
            taken += 1;
        }
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub(super) fn raw(&self) -> *mut ibv_comp_channel {
        self.raw.as_ptr()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // SAFETY: it was made once, and the queues that use it held it.
        let code = unsafe { (self.context.library().destroy_comp_channel)(self.raw()) };
        destroyed("a completion channel", code);
    }
}
