//! When slots are free, and when queues are full.

use core::ptr::null_mut;

use libc::{EINVAL, ENOMEM};
use runtime_rdma::verbs::bindings::*;
use sim_verbs::Traits;

use crate::pair::{Pair, Path, connect};
use crate::support::{Node, Send, tests};

/// An unsignalled write of no bytes, which needs nothing of the peer.
fn nothing(id: u64) -> Send {
    Send::new(id, &[]).remote(IBV_WR_RDMA_WRITE, 0, 0).flags(0)
}

tests! {
    fn who_never_signals_fills_the_send_queue_for_ever() {
        let pair = Pair::new("never-signals");
        for id in 0..4 {
            pair.send(&[nothing(id)]).expect("there is room");
        }
        assert_eq!(pair.node.device.counters().carried, 4, "all have arrived");
        assert_eq!(pair.poll(0), []);
        assert_eq!(pair.send(&[nothing(4)]), Err((ENOMEM, 0)));
    }

    fn slots_are_free_when_a_later_signalled_completion_was_polled() {
        let pair = Pair::new("signals");
        pair.send(&[nothing(0), nothing(1), nothing(2).flags(IBV_SEND_SIGNALED), nothing(3)])
            .expect("there is room");
        assert_eq!(pair.send(&[nothing(4)]), Err((ENOMEM, 0)), "it is complete, but not polled");
        assert_eq!(pair.poll(0), [(2, IBV_WC_SUCCESS)]);
        pair.send(&[nothing(4), nothing(5), nothing(6)]).expect("three are free");
        assert_eq!(pair.send(&[nothing(7)]), Err((ENOMEM, 0)), "the one after it is not");
    }

    fn a_chain_is_taken_up_to_the_first_that_does_not_fit() {
        let pair = Pair::new("bad-wr");
        let chain: Vec<_> = (0..6).map(nothing).collect();
        assert_eq!(pair.send(&chain), Err((ENOMEM, 4)));
        let counters = pair.node.device.counters();
        assert_eq!((counters.doorbells, counters.send_wrs, counters.carried), (1, 4, 4));
        assert_eq!(pair.send(&chain), Err((ENOMEM, 0)));
        assert_eq!(pair.node.device.counters().doorbells, 1, "nothing was taken");
    }

    fn requests_beyond_the_granted_sizes_are_not_taken() {
        let pair = Pair::new("sizes");
        let long = Send::new(1, &[pair.node.sge(0, 65)]).flags(IBV_SEND_INLINE);
        assert_eq!(pair.send(&[long]), Err((EINVAL, 0)), "64 bytes were asked for");
        let three = Send::new(1, &[pair.node.sge(0, 1); 3]);
        assert_eq!(pair.send(&[three]), Err((EINVAL, 0)), "two pieces were asked for");
        let inline = Send::new(1, &[pair.node.sge(0, 1); 3]).flags(IBV_SEND_INLINE);
        assert_eq!(pair.send(&[inline]), Err((EINVAL, 0)), "inline or not");
        let atomic = Send::new(1, &[]).opcode(IBV_WR_ATOMIC_FETCH_AND_ADD);
        assert_eq!(pair.send(&[atomic]), Err((EINVAL, 0)));
    }

    fn all_requests_signal_if_the_queue_pair_was_made_so() {
        let mut node = Node::new("all-signal");
        let cq = node.cq(8);
        let mut init = Node::init(cq, null_mut());
        init.sq_sig_all = 1;
        let (a, b) = (node.qp_with(&mut init), node.qp(cq, null_mut()));
        connect((&node, a), (&node, b), Path::default());
        node.post_send(a, &[nothing(9)]).expect("there is room");
        assert_eq!(node.poll(cq), [(9, IBV_WC_SUCCESS)]);
    }

    fn a_receive_slot_is_free_when_its_completion_was_polled() {
        let pair = Pair::new("receive-slots");
        pair.buffers(4);
        let sge = pair.node.sge(0, 64);
        assert_eq!(pair.node.post_recv(pair.qps[1], &[(9, sge)]), Err((ENOMEM, 0)));
        pair.send(&[Send::new(1, &[])]).expect("there is room");
        assert_eq!(pair.node.post_recv(pair.qps[1], &[(9, sge)]), Err((ENOMEM, 0)), "not polled");
        assert_eq!(pair.poll(1), [(100, IBV_WC_SUCCESS)]);
        let two = [(9, sge), (10, sge)];
        assert_eq!(pair.node.post_recv(pair.qps[1], &two), Err((ENOMEM, 1)));
    }

    fn a_shared_queue_serves_its_queue_pairs_and_counts_their_slots() {
        let mut node = Node::new("shared");
        let (cq, srq) = (node.cq(16), node.srq(2));
        let senders = [node.qp(cq, null_mut()), node.qp(cq, null_mut())];
        let receivers = [node.qp(cq, srq), node.qp(cq, srq)];
        for side in [0, 1] {
            connect((&node, senders[side]), (&node, receivers[side]), Path::default());
        }
        let sge = node.sge(4_096, 64);
        let buffers = [(1, sge), (2, sge), (3, sge)];
        assert_eq!(node.post_recv(srq, &buffers), Err((ENOMEM, 2)));
        assert_eq!(node.post_recv(receivers[0], &[(9, sge)]), Err((EINVAL, 0)), "it has a shared one");
        for side in [1, 0] {
            node.post_send(senders[side], &[Send::new(0, &[]).flags(0)]).expect("there is room");
        }
        assert_eq!(node.post_recv(srq, &[(3, sge)]), Err((ENOMEM, 0)));
        let received = node.poll_some(cq, 16).expect("it works");
        let which: Vec<_> = received.iter().map(|wc| (wc.wr_id, wc.qp_num)).collect();
        assert_eq!(which, [(1, node.number(receivers[1])), (2, node.number(receivers[0]))]);
        node.post_recv(srq, &[(3, sge), (4, sge)]).expect("both are free");
        let counters = node.device.counters();
        assert_eq!((counters.srq_posts, counters.recv_posts, counters.recv_wrs), (2, 2, 4));
    }

    fn a_shared_queue_warns_once_when_it_runs_low() {
        let mut node = Node::new("limit");
        let (cq, srq) = (node.cq(16), node.srq(8));
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, srq));
        connect((&node, a), (&node, b), Path::default());
        let sge = node.sge(4_096, 64);
        node.post_recv(srq, &[(0, sge), (1, sge), (2, sge), (3, sge)]).expect("there is room");
        assert_eq!(node.limit(srq, 3), 0);
        let send = |id| node.post_send(a, &[Send::new(id, &[])]).expect("there is room");
        send(0);
        assert_eq!(node.event(), None, "three are left");
        send(1);
        assert_eq!(node.event(), Some(IBV_EVENT_SRQ_LIMIT_REACHED));
        send(2);
        assert_eq!(node.event(), None, "it is not armed again");
    }

    fn polling_gives_no_more_than_asked_and_in_order() {
        let pair = Pair::new("poll");
        pair.buffers(3);
        let sends = [1, 2, 3].map(|id| Send::new(id, &[]));
        pair.send(&sends).expect("there is room");
        let mut order = Vec::new();
        for count in [2, 1, 0] {
            let some = pair.node.poll_some(pair.cqs[0], 2).expect("it works");
            assert_eq!(some.len(), count);
            order.extend(some.iter().map(|wc| wc.wr_id));
        }
        assert_eq!(order, [1, 2, 3]);
        assert_eq!(pair.node.poll_some(pair.cqs[1], 0).expect("it works").len(), 0);
    }

    fn an_overflown_completion_queue_is_lost_with_its_queue_pairs() {
        let mut node = Node::new("overflow");
        let (small, large) = (node.cq(2), node.cq(64));
        let (a, b) = (node.qp(large, null_mut()), node.qp(small, null_mut()));
        let (c, d) = (node.qp(large, null_mut()), node.qp(large, null_mut()));
        connect((&node, a), (&node, b), Path::default());
        connect((&node, c), (&node, d), Path::default());
        for id in 0..3 {
            node.post_recv(b, &[(id, node.sge(0, 64))]).expect("there is room");
            node.post_send(a, &[Send::new(id, &[])]).expect("there is room");
        }
        assert_eq!(node.poll(small), [], "nothing is given any more");
        assert_eq!(node.event(), Some(IBV_EVENT_CQ_ERR));
        assert_eq!(node.state(b), IBV_QPS_ERR);
        assert_eq!(node.state(a), IBV_QPS_RTS, "it has not sent since");
        let statuses: Vec<_> = node.poll(large).iter().map(|(_, status)| *status).collect();
        assert_eq!(statuses, [IBV_WC_SUCCESS; 3], "the messages themselves have arrived");
        node.post_send(a, &[nothing(3)]).expect("there is room");
        assert_eq!(node.poll(large), [(3, IBV_WC_RETRY_EXC_ERR)], "now it learns");
        node.post_send(c, &[nothing(4).flags(IBV_SEND_SIGNALED)]).expect("there is room");
        assert_eq!(node.poll(large), [(4, IBV_WC_SUCCESS)], "another notices nothing");
    }

    fn a_destroyed_queue_pair_takes_its_completions_along() {
        let mut pair = Pair::new("takes-along");
        pair.buffers(2);
        pair.send(&[Send::new(1, &[]), Send::new(2, &[])]).expect("there is room");
        let qp = pair.qps[1];
        pair.node.destroy_qp(qp);
        assert_eq!(pair.poll(1), []);
        assert_eq!(pair.poll(0).len(), 2, "those of the other stay");
    }

    fn a_destroyed_queue_pair_gives_shared_slots_back() {
        let mut node = Node::new("gives-back");
        let (cq, srq) = (node.cq(16), node.srq(1));
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, srq));
        connect((&node, a), (&node, b), Path::default());
        let sge = node.sge(4_096, 64);
        node.post_recv(srq, &[(1, sge)]).expect("there is room");
        node.post_send(a, &[Send::new(2, &[])]).expect("there is room");
        node.destroy_qp(b);
        assert_eq!(node.poll(cq), [(2, IBV_WC_SUCCESS)]);
        node.post_recv(srq, &[(3, sge)]).expect("the slot is free");
    }

    fn a_device_may_leave_the_completions_of_a_destroyed_queue_pair() {
        let traits = Traits { removes_completions: false, ..Traits::default() };
        let mut pair = Pair::with("leaves", traits, Path::default());
        pair.buffers(1);
        pair.send(&[Send::new(1, &[])]).expect("there is room");
        let qp = pair.qps[1];
        pair.node.destroy_qp(qp);
        assert_eq!(pair.poll(1), [(100, IBV_WC_SUCCESS)], "stale, and of nobody");
    }
}
