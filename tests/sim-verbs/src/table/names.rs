//! Names of statuses and events. They are the provider's own: a program must not depend on the library's.

use core::ffi::{CStr, c_char};

use runtime_rdma::verbs::bindings::{ibv_event_type, ibv_wc_status};

/// By status, from `IBV_WC_SUCCESS` on.
const STATUSES: [&CStr; 24] = [
    c"success",
    c"local length error",
    c"local queue pair operation error",
    c"local EE context operation error",
    c"local protection error",
    c"work request flushed",
    c"memory window bind error",
    c"bad response",
    c"local access error",
    c"remote invalid request",
    c"remote access error",
    c"remote operation error",
    c"transport retries exceeded",
    c"receiver-not-ready retries exceeded",
    c"local RDD violation",
    c"remote invalid RD request",
    c"remote aborted",
    c"invalid EE context number",
    c"invalid EE context state",
    c"fatal error",
    c"response timeout",
    c"general error",
    c"tag matching error",
    c"tag matching rendezvous incomplete",
];

/// By event, from `IBV_EVENT_CQ_ERR` on.
const EVENTS: [&CStr; 20] = [
    c"completion queue error",
    c"queue pair fatal error",
    c"queue pair request error",
    c"queue pair access error",
    c"communication established",
    c"send queue drained",
    c"path migrated",
    c"path migration failed",
    c"device fatal error",
    c"port active",
    c"port error",
    c"LID changed",
    c"P_Key changed",
    c"subnet manager changed",
    c"shared receive queue error",
    c"shared receive queue limit reached",
    c"last work request reached",
    c"client reregistration",
    c"GID changed",
    c"work queue fatal error",
];

fn name(names: &'static [&'static CStr], number: u32) -> *const c_char {
    names
        .get(number as usize)
        .copied()
        .unwrap_or(c"unknown")
        .as_ptr()
}

pub(super) unsafe extern "C" fn wc_status_str(status: ibv_wc_status) -> *const c_char {
    name(&STATUSES, status)
}

pub(super) unsafe extern "C" fn event_type_str(event: ibv_event_type) -> *const c_char {
    name(&EVENTS, event)
}
