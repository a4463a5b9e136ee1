//! The data path does not allocate: who counts the allocations of a transport counts its own.

use core::cell::Cell;
use core::ptr::null_mut;
use std::alloc::{GlobalAlloc, Layout, System};

use runtime_rdma::verbs::bindings::*;

use crate::pair::{Path, connect};
use crate::support::{Node, tests};

struct Counting;

thread_local! {
    /// Of this thread: the other tests allocate meanwhile.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: it is the system's allocator; counting touches a word of the thread, which is never destroyed.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the conditions of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

tests! {
    fn sending_receiving_polling_and_events_do_not_allocate() {
        let mut node = Node::new("no-alloc");
        let channel = node.channel();
        let (cq, srq) = (node.cq_on(64, channel), node.srq(4));
        let (a, b) = (node.qp(cq, srq), node.qp(cq, srq));
        // Messages that find no buffer wait, so that waiting is covered, too.
        let path = Path {
            rnr_retry: 7,
            ..Path::default()
        };
        connect((&node, a), (&node, b), path);
        node.device.delay_completions(3);
        // SAFETY: the context is open.
        let ops = unsafe { (*node.context).ops };
        let (post, receive) = (
            ops.post_send.expect("it can"),
            ops.post_srq_recv.expect("it can"),
        );
        let (poll, arm) = (
            ops.poll_cq.expect("it can"),
            ops.req_notify_cq.expect("it can"),
        );
        let mut sge = node.sge(0, 64);
        let mut wcs = [ibv_wc::default(); 16];
        let mut completions = 0;
        let before = ALLOCATIONS.get();
        assert_ne!(before, 0, "making all this is counted");
        for call in 0..1_000u64 {
            let mut send = ibv_send_wr {
                wr_id: call,
                sg_list: &raw mut sge,
                num_sge: 1,
                opcode: IBV_WR_SEND,
                send_flags: IBV_SEND_SIGNALED | (call % 2 * u64::from(IBV_SEND_INLINE)) as u32,
                ..ibv_send_wr::default()
            };
            let mut buffer = ibv_recv_wr {
                wr_id: call,
                sg_list: &raw mut sge,
                num_sge: 1,
                next: null_mut(),
            };
            // SAFETY: the queue is the node's.
            assert_eq!(unsafe { arm(cq, 0) }, 0);
            let mut bad = null_mut();
            // SAFETY: the queue pair is the node's, the request is there for the call.
            assert_eq!(unsafe { post(a, &raw mut send, &raw mut bad) }, 0);
            let mut bad = null_mut();
            // SAFETY: the queue is the node's, the request is there for the call.
            assert_eq!(unsafe { receive(srq, &raw mut buffer, &raw mut bad) }, 0);
            let (mut which, mut context) = (null_mut(), null_mut());
            // SAFETY: the channel is the node's, and the queue was armed.
            let got = unsafe { (node.lib.get_cq_event)(channel, &raw mut which, &raw mut context) };
            assert_eq!(got, 0);
            // SAFETY: the event was just got.
            unsafe { (node.lib.ack_cq_events)(which, 1) };
            // SAFETY: the queue is the node's, and the array has so many entries.
            completions += unsafe { poll(cq, wcs.len() as i32, wcs.as_mut_ptr()) };
        }
        let after = ALLOCATIONS.get();
        assert_eq!(after - before, 0);
        assert_eq!(
            completions,
            2 * 1_000 - 3,
            "three send completions are late"
        );
        assert_eq!(
            node.device.counters().rnr,
            1_000,
            "each message has waited for its buffer"
        );
    }
}
