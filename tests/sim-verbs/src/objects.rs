//! The objects of the library: what the program holds, and what the provider knows of each.
//!
//! What the program holds begins with the library's structure and stays where it is. What the provider knows lies in the tables of
//! [`Fabric`](crate::fabric::Fabric), found by number.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use runtime_rdma::verbs::bindings::{
    ibv_comp_channel, ibv_context, ibv_cq, ibv_device, ibv_mr, ibv_pd, ibv_qp, ibv_qp_attr,
    ibv_qp_init_attr, ibv_qp_state, ibv_srq,
};

use crate::queue::{Completions, RecvQueue, SendQueue};

/// A device as the program sees it.
#[repr(C)]
pub(crate) struct CDevice {
    pub(crate) base: ibv_device,
    pub(crate) index: usize,
}

/// A context as the program sees it.
#[repr(C)]
pub(crate) struct CContext {
    pub(crate) base: ibv_context,
    pub(crate) id: u32,
}

/// A completion channel as the program sees it.
#[repr(C)]
pub(crate) struct CChannel {
    pub(crate) base: ibv_comp_channel,
    pub(crate) id: u32,
}

/// A completion queue as the program sees it.
#[repr(C)]
pub(crate) struct CCq {
    pub(crate) base: ibv_cq,
    /// Not 0 if polling may give something: who polls in vain takes no lock.
    pub(crate) waiting: AtomicU32,
}

/// Where an object lies that the program holds.
#[derive(Debug)]
pub(crate) struct Held<T>(NonNull<T>);

// SAFETY: the address moves between threads, as the library's objects do; whoever follows it says why the object is there.
unsafe impl<T> Send for Held<T> {}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Held<T> {}

impl<T> Held<T> {
    pub(crate) fn new(object: T) -> Self {
        Self(NonNull::from(Box::leak(Box::new(object))))
    }

    pub(crate) fn as_ptr(self) -> *mut T {
        self.0.as_ptr()
    }

    /// Frees the object.
    ///
    /// # Safety
    /// The program is done with it, and this is the last use.
    pub(crate) unsafe fn free(self) {
        // SAFETY: it came from a box in `new`, and the caller says that nothing uses it any more.
        drop(unsafe { Box::from_raw(self.as_ptr()) });
    }
}

/// What an asynchronous event is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    Cq(u32),
    Qp(u32),
    Srq(u32),
    /// The port, or the device itself.
    Device,
}

/// An opened device.
pub(crate) struct Context {
    pub(crate) held: Held<CContext>,
    pub(crate) device: usize,
    /// Readable while there are events; counts them.
    pub(crate) fd: OwnedFd,
    pub(crate) events: VecDeque<(u32, Subject)>,
}

/// A protection domain.
#[derive(Debug)]
pub(crate) struct Pd {
    pub(crate) held: Held<ibv_pd>,
    pub(crate) context: u32,
}

/// A memory region.
#[derive(Debug)]
pub(crate) struct Mr {
    pub(crate) held: Held<ibv_mr>,
    pub(crate) pd: u32,
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) access: u32,
}

/// A completion channel.
pub(crate) struct Channel {
    pub(crate) held: Held<CChannel>,
    pub(crate) context: u32,
    /// Readable while there are events; counts them.
    pub(crate) fd: OwnedFd,
}

/// For what an armed completion queue gives an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Armed {
    Any,
    Solicited,
}

/// A completion queue.
pub(crate) struct Cq {
    pub(crate) held: Held<CCq>,
    pub(crate) context: u32,
    pub(crate) device: usize,
    pub(crate) channel: Option<u32>,
    pub(crate) completions: Completions,
    pub(crate) armed: Option<Armed>,
    /// It has overflown, and gives nothing any more.
    pub(crate) failed: bool,
    /// Events that nobody has got yet.
    pub(crate) unread: u32,
    /// Events that were got and not acknowledged.
    pub(crate) unacked: u32,
    /// The same of asynchronous events.
    pub(crate) unacked_async: u32,
}

impl Cq {
    /// Tells who polls whether it may give something.
    pub(crate) fn set_waiting(&self, waiting: bool) {
        // SAFETY: the completion queue is in the table, so the program's object is still there.
        let word = unsafe { &raw const (*self.held.as_ptr()).waiting };
        // SAFETY: as above; the field is only ever reached as an atomic.
        let word = unsafe { &*word };
        // Release: pairs with the Acquire of who polls, though what it then reads is under the lock.
        word.store(waiting.into(), Ordering::Release);
    }
}

/// A shared receive queue.
pub(crate) struct Srq {
    pub(crate) held: Held<ibv_srq>,
    pub(crate) context: u32,
    pub(crate) device: usize,
    pub(crate) pd: u32,
    pub(crate) queue: RecvQueue,
    /// Fewer waiting buffers than this give an event, once; 0 is off.
    pub(crate) limit: u32,
    pub(crate) unacked_async: u32,
}

/// A queue pair.
pub(crate) struct Qp {
    pub(crate) held: Held<ibv_qp>,
    pub(crate) context: u32,
    pub(crate) device: usize,
    pub(crate) pd: u32,
    pub(crate) send_cq: u32,
    pub(crate) recv_cq: u32,
    pub(crate) srq: Option<u32>,
    pub(crate) state: ibv_qp_state,
    /// All that `ibv_modify_qp` has set.
    pub(crate) attr: ibv_qp_attr,
    /// What it was made with, as granted.
    pub(crate) made: Made,
    pub(crate) send: SendQueue,
    /// Without a shared receive queue.
    pub(crate) recv: RecvQueue,
    /// The next message has found no receive buffer, and waits for one.
    pub(crate) stalled: bool,
    pub(crate) unacked_async: u32,
}

/// The attributes that a queue pair was made with.
pub(crate) struct Made(pub(crate) ibv_qp_init_attr);

// SAFETY: the pointers in it are the program's, which gets them back from `ibv_query_qp`; nothing here follows them.
unsafe impl Send for Made {}
