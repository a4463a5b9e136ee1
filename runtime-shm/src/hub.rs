//! What a server shares with the thread that accepts its clients, and with those who stop it or make clients of it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use atomic_waker::AtomicWaker;
use runtime_core::{AttachError, Attendance, ClientConfig, ClientId, NoSeat, Seats, Service};
use runtime_lane::Memory;
use rustix::net::SocketAddrUnix;

use crate::bell::Bell;
use crate::client::Client;
use crate::given::Connection;
use crate::memory::ShmMemory;
use crate::trust::{SameUser, Trust};

/// Shared by a server, the thread that watches for it, its connectors and its stoppers.
pub(crate) struct Hub<S: Service, T: Trust> {
    pub(crate) attendance: Attendance,
    pub(crate) event_window: usize,
    pub(crate) max_clients: u32,
    pub(crate) bell: Bell,
    /// Connections that have not said what they want yet.
    pub(crate) pending: Mutex<BTreeMap<u32, usize>>,
    mail: Mutex<Mail<S, T>>,
    /// Woken when the server has something to do, besides its bell.
    pub(crate) server: AtomicWaker,
}

/// What the server has to look at.
struct Mail<S: Service, T: Trust> {
    connected: Vec<Newcomer<S, T>>,
    /// Every lane there is, by doorbell, for those who want to know how the server is.
    lanes: BTreeMap<u32, (ClientId, ShmMemory<S, T>)>,
    /// Those who want to know what the server has counted.
    inquiries: Vec<Connection>,
    seats: Seats,
}

/// A client that was admitted.
pub(crate) struct Newcomer<S: Service, T: Trust> {
    pub(crate) seat: Seat<S, T>,
    pub(crate) memory: ShmMemory<S, T>,
}

/// What a client gets when it is admitted, and gives back with the last handle on its lane.
pub(crate) struct Seat<S: Service, T: Trust> {
    /// Its doorbell; another's once this is dropped.
    pub(crate) bell: u32,
    /// Its number; nobody else's ever.
    pub(crate) client: ClientId,
    hub: Weak<Hub<S, T>>,
}

impl<S: Service, T: Trust> Drop for Seat<S, T> {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.vacate(self.bell);
        }
    }
}

/// Those that may ask at a time for what a server has counted; the others learn the rest.
const MAX_INQUIRIES: usize = 16;

impl<S: Service, T: Trust> Hub<S, T> {
    pub(crate) fn new(
        max_clients: u32,
        event_window: usize,
        bell: Bell,
        is_named: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            attendance: Attendance::new(is_named),
            event_window,
            max_clients,
            bell,
            pending: Mutex::default(),
            mail: Mutex::new(Mail {
                connected: Vec::new(),
                lanes: BTreeMap::new(),
                inquiries: Vec::new(),
                seats: Seats::new(max_clients),
            }),
            server: AtomicWaker::new(),
        })
    }

    fn mail(&self) -> MutexGuard<'_, Mail<S, T>> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a client in, if there is room.
    pub(crate) fn admit(self: &Arc<Self>) -> Result<Seat<S, T>, NoSeat> {
        let bell = self.mail().seats.take()?;
        Ok(Seat {
            bell,
            client: self.attendance.enter(),
            hub: Arc::downgrade(self),
        })
    }

    /// Hands an admitted client to the server; an error if that is gone.
    pub(crate) fn introduce(&self, newcomer: Newcomer<S, T>) -> Result<(), Newcomer<S, T>> {
        let mut mail = self.mail();
        if mail.seats.is_closed() {
            return Err(newcomer);
        }
        let entry = (newcomer.seat.client, newcomer.memory.clone());
        mail.lanes.insert(newcomer.seat.bell, entry);
        mail.connected.push(newcomer);
        drop(mail);
        self.ring_all();
        Ok(())
    }

    /// The clients that were introduced and not taken in yet.
    pub(crate) fn newcomers(&self) -> Vec<Newcomer<S, T>> {
        std::mem::take(&mut self.mail().connected)
    }

    /// Those of them that are still there.
    pub(crate) fn waiting(&self) -> Vec<ClientId> {
        let mail = self.mail();
        let there = mail
            .connected
            .iter()
            .filter(|newcomer| !newcomer.memory.client_is_gone());
        there.map(|newcomer| newcomer.seat.client).collect()
    }

    /// Makes room for another client.
    fn vacate(&self, bell: u32) {
        let removed = {
            let mut mail = self.mail();
            mail.lanes.remove(&bell)
        };
        // Unlocked: with the last handle on it memory is unmapped, and its watching ends. The place is another's only after that.
        drop(removed);
        self.mail().seats.give_back(bell);
    }

    /// Counts a connection in that has not said what it wants; false if this user has too many of them.
    pub(crate) fn greet(&self, user: u32, most: usize) -> bool {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let count = pending.entry(user).or_default();
        let is_room = *count < most;
        *count += usize::from(is_room);
        is_room
    }

    /// Counts it out again.
    pub(crate) fn dismiss(&self, user: u32) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pending.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                pending.remove(&user);
            }
        }
    }

    /// Says that the server is gone: nobody would look at what comes in.
    pub(crate) fn close(&self) {
        let (lanes, inquiries) = {
            let mut mail = self.mail();
            mail.seats.close();
            (
                std::mem::take(&mut mail.lanes),
                std::mem::take(&mut mail.inquiries),
            )
        };
        // Unlocked, as in `vacate`.
        drop((lanes, inquiries));
    }

    /// Shows every lane to `look`.
    pub(crate) fn census(&self, mut look: impl FnMut(ClientId, &ShmMemory<S, T>)) {
        for (client, memory) in self.mail().lanes.values() {
            look(*client, memory);
        }
    }

    /// Asks the server for what it has counted.
    pub(crate) fn inquire(&self, socket: Connection) {
        {
            let mut mail = self.mail();
            if mail.seats.is_closed() || mail.inquiries.len() >= MAX_INQUIRIES {
                return;
            }
            mail.inquiries.push(socket);
        }
        self.ring_all();
    }

    /// Those who have asked.
    pub(crate) fn inquiries(&self) -> Vec<Connection> {
        std::mem::take(&mut self.mail().inquiries)
    }

    /// Makes the server look at a lane.
    pub(crate) fn ring(&self, bell: u32) {
        self.bell.ring(bell);
        self.wake();
    }

    /// Makes the server look.
    pub(crate) fn ring_all(&self) {
        self.bell.ring_all();
        self.wake();
    }

    /// Wakes the server's task. A waker is another's code: that it panics, which the panic's hook has reported, is not to end what the
    /// caller was about, which is another client's as a rule.
    fn wake(&self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.server.wake()));
    }
}

/// Makes clients of a server without a name, on any thread. That server serves for as long as there is a client or a connector.
pub struct Connector<S: Service, T: Trust = SameUser> {
    hub: Arc<Hub<S, T>>,
    address: SocketAddrUnix,
}

impl<S: Service, T: Trust> Connector<S, T> {
    pub(crate) fn new(hub: &Arc<Hub<S, T>>, address: &SocketAddrUnix) -> Self {
        hub.attendance.add_connector();
        Self {
            hub: Arc::clone(hub),
            address: address.clone(),
        }
    }

    /// Connects a client.
    ///
    /// # Errors
    /// The server has all the clients it admits or is gone, or the configuration asks for an impossible window.
    pub fn connect(&self, config: &ClientConfig) -> Result<Client<S, T>, AttachError> {
        // The address is free for others once the server is gone.
        if self.hub.mail().seats.is_closed() {
            return Err(AttachError::NotFound {
                name: S::NAME.into(),
            });
        }
        Client::connect_to(S::NAME, &self.address, config)
    }
}

impl<S: Service, T: Trust> Clone for Connector<S, T> {
    fn clone(&self) -> Self {
        Self::new(&self.hub, &self.address)
    }
}

impl<S: Service, T: Trust> Drop for Connector<S, T> {
    fn drop(&mut self) {
        if self.hub.attendance.remove_connector() {
            self.hub.ring_all();
        }
    }
}

/// Ends a server's `serve` and `wait` from another thread.
pub struct Stopper<S: Service, T: Trust = SameUser> {
    hub: Arc<Hub<S, T>>,
}

impl<S: Service, T: Trust> Stopper<S, T> {
    pub(crate) fn new(hub: &Arc<Hub<S, T>>) -> Self {
        Self {
            hub: Arc::clone(hub),
        }
    }

    /// Tells the server to stop: what it has not received by then it receives no more. Clients learn of it when it is dropped.
    pub fn stop(&self) {
        self.hub.attendance.stop();
        self.hub.ring_all();
    }
}

impl<S: Service, T: Trust> Clone for Stopper<S, T> {
    fn clone(&self) -> Self {
        Self {
            hub: Arc::clone(&self.hub),
        }
    }
}

impl<S: Service, T: Trust> std::fmt::Debug for Connector<S, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connector({})", S::NAME)
    }
}

impl<S: Service, T: Trust> std::fmt::Debug for Stopper<S, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stopper({})", S::NAME)
    }
}
