//! An open device, and which of its ports and GIDs a connection uses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use runtime_core::AttachError;
use runtime_os::{Watch, Watched, unwatch};

use crate::address::Options;
use crate::handshake::Endpoint;
use crate::link::Link;
use crate::verbs::bindings::{
    IBV_EVENT_CQ_ERR, IBV_EVENT_DEVICE_FATAL, IBV_EVENT_PATH_MIG_ERR, IBV_EVENT_PORT_ERR,
    IBV_EVENT_QP_ACCESS_ERR, IBV_EVENT_QP_FATAL, IBV_EVENT_QP_LAST_WQE_REACHED,
    IBV_EVENT_QP_REQ_ERR, IBV_EVENT_SRQ_ERR, IBV_PORT_ACTIVE, ibv_device_attr, ibv_port_attr,
};
use crate::verbs::{self, Context, GidKind, Library, Pd};

/// The number of the link layer Ethernet (`IBV_LINK_LAYER_ETHERNET`).
const ETHERNET: u8 = 2;

/// A device of this process; all its connections share it.
pub(crate) struct Device {
    /// First, so that nobody looks at the events any more when the rest goes.
    watch: OnceLock<Watch>,
    pub(crate) context: Arc<Context>,
    pub(crate) pd: Arc<Pd>,
    pub(crate) limits: ibv_device_attr,
    /// Who is told of an event, by the number of the queue pair: its port and its link.
    links: Mutex<BTreeMap<u32, (u8, Weak<Link>)>>,
}

/// A port of a device, and how it is reached.
#[derive(Clone)]
pub(crate) struct Port {
    pub(crate) device: Arc<Device>,
    pub(crate) number: u8,
    pub(crate) gid_index: u8,
    /// Without the numbers of a queue pair.
    pub(crate) endpoint: Endpoint,
}

pub(crate) fn system(what: impl Into<String>, error: impl ToString) -> AttachError {
    AttachError::System {
        what: what.into(),
        error: error.to_string(),
    }
}

/// The address that a RoCE v2 GID stands for: IPv4 addresses are mapped into IPv6.
fn address_of(gid: [u8; 16]) -> IpAddr {
    IpAddr::from(gid).to_canonical()
}

impl Device {
    /// The device of this name; one that is open already is shared.
    fn open(library: &'static Library, name: &str) -> Result<Arc<Self>, AttachError> {
        static OPEN: Mutex<BTreeMap<String, Weak<Device>>> = Mutex::new(BTreeMap::new());
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = open.get(name).and_then(Weak::upgrade) {
            return Ok(device);
        }
        let fault = |error| system(format!("opening the RDMA device `{name}`"), error);
        let context = Context::open(library, name).map_err(fault)?;
        let limits = context.attributes().map_err(fault)?;
        let pd = Pd::new(&context).map_err(fault)?;
        let device = Arc::new(Self {
            watch: OnceLock::new(),
            context,
            pd,
            limits,
            links: Mutex::default(),
        });
        let events = Arc::new(Events(Arc::downgrade(&device)));
        let watch = Watch::start(device.context.async_fd().as_fd(), events).map_err(fault)?;
        let _ = device.watch.set(watch);
        open.retain(|_, device| device.strong_count() != 0);
        open.insert(name.into(), Arc::downgrade(&device));
        Ok(device)
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<u32, (u8, Weak<Link>)>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a link told of what happens to its queue pair.
    pub(crate) fn enlist(&self, qpn: u32, port: u8, link: &Arc<Link>) {
        self.links().insert(qpn, (port, Arc::downgrade(link)));
    }

    /// Ends that: before the queue pair is destroyed, whose number may be another's then.
    pub(crate) fn strike(&self, qpn: u32) {
        self.links().remove(&qpn);
    }

    /// Tells the links that an event is about.
    fn tell(&self, event: &verbs::AsyncEvent) {
        let all = |_: u32, _: u8| true;
        let concerned: &dyn Fn(u32, u8) -> bool = match event.kind {
            IBV_EVENT_QP_FATAL
            | IBV_EVENT_QP_REQ_ERR
            | IBV_EVENT_QP_ACCESS_ERR
            | IBV_EVENT_PATH_MIG_ERR
            | IBV_EVENT_QP_LAST_WQE_REACHED => &|qpn, _| Some(qpn) == event.qp,
            IBV_EVENT_PORT_ERR => &|_, port| Some(port) == event.port,
            // Which queue failed is not told apart: without one of them nothing goes on.
            IBV_EVENT_CQ_ERR | IBV_EVENT_SRQ_ERR | IBV_EVENT_DEVICE_FATAL => &all,
            _ => return,
        };
        self.each(concerned, |link| {
            if event.kind == IBV_EVENT_QP_LAST_WQE_REACHED {
                link.set_completed();
            }
            link.fail(|| format!("the device says: {}", event.name));
        });
    }

    /// Does something with the links that are concerned.
    fn each(&self, concerned: impl Fn(u32, u8) -> bool, tell: impl Fn(&Link)) {
        let links: Vec<_> = self
            .links()
            .iter()
            .filter(|(qpn, (port, _))| concerned(**qpn, *port))
            .filter_map(|(_, (_, link))| link.upgrade())
            .collect();
        // Unlocked: the last hold on a link may go here, whose owner comes back to strike it.
        links.iter().for_each(|link| tell(link));
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Not left to the closing: a child that was forked may have a copy of the descriptor, and the kernel would go on telling of it.
        unwatch(self.context.async_fd());
    }
}

/// What a device says without being asked.
struct Events(Weak<Device>);

impl Watched for Events {
    fn look(&self) -> bool {
        let Some(device) = self.0.upgrade() else {
            return false;
        };
        loop {
            match device.context.next_event() {
                Ok(Some(event)) => device.tell(&event),
                Ok(None) => return true,
                Err(error) => {
                    // A device that was taken away says nothing else for ever.
                    device.each(
                        |_, _| true,
                        |link| link.fail(|| format!("the device is gone: {error}")),
                    );
                    return false;
                }
            }
        }
    }

    fn stop(&self) {
        if let Some(device) = self.0.upgrade() {
            unwatch(device.context.async_fd());
        }
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.context.name())
    }
}

/// What was found in the search for a port, for the message if none is.
#[derive(Default)]
struct Search {
    /// Ports that could be used if they were asked for or up, as text.
    seen: Vec<String>,
}

impl Port {
    /// The port that an address of this host belongs to.
    pub(crate) fn at(address: IpAddr, options: &Options) -> Result<Self, AttachError> {
        Self::find(Some(address.to_canonical()), options)
    }

    /// Any port that can be used, and its address.
    pub(crate) fn any(options: &Options) -> Result<(Self, IpAddr), AttachError> {
        let port = Self::find(None, options)?;
        let address = if port.endpoint.is_global {
            address_of(port.endpoint.gid)
        } else {
            Ipv4Addr::LOCALHOST.into()
        };
        Ok((port, address))
    }

    fn find(address: Option<IpAddr>, options: &Options) -> Result<Self, AttachError> {
        let library = Library::get().map_err(|error| system("using RDMA", error))?;
        let names =
            Context::devices(library).map_err(|error| system("listing RDMA devices", error))?;
        if names.is_empty() {
            return Err(system(
                "looking for an RDMA device",
                "this host has none: `ibv_devices` lists those that have a driver; soft-RoCE makes one of a network interface, `rdma link add rxe0 type rxe netdev eth0`",
            ));
        }
        if let Some(wanted) = &options.device
            && !names.contains(wanted)
        {
            return Err(AttachError::Config {
                what: format!(
                    "there is no RDMA device `{wanted}`; there are: {}",
                    names.join(", ")
                ),
            });
        }
        let mut search = Search::default();
        for name in names {
            if options
                .device
                .as_ref()
                .is_some_and(|wanted| *wanted != name)
            {
                continue;
            }
            let device = match Device::open(library, &name) {
                Ok(device) => device,
                Err(error) => {
                    search.seen.push(error.to_string());
                    continue;
                }
            };
            let ports = device.limits.phys_port_cnt;
            if let Some(wanted) = options.port
                && wanted > ports
            {
                search.seen.push(format!(
                    "`{name}` has {ports} port(s), and no port {wanted}"
                ));
            }
            for number in 1..=ports {
                if options.port.is_some_and(|wanted| wanted != number) {
                    continue;
                }
                if let Some(port) = search.try_port(&device, number, address, options)? {
                    return Ok(port);
                }
            }
        }
        let of = match address {
            Some(address) => format!("finding the RDMA port of the address {address}"),
            None => "finding an RDMA port".into(),
        };
        Err(system(of, search.seen.join("; ")))
    }
}

impl Search {
    /// The port, if it can be used.
    fn try_port(
        &mut self,
        device: &Arc<Device>,
        number: u8,
        address: Option<IpAddr>,
        options: &Options,
    ) -> Result<Option<Port>, AttachError> {
        let name = format!("port {number} of `{}`", device.context.name());
        let fault = |error| system(format!("looking at {name}"), error);
        let attributes = device.context.port(number).map_err(fault)?;
        if attributes.state != IBV_PORT_ACTIVE {
            self.seen.push(format!(
                "{name} is not active (`ibv_devinfo -d {}` tells its state, `rdma link` its network interface)",
                device.context.name()
            ));
            return Ok(None);
        }
        let endpoint = |gid, is_global| Endpoint {
            qpn: 0,
            psn: 0,
            lid: attributes.lid,
            mtu: attributes.active_mtu as u8,
            is_global,
            gid,
        };
        let port = |gid_index: u8, endpoint| Port {
            device: Arc::clone(device),
            number,
            gid_index,
            endpoint,
        };
        if attributes.link_layer != ETHERNET {
            // InfiniBand is addressed by LID; which of its ports an IP address belongs to is not to be seen here, so the first is taken
            // that is active, or the one that is named.
            return Ok(Some(port(0, endpoint([0; 16], false))));
        }
        let found = self.gids(device, number, &attributes, options, &name)?;
        for (index, gid) in &found {
            let is_it = options.gid.is_some() || address.is_none_or(|it| it == address_of(*gid));
            if is_it {
                return Ok(Some(port(*index, endpoint(*gid, true))));
            }
        }
        let gids: Vec<_> = found
            .iter()
            .map(|(_, gid)| address_of(*gid).to_string())
            .collect();
        self.seen.push(format!(
            "{name} has the RoCE v2 addresses {}",
            if gids.is_empty() {
                "none".into()
            } else {
                gids.join(", ")
            }
        ));
        Ok(None)
    }

    /// The port's RoCE v2 GIDs that may be used, with their indices: addresses of the link alone come last.
    fn gids(
        &mut self,
        device: &Arc<Device>,
        number: u8,
        attributes: &ibv_port_attr,
        options: &Options,
        name: &str,
    ) -> Result<Vec<(u8, [u8; 16])>, AttachError> {
        let mut found = Vec::new();
        let most = attributes.gid_tbl_len.clamp(0, 256) as u32;
        for index in 0..most {
            if options.gid.is_some_and(|wanted| wanted != index) {
                continue;
            }
            let gid = device
                .context
                .gid(number, index)
                .map_err(|error| system(format!("reading GID {index} of {name}"), error))?;
            if let Some(gid) = gid
                && gid.kind == GidKind::RoceV2
            {
                found.push((index as u8, gid.raw));
            }
        }
        if found.is_empty() && options.gid.is_some() {
            self.seen
                .push(format!("{name} has no RoCE v2 GID at that index"));
        }
        found.sort_by_key(|(_, gid)| gid.starts_with(&[0xfe, 0x80]));
        Ok(found)
    }
}

/// The path MTU that both sides can carry.
pub(crate) fn path_mtu(ours: &Endpoint, theirs: &Endpoint) -> u8 {
    ours.mtu.min(theirs.mtu)
}
