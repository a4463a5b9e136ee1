//! The functions of the data path: jumps through the driver's table in `ibv_context.ops`, as in the C header, where they are inline.

use core::ffi::c_int;
use core::ptr::NonNull;

use super::bindings::{ibv_context, ibv_cq, ibv_qp, ibv_recv_wr, ibv_send_wr, ibv_srq, ibv_wc};

/// Makes the functions, and the check that a table has them all, out of one list.
macro_rules! ops {
    ($($(#[$meta:meta])* fn $name:ident($object:ident: *mut $kind:ty $(, $argument:ident: $type:ty)*);)*) => {
        /// The first function that a driver's table lacks. Every handle is made of a context that was opened after this said that it lacks
        /// none, so nobody looks again when the functions are called.
        ///
        /// # Safety
        /// The context is open.
        pub(super) unsafe fn missing(context: NonNull<ibv_context>) -> Option<&'static str> {
            // SAFETY: an open context's table is there, and this copies it.
            let table = unsafe { (*context.as_ptr()).ops };
            $(
                if table.$name.is_none() {
                    return Some(stringify!($name));
                }
            )*
            None
        }

        $(
            $(#[$meta])*
            ///
            /// # Safety
            /// The object was made by the library and is not destroyed, in a context that [`missing`] has been asked about, and the rest is
            /// as the manual page says.
            #[inline(always)]
            pub(super) unsafe fn $name($object: *mut $kind $(, $argument: $type)*) -> c_int {
                // SAFETY: the library's objects begin with the context that they were made in.
                let context = unsafe { (*$object).context };
                // SAFETY: a context is open for as long as something made in it is there.
                let function = unsafe { (*context).ops.$name };
                // SAFETY: the context was not opened without it.
                let function = unsafe { function.unwrap_unchecked() };
                // SAFETY: the caller keeps to the manual page.
                unsafe { function($object $(, $argument)*) }
            }
        )*
    };
}

ops! {
    /// ibv_poll_cq(3).
    fn poll_cq(cq: *mut ibv_cq, room: c_int, completions: *mut ibv_wc);
    /// ibv_req_notify_cq(3).
    fn req_notify_cq(cq: *mut ibv_cq, solicited_only: c_int);
    /// ibv_post_srq_recv(3).
    fn post_srq_recv(srq: *mut ibv_srq, first: *mut ibv_recv_wr, bad: *mut *mut ibv_recv_wr);
    /// ibv_post_send(3).
    fn post_send(qp: *mut ibv_qp, first: *mut ibv_send_wr, bad: *mut *mut ibv_send_wr);
    /// ibv_post_recv(3).
    fn post_recv(qp: *mut ibv_qp, first: *mut ibv_recv_wr, bad: *mut *mut ibv_recv_wr);
}
