//! Getting and acknowledging events.

use core::ffi::{c_int, c_uint, c_void};
use std::os::fd::{BorrowedFd, RawFd};

use runtime_rdma::verbs::bindings::{
    IBV_EVENT_CQ_ERR, IBV_EVENT_QP_ACCESS_ERR, IBV_EVENT_QP_FATAL, IBV_EVENT_QP_LAST_WQE_REACHED,
    IBV_EVENT_QP_REQ_ERR, IBV_EVENT_SRQ_LIMIT_REACHED, ibv_async_event, ibv_comp_channel,
    ibv_context, ibv_cq,
};

use super::done_or_errno;
use crate::events::{give_up, take_one};
use crate::fabric::lock;
use crate::objects::{CChannel, CContext, Subject};

/// Waits for an event on a descriptor and gets what `look` finds; one that was taken back in the meantime is waited for again.
fn wait_for<T>(fd: RawFd, mut look: impl FnMut() -> Option<T>) -> Result<T, c_int> {
    // SAFETY: the caller's object, which it does not destroy while it waits, keeps the descriptor open.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    loop {
        take_one(fd).map_err(|error| error.raw_os_error())?;
        if let Some(found) = look() {
            return Ok(found);
        }
    }
}

pub(super) unsafe extern "C" fn get_cq_event(
    channel: *mut ibv_comp_channel,
    cq: *mut *mut ibv_cq,
    cq_context: *mut *mut c_void,
) -> c_int {
    // SAFETY: the caller's object.
    let fd = unsafe { (*channel).fd };
    // SAFETY: the caller's object, which has the number behind it.
    let id = unsafe { (*channel.cast::<CChannel>()).id };
    let found = wait_for(fd, || {
        let mut fabric = lock();
        let ready = fabric
            .cqs
            .values_mut()
            .find(|cq| cq.channel == Some(id) && cq.unread != 0)?;
        ready.unread -= 1;
        ready.unacked += 1;
        Some(ready.held.as_ptr())
    });
    done_or_errno(found.map(|found| {
        // SAFETY: the caller's object: it has an event that is not acknowledged, so it is not destroyed.
        let context = unsafe { (*found).base.cq_context };
        // SAFETY: it is room for a pointer.
        unsafe { *cq = found.cast() };
        // SAFETY: it is room for a pointer.
        unsafe { *cq_context = context };
    }))
}

pub(super) unsafe extern "C" fn ack_cq_events(cq: *mut ibv_cq, count: c_uint) {
    // SAFETY: the caller's object.
    let id = unsafe { (*cq).handle };
    let mut fabric = lock();
    let Some(cq) = fabric.cqs.get_mut(&id) else {
        give_up("ibv_ack_cq_events is given a completion queue that was destroyed");
    };
    match cq.unacked.checked_sub(count) {
        Some(left) => cq.unacked = left,
        None => give_up("ibv_ack_cq_events acknowledges more events than were got"),
    }
}

pub(super) unsafe extern "C" fn get_async_event(
    context: *mut ibv_context,
    event: *mut ibv_async_event,
) -> c_int {
    // SAFETY: the caller's object.
    let fd = unsafe { (*context).async_fd };
    // SAFETY: the caller's object, which has the number behind it.
    let id = unsafe { (*context.cast::<CContext>()).id };
    let found = wait_for(fd, || {
        let mut fabric = lock();
        let (kind, subject) = fabric.contexts.get_mut(&id)?.events.pop_front()?;
        if let Some(unacked) = fabric.unacked(subject) {
            *unacked += 1;
        }
        let mut filled = ibv_async_event {
            event_type: kind,
            ..ibv_async_event::default()
        };
        match subject {
            Subject::Cq(id) => filled.element.cq = fabric.cqs.get(&id)?.held.as_ptr().cast(),
            Subject::Qp(qpn) => filled.element.qp = fabric.qps.get(&qpn)?.held.as_ptr(),
            Subject::Srq(id) => filled.element.srq = fabric.srqs.get(&id)?.held.as_ptr(),
            Subject::Device => filled.element.port_num = 1,
        }
        Some(filled)
    });
    done_or_errno(found.map(|filled| {
        // SAFETY: it is room for an event.
        unsafe { *event = filled };
    }))
}

pub(super) unsafe extern "C" fn ack_async_event(event: *mut ibv_async_event) {
    // SAFETY: the caller's event, which `get_async_event` has filled.
    let event = unsafe { &*event };
    let subject = match event.event_type {
        IBV_EVENT_CQ_ERR => {
            // SAFETY: an event of this kind is about a completion queue.
            let cq = unsafe { event.element.cq };
            // SAFETY: the caller's object: it has an event that is not acknowledged, so it is not destroyed.
            Subject::Cq(unsafe { (*cq).handle })
        }
        IBV_EVENT_QP_FATAL
        | IBV_EVENT_QP_REQ_ERR
        | IBV_EVENT_QP_ACCESS_ERR
        | IBV_EVENT_QP_LAST_WQE_REACHED => {
            // SAFETY: an event of these kinds is about a queue pair.
            let qp = unsafe { event.element.qp };
            // SAFETY: as for a completion queue.
            Subject::Qp(unsafe { (*qp).qp_num })
        }
        IBV_EVENT_SRQ_LIMIT_REACHED => {
            // SAFETY: an event of this kind is about a shared receive queue.
            let srq = unsafe { event.element.srq };
            // SAFETY: as for a completion queue.
            Subject::Srq(unsafe { (*srq).handle })
        }
        _ => Subject::Device,
    };
    if subject == Subject::Device {
        return;
    }
    match lock().unacked(subject) {
        Some(unacked) if *unacked != 0 => *unacked -= 1,
        _ => give_up("ibv_ack_async_event acknowledges an event that was not got"),
    }
}
