//! What the clients of one server share with it outside their lanes: the mailbox, the admission limit, the stop flag.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// Clients, also those that are gone and whose lanes are not removed yet: what takes memory, so what `max_clients` limits.
    lanes: AtomicUsize,
    /// True if there is something in the mailbox, or the attendance has changed.
    attention: AtomicBool,
    pub(crate) mail: Mutex<Mail<S>>,
    /// Woken when the mailbox gets something.
    pub(crate) server: AtomicWaker,
}

/// What the server has to look at.
pub(crate) struct Mail<S: Service> {
    /// New lanes, with the numbers of their clients.
    pub(crate) connected: Vec<(u64, HeapMemory<S>)>,
    /// Lanes that were asleep, or whose client left.
    pub(crate) woken: Vec<u64>,
    /// True once the server is gone: nobody would read what comes in, and a lane left here would never be freed.
    pub(crate) closed: bool,
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
        let ClientId(number) = self.admit()?;
        let memory = match HeapMemory::new(geometry, Arc::clone(self), number) {
            Ok(memory) => memory,
            Err(error) => {
                self.attendance.leave();
                self.removed();
                return Err(error);
            }
        };
        {
            let mut mail = self.mail.lock().unwrap_or_else(PoisonError::into_inner);
            if mail.closed {
                self.attendance.leave();
                self.removed();
                return Err(AttachError::NotFound {
                    name: S::NAME.into(),
                });
            }
            mail.connected.push((number, memory.clone()));
        }
        self.ring();
        Ok(Client::new(memory))
    }

    /// Counts a client in, if there is room.
    fn admit(&self) -> Result<ClientId, AttachError> {
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
        Ok(self.attendance.enter())
    }

    /// Makes room for another client: the server has removed the lane of one that is gone, or one was not connected after all.
    pub(crate) fn removed(&self) {
        // Release: the removal comes before; pairs with the Acquire in `admit`.
        self.lanes.fetch_sub(1, Ordering::Release);
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
