//! Completion queues.

use core::ffi::c_int;
use core::fmt;
use core::ptr::{NonNull, null_mut};
use std::io;
use std::sync::Arc;

use super::bindings::{ibv_cq, ibv_wc};
use super::channel::Channel;
use super::context::Context;
use super::error::{check, destroyed, last};
use super::ops;

/// A completion queue. It has to have room for everything that may complete before it is polled: one that runs over is lost, and with it
/// every queue pair that uses it.
#[derive(Debug)]
pub struct Cq {
    raw: NonNull<ibv_cq>,
    context: Arc<Context>,
    /// Destroyed after the queue.
    _channel: Option<Arc<Channel>>,
}

// SAFETY: verbs objects are safe for multi-threaded access (ibv_alloc_td(3)).
unsafe impl Send for Cq {}
// SAFETY: as above.
unsafe impl Sync for Cq {}

impl Cq {
    /// One with room for at least this many completions, that tells the channel of them when it is armed.
    ///
    /// # Errors
    /// The device has not so much room, or the channel is another device's.
    pub fn new(
        context: &Arc<Context>,
        entries: u32,
        channel: Option<&Arc<Channel>>,
    ) -> io::Result<Arc<Self>> {
        if channel.is_some_and(|channel| !Arc::ptr_eq(channel.context(), context)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let entries = c_int::try_from(entries).map_err(|_| io::ErrorKind::InvalidInput)?;
        let tells = channel.map_or(null_mut(), |channel| channel.raw());
        let create = context.library().create_cq;
        // SAFETY: the context is open, the channel is there, and the first vector is one that every device has.
        let raw = unsafe { create(context.raw(), entries, null_mut(), tells, 0) };
        Ok(Arc::new(Self {
            raw: NonNull::new(raw).ok_or_else(last)?,
            context: Arc::clone(context),
            _channel: channel.map(Arc::clone),
        }))
    }

    /// How many completions it has room for.
    pub fn capacity(&self) -> u32 {
        // SAFETY: the queue is there, and this changes only when a queue is resized, which none is.
        let entries = unsafe { (*self.raw()).cqe };
        u32::try_from(entries).unwrap_or(0)
    }

    /// Takes completions, oldest first: as many as there are and fit.
    ///
    /// # Errors
    /// The queue is lost, and what was posted to its queue pairs will never complete.
    #[inline(always)]
    pub fn poll(&self, room: &mut [ibv_wc]) -> Result<usize, CqError> {
        let most = u32::try_from(room.len()).unwrap_or(u32::MAX);
        // SAFETY: it is a slice.
        let taken = unsafe { self.poll_into(room.as_mut_ptr(), most) };
        let code = taken.cast_signed();
        usize::try_from(code).map_err(|_| CqError { code })
    }

    /// The same, to a place with room for so many; more than that is an error's code.
    ///
    /// # Safety
    /// The place has that room, and nobody reads or writes it meanwhile.
    #[inline(always)]
    pub unsafe fn poll_into(&self, start: *mut ibv_wc, room: u32) -> u32 {
        let most = c_int::try_from(room).unwrap_or(c_int::MAX);
        // SAFETY: the queue is there, and the caller promises that this many completions may be written.
        unsafe { ops::poll_cq(self.raw(), most, start) }.cast_unsigned()
    }

    /// Has the channel told of the next completion, once. One that is in the queue already counts or not, so poll again after this, before
    /// sleeping.
    ///
    /// # Errors
    /// The device does not answer.
    pub fn arm(&self) -> io::Result<()> {
        // SAFETY: the queue is there.
        check(unsafe { ops::req_notify_cq(self.raw(), 0) })
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub(super) fn raw(&self) -> *mut ibv_cq {
        self.raw.as_ptr()
    }
}

impl Drop for Cq {
    fn drop(&mut self) {
        // SAFETY: it was made once, and the queue pairs that use it held it.
        let code = unsafe { (self.context.library().destroy_cq)(self.raw()) };
        destroyed("a completion queue", code);
    }
}

/// A completion queue that cannot be polled any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CqError {
    /// What the driver has returned.
    pub code: i32,
}

impl fmt::Display for CqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the completion queue is lost (code {})", self.code)
    }
}

impl std::error::Error for CqError {}
