//! What a server shares with the thread that lets its clients in, and with those who stop it or make clients of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime_core::{AttachError, Attendance, ClientConfig, ClientId, NoSeat, Seats, Service};

use crate::address::Address;
use crate::bell::Bell;
use crate::client::Client;
use crate::connection::Connection;

/// Shared by a server, the thread that watches for it, its connections, its connectors and its stoppers.
pub(crate) struct Hub {
    pub(crate) attendance: Attendance,
    pub(crate) event_window: usize,
    pub(crate) max_clients: u32,
    /// Rung when the server has something to do that its completion queue does not tell.
    pub(crate) bell: Bell,
    /// Connections that have not said what they want yet.
    callers: AtomicUsize,
    mail: Mutex<Mail>,
}

/// A client's place among those of its server; another's once this is dropped.
pub(crate) struct Seat {
    pub(crate) number: u32,
    hub: Arc<Hub>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.mail().seats.give_back(self.number);
    }
}

/// What the server has to look at.
struct Mail {
    connected: Vec<Arc<Connection>>,
    /// Seats of those that are gone.
    gone: Vec<u32>,
    seats: Seats,
}

impl Hub {
    pub(crate) fn new(
        max_clients: u32,
        event_window: usize,
        is_named: bool,
    ) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            attendance: Attendance::new(is_named),
            event_window,
            max_clients,
            bell: Bell::new()?,
            callers: AtomicUsize::new(0),
            mail: Mutex::new(Mail {
                connected: Vec::new(),
                gone: Vec::new(),
                seats: Seats::new(max_clients),
            }),
        }))
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection in that has not said what it wants; false if there are too many of them.
    pub(crate) fn greet(&self, most: usize) -> bool {
        // Relaxed: it is a number, and the watching thread alone adds to it.
        let is_room = self.callers.load(Ordering::Relaxed) < most;
        if is_room {
            self.callers.fetch_add(1, Ordering::Relaxed);
        }
        is_room
    }

    /// Counts it out again.
    pub(crate) fn dismiss(&self) {
        self.callers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a client in, if there is room: its seat and its number.
    pub(crate) fn admit(self: &Arc<Self>) -> Result<(Seat, ClientId), NoSeat> {
        let number = self.mail().seats.take()?;
        let hub = Arc::clone(self);
        Ok((Seat { number, hub }, self.attendance.enter()))
    }

    /// Hands an admitted client to the server; false if that is gone.
    pub(crate) fn introduce(&self, connection: &Arc<Connection>) -> bool {
        {
            let mut mail = self.mail();
            if mail.seats.is_closed() {
                return false;
            }
            mail.connected.push(Arc::clone(connection));
        }
        self.bell.ring();
        true
    }

    /// The clients that were introduced and not taken in yet.
    pub(crate) fn newcomers(&self) -> Vec<Arc<Connection>> {
        std::mem::take(&mut self.mail().connected)
    }

    /// Those of them that are still there.
    pub(crate) fn waiting(&self) -> Vec<ClientId> {
        let mail = self.mail();
        let there = mail
            .connected
            .iter()
            .filter(|connection| !connection.link.is_gone());
        there.map(|connection| connection.id).collect()
    }

    /// Makes the server look at a client that is gone.
    pub(crate) fn lose(&self, seat: u32) {
        self.mail().gone.push(seat);
        self.bell.ring();
    }

    /// The seats of those that are gone.
    pub(crate) fn lost(&self) -> Vec<u32> {
        std::mem::take(&mut self.mail().gone)
    }

    /// A client that was admitted is not connected after all.
    pub(crate) fn resign(&self) {
        self.attendance.leave();
        // It may have been the last that the server waits for.
        self.bell.ring();
    }

    /// Says that the server is gone: nobody would look at what comes in.
    pub(crate) fn close(&self) {
        self.mail().seats.close();
    }
}

/// Makes clients of a server without a name, on any thread. That server serves for as long as there is a client or a connector.
pub struct Connector<S: Service> {
    hub: Arc<Hub>,
    address: Address,
    service: core::marker::PhantomData<fn() -> S>,
}

impl<S: Service> Connector<S> {
    pub(crate) fn new(hub: &Arc<Hub>, address: &Address) -> Self {
        hub.attendance.add_connector();
        Self {
            hub: Arc::clone(hub),
            address: address.clone(),
            service: core::marker::PhantomData,
        }
    }

    /// Connects a client.
    ///
    /// # Errors
    /// The server has all the clients it admits or is gone, or the configuration asks for an impossible window.
    pub fn connect(&self, config: &ClientConfig) -> Result<Client<S>, AttachError> {
        // The port is free for others once the server is gone.
        if self.hub.mail().seats.is_closed() {
            return Err(AttachError::NotFound {
                name: S::NAME.into(),
            });
        }
        Client::connect_to(&self.address, config)
    }
}

impl<S: Service> Clone for Connector<S> {
    fn clone(&self) -> Self {
        Self::new(&self.hub, &self.address)
    }
}

impl<S: Service> Drop for Connector<S> {
    fn drop(&mut self) {
        if self.hub.attendance.remove_connector() {
            self.hub.bell.ring();
        }
    }
}

/// Ends a server's `serve` and `wait` from another thread.
pub struct Stopper<S: Service> {
    hub: Arc<Hub>,
    service: core::marker::PhantomData<fn() -> S>,
}

impl<S: Service> Stopper<S> {
    pub(crate) fn new(hub: &Arc<Hub>) -> Self {
        Self {
            hub: Arc::clone(hub),
            service: core::marker::PhantomData,
        }
    }

    /// Tells the server to stop: what it has not received by then it receives no more. Clients learn of it when it is dropped.
    pub fn stop(&self) {
        self.hub.attendance.stop();
        self.hub.bell.ring();
    }
}

impl<S: Service> Clone for Stopper<S> {
    fn clone(&self) -> Self {
        Self::new(&self.hub)
    }
}

impl<S: Service> std::fmt::Debug for Connector<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connector({})", S::NAME)
    }
}

impl<S: Service> std::fmt::Debug for Stopper<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stopper({})", S::NAME)
    }
}
