//! Completions that were polled together, and are taken one by one.

use std::sync::Arc;

use crate::buffer::Held;
use crate::verbs::bindings::{IBV_WC_RECV, IBV_WC_SUCCESS, IBV_WC_WITH_IMM, ibv_wc};
use crate::verbs::{Cq, CqError};

/// Completions that are polled at a time.
const BATCH: usize = 16;

/// A receive completion queue, and what was polled from it last.
pub(crate) struct Polled {
    cq: Arc<Cq>,
    completions: Box<[ibv_wc; BATCH]>,
    /// The first that was not taken, and the end.
    next: usize,
    end: usize,
    /// True if those are all that there were.
    is_all: bool,
}

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
    /// What names its buffer.
    buffer: u64,
    /// The queue pair that it came over.
    pub(crate) qpn: u32,
    /// The immediate data.
    pub(crate) imm: u32,
    /// Bytes of the body.
    pub(crate) len: u32,
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
        Self {
            cq,
            completions: Box::new([ibv_wc::default(); BATCH]),
            next: 0,
            end: 0,
            is_all: false,
        }
    }

    /// True if all were taken.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Polls anew, if all were taken: how many there are to take.
    ///
    /// # Errors
    /// The queue is lost.
    #[inline(always)]
    pub(crate) fn poll(&mut self) -> Result<usize, CqError> {
        if !self.is_empty() {
            return Ok(self.end - self.next);
        }
        self.next = 0;
        match self.cq.poll(&mut self.completions[..]) {
            Ok(count) => {
                self.end = count;
                self.is_all = count < BATCH;
                Ok(count)
            }
            Err(error) => {
                (self.end, self.is_all) = (0, true);
                Err(error)
            }
        }
    }

    #[inline(always)]
    fn next(&self) -> Option<&ibv_wc> {
        // They are never as many as to begin anew; it spares another look whether there are.
        (self.next < self.end).then(|| &self.completions[self.next % BATCH])
    }

    /// The next one, if it is a message.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<Message> {
        message(self.next()?).ok()
    }

    /// Takes the next one's buffer.
    ///
    /// # Safety
    /// 1. [`peek`](Self::peek) has given the message, and nothing was polled or taken since.
    #[inline(always)]
    pub(crate) unsafe fn take_seen(&mut self, message: Message) -> Held {
        self.next += 1;
        // SAFETY: promise 1, and promise 1 of `new`; each is taken once.
        unsafe { Held::completed(message.buffer) }
    }

    /// Takes the next one.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Received> {
        let next = self.next()?;
        let (buffer, qpn, what) = (next.wr_id, next.qp_num, message(next));
        self.next += 1;
        // SAFETY: promise 1 of `new`, and each is taken once.
        let held = unsafe { Held::completed(buffer) };
        Some(Received { held, qpn, what })
    }

    /// True if the queue had no more when it was polled last, and is not armed since.
    #[inline(always)]
    pub(crate) fn is_all(&self) -> bool {
        self.is_all
    }

    /// Has the channel told of the next completion; see [`Cq::arm`].
    pub(crate) fn arm(&mut self) -> std::io::Result<()> {
        self.is_all = false;
        self.cq.arm()
    }
}

/// What a completion says.
#[inline(always)]
fn message(completion: &ibv_wc) -> Result<Message, Fault> {
    if completion.status != IBV_WC_SUCCESS {
        return Err(Fault::Failed(completion.status));
    }
    if completion.opcode != IBV_WC_RECV || completion.wc_flags & IBV_WC_WITH_IMM == 0 {
        return Err(Fault::Bare);
    }
    Ok(Message {
        buffer: completion.wr_id,
        qpn: completion.qp_num,
        // SAFETY: the flag says that this is the member that was written; any bits are a number.
        imm: u32::from_be(unsafe { completion.__bindgen_anon_1.imm_data }),
        len: completion.byte_len,
    })
}
