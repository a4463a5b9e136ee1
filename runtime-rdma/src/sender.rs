//! The sending half of a queue pair: messages are collected, and leave with one doorbell.
//!
//! A send queue's entries are free again only when a later signalled completion has been polled (this is how hardware does it; soft-RoCE
//! frees them earlier). One message in `signal_every` is signalled, so a completion is read for many of them, and the queue never fills up
//! with messages of which none is.

use std::ptr::null_mut;

use crate::verbs::bindings::{
    IBV_SEND_INLINE, IBV_SEND_SIGNALED, IBV_WC_SUCCESS, ibv_send_wr, ibv_wc,
};
use crate::verbs::{Cq, Library, Qp};
use crate::work::Work;

/// Why nothing can be sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendFault {
    /// A message failed, with this status of its completion.
    Completion(u32),
    /// The device took no message, with this error number.
    Post(i32),
    /// The completion queue failed.
    Queue,
    /// A message is to be sent again that has not left: for a peer that keeps the protocol there is none.
    Full,
    /// Messages wait for room that does not come.
    Stuck,
}

impl SendFault {
    /// As text.
    pub(crate) fn describe(self, library: &Library) -> String {
        match self {
            Self::Completion(status) => {
                format!("a message to it failed: {}", library.status_text(status))
            }
            Self::Post(errno) => format!(
                "the device takes no message to it: {}",
                std::io::Error::from_raw_os_error(errno)
            ),
            Self::Queue => "the device's completion queue failed".into(),
            Self::Full => "it takes no messages, and goes on asking for them".into(),
            Self::Stuck => "it takes no messages".into(),
        }
    }
}

/// Messages that are collected at most between two doorbells: then they leave.
pub(crate) const MAX_HELD: u64 = 16;

/// Messages of which one is signalled, at most: a power of two.
const SIGNAL_EVERY: u32 = 32;

/// Completions that are polled at a time.
const BATCH: usize = 16;

/// What is sent through one queue pair: a list of work requests, each of which is kept by whoever it is about.
pub(crate) struct SendQueue {
    /// The first and the last of those that wait; the first is null if none does.
    first: *mut ibv_send_wr,
    last: *mut ibv_send_wr,
    /// Number of the next message.
    queued: u64,
    /// How many of those before it have not been given to the device.
    waiting: u64,
    /// Number of the first that may not have been completed.
    completed: u64,
    /// From this number of the next message on, it is looked what has been completed before the doorbell rings: when half of the device's
    /// queue is in use, and always once there is a fault.
    reap_from: u64,
    /// As long as nothing waits, there is no fault and no detour, a message with a smaller number goes to the device at once; else 0.
    direct_until: u64,
    /// True if whoever sends wants a say in it.
    has_detour: bool,
    /// Entries of the device's send queue.
    depth: u64,
    /// One less than the messages of which the last is signalled: a power of two.
    signal_mask: u64,
    /// Bytes that are sent inline at most.
    max_inline: u32,
    /// Messages that did not leave at once, and how often the doorbell has rung for them.
    linked: u64,
    rung: u64,
    completions: Box<[ibv_wc]>,
    fault: Option<SendFault>,
}

// SAFETY: the pointers are to work requests that whoever pushes keeps; nothing of it belongs to a thread.
unsafe impl Send for SendQueue {}

impl SendQueue {
    /// For a queue pair of `depth` entries.
    pub(crate) fn new(depth: u32, max_inline: u32) -> Self {
        let signal_every = SIGNAL_EVERY.min(depth / 4).max(1);
        Self {
            first: null_mut(),
            last: null_mut(),
            queued: 0,
            waiting: 0,
            completed: 0,
            reap_from: u64::from(depth) / 2 + 1,
            direct_until: u64::from(depth) / 2,
            has_detour: false,
            depth: u64::from(depth),
            signal_mask: (1 << signal_every.ilog2()) - 1,
            max_inline,
            linked: 0,
            rung: 0,
            completions: vec![ibv_wc::default(); BATCH].into_boxed_slice(),
            fault: None,
        }
    }

    /// Adds a message, which leaves with the next [`ring`](Self::ring). Returns its number.
    ///
    /// # Safety
    /// 1. The work request is no part of the list: the message that it was used for last [has left](Self::has_left). It stays where it is
    ///    until this one has.
    /// 2. Its place has `len` bytes, which are neither written nor freed until the message has been given to the device if it goes
    ///    inline, else until it is [done](Self::is_done) or the other side's answer shows that it was received.
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, work: &Work, imm: u32, len: u32) -> u64 {
        let number = self.queued;
        let request = self.fill(number, work, imm, len);
        self.link(request);
        number
    }

    /// The number of the next message, if that may be [sent at once](Self::send_at_once): nothing waits, the device has room, and there is no
    /// [detour](Self::set_detour).
    #[inline(always)]
    pub(crate) fn direct(&self) -> Option<u64> {
        (self.queued < self.direct_until).then_some(self.queued)
    }

    /// Says whether whoever sends wants a say in it: then no message [is direct](Self::direct).
    pub(crate) fn set_detour(&mut self, detour: bool) {
        self.has_detour = detour;
        self.find_way();
    }

    fn find_way(&mut self) {
        self.direct_until = if self.first.is_null() && !self.has_detour {
            self.reap_from.saturating_sub(1)
        } else {
            0
        };
    }

    /// Gives a message to the device.
    ///
    /// # Errors
    /// Nothing can be sent any more.
    ///
    /// # Safety
    /// 1. [`direct`](Self::direct) gave the number, and nothing was done with the queue since.
    /// 2. As for [`push`](Self::push).
    #[inline(always)]
    pub(crate) unsafe fn send_at_once(
        &mut self,
        number: u64,
        work: &Work,
        imm: u32,
        len: u32,
        qp: &Qp,
    ) -> Result<(), SendFault> {
        let request = self.fill(number, work, imm, len);
        // SAFETY: it is a list of its own, and promise 2.
        unsafe { self.post(request, qp) }
    }

    #[inline(always)]
    fn fill(&mut self, number: u64, work: &Work, imm: u32, len: u32) -> *mut ibv_send_wr {
        self.queued = number + 1;
        let mut flags = IBV_SEND_INLINE;
        // Two branches are fewer instructions than two choices, and one of them is taken always or never.
        if len > self.max_inline {
            flags = not_inline();
        }
        if (number + 1) & self.signal_mask == 0 {
            flags |= signalled();
        }
        work.fill(number, flags, imm, len)
    }

    /// Adds a filled request to the list.
    #[inline(always)]
    fn link(&mut self, request: *mut ibv_send_wr) {
        self.waiting += 1;
        self.linked += 1;
        if self.first.is_null() {
            self.first = request;
            self.direct_until = 0;
        } else {
            // SAFETY: whoever added it promised that it stays until it has left.
            unsafe { (*self.last).next = request };
        }
        self.last = request;
    }

    /// Adds a message without a body of which it will be known when it is done.
    ///
    /// # Safety
    /// 1. As promise 1 of [`push`](Self::push).
    #[cold]
    pub(crate) unsafe fn push_signalled(&mut self, work: &Work, imm: u32) {
        // SAFETY: promise 1; and of no bytes none is read.
        unsafe { self.push(work, imm, 0) };
        work.signal();
    }

    /// The number of the next message.
    #[inline(always)]
    pub(crate) fn next_number(&self) -> u64 {
        self.queued
    }

    /// How many messages wait for the doorbell, or for room in the device's queue.
    #[inline(always)]
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// How many messages may not have been completed.
    #[inline(always)]
    pub(crate) fn outstanding(&self) -> u64 {
        self.posted() - self.completed
    }

    /// How many messages were given to the device, all in all: those that go inline are not read any more.
    #[inline(always)]
    pub(crate) fn posted(&self) -> u64 {
        self.queued - self.waiting
    }

    /// True if the last message of a work request has been given to the device.
    #[inline(always)]
    pub(crate) fn has_left(&self, work: &Work) -> bool {
        work.is_among(self.posted())
    }

    /// True if it is known to have been received by the other side's device.
    #[inline(always)]
    pub(crate) fn is_done(&self, work: &Work) -> bool {
        work.is_among(self.completed)
    }

    /// How often the doorbell has rung.
    pub(crate) fn doorbells(&self) -> u64 {
        self.queued - self.linked + self.rung
    }

    /// Why nothing leaves any more, if that is so.
    pub(crate) fn fault(&self) -> Option<SendFault> {
        self.fault
    }

    /// Gives what waits to the device, as much as that has room for.
    ///
    /// # Errors
    /// Nothing can be sent any more; all that waits and what comes is dropped.
    #[inline(always)]
    pub(crate) fn ring(&mut self, qp: &Qp, cq: &Cq) -> Result<(), SendFault> {
        if self.first.is_null() {
            return Ok(());
        }
        if self.queued >= self.reap_from {
            return self.ring_tightly(qp, cq);
        }
        let first = std::mem::replace(&mut self.first, null_mut());
        self.waiting = 0;
        self.rung += 1;
        self.find_way();
        // SAFETY: the list is linked, and ends with the last one; all of them are filled, and `push` had the rest promised.
        unsafe { self.post(first, qp) }
    }

    /// The same when there may not be room for everything, or nothing can be sent.
    #[cold]
    fn ring_tightly(&mut self, qp: &Qp, cq: &Cq) -> Result<(), SendFault> {
        if let Some(fault) = self.fault {
            return Err(self.fail(fault));
        }
        self.reap(cq)?;
        let room = self.depth - self.outstanding();
        if room == 0 {
            return Ok(());
        }
        let first = std::mem::replace(&mut self.first, null_mut());
        if self.waiting > room {
            let mut end = first;
            for _ in 1..room {
                // SAFETY: more than `room` messages wait, each linked to the next, and they stay until they have left.
                end = unsafe { (*end).next };
            }
            // What finds no room is the next list.
            // SAFETY: as above.
            self.first = unsafe { std::mem::replace(&mut (*end).next, null_mut()) };
            self.waiting -= room;
        } else {
            self.waiting = 0;
        }
        self.rung += 1;
        self.find_way();
        // SAFETY: as in `ring`, and the list ends where it was cut.
        unsafe { self.post(first, qp) }
    }

    /// Gives messages to the device, which wait no more.
    ///
    /// # Safety
    /// 1. `first` is the first of a list of just these, which ends with a null.
    /// 2. As for [`push`](Self::push), of each of them.
    #[inline(always)]
    unsafe fn post(&mut self, first: *mut ibv_send_wr, qp: &Qp) -> Result<(), SendFault> {
        // SAFETY: promises 1 and 2.
        let posted = unsafe { qp.post_send(first) };
        // Some may have left; which ones does not matter, since nothing more will.
        posted.map_err(|errno| self.fail(SendFault::Post(errno)))
    }

    /// Looks which messages are done.
    ///
    /// # Errors
    /// One of them failed: nothing can be sent any more.
    #[cold]
    pub(crate) fn reap(&mut self, cq: &Cq) -> Result<(), SendFault> {
        loop {
            let Ok(count) = cq.poll(&mut self.completions) else {
                return Err(self.fail(SendFault::Queue));
            };
            for completion in &self.completions[..count] {
                if completion.status != IBV_WC_SUCCESS {
                    let status = SendFault::Completion(completion.status);
                    return Err(self.fail(status));
                }
                // Completions come in order, and one says that all before it are done, too.
                self.completed = self.completed.max(completion.wr_id + 1);
            }
            if count < self.completions.len() {
                break;
            }
        }
        match self.fault {
            Some(fault) => Err(fault),
            None => {
                self.reap_from = self.completed + self.depth / 2 + 1;
                self.find_way();
                Ok(())
            }
        }
    }

    /// Sends nothing any more. The first fault is the one that counts: those after it are its consequences.
    #[cold]
    pub(crate) fn fail(&mut self, fault: SendFault) -> SendFault {
        self.first = null_mut();
        self.waiting = 0;
        self.reap_from = 0;
        self.direct_until = 0;
        *self.fault.get_or_insert(fault)
    }
}

#[cold]
fn not_inline() -> u32 {
    0
}

#[cold]
fn signalled() -> u32 {
    IBV_SEND_SIGNALED
}

impl std::fmt::Debug for SendQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SendQueue({} queued, {} posted, {} completed)",
            self.queued,
            self.posted(),
            self.completed
        )
    }
}
