//! Completion channels, completion queues and shared receive queues.

use core::ffi::{c_int, c_void};
use core::sync::atomic::AtomicU32;
use std::os::fd::AsRawFd;

use libc::{EBUSY, EINVAL, ENOSYS};
use runtime_rdma::verbs::bindings::{
    IBV_SRQ_LIMIT, IBV_SRQ_MAX_WR, ibv_comp_channel, ibv_context, ibv_cq, ibv_pd, ibv_srq,
    ibv_srq_attr, ibv_srq_init_attr,
};

use super::{done, made};
use crate::events::{counter, wait_until_acked};
use crate::fabric::{Fabric, lock};
use crate::faults::Call;
use crate::objects::{CChannel, CContext, CCq, Channel, Cq, Held, Srq, Subject};
use crate::queue::{Completions, RecvQueue};

pub(super) unsafe extern "C" fn create_comp_channel(
    context: *mut ibv_context,
) -> *mut ibv_comp_channel {
    // SAFETY: the caller's object, which has the number behind it.
    let id = unsafe { (*context.cast::<CContext>()).id };
    let mut fabric = lock();
    let device = fabric.device_of(id);
    let fd = fabric
        .may_make(device, Call::CreateCompChannel)
        .and_then(|()| counter().map_err(|error| error.raw_os_error()));
    made(fd.map(|fd| {
        let base = ibv_comp_channel {
            context,
            fd: fd.as_raw_fd(),
            refcnt: 0,
        };
        let channel = fabric.fresh_id();
        let held = Held::new(CChannel { base, id: channel });
        fabric.channels.insert(
            channel,
            Channel {
                held,
                context: id,
                fd,
            },
        );
        held.as_ptr().cast()
    }))
}

pub(super) unsafe extern "C" fn destroy_comp_channel(channel: *mut ibv_comp_channel) -> c_int {
    // SAFETY: the caller's object, which has the number behind it.
    let id = unsafe { (*channel.cast::<CChannel>()).id };
    let mut fabric = lock();
    if fabric.cqs.values().any(|cq| cq.channel == Some(id)) {
        return EBUSY;
    }
    let Some(channel) = fabric.channels.remove(&id) else {
        return EINVAL;
    };
    // SAFETY: the caller gives it back, and the table does not have it any more.
    unsafe { channel.held.free() };
    0
}

pub(super) unsafe extern "C" fn create_cq(
    context: *mut ibv_context,
    entries: c_int,
    cq_context: *mut c_void,
    channel: *mut ibv_comp_channel,
    vector: c_int,
) -> *mut ibv_cq {
    // SAFETY: the caller's object, which has the number behind it.
    let id = unsafe { (*context.cast::<CContext>()).id };
    let channel_id = (!channel.is_null())
        // SAFETY: the caller's object, as above.
        .then(|| unsafe { (*channel.cast::<CChannel>()).id });
    let result = lock().add_cq(id, channel_id, entries, vector);
    if let Ok(cq) = result {
        // SAFETY: it was just made, and nobody else knows it yet.
        let base = unsafe { &mut (*cq.as_ptr()).base };
        (base.context, base.channel, base.cq_context) = (context, channel, cq_context);
    }
    made(result.map(|held| held.as_ptr().cast()))
}

impl Fabric {
    fn add_cq(
        &mut self,
        context: u32,
        channel: Option<u32>,
        entries: c_int,
        vector: c_int,
    ) -> Result<Held<CCq>, c_int> {
        let device = self.device_of(context);
        self.may_make(device, Call::CreateCq)?;
        let entries = u32::try_from(entries).map_err(|_| EINVAL)?;
        if entries == 0 || entries > self.devices[device].traits.max_cqe || vector != 0 {
            return Err(EINVAL);
        }
        let id = self.fresh_id();
        let held = Held::new(CCq {
            base: ibv_cq {
                handle: id,
                cqe: entries as c_int,
                ..ibv_cq::default()
            },
            // The first poll looks: it may be that it is to fail.
            waiting: AtomicU32::new(1),
        });
        self.cqs.insert(
            id,
            Cq {
                held,
                context,
                device,
                channel,
                completions: Completions::new(entries),
                armed: None,
                failed: false,
                unread: 0,
                unacked: 0,
                unacked_async: 0,
            },
        );
        Ok(held)
    }
}

pub(super) unsafe extern "C" fn destroy_cq(cq: *mut ibv_cq) -> c_int {
    // SAFETY: the caller's object.
    let id = unsafe { (*cq).handle };
    {
        let mut fabric = lock();
        let used = fabric
            .qps
            .values()
            .any(|qp| qp.send_cq == id || qp.recv_cq == id);
        if used {
            return EBUSY;
        }
        let Some(cq) = fabric.cqs.get_mut(&id) else {
            return EINVAL;
        };
        // Events that nobody has got go with it; who waits for one wakes in vain.
        cq.unread = 0;
        let context = cq.context;
        fabric.forget_events(context, Subject::Cq(id));
    }
    wait_until_acked("ibv_destroy_cq", |fabric| {
        fabric.cqs[&id].unacked + fabric.cqs[&id].unacked_async
    });
    let Some(cq) = lock().cqs.remove(&id) else {
        return EINVAL;
    };
    // SAFETY: the caller gives it back, and the table does not have it any more.
    unsafe { cq.held.free() };
    0
}

pub(super) unsafe extern "C" fn create_srq(
    pd: *mut ibv_pd,
    init: *mut ibv_srq_init_attr,
) -> *mut ibv_srq {
    // SAFETY: the caller's object.
    let ibv_pd { context, handle } = unsafe { *pd };
    // SAFETY: the attributes are the caller's, for this call.
    let init = unsafe { &mut *init };
    let result = lock().add_srq(handle, &mut init.attr);
    if let Ok(srq) = result {
        // SAFETY: it was just made, and nobody else knows it yet.
        let srq = unsafe { &mut *srq.as_ptr() };
        (srq.context, srq.pd, srq.srq_context) = (context, pd, init.srq_context);
    }
    made(result.map(Held::as_ptr))
}

impl Fabric {
    fn add_srq(&mut self, pd: u32, attr: &mut ibv_srq_attr) -> Result<Held<ibv_srq>, c_int> {
        let context = self.pds[&pd].context;
        let device = self.device_of(context);
        self.may_make(device, Call::CreateSrq)?;
        let traits = &self.devices[device].traits;
        let wrs_fit = (1..=traits.max_srq_wr).contains(&attr.max_wr);
        if !wrs_fit || attr.max_sge > traits.max_sge {
            return Err(EINVAL);
        }
        // The limit is not looked at here, the manual page says.
        attr.max_sge = attr.max_sge.max(1);
        let id = self.fresh_id();
        let held = Held::new(ibv_srq {
            handle: id,
            ..ibv_srq::default()
        });
        self.srqs.insert(
            id,
            Srq {
                held,
                context,
                device,
                pd,
                queue: RecvQueue::new(attr.max_wr, attr.max_sge),
                limit: 0,
                unacked_async: 0,
            },
        );
        Ok(held)
    }

    fn change_srq(&mut self, id: u32, attr: &ibv_srq_attr, mask: u32) -> Result<(), c_int> {
        let device = self.srqs[&id].device;
        self.fault(device, Call::ModifySrq)?;
        if mask & IBV_SRQ_MAX_WR != 0 {
            // Resizing is a capability, which this device does not have.
            return Err(ENOSYS);
        }
        if mask & IBV_SRQ_LIMIT != 0 {
            let srq = self.srqs.get_mut(&id).ok_or(EINVAL)?;
            srq.limit = attr.srq_limit;
        }
        Ok(())
    }
}

pub(super) unsafe extern "C" fn modify_srq(
    srq: *mut ibv_srq,
    attr: *mut ibv_srq_attr,
    mask: c_int,
) -> c_int {
    // SAFETY: the caller's object.
    let id = unsafe { (*srq).handle };
    // SAFETY: the attributes are the caller's, for this call.
    let attr = unsafe { *attr };
    done(lock().change_srq(id, &attr, mask.cast_unsigned()))
}

pub(super) unsafe extern "C" fn destroy_srq(srq: *mut ibv_srq) -> c_int {
    // SAFETY: the caller's object.
    let id = unsafe { (*srq).handle };
    {
        let mut fabric = lock();
        if fabric.qps.values().any(|qp| qp.srq == Some(id)) {
            return EBUSY;
        }
        let Some(srq) = fabric.srqs.get(&id) else {
            return EINVAL;
        };
        let context = srq.context;
        fabric.forget_events(context, Subject::Srq(id));
    }
    wait_until_acked("ibv_destroy_srq", |fabric| fabric.srqs[&id].unacked_async);
    let Some(srq) = lock().srqs.remove(&id) else {
        return EINVAL;
    };
    // SAFETY: the caller gives it back, and the table does not have it any more.
    unsafe { srq.held.free() };
    0
}
