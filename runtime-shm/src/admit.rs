//! How a client gets its lane, or is told why not.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use runtime_core::{AttachError, NoSeat, Service};
use runtime_lane::{BarrierScope, Geometry, prepare_barrier};
use runtime_os::Watched;

use crate::accept::Caller;
use crate::given::Given;
use crate::handshake::{Answer, Hello, Terms, Verdict};
use crate::hub::{Hub, Newcomer, Seat};
use crate::link::{Link, Role, watch_link};
use crate::memory::{self, Copies, Parts, Shared, ShmMemory, Sizes};
use crate::segment::Writer;
use crate::socket;
use crate::trust::{Trust, shape};

/// What the server offers to one that asks for `window`.
fn own_terms<S: Service, T: Trust>(hub: &Hub<S, T>, window: u32) -> Terms {
    let shape = shape::<S, T>();
    Terms {
        isolated: T::ISOLATED,
        asymmetric: prepare_barrier(BarrierScope::System),
        window,
        events: if shape.event_area == 0 {
            0
        } else {
            hub.event_window as u32
        },
        shape,
    }
}

pub(crate) fn answer<S: Service, T: Trust>(
    hub: &Hub<S, T>,
    verdict: Verdict,
    window: u32,
    text: String,
) -> Answer {
    Answer {
        verdict,
        abi: S::ABI_HASH,
        terms: own_terms(hub, window),
        bell: 0,
        bells: hub.max_clients,
        text,
    }
}

/// Tells a client why it gets no lane.
pub(crate) fn refuse<S: Service, T: Trust>(
    hub: &Hub<S, T>,
    socket: impl AsFd,
    verdict: Verdict,
    text: String,
) {
    // One that does not listen learns of it by the end of the connection.
    let _ = socket::send(socket, &answer(hub, verdict, 0, text).to_bytes(), &[]);
}

/// Gives a client its lane, or tells it why not.
pub(crate) fn admit<S: Service, T: Trust>(
    hub: &Arc<Hub<S, T>>,
    bell: &OwnedFd,
    caller: Caller,
    hello: &Hello,
    descriptors: Vec<Given>,
) {
    let Caller {
        socket,
        process,
        hold,
    } = caller;
    let wanted = &hello.terms;
    let refused = |verdict, text| refuse(hub, &socket, verdict, text);
    if hello.abi != S::ABI_HASH {
        return refused(Verdict::AbiMismatch, S::ABI_TEXT.into());
    }
    let terms = own_terms(hub, wanted.window);
    let geometry = match agree::<S, T>(&terms, wanted) {
        Ok(geometry) => geometry,
        Err(why) => return refused(Verdict::Terms, why),
    };
    let seat = match hub.admit() {
        Ok(seat) => seat,
        Err(NoSeat::Full) => return refused(Verdict::TooManyClients, String::new()),
        Err(NoSeat::Closed) => return refused(Verdict::Refused, "it is shutting down".into()),
    };
    let asymmetric = terms.asymmetric && wanted.asymmetric;
    let made = make::<T>(&geometry, asymmetric, descriptors).and_then(|(parts, given)| {
        let copies = Copies::of::<T>(&geometry, true).map_err(|error| error.to_string())?;
        Ok((parts, given, copies))
    });
    let (parts, given, copies) = match made {
        Ok(made) => made,
        Err(why) => {
            leave(hub, seat);
            return refused(Verdict::Refused, why);
        }
    };
    let link = Link {
        socket,
        pid: process.pid,
        process: hold,
        role: Role::Server,
    };
    let memory = ShmMemory::<S, T>::new(geometry, parts, copies, link);
    let shared = Arc::clone(memory.shared());
    let bell_number = seat.bell;
    let peer = Arc::new(Peer {
        shared: Arc::downgrade(&shared),
        hub: Arc::clone(hub),
        bell: bell_number,
    });
    if let Err(error) = watch_link(&shared, peer) {
        leave(hub, seat);
        return refuse(
            hub,
            &shared.link().socket,
            Verdict::Refused,
            error.to_string(),
        );
    }
    // Before it knows that it may call: its calls find a lane.
    if let Err(newcomer) = hub.introduce(Newcomer { seat, memory }) {
        leave(hub, newcomer.seat);
        return refuse(
            hub,
            &shared.link().socket,
            Verdict::Refused,
            "it is shutting down".into(),
        );
    }
    let welcome = Answer {
        bell: bell_number,
        terms: Terms {
            asymmetric,
            ..terms
        },
        ..answer(hub, Verdict::Welcome, wanted.window, String::new())
    };
    let mut fds: Vec<_> = given.iter().map(AsFd::as_fd).collect();
    if !T::ISOLATED {
        fds.push(bell.as_fd());
    }
    if socket::send(&shared.link().socket, &welcome.to_bytes(), &fds).is_err() {
        // It left meanwhile.
        shared.set_peer_gone();
        hub.ring(bell_number);
    }
}

fn leave<S: Service, T: Trust>(hub: &Hub<S, T>, seat: Seat<S, T>) {
    hub.attendance.leave();
    drop(seat);
    // It may have been the last that the server waits for.
    hub.ring_all();
}

/// The geometry that both sides can live with, or why there is none.
fn agree<S: Service, T: Trust>(terms: &Terms, wanted: &Terms) -> Result<Geometry, String> {
    if wanted.isolated != T::ISOLATED {
        let (here, there) = if T::ISOLATED {
            ("is", "is not")
        } else {
            ("is not", "is")
        };
        return Err(format!(
            "the server's interface {here} `@Shm(isolated)` and the client's {there}; generate both from one definition"
        ));
    }
    if wanted.shape != terms.shape {
        return Err(format!(
            "the client's slots are {:?} and the server's {:?}; use one version of rpcidl on both sides",
            wanted.shape, terms.shape
        ));
    }
    let window = wanted.window as usize;
    // A stranger could otherwise have a lot of memory allocated.
    if T::ISOLATED && window > S::TUNING.shm_window {
        return Err(format!(
            "the client wants a window of {window}; a server that is `@Shm(isolated)` gives at most the {} of its definition",
            S::TUNING.shm_window
        ));
    }
    Geometry::new(terms.shape, window, terms.events as usize).ok_or_else(|| {
        format!(
            "the client wants a window of {window}: it must be a power of two from 2 to {}",
            Geometry::MAX_WINDOW
        )
    })
}

/// The memory of a lane, and what the client is to be given of it.
fn make<T: Trust>(
    geometry: &Geometry,
    asymmetric: bool,
    descriptors: Vec<Given>,
) -> Result<(Parts, Vec<OwnedFd>), String> {
    let text = |error: AttachError| error.to_string();
    let (control, control_fd) = memory::make_shared::<T>(geometry, asymmetric).map_err(text)?;
    if !T::ISOLATED {
        let parts = Parts {
            control,
            apart: None,
        };
        return Ok((parts, vec![control_fd]));
    }
    let sizes = Sizes::of::<T>(geometry);
    let Ok([requests]) = <[Given; 1]>::try_from(descriptors) else {
        return Err("the client has sent no memory for its requests".into());
    };
    let requests = memory::attach(requests, sizes.requests, Writer::Maker)
        .map_err(|fault| format!("the memory of the client's requests is refused: {fault}"))?;
    let (responses, responses_fd) = memory::make_own(sizes.responses).map_err(text)?;
    let parts = Parts {
        control,
        apart: Some((requests, responses)),
    };
    Ok((parts, vec![control_fd, responses_fd]))
}

/// A client that has a lane.
struct Peer<S: Service, T: Trust> {
    /// Gone with the last who uses the memory.
    shared: Weak<Shared>,
    hub: Arc<Hub<S, T>>,
    bell: u32,
}

impl<S: Service, T: Trust> Watched for Peer<S, T> {
    fn look(&self) -> bool {
        let Some(shared) = self.shared.upgrade() else {
            return false;
        };
        let link = shared.link();
        let is_alive = link.is_alive();
        if !is_alive {
            shared.set_peer_gone();
        }
        self.hub.ring(self.bell);
        is_alive
    }

    fn stop(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.link().unwatch();
        }
    }
}
