//! Everything the provider knows, under one lock: the objects by number, and what happens to several of them at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use runtime_rdma::verbs::bindings::{
    IBV_EVENT_CQ_ERR, IBV_EVENT_QP_LAST_WQE_REACHED, IBV_QPS_ERR, IBV_QPS_RESET,
    IBV_WC_WR_FLUSH_ERR,
};

use crate::device::DeviceState;
use crate::objects::{Channel, Context, Cq, Mr, Pd, Qp, Srq, Subject};
use crate::queue::{Cqe, Origin};

/// Queue pair numbers have 24 bits; the first few are special in the specification.
const FIRST_QPN: u32 = 0x10;
const LAST_QPN: u32 = 0x00ff_ffff;

static FABRIC: Mutex<Fabric> = Mutex::new(Fabric::new());

/// The one lock. Nothing that the program wrote runs under it.
pub(crate) fn lock() -> MutexGuard<'static, Fabric> {
    // A panic under it is a failed assertion of a test; the others go on.
    FABRIC.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The devices, the objects, and what is left to do before the lock is given back.
pub(crate) struct Fabric {
    pub(crate) devices: Vec<DeviceState>,
    pub(crate) contexts: BTreeMap<u32, Context>,
    pub(crate) pds: BTreeMap<u32, Pd>,
    pub(crate) mrs: BTreeMap<u32, Mr>,
    pub(crate) channels: BTreeMap<u32, Channel>,
    pub(crate) cqs: BTreeMap<u32, Cq>,
    pub(crate) srqs: BTreeMap<u32, Srq>,
    pub(crate) qps: BTreeMap<u32, Qp>,
    next_id: u32,
    next_qpn: u32,
    /// A completion queue has overflown, and its queue pairs do not know yet.
    pub(crate) overflown: bool,
    /// Messages that wait for a receive buffer must look again.
    pub(crate) look_again: bool,
}

/// Objects that are not destroyed yet, by kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names are the kinds")]
pub struct Leaks {
    pub contexts: usize,
    pub pds: usize,
    pub mrs: usize,
    pub channels: usize,
    pub cqs: usize,
    pub srqs: usize,
    pub qps: usize,
}

impl Fabric {
    const fn new() -> Self {
        Self {
            devices: Vec::new(),
            contexts: BTreeMap::new(),
            pds: BTreeMap::new(),
            mrs: BTreeMap::new(),
            channels: BTreeMap::new(),
            cqs: BTreeMap::new(),
            srqs: BTreeMap::new(),
            qps: BTreeMap::new(),
            next_id: 0,
            next_qpn: FIRST_QPN,
            overflown: false,
            look_again: false,
        }
    }

    /// A number that no object has or had.
    pub(crate) fn fresh_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// A queue pair number that no queue pair has, nor had for long.
    pub(crate) fn fresh_qpn(&mut self) -> u32 {
        loop {
            let qpn = self.next_qpn;
            self.next_qpn = if qpn == LAST_QPN { FIRST_QPN } else { qpn + 1 };
            if !self.qps.contains_key(&qpn) {
                return qpn;
            }
        }
    }

    /// What is not destroyed yet, of one device or of all.
    pub(crate) fn leaks(&self, device: Option<usize>) -> Leaks {
        let of = |context: u32| device.is_none_or(|index| self.device_of(context) == index);
        let pd_of = |pd: u32| of(self.pds[&pd].context);
        Leaks {
            contexts: self.contexts.keys().filter(|id| of(**id)).count(),
            pds: self.pds.values().filter(|pd| of(pd.context)).count(),
            mrs: self.mrs.values().filter(|mr| pd_of(mr.pd)).count(),
            channels: self.channels.values().filter(|it| of(it.context)).count(),
            cqs: self.cqs.values().filter(|cq| of(cq.context)).count(),
            srqs: self.srqs.values().filter(|srq| of(srq.context)).count(),
            qps: self.qps.values().filter(|qp| of(qp.context)).count(),
        }
    }

    pub(crate) fn device_of(&self, context: u32) -> usize {
        self.contexts[&context].device
    }

    pub(crate) fn qp(&mut self, qpn: u32) -> &mut Qp {
        self.qps
            .get_mut(&qpn)
            .expect("the queue pair is not destroyed")
    }

    /// Adds a completion; without room the queue is lost, and the queue pairs on it learn of that in [`settle`](Self::settle).
    pub(crate) fn complete(&mut self, id: u32, cqe: Cqe) {
        let cq = self
            .cqs
            .get_mut(&id)
            .expect("a queue pair keeps its completion queues");
        if cq.failed {
            return;
        }
        if cq.completions.push(cqe) {
            self.announce(id, &cqe);
        } else {
            cq.failed = true;
            let context = cq.context;
            self.overflown = true;
            self.raise(context, IBV_EVENT_CQ_ERR, Subject::Cq(id));
        }
    }

    /// Brings a queue pair into the error state: what is outstanding is flushed, in order.
    pub(crate) fn put_in_error(&mut self, qpn: u32) {
        let qp = self.qp(qpn);
        if qp.state == IBV_QPS_ERR {
            return;
        }
        qp.state = IBV_QPS_ERR;
        qp.stalled = false;
        let (context, srq, device) = (qp.context, qp.srq, qp.device);
        self.flush(qpn);
        if srq.is_some() && self.devices[device].traits.last_wqe_event {
            self.raise(context, IBV_EVENT_QP_LAST_WQE_REACHED, Subject::Qp(qpn));
        }
        // Who waits for a buffer of this one waits in vain.
        self.look_again = true;
    }

    /// Ends all that is outstanding at a queue pair in error. Buffers in a shared receive queue stay there.
    pub(crate) fn flush(&mut self, qpn: u32) {
        let flushed = |wr_id, origin| Cqe {
            wr_id,
            status: IBV_WC_WR_FLUSH_ERR,
            opcode: 0,
            byte_len: 0,
            imm: 0,
            qpn,
            src_qp: 0,
            flags: 0,
            solicited: false,
            origin,
        };
        loop {
            let qp = self.qp(qpn);
            let number = qp.send.done;
            if number == qp.send.posted {
                qp.send.carried = number;
                break;
            }
            qp.send.done += 1;
            let (cq, wr_id) = (qp.send_cq, qp.send.wqe(number).wr_id);
            self.complete(cq, flushed(wr_id, Origin::Send(number)));
        }
        loop {
            let qp = self.qp(qpn);
            let cq = qp.recv_cq;
            let Some(wqe) = qp.recv.take() else {
                break;
            };
            self.complete(cq, flushed(wqe.wr_id, Origin::Recv));
        }
    }

    /// Does what follows from what has just been done, until nothing does: called before the lock is given back.
    pub(crate) fn settle(&mut self) {
        loop {
            if core::mem::take(&mut self.overflown) {
                while let Some(qpn) = self.on_a_lost_queue() {
                    self.put_in_error(qpn);
                }
            } else if core::mem::take(&mut self.look_again) {
                self.carry_stalled();
            } else {
                break;
            }
        }
    }

    fn on_a_lost_queue(&self) -> Option<u32> {
        let lost = |cq: u32| self.cqs[&cq].failed;
        self.qps
            .iter()
            .find(|(_, qp)| {
                qp.state != IBV_QPS_ERR
                    && qp.state != IBV_QPS_RESET
                    && (lost(qp.send_cq) || lost(qp.recv_cq))
            })
            .map(|(qpn, _)| *qpn)
    }

    /// Takes the completions of a queue pair out of its queues, as a driver does that destroys it.
    pub(crate) fn remove_completions(&mut self, qpn: u32) {
        let qp = self.qp(qpn);
        let (send_cq, recv_cq) = (qp.send_cq, qp.recv_cq);
        for id in [send_cq, recv_cq] {
            let cq = self.cqs.get_mut(&id).expect("it has its completion queues");
            let srqs = &mut self.srqs;
            cq.completions.remove(qpn, |cqe| {
                if let Origin::Srq(srq) = cqe.origin {
                    srqs.get_mut(&srq)
                        .expect("a queue pair keeps its shared receive queue")
                        .queue
                        .freed += 1;
                }
            });
        }
    }
}
