//! Faults that are injected.

use core::ptr::null_mut;

use libc::{EAGAIN, EIO, ENOMEM, c_int};
use runtime_rdma::verbs::bindings::*;
use sim_verbs::{Call, Traits};

use crate::pair::{Pair, Path, connect, step};
use crate::support::{Node, Send, errno, find, tests};

/// Asks whether the peer lives.
fn keepalive(id: u64) -> Send {
    Send::new(id, &[]).remote(IBV_WR_RDMA_WRITE, 0, 0)
}

tests! {
    fn calls_fail_once_with_the_error_that_was_given() {
        let mut pair = Pair::new("fails");
        let device = pair.node.device;
        let buffer = [(1, pair.node.sge(0, 8))];

        device.fail_next(Call::PostSend, ENOMEM);
        assert_eq!(pair.send(&[keepalive(1), keepalive(2)]), Err((ENOMEM, 0)));
        assert_eq!(device.counters().send_wrs, 0, "nothing was posted");
        pair.send(&[keepalive(3)]).expect("only the next one fails");

        device.fail_next(Call::PostRecv, ENOMEM);
        assert_eq!(pair.node.post_recv(pair.qps[1], &buffer), Err((ENOMEM, 0)));
        pair.node.post_recv(pair.qps[1], &buffer).expect("only the next one fails");

        let srq = pair.node.srq(2);
        device.fail_next(Call::PostSrqRecv, EAGAIN);
        assert_eq!(pair.node.post_recv(srq, &buffer), Err((EAGAIN, 0)));
        pair.node.post_recv(srq, &buffer).expect("only the next one fails");
        device.fail_next(Call::ModifySrq, EIO);
        assert_eq!((pair.node.limit(srq, 1), pair.node.limit(srq, 0)), (EIO, 0));

        device.fail_next(Call::ReqNotifyCq, EIO);
        assert_eq!((pair.node.arm(pair.cqs[0], false), pair.node.arm(pair.cqs[0], false)), (EIO, 0));

        let (mut attr, mask) = step(IBV_QPS_ERR, 0, 0, Path::default());
        device.fail_next(Call::ModifyQp, EIO);
        assert_eq!(pair.node.modify(pair.qps[1], &mut attr, mask), EIO);
        assert_eq!(pair.node.state(pair.qps[1]), IBV_QPS_RTS);
        assert_eq!(pair.node.modify(pair.qps[1], &mut attr, mask), 0);
    }

    fn polling_fails_also_if_there_is_nothing_to_poll() {
        let pair = Pair::new("poll-fails");
        assert_eq!(pair.poll(0), []);
        pair.node.device.fail_next(Call::PollCq, EIO);
        assert_eq!(pair.node.poll_some(pair.cqs[0], 1).err(), Some(-EIO));
        assert_eq!(pair.poll(0), []);
        // Whichever queue is polled next, it fails once.
        pair.node.device.fail_next(Call::PollCq, EIO);
        pair.node.device.fail_next(Call::PollCq, ENOMEM);
        assert_eq!(pair.node.poll_some(pair.cqs[1], 1).err(), Some(-EIO));
        assert_eq!(pair.node.poll_some(pair.cqs[0], 1).err(), Some(-ENOMEM));
        assert_eq!((pair.poll(0), pair.poll(1)), (vec![], vec![]));
        pair.node.device.fail_next(Call::PollCq, EIO);
        pair.node.device.fail_next(Call::PollCq, ENOMEM);
        for error in [EIO, ENOMEM] {
            assert_eq!(pair.node.poll_some(pair.cqs[0], 1).err(), Some(-error));
        }
    }

    fn making_things_fails_with_errno() {
        let node = Node::new("make-fails");
        let (lib, device, context) = (node.lib, node.device, node.context);
        let fails = |call, make: &dyn Fn() -> bool| {
            device.fail_next(call, ENOMEM);
            assert!(make(), "{call:?} makes nothing");
            assert_eq!(errno(), ENOMEM, "{call:?}");
        };
        // SAFETY: the device is from the list.
        fails(Call::OpenDevice, &|| unsafe { (lib.open_device)(find(lib, "make-fails")) }.is_null());
        // SAFETY: the context is open.
        fails(Call::AllocPd, &|| unsafe { (lib.alloc_pd)(context) }.is_null());
        // SAFETY: the context is open.
        fails(Call::CreateCompChannel, &|| unsafe { (lib.create_comp_channel)(context) }.is_null());
        // SAFETY: the context is open.
        fails(Call::CreateCq, &|| unsafe { (lib.create_cq)(context, 1, null_mut(), null_mut(), 0) }.is_null());
        let place = core::ptr::with_exposed_provenance_mut(node.addr(0) as usize);
        // SAFETY: the memory is the node's.
        fails(Call::RegMr, &|| unsafe { (lib.reg_mr)(node.pd, place, 8, 0) }.is_null());
        fails(Call::CreateSrq, &|| {
            let mut init = ibv_srq_init_attr::default();
            init.attr.max_wr = 1;
            // SAFETY: the domain is the node's.
            unsafe { (lib.create_srq)(node.pd, &raw mut init) }.is_null()
        });
        let mut node = node;
        let cq = node.cq(1);
        let fails = |call, make: &dyn Fn() -> bool| {
            device.fail_next(call, ENOMEM);
            assert!(make(), "{call:?} makes nothing");
            assert_eq!(errno(), ENOMEM, "{call:?}");
        };
        fails(Call::CreateQp, &|| {
            let mut init = Node::init(cq, null_mut());
            // SAFETY: the queues are the node's.
            unsafe { (lib.create_qp)(node.pd, &raw mut init) }.is_null()
        });
    }

    fn queries_fail() {
        let mut node = Node::new("query-fails");
        let (lib, device, context) = (node.lib, node.device, node.context);
        let mut attr = ibv_device_attr::default();
        device.fail_next(Call::QueryDevice, EIO);
        // SAFETY: the context is open.
        assert_eq!(unsafe { (lib.query_device)(context, &raw mut attr) }, EIO);
        let mut port = ibv_port_attr::default();
        device.fail_next(Call::QueryPort, EIO);
        // SAFETY: the context is open.
        assert_eq!(unsafe { (lib.query_port)(context, 1, &raw mut port) }, EIO);
        let mut gid = ibv_gid::default();
        device.fail_next(Call::QueryGid, EIO);
        // SAFETY: the context is open.
        assert_eq!(unsafe { (lib.query_gid)(context, 1, 0, &raw mut gid) }, -1);
        assert_eq!(errno(), EIO);
        let cq = node.cq(1);
        let qp = node.qp(cq, null_mut());
        let (mut attr, mut init) = (ibv_qp_attr::default(), ibv_qp_init_attr::default());
        device.fail_next(Call::QueryQp, EIO);
        // SAFETY: the queue pair is the node's.
        let result = unsafe { (lib.query_qp)(qp, &raw mut attr, IBV_QP_STATE as c_int, &raw mut init) };
        assert_eq!(result, EIO);
    }

    fn while_a_port_is_down_messages_are_lost() {
        let mut pair = Pair::new("port");
        let mut port = ibv_port_attr::default();
        pair.node.device.set_port(false);
        // SAFETY: the context is open.
        assert_eq!(unsafe { (pair.node.lib.query_port)(pair.node.context, 1, &raw mut port) }, 0);
        assert_eq!(port.state, IBV_PORT_DOWN);
        pair.send(&[keepalive(1)]).expect("there is room");
        assert_eq!(pair.poll(0), [(1, IBV_WC_RETRY_EXC_ERR)]);
        pair.node.device.set_port(true);
        // SAFETY: the context is open.
        assert_eq!(unsafe { (pair.node.lib.query_port)(pair.node.context, 1, &raw mut port) }, 0);
        assert_eq!(port.state, IBV_PORT_ACTIVE);
        assert_eq!(pair.node.state(pair.qps[0]), IBV_QPS_ERR, "it does not come back by itself");
        let (a, b) = (pair.node.qp(pair.cqs[0], null_mut()), pair.node.qp(pair.cqs[0], null_mut()));
        connect((&pair.node, a), (&pair.node, b), Path::default());
        pair.node.post_send(a, &[keepalive(2)]).expect("there is room");
        assert_eq!(pair.poll(0), [(2, IBV_WC_SUCCESS)]);
    }

    fn a_port_that_is_down_far_away_loses_messages_too() {
        let (mut a, mut b) = (
            Node::new("up"),
            Node::with("down", Traits { port_up: false, ..Traits::default() }),
        );
        let (a_cq, b_cq) = (a.cq(8), b.cq(8));
        let (a_qp, b_qp) = (a.qp(a_cq, null_mut()), b.qp(b_cq, null_mut()));
        connect((&a, a_qp), (&b, b_qp), Path::default());
        a.post_send(a_qp, &[keepalive(1)]).expect("there is room");
        assert_eq!(a.poll(a_cq), [(1, IBV_WC_RETRY_EXC_ERR)]);
        assert_eq!((a.event(), b.event()), (None, None), "nothing has changed");
    }

    fn late_completions_come_after_so_many_messages_or_when_released() {
        let pair = Pair::new("late");
        pair.buffers(4);
        pair.node.device.delay_completions(2);
        let send = |id| pair.send(&[Send::new(id, &[])]).expect("there is room");
        send(1);
        send(2);
        assert_eq!(pair.poll(1).len(), 2, "the messages have arrived");
        assert_eq!(pair.poll(0), []);
        send(3);
        assert_eq!(pair.poll(0), [(1, IBV_WC_SUCCESS)]);
        pair.node.device.release_completions();
        assert_eq!(pair.poll(0), [(2, IBV_WC_SUCCESS), (3, IBV_WC_SUCCESS)]);
        send(4);
        assert_eq!(pair.poll(0), [], "later ones are late again");
        pair.node.device.delay_completions(0);
        assert_eq!(pair.poll(0), [(4, IBV_WC_SUCCESS)]);
        pair.send(&[keepalive(5)]).expect("there is room");
        assert_eq!(pair.poll(0), [(5, IBV_WC_SUCCESS)], "and now in time");
    }

    fn an_answer_may_come_before_the_completion_of_what_it_answers() {
        let pair = Pair::new("overtakes");
        let node = &pair.node;
        let buffer = [(1, node.sge(0, 8))];
        for qp in pair.qps {
            node.post_recv(qp, &buffer).expect("there is room");
        }
        node.device.delay_completions(u64::MAX / 2);
        pair.send(&[Send::new(2, &[])]).expect("there is room");
        node.post_send(pair.qps[1], &[Send::new(3, &[])]).expect("there is room");
        assert_eq!(pair.poll(0), [(1, IBV_WC_SUCCESS)], "the answer");
        node.device.release_completions();
        assert_eq!(pair.poll(0), [(2, IBV_WC_SUCCESS)]);
    }

    fn what_has_arrived_without_completion_may_be_flushed() {
        let pair = Pair::new("maybe-executed");
        pair.buffers(1);
        pair.node.device.delay_completions(100);
        pair.send(&[Send::new(1, &[])]).expect("there is room");
        pair.node.to_error(pair.qps[0]);
        assert_eq!(pair.poll(1), [(100, IBV_WC_SUCCESS)]);
        assert_eq!(pair.poll(0), [(1, IBV_WC_WR_FLUSH_ERR)]);
        pair.node.device.release_completions();
        assert_eq!(pair.poll(0), [], "it is complete already");
    }

    fn if_nobody_answers_the_oldest_without_completion_fails() {
        let pair = Pair::new("oldest");
        pair.buffers(1);
        pair.node.device.delay_completions(100);
        pair.send(&[Send::new(1, &[])]).expect("there is room");
        pair.node.to_error(pair.qps[1]);
        pair.send(&[keepalive(2)]).expect("there is room");
        assert_eq!(pair.poll(0), [(1, IBV_WC_RETRY_EXC_ERR), (2, IBV_WC_WR_FLUSH_ERR)]);
    }

    fn an_answer_that_refuses_acknowledges_what_went_before() {
        let pair = Pair::new("implicit");
        pair.buffers(1);
        pair.node.device.delay_completions(100);
        pair.send(&[Send::new(1, &[]), Send::new(2, &[])]).expect("there is room");
        assert_eq!(pair.poll(0), [(1, IBV_WC_SUCCESS), (2, IBV_WC_RNR_RETRY_EXC_ERR)]);
    }

    fn held_messages_arrive_later_in_order() {
        let pair = Pair::new("held");
        pair.buffers(3);
        pair.node.device.hold_deliveries(true);
        for id in 0..3 {
            pair.node.write(0, &[id + 1]);
            let send = Send::new(id.into(), &[pair.node.sge(0, 1)]).flags(IBV_SEND_SIGNALED | IBV_SEND_INLINE);
            pair.send(&[send]).expect("there is room");
        }
        assert_eq!((pair.poll(0), pair.poll(1)), (vec![], vec![]));
        pair.node.device.hold_deliveries(false);
        assert_eq!(pair.poll(0).len(), 3);
        let arrived: Vec<_> = pair.poll(1).iter().map(|(id, _)| *id).collect();
        assert_eq!(arrived, [100, 101, 102]);
        let first_bytes: Vec<_> = (0..3).map(|at| pair.node.read(4_096 + 64 * at, 1)[0]).collect();
        assert_eq!(first_bytes, [1, 2, 3]);
    }

    fn a_held_message_finds_its_peer_gone() {
        let mut pair = Pair::new("held-gone");
        pair.node.device.hold_deliveries(true);
        pair.send(&[keepalive(1)]).expect("there is room");
        let qp = pair.qps[1];
        pair.node.destroy_qp(qp);
        assert_eq!(pair.poll(0), []);
        pair.node.device.hold_deliveries(false);
        assert_eq!(pair.poll(0), [(1, IBV_WC_RETRY_EXC_ERR)]);
    }

    fn a_broken_queue_pair_is_in_error_with_an_event() {
        let pair = Pair::new("broken-qp");
        assert_eq!(pair.node.device.queue_pairs(), pair.qps.map(|qp| pair.node.number(qp)));
        pair.buffers(1);
        pair.node.device.break_qp(pair.node.number(pair.qps[1]));
        assert_eq!(pair.node.event(), Some(IBV_EVENT_QP_FATAL));
        assert_eq!(pair.poll(1), [(100, IBV_WC_WR_FLUSH_ERR)]);
        assert_eq!(pair.node.state(pair.qps[0]), IBV_QPS_RTS);
    }

    fn a_broken_device_breaks_everything_on_it_and_makes_nothing_more() {
        let mut pair = Pair::new("broken-device");
        pair.buffers(1);
        pair.node.device.fatal();
        assert_eq!(pair.node.event(), Some(IBV_EVENT_DEVICE_FATAL));
        for qp in pair.qps {
            assert_eq!(pair.node.state(qp), IBV_QPS_ERR);
        }
        assert_eq!(pair.poll(1), [(100, IBV_WC_WR_FLUSH_ERR)]);
        let mut init = Node::init(pair.cqs[0], null_mut());
        // SAFETY: the queues are the node's.
        let qp = unsafe { (pair.node.lib.create_qp)(pair.node.pd, &raw mut init) };
        assert!(qp.is_null());
        assert_eq!(errno(), EIO);
        // What there is can be destroyed, which the node does now.
        let qp = pair.qps[0];
        pair.node.destroy_qp(qp);
    }
}
