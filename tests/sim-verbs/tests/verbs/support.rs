//! A node of raw verbs: the objects that tests need, made and destroyed in order, and calls that check what they return.

use core::ffi::c_int;
use core::ptr::null_mut;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use runtime_rdma::verbs::Library;
use runtime_rdma::verbs::bindings::*;
use sim_verbs::{Device, Leaks, Traits};

/// Bytes of a node's memory.
pub(crate) const MEMORY: usize = 8_192;

/// Runs a test on its own thread and fails it if it hangs.
pub(crate) fn guarded(test: fn()) {
    let (done, wait) = channel();
    let thread = std::thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match wait.recv_timeout(Duration::from_secs(60)) {
        Ok(()) => thread.join().expect("the test has ended"),
        Err(RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Err(RecvTimeoutError::Timeout) => panic!("the test did not end within a minute"),
    }
}

/// The tests of a file, each under the watchdog.
macro_rules! tests {
    ($($(#[$meta:meta])* fn $name:ident() $body:block)+) => {
        $($(#[$meta])* #[test] fn $name() { crate::support::guarded(|| $body); })+
    };
}
pub(crate) use tests;

/// A request to send.
#[derive(Clone, Debug)]
pub(crate) struct Send {
    pub(crate) id: u64,
    pub(crate) opcode: ibv_wr_opcode,
    pub(crate) flags: u32,
    pub(crate) sges: Vec<ibv_sge>,
    pub(crate) imm: u32,
    pub(crate) remote: (u64, u32),
}

impl Send {
    /// A signalled send of some pieces.
    pub(crate) fn new(id: u64, sges: &[ibv_sge]) -> Self {
        Self {
            id,
            opcode: IBV_WR_SEND,
            flags: IBV_SEND_SIGNALED,
            sges: sges.into(),
            imm: 0,
            remote: (0, 0),
        }
    }

    pub(crate) fn opcode(self, opcode: ibv_wr_opcode) -> Self {
        Self { opcode, ..self }
    }

    pub(crate) fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    pub(crate) fn imm(self, imm: u32) -> Self {
        Self {
            imm,
            ..self.opcode(IBV_WR_SEND_WITH_IMM)
        }
    }

    pub(crate) fn remote(self, opcode: ibv_wr_opcode, addr: u64, rkey: u32) -> Self {
        Self {
            remote: (addr, rkey),
            ..self.opcode(opcode)
        }
    }
}

/// What a posting call returned: the error, and how many requests came before the bad one.
pub(crate) type Posted = Result<(), (c_int, usize)>;

/// An opened device with a registered piece of memory, and what was made on it.
pub(crate) struct Node {
    pub(crate) lib: &'static Library,
    pub(crate) device: Device,
    pub(crate) context: *mut ibv_context,
    pub(crate) pd: *mut ibv_pd,
    pub(crate) mr: *mut ibv_mr,
    memory: *mut u8,
    channels: Vec<*mut ibv_comp_channel>,
    cqs: Vec<*mut ibv_cq>,
    srqs: Vec<*mut ibv_srq>,
    qps: Vec<*mut ibv_qp>,
}

/// The entry of the device list with this name.
pub(crate) fn find(lib: &Library, name: &str) -> *mut ibv_device {
    let mut count = 0;
    // SAFETY: it is room for the count.
    let list = unsafe { (lib.get_device_list)(&raw mut count) };
    let mut found = null_mut();
    for at in 0..count as usize {
        // SAFETY: the list has so many entries.
        let entry = unsafe { list.add(at) };
        // SAFETY: as above.
        let device = unsafe { *entry };
        // SAFETY: the device is from the list.
        let text = unsafe { (lib.get_device_name)(device) };
        // SAFETY: the name ends with a zero byte and stays.
        if unsafe { core::ffi::CStr::from_ptr(text) }.to_str() == Ok(name) {
            found = device;
        }
    }
    // SAFETY: the list is from the library and not used again; what is found stays, as the provider's devices do.
    unsafe { (lib.free_device_list)(list) };
    assert!(!found.is_null(), "there is a device `{name}`");
    found
}

impl Node {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, Traits::default())
    }

    pub(crate) fn with(name: &str, traits: Traits) -> Self {
        sim_verbs::install();
        let device = Device::add(name, traits);
        let lib = Library::get().expect("the provider is installed");
        // SAFETY: the device is from the list.
        let context = unsafe { (lib.open_device)(find(lib, name)) };
        assert!(!context.is_null());
        // SAFETY: the context is open.
        let pd = unsafe { (lib.alloc_pd)(context) };
        assert!(!pd.is_null());
        let memory = Box::into_raw(Box::new([0u8; MEMORY])).cast::<u8>();
        let access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ;
        // SAFETY: the memory stays until the region is gone.
        let mr = unsafe { (lib.reg_mr)(pd, memory.cast(), MEMORY, access as c_int) };
        assert!(!mr.is_null());
        Self {
            lib,
            device,
            context,
            pd,
            mr,
            memory,
            channels: Vec::new(),
            cqs: Vec::new(),
            srqs: Vec::new(),
            qps: Vec::new(),
        }
    }

    pub(crate) fn lkey(&self) -> u32 {
        // SAFETY: the region is the node's.
        unsafe { (*self.mr).lkey }
    }

    pub(crate) fn rkey(&self) -> u32 {
        // SAFETY: the region is the node's.
        unsafe { (*self.mr).rkey }
    }

    pub(crate) fn addr(&self, offset: usize) -> u64 {
        self.memory.expose_provenance() as u64 + offset as u64
    }

    /// A piece of the node's memory.
    pub(crate) fn sge(&self, offset: usize, length: usize) -> ibv_sge {
        ibv_sge {
            addr: self.addr(offset),
            length: length as u32,
            lkey: self.lkey(),
        }
    }

    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= MEMORY);
        // SAFETY: checked.
        let to = unsafe { self.memory.add(offset) };
        // SAFETY: checked, and no message uses these bytes now.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    pub(crate) fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        assert!(offset + len <= MEMORY);
        let mut bytes = vec![0; len];
        // SAFETY: checked.
        let from = unsafe { self.memory.add(offset) };
        // SAFETY: checked, and no message uses these bytes now.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), len) };
        bytes
    }

    pub(crate) fn channel(&mut self) -> *mut ibv_comp_channel {
        // SAFETY: the context is open.
        let channel = unsafe { (self.lib.create_comp_channel)(self.context) };
        assert!(!channel.is_null());
        self.channels.push(channel);
        channel
    }

    pub(crate) fn cq(&mut self, entries: c_int) -> *mut ibv_cq {
        self.cq_on(entries, null_mut())
    }

    pub(crate) fn cq_on(&mut self, entries: c_int, channel: *mut ibv_comp_channel) -> *mut ibv_cq {
        // SAFETY: the context is open, the channel is of it or null.
        let cq = unsafe { (self.lib.create_cq)(self.context, entries, null_mut(), channel, 0) };
        assert!(!cq.is_null());
        self.cqs.push(cq);
        cq
    }

    pub(crate) fn srq(&mut self, max_wr: u32) -> *mut ibv_srq {
        let mut init = ibv_srq_init_attr::default();
        (init.attr.max_wr, init.attr.max_sge) = (max_wr, 2);
        // SAFETY: the domain is the node's.
        let srq = unsafe { (self.lib.create_srq)(self.pd, &raw mut init) };
        assert!(!srq.is_null());
        self.srqs.push(srq);
        srq
    }

    pub(crate) fn limit(&self, srq: *mut ibv_srq, limit: u32) -> c_int {
        let mut attr = ibv_srq_attr {
            srq_limit: limit,
            ..ibv_srq_attr::default()
        };
        // SAFETY: the queue is the node's.
        unsafe { (self.lib.modify_srq)(srq, &raw mut attr, IBV_SRQ_LIMIT as c_int) }
    }

    /// What queue pairs of the tests have: little, so that it can be full.
    pub(crate) fn init(cq: *mut ibv_cq, srq: *mut ibv_srq) -> ibv_qp_init_attr {
        let mut init = ibv_qp_init_attr {
            send_cq: cq,
            recv_cq: cq,
            srq,
            qp_type: IBV_QPT_RC,
            ..ibv_qp_init_attr::default()
        };
        (init.cap.max_send_wr, init.cap.max_recv_wr) = (4, 4);
        (init.cap.max_send_sge, init.cap.max_recv_sge) = (2, 2);
        init.cap.max_inline_data = 64;
        init
    }

    pub(crate) fn qp(&mut self, cq: *mut ibv_cq, srq: *mut ibv_srq) -> *mut ibv_qp {
        self.qp_with(&mut Self::init(cq, srq))
    }

    pub(crate) fn qp_with(&mut self, init: &mut ibv_qp_init_attr) -> *mut ibv_qp {
        // SAFETY: the queues are the node's.
        let qp = unsafe { (self.lib.create_qp)(self.pd, init) };
        assert!(!qp.is_null());
        self.qps.push(qp);
        qp
    }

    pub(crate) fn modify(&self, qp: *mut ibv_qp, attr: &mut ibv_qp_attr, mask: u32) -> c_int {
        // SAFETY: the queue pair is the node's.
        unsafe { (self.lib.modify_qp)(qp, attr, mask as c_int) }
    }

    pub(crate) fn state(&self, qp: *mut ibv_qp) -> ibv_qp_state {
        let (mut attr, mut init) = (ibv_qp_attr::default(), ibv_qp_init_attr::default());
        let result =
            // SAFETY: the queue pair is the node's.
            unsafe { (self.lib.query_qp)(qp, &raw mut attr, IBV_QP_STATE as c_int, &raw mut init) };
        assert_eq!(result, 0);
        attr.qp_state
    }

    pub(crate) fn to_error(&self, qp: *mut ibv_qp) {
        let mut attr = ibv_qp_attr {
            qp_state: IBV_QPS_ERR,
            ..ibv_qp_attr::default()
        };
        assert_eq!(self.modify(qp, &mut attr, IBV_QP_STATE), 0);
    }

    /// Destroys a queue pair of the node.
    pub(crate) fn destroy_qp(&mut self, qp: *mut ibv_qp) {
        self.qps.retain(|other| *other != qp);
        // SAFETY: the queue pair is the node's, and not used again.
        assert_eq!(unsafe { (self.lib.destroy_qp)(qp) }, 0);
    }

    pub(crate) fn post_send(&self, qp: *mut ibv_qp, sends: &[Send]) -> Posted {
        let mut lists: Vec<_> = sends.iter().map(|send| send.sges.clone()).collect();
        let mut wrs: Vec<ibv_send_wr> = Vec::new();
        for (send, list) in sends.iter().zip(&mut lists) {
            let mut wr = ibv_send_wr {
                wr_id: send.id,
                sg_list: list.as_mut_ptr(),
                num_sge: list.len() as c_int,
                opcode: send.opcode,
                send_flags: send.flags,
                ..ibv_send_wr::default()
            };
            wr.__bindgen_anon_1.imm_data = send.imm.to_be();
            wr.wr.rdma.remote_addr = send.remote.0;
            wr.wr.rdma.rkey = send.remote.1;
            wrs.push(wr);
        }
        let first = wrs.as_mut_ptr();
        for at in 1..wrs.len() {
            // SAFETY: there are so many.
            let next = unsafe { first.add(at) };
            // SAFETY: as above.
            let this = unsafe { first.add(at - 1) };
            // SAFETY: as above.
            unsafe { (*this).next = next };
        }
        let mut bad = null_mut();
        let post = self.ops().post_send.expect("it can send");
        // SAFETY: the queue pair is the node's, the list ends, and both live for the call; memory stays as long as the node.
        let result = unsafe { post(qp, first, &raw mut bad) };
        posted(result, first, bad)
    }

    fn ops(&self) -> ibv_context_ops {
        // SAFETY: the context is open.
        unsafe { (*self.context).ops }
    }

    /// Posts buffers with these numbers and pieces, to a queue pair or a shared queue.
    pub(crate) fn post_recv(&self, to: impl Into<Receiver>, buffers: &[(u64, ibv_sge)]) -> Posted {
        let mut lists: Vec<_> = buffers.iter().map(|(_, sge)| [*sge]).collect();
        let mut wrs: Vec<ibv_recv_wr> = buffers
            .iter()
            .zip(&mut lists)
            .map(|((id, _), list)| ibv_recv_wr {
                wr_id: *id,
                next: null_mut(),
                sg_list: list.as_mut_ptr(),
                num_sge: 1,
            })
            .collect();
        let first = wrs.as_mut_ptr();
        for at in 1..wrs.len() {
            // SAFETY: there are so many.
            let next = unsafe { first.add(at) };
            // SAFETY: as above.
            let this = unsafe { first.add(at - 1) };
            // SAFETY: as above.
            unsafe { (*this).next = next };
        }
        let mut bad = null_mut();
        let ops = self.ops();
        let result = match to.into() {
            Receiver::Qp(qp) => {
                let post = ops.post_recv.expect("it can receive");
                // SAFETY: the queue pair is the node's, the list ends, and both live for the call.
                unsafe { post(qp, first, &raw mut bad) }
            }
            Receiver::Srq(srq) => {
                let post = ops.post_srq_recv.expect("it can receive");
                // SAFETY: the queue is the node's, the list ends, and both live for the call.
                unsafe { post(srq, first, &raw mut bad) }
            }
        };
        posted(result, first, bad)
    }

    /// What polling once gives, of at most `room` entries.
    pub(crate) fn poll_some(&self, cq: *mut ibv_cq, room: usize) -> Result<Vec<ibv_wc>, c_int> {
        let mut wcs = vec![ibv_wc::default(); room];
        let poll = self.ops().poll_cq.expect("it can poll");
        // SAFETY: the queue is the node's, and the array has so many entries.
        let count = unsafe { poll(cq, room as c_int, wcs.as_mut_ptr()) };
        wcs.truncate(usize::try_from(count).map_err(|_| count)?);
        Ok(wcs)
    }

    /// All completions that there are: number and status.
    pub(crate) fn poll(&self, cq: *mut ibv_cq) -> Vec<(u64, ibv_wc_status)> {
        self.poll_some(cq, 64)
            .expect("the queue works")
            .iter()
            .map(|wc| (wc.wr_id, wc.status))
            .collect()
    }

    pub(crate) fn arm(&self, cq: *mut ibv_cq, solicited_only: bool) -> c_int {
        let arm = self.ops().req_notify_cq.expect("it can be armed");
        // SAFETY: the queue is the node's.
        unsafe { arm(cq, solicited_only.into()) }
    }

    /// The number of a queue pair.
    pub(crate) fn number(&self, qp: *mut ibv_qp) -> u32 {
        // SAFETY: the queue pair is the node's.
        unsafe { (*qp).qp_num }
    }

    /// The next asynchronous event, acknowledged: its kind. None if there is none.
    pub(crate) fn event(&self) -> Option<ibv_event_type> {
        // SAFETY: the context is open.
        let fd = unsafe { (*self.context).async_fd };
        nonblocking(fd);
        let mut event = ibv_async_event::default();
        // SAFETY: the context is open, and it is room for an event.
        let result = unsafe { (self.lib.get_async_event)(self.context, &raw mut event) };
        if result != 0 {
            assert_eq!(errno(), libc::EAGAIN);
            return None;
        }
        // SAFETY: the event was just got.
        unsafe { (self.lib.ack_async_event)(&raw mut event) };
        Some(event.event_type)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for qp in core::mem::take(&mut self.qps) {
            self.destroy_qp(qp);
        }
        for srq in &self.srqs {
            // SAFETY: the queue is the node's, and not used again.
            assert_eq!(unsafe { (self.lib.destroy_srq)(*srq) }, 0);
        }
        for cq in &self.cqs {
            // SAFETY: the queue is the node's, and not used again.
            assert_eq!(unsafe { (self.lib.destroy_cq)(*cq) }, 0);
        }
        for channel in &self.channels {
            // SAFETY: the channel is the node's, and not used again.
            assert_eq!(unsafe { (self.lib.destroy_comp_channel)(*channel) }, 0);
        }
        // SAFETY: the region is the node's, and not used again.
        assert_eq!(unsafe { (self.lib.dereg_mr)(self.mr) }, 0);
        // SAFETY: the domain is the node's, and not used again.
        assert_eq!(unsafe { (self.lib.dealloc_pd)(self.pd) }, 0);
        // SAFETY: the context is the node's, and not used again.
        assert_eq!(unsafe { (self.lib.close_device)(self.context) }, 0);
        assert_eq!(self.device.leaks(), Leaks::default());
        // SAFETY: it came from a box of this type, and no region has it any more.
        drop(unsafe { Box::from_raw(self.memory.cast::<[u8; MEMORY]>()) });
    }
}

/// Where buffers are posted.
pub(crate) enum Receiver {
    Qp(*mut ibv_qp),
    Srq(*mut ibv_srq),
}

impl From<*mut ibv_qp> for Receiver {
    fn from(qp: *mut ibv_qp) -> Self {
        Self::Qp(qp)
    }
}

impl From<*mut ibv_srq> for Receiver {
    fn from(srq: *mut ibv_srq) -> Self {
        Self::Srq(srq)
    }
}

fn posted<T>(result: c_int, first: *mut T, bad: *mut T) -> Posted {
    match result {
        0 => Ok(()),
        error => {
            let before = (bad.addr() - first.addr()) / size_of::<T>();
            Err((error, before))
        }
    }
}

pub(crate) fn errno() -> c_int {
    std::io::Error::last_os_error()
        .raw_os_error()
        .expect("it is the system's")
}

pub(crate) fn nonblocking(fd: c_int) {
    // SAFETY: it has no conditions on memory.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    // SAFETY: as above.
    let result = unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) };
    assert_eq!(result, 0);
}

/// True if a descriptor is readable now.
pub(crate) fn readable(fd: c_int) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: it is one entry.
    unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
}
