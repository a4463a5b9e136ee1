//! The C functions, and the table of them.
//!
//! All rest on what the library demands of its caller, and say so in their SAFETY comments as "the caller's object": a pointer is to an
//! object that a function of this table made and that is not destroyed, and to room for what is written.

mod connect;
mod data;
mod names;
mod notify;
mod open;
mod queues;

use libc::c_int;
use runtime_rdma::verbs::Library;

/// Every function of the provider.
pub(crate) static TABLE: Library = Library {
    get_device_list: open::get_device_list,
    free_device_list: open::free_device_list,
    get_device_name: open::get_device_name,
    open_device: open::open_device,
    close_device: open::close_device,
    query_device: open::query_device,
    query_port: open::query_port,
    query_gid: open::query_gid,
    query_gid_ex: Some(open::query_gid_ex),
    alloc_pd: open::alloc_pd,
    dealloc_pd: open::dealloc_pd,
    reg_mr: open::reg_mr,
    dereg_mr: open::dereg_mr,
    create_comp_channel: queues::create_comp_channel,
    destroy_comp_channel: queues::destroy_comp_channel,
    create_cq: queues::create_cq,
    destroy_cq: queues::destroy_cq,
    create_srq: queues::create_srq,
    modify_srq: queues::modify_srq,
    destroy_srq: queues::destroy_srq,
    create_qp: connect::create_qp,
    modify_qp: connect::modify_qp,
    query_qp: connect::query_qp,
    destroy_qp: connect::destroy_qp,
    get_cq_event: notify::get_cq_event,
    ack_cq_events: notify::ack_cq_events,
    get_async_event: notify::get_async_event,
    ack_async_event: notify::ack_async_event,
    fork_init: open::fork_init,
    wc_status_str: names::wc_status_str,
    event_type_str: names::event_type_str,
};

fn set_errno(error: c_int) {
    // SAFETY: it has no conditions.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own, and is there for as long as the thread is.
    unsafe { *errno = error };
}

/// What a function that makes an object returns: nothing, and `errno`, if it could not.
fn made<T>(result: Result<*mut T, c_int>) -> *mut T {
    result.unwrap_or_else(|error| {
        set_errno(error);
        core::ptr::null_mut()
    })
}

/// What a function that returns an error number returns.
fn done(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(0)
}

/// What a function returns that gives -1, and `errno`.
fn done_or_errno(result: Result<(), c_int>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => {
            set_errno(error);
            -1
        }
    }
}
