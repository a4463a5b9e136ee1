//! The data path: posting, polling, arming.

use core::ffi::c_int;
use core::ptr;
use core::sync::atomic::Ordering;

use libc::{EINVAL, ENOMEM};
use runtime_rdma::verbs::bindings::{
    IBV_QPS_ERR, IBV_QPS_RESET, IBV_QPS_RTS, IBV_SEND_INLINE, IBV_SEND_SIGNALED,
    IBV_SEND_SOLICITED, IBV_WC_SUCCESS, IBV_WR_RDMA_READ, IBV_WR_RDMA_WRITE,
    IBV_WR_RDMA_WRITE_WITH_IMM, IBV_WR_SEND, IBV_WR_SEND_WITH_IMM, ibv_cq, ibv_qp, ibv_recv_wr,
    ibv_send_wr, ibv_sge, ibv_srq, ibv_wc,
};

use crate::fabric::{Fabric, lock};
use crate::faults::Call;
use crate::memory::MAX_SGE;
use crate::objects::{Armed, CCq, Qp};
use crate::queue::{Cqe, Origin, SendQueue, SendWqe};

/// A request's pieces, out of the caller's memory.
fn pieces(list: *mut ibv_sge, count: c_int) -> Result<([ibv_sge; MAX_SGE], usize), c_int> {
    let count = usize::try_from(count).map_err(|_| EINVAL)?;
    let mut sges = [ibv_sge::default(); MAX_SGE];
    for (at, sge) in sges.get_mut(..count).ok_or(EINVAL)?.iter_mut().enumerate() {
        // SAFETY: the caller's list has `count` pieces.
        let piece = unsafe { list.add(at) };
        // SAFETY: as above.
        *sge = unsafe { *piece };
    }
    Ok((sges, count))
}

pub(super) unsafe extern "C" fn post_send(
    qp: *mut ibv_qp,
    first: *mut ibv_send_wr,
    bad: *mut *mut ibv_send_wr,
) -> c_int {
    // SAFETY: the caller's object.
    let qpn = unsafe { (*qp).qp_num };
    let mut fabric = lock();
    let device = fabric.qp(qpn).device;
    let (mut next, mut taken, mut inline) = (first, 0, 0);
    let mut result = fabric.fault(device, Call::PostSend);
    while result.is_ok() && !next.is_null() {
        // SAFETY: the caller's list, which ends with a null pointer.
        let wr = unsafe { &*next };
        result = fabric.qp(qpn).accept(wr);
        if result.is_ok() {
            next = wr.next;
            taken += 1;
            inline += u64::from(wr.send_flags & IBV_SEND_INLINE != 0);
        }
    }
    let counters = &mut fabric.devices[device].counters;
    counters.send_wrs += taken;
    counters.inline_wrs += inline;
    counters.doorbells += u64::from(taken != 0);
    if fabric.qp(qpn).state == IBV_QPS_ERR {
        fabric.flush(qpn);
    } else {
        fabric.carry(qpn);
    }
    fabric.settle();
    finish(result, next, bad)
}

/// What a posting function returns: on an error, `bad` is the first request that was not taken.
fn finish<T>(result: Result<(), c_int>, next: *mut T, bad: *mut *mut T) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => {
            // SAFETY: it is room for a pointer.
            unsafe { *bad = next };
            error
        }
    }
}

impl Qp {
    /// Takes a request into the send queue.
    fn accept(&mut self, wr: &ibv_send_wr) -> Result<(), c_int> {
        // A request to a queue pair in error is taken, and flushed.
        if !matches!(self.state, IBV_QPS_RTS | IBV_QPS_ERR) {
            return Err(EINVAL);
        }
        if self.send.is_full() {
            return Err(ENOMEM);
        }
        let (sges, count) = pieces(wr.sg_list, wr.num_sge)?;
        if count > self.send.max_sge() {
            return Err(EINVAL);
        }
        let has = |flag: u32| wr.send_flags & flag != 0;
        let mut wqe = SendWqe {
            wr_id: wr.wr_id,
            opcode: wr.opcode,
            signalled: has(IBV_SEND_SIGNALED) || self.made.0.sq_sig_all != 0,
            solicited: has(IBV_SEND_SOLICITED),
            pieces: count,
            ..SendWqe::default()
        };
        match wr.opcode {
            IBV_WR_SEND | IBV_WR_RDMA_WRITE | IBV_WR_RDMA_READ => {}
            IBV_WR_SEND_WITH_IMM | IBV_WR_RDMA_WRITE_WITH_IMM => {
                // SAFETY: a request of this kind has immediate data.
                wqe.imm = unsafe { wr.__bindgen_anon_1.imm_data };
            }
            _ => return Err(EINVAL),
        }
        if !matches!(wr.opcode, IBV_WR_SEND | IBV_WR_SEND_WITH_IMM) {
            // SAFETY: a request of these kinds names the peer's memory.
            let remote = unsafe { wr.wr.rdma };
            (wqe.remote_addr, wqe.rkey) = (remote.remote_addr, remote.rkey);
        }
        if has(IBV_SEND_INLINE) {
            if wr.opcode == IBV_WR_RDMA_READ {
                return Err(EINVAL);
            }
            wqe.inline = Some(capture(&mut self.send, &sges[..count])?);
            wqe.pieces = 0;
        }
        self.send.push(wqe, &sges[..wqe.pieces]);
        Ok(())
    }
}

/// Copies inline data into the queue, where the caller's memory is free again at once.
fn capture(queue: &mut SendQueue, sges: &[ibv_sge]) -> Result<usize, c_int> {
    let len = sges.iter().map(|sge| sge.length as usize).sum();
    if len > queue.max_inline() {
        return Err(EINVAL);
    }
    let mut room = &mut queue.next_inline()[..len];
    for sge in sges.iter().filter(|sge| sge.length != 0) {
        let (place, rest) = room.split_at_mut(sge.length as usize);
        let source = ptr::with_exposed_provenance::<u8>(sge.addr as usize);
        // SAFETY: the caller's piece is readable for as long as the call lasts, and the queue's room is the provider's own.
        unsafe { ptr::copy_nonoverlapping(source, place.as_mut_ptr(), place.len()) };
        room = rest;
    }
    Ok(len)
}

pub(super) unsafe extern "C" fn post_recv(
    qp: *mut ibv_qp,
    first: *mut ibv_recv_wr,
    bad: *mut *mut ibv_recv_wr,
) -> c_int {
    // SAFETY: the caller's object.
    let qpn = unsafe { (*qp).qp_num };
    let mut fabric = lock();
    let (device, has_srq) = (fabric.qp(qpn).device, fabric.qp(qpn).srq.is_some());
    let possible = fabric.fault(device, Call::PostRecv).and_then(|()| {
        if has_srq || fabric.qp(qpn).state == IBV_QPS_RESET {
            return Err(EINVAL);
        }
        Ok(())
    });
    let (result, next, taken) = take_list(possible, first, |wr_id, sges| {
        fabric.qp(qpn).recv.push(wr_id, sges)
    });
    fabric.posted(device, taken);
    if fabric.qp(qpn).state == IBV_QPS_ERR {
        fabric.flush(qpn);
    }
    fabric.settle();
    finish(result, next, bad)
}

pub(super) unsafe extern "C" fn post_srq_recv(
    srq: *mut ibv_srq,
    first: *mut ibv_recv_wr,
    bad: *mut *mut ibv_recv_wr,
) -> c_int {
    // SAFETY: the caller's object.
    let id = unsafe { (*srq).handle };
    let mut fabric = lock();
    let device = fabric.srqs[&id].device;
    let possible = fabric.fault(device, Call::PostSrqRecv);
    let (result, next, taken) = take_list(possible, first, |wr_id, sges| {
        let srq = fabric.srqs.get_mut(&id).ok_or(EINVAL)?;
        srq.queue.push(wr_id, sges)
    });
    fabric.posted(device, taken);
    fabric.devices[device].counters.srq_posts += u64::from(taken != 0);
    fabric.settle();
    finish(result, next, bad)
}

impl Fabric {
    fn posted(&mut self, device: usize, taken: u64) {
        let counters = &mut self.devices[device].counters;
        counters.recv_posts += u64::from(taken != 0);
        counters.recv_wrs += taken;
        // Messages may wait for a buffer.
        self.look_again |= taken != 0;
    }
}

/// Takes a list of receive buffers as far as it goes: the error, where it came to, and how many were taken.
fn take_list(
    possible: Result<(), c_int>,
    first: *mut ibv_recv_wr,
    mut take: impl FnMut(u64, &[ibv_sge]) -> Result<(), c_int>,
) -> (Result<(), c_int>, *mut ibv_recv_wr, u64) {
    let (mut next, mut taken, mut result) = (first, 0, possible);
    while result.is_ok() && !next.is_null() {
        // SAFETY: the caller's list, which ends with a null pointer.
        let wr = unsafe { &*next };
        result =
            pieces(wr.sg_list, wr.num_sge).and_then(|(sges, count)| take(wr.wr_id, &sges[..count]));
        if result.is_ok() {
            next = wr.next;
            taken += 1;
        }
    }
    (result, next, taken)
}

pub(super) unsafe extern "C" fn poll_cq(cq: *mut ibv_cq, room: c_int, into: *mut ibv_wc) -> c_int {
    // SAFETY: the caller's object, which has the word behind it.
    let waiting = unsafe { &raw const (*cq.cast::<CCq>()).waiting };
    // SAFETY: as above; it is only ever reached as an atomic.
    let waiting = unsafe { &*waiting };
    // Acquire: pairs with the Release in `Cq::set_waiting`. Polling in vain takes no lock, so that it does not hinder who sends.
    if waiting.load(Ordering::Acquire) == 0 {
        return 0;
    }
    // SAFETY: the caller's object.
    let id = unsafe { (*cq).handle };
    let mut fabric = lock();
    let device = fabric.cqs[&id].device;
    if let Err(error) = fabric.fault(device, Call::PollCq) {
        return -error.abs();
    }
    let mut count = 0;
    let most = if fabric.devices[device].gives_singly {
        room.min(1)
    } else {
        room
    };
    while count < most {
        let Some(cqe) = fabric.take_completion(id) else {
            break;
        };
        // SAFETY: the caller's array has `room` entries.
        let entry = unsafe { into.add(count as usize) };
        // SAFETY: as above; it may not be initialised.
        unsafe { entry.write(cqe.to_wc()) };
        count += 1;
    }
    fabric.devices[device].counters.completions += u64::from(count.cast_unsigned());
    let cq = &fabric.cqs[&id];
    cq.set_waiting(!cq.failed && cq.completions.len() != 0);
    count
}

impl Fabric {
    /// Takes a completion and frees the slot that it stands for.
    fn take_completion(&mut self, id: u32) -> Option<Cqe> {
        let cq = self.cqs.get_mut(&id)?;
        if cq.failed {
            return None;
        }
        let cqe = cq.completions.pop()?;
        // A queue that is gone already has left its completions behind: a trait of soft-RoCE.
        match cqe.origin {
            Origin::Send(number) => {
                if let Some(qp) = self.qps.get_mut(&cqe.qpn) {
                    qp.send.freed = number + 1;
                }
            }
            Origin::Recv => {
                if let Some(qp) = self.qps.get_mut(&cqe.qpn) {
                    qp.recv.freed += 1;
                }
            }
            Origin::Srq(srq) => {
                if let Some(srq) = self.srqs.get_mut(&srq) {
                    srq.queue.freed += 1;
                }
            }
        }
        Some(cqe)
    }
}

impl Cqe {
    fn to_wc(self) -> ibv_wc {
        /// What the fields of an error completion hold that have no meaning there.
        const GARBAGE: u32 = 0xaaaa_aaaa;
        let mut wc = ibv_wc {
            wr_id: self.wr_id,
            status: self.status,
            qp_num: self.qpn,
            ..ibv_wc::default()
        };
        if self.status == IBV_WC_SUCCESS {
            wc.opcode = self.opcode;
            wc.byte_len = self.byte_len;
            wc.__bindgen_anon_1.imm_data = self.imm;
            wc.src_qp = self.src_qp;
            wc.wc_flags = self.flags;
        } else {
            wc.opcode = GARBAGE;
            wc.vendor_err = GARBAGE;
            wc.byte_len = GARBAGE;
            wc.__bindgen_anon_1.imm_data = GARBAGE;
            wc.src_qp = GARBAGE;
            wc.wc_flags = GARBAGE;
            (wc.pkey_index, wc.slid) = (GARBAGE as u16, GARBAGE as u16);
            (wc.sl, wc.dlid_path_bits) = (GARBAGE as u8, GARBAGE as u8);
        }
        wc
    }
}

pub(super) unsafe extern "C" fn req_notify_cq(cq: *mut ibv_cq, solicited_only: c_int) -> c_int {
    // SAFETY: the caller's object.
    let id = unsafe { (*cq).handle };
    let mut fabric = lock();
    let device = fabric.cqs[&id].device;
    if let Err(error) = fabric.fault(device, Call::ReqNotifyCq) {
        return error;
    }
    let Some(cq) = fabric.cqs.get_mut(&id) else {
        return EINVAL;
    };
    // Asking for any completion is not weakened by asking for solicited ones later.
    cq.armed = Some(match cq.armed {
        Some(Armed::Any) => Armed::Any,
        _ if solicited_only == 0 => Armed::Any,
        _ => Armed::Solicited,
    });
    0
}
