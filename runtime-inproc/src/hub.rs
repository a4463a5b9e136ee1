//! What the clients of one server share with it outside their lanes: the mailbox, the admission limit, the stop flag.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use atomic_waker::AtomicWaker;
use runtime_core::{AttachError, Attendance, ClientConfig, ClientId, Service, SlotShape};
use runtime_lane::Geometry;

use crate::client::Client;
use crate::memory::HeapMemory;

/// Shared by a server, its connectors and its clients.
pub(crate) struct Hub<S: Service> {
    pub(crate) attendance: Attendance,
    pub(crate) event_window: usize,
    max_clients: usize,
    /// Lanes, also of clients that are gone: what takes memory, so what `max_clients` limits.
    lanes: AtomicUsize,
    /// True if there is something in the mailbox, or the attendance has changed.
    attention: AtomicBool,
    pub(crate) mail: Mutex<Mail<S>>,
    /// Woken when the mailbox gets something.
    pub(crate) server: AtomicWaker,
}

/// What the server has to look at.
pub(crate) struct Mail<S: Service> {
    /// New lanes.
    pub(crate) connected: Vec<Newcomer<S>>,
    /// Lanes that were asleep, or whose client left.
    pub(crate) woken: Vec<u64>,
    /// True once the server is gone: nobody would read what comes in, and a lane left here would never be freed.
    pub(crate) closed: bool,
}

/// A client that was admitted.
pub(crate) struct Newcomer<S: Service> {
    /// Its number; nobody else's ever.
    pub(crate) number: u64,
    pub(crate) memory: HeapMemory<S>,
    pub(crate) seat: Seat<S>,
}

/// A lane that counts for the limit, until it is dropped with the last handle on it.
pub(crate) struct Seat<S: Service>(Weak<Hub<S>>);

impl<S: Service> Drop for Seat<S> {
    fn drop(&mut self) {
        if let Some(hub) = self.0.upgrade() {
            // Release: the lane's end comes before; pairs with the Acquire in `admit`.
            hub.lanes.fetch_sub(1, Ordering::Release);
        }
    }
}

/// Wakes a task. A waker is another's code: that it panics, which the panic's hook has reported, is not to end what the caller was about, which is
/// another's as a rule.
pub(crate) fn wake(waker: &AtomicWaker) {
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}

impl<S: Service> Hub<S> {
    pub(crate) fn new(max_clients: usize, event_window: usize) -> Arc<Self> {
        Arc::new(Self {
            // A name has a connector of its own, in the registry.
            attendance: Attendance::new(false),
            event_window,
            max_clients,
            lanes: AtomicUsize::new(0),
            attention: AtomicBool::new(false),
            mail: Mutex::new(Mail {
                connected: Vec::new(),
                woken: Vec::with_capacity(64),
                closed: false,
            }),
            server: AtomicWaker::new(),
        })
    }

    /// Connects a client.
    pub(crate) fn connect(
        self: &Arc<Self>,
        config: &ClientConfig,
    ) -> Result<Client<S>, AttachError> {
        let window = config.window.unwrap_or(S::TUNING.window);
        let Some(geometry) = Geometry::new(SlotShape::of_service::<S>(), window, self.event_window)
        else {
            return Err(AttachError::Config {
                what: format!(
                    "`ClientConfig::window` is {window}: it must be a power of two from 2 to {}",
                    Geometry::MAX_WINDOW
                ),
            });
        };
        let (ClientId(number), seat) = self.admit()?;
        let memory = match HeapMemory::new(geometry, Arc::clone(self), number) {
            Ok(memory) => memory,
            Err(error) => {
                self.attendance.leave();
                return Err(error);
            }
        };
        {
            let mut mail = self.mail.lock().unwrap_or_else(PoisonError::into_inner);
            if mail.closed {
                self.attendance.leave();
                return Err(AttachError::NotFound {
                    name: S::NAME.into(),
                });
            }
            mail.connected.push(Newcomer {
                number,
                memory: memory.clone(),
                seat,
            });
        }
        self.ring();
        Ok(Client::new(memory))
    }

    /// Counts a client in, if there is room.
    fn admit(self: &Arc<Self>) -> Result<(ClientId, Seat<S>), AttachError> {
        let admitted = self
            .lanes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |lanes| {
                (lanes < self.max_clients).then_some(lanes + 1)
            });
        if admitted.is_err() {
            return Err(AttachError::TooManyClients {
                limit: self.max_clients,
            });
        }
        Ok((self.attendance.enter(), Seat(Arc::downgrade(self))))
    }

    /// Wakes the server for a lane.
    pub(crate) fn lane_woke(&self, number: u64) {
        let mut mail = self.mail.lock().unwrap_or_else(PoisonError::into_inner);
        if !mail.closed {
            mail.woken.push(number);
            drop(mail);
            self.ring();
        }
    }

    /// Makes the server look.
    pub(crate) fn ring(&self) {
        // Release: the mail comes before; pairs with the Acquire in `take_attention`.
        self.attention.store(true, Ordering::Release);
        wake(&self.server);
    }

    /// True if the server has to look at its mail.
    #[inline(always)]
    pub(crate) fn wants_attention(&self) -> bool {
        // Relaxed: `take_attention` orders.
        self.attention.load(Ordering::Relaxed)
    }

    /// Ends the attention; the caller then takes the mail.
    pub(crate) fn take_attention(&self) {
        // AcqRel: pairs with the Release in `ring`.
        self.attention.swap(false, Ordering::AcqRel);
    }
}

/// Makes clients of one server, on any thread. A server serves for as long as there is a client or a connector.
pub struct Connector<S: Service> {
    hub: Arc<Hub<S>>,
}

impl<S: Service> Connector<S> {
    pub(crate) fn new(hub: &Arc<Hub<S>>) -> Self {
        hub.attendance.add_connector();
        Self {
            hub: Arc::clone(hub),
        }
    }

    /// Connects a client.
    ///
    /// # Errors
    /// The server has all the clients it admits or is gone, or the configuration asks for an impossible window.
    pub fn connect(&self, config: &ClientConfig) -> Result<Client<S>, AttachError> {
        self.hub.connect(config)
    }
}

impl<S: Service> Clone for Connector<S> {
    fn clone(&self) -> Self {
        Self::new(&self.hub)
    }
}

impl<S: Service> Drop for Connector<S> {
    fn drop(&mut self) {
        if self.hub.attendance.remove_connector() {
            self.hub.ring();
        }
    }
}

/// Ends a server's `serve` and `wait` from another thread.
pub struct Stopper<S: Service> {
    hub: Arc<Hub<S>>,
}

impl<S: Service> Stopper<S> {
    pub(crate) fn new(hub: &Arc<Hub<S>>) -> Self {
        Self {
            hub: Arc::clone(hub),
        }
    }

    /// Tells the server to stop: what it has not received by then it receives no more. Clients learn of it when it is dropped.
    pub fn stop(&self) {
        self.hub.attendance.stop();
        self.hub.ring();
    }
}

impl<S: Service> Clone for Stopper<S> {
    fn clone(&self) -> Self {
        Self {
            hub: Arc::clone(&self.hub),
        }
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
