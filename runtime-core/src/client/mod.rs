//! The typed client: the contract of a call, once, over any transport.

mod blocking;
mod calls;
mod ending;
mod future;
mod guards;
mod loan;
mod waiting;
mod wakers;

use alloc::sync::Arc;
use core::cell::RefCell;
use core::fmt;
use core::ptr::NonNull;

use core::time::Duration;

pub use blocking::{Blocking, Retry, Retrying};
pub use future::Pending;
pub use loan::Loan;

use self::calls::{Calls, Kind, State};
use self::guards::{Release, ReleaseArrived, Taken};
use self::wakers::Wakers;
use crate::config::{ClientConfig, spin_of};
use crate::counters::{Counters, Histogram, Tally, count};
use crate::error::{AttachError, Refusal, Refused, WaitError};
use crate::server::Arrived;
use crate::service::{
    Ended, Lies, Method, MethodKind, Outcome, Overlay, Service, assert_call, assert_fits,
    assert_request, request_apart,
};
use crate::spin::Spin;
use crate::transport::{ClientTransport, Completion, Connect, ReplyHead};

/// A client of service `S` over transport `T`. Each call carries a `U` that comes back with its reply.
///
/// Generated clients deref to this one, so `poll`, `wait`, `loan` and the rest are called on them.
///
/// `Send` if `U` is, and never `Sync`: one thread drives it, and may pass it on.
pub struct Client<S: Service, T: ClientTransport, U = ()> {
    core: RefCell<Core<T, U>>,
    service: core::marker::PhantomData<fn() -> S>,
}

/// What the futures share with the client; everything else has it by `&mut`.
struct Core<T: ClientTransport, U> {
    transport: T,
    calls: Calls<U>,
    wakers: Arc<Wakers>,
    tally: Tally,
    histogram: Option<Histogram>,
    spin: Spin,
    /// Deadline of the next call, set by `within`.
    next_deadline: Option<u64>,
    /// True if the next call has a deadline of its own, or round-trip times are measured.
    unusual: bool,
}

/// Polls that find nothing between two looks at the clock and at the peer's sign of life.
const IDLE_POLLS_PER_CHECK: u32 = 64;

/// Events that one `poll_events` hands out at most: as many as any window holds.
const MAX_EVENTS: usize = 4096;

impl<S: Service, T: ClientTransport, U> Client<S, T, U> {
    /// A client over a connected transport.
    pub fn over(transport: T, config: &ClientConfig) -> Self
    where
        T: ClientTransport<Service = S>,
    {
        let slots = transport.slots();
        let core = Core {
            transport,
            calls: Calls::new(slots, S::METHODS, config.deadline),
            wakers: Wakers::new(slots),
            tally: Tally::new::<S>(),
            histogram: config.histogram.then(Histogram::new),
            spin: Spin::new(nanoseconds(spin_of::<S>(config.spin))),
            next_deadline: None,
            unusual: config.histogram,
        };
        Self {
            core: RefCell::new(core),
            service: core::marker::PhantomData,
        }
    }

    /// Connects to the server at `address`.
    ///
    /// # Errors
    /// Why it could not: nobody serves there, another definition, too many clients.
    pub fn connect(address: &str, config: &ClientConfig) -> Result<Self, AttachError>
    where
        T: Connect<Service = S>,
    {
        Ok(Self::over(T::connect(address, config)?, config))
    }

    /// Sends a call and returns at once; the reply reaches the callback of [`poll`](Self::poll).
    ///
    /// `fill` writes the request where it will travel from. It has to write every field: the slot holds what the call
    /// before left there.
    ///
    /// `Ok` says that it was sent, not that the server is there: that it is gone is seen by the next `poll` or `wait`.
    ///
    /// # Errors
    /// [`Refusal::WouldBlock`] if the window is full, [`Refusal::Disconnected`] if the server is gone; `user_data` comes back.
    #[inline(always)]
    pub fn call<M: Method<Service = S>>(
        &mut self,
        user_data: U,
        fill: impl FnOnce(&mut M::Request),
    ) -> Result<(), Refused<U>> {
        const { assert_call::<M>() };
        let core = self.core.get_mut();
        match core.build::<M>(fill) {
            Ok(slot) => {
                core.calls.start_callback::<M>(slot, user_data);
                core.send::<M>(slot);
                Ok(())
            }
            Err(why) => Err(Refused { why, user_data }),
        }
    }

    /// Sends a oneway request; nothing comes back.
    ///
    /// # Errors
    /// [`Refusal::WouldBlock`] if the window is full, [`Refusal::Disconnected`] if the server is gone.
    #[inline]
    pub fn tell<M: Method<Service = S>>(
        &mut self,
        fill: impl FnOnce(&mut M::Request),
    ) -> Result<(), Refusal> {
        const {
            assert!(
                matches!(M::KIND, MethodKind::Oneway),
                "`tell` is for oneway methods"
            );
        };
        let core = self.core.get_mut();
        let slot = core.build::<M>(fill)?;
        core.calls.start::<M>(slot, State::Oneway);
        core.send::<M>(slot);
        Ok(())
    }

    /// Starts a call whose reply is awaited.
    #[inline]
    pub fn call_async<M: Method<Service = S>>(
        &self,
        fill: impl FnOnce(&mut M::Request),
    ) -> Pending<'_, M, T, U> {
        const { assert_call::<M>() };
        let mut core = self.core.borrow_mut();
        let started = core.build::<M>(fill).inspect(|&slot| {
            core.calls.start::<M>(slot, State::Awaited);
            core.send::<M>(slot);
        });
        Pending::new(&self.core, started)
    }

    /// Lends the request of a free slot, zeroed, to be built in place and sent.
    ///
    /// # Errors
    /// The window is full or the server is gone.
    #[inline]
    pub fn loan<M: Method<Service = S>>(&mut self) -> Result<Loan<'_, M, T, U>, Refusal> {
        const { assert_request::<M>() };
        let core = self.core.get_mut();
        let slot = core.take()?;
        Ok(Loan::new(core, slot))
    }

    /// Delivers every reply that has arrived, each with its call's `U`, and returns how many. Never blocks.
    ///
    /// Replies are looked for in the order of the calls. One that overtook an older call is found by every eighth poll that finds nothing,
    /// and, but for one time in 64, by the first one after [`wait`](Self::wait).
    ///
    /// A reply is lent where it lies, after validation; its slot is free once the callback returns. Calls whose deadline
    /// has passed, and all calls of a server that is gone, are delivered as errors.
    ///
    /// # Errors
    /// [`WaitError::Disconnected`] when the server is gone and every call has been handed back.
    #[inline(always)]
    pub fn poll(&mut self, mut deliver: impl FnMut(U, S::Reply<'_>)) -> Result<usize, WaitError> {
        let core = self.core.get_mut();
        let delivered = core.deliver::<S>(&mut deliver);
        if delivered != 0 {
            if !T::FALLS_IDLE && core.calls.is_look_due() {
                return Ok(core.look_at_clock::<S>(delivered, deliver));
            }
            return Ok(delivered);
        }
        core.calls.idle_polls += 1;
        if core.calls.has_unstamped() || core.calls.idle_polls >= IDLE_POLLS_PER_CHECK {
            return core.check::<S>(deliver);
        }
        Ok(0)
    }

    /// Delivers every event that has arrived and returns how many. Never blocks.
    ///
    /// # Errors
    /// [`WaitError::Disconnected`] when the server is gone and no event is left.
    pub fn poll_events(
        &mut self,
        mut deliver: impl FnMut(S::Event<'_>),
    ) -> Result<usize, WaitError> {
        let core = self.core.get_mut();
        let gone = core.transport.peer_gone();
        let mut delivered = 0;
        // As many as may wait at a time: a server that sends without end must not keep the caller.
        for _ in 0..MAX_EVENTS {
            let Some(head) = core.transport.poll_arrived() else {
                break;
            };
            let mut arrived = ReleaseArrived {
                transport: &mut core.transport,
                head,
            };
            let lies = arrived.lies();
            match S::event(Arrived::new(head, lies)) {
                Some(event) => {
                    deliver(event);
                    delivered += 1;
                }
                None => count(&core.tally.invalid_events),
            }
            drop(arrived);
        }
        if gone && delivered == 0 {
            Err(WaitError::Disconnected)
        } else {
            Ok(delivered)
        }
    }

    /// The same calls, waiting for each reply; calls in flight stay in flight meanwhile.
    pub fn blocking(&mut self) -> Blocking<'_, S, T, U> {
        Blocking::new(self.core.get_mut())
    }

    /// The idempotent calls, repeated as `retry` says when they time out or are aborted.
    pub fn retrying(&mut self, retry: Retry) -> Retrying<'_, S, T, U> {
        Retrying::new(self.core.get_mut(), retry)
    }

    /// Gives the next call another deadline than its method's or the configuration's.
    pub fn within(&mut self, deadline: Duration) -> &mut Self {
        self.core.get_mut().set_next_deadline(deadline);
        self
    }

    /// Lets the requests that follow leave together, where that is cheaper: over RDMA they share one doorbell. They leave with
    /// [`ring_doorbell`](Self::ring_doorbell), with the next look for replies ([`poll`](Self::poll), [`wait`](Self::wait), a blocking call), and
    /// when many have been collected. Between threads and processes it has no effect.
    ///
    /// ```text
    /// client.hold_doorbell();
    /// for key in keys { client.get(key, ticket)?; }
    /// client.ring_doorbell();
    /// ```
    pub fn hold_doorbell(&mut self) {
        self.core.get_mut().transport.hold_doorbell();
    }

    /// Sends what [`hold_doorbell`](Self::hold_doorbell) has held back, and ends it.
    pub fn ring_doorbell(&mut self) {
        self.core.get_mut().transport.ring_doorbell();
    }

    /// Ends every call in flight: each `U` is handed back with `Disconnected`, or with its reply if that has arrived.
    pub fn close(mut self, mut deliver: impl FnMut(U, S::Reply<'_>)) {
        let core = self.core.get_mut();
        core.deliver::<S>(&mut deliver);
        core.fail_all::<S>(&mut deliver);
    }

    /// The in-flight window: how many calls may be in flight.
    pub fn window(&self) -> usize {
        self.core.borrow().transport.window()
    }

    /// How many slots are not free: calls in flight, and calls that timed out and whose slot the server still holds.
    pub fn in_flight(&self) -> usize {
        self.core.borrow().calls.used()
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        {
            let mut core = self.core.borrow_mut();
            // Late replies that nobody polled for count, too.
            core.collect();
            core.tally
                .snapshot(S::METHODS, |index| core.calls.pending(index) as u64)
        }
    }

    /// Round-trip times, if the configuration asked for them.
    pub fn histogram(&self) -> Option<Histogram> {
        self.core.borrow().histogram.clone()
    }

    /// The transport, for what only it offers.
    pub fn transport(&mut self) -> &T {
        &self.core.get_mut().transport
    }
}

impl<T: ClientTransport, U> Core<T, U> {
    /// Takes a slot for a call.
    #[inline(always)]
    fn take(&mut self) -> Result<u16, Refusal> {
        loop {
            // The cold way comes back here, so that the usual one need not look whether it was taken.
            if let Some(slot) = self.transport.take() {
                return Ok(slot);
            }
            if let Some(why) = self.make_room() {
                // What `within` said was for this call.
                self.forget_next_deadline();
                return Err(why);
            }
        }
    }

    /// Takes a slot and fills its request.
    #[inline(always)]
    fn build<M: Method>(&mut self, fill: impl FnOnce(&mut M::Request)) -> Result<u16, Refusal> {
        let slot = self.take()?;
        let taken = Taken { core: self, slot };
        fill(taken.core.request::<M>(slot));
        core::mem::forget(taken);
        Ok(slot)
    }

    /// Gives the next call another deadline.
    fn set_next_deadline(&mut self, deadline: Duration) {
        self.next_deadline = Some(nanoseconds(deadline));
        self.unusual = true;
    }

    /// Takes back what `within` said, when the call that it was for is not sent.
    fn forget_next_deadline(&mut self) {
        self.next_deadline = None;
        self.unusual = self.histogram.is_some();
    }

    /// Collects what asks for no callback: ended oneway requests and late replies. `None` if that has freed a slot.
    #[cold]
    fn make_room(&mut self) -> Option<Refusal> {
        if self.transport.peer_gone() {
            return Some(Refusal::Disconnected);
        }
        self.collect();
        if self.transport.take().is_some() {
            None
        } else {
            Some(Refusal::WouldBlock)
        }
    }

    /// Frees the slots of what ended without anybody waiting for it.
    fn collect(&mut self) {
        for slot in 0..self.transport.slots() as u16 {
            if matches!(self.calls.state(slot), State::Oneway | State::Abandoned)
                && self.transport.slot_ready(slot)
                && self.transport.poll_slot(slot).is_some()
            {
                self.discard(slot);
            }
        }
    }

    /// The request of a taken slot.
    #[inline(always)]
    fn request<M: Method>(&mut self, slot: u16) -> &mut M::Request {
        const { assert_fits::<M>() };
        // SAFETY: `take` gave the slot.
        let place = unsafe { self.transport.request(slot) };
        // SAFETY: promise 1 of `ClientTransport`: there is room for the largest request at the place, or apart from it.
        let start = unsafe { place.add(const { if request_apart::<M>() { T::APART } else { 0 } }) };
        // SAFETY: promise 1 of `ClientTransport`: valid, aligned and ours until the slot is sent, which takes `&mut self`. Any bytes
        // are a `M::Request` by promise 1 of `Wire`.
        unsafe { start.cast().as_mut() }
    }

    /// Sends a taken slot, whose call has been started.
    #[inline(always)]
    fn send<M: Method>(&mut self, slot: u16) {
        // SAFETY: `Client::over` made the tally for its service, and lets only methods of that reach this.
        count(&unsafe { self.tally.of::<M>() }.calls);
        if self.unusual {
            self.before_unusual_send(slot);
        }
        let overlay = const {
            if T::OVERLAYS {
                M::OVERLAY
            } else {
                Overlay::Never
            }
        };
        // SAFETY: `take` gave the slot, whose request has been filled; meanwhile the core was borrowed by whoever filled it, and nobody else
        // releases slots.
        unsafe {
            self.transport
                .send(slot, M::ID, size_of::<M::Request>(), overlay);
        }
    }

    /// What a call has that most have not: a deadline of its own, or its time measured.
    #[cold]
    fn before_unusual_send(&mut self, slot: u16) {
        if let Some(deadline) = self.next_deadline.take() {
            self.calls.set_deadline(slot, deadline);
        }
        if self.histogram.is_some() && self.calls.state(slot) != State::Oneway {
            self.calls.measure(slot, self.transport.now());
        }
        self.unusual = self.histogram.is_some();
    }

    /// Frees the slot of a completion that nobody waits for.
    fn discard(&mut self, slot: u16) {
        let state = self.calls.state(slot);
        if state == State::Abandoned {
            count(&self.tally.late_replies);
        }
        if matches!(state, State::Oneway | State::Abandoned) {
            self.calls.unwanted -= 1;
        }
        self.calls.end(slot);
        // SAFETY: the slot has completed: `poll` or `poll_slot` gave it to the callers, who give it up.
        unsafe { self.transport.release(slot) };
    }

    /// Delivers what has arrived.
    #[inline(always)]
    fn deliver<S: Service>(&mut self, deliver: &mut impl FnMut(U, S::Reply<'_>)) -> usize {
        let mut delivered = 0;
        // What is in flight bounds it: the callback cannot send.
        while let Some(completion) = self.transport.poll() {
            let Completion { slot, head, place } = completion;
            if !self.calls.is_plain_callback(slot) && !self.is_for_callback(slot, head, place) {
                continue;
            }
            // SAFETY: it is a callback call: a plain one, or `is_for_callback` says so.
            let (kind, user_data) = unsafe { self.calls.finish_callback(slot) };
            self.finish::<S>(completion, kind, user_data, deliver);
            delivered += 1;
        }
        delivered
    }

    /// True if a completion is that of a callback call, whose round trip is then recorded; any other is dealt with here. The completion comes in
    /// parts and the callback not at all, so that the usual way keeps both in registers.
    #[cold]
    fn is_for_callback(&mut self, slot: u16, head: ReplyHead, place: NonNull<u8>) -> bool {
        match self.calls.state(slot) {
            // Whoever waits for it finds it there.
            State::Awaited => {
                self.record(slot);
                self.calls.arrived(Completion { slot, head, place });
                self.wakers.wake_slot(slot);
                false
            }
            State::Callback => {
                self.record(slot);
                true
            }
            State::Free | State::Oneway | State::Abandoned => {
                self.discard(slot);
                false
            }
        }
    }

    /// Records the round trip of a call, if it is measured.
    fn record(&mut self, slot: u16) {
        if let (Some(histogram), Some(sent_at)) = (&mut self.histogram, self.calls.sent_at(slot)) {
            histogram.record(self.transport.now().saturating_sub(sent_at));
        }
    }

    /// Hands a call back to the callback and frees its slot, also if the callback panics.
    #[inline(always)]
    fn finish<S: Service>(
        &mut self,
        completion: Completion,
        kind: Kind,
        user_data: U,
        deliver: &mut impl FnMut(U, S::Reply<'_>),
    ) {
        let release = Release {
            core: self,
            slot: completion.slot,
        };
        let outcome = release
            .core
            .outcome::<S>(completion, kind.method(), kind.index());
        if let Some(reply) = S::reply(kind.method(), outcome) {
            deliver(user_data, reply);
        }
        drop(release);
    }

    /// What a completion says, before its type is known.
    #[inline(always)]
    fn outcome<S: Service>(
        &self,
        completion: Completion,
        method: u16,
        index: usize,
    ) -> Outcome<'_, S> {
        // SAFETY: promise 2 of `ClientTransport`: a place with room for the largest response. The slot is released by `&mut self`, when
        // the outcome is no longer in use.
        let lies = unsafe { Lies::new(completion.place, T::APART) };
        Outcome::new(Ended::Arrived {
            head: completion.head,
            lies,
            method,
            tally: &self.tally,
            index,
        })
    }
}

/// A duration in nanoseconds; 584 years are enough for everybody.
const fn nanoseconds(duration: Duration) -> u64 {
    let all = duration.as_nanos();
    if all > u64::MAX as u128 {
        u64::MAX
    } else {
        all as u64
    }
}

impl<S: Service, T: ClientTransport, U> fmt::Debug for Client<S, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", S::NAME)
    }
}
