//! Queue pairs of reliable connections.

use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};
use std::io;
use std::sync::Arc;

use super::bindings::{
    IBV_QP_ACCESS_FLAGS, IBV_QP_AV, IBV_QP_DEST_QPN, IBV_QP_MAX_DEST_RD_ATOMIC,
    IBV_QP_MAX_QP_RD_ATOMIC, IBV_QP_MIN_RNR_TIMER, IBV_QP_PATH_MTU, IBV_QP_PKEY_INDEX, IBV_QP_PORT,
    IBV_QP_RETRY_CNT, IBV_QP_RNR_RETRY, IBV_QP_RQ_PSN, IBV_QP_SQ_PSN, IBV_QP_STATE, IBV_QP_TIMEOUT,
    IBV_QPS_ERR, IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS, IBV_QPT_RC, ibv_access_flags, ibv_ah_attr,
    ibv_gid, ibv_global_route, ibv_mtu, ibv_qp, ibv_qp_attr, ibv_qp_attr_mask, ibv_qp_cap,
    ibv_qp_init_attr, ibv_qp_state, ibv_recv_wr, ibv_send_wr,
};
use super::cq::Cq;
use super::error::{check, destroyed, last};
use super::ops;
use super::pd::Pd;
use super::post::{PostError, posted, taken};
use super::srq::Srq;

/// Reads and atomics that a queue pair may have outstanding, as either side. One is what every device can do, and both sides have to agree.
const READS: u8 = 1;

/// The other end of a connection, as it describes itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Remote {
    /// The number of its queue pair.
    pub qpn: u32,
    /// The number of the first packet that it sends: 24 bits.
    pub psn: u32,
    /// The address of its port in an InfiniBand subnet; unused on Ethernet.
    pub lid: u16,
    /// Its address, if packets carry one.
    pub gid: [u8; 16],
    /// True if packets carry a global address: always on Ethernet.
    pub is_global: bool,
}

/// How to get there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Path {
    /// The port of this side.
    pub port: u8,
    /// The address of this side, in the port's table.
    pub gid_index: u8,
    /// Bytes of a packet, as one of the `IBV_MTU_` constants.
    pub mtu: ibv_mtu,
    /// How long a peer waits before it sends again what found no buffer, coded as ibv_modify_qp(3) says: 0 is the longest.
    pub min_rnr_timer: u8,
    /// How many routers packets may pass.
    pub hop_limit: u8,
    /// The traffic class; on Ethernet the byte with the DSCP.
    pub traffic_class: u8,
    /// The service level.
    pub sl: u8,
}

/// A queue pair. Requests complete in the order in which they were posted; which of them do so with a completion, each says itself.
#[derive(Debug)]
pub struct Qp {
    raw: NonNull<ibv_qp>,
    cap: ibv_qp_cap,
    pd: Arc<Pd>,
    // What it uses is destroyed after it.
    _send_cq: Arc<Cq>,
    _recv_cq: Arc<Cq>,
    _srq: Option<Arc<Srq>>,
}

// SAFETY: verbs objects are safe for multi-threaded access (ibv_alloc_td(3)).
unsafe impl Send for Qp {}
// SAFETY: as above.
unsafe impl Sync for Qp {}

impl Qp {
    /// One of a reliable connection, in the state RESET; it receives into the shared queue, if there is one.
    ///
    /// # Errors
    /// The device cannot do so much, or the parts are of different devices.
    pub fn new(
        pd: &Arc<Pd>,
        send_cq: &Arc<Cq>,
        recv_cq: &Arc<Cq>,
        srq: Option<&Arc<Srq>>,
        caps: ibv_qp_cap,
    ) -> io::Result<Self> {
        let context = pd.context();
        let is_of_one_device = Arc::ptr_eq(send_cq.context(), context)
            && Arc::ptr_eq(recv_cq.context(), context)
            && srq.is_none_or(|srq| Arc::ptr_eq(srq.pd().context(), context));
        if !is_of_one_device {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut wanted = ibv_qp_init_attr {
            qp_context: null_mut(),
            send_cq: send_cq.raw(),
            recv_cq: recv_cq.raw(),
            srq: srq.map_or(null_mut(), |srq| srq.raw()),
            cap: caps,
            qp_type: IBV_QPT_RC,
            sq_sig_all: 0,
        };
        // SAFETY: all parts are there and of this context; the structure may be written, and then has the actual sizes.
        let raw = unsafe { (context.library().create_qp)(pd.raw(), &raw mut wanted) };
        Ok(Self {
            raw: NonNull::new(raw).ok_or_else(last)?,
            cap: wanted.cap,
            pd: Arc::clone(pd),
            _send_cq: Arc::clone(send_cq),
            _recv_cq: Arc::clone(recv_cq),
            _srq: srq.map(Arc::clone),
        })
    }

    /// Its number: what completions say, and the peer has to know.
    pub fn number(&self) -> u32 {
        // SAFETY: the queue pair is there, and its number never changes.
        unsafe { (*self.raw()).qp_num }
    }

    /// The longest message, in bytes, that a request can carry in itself (`IBV_SEND_INLINE`).
    pub fn max_inline(&self) -> u32 {
        self.cap.max_inline_data
    }

    /// How many requests it has room for.
    pub fn max_send(&self) -> u32 {
        self.cap.max_send_wr
    }

    /// From RESET to INIT: buffers may be posted. `access` is what the peer may do to memory of this side: `IBV_ACCESS_` flags.
    ///
    /// # Errors
    /// It is in another state, or the device refuses.
    pub fn to_init(&self, port: u8, access: ibv_access_flags) -> io::Result<()> {
        let wanted = ibv_qp_attr {
            qp_state: IBV_QPS_INIT,
            pkey_index: 0,
            port_num: port,
            qp_access_flags: access,
            ..ibv_qp_attr::default()
        };
        let mask = IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS;
        self.modify(wanted, mask)
    }

    /// From INIT to RTR: it receives.
    ///
    /// # Errors
    /// It is in another state, there is no such path, or the device refuses.
    pub fn to_rtr(&self, remote: &Remote, path: &Path) -> io::Result<()> {
        let mut address = ibv_ah_attr {
            dlid: remote.lid,
            sl: path.sl,
            port_num: path.port,
            ..ibv_ah_attr::default()
        };
        if remote.is_global {
            address.is_global = 1;
            address.grh = ibv_global_route {
                dgid: ibv_gid { raw: remote.gid },
                flow_label: 0,
                sgid_index: path.gid_index,
                hop_limit: path.hop_limit,
                traffic_class: path.traffic_class,
            };
        }
        let wanted = ibv_qp_attr {
            qp_state: IBV_QPS_RTR,
            ah_attr: address,
            path_mtu: path.mtu,
            dest_qp_num: remote.qpn,
            rq_psn: remote.psn,
            max_dest_rd_atomic: READS,
            min_rnr_timer: path.min_rnr_timer,
            ..ibv_qp_attr::default()
        };
        let mask = IBV_QP_STATE
            | IBV_QP_AV
            | IBV_QP_PATH_MTU
            | IBV_QP_DEST_QPN
            | IBV_QP_RQ_PSN
            | IBV_QP_MAX_DEST_RD_ATOMIC
            | IBV_QP_MIN_RNR_TIMER;
        self.modify(wanted, mask)
    }

    /// From RTR to RTS: it sends, too, beginning with the packet of this number (24 bits).
    ///
    /// A packet that nobody acknowledges is sent again after 4.096 µs · 2^`timeout`, `retry_cnt` times; one that finds no buffer
    /// `rnr_retry` times, of which 7 are without end.
    ///
    /// # Errors
    /// It is in another state, or the device refuses.
    pub fn to_rts(&self, psn: u32, timeout: u8, retry_cnt: u8, rnr_retry: u8) -> io::Result<()> {
        let wanted = ibv_qp_attr {
            qp_state: IBV_QPS_RTS,
            sq_psn: psn,
            max_rd_atomic: READS,
            timeout,
            retry_cnt,
            rnr_retry,
            ..ibv_qp_attr::default()
        };
        let mask = IBV_QP_STATE
            | IBV_QP_SQ_PSN
            | IBV_QP_MAX_QP_RD_ATOMIC
            | IBV_QP_TIMEOUT
            | IBV_QP_RETRY_CNT
            | IBV_QP_RNR_RETRY;
        self.modify(wanted, mask)
    }

    /// To ERR, from any state: all that is posted and not completed completes as flushed, but for buffers in a shared queue.
    ///
    /// # Errors
    /// The device refuses.
    pub fn to_error(&self) -> io::Result<()> {
        let wanted = ibv_qp_attr {
            qp_state: IBV_QPS_ERR,
            ..ibv_qp_attr::default()
        };
        self.modify(wanted, IBV_QP_STATE)
    }

    /// The state that the device says it is in: one of the `IBV_QPS_` constants.
    ///
    /// # Errors
    /// The device does not answer.
    pub fn state(&self) -> io::Result<ibv_qp_state> {
        let mut found = ibv_qp_attr::default();
        let mut made = ibv_qp_init_attr::default();
        let query = self.pd.context().library().query_qp;
        let mask = IBV_QP_STATE.cast_signed();
        // SAFETY: the queue pair is there, and both structures may be written.
        check(unsafe { query(self.raw(), &raw mut found, mask, &raw mut made) })?;
        Ok(found.qp_state)
    }

    /// Posts a list of requests.
    ///
    /// # Errors
    /// The queue did not take all of them, with the error number: `ENOMEM` for a queue that is full.
    ///
    /// # Safety
    /// The list is valid, as are its entries' lists of pieces. Memory that they name and do not carry in themselves is not written by
    /// anyone until a completion of theirs, or of a later one, was taken, or the queue pair is gone.
    #[inline(always)]
    pub unsafe fn post_send(&self, first: *mut ibv_send_wr) -> Result<(), i32> {
        // Written where there is an error, and not read even then.
        let mut bad = MaybeUninit::uninit();
        // SAFETY: the queue pair is there, `bad` may be written, and the caller promises the rest.
        let code = unsafe { ops::post_send(self.raw(), first, bad.as_mut_ptr()) };
        taken(code)
    }

    /// Posts a list of buffers of its own.
    ///
    /// # Errors
    /// The queue did not take all of them, or there is none, since it receives into a shared one.
    ///
    /// # Safety
    /// The list is valid, as are its entries' lists of pieces, and no memory that they name is touched by anyone else until its completion
    /// was taken or the queue pair is gone. The queue pair was made without a shared queue.
    #[inline(always)]
    pub unsafe fn post_recv(&self, first: *mut ibv_recv_wr) -> Result<(), PostError<ibv_recv_wr>> {
        let mut bad = null_mut();
        // SAFETY: the queue pair is there, `bad` may be written, and the caller promises the rest.
        let code = unsafe { ops::post_recv(self.raw(), first, &raw mut bad) };
        posted(code, bad)
    }

    fn modify(&self, mut wanted: ibv_qp_attr, mask: ibv_qp_attr_mask) -> io::Result<()> {
        let modify = self.pd.context().library().modify_qp;
        // SAFETY: the queue pair is there, and the structure has what the mask says.
        check(unsafe { modify(self.raw(), &raw mut wanted, mask.cast_signed()) })
    }

    fn raw(&self) -> *mut ibv_qp {
        self.raw.as_ptr()
    }
}

impl Drop for Qp {
    fn drop(&mut self) {
        // SAFETY: it was made once, and nothing is made of it.
        let code = unsafe { (self.pd.context().library().destroy_qp)(self.raw()) };
        destroyed("a queue pair", code);
    }
}
