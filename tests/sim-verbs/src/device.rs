//! Devices: what they can do, and what has become of them.

use std::collections::VecDeque;

use libc::c_char;
use runtime_rdma::verbs::bindings::{
    IBV_GID_TYPE_IB, IBV_GID_TYPE_ROCE_V1, IBV_GID_TYPE_ROCE_V2, IBV_LINK_LAYER_ETHERNET,
    IBV_LINK_LAYER_INFINIBAND, IBV_MTU_4096, IBV_NODE_CA, IBV_TRANSPORT_IB, ibv_device,
    ibv_gid_type, ibv_mtu,
};

use crate::fabric::lock;
use crate::faults::{CALLS, Counters};
use crate::objects::{CDevice, Held};

/// What a device's port is connected to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkLayer {
    /// RoCE: peers are addressed by GID.
    Ethernet,
    /// Peers are addressed by the port's LID.
    InfiniBand {
        /// The port's own.
        lid: u16,
    },
}

impl LinkLayer {
    pub(crate) fn code(self) -> u8 {
        (match self {
            Self::Ethernet => IBV_LINK_LAYER_ETHERNET,
            Self::InfiniBand { .. } => IBV_LINK_LAYER_INFINIBAND,
        }) as u8
    }
}

/// An entry of a port's GID table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GidEntry {
    /// The address.
    pub raw: [u8; 16],
    /// `IBV_GID_TYPE_…`.
    pub kind: ibv_gid_type,
}

impl GidEntry {
    /// The entries that Linux makes for an IPv4 address: RoCE v1, then RoCE v2.
    pub fn of_ipv4(address: std::net::Ipv4Addr) -> [Self; 2] {
        let raw = address.to_ipv6_mapped().octets();
        [IBV_GID_TYPE_ROCE_V1, IBV_GID_TYPE_ROCE_V2].map(|kind| Self { raw, kind })
    }

    /// The link-local entry of an InfiniBand port.
    pub fn of_lid(lid: u16) -> Self {
        let mut raw = [0; 16];
        raw[..2].copy_from_slice(&[0xfe, 0x80]);
        raw[14..].copy_from_slice(&lid.to_be_bytes());
        Self {
            raw,
            kind: IBV_GID_TYPE_IB,
        }
    }
}

/// What a device can do. The default is a RoCE device at 127.0.0.1 with the limits of a small NIC.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "the names are those of the library's structures"
)]
pub struct Traits {
    pub link_layer: LinkLayer,
    /// An entry without a GID is an empty one.
    pub gids: Vec<Option<GidEntry>>,
    pub active_mtu: ibv_mtu,
    /// False: the port is down from the start.
    pub port_up: bool,
    pub max_inline: u32,
    pub max_qp_wr: u32,
    pub max_srq_wr: u32,
    pub max_sge: u32,
    pub max_cqe: u32,
    pub max_qp: u32,
    pub max_mr_size: u64,
    pub max_msg_sz: u32,
    pub max_rd_atomic: u8,
    /// `IBV_EVENT_QP_LAST_WQE_REACHED` is given; soft-RoCE has none.
    pub last_wqe_event: bool,
    /// Destroying a queue pair takes its completions along, as mlx5 does; soft-RoCE leaves them.
    pub removes_completions: bool,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            link_layer: LinkLayer::Ethernet,
            gids: GidEntry::of_ipv4(std::net::Ipv4Addr::LOCALHOST)
                .map(Some)
                .into(),
            active_mtu: IBV_MTU_4096,
            port_up: true,
            max_inline: 220,
            max_qp_wr: 8_192,
            max_srq_wr: 32_768,
            max_sge: 16,
            max_cqe: 1 << 20,
            max_qp: 4_096,
            max_mr_size: 1 << 40,
            max_msg_sz: 1 << 30,
            max_rd_atomic: 16,
            last_wqe_event: true,
            removes_completions: true,
        }
    }
}

impl Traits {
    /// An InfiniBand port, whose peers are addressed by LID.
    pub fn infiniband(lid: u16) -> Self {
        Self {
            link_layer: LinkLayer::InfiniBand { lid },
            gids: vec![Some(GidEntry::of_lid(lid))],
            ..Self::default()
        }
    }
}

/// A device, as the fabric knows it.
pub(crate) struct DeviceState {
    pub(crate) name: String,
    pub(crate) held: Held<CDevice>,
    pub(crate) traits: Traits,
    pub(crate) port_up: bool,
    /// Nothing works any more.
    pub(crate) fatal: bool,
    /// Messages that its queue pairs send stay on the way.
    pub(crate) holds: bool,
    /// Send completions come only after so many more messages.
    pub(crate) delay: u64,
    /// A poll gives one completion at most.
    pub(crate) gives_singly: bool,
    /// Messages that its queue pairs have sent and that have arrived.
    pub(crate) carried: u64,
    pub(crate) counters: Counters,
    /// Errors that the next calls are to give, by call.
    pub(crate) faults: [VecDeque<i32>; CALLS],
}

/// A device of this process: a handle for its faults and counters. It lives as long as the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Device {
    pub(crate) index: usize,
}

impl Device {
    /// Adds a device, which programs then find by its name.
    ///
    /// # Panics
    /// If there is one of this name, the name is longer than the library allows, or the device could make fewer pieces than one.
    pub fn add(name: &str, traits: Traits) -> Self {
        assert!(
            (1..=crate::memory::MAX_SGE as u32).contains(&traits.max_sge),
            "between 1 and {} pieces",
            crate::memory::MAX_SGE
        );
        let mut fabric = lock();
        assert!(
            fabric.devices.iter().all(|device| device.name != name),
            "there is a device `{name}`"
        );
        let index = fabric.devices.len();
        let mut base = ibv_device {
            node_type: IBV_NODE_CA,
            transport_type: IBV_TRANSPORT_IB,
            ..ibv_device::default()
        };
        put_name(&mut base.name, name);
        put_name(&mut base.dev_name, &format!("uverbs{index}"));
        fabric.devices.push(DeviceState {
            name: name.into(),
            held: Held::new(CDevice { base, index }),
            port_up: traits.port_up,
            traits,
            fatal: false,
            holds: false,
            delay: 0,
            gives_singly: false,
            carried: 0,
            counters: Counters::default(),
            faults: Default::default(),
        });
        Self { index }
    }

    /// The device of this name.
    pub fn named(name: &str) -> Option<Self> {
        let index = lock()
            .devices
            .iter()
            .position(|device| device.name == name)?;
        Some(Self { index })
    }
}

/// Writes a name, with the zero byte that ends it.
fn put_name(field: &mut [c_char], name: &str) {
    assert!(
        name.len() < field.len() && !name.contains('\0'),
        "`{name}` is no name of a device"
    );
    for (place, byte) in field.iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed() as c_char;
    }
}
