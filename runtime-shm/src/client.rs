//! The client's transport, and how it gets in.

use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use atomic_waker::AtomicWaker;
use runtime_core::{
    ArrivedHead, AttachError, ClientConfig, ClientTransport, Completion, Connect, Service,
    SlotShape,
};
use runtime_lane::{BarrierScope, ClientEnd, Geometry, Memory, Wake, prepare_barrier};
use runtime_os::{Alarm, Pollable, clock};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{SocketAddrUnix, connect};
use rustix::process::{PidfdFlags, geteuid, pidfd_open};

use crate::accept::{has_ended, watch_link};
use crate::address::Address;
use crate::bell::{Bell, sleep_on};
use crate::handshake::{Answer, Hello, LEN, MAX_TEXT, Purpose, Terms, Verdict};
use crate::memory::{self, Link, Parts, Role, Shared, ShmMemory, Sizes};
use crate::segment::{AttachFault, Writer};
use crate::socket::{self, system};
use crate::trust::{SameUser, Trust, shape};
use crate::watcher::{Watched, unwatch};

/// How long a server may take to answer a client that connects.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client's end of a lane between processes.
pub struct Client<S: Service, T: Trust = SameUser> {
    end: ClientEnd<ShmMemory<S, T>>,
    alarm: Alarm,
    pollable: std::cell::OnceCell<Pollable>,
}

impl<S: Service, T: Trust> Client<S, T> {
    /// Connects to the server at a socket's address, which goes by `name`.
    pub(crate) fn connect_to(
        name: &str,
        address: &SocketAddrUnix,
        config: &ClientConfig,
    ) -> Result<Self, AttachError> {
        let window = config.window.unwrap_or(S::TUNING.window);
        if Geometry::new(shape::<S, T>(), window, 0).is_none() {
            return Err(AttachError::Config {
                what: format!(
                    "`ClientConfig::window` is {window}: it must be a power of two from 2 to {}",
                    Geometry::MAX_WINDOW
                ),
            });
        }
        let memory = attach::<S, T>(name, address, window)?;
        Ok(Self {
            alarm: Alarm::new(memory.geometry().slots()),
            // SAFETY: the server gives every client memory of its own, and this is the only end made of it here.
            end: unsafe { ClientEnd::new(memory) },
            pollable: std::cell::OnceCell::new(),
        })
    }

    fn memory(&self) -> &ShmMemory<S, T> {
        self.end.memory()
    }

    fn waker(&self) -> Option<&AtomicWaker> {
        match &self.memory().shared().link().role {
            Role::Client { waker, .. } => Some(waker),
            Role::Server => None,
        }
    }

    /// A file descriptor that becomes readable when there is something to poll; see [`Pollable`].
    ///
    /// # Errors
    /// The operating system has no more descriptors.
    pub fn pollable(&self) -> std::io::Result<Pollable> {
        if let Some(pollable) = self.pollable.get() {
            return Ok(pollable.clone());
        }
        let made = Pollable::new()?;
        Ok(self.pollable.get_or_init(|| made).clone())
    }

    /// Arms the descriptor of [`pollable`](Self::pollable): true if it is safe to sleep on it, false if there is something to poll
    /// already.
    ///
    /// The end of a call at its deadline is nothing that arrives, and does not make the descriptor readable: while calls are in flight,
    /// wait for it with a timeout; see [`Pollable`].
    pub fn arm(&self) -> bool {
        let Some(pollable) = self.pollable.get() else {
            return false;
        };
        pollable.clear();
        self.register(pollable.waker());
        !self.ready()
    }
}

/// Asks the server for a lane.
fn attach<S: Service, T: Trust>(
    name: &str,
    address: &SocketAddrUnix,
    window: usize,
) -> Result<ShmMemory<S, T>, AttachError> {
    let name = || name.to_string();
    let no_answer = || AttachError::NoAnswer {
        name: name(),
        after: PATIENCE,
    };
    let foreign = |what: String| AttachError::Foreign { name: name(), what };
    let socket = socket::new()?;
    socket::set_patience(&socket, PATIENCE)?;
    connect(&socket, address).map_err(|error| match error {
        Errno::CONNREFUSED | Errno::NOENT => AttachError::NotFound { name: name() },
        Errno::ACCESS | Errno::PERM => AttachError::Denied {
            name: name(),
            why: format!("its socket cannot be connected to: {error}"),
        },
        Errno::PROTOTYPE => foreign("its socket is of another kind".into()),
        // The queue of those who wait to be accepted is full.
        Errno::AGAIN => no_answer(),
        _ => system(format!("connecting to `{}`", name()), error),
    })?;
    let peer = socket_peercred(&socket)
        .map_err(|error| system(format!("looking at who serves `{}`", name()), error))?;
    if !T::ISOLATED && peer.uid != geteuid() {
        return Err(AttachError::Denied {
            name: name(),
            why: format!(
                "its server runs as user {} and this side as {}; `@Shm(isolated)` on its interface allows that",
                peer.uid.as_raw(),
                geteuid().as_raw()
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
    let lost = |error: Errno| match error {
        Errno::AGAIN => no_answer(),
        Errno::PIPE | Errno::CONNRESET => AttachError::Refused {
            name: name(),
            why: "it ended the connection without an answer".into(),
        },
        _ => system(format!("talking to the server of `{}`", name()), error),
    };
    socket::send(&socket, &hello.to_bytes(), &given).map_err(lost)?;
    let mut room = vec![0; LEN + MAX_TEXT];
    let received = socket::receive(&socket, &mut room).map_err(lost)?;
    if received.len == 0 {
        return Err(lost(Errno::PIPE));
    }
    let message = room.get(..received.len).unwrap_or(&room);
    let answer = Answer::from_bytes(message).map_err(|garbled| foreign(garbled.to_string()))?;
    match answer.verdict {
        Verdict::Welcome => {}
        Verdict::AbiMismatch => {
            return Err(AttachError::AbiMismatch {
                name: name(),
                ours: S::ABI_HASH,
                theirs: answer.abi,
                difference: runtime_core::first_difference(S::ABI_TEXT, &answer.text),
            });
        }
        Verdict::TooManyClients => {
            return Err(AttachError::TooManyClients {
                limit: answer.bells as usize,
            });
        }
        Verdict::Denied => {
            return Err(AttachError::Denied {
                name: name(),
                why: answer.text,
            });
        }
        Verdict::Terms | Verdict::Refused => {
            return Err(AttachError::Refused {
                name: name(),
                why: answer.text,
            });
        }
    }
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
    let Ok([first, second]) = <[OwnedFd; 2]>::try_from(received.descriptors) else {
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
    let link = Link {
        // It may be gone already: then the socket says so.
        process: pidfd_open(peer.pid, PidfdFlags::empty()).ok(),
        socket,
        role: Role::Client {
            bell,
            waker: AtomicWaker::new(),
        },
    };
    let memory = ShmMemory::new(geometry, Parts { control, apart }, link);
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
        let is_alive = socket::drain(&link.socket) && !has_ended(link.process.as_ref());
        if !is_alive {
            shared.control().set_server_gone();
            shared.wake_client_thread();
        }
        if let Role::Client { waker, .. } = &link.role {
            waker.wake();
        }
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

// SAFETY: `ClientEnd` keeps the promises over a `Memory`:
// 1. `request` is the body of the slot that `take` gave, which is the largest request long and free until it is sent.
// 2. `response` is that of a completed slot, whose word said that the server has given it up; it is used again only after `release`.
// 3. An event's slot is overwritten only after `release_event`.
// 4. `take` gives the one free slot outside the free list, and `send` takes the next from that list.
// 5. Slots are numbered below `slots`.
unsafe impl<S: Service, T: Trust> ClientTransport for Client<S, T> {
    type Service = S;

    const OVERLAYS: bool = !T::ISOLATED;
    const APART: usize = SlotShape::APART;

    fn window(&self) -> usize {
        self.memory().geometry().window
    }

    fn slots(&self) -> usize {
        self.memory().geometry().slots()
    }

    fn now(&self) -> u64 {
        clock::now()
    }

    #[inline(always)]
    fn take(&mut self) -> Option<u16> {
        self.end.take()
    }

    #[inline(always)]
    unsafe fn give_back(&mut self, _: u16) {
        // Taking a slot changes nothing until it is sent.
    }

    #[inline(always)]
    unsafe fn request(&mut self, slot: u16) -> NonNull<u8> {
        // SAFETY: promise 1 of this function.
        unsafe { self.end.request(slot) }
    }

    #[inline(always)]
    unsafe fn send(&mut self, slot: u16, method: u16, len: usize, overlay: bool) {
        // SAFETY: promise 1 of this function; `give_back` changes nothing.
        unsafe { self.end.send(slot, method, len, overlay) };
    }

    #[inline(always)]
    fn poll(&mut self) -> Option<Completion> {
        self.end.poll()
    }

    #[inline(always)]
    fn poll_slot(&mut self, slot: u16) -> Option<Completion> {
        self.end.poll_slot(slot)
    }

    #[inline(always)]
    fn slot_ready(&self, slot: u16) -> bool {
        self.end.slot_ready(slot)
    }

    #[inline(always)]
    unsafe fn release(&mut self, slot: u16) {
        // SAFETY: promise 1 of this function.
        unsafe { self.end.release(slot) };
    }

    fn poll_arrived(&mut self) -> Option<ArrivedHead> {
        self.end.poll_event()
    }

    unsafe fn arrived_bytes(&self, head: &ArrivedHead) -> NonNull<u8> {
        // SAFETY: promise 1 of this function.
        unsafe { self.end.event_bytes(head) }
    }

    unsafe fn release_arrived(&mut self, _: ArrivedHead) {
        self.end.release_event();
    }

    fn peer_gone(&self) -> bool {
        self.memory().control().server_is_gone()
    }

    fn ready(&self) -> bool {
        self.end.any_ready() || self.end.event_ready() || self.peer_gone()
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn park(&mut self, slot: Option<u16>, until: u64) {
        self.end.announce_sleep(Wake::Thread);
        let ready = match slot {
            Some(slot) => self.slot_ready(slot) || self.peer_gone(),
            None => self.ready(),
        };
        if !ready && let Some((word, value)) = self.memory().control().sleeping_client() {
            sleep_on(word, value, until);
        }
        self.end.end_sleep();
    }

    fn register(&self, waker: &Waker) {
        if let Some(place) = self.waker() {
            place.register(waker);
        }
        self.end.announce_sleep(Wake::Message);
    }

    fn wake_at(&self, until: u64, waker: &Waker) {
        self.alarm.wake_at(until, waker);
    }
}

impl<S: Service, T: Trust> Connect for Client<S, T> {
    fn connect(address: &str, config: &ClientConfig) -> Result<Self, AttachError> {
        let address = Address::of(address)?;
        Self::connect_to(address.name(), address.socket(), config)
    }
}

impl<S: Service, T: Trust> std::fmt::Debug for Client<S, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "shm::Client({})", S::NAME)
    }
}
