//! The server's transport.

use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;

use runtime_core::{
    AttachError, Audience, Bind, ClientId, Counters, EmitError, ServerConfig, ServerTransport,
    Service,
};
use runtime_lane::{Geometry, LaneSet, Memory, ServerLane};
use runtime_os::{LazyPollable, Pollable, Watch, clock};
use rustix::net::SocketAddrUnix;

use crate::accept::Acceptor;
use crate::address::{Address, Listener};
use crate::bell::Bell;
use crate::given::Connection;
use crate::hub::{Connector, Hub, Newcomer, Stopper};
use crate::memory::ShmMemory;
use crate::stat;
use crate::trust::{SameUser, Trust, shape};

/// A server's end of all its lanes to other processes.
pub struct Server<S: Service, T: Trust = SameUser> {
    /// First, so that nobody is accepted any more when the rest goes.
    _watch: Watch,
    acceptor: Arc<Acceptor<S, T>>,
    lanes: LaneSet<ShmMemory<S, T>>,
    /// The hub's.
    bell: Bell,
    hub: Arc<Hub<S, T>>,
    /// By doorbell: who has it.
    seats: Vec<Option<Seated>>,
    /// Which doorbell is whose.
    bells: BTreeMap<ClientId, u32>,
    /// Room for the doorbells that have rung.
    rung: Vec<u32>,
    /// Those who want to know what was counted.
    inquiries: Vec<Connection>,
    address: SocketAddrUnix,
    pollable: LazyPollable,
}

/// A client that has a lane.
struct Seated {
    client: ClientId,
    /// Its number in the set of lanes.
    lane: u32,
    /// True once it was seen to be gone.
    is_gone: bool,
}

/// Checks what the configuration can get wrong.
fn check<S: Service, T: Trust>(config: &ServerConfig) -> Result<(), AttachError> {
    let event_window = config.event_window;
    if Geometry::new(shape::<S, T>(), 2, event_window).is_none() {
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
    if config.max_clients > MAX_CLIENTS {
        return Err(AttachError::Config {
            what: format!(
                "`ServerConfig::max_clients` is {}: there are doorbells for at most {MAX_CLIENTS}",
                config.max_clients
            ),
        });
    }
    Ok(())
}

/// Clients of one server, for which it looks through doorbells when it is woken.
const MAX_CLIENTS: usize = 1 << 16;

impl<S: Service, T: Trust> Server<S, T> {
    /// A server without a name, which only its connectors reach.
    ///
    /// # Errors
    /// The configuration asks for an impossible event window, or the operating system refused.
    pub fn new(config: &ServerConfig) -> Result<Self, AttachError> {
        check::<S, T>(config)?;
        let (listener, address) = Listener::anywhere()?;
        Self::start(config, listener, address, false)
    }

    fn start(
        config: &ServerConfig,
        listener: Listener,
        address: SocketAddrUnix,
        is_named: bool,
    ) -> Result<Self, AttachError> {
        let max_clients = config.max_clients as u32;
        let (bell, fd) = Bell::make(max_clients)?;
        let hub = Hub::new(max_clients, config.event_window, bell.clone(), is_named);
        let acceptor = Acceptor::new(&hub, fd, listener);
        let lanes = LaneSet::default();
        if T::ISOLATED {
            // Its clients do not have the doorbells.
            lanes.wake_by_message();
        }
        Ok(Self {
            _watch: acceptor.open()?,
            acceptor,
            lanes,
            bell,
            hub,
            seats: Vec::new(),
            bells: BTreeMap::new(),
            rung: Vec::with_capacity(64),
            inquiries: Vec::new(),
            address,
            pollable: LazyPollable::default(),
        })
    }

    /// What makes clients of this server.
    pub fn connector(&self) -> Connector<S, T> {
        Connector::new(&self.hub, &self.address)
    }

    /// What ends this server from another thread.
    pub fn stopper(&self) -> Stopper<S, T> {
        Stopper::new(&self.hub)
    }

    /// A file descriptor that becomes readable when there is something to receive; see [`Pollable`].
    ///
    /// # Errors
    /// The operating system has no more descriptors.
    pub fn pollable(&self) -> std::io::Result<Pollable> {
        self.pollable.get()
    }

    /// Arms the descriptor of [`pollable`](Self::pollable): true if it is safe to sleep on it, false if there is something to
    /// receive already.
    pub fn arm(&self) -> bool {
        self.pollable
            .arm(|waker| self.register(waker), || self.ready())
    }

    /// Takes in new lanes, wakes those that were asleep, removes those whose client is gone.
    #[cold]
    fn answer_bell(&mut self) {
        let mut rung = std::mem::take(&mut self.rung);
        self.bell.take(|bell| rung.push(bell));
        self.take_in();
        for bell in rung.drain(..) {
            self.look_at(bell);
        }
        self.rung = rung;
        self.inquiries.append(&mut self.hub.inquiries());
    }

    /// Takes in new lanes.
    fn take_in(&mut self) {
        for Newcomer { seat, memory } in self.hub.newcomers() {
            let (client, bell) = (seat.client, seat.bell);
            // SAFETY: the memory was made for this client and introduced once.
            let lane = unsafe { ServerLane::new(memory, client, seat) };
            let lane = self.lanes.add(lane);
            let place = bell as usize;
            if self.seats.len() <= place {
                self.seats.resize_with(place + 1, || None);
            }
            self.seats[place] = Some(Seated {
                client,
                lane,
                is_gone: false,
            });
            self.bells.insert(client, bell);
            // It may have left, or rung, before it had its seat.
            self.look_at(bell);
        }
    }

    /// Looks at the lane of a doorbell that has rung.
    fn look_at(&mut self, bell: u32) {
        let Some(Some(seated)) = self.seats.get_mut(bell as usize) else {
            // Rung by, or for, somebody who is gone.
            return;
        };
        self.lanes.wake(seated.lane);
        let lane = self.lanes.lane(seated.lane);
        if !lane.is_some_and(|lane| lane.memory().client_is_gone()) {
            return;
        }
        if !seated.is_gone {
            seated.is_gone = true;
            self.hub.attendance.leave();
        }
        if self.lanes.reap(seated.lane) {
            self.bells.remove(&seated.client);
            self.seats[bell as usize] = None;
        } else {
            // Requests are left in it; it is looked at again once they have been received.
            self.bell.ring(bell);
        }
    }
}

// SAFETY: see `runtime_lane::lane_tickets`; all tickets come from the set.
unsafe impl<S: Service, T: Trust> ServerTransport for Server<S, T> {
    type Service = S;

    const OVERLAYS: bool = !T::ISOLATED;
    runtime_lane::lane_tickets!(ShmMemory<S, T>);

    fn id(&self) -> u64 {
        self.hub.attendance.server()
    }

    fn now(&self) -> u64 {
        clock::now()
    }

    #[inline(always)]
    fn poll(&mut self) -> Option<Self::Ticket> {
        // First: with clients that keep the server busy there is no time when nothing else is to be done.
        if self.bell.has_rung() {
            self.answer_bell();
            if !self.inquiries.is_empty() {
                return None;
            }
            if self.hub.attendance.is_stopped() {
                // However many requests there are, and each time.
                self.bell.ring_all();
                return None;
            }
        }
        self.lanes.poll()
    }

    fn clients(&self, visit: &mut dyn FnMut(ClientId)) {
        for lane in self.lanes.iter() {
            if !lane.memory().client_is_gone() {
                visit(lane.client());
            }
        }
        // Those that have connected since this side last looked.
        self.hub.waiting().into_iter().for_each(visit);
    }

    fn emit(
        &mut self,
        to: Audience,
        method: u16,
        len: usize,
        fill: &mut dyn FnMut(NonNull<u8>),
    ) -> Result<usize, EmitError> {
        if self.bell.has_rung() {
            self.answer_bell();
            // What it rang for is not done with: whoever sleeps next has to see it.
            if !self.inquiries.is_empty() || self.hub.attendance.is_over() {
                self.bell.ring_all();
            }
        }
        let to = match to {
            Audience::One(client) => {
                let bell = self.bells.get(&client);
                let seated = bell.and_then(|&bell| self.seats.get(bell as usize)?.as_ref());
                Some(seated.ok_or(EmitError::Disconnected)?.lane)
            }
            Audience::All => None,
        };
        self.lanes.emit(to, method, len, fill)
    }

    fn ready(&self) -> bool {
        !self.hub.attendance.is_stopped() && (self.bell.has_rung() || self.lanes.any_ready())
    }

    fn finished(&self) -> bool {
        self.hub.attendance.is_over()
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn park(&mut self, until: u64) {
        if !self.lanes.announce_sleep() && !self.bell.has_rung() && !self.hub.attendance.is_over() {
            // Whoever wakes this side rings, in another process or in this one.
            self.bell.wait(until);
        }
        self.lanes.end_long_sleep();
    }

    fn register(&self, waker: &Waker) {
        self.hub.server.register(waker);
        // A client cannot wake what it does not know, but tell the thread that watches this server's sockets.
        self.lanes.wake_by_message();
        if self.lanes.announce_sleep() || self.bell.has_rung() {
            self.lanes.end_sleep();
            waker.wake_by_ref();
        }
    }

    fn is_asked(&self) -> bool {
        !self.inquiries.is_empty()
    }

    fn report(&mut self, counters: &Counters) {
        for socket in self.inquiries.drain(..) {
            stat::report(&socket, S::METHODS, counters);
        }
    }
}

impl<S: Service, T: Trust> Bind for Server<S, T> {
    fn bind(address: &str, config: &ServerConfig) -> Result<Self, AttachError> {
        let address = Address::of(address)?;
        check::<S, T>(config)?;
        Self::start(
            config,
            Listener::at(&address)?,
            address.socket().clone(),
            true,
        )
    }
}

impl<S: Service, T: Trust> Drop for Server<S, T> {
    fn drop(&mut self) {
        self.acceptor.close();
        self.hub.close();
        // Those who were welcomed and never taken in are told, too, when the set is dropped.
        self.take_in();
    }
}

impl<S: Service, T: Trust> std::fmt::Debug for Server<S, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "shm::Server({})", S::NAME)
    }
}
