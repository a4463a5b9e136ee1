//! How a client gets to the door: its connection is accepted, and it says what it wants.
//!
//! All of it happens on the thread that watches, so a server that is busy, or hangs, does not keep its clients from connecting; and a
//! client that says nothing, or nonsense, keeps nobody.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use runtime_core::handshake::Garbled;
use runtime_core::{AttachError, Service};
use runtime_os::{Watch, Watched, unwatch};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use crate::address::Listener;
use crate::admit::{self, refuse};
use crate::given::Connection;
use crate::handshake::{Hello, LEN, Purpose, Verdict};
use crate::hub::Hub;
use crate::peer::{PeerProcess, own_user};
use crate::trust::Trust;
use crate::{socket, stat};

/// How long a connection may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(1);

/// Connections of one other user at a time that have not said it: who stalls keeps nobody else out. The server's own user may have as many as it
/// admits clients, all of which may be started at once.
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
        if !T::ISOLATED {
            // Its clients give none, and strangers are turned away unheard; the sockets that it accepts have this from it.
            socket::take_no_descriptors(listener.socket());
        }
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
        socket::watch(listener.socket().as_fd(), watched)
    }

    /// Gives the name up. When this returns nobody is accepted any more, and somebody else may have it.
    pub(crate) fn close(&self) {
        let mut door = self.door();
        if let Some(listener) = &door.listener {
            // Not left to the closing: a child that was forked may have a copy.
            unwatch(listener.socket());
        }
        door.listener = None;
    }

    /// Hears what an accepted connection wants, or ends it.
    fn greet(&self, socket: OwnedFd) {
        let peer = PeerProcess::of(&socket);
        let is_own = peer.is_ok_and(PeerProcess::is_own);
        let socket = Connection::new(socket, is_own && !T::ISOLATED);
        let peer = match peer {
            Ok(peer) => peer,
            Err(error) => {
                return self.refuse(
                    &socket,
                    Verdict::Refused,
                    format!("looking at who connects: {error}"),
                );
            }
        };
        if !T::ISOLATED && !is_own {
            let why = format!(
                "it serves user {} and not {}; `@Shm(isolated)` on its interface lets others in",
                own_user(),
                peer.user()
            );
            return self.refuse(&socket, Verdict::Denied, why);
        }
        let most = if is_own {
            MAX_PENDING.max(self.hub.max_clients as usize)
        } else {
            MAX_PENDING
        };
        if !self.hub.greet(peer.uid, most) {
            let why = format!("{most} connections have not said yet what they want; try again");
            return self.refuse(&socket, Verdict::Refused, why);
        }
        let pending = Arc::new(Pending {
            user: peer.uid,
            hub: Arc::clone(&self.hub),
            bell: Arc::clone(&self.bell),
            caller: Mutex::new(Some(Caller {
                socket,
                process: peer,
                hold: peer.hold(),
            })),
            since: Instant::now(),
        });
        let watch = {
            let caller = pending.caller();
            let Some(Caller { socket, .. }) = &*caller else {
                unreachable!("it was put in just now")
            };
            let watched = Arc::clone(&pending) as Arc<dyn Watched>;
            let watch = socket::watch(socket.as_fd(), watched);
            if let Err(error) = &watch {
                self.refuse(socket, Verdict::Refused, error.to_string());
            }
            watch
        };
        if let Ok(watch) = watch {
            watch.leave();
        }
    }

    fn refuse(&self, socket: impl AsFd, verdict: Verdict, why: String) {
        refuse(&self.hub, socket, verdict, why);
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
                        let is_own = PeerProcess::of(&socket).is_ok_and(PeerProcess::is_own);
                        let socket = Connection::new(socket, is_own);
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

/// Who is at the other end of a connection.
pub(crate) struct Caller {
    pub(crate) socket: Connection,
    pub(crate) process: PeerProcess,
    /// A hold on that process, where there is one.
    pub(crate) hold: Option<OwnedFd>,
}

/// A connection that has not said yet what it wants.
struct Pending<S: Service, T: Trust> {
    user: u32,
    hub: Arc<Hub<S, T>>,
    bell: Arc<OwnedFd>,
    /// Taken when it has said it.
    caller: Mutex<Option<Caller>>,
    since: Instant,
}

impl<S: Service, T: Trust> Pending<S, T> {
    fn caller(&self) -> MutexGuard<'_, Option<Caller>> {
        self.caller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Service, T: Trust> Watched for Pending<S, T> {
    fn look(&self) -> bool {
        let mut place = self.caller();
        let Some(Caller { socket, .. }) = &*place else {
            return false;
        };
        let mut room = [0; 2 * LEN];
        let received = match socket::receive(socket, &mut room) {
            Err(Errno::AGAIN | Errno::INTR) => return true,
            Err(_) => return false,
            Ok(received) if received.len == 0 => return false,
            Ok(received) => received,
        };
        if received.lacks_descriptors {
            let why = format!("it cannot take the client's memory: {}", Errno::MFILE);
            refuse(&self.hub, socket, Verdict::Refused, why);
            return false;
        }
        let message = room.get(..received.len).unwrap_or(&room);
        let hello = if received.is_cut {
            Err(Garbled::Foreign)
        } else {
            Hello::from_bytes(message)
        };
        let hello = match hello {
            Ok(hello) => hello,
            Err(garbled) => {
                refuse(&self.hub, socket, Verdict::Refused, garbled.to_string());
                return false;
            }
        };
        socket::take_no_descriptors(socket);
        unwatch(socket);
        if let Some(caller) = place.take() {
            match hello.purpose {
                Purpose::Attach => {
                    admit::admit(&self.hub, &self.bell, caller, &hello, received.descriptors);
                }
                Purpose::Stat if caller.process.is_own() => stat::answer(&self.hub, caller.socket),
                Purpose::Stat => {
                    let why = "it tells only its own user how it is".into();
                    refuse(&self.hub, &caller.socket, Verdict::Denied, why);
                }
            }
        }
        false
    }

    fn stop(&self) {
        if let Some(Caller { socket, .. }) = &*self.caller() {
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
        self.hub.dismiss(self.user);
        // One whose time was over: a child that was forked may have a copy of the socket, and the kernel would go on telling of it.
        self.stop();
    }
}
