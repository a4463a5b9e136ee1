//! What goes wrong on the way, and who learns what.

use core::ptr::null_mut;

use libc::c_int;
use runtime_rdma::verbs::bindings::*;
use sim_verbs::{GidEntry, Traits};

use crate::pair::{Pair, Path, connect, ready, step};
use crate::support::{MEMORY, Node, Send, tests};

/// How long messages wait that find no buffer: for ever.
fn patient() -> Path {
    Path {
        rnr_retry: 7,
        ..Path::default()
    }
}

impl Pair {
    fn states(&self) -> [ibv_qp_state; 2] {
        self.qps.map(|qp| self.node.state(qp))
    }

    fn remote(&self, opcode: ibv_wr_opcode, addr: u64, rkey: u32) -> Send {
        Send::new(1, &[self.node.sge(0, 8)]).remote(opcode, addr, rkey)
    }
}

tests! {
    fn only_three_fields_of_an_error_completion_mean_something() {
        let pair = Pair::new("garbage");
        pair.send(&[Send::new(77, &[pair.node.sge(0, 1)])]).expect("it is posted");
        let done = pair.node.poll_some(pair.cqs[0], 4).expect("it works");
        let [wc] = done.as_slice() else { panic!("one completion") };
        assert_eq!((wc.wr_id, wc.status), (77, IBV_WC_RNR_RETRY_EXC_ERR));
        assert_eq!(wc.qp_num, pair.node.number(pair.qps[0]));
        assert_eq!((wc.opcode, wc.byte_len), (0xaaaa_aaaa, 0xaaaa_aaaa));
        assert_eq!((wc.wc_flags, wc.src_qp), (0xaaaa_aaaa, 0xaaaa_aaaa));
        assert_eq!((wc.slid, wc.sl), (0xaaaa, 0xaa));
    }

    fn without_a_buffer_an_impatient_sender_fails() {
        let pair = Pair::new("impatient");
        let sends = [Send::new(1, &[]), Send::new(2, &[]).flags(0)];
        pair.send(&sends).expect("it is posted");
        assert_eq!(pair.poll(0), [(1, IBV_WC_RNR_RETRY_EXC_ERR), (2, IBV_WC_WR_FLUSH_ERR)]);
        assert_eq!(pair.states(), [IBV_QPS_ERR, IBV_QPS_RTS], "the receiver does not know");
        assert_eq!(pair.node.device.counters().rnr, 1);
    }

    fn without_a_buffer_a_patient_sender_waits_and_keeps_the_order() {
        let pair = Pair::with("patient", Traits::default(), patient());
        let keepalive = Send::new(2, &[]).remote(IBV_WR_RDMA_WRITE, 0, 0);
        pair.send(&[Send::new(1, &[]), keepalive, Send::new(3, &[])]).expect("it is posted");
        assert_eq!(pair.poll(0), [], "what comes behind waits, too");
        pair.send(&[Send::new(4, &[])]).expect("it is posted");
        assert_eq!(pair.poll(0), [], "and does not overtake");
        pair.buffers(1);
        assert_eq!(pair.poll(0), [(1, IBV_WC_SUCCESS), (2, IBV_WC_SUCCESS)]);
        pair.buffers(1);
        assert_eq!(pair.poll(0), [(3, IBV_WC_SUCCESS)]);
        pair.buffers(1);
        assert_eq!(pair.poll(0), [(4, IBV_WC_SUCCESS)]);
        assert_eq!(pair.node.device.counters().rnr, 3, "each is counted once");
    }

    fn a_patient_sender_learns_that_the_receiver_is_in_error() {
        let pair = Pair::with("in-error", Traits::default(), patient());
        pair.send(&[Send::new(1, &[])]).expect("it is posted");
        pair.node.to_error(pair.qps[1]);
        assert_eq!(pair.poll(0), [(1, IBV_WC_RETRY_EXC_ERR)]);
    }

    fn a_device_without_an_address_of_the_senders_kind_is_not_reached() {
        let [_, v2] = GidEntry::of_ipv4(std::net::Ipv4Addr::LOCALHOST);
        let only_v2 = Traits { gids: vec![None, Some(v2)], ..Traits::default() };
        let (mut a, mut b) = (Node::new("has-v1"), Node::with("only-v2", only_v2));
        let (a_cq, b_cq) = (a.cq(8), b.cq(8));
        for (index, status) in [(0, IBV_WC_RETRY_EXC_ERR), (1, IBV_WC_SUCCESS)] {
            let (a_qp, b_qp) = (a.qp(a_cq, null_mut()), b.qp(b_cq, null_mut()));
            ready(&b, b_qp, a.number(a_qp), 0, Path::default());
            for to in [IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS] {
                let (mut attr, mask) = step(to, b.number(b_qp), 0, Path::default());
                attr.ah_attr.grh.sgid_index = index;
                assert_eq!(a.modify(a_qp, &mut attr, mask), 0);
            }
            a.post_send(a_qp, &[Send::new(1, &[]).remote(IBV_WR_RDMA_WRITE, 0, 0)]).expect("it is posted");
            assert_eq!(a.poll(a_cq), [(1, status)]);
        }
    }

    fn a_patient_sender_learns_that_the_receiver_is_gone() {
        let mut pair = Pair::with("in-vain", Traits::default(), patient());
        pair.send(&[Send::new(1, &[])]).expect("it is posted");
        let qp = pair.qps[1];
        pair.node.destroy_qp(qp);
        assert_eq!(pair.poll(0), [(1, IBV_WC_RETRY_EXC_ERR)]);
    }

    fn a_patient_sender_is_served_by_a_shared_queue() {
        let mut node = Node::new("patient-shared");
        let (cq, srq) = (node.cq(16), node.srq(4));
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, srq));
        connect((&node, a), (&node, b), patient());
        node.post_send(a, &[Send::new(1, &[])]).expect("it is posted");
        assert_eq!(node.poll(cq), []);
        node.post_recv(srq, &[(5, node.sge(0, 8))]).expect("there is room");
        assert_eq!(node.poll(cq), [(5, IBV_WC_SUCCESS), (1, IBV_WC_SUCCESS)]);
    }

    fn a_message_longer_than_its_buffer_breaks_both() {
        let pair = Pair::new("too-long");
        pair.buffers(2);
        pair.node.write(0, &[7; 65]);
        pair.send(&[Send::new(1, &[pair.node.sge(0, 65)])]).expect("it is posted");
        assert_eq!(pair.poll(0), [(1, IBV_WC_REM_INV_REQ_ERR)]);
        assert_eq!(pair.poll(1), [(100, IBV_WC_LOC_LEN_ERR), (101, IBV_WC_WR_FLUSH_ERR)]);
        assert_eq!(pair.states(), [IBV_QPS_ERR; 2]);
        assert_eq!(pair.node.read(4_096, 64), [0; 64], "nothing was written");
    }

    fn local_memory_is_reached_only_as_registered() {
        let mut node = Node::new("local");
        let read_only = {
            let memory = node.addr(0) as usize;
            // SAFETY: the memory is the node's, which outlives the region.
            unsafe { (node.lib.reg_mr)(node.pd, core::ptr::with_exposed_provenance_mut(memory), 64, 0) }
        };
        // SAFETY: it was just registered.
        let (read_key, stale_key) = (unsafe { (*read_only).lkey }, u32::MAX >> 1);
        let cq = node.cq(16);
        let right = node.sge(0, 8);
        let bad = [
            ("unknown key", ibv_sge { lkey: stale_key, ..right }),
            ("the remote key", ibv_sge { lkey: node.rkey(), ..right }),
            ("beyond the end", ibv_sge { length: MEMORY as u32 + 1, ..right }),
            ("before the start", ibv_sge { addr: right.addr - 1, ..right }),
            ("around the end of the world", ibv_sge { addr: u64::MAX, ..right }),
        ];
        for (what, sge) in bad {
            let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
            connect((&node, a), (&node, b), Path::default());
            node.post_recv(b, &[(2, right)]).expect("there is room");
            node.post_send(a, &[Send::new(1, &[sge])]).expect("it is posted");
            assert_eq!(node.poll(cq), [(1, IBV_WC_LOC_PROT_ERR)], "{what}");
            assert_eq!((node.state(a), node.state(b)), (IBV_QPS_ERR, IBV_QPS_RTS), "{what}");
        }
        // A buffer must be writable.
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
        connect((&node, a), (&node, b), Path::default());
        node.post_recv(b, &[(2, ibv_sge { lkey: read_key, ..right })]).expect("there is room");
        let send = Send::new(1, &[ibv_sge { lkey: read_key, ..right }]);
        node.post_send(a, &[send]).expect("it is posted");
        assert_eq!(node.poll(cq), [(2, IBV_WC_LOC_PROT_ERR), (1, IBV_WC_REM_OP_ERR)]);
        // SAFETY: the region is not used again.
        assert_eq!(unsafe { (node.lib.dereg_mr)(read_only) }, 0);
    }

    fn memory_that_is_registered_no_more_is_not_reached() {
        let mut node = Node::new("deregistered");
        let cq = node.cq(16);
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
        connect((&node, a), (&node, b), Path::default());
        let memory = node.addr(0) as usize;
        let access = IBV_ACCESS_LOCAL_WRITE as c_int;
        let place = core::ptr::with_exposed_provenance_mut(memory);
        // SAFETY: the memory is the node's, which outlives the region.
        let mr = unsafe { (node.lib.reg_mr)(node.pd, place, 64, access) };
        // SAFETY: it was just registered.
        let lkey = unsafe { (*mr).lkey };
        node.post_recv(b, &[(2, node.sge(4_096, 64))]).expect("there is room");
        node.device.hold_deliveries(true);
        let send = Send::new(1, &[ibv_sge { lkey, ..node.sge(0, 8) }]);
        node.post_send(a, &[send]).expect("it is posted");
        // SAFETY: the provider never reaches it again, which is what is tested.
        assert_eq!(unsafe { (node.lib.dereg_mr)(mr) }, 0);
        node.device.hold_deliveries(false);
        assert_eq!(node.poll(cq), [(1, IBV_WC_LOC_PROT_ERR)]);
    }

    fn memory_of_another_domain_is_not_reached() {
        let (mut node, other) = (Node::new("domain"), Node::new("other-domain"));
        let cq = node.cq(16);
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
        connect((&node, a), (&node, b), Path::default());
        node.post_send(a, &[Send::new(1, &[other.sge(0, 8)])]).expect("it is posted");
        assert_eq!(node.poll(cq), [(1, IBV_WC_LOC_PROT_ERR)]);
    }

    fn the_peers_memory_is_reached_only_as_granted() {
        let bad: [(&str, usize, bool); 3] = [
            ("with-local-key", 0, false),
            ("beyond-the-end", MEMORY - 7, true),
            ("far-away", usize::MAX / 2, true),
        ];
        for (name, offset, with_rkey) in bad {
            let pair = Pair::new(name);
            let key = if with_rkey { pair.node.rkey() } else { pair.node.lkey() };
            let addr = pair.node.addr(0).wrapping_add(offset as u64);
            pair.send(&[pair.remote(IBV_WR_RDMA_WRITE, addr, key)]).expect("it is posted");
            assert_eq!(pair.poll(0), [(1, IBV_WC_REM_ACCESS_ERR)], "{name}");
            assert_eq!(pair.states(), [IBV_QPS_ERR; 2], "{name}");
            assert_eq!(pair.node.event(), Some(IBV_EVENT_QP_ACCESS_ERR), "{name}");
        }
    }

    fn a_queue_pair_refuses_what_it_does_not_allow_even_of_no_bytes() {
        let path = Path { access: 0, ..Path::default() };
        for (name, opcode) in [("no-write", IBV_WR_RDMA_WRITE), ("no-read", IBV_WR_RDMA_READ)] {
            let pair = Pair::with(name, Traits::default(), path);
            pair.send(&[Send::new(1, &[]).remote(opcode, 0, 0)]).expect("it is posted");
            assert_eq!(pair.poll(0), [(1, IBV_WC_REM_INV_REQ_ERR)], "{name}");
            assert_eq!(pair.node.event(), Some(IBV_EVENT_QP_REQ_ERR), "{name}");
        }
    }

    fn a_message_beyond_the_devices_limit_fails_here() {
        let traits = Traits { max_msg_sz: 16, ..Traits::default() };
        let pair = Pair::with("msg-size", traits, Path::default());
        pair.buffers(1);
        pair.send(&[Send::new(1, &[pair.node.sge(0, 17)])]).expect("it is posted");
        assert_eq!(pair.poll(0), [(1, IBV_WC_LOC_LEN_ERR)]);
    }

    fn a_packet_beyond_the_peers_path_is_refused() {
        let mut node = Node::new("path-mtu");
        let cq = node.cq(16);
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
        ready(&node, a, node.number(b), 0, Path { mtu: IBV_MTU_1024, ..Path::default() });
        ready(&node, b, node.number(a), 0, Path { mtu: IBV_MTU_256, ..Path::default() });
        node.post_recv(b, &[(2, node.sge(4_096, 2_048)), (3, node.sge(4_096, 2_048))]).expect("there is room");
        node.post_send(a, &[Send::new(1, &[node.sge(0, 256)])]).expect("it is posted");
        assert_eq!(node.poll(cq), [(2, IBV_WC_SUCCESS), (1, IBV_WC_SUCCESS)]);
        node.post_send(a, &[Send::new(1, &[node.sge(0, 257)])]).expect("it is posted");
        assert_eq!(node.poll(cq), [(3, IBV_WC_WR_FLUSH_ERR), (1, IBV_WC_REM_INV_REQ_ERR)]);
    }

    fn both_sides_must_agree_about_each_other() {
        let mut node = Node::new("agree");
        let cq = node.cq(64);
        let send = |node: &Node, qp| {
            node.post_send(qp, &[Send::new(1, &[]).remote(IBV_WR_RDMA_WRITE, 0, 0)]).expect("it is posted");
            node.poll(cq)
        };
        let unreachable = [(1, IBV_WC_RETRY_EXC_ERR)];
        let path = Path::default();
        // Sequence numbers that differ.
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
        ready(&node, a, node.number(b), 0, path);
        ready(&node, b, node.number(a), 0, Path { psn: path.psn + 1, ..path });
        assert_eq!(send(&node, a), unreachable);
        // A peer that is connected to another.
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
        ready(&node, a, node.number(b), 0, path);
        ready(&node, b, node.number(b), 0, path);
        assert_eq!(send(&node, a), unreachable);
        // A peer that is not ready to receive.
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
        ready(&node, a, node.number(b), 0, path);
        assert_eq!(send(&node, a), unreachable);
        // A number that nobody has.
        let a = node.qp(cq, null_mut());
        ready(&node, a, 0x00ff_fff0, 0, path);
        assert_eq!(send(&node, a), unreachable);
        // An address that is not the peer's; one that both have as RoCE v1 is right.
        for (index, last) in [(1, 9), (0, 1)] {
            let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
            ready(&node, b, node.number(a), 0, path);
            for to in [IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS] {
                let (mut attr, mask) = step(to, node.number(b), 0, path);
                attr.ah_attr.grh.sgid_index = index;
                attr.ah_attr.grh.dgid.raw = std::net::Ipv4Addr::new(127, 0, 0, last).to_ipv6_mapped().octets();
                assert_eq!(node.modify(a, &mut attr, mask), 0);
            }
            let expected = if last == 9 { IBV_WC_RETRY_EXC_ERR } else { IBV_WC_SUCCESS };
            assert_eq!(send(&node, a), [(1, expected)]);
        }
    }

    fn in_error_sends_flush_in_order_and_what_comes_later_too() {
        let pair = Pair::with("flush", Traits::default(), patient());
        pair.send(&[Send::new(1, &[]).flags(0), Send::new(2, &[]), Send::new(3, &[]).flags(0)])
            .expect("it is posted");
        pair.node.to_error(pair.qps[0]);
        let flushed = |id| (id, IBV_WC_WR_FLUSH_ERR);
        assert_eq!(pair.poll(0), [1, 2, 3].map(flushed), "signalled or not");
        for round in 0..3 {
            // Four slots, twelve requests: what is flushed and polled is free.
            let sends = [0, 1, 2, 3].map(|at| Send::new(4 * round + at, &[]).flags(0));
            pair.send(&sends).expect("it is posted");
            assert_eq!(pair.poll(0), sends.map(|send| flushed(send.id)));
        }
    }

    fn in_error_own_buffers_flush() {
        let pair = Pair::new("flush-receive");
        pair.buffers(2);
        pair.node.to_error(pair.qps[1]);
        let flushed = |id| (id, IBV_WC_WR_FLUSH_ERR);
        assert_eq!(pair.poll(1), [100, 101].map(flushed));
        pair.buffers(1);
        assert_eq!(pair.poll(1), [flushed(100)]);
        assert_eq!(pair.node.event(), None, "only with a shared queue is there an event");
        pair.send(&[Send::new(1, &[])]).expect("it is posted");
        assert_eq!(pair.poll(0), [(1, IBV_WC_RETRY_EXC_ERR)], "a peer in error does not answer");
    }

    fn in_error_shared_buffers_stay_and_there_is_an_event_or_none() {
        for (name, event) in [("last-wqe", true), ("no-last-wqe", false)] {
            let mut node = Node::with(name, Traits { last_wqe_event: event, ..Traits::default() });
            let (cq, srq) = (node.cq(16), node.srq(4));
            let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
            let (c, d) = (node.qp(cq, srq), node.qp(cq, srq));
            connect((&node, a), (&node, c), Path::default());
            connect((&node, b), (&node, d), Path::default());
            node.post_recv(srq, &[(1, node.sge(0, 8))]).expect("there is room");
            node.to_error(c);
            assert_eq!(node.event(), event.then_some(IBV_EVENT_QP_LAST_WQE_REACHED));
            node.to_error(c);
            assert_eq!(node.event(), None, "it was in error before");
            assert_eq!(node.poll(cq), []);
            node.post_send(b, &[Send::new(2, &[])]).expect("it is posted");
            assert_eq!(node.poll(cq), [(1, IBV_WC_SUCCESS), (2, IBV_WC_SUCCESS)]);
        }
    }

    fn a_queue_pair_that_is_its_own_peer_fails_once() {
        let mut node = Node::new("own-peer");
        let cq = node.cq(16);
        let qp = node.qp(cq, null_mut());
        ready(&node, qp, node.number(qp), 0, Path { access: 0, ..Path::default() });
        node.post_recv(qp, &[(1, node.sge(0, 8))]).expect("there is room");
        node.post_send(qp, &[Send::new(2, &[])]).expect("it is posted");
        assert_eq!(node.poll(cq), [(1, IBV_WC_SUCCESS), (2, IBV_WC_SUCCESS)]);
        node.post_send(qp, &[Send::new(3, &[]).remote(IBV_WR_RDMA_WRITE, 0, 0)]).expect("it is posted");
        let ids: Vec<_> = node.poll(cq).iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [3]);
    }
}
