//! What arrives when nothing goes wrong.

use core::ptr::null_mut;

use runtime_rdma::verbs::bindings::*;
use sim_verbs::Traits;

use crate::pair::{Pair, Path, connect, ready};
use crate::support::{Node, Send, tests};

tests! {
    fn a_message_arrives_with_its_immediate_data_and_both_completions() {
        let pair = Pair::new("arrives");
        pair.buffers(1);
        pair.node.write(0, b"hello");
        let send = Send::new(7, &[pair.node.sge(0, 5)]).imm(0xdead_beef);
        pair.send(&[send]).expect("it is posted");
        let received = pair.node.poll_some(pair.cqs[1], 4).expect("it works");
        let [wc] = received.as_slice() else { panic!("one completion") };
        assert_eq!((wc.wr_id, wc.status, wc.opcode), (100, IBV_WC_SUCCESS, IBV_WC_RECV));
        assert_eq!((wc.byte_len, wc.qp_num), (5, pair.node.number(pair.qps[1])));
        assert_eq!(wc.src_qp, pair.node.number(pair.qps[0]));
        assert_eq!(wc.wc_flags, IBV_WC_WITH_IMM | IBV_WC_GRH);
        // SAFETY: the flag says that it is there.
        assert_eq!(u32::from_be(unsafe { wc.__bindgen_anon_1.imm_data }), 0xdead_beef);
        assert_eq!(pair.node.read(4_096, 6), b"hello\0");
        let sent = pair.node.poll_some(pair.cqs[0], 4).expect("it works");
        let [wc] = sent.as_slice() else { panic!("one completion") };
        assert_eq!((wc.wr_id, wc.status, wc.opcode), (7, IBV_WC_SUCCESS, IBV_WC_SEND));
        assert_eq!(wc.qp_num, pair.node.number(pair.qps[0]));
    }

    fn a_message_of_several_pieces_fills_the_buffer_in_order() {
        let mut node = Node::new("pieces");
        let cq = node.cq(8);
        let (a, b) = (node.qp(cq, null_mut()), node.qp(cq, null_mut()));
        connect((&node, a), (&node, b), Path::default());
        node.write(0, b"abc");
        node.write(100, b"defgh");
        node.post_recv(b, &[(1, node.sge(4_096, 8))]).expect("it is posted");
        let send = Send::new(2, &[node.sge(0, 3), node.sge(100, 5)]);
        node.post_send(a, &[send]).expect("it is posted");
        assert_eq!(node.poll(cq), [(1, IBV_WC_SUCCESS), (2, IBV_WC_SUCCESS)]);
        assert_eq!(node.read(4_096, 8), b"abcdefgh");
    }

    fn inline_data_is_captured_at_once_and_other_data_when_it_is_carried() {
        let pair = Pair::new("inline");
        pair.buffers(2);
        pair.node.write(0, b"old");
        pair.node.device.hold_deliveries(true);
        // An inline piece needs no key.
        let inline = Send::new(1, &[ibv_sge { lkey: 0, ..pair.node.sge(0, 3) }])
            .flags(IBV_SEND_SIGNALED | IBV_SEND_INLINE);
        let by_reference = Send::new(2, &[pair.node.sge(0, 3)]);
        pair.send(&[inline, by_reference]).expect("it is posted");
        pair.node.write(0, b"new");
        pair.node.device.hold_deliveries(false);
        assert_eq!(pair.poll(0), [(1, IBV_WC_SUCCESS), (2, IBV_WC_SUCCESS)]);
        assert_eq!(pair.node.read(4_096, 3), b"old");
        assert_eq!(pair.node.read(4_160, 3), b"new");
    }

    fn a_chain_is_one_doorbell_and_arrives_in_order() {
        let pair = Pair::new("chain");
        pair.buffers(4);
        let sends: Vec<_> = (0..4)
            .map(|id| Send::new(id, &[pair.node.sge(0, 1)]).flags(if id == 3 { IBV_SEND_SIGNALED } else { 0 }))
            .collect();
        pair.send(&sends).expect("it is posted");
        let arrived: Vec<_> = pair.poll(1).iter().map(|(id, _)| *id).collect();
        assert_eq!(arrived, [100, 101, 102, 103]);
        assert_eq!(pair.poll(0), [(3, IBV_WC_SUCCESS)], "only the last is signalled");
        let counters = pair.node.device.counters();
        assert_eq!((counters.doorbells, counters.send_wrs, counters.carried), (1, 4, 4));
        assert_eq!((counters.recv_posts, counters.srq_posts, counters.recv_wrs), (4, 0, 4));
        assert_eq!((counters.completions, counters.rnr), (5, 0));
    }

    fn memory_is_read_and_written_from_afar() {
        let pair = Pair::new("afar");
        let (node, rkey) = (&pair.node, pair.node.rkey());
        node.write(0, b"written");
        let write = Send::new(1, &[node.sge(0, 7)])
            .remote(IBV_WR_RDMA_WRITE, node.addr(5_000), rkey);
        let read = Send::new(2, &[node.sge(600, 7)])
            .remote(IBV_WR_RDMA_READ, node.addr(5_000), rkey);
        pair.send(&[write, read]).expect("it is posted");
        let done = node.poll_some(pair.cqs[0], 4).expect("it works");
        let opcodes: Vec<_> = done.iter().map(|wc| (wc.status, wc.opcode)).collect();
        assert_eq!(opcodes, [(IBV_WC_SUCCESS, IBV_WC_RDMA_WRITE), (IBV_WC_SUCCESS, IBV_WC_RDMA_READ)]);
        assert_eq!(node.read(5_000, 7), b"written");
        assert_eq!(node.read(600, 7), b"written");
        assert_eq!(pair.poll(1), [], "the peer does not learn of it");
    }

    fn a_write_with_immediate_data_takes_a_receive_buffer() {
        let pair = Pair::new("write-imm");
        pair.buffers(1);
        let node = &pair.node;
        node.write(0, b"bulk");
        let write = Send::new(1, &[node.sge(0, 4)]).imm(5).remote(
            IBV_WR_RDMA_WRITE_WITH_IMM,
            node.addr(6_000),
            node.rkey(),
        );
        pair.send(&[write]).expect("it is posted");
        let received = node.poll_some(pair.cqs[1], 4).expect("it works");
        let [wc] = received.as_slice() else { panic!("one completion") };
        assert_eq!((wc.wr_id, wc.opcode, wc.byte_len), (100, IBV_WC_RECV_RDMA_WITH_IMM, 4));
        assert_eq!(node.read(6_000, 4), b"bulk");
        assert_eq!(node.read(4_096, 4), [0; 4], "the buffer itself is not written");
    }

    fn a_write_of_no_bytes_asks_whether_the_peer_lives() {
        let pair = Pair::new("keepalive");
        // No key and no buffer is needed for it.
        let keepalive = Send::new(1, &[]).remote(IBV_WR_RDMA_WRITE, 0, 0);
        pair.send(&[keepalive]).expect("it is posted");
        assert_eq!(pair.poll(0), [(1, IBV_WC_SUCCESS)]);
        assert_eq!(pair.poll(1), []);
    }

    fn devices_reach_one_another() {
        let (mut a, mut b) = (Node::new("here"), Node::new("there"));
        let (a_cq, b_cq) = (a.cq(8), b.cq(8));
        let (a_qp, b_qp) = (a.qp(a_cq, null_mut()), b.qp(b_cq, null_mut()));
        connect((&a, a_qp), (&b, b_qp), Path::default());
        a.write(0, b"over");
        b.post_recv(b_qp, &[(1, b.sge(0, 64))]).expect("it is posted");
        a.post_send(a_qp, &[Send::new(2, &[a.sge(0, 4)])]).expect("it is posted");
        assert_eq!(a.poll(a_cq), [(2, IBV_WC_SUCCESS)]);
        assert_eq!(b.poll(b_cq), [(1, IBV_WC_SUCCESS)]);
        assert_eq!(b.read(0, 4), b"over");
        assert_eq!((a.device.counters().carried, b.device.counters().carried), (1, 0));
        assert!(sim_verbs::counters().carried >= 1);
    }

    fn infiniband_ports_are_addressed_by_lid() {
        let (mut a, mut b) = (
            Node::with("lid3", Traits::infiniband(3)),
            Node::with("lid4", Traits::infiniband(4)),
        );
        let (a_cq, b_cq) = (a.cq(8), b.cq(8));
        let (a_qp, b_qp) = (a.qp(a_cq, null_mut()), b.qp(b_cq, null_mut()));
        ready(&a, a_qp, b.number(b_qp), 4, Path::default());
        ready(&b, b_qp, a.number(a_qp), 3, Path::default());
        b.post_recv(b_qp, &[(1, b.sge(0, 64))]).expect("it is posted");
        a.post_send(a_qp, &[Send::new(2, &[a.sge(0, 4)])]).expect("it is posted");
        assert_eq!(a.poll(a_cq), [(2, IBV_WC_SUCCESS)]);
        let received = b.poll_some(b_cq, 4).expect("it works");
        let [wc] = received.as_slice() else { panic!("one completion") };
        assert_eq!(wc.wc_flags, 0, "there is no global header");
    }

    fn two_threads_exchange_messages_through_one_shared_queue_each() {
        const CALLS: u64 = 2_000;
        let mut node = Node::new("threads");
        let cqs = [node.cq(64), node.cq(64)];
        let srqs = [node.srq(4), node.srq(4)];
        let qps = [0, 1].map(|side| node.qp(cqs[side], srqs[side]));
        connect((&node, qps[0]), (&node, qps[1]), Path::default());
        let addresses = (node.lib, node.context.expose_provenance());
        // Each side has 64 bytes to send from and 64 to receive in.
        let sges = [0, 1].map(|side| (node.sge(side * 128, 8), node.sge(side * 128 + 64, 8)));
        let handles = [0, 1].map(|side| {
            (qps[side].expose_provenance(), cqs[side].expose_provenance(), srqs[side].expose_provenance())
        });
        let run = move |side: usize| {
            let (_, context) = addresses;
            let (qp, cq, srq) = handles[side];
            let side_of = Side {
                context: core::ptr::with_exposed_provenance_mut(context),
                qp: core::ptr::with_exposed_provenance_mut(qp),
                cq: core::ptr::with_exposed_provenance_mut(cq),
                srq: core::ptr::with_exposed_provenance_mut(srq),
                send: sges[side].0,
                recv: sges[side].1,
            };
            side_of.exchange(side == 0, CALLS);
        };
        // Both have their first buffer before anything is sent.
        for side in [0, 1] {
            node.post_recv(srqs[side], &[(0, sges[side].1)]).expect("there is room");
        }
        std::thread::scope(|scope| {
            scope.spawn(move || run(0));
            scope.spawn(move || run(1));
        });
        assert_eq!(node.device.counters().carried, 2 * CALLS);
        assert_eq!(node.device.counters().rnr, 0);
    }
}

/// One side of an exchange in its own thread.
struct Side {
    context: *mut ibv_context,
    qp: *mut ibv_qp,
    cq: *mut ibv_cq,
    srq: *mut ibv_srq,
    send: ibv_sge,
    recv: ibv_sge,
}

impl Side {
    fn exchange(mut self, first: bool, calls: u64) {
        for call in 0..calls {
            if first {
                self.say(call);
                self.hear(call);
            } else {
                self.hear(call);
                self.say(call);
            }
        }
    }

    fn say(&mut self, word: u64) {
        let place = core::ptr::with_exposed_provenance_mut::<u64>(self.send.addr as usize);
        // SAFETY: the piece is 8 bytes, of this side alone, and its last message was answered.
        unsafe { place.write_unaligned(word) };
        let mut wr = ibv_send_wr {
            sg_list: &raw mut self.send,
            num_sge: 1,
            opcode: IBV_WR_SEND,
            send_flags: IBV_SEND_SIGNALED,
            wr_id: u64::MAX,
            ..ibv_send_wr::default()
        };
        let mut bad = null_mut();
        // SAFETY: the context is open.
        let post = unsafe { (*self.context).ops }
            .post_send
            .expect("it can send");
        // SAFETY: the queue pair and the request are there for the call.
        assert_eq!(unsafe { post(self.qp, &raw mut wr, &raw mut bad) }, 0);
    }

    fn hear(&mut self, word: u64) {
        // SAFETY: the context is open.
        let ops = unsafe { (*self.context).ops };
        let poll = ops.poll_cq.expect("it can poll");
        let mut wc = ibv_wc::default();
        loop {
            // SAFETY: the queue is there, and it is room for one.
            let count = unsafe { poll(self.cq, 1, &raw mut wc) };
            assert!(count >= 0);
            if count == 0 {
                std::thread::yield_now();
                continue;
            }
            assert_eq!(wc.status, IBV_WC_SUCCESS);
            if wc.wr_id != u64::MAX {
                break;
            }
        }
        let place = core::ptr::with_exposed_provenance::<u64>(self.recv.addr as usize);
        // SAFETY: the piece is 8 bytes, and its message has arrived.
        assert_eq!(unsafe { place.read_unaligned() }, word);
        let mut wr = ibv_recv_wr {
            sg_list: &raw mut self.recv,
            num_sge: 1,
            ..ibv_recv_wr::default()
        };
        let mut bad = null_mut();
        let post = ops.post_srq_recv.expect("it can receive");
        // SAFETY: the queue and the request are there for the call.
        assert_eq!(unsafe { post(self.srq, &raw mut wr, &raw mut bad) }, 0);
    }
}
