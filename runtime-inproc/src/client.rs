//! The client's transport.

use std::ptr::NonNull;
use std::task::Waker;

use runtime_core::{
    ArrivedHead, AttachError, ClientConfig, ClientTransport, Completion, Connect, Service,
    SlotShape,
};
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

// SAFETY: `ClientEnd` keeps the promises over a `Memory`:
// 1. `request` is the body of the slot that `take` gave, which is the largest request long and free until it is sent.
// 2. `response` is that of a completed slot, whose word said that the server has given it up; it is used again only after `release`.
// 3. An event's slot is overwritten only after `release_event`.
// 4. `take` gives the one free slot outside the free list, and `send` takes the next from that list.
// 5. Slots are numbered below `slots`.
unsafe impl<S: Service> ClientTransport for Client<S> {
    type Service = S;

    const OVERLAYS: bool = true;
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
        self.memory().shared().hub.leave();
    }
}

impl<S: Service> std::fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "inproc::Client({})", S::NAME)
    }
}
