//! A protection domain.

use core::ptr::NonNull;
use std::io;
use std::sync::Arc;

use super::bindings::ibv_pd;
use super::context::Context;
use super::error::{destroyed, last};

/// A protection domain: queue pairs reach only memory that is registered in their own.
#[derive(Debug)]
pub struct Pd {
    raw: NonNull<ibv_pd>,
    context: Arc<Context>,
}

// SAFETY: verbs objects are safe for multi-threaded access (ibv_alloc_td(3)).
unsafe impl Send for Pd {}
// SAFETY: as above.
unsafe impl Sync for Pd {}

impl Pd {
    /// A new one.
    ///
    /// # Errors
    /// The device has no more of them.
    pub fn new(context: &Arc<Context>) -> io::Result<Arc<Self>> {
        // SAFETY: the context is open.
        let raw = unsafe { (context.library().alloc_pd)(context.raw()) };
        Ok(Arc::new(Self {
            raw: NonNull::new(raw).ok_or_else(last)?,
            context: Arc::clone(context),
        }))
    }

    /// The device that it is of.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub(super) fn raw(&self) -> *mut ibv_pd {
        self.raw.as_ptr()
    }
}

impl Drop for Pd {
    fn drop(&mut self) {
        // SAFETY: it was made once, and everything in it held it.
        let code = unsafe { (self.context.library().dealloc_pd)(self.raw()) };
        destroyed("a protection domain", code);
    }
}
