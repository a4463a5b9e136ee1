//! The port that the bare baseline uses: the one that the backend takes for the same address.

use std::net::IpAddr;
use std::sync::Arc;

use runtime_rdma::verbs::bindings::{
    IBV_LINK_LAYER_ETHERNET, IBV_PORT_ACTIVE, ibv_mtu, ibv_port_attr,
};
use runtime_rdma::verbs::{Context, GidKind, Library, Pd};

use crate::host::Host;

/// A port, and its own address.
pub(crate) struct Port {
    pub(super) pd: Arc<Pd>,
    pub(super) number: u8,
    pub(super) gid_index: u8,
    pub(super) gid: [u8; 16],
    pub(super) is_global: bool,
    pub(super) lid: u16,
    pub(super) mtu: ibv_mtu,
}

impl Port {
    /// The active port with the RoCE v2 address of the host, or, on InfiniBand, the first active one; as far as its options leave a choice.
    pub(crate) fn find(host: &Host) -> Result<Self, String> {
        let ip = host.ip()?;
        let library = Library::get().map_err(|error| error.to_string())?;
        let names = Context::devices(library).map_err(|error| error.to_string())?;
        let wanted = |option: &str, value: &str| host.option(option).is_none_or(|it| it == value);
        for name in names.iter().filter(|name| wanted("device", name)) {
            let failed = |error| format!("looking at `{name}`: {error}");
            let context = Context::open(library, name).map_err(failed)?;
            let ports = context.attributes().map_err(failed)?.phys_port_cnt;
            for number in (1..=ports).filter(|number| wanted("port", &number.to_string())) {
                let port = context.port(number).map_err(failed)?;
                if port.state != IBV_PORT_ACTIVE {
                    continue;
                }
                let gid = if u32::from(port.link_layer) == IBV_LINK_LAYER_ETHERNET {
                    match gid(&context, number, &port, ip, host)? {
                        Some(gid) => Some(gid),
                        None => continue,
                    }
                } else {
                    None
                };
                let (gid_index, gid, is_global) =
                    gid.map_or((0, [0; 16], false), |(index, gid)| (index, gid, true));
                return Ok(Self {
                    pd: Pd::new(&context).map_err(failed)?,
                    number,
                    gid_index,
                    gid,
                    is_global,
                    lid: port.lid,
                    mtu: port.active_mtu,
                });
            }
        }
        Err(format!(
            "no active port of an RDMA device has the address {host}"
        ))
    }
}

/// Index and bytes of the RoCE v2 address of this IP address, or at the index that the options name.
fn gid(
    context: &Context,
    number: u8,
    port: &ibv_port_attr,
    ip: IpAddr,
    host: &Host,
) -> Result<Option<(u8, [u8; 16])>, String> {
    let mapped = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    for index in 0..u8::try_from(port.gid_tbl_len).unwrap_or(u8::MAX) {
        let found = context.gid(number, index.into());
        let found = found.map_err(|error| format!("reading an address of a port: {error}"))?;
        let is_wanted = |gid: &[u8; 16]| match host.option("gid") {
            Some(wanted) => wanted == index.to_string(),
            None => *gid == mapped,
        };
        if let Some(gid) = found.filter(|gid| gid.kind == GidKind::RoceV2 && is_wanted(&gid.raw)) {
            return Ok(Some((index, gid.raw)));
        }
    }
    Ok(None)
}
