//! The client's transport.

use std::task::Waker;

use atomic_waker::AtomicWaker;
use runtime_core::{AttachError, ClientConfig, ClientTransport, Connect, Service};
use runtime_lane::{ClientEnd, Geometry, Memory, Wake};
use runtime_os::{Alarm, LazyPollable, Pollable, clock};
use rustix::net::SocketAddrUnix;

use crate::address::Address;
use crate::attach::attach;
use crate::bell::sleep_on;
use crate::link::Role;
use crate::memory::ShmMemory;
use crate::trust::{SameUser, Trust, shape};

/// A client's end of a lane between processes.
pub struct Client<S: Service, T: Trust = SameUser> {
    end: ClientEnd<ShmMemory<S, T>>,
    alarm: Alarm,
    pollable: LazyPollable,
}

impl<S: Service, T: Trust> Client<S, T> {
    /// Connects to the server at a socket's address, which goes by `name`.
    pub(crate) fn connect_to(
        name: &str,
        address: &SocketAddrUnix,
        config: &ClientConfig,
    ) -> Result<Self, AttachError> {
        let window = config.window.unwrap_or(S::TUNING.shm_window);
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
            pollable: LazyPollable::default(),
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
        self.pollable.get()
    }

    /// Arms the descriptor of [`pollable`](Self::pollable): true if it is safe to sleep on it, false if there is something to poll
    /// already.
    ///
    /// The end of a call at its deadline is nothing that arrives, and does not make the descriptor readable: while calls are in flight,
    /// wait for it with a timeout; see [`Pollable`].
    pub fn arm(&self) -> bool {
        self.pollable
            .arm(|waker| self.register(waker), || self.ready())
    }
}

// SAFETY: see `runtime_lane::client_slots`; the end is made for fresh memory.
unsafe impl<S: Service, T: Trust> ClientTransport for Client<S, T> {
    type Service = S;

    const OVERLAYS: bool = !T::ISOLATED;
    /// The lane looks at the oldest call first, and at the others at every eighth time.
    const FALLS_IDLE: bool = true;
    runtime_lane::client_slots!();

    fn now(&self) -> u64 {
        clock::now()
    }

    fn peer_gone(&self) -> bool {
        self.memory().server_is_gone()
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
