//! How a client gets its lane: it asks for one, and checks what it is given.

use std::os::fd::AsFd;
use std::sync::{Arc, Weak};

use atomic_waker::AtomicWaker;
use runtime_core::{AttachError, Service};
use runtime_lane::{BarrierScope, Geometry, prepare_barrier};
use runtime_os::Watched;
use rustix::net::SocketAddrUnix;

use crate::bell::Bell;
use crate::dial::Dialled;
use crate::given::Given;
use crate::handshake::{Hello, Purpose, Terms};
use crate::link::{Link, Role, watch_link};
use crate::memory::{self, Copies, Parts, Shared, ShmMemory, Sizes};
use crate::peer::own_user;
use crate::segment::{AttachFault, Writer};
use crate::trust::{Trust, shape};

/// Asks the server for a lane.
pub(crate) fn attach<S: Service, T: Trust>(
    name: &str,
    address: &SocketAddrUnix,
    window: usize,
) -> Result<ShmMemory<S, T>, AttachError> {
    let dialled = Dialled::at(name, address)?;
    let peer = dialled.peer;
    let name = || name.to_string();
    let foreign = |what: String| AttachError::Foreign { name: name(), what };
    if !T::ISOLATED && !peer.is_own() {
        return Err(AttachError::Denied {
            name: name(),
            why: format!(
                "its server runs as user {} and this side as {}; `@Shm(isolated)` on its interface allows that",
                peer.user(),
                own_user()
            ),
        });
    }
    let shape = shape::<S, T>();
    let hello = Hello {
        purpose: Purpose::Attach,
        abi: S::ABI_HASH,
        terms: Terms {
            isolated: T::ISOLATED,
            asymmetric: prepare_barrier(BarrierScope::System),
            window: window as u32,
            events: 0,
            shape,
        },
    };
    let mut own = None;
    if T::ISOLATED {
        let slots = Geometry {
            window,
            events: 0,
            shape,
        };
        own = Some(memory::make_own(slots.request_bytes())?);
    }
    let given: Vec<_> = own.iter().map(|(_, fd)| fd.as_fd()).collect();
    let (answer, descriptors) = dialled.ask(&hello, &given, S::ABI_TEXT)?;
    let terms = answer.terms;
    let geometry = Geometry::new(shape, window, terms.events as usize);
    let Some(geometry) = geometry.filter(|_| {
        answer.abi == S::ABI_HASH
            && (terms.isolated, terms.window as usize, terms.shape) == (T::ISOLATED, window, shape)
    }) else {
        return Err(foreign(
            "it agrees to other terms than were asked for".into(),
        ));
    };
    let refused = |fault: AttachFault| foreign(format!("the memory that it gives: {fault}"));
    let sizes = Sizes::of::<T>(&geometry);
    let Ok([first, second]) = <[Given; 2]>::try_from(descriptors) else {
        return Err(foreign("it gives no memory".into()));
    };
    let control = memory::attach(first, sizes.control, Writer::All).map_err(refused)?;
    let (apart, bell) = match own {
        Some((requests, _)) => {
            let responses =
                memory::attach(second, sizes.responses, Writer::Maker).map_err(refused)?;
            (Some((requests, responses)), None)
        }
        None => {
            let bells =
                memory::attach(second, Bell::bytes(answer.bells), Writer::All).map_err(refused)?;
            (None, Some((Bell::of(bells, answer.bells), answer.bell)))
        }
    };
    let copies = Copies::of::<T>(&geometry, false)?;
    let link = Link {
        // It may be gone already: then the socket says so.
        process: peer.hold(),
        pid: peer.pid,
        socket: dialled.socket,
        role: Role::Client {
            bell,
            waker: AtomicWaker::new(),
        },
    };
    let memory = ShmMemory::new(geometry, Parts { control, apart }, copies, link);
    let shared = memory.shared();
    let peer = Arc::new(Peer {
        shared: Arc::downgrade(shared),
    });
    watch_link(shared, peer)?;
    Ok(memory)
}

/// The server, as its client watches it.
struct Peer {
    /// Gone with the client.
    shared: Weak<Shared>,
}

impl Watched for Peer {
    fn look(&self) -> bool {
        let Some(shared) = self.shared.upgrade() else {
            return false;
        };
        let link = shared.link();
        let is_alive = link.is_alive();
        if !is_alive {
            shared.set_peer_gone();
        }
        if let Role::Client { waker, .. } = &link.role {
            waker.wake();
        }
        is_alive
    }

    fn stop(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.link().unwatch();
        }
    }
}
