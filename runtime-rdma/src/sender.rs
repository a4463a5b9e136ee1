//! The sending half of a queue pair: messages are collected, and leave with one doorbell.
//!
//! A send queue's entries are free again only when a later signalled completion has been polled (this is how hardware does it; soft-RoCE
//! frees them earlier). One message in `signal_every` is signalled, so a completion is read for many of them, and the queue never fills up
//! with messages of which none is.

use std::ptr::NonNull;

use crate::verbs::bindings::{
    IBV_SEND_INLINE, IBV_SEND_SIGNALED, IBV_WC_SUCCESS, IBV_WR_SEND_WITH_IMM, ibv_send_wr, ibv_sge,
    ibv_wc,
};
use crate::verbs::{Cq, Library, Qp};

/// Registered memory that a message is sent from, or received into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) start: NonNull<u8>,
    /// The local key of its registration.
    pub(crate) lkey: u32,
}

/// Why nothing can be sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendFault {
    /// A message failed, with this status of its completion.
    Completion(u32),
    /// The device took no message, with this error number.
    Post(i32),
    /// The completion queue failed.
    Queue,
    /// More messages wait than there can be for a peer that keeps the protocol.
    Full,
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
        }
    }
}

/// Messages that are collected at most between two doorbells: then they leave.
pub(crate) const MAX_HELD: u64 = 16;

/// Messages of which one is signalled, at most.
const SIGNAL_EVERY: u32 = 32;

/// Completions that are polled at a time.
const BATCH: usize = 16;

/// What is sent through one queue pair.
pub(crate) struct SendQueue {
    /// Messages by number, as often as there are places.
    requests: Box<[ibv_send_wr]>,
    /// Their payloads.
    payloads: Box<[ibv_sge]>,
    /// Number of the next message.
    queued: u64,
    /// Number of the first that has not been given to the device.
    posted: u64,
    /// Number of the first that may not have been completed.
    completed: u64,
    /// Entries of the device's send queue.
    depth: u64,
    signal_every: u32,
    since_signal: u32,
    /// Bytes that are sent inline at most.
    max_inline: u32,
    doorbells: u64,
    completions: Box<[ibv_wc]>,
    fault: Option<SendFault>,
}

// SAFETY: the pointers are to its own boxes and to registered memory, which whoever pushes keeps; nothing of it belongs to a thread.
unsafe impl Send for SendQueue {}

impl SendQueue {
    /// For a queue pair of `depth` entries, of at most `most` messages that wait to be given to it.
    pub(crate) fn new(depth: u32, most: usize, max_inline: u32) -> Self {
        let places = most.next_power_of_two().max(2);
        let mut payloads = vec![ibv_sge::default(); places].into_boxed_slice();
        let mut requests = vec![ibv_send_wr::default(); places].into_boxed_slice();
        for (request, payload) in requests.iter_mut().zip(payloads.iter_mut()) {
            request.sg_list = payload;
            request.opcode = IBV_WR_SEND_WITH_IMM;
        }
        Self {
            requests,
            payloads,
            queued: 0,
            posted: 0,
            completed: 0,
            depth: u64::from(depth),
            signal_every: SIGNAL_EVERY.min(depth / 4).max(1),
            since_signal: 0,
            max_inline,
            doorbells: 0,
            completions: vec![ibv_wc::default(); BATCH].into_boxed_slice(),
            fault: None,
        }
    }

    /// Adds a message, which leaves with the next [`ring`](Self::ring). Returns its number.
    ///
    /// # Safety
    /// 1. `place` has `len` bytes, which are neither written nor freed until the message has been given to the device if it goes
    ///    inline, else until it is [`done`](Self::is_done) or the other side's answer shows that it was received.
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, imm: u32, place: Place, len: u32) -> u64 {
        let number = self.queued;
        let at = number as usize & (self.requests.len() - 1);
        if number - self.posted >= self.requests.len() as u64 {
            // Whoever made it counted what may wait for a peer that keeps the protocol.
            self.fail(SendFault::Full);
            return number;
        }
        let request = &mut self.requests[at];
        let mut flags = 0;
        if len <= self.max_inline {
            flags |= IBV_SEND_INLINE;
        }
        self.since_signal += 1;
        if self.since_signal >= self.signal_every {
            self.since_signal = 0;
            flags |= IBV_SEND_SIGNALED;
        }
        request.wr_id = number;
        request.send_flags = flags;
        request.num_sge = i32::from(len != 0);
        // In network order, as the header says of it.
        request.__bindgen_anon_1.imm_data = imm.to_be();
        self.payloads[at] = ibv_sge {
            addr: place.start.as_ptr() as u64,
            length: len,
            lkey: place.lkey,
        };
        self.queued = number + 1;
        number
    }

    /// Has the next message signalled, whichever it is.
    pub(crate) fn signal_next(&mut self) {
        self.since_signal = self.signal_every;
    }

    /// How many messages wait for the doorbell, or for room in the device's queue.
    #[inline(always)]
    pub(crate) fn waiting(&self) -> u64 {
        self.queued - self.posted
    }

    /// How many messages may not have been completed.
    #[inline(always)]
    pub(crate) fn outstanding(&self) -> u64 {
        self.posted - self.completed
    }

    /// True if a message was given to the device: one that goes inline is not read any more.
    #[inline(always)]
    pub(crate) fn is_posted(&self, number: u64) -> bool {
        number < self.posted
    }

    /// How many messages were given to the device, all in all.
    #[inline(always)]
    pub(crate) fn posted(&self) -> u64 {
        self.posted
    }

    /// True if a message is known to have been received by the other side's device.
    #[inline(always)]
    pub(crate) fn is_done(&self, number: u64) -> bool {
        number < self.completed
    }

    /// True if the device's queue has room for `more` beyond what waits.
    #[inline(always)]
    pub(crate) fn has_room(&self, more: u64) -> bool {
        self.queued - self.completed + more <= self.depth
    }

    /// How often the doorbell has rung.
    pub(crate) fn doorbells(&self) -> u64 {
        self.doorbells
    }

    /// Why nothing leaves any more, if that is so.
    pub(crate) fn fault(&self) -> Option<SendFault> {
        self.fault
    }

    /// Gives what waits to the device, as much as that has room for.
    ///
    /// # Errors
    /// Nothing can be sent any more; all that waits and what comes is dropped.
    #[inline]
    pub(crate) fn ring(&mut self, qp: &Qp, cq: &Cq) -> Result<(), SendFault> {
        let waiting = self.waiting();
        if waiting == 0 {
            return Ok(());
        }
        if let Some(fault) = self.fault {
            self.posted = self.queued;
            return Err(fault);
        }
        if self.outstanding() + waiting > self.depth / 2 {
            self.reap(cq)?;
        }
        let count = waiting.min(self.depth - self.outstanding());
        if count == 0 {
            return Ok(());
        }
        let mask = self.requests.len() - 1;
        let end = self.posted + count - 1;
        for number in self.posted..end {
            let next: *mut ibv_send_wr = &mut self.requests[(number + 1) as usize & mask];
            self.requests[number as usize & mask].next = next;
        }
        self.requests[end as usize & mask].next = std::ptr::null_mut();
        let first: *mut ibv_send_wr = &mut self.requests[self.posted as usize & mask];
        self.doorbells += 1;
        // SAFETY: the list is of `count` requests, each complete, of which the last ends it; `push` had the payloads promised.
        match unsafe { qp.post_send(first) } {
            Ok(()) => {
                self.posted += count;
                Ok(())
            }
            // Some may have left; which ones does not matter, since nothing more will.
            Err(error) => Err(self.fail(SendFault::Post(error.errno))),
        }
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
                return self.fault.map_or(Ok(()), Err);
            }
        }
    }

    /// The first fault is the one that counts: those after it are its consequences.
    #[cold]
    fn fail(&mut self, fault: SendFault) -> SendFault {
        self.posted = self.queued;
        *self.fault.get_or_insert(fault)
    }
}

impl std::fmt::Debug for SendQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SendQueue({} queued, {} posted, {} completed)",
            self.queued, self.posted, self.completed
        )
    }
}
