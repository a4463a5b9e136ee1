//! A queue pair by hand.

use std::sync::Arc;

use runtime_rdma::verbs::bindings::{
    IBV_ACCESS_LOCAL_WRITE, IBV_SEND_SIGNALED, IBV_WC_SUCCESS, IBV_WR_RDMA_READ, IBV_WR_RDMA_WRITE,
    IBV_WR_SEND, IBV_WR_SEND_WITH_IMM, ibv_qp_cap, ibv_recv_wr, ibv_send_wr, ibv_sge, ibv_wc,
};
use runtime_rdma::verbs::{Channel, Context, Cq, Library, Path, Pd, Qp, Region, Remote};

use super::wire::Point;

/// Bytes of a buffer: more than any message of the probe service has.
pub const BUFFER: usize = 8_192;

/// Buffers that are sent from, and those that are received into.
const SENDS: usize = 64;
const RECEIVES: usize = 512;

/// A queue pair that does what it is told. No field is public: the memory stays as long as the queue pair.
#[derive(Debug)]
pub struct RawQp {
    qp: Qp,
    send_cq: Arc<Cq>,
    recv_cq: Arc<Cq>,
    memory: Region,
    next: usize,
    gid: [u8; 16],
    psn: u32,
}

impl RawQp {
    /// One of this device, which can receive but is not connected.
    pub fn new(device: &str) -> Self {
        let library = Library::get().unwrap();
        let context = Context::open(library, device).unwrap();
        let pd = Pd::new(&context).unwrap();
        let cq = |entries| Cq::new(&context, entries, None::<&Arc<Channel>>).unwrap();
        let (send_cq, recv_cq) = (cq(4096), cq(4096));
        let caps = ibv_qp_cap {
            max_send_wr: 256,
            max_recv_wr: RECEIVES as u32,
            max_send_sge: 1,
            max_recv_sge: 1,
            max_inline_data: 0,
        };
        let qp = Qp::new(&pd, &send_cq, &recv_cq, None, caps).unwrap();
        qp.to_init(1, 0).unwrap();
        let bytes = (SENDS + RECEIVES) * BUFFER;
        let memory = Region::new(&pd, bytes, IBV_ACCESS_LOCAL_WRITE).unwrap();
        // The entry of the default devices for RoCE v2 is the second.
        let gid = context.gid(1, 1).unwrap().unwrap().raw;
        Self {
            qp,
            send_cq,
            recv_cq,
            memory,
            next: 0,
            gid,
            psn: 0x12_3456,
        }
    }

    /// How it is reached.
    pub fn point(&self) -> Point {
        Point {
            qpn: self.qp.number(),
            psn: self.psn,
            lid: 0,
            mtu: 5,
            is_global: 1,
            gid: self.gid,
        }
    }

    /// Connects it. Messages to a peer without a buffer are sent again `rnr_retry` times, of which 7 are without end.
    pub fn connect(&self, theirs: &Point, rnr_retry: u8) {
        let remote = Remote {
            qpn: theirs.qpn,
            psn: theirs.psn,
            lid: theirs.lid,
            gid: theirs.gid,
            is_global: theirs.is_global == 1,
        };
        let path = Path {
            port: 1,
            gid_index: 1,
            mtu: 5,
            min_rnr_timer: 12,
            hop_limit: 64,
            traffic_class: 0,
            sl: 0,
        };
        self.qp.to_rtr(&remote, &path).unwrap();
        self.qp.to_rts(self.psn, 14, 6, rnr_retry).unwrap();
    }

    fn piece(&self, at: usize, len: usize) -> ibv_sge {
        assert!(at < SENDS + RECEIVES && len <= BUFFER);
        // SAFETY: the buffer is within the region.
        let start = unsafe { self.memory.start().add(at * BUFFER) };
        ibv_sge {
            addr: start.as_ptr() as u64,
            length: len as u32,
            lkey: self.memory.lkey(),
        }
    }

    /// Gives the device buffers to receive into, from the first on.
    pub fn receive_into(&self, count: usize) {
        (0..count).for_each(|at| self.give(at));
    }

    fn give(&self, at: usize) {
        let mut piece = self.piece(SENDS + at, BUFFER);
        let mut request = ibv_recv_wr {
            wr_id: at as u64,
            next: std::ptr::null_mut(),
            sg_list: &raw mut piece,
            num_sge: 1,
        };
        // SAFETY: the list is of one, and its memory goes after the queue pair and is read only when it is complete.
        unsafe { self.qp.post_recv(&raw mut request) }.unwrap();
    }

    /// Sends bytes with immediate data: false if the queue is full.
    pub fn send(&mut self, imm: u32, bytes: &[u8]) -> bool {
        self.post(IBV_WR_SEND_WITH_IMM, imm, bytes, (0, 0))
    }

    /// Sends bytes without immediate data.
    pub fn send_bare(&mut self, bytes: &[u8]) -> bool {
        self.post(IBV_WR_SEND, 0, bytes, (0, 0))
    }

    /// Writes into the peer's memory.
    pub fn write(&mut self, addr: u64, rkey: u32, bytes: &[u8]) -> bool {
        self.post(IBV_WR_RDMA_WRITE, 0, bytes, (addr, rkey))
    }

    /// Reads the peer's memory.
    pub fn read(&mut self, addr: u64, rkey: u32, len: usize) -> bool {
        self.post(IBV_WR_RDMA_READ, 0, &vec![0; len], (addr, rkey))
    }

    fn post(&mut self, opcode: u32, imm: u32, bytes: &[u8], remote: (u64, u32)) -> bool {
        let mut piece = self.piece(self.next % SENDS, bytes.len());
        self.next += 1;
        let to = piece.addr as *mut u8;
        // SAFETY: the buffer is within the region, and as long; tests send no more before they look than there are buffers, or the same.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        let mut request = ibv_send_wr {
            wr_id: self.next as u64,
            sg_list: &raw mut piece,
            num_sge: i32::from(!bytes.is_empty()),
            opcode,
            send_flags: IBV_SEND_SIGNALED,
            ..ibv_send_wr::default()
        };
        request.__bindgen_anon_1.imm_data = imm.to_be();
        request.wr.rdma.remote_addr = remote.0;
        request.wr.rdma.rkey = remote.1;
        // SAFETY: the list is of one, and its memory goes after the queue pair.
        unsafe { self.qp.post_send(&raw mut request) }.is_ok()
    }

    /// The statuses of what was sent and is complete.
    pub fn sent(&self) -> Vec<u32> {
        let mut room = vec![ibv_wc::default(); 512];
        let count = self.send_cq.poll(&mut room).unwrap();
        room[..count].iter().map(|it| it.status).collect()
    }

    /// What was received: immediate data and bytes. The buffers are given back. What has failed is left out.
    pub fn received(&self) -> Vec<(u32, Vec<u8>)> {
        let mut room = vec![ibv_wc::default(); RECEIVES];
        let count = self.recv_cq.poll(&mut room).unwrap();
        let mut got = Vec::new();
        for completion in &room[..count] {
            if completion.status != IBV_WC_SUCCESS {
                continue;
            }
            let at = completion.wr_id as usize;
            let from = self.piece(SENDS + at, BUFFER).addr as *const u8;
            let mut bytes = vec![0; completion.byte_len as usize];
            // SAFETY: the device has written so many bytes there, and has given the buffer up.
            unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
            // SAFETY: servers and clients send nothing without immediate data, and any bits are a number.
            let imm = u32::from_be(unsafe { completion.__bindgen_anon_1.imm_data });
            got.push((imm, bytes));
            self.give(at);
        }
        got
    }

    /// Its state.
    pub fn state(&self) -> u32 {
        self.qp.state().unwrap()
    }

    /// Brings it into the error state.
    pub fn break_off(&self) {
        self.qp.to_error().unwrap();
    }
}
