//! Devices, contexts, protection domains and memory regions.

use core::ffi::{c_char, c_int, c_void};
use std::collections::VecDeque;
use std::os::fd::AsRawFd;

use libc::{EBUSY, EINVAL, ENODATA};
use runtime_rdma::verbs::bindings::{
    IBV_ACCESS_LOCAL_WRITE, IBV_ACCESS_REMOTE_ATOMIC, IBV_ACCESS_REMOTE_WRITE, IBV_MTU_4096,
    IBV_PORT_ACTIVE, IBV_PORT_DOWN, ibv_context, ibv_context_ops, ibv_device, ibv_device_attr,
    ibv_gid, ibv_gid_entry, ibv_mr, ibv_pd, ibv_port_attr,
};

use super::{data, done, done_or_errno, made};
use crate::device::{GidEntry, LinkLayer};
use crate::events::counter;
use crate::fabric::{Fabric, lock};
use crate::faults::Call;
use crate::memory::REMOTE_KEY;
use crate::objects::{CContext, CDevice, Context, Held, Mr, Pd};

/// How a port's attribute says that its link is up or down.
const PHYSICALLY_UP: u8 = 5;
const PHYSICALLY_DOWN: u8 = 3;

pub(super) unsafe extern "C" fn get_device_list(count: *mut c_int) -> *mut *mut ibv_device {
    let mut list: Vec<*mut ibv_device> = lock()
        .devices
        .iter()
        .map(|device| device.held.as_ptr().cast())
        .collect();
    if !count.is_null() {
        // SAFETY: it is room for a number.
        unsafe { *count = list.len() as c_int };
    }
    list.push(core::ptr::null_mut());
    Box::into_raw(list.into_boxed_slice()).cast()
}

pub(super) unsafe extern "C" fn free_device_list(list: *mut *mut ibv_device) {
    let mut len = 0;
    loop {
        // SAFETY: the list ends with a null pointer, which has not been found before `len`.
        let entry = unsafe { list.add(len) };
        len += 1;
        // SAFETY: as above.
        if unsafe { *entry }.is_null() {
            break;
        }
    }
    let list = core::ptr::slice_from_raw_parts_mut(list, len);
    // SAFETY: `get_device_list` made it of a box with so many entries, and the caller gives it back.
    drop(unsafe { Box::from_raw(list) });
}

pub(super) unsafe extern "C" fn get_device_name(device: *mut ibv_device) -> *const c_char {
    // SAFETY: the caller's object; devices are never freed.
    (unsafe { &raw const (*device).name }).cast()
}

fn context_id(context: *mut ibv_context) -> u32 {
    // SAFETY: the caller's object, which `open_device` made with the number behind it.
    unsafe { (*context.cast::<CContext>()).id }
}

pub(super) unsafe extern "C" fn open_device(device: *mut ibv_device) -> *mut ibv_context {
    // SAFETY: the caller's object, which has the number behind it.
    let index = unsafe { (*device.cast::<CDevice>()).index };
    let mut fabric = lock();
    made(fabric.open(index, device))
}

impl Fabric {
    fn open(&mut self, index: usize, device: *mut ibv_device) -> Result<*mut ibv_context, c_int> {
        self.may_make(index, Call::OpenDevice)?;
        let fd = counter().map_err(|error| error.raw_os_error())?;
        let id = self.fresh_id();
        let base = ibv_context {
            device,
            // What is absent here are functions of the library's other entry points.
            ops: ibv_context_ops {
                poll_cq: Some(data::poll_cq),
                req_notify_cq: Some(data::req_notify_cq),
                post_send: Some(data::post_send),
                post_recv: Some(data::post_recv),
                post_srq_recv: Some(data::post_srq_recv),
                ..ibv_context_ops::default()
            },
            cmd_fd: -1,
            async_fd: fd.as_raw_fd(),
            num_comp_vectors: 1,
            // A null `abi_compat` says that no extended functions lie before the structure.
            ..ibv_context::default()
        };
        let held = Held::new(CContext { base, id });
        self.contexts.insert(
            id,
            Context {
                held,
                device: index,
                fd,
                events: VecDeque::with_capacity(64),
            },
        );
        Ok(held.as_ptr().cast())
    }

    fn close(&mut self, id: u32) -> Result<(), c_int> {
        let used = self.pds.values().any(|pd| pd.context == id)
            || self.channels.values().any(|channel| channel.context == id)
            || self.cqs.values().any(|cq| cq.context == id);
        if used {
            return Err(EBUSY);
        }
        let context = self.contexts.remove(&id).ok_or(EINVAL)?;
        // SAFETY: the caller gives it back, and the table does not have it any more.
        unsafe { context.held.free() };
        Ok(())
    }
}

pub(super) unsafe extern "C" fn close_device(context: *mut ibv_context) -> c_int {
    done_or_errno(lock().close(context_id(context)))
}

pub(super) unsafe extern "C" fn query_device(
    context: *mut ibv_context,
    attr: *mut ibv_device_attr,
) -> c_int {
    let id = context_id(context);
    let mut fabric = lock();
    let device = fabric.device_of(id);
    if let Err(error) = fabric.fault(device, Call::QueryDevice) {
        return error;
    }
    let traits = &fabric.devices[device].traits;
    let mut filled = ibv_device_attr {
        max_mr_size: traits.max_mr_size,
        page_size_cap: 4_096,
        max_qp: traits.max_qp as c_int,
        max_qp_wr: traits.max_qp_wr as c_int,
        max_sge: traits.max_sge as c_int,
        max_sge_rd: traits.max_sge as c_int,
        max_cq: 1 << 16,
        max_cqe: traits.max_cqe as c_int,
        max_mr: 1 << 20,
        max_pd: 1 << 16,
        max_qp_rd_atom: traits.max_rd_atomic.into(),
        max_qp_init_rd_atom: traits.max_rd_atomic.into(),
        max_srq: 1 << 16,
        max_srq_wr: traits.max_srq_wr as c_int,
        max_srq_sge: traits.max_sge as c_int,
        max_pkeys: 1,
        phys_port_cnt: 1,
        ..ibv_device_attr::default()
    };
    filled.fw_ver[..3].copy_from_slice(&b"sim".map(|byte| byte as c_char));
    // SAFETY: it is room for the attributes.
    unsafe { *attr = filled };
    0
}

pub(super) unsafe extern "C" fn query_port(
    context: *mut ibv_context,
    port: u8,
    attr: *mut ibv_port_attr,
) -> c_int {
    let id = context_id(context);
    let mut fabric = lock();
    let device = fabric.device_of(id);
    if let Err(error) = fabric.fault(device, Call::QueryPort) {
        return error;
    }
    if port != 1 {
        return EINVAL;
    }
    let device = &fabric.devices[device];
    let up = device.port_up && !device.fatal;
    let mut filled = ibv_port_attr {
        state: if up { IBV_PORT_ACTIVE } else { IBV_PORT_DOWN },
        max_mtu: IBV_MTU_4096,
        active_mtu: device.traits.active_mtu,
        gid_tbl_len: device.traits.gids.len() as c_int,
        max_msg_sz: device.traits.max_msg_sz,
        pkey_tbl_len: 1,
        lid: match device.traits.link_layer {
            LinkLayer::Ethernet => 0,
            LinkLayer::InfiniBand { lid } => lid,
        },
        max_vl_num: 1,
        active_width: 2,
        active_speed: 32,
        phys_state: if up { PHYSICALLY_UP } else { PHYSICALLY_DOWN },
        link_layer: device.traits.link_layer.code(),
        ..ibv_port_attr::default()
    };
    // The exported function knows a structure without the last field, and leaves that alone.
    // SAFETY: it is room for the attributes.
    filled.port_cap_flags2 = unsafe { (*attr).port_cap_flags2 };
    // SAFETY: as above.
    unsafe { *attr = filled };
    0
}

impl Fabric {
    /// An entry of the GID table; an empty one is none.
    fn gid(&mut self, context: u32, port: u32, index: u32) -> Result<GidEntry, c_int> {
        let device = self.device_of(context);
        self.fault(device, Call::QueryGid)?;
        if port != 1 {
            return Err(EINVAL);
        }
        let gids = &self.devices[device].traits.gids;
        gids.get(index as usize).ok_or(EINVAL)?.ok_or(ENODATA)
    }
}

pub(super) unsafe extern "C" fn query_gid(
    context: *mut ibv_context,
    port: u8,
    index: c_int,
    gid: *mut ibv_gid,
) -> c_int {
    let entry = lock().gid(context_id(context), port.into(), index.cast_unsigned());
    let raw = match entry {
        Ok(entry) => entry.raw,
        // This one gives an empty entry as zeroes.
        Err(ENODATA) => [0; 16],
        Err(error) => return done_or_errno(Err(error)),
    };
    // SAFETY: it is room for an address.
    unsafe { *gid = ibv_gid { raw } };
    0
}

pub(super) unsafe extern "C" fn query_gid_ex(
    context: *mut ibv_context,
    port: u32,
    index: u32,
    entry: *mut ibv_gid_entry,
    flags: u32,
    size: usize,
) -> c_int {
    if flags != 0 || size < size_of::<ibv_gid_entry>() {
        return EINVAL;
    }
    match lock().gid(context_id(context), port, index) {
        Ok(found) => {
            let filled = ibv_gid_entry {
                gid: ibv_gid { raw: found.raw },
                gid_index: index,
                port_num: port,
                gid_type: found.kind,
                ndev_ifindex: 1,
            };
            // SAFETY: it is room for an entry.
            unsafe { *entry = filled };
            0
        }
        Err(error) => error,
    }
}

pub(super) unsafe extern "C" fn alloc_pd(context: *mut ibv_context) -> *mut ibv_pd {
    let id = context_id(context);
    let mut fabric = lock();
    let device = fabric.device_of(id);
    if let Err(error) = fabric.may_make(device, Call::AllocPd) {
        return made(Err(error));
    }
    let handle = fabric.fresh_id();
    let held = Held::new(ibv_pd { context, handle });
    fabric.pds.insert(handle, Pd { held, context: id });
    held.as_ptr()
}

pub(super) unsafe extern "C" fn dealloc_pd(pd: *mut ibv_pd) -> c_int {
    // SAFETY: the caller's object.
    let id = unsafe { (*pd).handle };
    let mut fabric = lock();
    let used = fabric.mrs.values().any(|mr| mr.pd == id)
        || fabric.srqs.values().any(|srq| srq.pd == id)
        || fabric.qps.values().any(|qp| qp.pd == id);
    if used {
        return EBUSY;
    }
    let Some(pd) = fabric.pds.remove(&id) else {
        return EINVAL;
    };
    // SAFETY: the caller gives it back, and the table does not have it any more.
    unsafe { pd.held.free() };
    0
}

impl Fabric {
    fn register(
        &mut self,
        pd: u32,
        start: u64,
        len: usize,
        access: u32,
    ) -> Result<Held<ibv_mr>, c_int> {
        let device = self.device_of(self.pds[&pd].context);
        self.may_make(device, Call::RegMr)?;
        let len = len as u64;
        let remote = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC;
        // Who may write from afar must be able to here, the specification says.
        let contradicts = access & remote != 0 && access & IBV_ACCESS_LOCAL_WRITE == 0;
        let too_large = len > self.devices[device].traits.max_mr_size;
        if len == 0 || start.checked_add(len).is_none() || contradicts || too_large {
            return Err(EINVAL);
        }
        let lkey = self.fresh_id();
        let held = Held::new(ibv_mr {
            handle: lkey,
            lkey,
            rkey: lkey ^ REMOTE_KEY,
            length: len as usize,
            ..ibv_mr::default()
        });
        self.mrs.insert(
            lkey,
            Mr {
                held,
                pd,
                start,
                len,
                access,
            },
        );
        Ok(held)
    }
}

pub(super) unsafe extern "C" fn reg_mr(
    pd: *mut ibv_pd,
    addr: *mut c_void,
    len: usize,
    access: c_int,
) -> *mut ibv_mr {
    // SAFETY: the caller's object.
    let ibv_pd { context, handle } = unsafe { *pd };
    // Messages name memory by number, as for a device, so the pointer's right to the memory is exposed here.
    let start = addr.expose_provenance() as u64;
    let result = lock()
        .register(handle, start, len, access.cast_unsigned())
        .map(Held::as_ptr);
    if let Ok(mr) = result {
        // SAFETY: it was just made, and nobody else knows it yet.
        let mr = unsafe { &mut *mr };
        (mr.context, mr.pd, mr.addr) = (context, pd, addr);
    }
    made(result)
}

pub(super) unsafe extern "C" fn dereg_mr(mr: *mut ibv_mr) -> c_int {
    // SAFETY: the caller's object.
    let id = unsafe { (*mr).handle };
    let Some(mr) = lock().mrs.remove(&id) else {
        return EINVAL;
    };
    // SAFETY: the caller gives it back, and the table does not have it any more.
    unsafe { mr.held.free() };
    done(Ok(()))
}

pub(super) unsafe extern "C" fn fork_init() -> c_int {
    0
}
