//! How a client gets in: its connection is accepted, it says what it wants, it is given a lane or told why not.
//!
//! All of it happens on the thread of the watcher, so a server that is busy, or hangs, does not keep its clients from connecting; and a
//! client that says nothing, or nonsense, keeps nobody.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use runtime_core::{AttachError, Service};
use runtime_lane::{BarrierScope, Geometry, prepare_barrier};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{PidfdFlags, geteuid, pidfd_open};

use crate::address::Listener;
use crate::handshake::{Answer, Garbled, Hello, Purpose, Terms, Verdict};
use crate::hub::{Hub, Newcomer, NoSeat, Seat};
use crate::memory::{self, Link, Parts, Role, Shared, ShmMemory, Sizes};
use crate::segment::Writer;
use crate::socket;
use crate::trust::{Trust, shape};
use crate::watcher::{Watch, Watched, unwatch};

/// How long a connection may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(1);

/// Connections at a time that have not said it.
const MAX_PENDING: usize = 64;

/// Connections that are accepted in one go, so that a flood of them keeps nobody from the rest.
const BATCH: usize = 16;

/// A wait after an error that will not have passed at once.
const PAUSE: Duration = Duration::from_millis(10);

/// Accepts the connections of one server.
pub(crate) struct Acceptor<S: Service, T: Trust> {
    hub: Arc<Hub<S, T>>,
    /// The descriptor that clients' descriptors come with.
    bell: Arc<OwnedFd>,
    door: Mutex<Door>,
}

struct Door {
    listener: Option<Listener>,
    /// A descriptor that is given up to tell a client that there are none left.
    spare: Option<OwnedFd>,
}

impl<S: Service, T: Trust> Acceptor<S, T> {
    pub(crate) fn new(hub: &Arc<Hub<S, T>>, bell: OwnedFd, listener: Listener) -> Arc<Self> {
        let spare = bell.try_clone().ok();
        Arc::new(Self {
            hub: Arc::clone(hub),
            bell: Arc::new(bell),
            door: Mutex::new(Door {
                listener: Some(listener),
                spare,
            }),
        })
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to accept.
    pub(crate) fn open(self: &Arc<Self>) -> Result<Watch, AttachError> {
        let door = self.door();
        let Some(listener) = &door.listener else {
            unreachable!("it is opened before anybody can close it")
        };
        let watched = Arc::clone(self) as Arc<dyn Watched>;
        Watch::start(listener.socket().as_fd(), watched)
    }

    /// Gives the name up. When this returns nobody is accepted any more, and somebody else may have it.
    pub(crate) fn close(&self) {
        self.door().listener = None;
    }

    /// Hears what an accepted connection wants, or ends it.
    fn greet(&self, socket: OwnedFd) {
        let peer = match socket_peercred(&socket) {
            Ok(peer) => peer,
            Err(error) => {
                return self.refuse(
                    &socket,
                    Verdict::Refused,
                    format!("looking at who connects: {error}"),
                );
            }
        };
        if !T::ISOLATED && peer.uid != geteuid() {
            let why = format!(
                "it serves user {} and not {}; `@Shm(isolated)` on its interface lets others in",
                geteuid().as_raw(),
                peer.uid.as_raw()
            );
            return self.refuse(&socket, Verdict::Denied, why);
        }
        // Relaxed: only this thread adds.
        if self.hub.pending.load(Ordering::Relaxed) >= MAX_PENDING {
            let why =
                format!("{MAX_PENDING} connections have not said yet what they want; try again");
            return self.refuse(&socket, Verdict::Refused, why);
        }
        // It may have left already: then there is no process, and the socket says the rest.
        let process = pidfd_open(peer.pid, PidfdFlags::empty()).ok();
        self.hub.pending.fetch_add(1, Ordering::Relaxed);
        let pending = Arc::new(Pending {
            hub: Arc::clone(&self.hub),
            bell: Arc::clone(&self.bell),
            connection: Mutex::new(Some((socket, process))),
            since: Instant::now(),
        });
        let watch = {
            let connection = pending.connection();
            let Some((socket, _)) = &*connection else {
                unreachable!("it was put in just now")
            };
            let watched = Arc::clone(&pending) as Arc<dyn Watched>;
            let watch = Watch::start(socket.as_fd(), watched);
            if let Err(error) = &watch {
                self.refuse(socket, Verdict::Refused, error.to_string());
            }
            watch
        };
        if let Ok(watch) = watch {
            watch.leave();
        }
    }

    fn refuse(&self, socket: &OwnedFd, verdict: Verdict, why: String) {
        refuse::<S, T>(&self.hub, socket, verdict, why);
    }
}

impl<S: Service, T: Trust> Watched for Acceptor<S, T> {
    fn look(&self) -> bool {
        for _ in 0..BATCH {
            let mut door = self.door();
            let Some(listener) = &door.listener else {
                return false;
            };
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match accept_with(listener.socket(), flags) {
                Ok(socket) => {
                    drop(door);
                    self.greet(socket);
                }
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => {
                    // Out of descriptors, as a rule. Left alone, the connection would wake this thread again and again, and its client
                    // would wait in vain.
                    door.spare = None;
                    if let Some(listener) = &door.listener
                        && let Ok(socket) = accept_with(listener.socket(), flags)
                    {
                        self.refuse(
                            &socket,
                            Verdict::Refused,
                            format!("it cannot accept a connection: {error}"),
                        );
                    } else {
                        std::thread::sleep(PAUSE);
                    }
                    door.spare = self.bell.try_clone().ok();
                    return true;
                }
            }
        }
        true
    }

    fn stop(&self) {}
}

/// A connection that has not said yet what it wants.
struct Pending<S: Service, T: Trust> {
    hub: Arc<Hub<S, T>>,
    bell: Arc<OwnedFd>,
    /// The socket and the process at its other end; taken when it has said it.
    connection: Mutex<Option<(OwnedFd, Option<OwnedFd>)>>,
    since: Instant,
}

impl<S: Service, T: Trust> Pending<S, T> {
    fn connection(&self) -> MutexGuard<'_, Option<(OwnedFd, Option<OwnedFd>)>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Service, T: Trust> Watched for Pending<S, T> {
    fn look(&self) -> bool {
        let mut connection = self.connection();
        let Some((socket, _)) = &*connection else {
            return false;
        };
        let mut room = [0; 2 * crate::handshake::LEN];
        let received = match socket::receive(socket, &mut room) {
            Err(Errno::AGAIN | Errno::INTR) => return true,
            Err(_) => return false,
            Ok(received) if received.len == 0 => return false,
            Ok(received) => received,
        };
        let message = room.get(..received.len).unwrap_or(&room);
        let hello = if received.is_cut {
            Err(Garbled::Foreign)
        } else {
            Hello::from_bytes(message)
        };
        match hello {
            Err(garbled) => {
                refuse::<S, T>(&self.hub, socket, Verdict::Refused, garbled.to_string());
            }
            Ok(hello) => {
                unwatch(socket);
                if let Some((socket, process)) = connection.take() {
                    match hello.purpose {
                        Purpose::Attach => {
                            attach(
                                &self.hub,
                                &self.bell,
                                socket,
                                process,
                                &hello.terms,
                                hello.abi,
                                received.descriptors,
                            );
                        }
                    }
                }
            }
        }
        false
    }

    fn stop(&self) {
        if let Some((socket, _)) = &*self.connection() {
            unwatch(socket);
        }
    }

    fn is_pending(&self) -> bool {
        true
    }

    fn is_in_time(&self) -> bool {
        self.since.elapsed() < PATIENCE
    }
}

impl<S: Service, T: Trust> Drop for Pending<S, T> {
    fn drop(&mut self) {
        self.hub.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

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

fn answer<S: Service, T: Trust>(
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
fn refuse<S: Service, T: Trust>(hub: &Hub<S, T>, socket: &OwnedFd, verdict: Verdict, text: String) {
    // One that does not listen learns of it by the end of the connection.
    let _ = socket::send(socket, &answer(hub, verdict, 0, text).to_bytes(), &[]);
}

/// Gives a client its lane, or tells it why not.
fn attach<S: Service, T: Trust>(
    hub: &Arc<Hub<S, T>>,
    bell: &OwnedFd,
    socket: OwnedFd,
    process: Option<OwnedFd>,
    wanted: &Terms,
    abi: runtime_core::AbiHash,
    descriptors: Vec<OwnedFd>,
) {
    let refused = |verdict, text| refuse::<S, T>(hub, &socket, verdict, text);
    if abi != S::ABI_HASH {
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
    let (parts, given) = match make::<T>(&geometry, asymmetric, descriptors) {
        Ok(made) => made,
        Err(why) => {
            leave(hub, seat);
            return refused(Verdict::Refused, why);
        }
    };
    let link = Link {
        socket,
        process,
        role: Role::Server,
    };
    let memory = ShmMemory::<S, T>::new(geometry, parts, link);
    let shared = Arc::clone(memory.shared());
    let peer = Arc::new(Peer {
        shared: Arc::downgrade(&shared),
        hub: Arc::clone(hub),
        bell: seat.bell,
    });
    if let Err(error) = watch_link(&shared, peer) {
        leave(hub, seat);
        return refuse::<S, T>(
            hub,
            &shared.link().socket,
            Verdict::Refused,
            error.to_string(),
        );
    }
    // Before it knows that it may call: its calls find a lane.
    if !hub.introduce(Newcomer { seat, memory }) {
        leave(hub, seat);
        return refuse::<S, T>(
            hub,
            &shared.link().socket,
            Verdict::Refused,
            "it is shutting down".into(),
        );
    }
    let welcome = Answer {
        bell: seat.bell,
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
        shared.control().set_client_gone();
        hub.ring(seat.bell);
    }
}

fn leave<S: Service, T: Trust>(hub: &Hub<S, T>, seat: Seat) {
    hub.leave();
    hub.vacate(seat.bell);
    // It may have been the last that the server waits for.
    hub.ring_all();
}

/// The geometry that both sides can live with, or why there is none.
fn agree<S: Service, T: Trust>(terms: &Terms, wanted: &Terms) -> Result<Geometry, String> {
    if wanted.isolated != T::ISOLATED {
        let (here, there) = if T::ISOLATED {
            ("", "not ")
        } else {
            ("not ", "")
        };
        return Err(format!(
            "the server's interface is {here}`@Shm(isolated)` and the client's is {there}; generate both from one definition"
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
    if T::ISOLATED && window > S::TUNING.window {
        return Err(format!(
            "the client wants a window of {window}; a server that is `@Shm(isolated)` gives at most the {} of its definition",
            S::TUNING.window
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
    descriptors: Vec<OwnedFd>,
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
    let Ok([requests]) = <[OwnedFd; 1]>::try_from(descriptors) else {
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

/// Watches both signs of life of a link, for as long as its memory is kept.
pub(crate) fn watch_link(
    shared: &Arc<Shared>,
    watched: Arc<dyn Watched>,
) -> Result<(), AttachError> {
    let watch = Watch::start(shared.link().socket.as_fd(), watched)?;
    if let Some(process) = &shared.link().process {
        // The socket is enough as a rule; a process that has forked may live on in it.
        let _ = watch.also(process.as_fd());
    }
    shared.keep_watch(watch);
    Ok(())
}

/// True if the process at the other end has ended.
pub(crate) fn has_ended(process: Option<&OwnedFd>) -> bool {
    let Some(process) = process else {
        return false;
    };
    let mut fds = [rustix::event::PollFd::new(
        process,
        rustix::event::PollFlags::IN,
    )];
    let now = rustix::event::Timespec::default();
    rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready != 0)
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
        let is_alive = socket::drain(&link.socket) && !has_ended(link.process.as_ref());
        if !is_alive {
            shared.control().set_client_gone();
        }
        self.hub.ring(self.bell);
        is_alive
    }

    fn stop(&self) {
        if let Some(shared) = self.shared.upgrade() {
            unwatch(&shared.link().socket);
            if let Some(process) = &shared.link().process {
                unwatch(process);
            }
        }
    }
}
