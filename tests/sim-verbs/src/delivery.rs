//! Carrying messages: from a send queue to the peer it is connected to, in order, and what comes of it.

use runtime_rdma::verbs::bindings::{
    IBV_ACCESS_LOCAL_WRITE, IBV_ACCESS_REMOTE_READ, IBV_ACCESS_REMOTE_WRITE,
    IBV_EVENT_QP_ACCESS_ERR, IBV_EVENT_QP_REQ_ERR, IBV_EVENT_SRQ_LIMIT_REACHED, IBV_QPS_RTR,
    IBV_QPS_RTS, IBV_WC_GRH, IBV_WC_LOC_LEN_ERR, IBV_WC_LOC_PROT_ERR, IBV_WC_LOC_QP_OP_ERR,
    IBV_WC_RDMA_READ, IBV_WC_RDMA_WRITE, IBV_WC_RECV, IBV_WC_RECV_RDMA_WITH_IMM,
    IBV_WC_REM_ACCESS_ERR, IBV_WC_REM_INV_REQ_ERR, IBV_WC_REM_OP_ERR, IBV_WC_RETRY_EXC_ERR,
    IBV_WC_RNR_RETRY_EXC_ERR, IBV_WC_SEND, IBV_WC_SUCCESS, IBV_WC_WITH_IMM, IBV_WR_RDMA_READ,
    IBV_WR_RDMA_WRITE, IBV_WR_RDMA_WRITE_WITH_IMM, IBV_WR_SEND, IBV_WR_SEND_WITH_IMM,
    ibv_event_type, ibv_wc_status,
};

use crate::device::LinkLayer;
use crate::fabric::Fabric;
use crate::memory::{Pieces, copy};
use crate::objects::{Qp, Subject};
use crate::queue::{Cqe, Origin, RecvWqe, SendWqe};

/// Waiting for a receive buffer without end.
const RETRY_FOR_EVER: u8 = 7;

/// Why a message was not carried.
enum Refusal {
    /// No receive buffer: it may come.
    NotReady,
    /// Nobody answers.
    Unreachable,
    /// It fails at the sender, with this status; the peer has learnt of it what it has to.
    Failed(ibv_wc_status),
}

impl Fabric {
    /// Carries what a queue pair has to send, as far as it goes.
    pub(crate) fn carry(&mut self, qpn: u32) {
        loop {
            let qp = self.qp(qpn);
            qp.stalled = false;
            let (state, device, number) = (qp.state, qp.device, qp.send.carried);
            let is_idle = number == qp.send.posted;
            if state != IBV_QPS_RTS || is_idle || self.devices[device].holds {
                return;
            }
            match self.carry_one(qpn, number) {
                Ok(()) => self.carried(qpn, number),
                Err(Refusal::NotReady) => {
                    if self.qp(qpn).attr.rnr_retry == RETRY_FOR_EVER {
                        self.qp(qpn).stalled = true;
                        return;
                    }
                    self.fail(qpn, number, IBV_WC_RNR_RETRY_EXC_ERR);
                }
                Err(Refusal::Unreachable) => {
                    // Nothing is known of what went before and was not acknowledged, so the oldest is what fails.
                    let oldest = self.qp(qpn).send.done;
                    self.fail(qpn, oldest, IBV_WC_RETRY_EXC_ERR);
                }
                Err(Refusal::Failed(status)) => self.fail(qpn, number, status),
            }
        }
    }

    /// Carries what all queue pairs of a device have to send.
    pub(crate) fn carry_all(&mut self, device: usize) {
        self.carry_if(|qp| qp.device == device);
    }

    /// Carries what waits for receive buffers, as far as there are some now.
    pub(crate) fn carry_stalled(&mut self) {
        self.carry_if(|qp| qp.stalled);
    }

    fn carry_if(&mut self, which: impl Fn(&Qp) -> bool) {
        let mut next = 0;
        while let Some((&qpn, qp)) = self.qps.range(next..).next() {
            next = qpn + 1;
            if which(qp) {
                self.carry(qpn);
            }
        }
    }

    /// A message has arrived: its completion comes now or, if the device is told so, later.
    fn carried(&mut self, qpn: u32, number: u64) {
        let device = self.qp(qpn).device;
        let state = &mut self.devices[device];
        state.carried += 1;
        state.counters.carried += 1;
        let (carried_at, delayed) = (state.carried, state.delay != 0);
        let qp = self.qp(qpn);
        qp.send.carried = number + 1;
        qp.send.wqe_mut(number).carried_at = carried_at;
        if delayed {
            self.acknowledge(device, false);
        } else {
            self.finish(qpn, number + 1);
        }
    }

    /// Gives the send completions of a device that waited long enough, or all of them.
    pub(crate) fn acknowledge(&mut self, device: usize, all: bool) {
        let (carried, delay) = (self.devices[device].carried, self.devices[device].delay);
        let mut next = 0;
        while let Some((&qpn, qp)) = self.qps.range(next..).next() {
            next = qpn + 1;
            if qp.device != device {
                continue;
            }
            let due = (qp.send.done..qp.send.carried)
                .take_while(|number| all || qp.send.wqe(*number).carried_at + delay <= carried)
                .count() as u64;
            let end = qp.send.done + due;
            self.finish(qpn, end);
        }
    }

    /// Completes what was carried before a number; what is not signalled gives nothing.
    fn finish(&mut self, qpn: u32, end: u64) {
        while self.qp(qpn).send.done < end {
            let qp = self.qp(qpn);
            let (cq, number) = (qp.send_cq, qp.send.done);
            let wqe = qp.send.wqe(number);
            qp.send.done += 1;
            if wqe.signalled {
                let opcode = match wqe.opcode {
                    IBV_WR_RDMA_READ => IBV_WC_RDMA_READ,
                    IBV_WR_RDMA_WRITE | IBV_WR_RDMA_WRITE_WITH_IMM => IBV_WC_RDMA_WRITE,
                    _ => IBV_WC_SEND,
                };
                self.complete(
                    cq,
                    Cqe {
                        wr_id: wqe.wr_id,
                        status: IBV_WC_SUCCESS,
                        opcode,
                        byte_len: 0,
                        imm: 0,
                        qpn,
                        src_qp: 0,
                        flags: 0,
                        solicited: false,
                        origin: Origin::Send(number),
                    },
                );
            }
        }
    }

    /// Ends a request with an error, and with it the queue pair. What went before it was answered, if the error is an answer.
    fn fail(&mut self, qpn: u32, number: u64, status: ibv_wc_status) {
        if self.qp(qpn).send.done > number {
            // It is its own peer, and has been flushed as such.
            return;
        }
        self.finish(qpn, number);
        let qp = self.qp(qpn);
        let (cq, wr_id) = (qp.send_cq, qp.send.wqe(number).wr_id);
        qp.send.done = number + 1;
        qp.send.carried = qp.send.carried.max(number + 1);
        self.complete(
            cq,
            Cqe {
                wr_id,
                status,
                opcode: 0,
                byte_len: 0,
                imm: 0,
                qpn,
                src_qp: 0,
                flags: 0,
                solicited: false,
                origin: Origin::Send(number),
            },
        );
        self.put_in_error(qpn);
    }

    /// The queue pair that a queue pair's messages reach, if both agree about each other.
    fn peer_of(&self, qpn: u32) -> Option<u32> {
        let own = &self.qps[&qpn];
        let dest = own.attr.dest_qp_num;
        let peer = self.qps.get(&dest)?;
        let agree = matches!(peer.state, IBV_QPS_RTR | IBV_QPS_RTS)
            && peer.attr.dest_qp_num == qpn
            && peer.attr.rq_psn == own.attr.sq_psn;
        let (here, there) = (&self.devices[own.device], &self.devices[peer.device]);
        let works = here.port_up && there.port_up && !here.fatal && !there.fatal;
        let ah = &own.attr.ah_attr;
        let addressed = match (here.traits.link_layer, there.traits.link_layer) {
            (LinkLayer::Ethernet, LinkLayer::Ethernet) => {
                let source = here.traits.gids[usize::from(ah.grh.sgid_index)]
                    .expect("checked when it was set");
                // SAFETY: every byte of the union belongs to both of its forms.
                let raw = unsafe { ah.grh.dgid.raw };
                there
                    .traits
                    .gids
                    .iter()
                    .flatten()
                    .any(|gid| gid.raw == raw && gid.kind == source.kind)
            }
            (LinkLayer::InfiniBand { .. }, LinkLayer::InfiniBand { lid }) => ah.dlid == lid,
            _ => false,
        };
        (agree && works && addressed).then_some(dest)
    }

    fn carry_one(&mut self, qpn: u32, number: u64) -> Result<(), Refusal> {
        let own = &self.qps[&qpn];
        let (wqe, pd, reads) = (own.send.wqe(number), own.pd, own.attr.max_rd_atomic);
        let access = match wqe.opcode {
            IBV_WR_RDMA_READ => IBV_ACCESS_LOCAL_WRITE,
            _ => 0,
        };
        let local = match wqe.inline {
            Some(_) => {
                let data = own.send.inline(number);
                Pieces::one(data.as_ptr().cast_mut(), data.len())
            }
            None => self
                .local(own.send.sges(number), pd, access)
                .map_err(Refusal::Failed)?,
        };
        if local.bytes > self.devices[own.device].traits.max_msg_sz as usize {
            return Err(Refusal::Failed(IBV_WC_LOC_LEN_ERR));
        }
        let peer = self.peer_of(qpn).ok_or(Refusal::Unreachable)?;
        self.check_mtu(qpn, peer, local.bytes)?;
        match wqe.opcode {
            IBV_WR_SEND | IBV_WR_SEND_WITH_IMM => self.send_to(qpn, number, peer, &wqe, &local),
            IBV_WR_RDMA_READ => {
                if reads == 0 {
                    return Err(Refusal::Failed(IBV_WC_LOC_QP_OP_ERR));
                }
                let from = self.remote_of(peer, &wqe, local.bytes, IBV_ACCESS_REMOTE_READ)?;
                // SAFETY: both are registered, in bounds and granted for this; the program leaves them alone until the completion.
                unsafe { copy(&from, &local) };
                Ok(())
            }
            _ => {
                let to = self.remote_of(peer, &wqe, local.bytes, IBV_ACCESS_REMOTE_WRITE)?;
                if wqe.opcode == IBV_WR_RDMA_WRITE_WITH_IMM {
                    let recv = self.receive_buffer(qpn, number, peer)?;
                    // SAFETY: as for a read.
                    unsafe { copy(&local, &to) };
                    self.received(qpn, peer, &wqe, &recv, local.bytes, IBV_WC_SUCCESS);
                } else {
                    // SAFETY: as for a read.
                    unsafe { copy(&local, &to) };
                }
                Ok(())
            }
        }
    }

    /// A packet longer than the receiver's path allows is an invalid request.
    fn check_mtu(&mut self, qpn: u32, peer: u32, bytes: usize) -> Result<(), Refusal> {
        let (own, there) = (self.qps[&qpn].attr.path_mtu, self.qps[&peer].attr.path_mtu);
        if own > there && bytes > 128 << there {
            return Err(self.refuse(peer, IBV_EVENT_QP_REQ_ERR, IBV_WC_REM_INV_REQ_ERR));
        }
        Ok(())
    }

    /// The peer refuses a request: it has an event and is in error itself.
    fn refuse(&mut self, peer: u32, event: ibv_event_type, status: ibv_wc_status) -> Refusal {
        let context = self.qp(peer).context;
        self.raise(context, event, Subject::Qp(peer));
        self.put_in_error(peer);
        Refusal::Failed(status)
    }

    /// The peer's memory for a read or write.
    fn remote_of(
        &mut self,
        peer: u32,
        wqe: &SendWqe,
        len: usize,
        access: u32,
    ) -> Result<Pieces, Refusal> {
        let there = &self.qps[&peer];
        if there.attr.qp_access_flags & access != access {
            // Also without a byte to write: the operation itself is not allowed.
            return Err(self.refuse(peer, IBV_EVENT_QP_REQ_ERR, IBV_WC_REM_INV_REQ_ERR));
        }
        self.remote(wqe.rkey, there.pd, wqe.remote_addr, len, access)
            .map_err(|_| self.refuse(peer, IBV_EVENT_QP_ACCESS_ERR, IBV_WC_REM_ACCESS_ERR))
    }

    fn send_to(
        &mut self,
        qpn: u32,
        number: u64,
        peer: u32,
        wqe: &SendWqe,
        local: &Pieces,
    ) -> Result<(), Refusal> {
        let recv = self.receive_buffer(qpn, number, peer)?;
        let there = &self.qps[&peer];
        let pd = there.srq.map_or(there.pd, |srq| self.srqs[&srq].pd);
        let (mine, theirs) = match self.local(&recv.sges[..recv.pieces], pd, IBV_ACCESS_LOCAL_WRITE)
        {
            Err(_) => (IBV_WC_REM_OP_ERR, IBV_WC_LOC_PROT_ERR),
            Ok(room) if room.bytes < local.bytes => (IBV_WC_REM_INV_REQ_ERR, IBV_WC_LOC_LEN_ERR),
            Ok(room) => {
                // SAFETY: the sender leaves its memory alone until its completion, the receiver its buffer until this one; both are
                // registered and in bounds, or the sender's is the queue's own copy.
                unsafe { copy(local, &room) };
                (IBV_WC_SUCCESS, IBV_WC_SUCCESS)
            }
        };
        self.received(qpn, peer, wqe, &recv, local.bytes, theirs);
        if mine == IBV_WC_SUCCESS {
            return Ok(());
        }
        self.put_in_error(peer);
        Err(Refusal::Failed(mine))
    }

    /// Takes a receive buffer of the peer.
    fn receive_buffer(&mut self, qpn: u32, number: u64, peer: u32) -> Result<RecvWqe, Refusal> {
        let there = self.qp(peer);
        let (srq, device) = (there.srq, there.device);
        let taken = match srq {
            None => there.recv.take(),
            Some(id) => self.take_shared(id),
        };
        if taken.is_none() {
            let wqe = self.qp(qpn).send.wqe_mut(number);
            if !core::mem::replace(&mut wqe.has_waited, true) {
                self.devices[device].counters.rnr += 1;
            }
        }
        taken.ok_or(Refusal::NotReady)
    }

    fn take_shared(&mut self, id: u32) -> Option<RecvWqe> {
        let srq = self
            .srqs
            .get_mut(&id)
            .expect("a queue pair keeps its shared receive queue");
        let taken = srq.queue.take();
        if srq.queue.waiting() < u64::from(srq.limit) {
            // It fires once, and is armed again by ibv_modify_srq.
            srq.limit = 0;
            let context = srq.context;
            self.raise(context, IBV_EVENT_SRQ_LIMIT_REACHED, Subject::Srq(id));
        }
        taken
    }

    /// Gives the receiver its completion.
    fn received(
        &mut self,
        from: u32,
        peer: u32,
        wqe: &SendWqe,
        recv: &RecvWqe,
        bytes: usize,
        status: ibv_wc_status,
    ) {
        let has_imm = matches!(
            wqe.opcode,
            IBV_WR_SEND_WITH_IMM | IBV_WR_RDMA_WRITE_WITH_IMM
        );
        let opcode = match wqe.opcode {
            IBV_WR_RDMA_WRITE_WITH_IMM => IBV_WC_RECV_RDMA_WITH_IMM,
            _ => IBV_WC_RECV,
        };
        let qp = self.qp(peer);
        let (cq, device) = (qp.recv_cq, qp.device);
        let origin = qp.srq.map_or(Origin::Recv, Origin::Srq);
        // Soft-RoCE says so on reliable connections, too, though the buffer begins with the message.
        let grh = match self.devices[device].traits.link_layer {
            LinkLayer::Ethernet => IBV_WC_GRH,
            LinkLayer::InfiniBand { .. } => 0,
        };
        self.complete(
            cq,
            Cqe {
                wr_id: recv.wr_id,
                status,
                opcode,
                byte_len: bytes as u32,
                imm: wqe.imm,
                qpn: peer,
                src_qp: from,
                flags: grh | if has_imm { IBV_WC_WITH_IMM } else { 0 },
                solicited: wqe.solicited,
                origin,
            },
        );
    }
}
