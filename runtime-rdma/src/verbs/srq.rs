//! Shared receive queues.

use core::ptr::{NonNull, null_mut};
use std::io;
use std::sync::Arc;

use super::bindings::{
    IBV_SRQ_LIMIT, ibv_recv_wr, ibv_srq, ibv_srq_attr, ibv_srq_attr_mask, ibv_srq_init_attr,
};
use super::error::{check, destroyed, last};
use super::ops;
use super::pd::Pd;
use super::post::{PostError, posted};

/// A queue of buffers that the queue pairs of one thread or more receive into.
#[derive(Debug)]
pub struct Srq {
    raw: NonNull<ibv_srq>,
    capacity: u32,
    pd: Arc<Pd>,
}

// SAFETY: verbs objects are safe for multi-threaded access (ibv_alloc_td(3)).
unsafe impl Send for Srq {}
// SAFETY: as above.
unsafe impl Sync for Srq {}

impl Srq {
    /// One with room for at least this many buffers, each in one piece.
    ///
    /// # Errors
    /// The device has not so much room, or no such queues.
    pub fn new(pd: &Arc<Pd>, max_wr: u32) -> io::Result<Arc<Self>> {
        let mut wanted = ibv_srq_init_attr {
            srq_context: null_mut(),
            attr: ibv_srq_attr {
                max_wr,
                max_sge: 1,
                srq_limit: 0,
            },
        };
        // SAFETY: the domain is there; the structure may be written, and then has the actual sizes.
        let raw = unsafe { (pd.context().library().create_srq)(pd.raw(), &raw mut wanted) };
        Ok(Arc::new(Self {
            raw: NonNull::new(raw).ok_or_else(last)?,
            capacity: wanted.attr.max_wr,
            pd: Arc::clone(pd),
        }))
    }

    /// How many buffers it has room for.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Posts a list of buffers.
    ///
    /// # Errors
    /// The queue did not take all of them.
    ///
    /// # Safety
    /// The list is valid, as are its entries' lists of pieces, and no memory that they name is touched by anyone else until its completion
    /// was taken or the queue and all queue pairs that use it are gone.
    #[inline(always)]
    pub unsafe fn post(&self, first: *mut ibv_recv_wr) -> Result<(), PostError<ibv_recv_wr>> {
        let mut bad = null_mut();
        // SAFETY: the queue is there, `bad` may be written, and the caller promises the rest.
        let code = unsafe { ops::post_srq_recv(self.raw(), first, &raw mut bad) };
        posted(code, bad)
    }

    /// Has the device report `IBV_EVENT_SRQ_LIMIT_REACHED`, once, when fewer buffers than this are left.
    ///
    /// # Errors
    /// The device does not do that.
    pub fn set_limit(&self, limit: u32) -> io::Result<()> {
        let mut wanted = ibv_srq_attr {
            srq_limit: limit,
            ..ibv_srq_attr::default()
        };
        const MASK: ibv_srq_attr_mask = IBV_SRQ_LIMIT;
        let modify = self.pd.context().library().modify_srq;
        // SAFETY: the queue is there, and the structure has what the mask says.
        check(unsafe { modify(self.raw(), &raw mut wanted, MASK.cast_signed()) })
    }

    pub(super) fn pd(&self) -> &Arc<Pd> {
        &self.pd
    }

    pub(super) fn raw(&self) -> *mut ibv_srq {
        self.raw.as_ptr()
    }
}

impl Drop for Srq {
    fn drop(&mut self) {
        // SAFETY: it was made once, and the queue pairs that use it held it.
        let code = unsafe { (self.pd.context().library().destroy_srq)(self.raw()) };
        destroyed("a shared receive queue", code);
    }
}
