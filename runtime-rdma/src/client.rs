//! The client's transport.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;

use runtime_core::{
    ArrivedHead, AttachError, ClientConfig, ClientTransport, Completion, Connect, Overlay, Service,
};
use runtime_os::{Alarm, LazyPollable, Pollable, Watch, clock, unwatch};

use crate::address::Address;
use crate::bell::Bell;
use crate::dial::dial;
use crate::endpoint::Endpoint;
use crate::link::Link;
use crate::shape::is_window;
use crate::verbs::Channel;

/// A client's end of a connection between nodes.
pub struct Client<S: Service> {
    /// First, so that nobody looks at the sockets any more when the rest goes.
    watch: Watch,
    endpoint: RefCell<Endpoint>,
    link: Arc<Link>,
    channel: Arc<Channel>,
    /// True once the channel is watched, for a task.
    is_watched: Cell<bool>,
    bell: Arc<Bell>,
    window: usize,
    alarm: Alarm,
    pollable: LazyPollable,
    service: core::marker::PhantomData<fn() -> S>,
}

impl<S: Service> Client<S> {
    pub(crate) fn connect_to(
        address: &Address,
        config: &ClientConfig,
    ) -> Result<Self, AttachError> {
        let window = config.window.unwrap_or(S::TUNING.rdma_window);
        if !is_window(window) {
            return Err(AttachError::Config {
                what: format!(
                    "`ClientConfig::window` is {window}: it must be a power of two from 2 to {}",
                    crate::imm::MAX_WINDOW
                ),
            });
        }
        let dialled = dial::<S>(address, window)?;
        Ok(Self {
            watch: dialled.watch,
            endpoint: RefCell::new(dialled.endpoint),
            link: dialled.link,
            channel: dialled.channel,
            is_watched: Cell::new(false),
            bell: dialled.bell,
            window,
            alarm: Alarm::new(window),
            pollable: LazyPollable::default(),
            service: core::marker::PhantomData,
        })
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

    /// Why the server is gone, once it is: what its socket, the device or the server itself said first.
    pub fn why_gone(&self) -> Option<&str> {
        self.link.why()
    }

    /// Replies that were dropped because there was no such call: a server that keeps the protocol sends none. (Those to calls that have timed
    /// out are counted by [`counters`](runtime_core::Client::counters).)
    pub fn stray_replies(&self) -> u64 {
        self.endpoint.borrow().strays()
    }

    /// How often this side's doorbell has rung: requests that leave together ring it once.
    pub fn doorbells(&self) -> u64 {
        self.endpoint.borrow().doorbells()
    }
}

// SAFETY: 1. `request` is the buffer of the slot that `take` gave, as long as the largest request, and free until it is sent. 2. The place
// of a completion is a receive buffer that the device has filled and given up; it is given back by `release`. 3. Likewise those of events,
// by `release_arrived`. 4. `Endpoint::take` gives only free slots, and a slot is free again when it is released. 5. Slots are numbered
// below the window.
unsafe impl<S: Service> ClientTransport for Client<S> {
    type Service = S;

    /// A reply arrives in memory of its own.
    const OVERLAYS: bool = false;
    /// A poll takes whatever has completed.
    const FALLS_IDLE: bool = false;
    const APART: usize = 0;

    fn window(&self) -> usize {
        self.window
    }

    fn slots(&self) -> usize {
        self.window
    }

    fn now(&self) -> u64 {
        clock::now()
    }

    #[inline(always)]
    fn take(&mut self) -> Option<u16> {
        self.endpoint.get_mut().take()
    }

    #[inline(always)]
    unsafe fn give_back(&mut self, _: u16) {
        // Taking a slot changes nothing until it is sent.
    }

    #[inline(always)]
    unsafe fn request(&mut self, slot: u16) -> NonNull<u8> {
        // SAFETY: promise 1 of this function.
        unsafe { self.endpoint.get_mut().request(slot) }
    }

    #[inline(always)]
    unsafe fn send(&mut self, slot: u16, method: u16, len: usize, _: Overlay) {
        // SAFETY: promise 1 of this function: the slot is taken, and its request was built.
        unsafe { self.endpoint.get_mut().send(slot, method, len) };
    }

    #[inline(always)]
    fn poll(&mut self) -> Option<Completion> {
        self.endpoint.get_mut().poll()
    }

    #[inline(always)]
    fn poll_slot(&mut self, slot: u16) -> Option<Completion> {
        self.endpoint.get_mut().poll_slot(slot)
    }

    #[inline(always)]
    fn slot_ready(&self, slot: u16) -> bool {
        self.endpoint.borrow_mut().is_slot_ready(slot)
    }

    #[inline(always)]
    unsafe fn release(&mut self, slot: u16) {
        // SAFETY: promise 1 of this function.
        unsafe { self.endpoint.get_mut().release(slot) };
    }

    fn poll_arrived(&mut self) -> Option<ArrivedHead> {
        self.endpoint.get_mut().poll_event()
    }

    unsafe fn arrived_bytes(&self, _: &ArrivedHead) -> NonNull<u8> {
        self.endpoint.borrow().event()
    }

    unsafe fn release_arrived(&mut self, _: ArrivedHead) {
        self.endpoint.get_mut().release_event();
    }

    fn peer_gone(&self) -> bool {
        self.link.is_gone()
    }

    fn ready(&self) -> bool {
        self.endpoint.borrow_mut().is_ready() || self.peer_gone()
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn park(&mut self, slot: Option<u16>, until: u64) {
        self.endpoint.get_mut().arm();
        let ready = match slot {
            Some(slot) => self.slot_ready(slot) || self.peer_gone(),
            None => self.ready(),
        };
        if !ready {
            self.endpoint.borrow().sleep(&self.bell, until);
        }
    }

    fn register(&self, waker: &Waker) {
        self.bell.register(waker);
        if self.link.is_gone() {
            // The socket is watched no more, and everything else has happened.
            return self.bell.wake();
        }
        if !self.is_watched.replace(true)
            && let Err(error) = self.watch.also(self.channel.fd())
        {
            self.link
                .fail(|| format!("the completion channel cannot be watched: {error}"));
        }
        // What lies there already is for whoever asks for it: who waits for something else is not to be woken for it again and again.
        let is_news = self.endpoint.borrow_mut().arm_and_look();
        if is_news || self.peer_gone() {
            self.bell.wake();
        } else if let Some(time) = self.endpoint.borrow().looks_again_at() {
            self.alarm.wake_at(time, waker);
        }
    }

    fn wake_at(&self, until: u64, waker: &Waker) {
        self.alarm.wake_at(until, waker);
    }

    fn hold_doorbell(&mut self) {
        self.endpoint.get_mut().hold_doorbell();
    }

    fn ring_doorbell(&mut self) {
        self.endpoint.get_mut().ring_doorbell();
    }
}

impl<S: Service> Connect for Client<S> {
    fn connect(address: &str, config: &ClientConfig) -> Result<Self, AttachError> {
        Self::connect_to(&Address::of(address)?, config)
    }
}

impl<S: Service> Drop for Client<S> {
    fn drop(&mut self) {
        self.endpoint.get_mut().leave();
        unwatch(self.link.socket());
        if self.is_watched.get() {
            unwatch(self.channel.fd());
        }
    }
}

impl<S: Service> std::fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rdma::Client({})", S::NAME)
    }
}
