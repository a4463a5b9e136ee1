//! What a server shares with the thread that lets its clients in, and with those who stop it or make clients of it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime_core::{AttachError, ClientConfig, ClientId, Service};

use crate::address::Address;
use crate::bell::Bell;
use crate::client::Client;
use crate::connection::Connection;

/// Shared by a server, the thread that watches for it, its connections, its connectors and its stoppers.
pub(crate) struct Hub {
    /// The server's number, for its tokens.
    pub(crate) id: u64,
    pub(crate) event_window: usize,
    pub(crate) max_clients: u32,
    /// Rung when the server has something to do that its completion queue does not tell.
    pub(crate) bell: Bell,
    /// True if anyone who knows the address may connect at any time.
    is_named: bool,
    /// Clients that are admitted, and not seen to be gone.
    clients: AtomicUsize,
    /// Connectors that could make more.
    connectors: AtomicUsize,
    /// Number of the next client.
    next_client: AtomicU64,
    /// Connections that have not said what they want yet.
    callers: AtomicUsize,
    mail: Mutex<Mail>,
    stopped: AtomicBool,
}

/// What the server has to look at.
#[derive(Default)]
struct Mail {
    connected: Vec<Arc<Connection>>,
    /// Seats of those that are gone.
    gone: Vec<u32>,
    /// Seats that were used and are free again.
    free: Vec<u32>,
    /// The first seat that never was used.
    fresh: u32,
    /// True once the server is gone.
    closed: bool,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    Full,
    Closed,
}

/// Number of the next server in the process.
static NEXT_SERVER: AtomicU64 = AtomicU64::new(1);

impl Hub {
    pub(crate) fn new(
        max_clients: u32,
        event_window: usize,
        is_named: bool,
    ) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            id: NEXT_SERVER.fetch_add(1, Ordering::Relaxed),
            event_window,
            max_clients,
            bell: Bell::new()?,
            is_named,
            clients: AtomicUsize::new(0),
            connectors: AtomicUsize::new(0),
            next_client: AtomicU64::new(1),
            callers: AtomicUsize::new(0),
            mail: Mutex::default(),
            stopped: AtomicBool::new(false),
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

    /// Counts a client in, if there is room: its seat, another's once it is gone, and its number, nobody else's ever.
    pub(crate) fn admit(&self) -> Result<(u32, ClientId), NoSeat> {
        let mut mail = self.mail();
        if mail.closed {
            return Err(NoSeat::Closed);
        }
        let seat = match mail.free.pop() {
            Some(seat) => seat,
            None if mail.fresh < self.max_clients => {
                mail.fresh += 1;
                mail.fresh - 1
            }
            None => return Err(NoSeat::Full),
        };
        // Relaxed: a client's connector is there until this is over, and `is_deserted` looks at the connectors first.
        self.clients.fetch_add(1, Ordering::Relaxed);
        let number = self.next_client.fetch_add(1, Ordering::Relaxed);
        Ok((seat, ClientId(number)))
    }

    /// Hands an admitted client to the server; false if that is gone.
    pub(crate) fn introduce(&self, connection: &Arc<Connection>) -> bool {
        {
            let mut mail = self.mail();
            if mail.closed {
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

    /// Counts a client out that is gone. Its seat is not free before its connection was removed.
    pub(crate) fn leave(&self) {
        // AcqRel: what the client did comes before; pairs with the Acquire in `is_deserted`.
        self.clients.fetch_sub(1, Ordering::AcqRel);
    }

    /// Makes room for another client.
    pub(crate) fn vacate(&self, seat: u32) {
        self.mail().free.push(seat);
    }

    /// A client that was admitted is not connected after all.
    pub(crate) fn resign(&self, seat: u32) {
        self.leave();
        self.vacate(seat);
        // It may have been the last that the server waits for.
        self.bell.ring();
    }

    /// Says that the server is gone: nobody would look at what comes in.
    pub(crate) fn close(&self) {
        self.mail().closed = true;
    }

    /// True if no client is connected and none can connect any more, or the server was told to stop.
    #[inline]
    pub(crate) fn is_deserted(&self) -> bool {
        // Acquire: pairs with the releases by clients and connectors that left. The connectors first: one of them could connect a
        // client and leave between the two looks, but not the other way round.
        self.stopped.load(Ordering::Acquire)
            || (!self.is_named
                && self.connectors.load(Ordering::Acquire) == 0
                && self.clients.load(Ordering::Acquire) == 0)
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
        hub.connectors.fetch_add(1, Ordering::AcqRel);
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
        // AcqRel: pairs with the Acquire in `is_deserted`.
        if self.hub.connectors.fetch_sub(1, Ordering::AcqRel) == 1 {
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

    /// Tells the server to stop. Clients learn of it when it is dropped.
    pub fn stop(&self) {
        // Release: pairs with the Acquire in `is_deserted`.
        self.hub.stopped.store(true, Ordering::Release);
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
