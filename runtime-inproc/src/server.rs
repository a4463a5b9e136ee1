//! The server's transport.

use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use runtime_core::{
    AttachError, Audience, Bind, ClientId, EmitError, ServerConfig, ServerTransport, Service,
    SlotShape,
};
use runtime_lane::{Geometry, LaneSet, Memory, ServerLane};
use runtime_os::{Sleeper, clock};

use crate::hub::{Connector, Hub, Newcomer, Stopper};
use crate::memory::HeapMemory;
use crate::registry::{self, Registration};

/// A server's end of all its in-process lanes.
pub struct Server<S: Service> {
    lanes: LaneSet<HeapMemory<S>>,
    hub: Arc<Hub<S>>,
    /// Which lane is whose.
    numbers: BTreeMap<u64, u32>,
    /// Room for the next `woken` of the mailbox.
    woken: Vec<u64>,
    sleeper: Sleeper,
    #[cfg(target_os = "linux")]
    pollable: runtime_os::LazyPollable,
    /// Gives the name back when the server goes.
    _registration: Option<Registration>,
}

impl<S: Service> Server<S> {
    /// A server that only its connectors reach.
    ///
    /// # Errors
    /// The configuration asks for an impossible event window.
    pub fn new(config: &ServerConfig) -> Result<Self, AttachError> {
        let event_window = config.event_window;
        if Geometry::new(SlotShape::of_service::<S>(), 2, event_window).is_none() {
            return Err(AttachError::Config {
                what: format!(
                    "`ServerConfig::event_window` is {event_window}: it must be a power of two from 2 to {}",
                    Geometry::MAX_WINDOW
                ),
            });
        }
        if config.max_clients == 0 {
            return Err(AttachError::Config {
                what: "`ServerConfig::max_clients` is 0: nobody could connect".into(),
            });
        }
        Ok(Self {
            lanes: LaneSet::default(),
            hub: Hub::new(config.max_clients, event_window),
            numbers: BTreeMap::new(),
            woken: Vec::with_capacity(64),
            sleeper: Sleeper::default(),
            #[cfg(target_os = "linux")]
            pollable: runtime_os::LazyPollable::default(),
            _registration: None,
        })
    }

    /// What makes clients of this server.
    pub fn connector(&self) -> Connector<S> {
        Connector::new(&self.hub)
    }

    /// What ends this server from another thread.
    pub fn stopper(&self) -> Stopper<S> {
        Stopper::new(&self.hub)
    }

    /// A file descriptor that becomes readable when there is something to receive; see [`Pollable`](crate::Pollable).
    ///
    /// # Errors
    /// The operating system has no more descriptors.
    #[cfg(target_os = "linux")]
    pub fn pollable(&self) -> std::io::Result<crate::Pollable> {
        self.pollable.get()
    }

    /// Arms the descriptor of [`pollable`](Self::pollable): true if it is safe to sleep on it, false if there is something to
    /// receive already.
    #[cfg(target_os = "linux")]
    pub fn arm(&self) -> bool {
        self.pollable
            .arm(|waker| self.register(waker), || self.ready())
    }

    /// Takes in new lanes, wakes those that were asleep, removes those whose client is gone.
    #[cold]
    fn read_mail(&mut self) {
        self.hub.take_attention();
        let mut woken = std::mem::take(&mut self.woken);
        let connected = {
            let mut mail = self.hub.mail.lock().unwrap_or_else(PoisonError::into_inner);
            // Exchanged and not taken: a client that wakes the server must find room, and not allocate.
            std::mem::swap(&mut mail.woken, &mut woken);
            std::mem::take(&mut mail.connected)
        };
        for newcomer in connected {
            let Newcomer {
                number,
                memory,
                seat,
            } = newcomer;
            // SAFETY: the memory was mailed once, by the client that it was made for.
            let lane = unsafe { ServerLane::new(memory, ClientId(number), seat) };
            let index = self.lanes.add(lane);
            self.numbers.insert(number, index);
        }
        for &number in &woken {
            let Some(&index) = self.numbers.get(&number) else {
                continue;
            };
            self.lanes.wake(index);
            if self.lanes.reap(index) {
                self.numbers.remove(&number);
            } else if self
                .lanes
                .lane(index)
                .is_some_and(|lane| lane.memory().control().client_is_gone())
            {
                // Requests are left in it; it is looked at again once they have been received.
                self.hub.lane_woke(number);
            }
        }
        woken.clear();
        self.woken = woken;
    }
}

// SAFETY: see `runtime_lane::lane_tickets`; all tickets come from the set.
unsafe impl<S: Service> ServerTransport for Server<S> {
    type Service = S;

    const OVERLAYS: bool = true;
    runtime_lane::lane_tickets!(HeapMemory<S>);

    fn id(&self) -> u64 {
        self.hub.attendance.server()
    }

    fn now(&self) -> u64 {
        clock::now()
    }

    #[inline(always)]
    fn poll(&mut self) -> Option<Self::Ticket> {
        // First: with clients that keep the server busy there is no time when nothing else is to be done.
        if self.hub.wants_attention() {
            self.read_mail();
            if self.hub.attendance.is_stopped() {
                // However many requests there are, and each time.
                self.hub.ring();
                return None;
            }
        }
        self.lanes.poll()
    }

    fn clients(&self, visit: &mut dyn FnMut(ClientId)) {
        for lane in self.lanes.iter() {
            if !lane.memory().control().client_is_gone() {
                visit(lane.client());
            }
        }
        // Those that have connected since this side last looked. Unlocked again before they are visited: `visit` may drop a client, which
        // writes to the mailbox.
        let connected: Vec<_> = {
            let mail = self.hub.mail.lock().unwrap_or_else(PoisonError::into_inner);
            mail.connected
                .iter()
                .filter(|newcomer| !newcomer.memory.control().client_is_gone())
                .map(|newcomer| ClientId(newcomer.number))
                .collect()
        };
        connected.into_iter().for_each(visit);
    }

    fn emit(
        &mut self,
        to: Audience,
        method: u16,
        len: usize,
        fill: &mut dyn FnMut(NonNull<u8>),
    ) -> Result<usize, EmitError> {
        if self.hub.wants_attention() {
            self.read_mail();
            // It may have been asked for because of the end, which whoever sleeps next has to see.
            if self.hub.attendance.is_over() {
                self.hub.ring();
            }
        }
        let to = match to {
            Audience::One(client) => {
                let lane = self.numbers.get(&client.0);
                Some(*lane.ok_or(EmitError::Disconnected)?)
            }
            Audience::All => None,
        };
        self.lanes.emit(to, method, len, fill)
    }

    fn ready(&self) -> bool {
        !self.hub.attendance.is_stopped() && (self.hub.wants_attention() || self.lanes.any_ready())
    }

    fn finished(&self) -> bool {
        self.hub.attendance.is_over()
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn park(&mut self, until: u64) {
        self.hub.server.register(self.sleeper.waker());
        if !self.lanes.announce_sleep()
            && !self.hub.wants_attention()
            && !self.hub.attendance.is_over()
        {
            Sleeper::sleep(until);
        }
        self.lanes.end_long_sleep();
    }

    fn register(&self, waker: &Waker) {
        self.hub.server.register(waker);
        if self.lanes.announce_sleep() {
            self.lanes.end_sleep();
            waker.wake_by_ref();
        }
    }
}

impl<S: Service> Bind for Server<S> {
    fn bind(address: &str, config: &ServerConfig) -> Result<Self, AttachError> {
        let mut server = Self::new(config)?;
        server._registration = Some(registry::bind(address, &server.hub)?);
        Ok(server)
    }
}

impl<S: Service> Drop for Server<S> {
    fn drop(&mut self) {
        // Lanes that are still in the mail are told, too, when the set is dropped.
        self.hub
            .mail
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.read_mail();
    }
}

impl<S: Service> std::fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "inproc::Server({})", S::NAME)
    }
}
