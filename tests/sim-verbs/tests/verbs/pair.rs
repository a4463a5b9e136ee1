//! Connecting queue pairs, step by step or at once.

use core::ptr::null_mut;

use runtime_rdma::verbs::bindings::*;
use sim_verbs::Traits;

use crate::support::{Node, Posted, Send};

/// What tests vary of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) psn: u32,
    pub(crate) rnr_retry: u8,
    pub(crate) access: u32,
    pub(crate) mtu: ibv_mtu,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            psn: 0x1234,
            rnr_retry: 0,
            access: IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ,
            mtu: IBV_MTU_1024,
        }
    }
}

/// What `ibv_modify_qp` is given on the way to a state, towards a peer with this number and LID (0 on Ethernet).
pub(crate) fn step(to: ibv_qp_state, peer: u32, lid: u16, path: Path) -> (ibv_qp_attr, u32) {
    let mut attr = ibv_qp_attr {
        qp_state: to,
        ..ibv_qp_attr::default()
    };
    let mask = match to {
        IBV_QPS_INIT => {
            attr.port_num = 1;
            attr.qp_access_flags = path.access;
            IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS
        }
        IBV_QPS_RTR => {
            attr.path_mtu = path.mtu;
            attr.dest_qp_num = peer;
            attr.rq_psn = path.psn;
            attr.max_dest_rd_atomic = 4;
            attr.min_rnr_timer = 12;
            attr.ah_attr.port_num = 1;
            if lid == 0 {
                attr.ah_attr.is_global = 1;
                attr.ah_attr.grh.sgid_index = 1;
                attr.ah_attr.grh.hop_limit = 64;
                attr.ah_attr.grh.dgid.raw = std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets();
            } else {
                attr.ah_attr.dlid = lid;
            }
            IBV_QP_AV
                | IBV_QP_PATH_MTU
                | IBV_QP_DEST_QPN
                | IBV_QP_RQ_PSN
                | IBV_QP_MAX_DEST_RD_ATOMIC
                | IBV_QP_MIN_RNR_TIMER
        }
        IBV_QPS_RTS => {
            attr.sq_psn = path.psn;
            (attr.timeout, attr.retry_cnt, attr.rnr_retry) = (14, 7, path.rnr_retry);
            attr.max_rd_atomic = 4;
            IBV_QP_SQ_PSN
                | IBV_QP_TIMEOUT
                | IBV_QP_RETRY_CNT
                | IBV_QP_RNR_RETRY
                | IBV_QP_MAX_QP_RD_ATOMIC
        }
        _ => 0,
    };
    (attr, mask | IBV_QP_STATE)
}

/// Brings a queue pair through all states to RTS, towards a peer.
pub(crate) fn ready(node: &Node, qp: *mut ibv_qp, peer: u32, lid: u16, path: Path) {
    for to in [IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS] {
        let (mut attr, mask) = step(to, peer, lid, path);
        assert_eq!(node.modify(qp, &mut attr, mask), 0, "to state {to}");
    }
}

/// Connects two queue pairs.
pub(crate) fn connect(a: (&Node, *mut ibv_qp), b: (&Node, *mut ibv_qp), path: Path) {
    ready(a.0, a.1, b.0.number(b.1), 0, path);
    ready(b.0, b.1, a.0.number(a.1), 0, path);
}

/// Two connected queue pairs of one node, each with a completion queue of its own and buffers in its own receive queue.
pub(crate) struct Pair {
    pub(crate) node: Node,
    pub(crate) qps: [*mut ibv_qp; 2],
    pub(crate) cqs: [*mut ibv_cq; 2],
}

impl Pair {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, Traits::default(), Path::default())
    }

    pub(crate) fn with(name: &str, traits: Traits, path: Path) -> Self {
        let mut node = Node::with(name, traits);
        let cqs = [node.cq(64), node.cq(64)];
        let qps = cqs.map(|cq| node.qp(cq, null_mut()));
        connect((&node, qps[0]), (&node, qps[1]), path);
        Self { node, qps, cqs }
    }

    /// Posts so many buffers of 64 bytes at the second queue pair, numbered from 100.
    pub(crate) fn buffers(&self, count: u64) {
        for at in 0..count {
            let sge = self.node.sge(4_096 + 64 * at as usize, 64);
            self.node
                .post_recv(self.qps[1], &[(100 + at, sge)])
                .expect("there is room");
        }
    }

    /// Sends from the first queue pair.
    pub(crate) fn send(&self, sends: &[Send]) -> Posted {
        self.node.post_send(self.qps[0], sends)
    }

    /// Completions of either side.
    pub(crate) fn poll(&self, side: usize) -> Vec<(u64, ibv_wc_status)> {
        self.node.poll(self.cqs[side])
    }
}
