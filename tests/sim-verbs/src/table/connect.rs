//! Queue pairs: made, brought from state to state, destroyed.

use core::ffi::c_int;

use libc::{EINVAL, ENOMEM, EOPNOTSUPP};
use runtime_rdma::verbs::bindings::{
    IBV_QP_STATE, IBV_QPS_RESET, IBV_QPT_RC, ibv_pd, ibv_qp, ibv_qp_attr, ibv_qp_init_attr,
};

use super::{done, made};
use crate::events::wait_until_acked;
use crate::fabric::{Fabric, lock};
use crate::faults::Call;
use crate::objects::{Held, Made, Qp, Subject};
use crate::queue::{RecvQueue, SendQueue};

/// What a queue pair is made of, by number.
struct Parts {
    pd: u32,
    send_cq: u32,
    recv_cq: u32,
    srq: Option<u32>,
}

pub(super) unsafe extern "C" fn create_qp(
    pd: *mut ibv_pd,
    init: *mut ibv_qp_init_attr,
) -> *mut ibv_qp {
    // SAFETY: the attributes are the caller's, for this call.
    let init = unsafe { &mut *init };
    if init.send_cq.is_null() || init.recv_cq.is_null() {
        return made(Err(EINVAL));
    }
    // SAFETY: the caller's object.
    let ibv_pd { context, handle } = unsafe { *pd };
    let parts = Parts {
        pd: handle,
        // SAFETY: the caller's object.
        send_cq: unsafe { (*init.send_cq).handle },
        // SAFETY: the caller's object.
        recv_cq: unsafe { (*init.recv_cq).handle },
        srq: (!init.srq.is_null())
            // SAFETY: the caller's object.
            .then(|| unsafe { (*init.srq).handle }),
    };
    let result = lock().add_qp(&parts, init);
    if let Ok(qp) = result {
        // SAFETY: it was just made, and nobody else knows it yet.
        let qp = unsafe { &mut *qp.as_ptr() };
        (qp.context, qp.pd, qp.qp_context) = (context, pd, init.qp_context);
        (qp.send_cq, qp.recv_cq, qp.srq) = (init.send_cq, init.recv_cq, init.srq);
    }
    made(result.map(Held::as_ptr))
}

impl Fabric {
    fn add_qp(
        &mut self,
        parts: &Parts,
        init: &mut ibv_qp_init_attr,
    ) -> Result<Held<ibv_qp>, c_int> {
        let context = self.pds[&parts.pd].context;
        let device = self.device_of(context);
        self.may_make(device, Call::CreateQp)?;
        if init.qp_type != IBV_QPT_RC {
            return Err(EOPNOTSUPP);
        }
        let same_context = self.cqs[&parts.send_cq].context == context
            && self.cqs[&parts.recv_cq].context == context
            && parts
                .srq
                .is_none_or(|srq| self.srqs[&srq].context == context);
        let (traits, cap) = (&self.devices[device].traits, &mut init.cap);
        if parts.srq.is_some() {
            (cap.max_recv_wr, cap.max_recv_sge) = (0, 0);
        }
        let fits = cap.max_send_wr <= traits.max_qp_wr
            && cap.max_recv_wr <= traits.max_qp_wr
            && cap.max_send_sge <= traits.max_sge
            && cap.max_recv_sge <= traits.max_sge
            && cap.max_inline_data <= traits.max_inline;
        if !same_context || !fits {
            return Err(EINVAL);
        }
        let qps = self.qps.values().filter(|qp| qp.device == device).count();
        if qps >= traits.max_qp as usize {
            return Err(ENOMEM);
        }
        let cap = init.cap;
        let qpn = self.fresh_qpn();
        let held = Held::new(ibv_qp {
            handle: qpn,
            qp_num: qpn,
            state: IBV_QPS_RESET,
            qp_type: IBV_QPT_RC,
            ..ibv_qp::default()
        });
        self.qps.insert(
            qpn,
            Qp {
                held,
                context,
                device,
                pd: parts.pd,
                send_cq: parts.send_cq,
                recv_cq: parts.recv_cq,
                srq: parts.srq,
                state: IBV_QPS_RESET,
                attr: ibv_qp_attr::default(),
                made: Made(*init),
                send: SendQueue::new(cap.max_send_wr, cap.max_send_sge, cap.max_inline_data),
                recv: RecvQueue::new(cap.max_recv_wr, cap.max_recv_sge),
                stalled: false,
                unacked_async: 0,
            },
        );
        Ok(held)
    }
}

pub(super) unsafe extern "C" fn modify_qp(
    qp: *mut ibv_qp,
    attr: *mut ibv_qp_attr,
    mask: c_int,
) -> c_int {
    // SAFETY: the caller's object.
    let qpn = unsafe { (*qp).qp_num };
    // SAFETY: the attributes are the caller's, for this call.
    let attr = unsafe { *attr };
    let mask = mask.cast_unsigned();
    let mut fabric = lock();
    let device = fabric.qp(qpn).device;
    let result = fabric
        .fault(device, Call::ModifyQp)
        .and_then(|()| fabric.modify(qpn, &attr, mask));
    fabric.settle();
    if result.is_ok() && mask & IBV_QP_STATE != 0 {
        // SAFETY: the caller's object; as in the library, the field is what the caller asked for last.
        unsafe { (*qp).state = attr.qp_state };
    }
    done(result)
}

pub(super) unsafe extern "C" fn query_qp(
    qp: *mut ibv_qp,
    attr: *mut ibv_qp_attr,
    _mask: c_int,
    init: *mut ibv_qp_init_attr,
) -> c_int {
    // SAFETY: the caller's object.
    let qpn = unsafe { (*qp).qp_num };
    let mut fabric = lock();
    let device = fabric.qp(qpn).device;
    if let Err(error) = fabric.fault(device, Call::QueryQp) {
        return error;
    }
    let known = fabric.qp(qpn);
    let filled = ibv_qp_attr {
        qp_state: known.state,
        cur_qp_state: known.state,
        cap: known.made.0.cap,
        ..known.attr
    };
    // SAFETY: it is room for the attributes.
    unsafe { *attr = filled };
    // SAFETY: it is room for the attributes.
    unsafe { *init = known.made.0 };
    0
}

pub(super) unsafe extern "C" fn destroy_qp(qp: *mut ibv_qp) -> c_int {
    // SAFETY: the caller's object.
    let qpn = unsafe { (*qp).qp_num };
    {
        let mut fabric = lock();
        let Some(qp) = fabric.qps.get(&qpn) else {
            return EINVAL;
        };
        let context = qp.context;
        fabric.forget_events(context, Subject::Qp(qpn));
    }
    wait_until_acked("ibv_destroy_qp", |fabric| fabric.qps[&qpn].unacked_async);
    let mut fabric = lock();
    let device = fabric.qp(qpn).device;
    if fabric.devices[device].traits.removes_completions {
        fabric.remove_completions(qpn);
    }
    let Some(qp) = fabric.qps.remove(&qpn) else {
        return EINVAL;
    };
    fabric.forget_events(qp.context, Subject::Qp(qpn));
    // Who waits for one of its receive buffers waits in vain.
    fabric.look_again = true;
    fabric.settle();
    drop(fabric);
    // SAFETY: the caller gives it back, and the table does not have it any more.
    unsafe { qp.held.free() };
    0
}
