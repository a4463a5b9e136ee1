//! Completions that were polled together, and are taken one by one.

use std::cell::UnsafeCell;
use std::sync::Arc;

use crate::buffer::Held;
use crate::verbs::Cq;
use crate::verbs::bindings::{IBV_WC_RECV, IBV_WC_SUCCESS, IBV_WC_WITH_IMM, ibv_wc};

/// Completions that are polled at a time.
const BATCH: u32 = 16;

/// A receive completion queue, and what was polled from it last.
pub(crate) struct Polled {
    cq: Arc<Cq>,
    completions: Box<[UnsafeCell<ibv_wc>; BATCH as usize]>,
    /// The first of them that was not taken, and how many were not.
    next: *const ibv_wc,
    left: u32,
    /// How many were polled the last time; [`BATCH`] if there may be more.
    count: u32,
}

// SAFETY: the pointers are into its own box, and nothing of it belongs to a thread.
unsafe impl Send for Polled {}

/// A buffer that a device has given up.
pub(crate) struct Received {
    pub(crate) held: Held,
    /// The queue pair that it came over.
    pub(crate) qpn: u32,
    pub(crate) what: Result<Message, Fault>,
}

/// A message, whose body is in the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    /// The immediate data.
    pub(crate) imm: u32,
    /// Bytes of the body.
    pub(crate) len: u32,
}

/// The next message, which was not taken.
pub(crate) struct Peeked<'a> {
    polled: &'a mut Polled,
}

impl Peeked<'_> {
    #[inline(always)]
    fn completion(&self) -> &ibv_wc {
        // SAFETY: `peek` made sure that there is a next one; see `Polled::next`.
        unsafe { &*self.polled.next }
    }

    /// The queue pair that it came over.
    #[inline(always)]
    pub(crate) fn qpn(&self) -> u32 {
        self.completion().qp_num
    }

    /// The immediate data.
    #[inline(always)]
    pub(crate) fn imm(&self) -> u32 {
        imm_of(self.completion())
    }

    /// Takes it: its buffer, and how long it is.
    #[inline(always)]
    pub(crate) fn take(self) -> (Held, u32) {
        let completion = self.completion();
        let (buffer, len) = (completion.wr_id, completion.byte_len);
        self.polled.advance();
        // SAFETY: promise 1 of `Polled::new`, and each is taken once.
        (unsafe { Held::completed(buffer) }, len)
    }
}

/// Why it is none of the protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Receiving failed, with this status.
    Failed(u32),
    /// It has no immediate data.
    Bare,
}

impl Polled {
    /// # Safety
    /// 1. The queue gets the completions of buffers that were posted from their [`Held`] alone, and only this polls it.
    pub(crate) unsafe fn new(cq: Arc<Cq>) -> Self {
        let completions: Box<[UnsafeCell<ibv_wc>; BATCH as usize]> = Box::default();
        Self {
            cq,
            next: UnsafeCell::raw_get(completions.as_ptr()),
            completions,
            left: 0,
            count: BATCH,
        }
    }

    /// True if all were taken.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Polls, after all were taken: how many there are to take. `None` if the queue is lost.
    #[inline(always)]
    pub(crate) fn poll(&mut self) -> Option<u32> {
        debug_assert!(self.is_empty(), "those would be lost");
        // Of the array, and not of its first element alone: all of them are reached through it.
        let start = UnsafeCell::raw_get(self.completions.as_ptr());
        self.next = start;
        // SAFETY: there is room for so many, and all were taken.
        let count = unsafe { self.cq.poll_into(start, BATCH) };
        // What is no count is an error.
        if count > BATCH {
            return self.lose();
        }
        (self.left, self.count) = (count, count);
        Some(count)
    }

    #[cold]
    fn lose(&mut self) -> Option<u32> {
        self.count = 0;
        None
    }

    #[inline(always)]
    fn next(&self) -> Option<&ibv_wc> {
        // SAFETY: as many as are left were written by the device, from `next` on, and they are not written again before `poll`.
        (!self.is_empty()).then(|| unsafe { &*self.next })
    }

    /// Goes on to the one after the next, which there is.
    #[inline(always)]
    fn advance(&mut self) {
        debug_assert!(!self.is_empty(), "there is a next one");
        self.left -= 1;
        // SAFETY: it is in the box, so at most this is its end.
        self.next = unsafe { self.next.add(1) };
    }

    /// The next one, if it is a message.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Option<Peeked<'_>> {
        let fault = fault(self.next()?);
        fault.is_none().then_some(Peeked { polled: self })
    }

    /// Takes the next one.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Received> {
        let next = self.next()?;
        let what = match fault(next) {
            Some(fault) => Err(fault),
            None => Ok(Message {
                imm: imm_of(next),
                len: next.byte_len,
            }),
        };
        let (buffer, qpn) = (next.wr_id, next.qp_num);
        self.advance();
        // SAFETY: promise 1 of `new`, and each is taken once.
        let held = unsafe { Held::completed(buffer) };
        Some(Received { held, qpn, what })
    }

    /// True if the queue had no more when it was polled last, and is not armed since.
    #[inline(always)]
    pub(crate) fn is_all(&self) -> bool {
        self.count != BATCH
    }

    /// The same, once.
    #[inline(always)]
    pub(crate) fn take_is_all(&mut self) -> bool {
        let is_all = self.is_all();
        if is_all {
            self.count = BATCH;
        }
        is_all
    }

    /// Has the channel told of the next completion; see [`Cq::arm`].
    pub(crate) fn arm(&mut self) -> std::io::Result<()> {
        self.count = BATCH;
        self.cq.arm()
    }
}

/// Why a completion is that of no message, if it is not.
#[inline(always)]
fn fault(completion: &ibv_wc) -> Option<Fault> {
    if completion.status != IBV_WC_SUCCESS {
        Some(Fault::Failed(completion.status))
    } else if completion.opcode != IBV_WC_RECV || completion.wc_flags & IBV_WC_WITH_IMM == 0 {
        Some(Fault::Bare)
    } else {
        None
    }
}

/// The immediate data of a completion that has some.
#[inline(always)]
fn imm_of(completion: &ibv_wc) -> u32 {
    // SAFETY: any bits are a number; `fault` has looked whether this is the member that was written.
    u32::from_be(unsafe { completion.__bindgen_anon_1.imm_data })
}
