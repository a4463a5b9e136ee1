//! One end of a queue pair, with as little around it as there can be.

use std::io;
use std::sync::Arc;

use runtime_rdma::verbs::bindings::{
    IBV_ACCESS_LOCAL_WRITE, IBV_SEND_INLINE, IBV_SEND_SIGNALED, IBV_WC_SUCCESS,
    IBV_WR_SEND_WITH_IMM, ibv_qp_cap, ibv_recv_wr, ibv_send_wr, ibv_sge, ibv_wc,
};
use runtime_rdma::verbs::{Channel, Cq, Path, Qp, Region, Remote, Srq};

use super::port::Port;

/// Receive buffers. One message is on its way at a time.
const RECEIVES: usize = 8;

/// Entries of the send queue.
const SENDS: u32 = 128;

/// Messages of which one is signalled, as the backend does.
const SIGNAL_EVERY: u32 = 32;

/// Bytes that are sent inline, as the backend does, and if the device cannot: as much as it tries then.
const INLINE: [u32; 3] = [220, 64, 0];

/// The other side is gone, or the device fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost;

/// One end: a buffer to send from, some to receive into, a completion queue for each way.
pub(crate) struct End {
    /// First: destroyed before the memory that it may write.
    qp: Qp,
    srq: Option<Arc<Srq>>,
    send_cq: Arc<Cq>,
    recv_cq: Arc<Cq>,
    port: Port,
    sending: Region,
    receiving: Region,
    bytes: usize,
    since_signal: u32,
    completions: [ibv_wc; 1],
}

impl End {
    /// One for payloads of so many bytes, which receives already; into a shared queue, if it is to.
    pub(crate) fn new(port: Port, bytes: usize, is_shared: bool) -> Result<Self, String> {
        let failed = |what: &str| {
            let what = what.to_string();
            move |error: io::Error| format!("{what}: {error}")
        };
        let context = port.pd.context();
        let cq = |entries| {
            Cq::new(context, entries, None::<&Arc<Channel>>)
                .map_err(failed("making a completion queue"))
        };
        let (send_cq, recv_cq) = (cq(SENDS + 1)?, cq(RECEIVES as u32 + 1)?);
        let srq = is_shared.then(|| Srq::new(&port.pd, RECEIVES as u32));
        let srq = srq
            .transpose()
            .map_err(failed("making a shared receive queue"))?;
        let made = INLINE.map(|inline| ibv_qp_cap {
            max_send_wr: SENDS,
            max_recv_wr: if is_shared { 0 } else { RECEIVES as u32 },
            max_send_sge: 1,
            max_recv_sge: u32::from(!is_shared),
            max_inline_data: inline,
        });
        let mut made = made
            .into_iter()
            .map(|caps| Qp::new(&port.pd, &send_cq, &recv_cq, srq.as_ref(), caps));
        let qp = made.find(Result::is_ok).transpose();
        let Ok(Some(qp)) = qp else {
            return Err("the device makes no queue pair".into());
        };
        qp.to_init(port.number, 0)
            .map_err(failed("bringing up a queue pair"))?;
        let stride = bytes.next_multiple_of(64);
        let region = |count: usize, access| {
            Region::new(&port.pd, count * stride, access).map_err(failed("registering memory"))
        };
        let (sending, receiving) = (region(1, 0)?, region(RECEIVES, IBV_ACCESS_LOCAL_WRITE)?);
        let this = Self {
            qp,
            srq,
            send_cq,
            recv_cq,
            port,
            sending,
            receiving,
            bytes,
            since_signal: 0,
            completions: [ibv_wc::default()],
        };
        for number in 0..RECEIVES {
            this.post(number)
                .map_err(|Lost| "the device takes no receive buffer")?;
        }
        Ok(this)
    }

    /// What the other side has to know.
    pub(crate) fn number(&self) -> u32 {
        self.qp.number()
    }

    /// Connects it to a queue pair at the same port. The numbers of the first packets are those of the queue pairs, which nobody has
    /// had for a while.
    pub(crate) fn connect(&self, peer: u32) -> Result<(), String> {
        let port = &self.port;
        let remote = Remote {
            qpn: peer,
            psn: peer & 0xff_ffff,
            lid: port.lid,
            gid: port.gid,
            is_global: port.is_global,
        };
        // All as the backend sets it.
        let path = Path {
            port: port.number,
            gid_index: port.gid_index,
            mtu: port.mtu,
            min_rnr_timer: 12,
            hop_limit: 64,
            traffic_class: 0,
            sl: 0,
        };
        self.qp
            .to_rtr(&remote, &path)
            .and_then(|()| self.qp.to_rts(self.qp.number() & 0xff_ffff, 14, 6, 7))
            .map_err(|error| format!("connecting a queue pair: {error}"))
    }

    /// Sends a payload. The one before must have been received.
    #[inline(always)]
    pub(crate) fn send(&mut self, fill: impl FnOnce(&mut [u8])) -> Result<(), Lost> {
        let start = self.sending.start().as_ptr();
        // SAFETY: the region is as long, and nobody reads it: what it held was received.
        fill(unsafe { std::slice::from_raw_parts_mut(start, self.bytes) });
        self.post_send()
    }

    /// Sends what the buffer holds.
    #[inline(always)]
    fn post_send(&mut self) -> Result<(), Lost> {
        let mut flags = 0;
        if self.bytes <= self.qp.max_inline() as usize {
            flags |= IBV_SEND_INLINE;
        }
        self.since_signal += 1;
        if self.since_signal == SIGNAL_EVERY {
            self.since_signal = 0;
            flags |= IBV_SEND_SIGNALED;
            self.reap()?;
        }
        let mut payload = ibv_sge {
            addr: self.sending.start().as_ptr() as u64,
            length: self.bytes as u32,
            lkey: self.sending.lkey(),
        };
        let mut request = ibv_send_wr {
            sg_list: &raw mut payload,
            num_sge: 1,
            opcode: IBV_WR_SEND_WITH_IMM,
            send_flags: flags,
            ..ibv_send_wr::default()
        };
        request.__bindgen_anon_1.imm_data = 1_u32.to_be();
        // SAFETY: a list of one request, whose payload is written again only when it was received: `send` and `answer` see to it.
        unsafe { self.qp.post_send(&raw mut request) }.map_err(|_| Lost)
    }

    /// Takes the completions of what was sent.
    #[cold]
    fn reap(&mut self) -> Result<(), Lost> {
        while self.send_cq.poll(&mut self.completions).map_err(|_| Lost)? != 0 {
            if self.completions[0].status != IBV_WC_SUCCESS {
                return Err(Lost);
            }
        }
        Ok(())
    }

    /// The next message, if one has arrived: its bytes are for `read`, and its buffer is then free for another.
    #[inline(always)]
    pub(crate) fn receive<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Lost> {
        let Some(number) = self.poll()? else {
            return Ok(None);
        };
        let result = read(self.received(number));
        self.post(number)?;
        Ok(Some(result))
    }

    /// Sends the next message back, if one has arrived. Its buffer is free before the other side hears of it.
    #[inline(always)]
    pub(crate) fn answer<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Lost> {
        let Some(number) = self.poll()? else {
            return Ok(None);
        };
        let payload = self.received(number);
        let result = read(payload);
        let start = self.sending.start().as_ptr();
        // SAFETY: the region is as long, and nobody reads it: the other side has received what it held before it asked again.
        unsafe { std::slice::from_raw_parts_mut(start, self.bytes) }.copy_from_slice(payload);
        self.post(number)?;
        self.post_send()?;
        Ok(Some(result))
    }

    /// Which buffer has been received into.
    #[inline(always)]
    fn poll(&mut self) -> Result<Option<usize>, Lost> {
        if self.recv_cq.poll(&mut self.completions).map_err(|_| Lost)? == 0 {
            return Ok(None);
        }
        let [completion] = &self.completions;
        let is_whole = completion.byte_len as usize == self.bytes;
        if completion.status != IBV_WC_SUCCESS || !is_whole {
            return Err(Lost);
        }
        Ok(Some(completion.wr_id as usize % RECEIVES))
    }

    /// The bytes of a buffer that has been received into.
    #[inline(always)]
    fn received(&self, number: usize) -> &[u8] {
        // SAFETY: within the region, which has a place for each number.
        let start = unsafe { self.receiving.start().add(number * self.stride()) };
        // SAFETY: as above; the device has given it up until it is posted, which needs `&mut` outside `new`.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), self.bytes) }
    }

    #[inline(always)]
    fn stride(&self) -> usize {
        self.bytes.next_multiple_of(64)
    }

    /// Has the device receive into a buffer again.
    #[inline(always)]
    fn post(&self, number: usize) -> Result<(), Lost> {
        // SAFETY: within the region, which has a place for each number.
        let start = unsafe { self.receiving.start().add(number * self.stride()) };
        let mut payload = ibv_sge {
            addr: start.as_ptr() as u64,
            length: self.bytes as u32,
            lkey: self.receiving.lkey(),
        };
        let mut request = ibv_recv_wr {
            wr_id: number as u64,
            next: std::ptr::null_mut(),
            sg_list: &raw mut payload,
            num_sge: 1,
        };
        let posted = match &self.srq {
            // SAFETY: a list of one request, whose memory nobody has until it completes, and which goes after the queue pair.
            Some(srq) => unsafe { srq.post(&raw mut request) },
            // SAFETY: as above.
            None => unsafe { self.qp.post_recv(&raw mut request) },
        };
        posted.map_err(|_| Lost)
    }
}
