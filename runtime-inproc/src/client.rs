//! The client's transport.

use std::task::Waker;

use runtime_core::{AttachError, ClientConfig, ClientTransport, Connect, Service};
use runtime_lane::{ClientEnd, Memory, Wake};
use runtime_os::{Alarm, Sleeper, clock};

use crate::memory::HeapMemory;
use crate::registry;

/// A client's end of an in-process lane.
pub struct Client<S: Service> {
    end: ClientEnd<HeapMemory<S>>,
    sleeper: Sleeper,
    alarm: Alarm,
    #[cfg(target_os = "linux")]
    pollable: runtime_os::LazyPollable,
}

impl<S: Service> Client<S> {
    pub(crate) fn new(memory: HeapMemory<S>) -> Self {
        Self {
            alarm: Alarm::new(memory.geometry().slots()),
            // SAFETY: the hub makes one client of fresh memory.
            end: unsafe { ClientEnd::new(memory) },
            sleeper: Sleeper::default(),
            #[cfg(target_os = "linux")]
            pollable: runtime_os::LazyPollable::default(),
        }
    }

    fn memory(&self) -> &HeapMemory<S> {
        self.end.memory()
    }

    /// A file descriptor that becomes readable when there is something to poll; see [`Pollable`](crate::Pollable).
    ///
    /// # Errors
    /// The operating system has no more descriptors.
    #[cfg(target_os = "linux")]
    pub fn pollable(&self) -> std::io::Result<crate::Pollable> {
        self.pollable.get()
    }

    /// Arms the descriptor of [`pollable`](Self::pollable): true if it is safe to sleep on it, false if there is something to poll
    /// already.
    ///
    /// The end of a call at its deadline is nothing that arrives, and does not make the descriptor readable: while calls are in flight,
    /// wait for it with a timeout; see [`Pollable`](crate::Pollable).
    #[cfg(target_os = "linux")]
    pub fn arm(&self) -> bool {
        self.pollable
            .arm(|waker| self.register(waker), || self.ready())
    }
}

// SAFETY: see `runtime_lane::client_slots`; the end is made for fresh memory.
unsafe impl<S: Service> ClientTransport for Client<S> {
    type Service = S;

    const OVERLAYS: bool = true;
    /// The lane looks at the oldest call first, and at the others at every eighth time.
    const FALLS_IDLE: bool = true;
    runtime_lane::client_slots!();

    fn now(&self) -> u64 {
        clock::now()
    }

    fn peer_gone(&self) -> bool {
        self.memory().control().server_is_gone()
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn park(&mut self, slot: Option<u16>, until: u64) {
        self.end
            .memory()
            .shared()
            .client
            .register(self.sleeper.waker());
        self.end.announce_sleep(Wake::Thread);
        let ready = match slot {
            Some(slot) => self.slot_ready(slot) || self.peer_gone(),
            None => self.ready(),
        };
        if !ready {
            Sleeper::sleep(until);
        }
        self.end.end_sleep();
    }

    fn register(&self, waker: &Waker) {
        self.memory().shared().client.register(waker);
        self.end.announce_sleep(Wake::Thread);
    }

    fn wake_at(&self, until: u64, waker: &Waker) {
        self.alarm.wake_at(until, waker);
    }
}

impl<S: Service> Connect for Client<S> {
    fn connect(address: &str, config: &ClientConfig) -> Result<Self, AttachError> {
        registry::connect(address, config)
    }
}

impl<S: Service> Drop for Client<S> {
    fn drop(&mut self) {
        // Before `end` goes and tells the server, so that the server, when it looks, counts this client no more.
        self.memory().shared().hub.attendance.leave();
    }
}

impl<S: Service> std::fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "inproc::Client({})", S::NAME)
    }
}
