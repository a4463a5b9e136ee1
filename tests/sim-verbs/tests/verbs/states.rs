//! The states of a queue pair.

use core::ptr::null_mut;

use libc::EINVAL;
use runtime_rdma::verbs::bindings::*;
use sim_verbs::Traits;

use crate::pair::{Pair, Path, connect, ready, step};
use crate::support::{Node, Send, tests};

tests! {
    fn every_step_demands_its_attributes_and_allows_no_others() {
        let mut node = Node::new("masks");
        let cq = node.cq(8);
        let qp = node.qp(cq, null_mut());
        for to in [IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS] {
            let (mut attr, mask) = step(to, 0x77, 0, Path::default());
            for bit in (1..26).map(|shift| 1 << shift).filter(|bit| mask & bit != 0) {
                assert_eq!(node.modify(qp, &mut attr, mask ^ bit), EINVAL, "to {to} without {bit:#x}");
            }
            for bit in [IBV_QP_QKEY, IBV_QP_CAP, IBV_QP_RATE_LIMIT, IBV_QP_EN_SQD_ASYNC_NOTIFY] {
                assert_eq!(node.modify(qp, &mut attr, mask | bit), EINVAL, "to {to} with {bit:#x}");
            }
            assert_eq!(node.modify(qp, &mut attr, mask), 0, "to {to}");
            assert_eq!(node.state(qp), to);
            // SAFETY: the queue pair is the node's.
            assert_eq!(unsafe { (*qp).state }, to, "the library's field follows");
        }
    }

    fn states_are_taken_one_by_one() {
        let mut node = Node::new("order");
        let cq = node.cq(8);
        let path = Path::default();
        let qp = node.qp(cq, null_mut());
        let mut allowed = vec![IBV_QPS_INIT];
        for (at, next) in [(IBV_QPS_RESET, IBV_QPS_INIT), (IBV_QPS_INIT, IBV_QPS_RTR), (IBV_QPS_RTR, IBV_QPS_RTS)] {
            assert_eq!(node.state(qp), at);
            for to in [IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS] {
                if allowed.contains(&to) {
                    continue;
                }
                let (mut attr, mask) = step(to, 0x77, 0, path);
                assert_eq!(node.modify(qp, &mut attr, mask), EINVAL, "from {at} to {to}");
            }
            let (mut attr, mask) = step(next, 0x77, 0, path);
            attr.cur_qp_state = IBV_QPS_ERR;
            assert_eq!(node.modify(qp, &mut attr, mask | IBV_QP_CUR_STATE), EINVAL, "it is not in that state");
            assert_eq!(node.modify(qp, &mut attr, mask), 0, "from {at} to {next}");
            // Initialising again is allowed, nothing else is.
            allowed = match next {
                IBV_QPS_INIT => vec![IBV_QPS_INIT, IBV_QPS_RTR],
                _ => vec![next + 1],
            };
        }
        node.to_error(qp);
        for to in [IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS] {
            let (mut attr, mask) = step(to, 0x77, 0, path);
            assert_eq!(node.modify(qp, &mut attr, mask), EINVAL, "out of the error state to {to}");
        }
    }

    fn what_the_device_cannot_do_is_refused() {
        let mut node = Node::with("refused", Traits { active_mtu: IBV_MTU_1024, ..Traits::default() });
        let cq = node.cq(8);
        let qp = node.qp(cq, null_mut());
        let refused = |to, change: fn(&mut ibv_qp_attr)| {
            let (mut attr, mask) = step(to, 0x77, 0, Path::default());
            change(&mut attr);
            assert_eq!(node.modify(qp, &mut attr, mask), EINVAL);
        };
        let advance = |to| {
            let (mut attr, mask) = step(to, 0x77, 0, Path::default());
            assert_eq!(node.modify(qp, &mut attr, mask), 0);
        };
        refused(IBV_QPS_INIT, |attr| attr.port_num = 2);
        refused(IBV_QPS_INIT, |attr| attr.pkey_index = 1);
        advance(IBV_QPS_INIT);
        refused(IBV_QPS_RTR, |attr| attr.path_mtu = IBV_MTU_2048);
        refused(IBV_QPS_RTR, |attr| attr.path_mtu = 0);
        refused(IBV_QPS_RTR, |attr| attr.dest_qp_num = 1 << 24);
        refused(IBV_QPS_RTR, |attr| attr.rq_psn = 1 << 24);
        refused(IBV_QPS_RTR, |attr| attr.max_dest_rd_atomic = 17);
        refused(IBV_QPS_RTR, |attr| attr.min_rnr_timer = 32);
        refused(IBV_QPS_RTR, |attr| attr.ah_attr.port_num = 2);
        refused(IBV_QPS_RTR, |attr| attr.ah_attr.is_global = 0);
        refused(IBV_QPS_RTR, |attr| attr.ah_attr.grh.sgid_index = 2);
        advance(IBV_QPS_RTR);
        refused(IBV_QPS_RTS, |attr| attr.sq_psn = 1 << 24);
        refused(IBV_QPS_RTS, |attr| attr.timeout = 32);
        refused(IBV_QPS_RTS, |attr| attr.retry_cnt = 8);
        refused(IBV_QPS_RTS, |attr| attr.rnr_retry = 8);
        refused(IBV_QPS_RTS, |attr| attr.max_rd_atomic = 17);
        advance(IBV_QPS_RTS);
    }

    fn nothing_is_sent_before_rts_nor_received_before_init() {
        let mut node = Node::new("too-early");
        let cq = node.cq(8);
        let qp = node.qp(cq, null_mut());
        let buffer = [(1, node.sge(0, 8))];
        assert_eq!(node.post_recv(qp, &buffer), Err((EINVAL, 0)));
        let path = Path::default();
        for to in [IBV_QPS_INIT, IBV_QPS_RTR] {
            assert_eq!(node.post_send(qp, &[Send::new(1, &[])]), Err((EINVAL, 0)));
            let (mut attr, mask) = step(to, 0x77, 0, path);
            assert_eq!(node.modify(qp, &mut attr, mask), 0);
            node.post_recv(qp, &buffer).expect("buffers may be posted from here on");
        }
        assert_eq!(node.post_send(qp, &[Send::new(1, &[])]), Err((EINVAL, 0)));
    }

    fn reset_forgets_everything_and_the_queue_pair_can_be_used_again() {
        let pair = Pair::new("reset");
        pair.buffers(4);
        pair.send(&[Send::new(1, &[]), Send::new(2, &[]).flags(0)]).expect("there is room");
        for qp in pair.qps {
            let (mut attr, mask) = step(IBV_QPS_RESET, 0, 0, Path::default());
            assert_eq!(pair.node.modify(qp, &mut attr, mask), 0);
        }
        assert_eq!((pair.poll(0), pair.poll(1)), (vec![], vec![]));
        let [a, b] = pair.qps;
        connect((&pair.node, a), (&pair.node, b), Path::default());
        pair.buffers(4);
        let sends = [3, 4, 5, 6].map(|id| Send::new(id, &[]));
        pair.send(&sends).expect("all slots are free");
        assert_eq!(pair.poll(0), sends.map(|send| (send.id, IBV_WC_SUCCESS)));
    }

    fn a_peer_may_answer_from_rtr_on_but_not_begin() {
        let mut node = Node::new("rtr");
        let cq = node.cq(8);
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
        let path = Path::default();
        ready(&node, a, node.number(b), 0, path);
        for to in [IBV_QPS_INIT, IBV_QPS_RTR] {
            let (mut attr, mask) = step(to, node.number(a), 0, path);
            assert_eq!(node.modify(b, &mut attr, mask), 0);
        }
        node.post_recv(b, &[(1, node.sge(0, 8))]).expect("there is room");
        node.post_send(a, &[Send::new(2, &[])]).expect("there is room");
        assert_eq!(node.poll(cq), [(1, IBV_WC_SUCCESS), (2, IBV_WC_SUCCESS)]);
    }

    fn what_was_set_and_granted_can_be_queried() {
        let mut node = Node::new("queried");
        let cq = node.cq(8);
        let qp = node.qp(cq, null_mut());
        ready(&node, qp, 0x77, 0, Path { rnr_retry: 3, ..Path::default() });
        let (mut attr, mut init) = (ibv_qp_attr::default(), ibv_qp_init_attr::default());
        // SAFETY: the queue pair is the node's.
        let result = unsafe { (node.lib.query_qp)(qp, &raw mut attr, 0, &raw mut init) };
        assert_eq!(result, 0);
        assert_eq!((attr.qp_state, attr.dest_qp_num, attr.rnr_retry), (IBV_QPS_RTS, 0x77, 3));
        assert_eq!((attr.cap.max_send_wr, attr.cap.max_inline_data), (4, 64));
        assert_eq!((init.send_cq, init.qp_type), (cq, IBV_QPT_RC));
    }
}
