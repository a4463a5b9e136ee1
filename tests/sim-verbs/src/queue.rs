//! The rings that work requests and completions wait in. Their room is made once, so the data path does not allocate.

use libc::{EINVAL, ENOMEM};
use runtime_rdma::verbs::bindings::{ibv_sge, ibv_wc_opcode, ibv_wc_status, ibv_wr_opcode};

use crate::memory::MAX_SGE;

/// A work request of a send queue, without its pieces of memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SendWqe {
    pub(crate) wr_id: u64,
    pub(crate) opcode: ibv_wr_opcode,
    pub(crate) signalled: bool,
    pub(crate) solicited: bool,
    /// Of a request with immediate data, in network byte order.
    pub(crate) imm: u32,
    /// Of a read or write.
    pub(crate) remote_addr: u64,
    pub(crate) rkey: u32,
    /// Pieces of registered memory.
    pub(crate) pieces: usize,
    /// Bytes that were captured when it was posted, instead of pieces.
    pub(crate) inline: Option<usize>,
    /// True if it has found no receive buffer before: it is counted once.
    pub(crate) has_waited: bool,
    /// How many messages its device had carried when it was carried.
    pub(crate) carried_at: u64,
}

/// A send queue. Numbers count from the first request that was ever posted: `freed <= done <= carried <= posted`.
#[derive(Debug)]
pub(crate) struct SendQueue {
    wqes: Box<[SendWqe]>,
    sges: Box<[ibv_sge]>,
    inline: Box<[u8]>,
    max_sge: usize,
    max_inline: usize,
    /// Requests that were posted.
    pub(crate) posted: u64,
    /// Requests that have reached the peer.
    pub(crate) carried: u64,
    /// Requests that are complete, whether they gave a completion or not.
    pub(crate) done: u64,
    /// Requests whose slots are free again, since a later completion was polled.
    pub(crate) freed: u64,
}

impl SendQueue {
    pub(crate) fn new(max_wr: u32, max_sge: u32, max_inline: u32) -> Self {
        let (wrs, max_sge, max_inline) = (max_wr as usize, max_sge as usize, max_inline as usize);
        Self {
            wqes: vec![SendWqe::default(); wrs].into(),
            sges: vec![ibv_sge::default(); wrs * max_sge].into(),
            inline: vec![0; wrs * max_inline].into(),
            max_sge,
            max_inline,
            posted: 0,
            carried: 0,
            done: 0,
            freed: 0,
        }
    }

    fn slot(&self, number: u64) -> usize {
        (number % self.wqes.len() as u64) as usize
    }

    /// True if no slot is free.
    pub(crate) fn is_full(&self) -> bool {
        self.posted - self.freed >= self.wqes.len() as u64
    }

    pub(crate) fn max_sge(&self) -> usize {
        self.max_sge
    }

    pub(crate) fn max_inline(&self) -> usize {
        self.max_inline
    }

    /// Appends a request; the queue is not full, and the pieces are no more than [`max_sge`](Self::max_sge).
    pub(crate) fn push(&mut self, wqe: SendWqe, sges: &[ibv_sge]) {
        let slot = self.slot(self.posted);
        self.wqes[slot] = wqe;
        self.sges[slot * self.max_sge..][..sges.len()].copy_from_slice(sges);
        self.posted += 1;
    }

    /// Where the next request's inline data goes.
    pub(crate) fn next_inline(&mut self) -> &mut [u8] {
        let slot = self.slot(self.posted);
        &mut self.inline[slot * self.max_inline..][..self.max_inline]
    }

    pub(crate) fn wqe(&self, number: u64) -> SendWqe {
        self.wqes[self.slot(number)]
    }

    pub(crate) fn wqe_mut(&mut self, number: u64) -> &mut SendWqe {
        let slot = self.slot(number);
        &mut self.wqes[slot]
    }

    pub(crate) fn sges(&self, number: u64) -> &[ibv_sge] {
        let slot = self.slot(number);
        &self.sges[slot * self.max_sge..][..self.wqes[slot].pieces]
    }

    pub(crate) fn inline(&self, number: u64) -> &[u8] {
        let slot = self.slot(number);
        &self.inline[slot * self.max_inline..][..self.wqes[slot].inline.unwrap_or(0)]
    }

    /// Forgets every request, as the state RESET demands.
    pub(crate) fn reset(&mut self) {
        (self.posted, self.carried, self.done, self.freed) = (0, 0, 0, 0);
    }
}

/// A receive buffer, taken out of its queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecvWqe {
    pub(crate) wr_id: u64,
    pub(crate) sges: [ibv_sge; MAX_SGE],
    pub(crate) pieces: usize,
}

/// A receive queue, of one queue pair or shared.
#[derive(Debug)]
pub(crate) struct RecvQueue {
    ids: Box<[(u64, usize)]>,
    sges: Box<[ibv_sge]>,
    max_sge: usize,
    posted: u64,
    taken: u64,
    /// Buffers whose completions were polled; only that frees a slot.
    pub(crate) freed: u64,
}

impl RecvQueue {
    pub(crate) fn new(max_wr: u32, max_sge: u32) -> Self {
        let (wrs, max_sge) = (max_wr as usize, max_sge as usize);
        Self {
            ids: vec![(0, 0); wrs].into(),
            sges: vec![ibv_sge::default(); wrs * max_sge].into(),
            max_sge,
            posted: 0,
            taken: 0,
            freed: 0,
        }
    }

    /// Buffers that wait for a message.
    pub(crate) fn waiting(&self) -> u64 {
        self.posted - self.taken
    }

    pub(crate) fn push(&mut self, wr_id: u64, sges: &[ibv_sge]) -> Result<(), i32> {
        if sges.len() > self.max_sge {
            return Err(EINVAL);
        }
        if self.posted - self.freed >= self.ids.len() as u64 {
            return Err(ENOMEM);
        }
        let slot = (self.posted % self.ids.len() as u64) as usize;
        self.ids[slot] = (wr_id, sges.len());
        self.sges[slot * self.max_sge..][..sges.len()].copy_from_slice(sges);
        self.posted += 1;
        Ok(())
    }

    pub(crate) fn take(&mut self) -> Option<RecvWqe> {
        if self.waiting() == 0 {
            return None;
        }
        let slot = (self.taken % self.ids.len() as u64) as usize;
        let (wr_id, pieces) = self.ids[slot];
        let mut sges = [ibv_sge::default(); MAX_SGE];
        sges[..pieces].copy_from_slice(&self.sges[slot * self.max_sge..][..pieces]);
        self.taken += 1;
        Some(RecvWqe {
            wr_id,
            sges,
            pieces,
        })
    }

    /// Forgets every buffer, as the state RESET demands.
    pub(crate) fn reset(&mut self) {
        (self.posted, self.taken, self.freed) = (0, 0, 0);
    }
}

/// Whose slot a completion frees when it is polled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// The send queue of the completion's queue pair, up to this request.
    Send(u64),
    /// The receive queue of the completion's queue pair.
    Recv,
    /// This shared receive queue.
    Srq(u32),
}

/// A completion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cqe {
    pub(crate) wr_id: u64,
    pub(crate) status: ibv_wc_status,
    pub(crate) opcode: ibv_wc_opcode,
    pub(crate) byte_len: u32,
    pub(crate) imm: u32,
    pub(crate) qpn: u32,
    pub(crate) src_qp: u32,
    pub(crate) flags: u32,
    pub(crate) solicited: bool,
    pub(crate) origin: Origin,
}

/// The entries of a completion queue.
#[derive(Debug)]
pub(crate) struct Completions {
    entries: Box<[Cqe]>,
    given: u64,
    polled: u64,
}

impl Completions {
    pub(crate) fn new(entries: u32) -> Self {
        let empty = Cqe {
            wr_id: 0,
            status: 0,
            opcode: 0,
            byte_len: 0,
            imm: 0,
            qpn: 0,
            src_qp: 0,
            flags: 0,
            solicited: false,
            origin: Origin::Recv,
        };
        Self {
            entries: vec![empty; entries as usize].into(),
            given: 0,
            polled: 0,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.given - self.polled
    }

    /// False if there is no room.
    pub(crate) fn push(&mut self, cqe: Cqe) -> bool {
        if self.len() == self.entries.len() as u64 {
            return false;
        }
        let slot = (self.given % self.entries.len() as u64) as usize;
        self.entries[slot] = cqe;
        self.given += 1;
        true
    }

    pub(crate) fn pop(&mut self) -> Option<Cqe> {
        if self.len() == 0 {
            return None;
        }
        let slot = (self.polled % self.entries.len() as u64) as usize;
        self.polled += 1;
        Some(self.entries[slot])
    }

    /// Takes out what a queue pair has here, and calls `taken` for each.
    pub(crate) fn remove(&mut self, qpn: u32, mut taken: impl FnMut(Cqe)) {
        for _ in 0..self.len() {
            let cqe = self.pop().expect("it was counted");
            if cqe.qpn == qpn {
                taken(cqe);
            } else {
                self.push(cqe);
            }
        }
    }
}
