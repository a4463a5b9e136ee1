//! The typed server: receiving, answering now or later, events.

mod batch;
mod call;
mod token;

use core::fmt;
use core::ptr::NonNull;
use core::time::Duration;

pub use batch::Batch;
pub use call::{Call, Incoming, Opened, ReplyLoan};
pub use token::Token;

use crate::config::{ServerConfig, spin_of};
use crate::counters::{Counters, Tally, count};
use crate::error::{AttachError, EmitError, ReplyError, TokenError, WaitError};
use crate::service::{Lies, Method, Service, assert_event, request_apart};
use crate::spin::{SPIN_ALONE, Spin};
use crate::transport::{ArrivedHead, Bind, ClientId, ServerTransport};
use crate::wire::{ToWire, Wire};

/// A server of service `S` over transport `T`.
///
/// Generated servers deref to this one. The caller owns the loop: `recv` for one request at a time, or the generated
/// `serve` and `poll` with a handler. `Send`, never `Sync`.
pub struct Server<S: Service, T: ServerTransport> {
    core: Core<T>,
    spin: Spin,
    service: core::marker::PhantomData<fn() -> S>,
}

/// What a held request needs of its server.
pub(crate) struct Core<T> {
    pub(crate) transport: T,
    pub(crate) tally: Tally,
}

/// Requests that one `recv` refuses at most; then it has found nothing, and the next one goes on.
const MAX_REFUSED: u32 = 64;

/// Polls that find nothing between two looks at the clock.
const IDLE_POLLS_PER_CHECK: u32 = 16;

impl<S: Service, T: ServerTransport> Server<S, T> {
    /// A server over a transport.
    pub fn over(transport: T, config: &ServerConfig) -> Self
    where
        T: ServerTransport<Service = S>,
    {
        let spin = spin_of::<S>(config.spin);
        Self {
            core: Core {
                transport,
                tally: Tally::new::<S>(),
            },
            spin: Spin::new(spin.as_nanos().min(u128::from(u64::MAX)) as u64),
            service: core::marker::PhantomData,
        }
    }

    /// Serves at `address`.
    ///
    /// # Errors
    /// The name is in use, or the operating system refused.
    pub fn bind(address: &str, config: &ServerConfig) -> Result<Self, AttachError>
    where
        T: Bind<Service = S>,
    {
        Ok(Self::over(T::bind(address, config)?, config))
    }

    /// The next request, if one has arrived. Never blocks.
    ///
    /// Requests that are not valid, or whose method is not known, are answered with an error here and not seen by the
    /// caller. The request lies in its slot, which is not used again until the call, or the token made of it, is answered.
    ///
    /// The request borrows the server until it is answered or made a token, and in `while let Some(request) = server.recv()?` until the
    /// end of the body. So tokens are answered between two rounds:
    ///
    /// ```text
    /// loop {
    ///     while let Some(request) = server.recv()? { /* answer it, or keep its token */ }
    ///     for (token, answer) in finished.drain(..) { server.reply(token, answer)?; }
    ///     server.wait(timeout)?;
    /// }
    /// ```
    ///
    /// # Errors
    /// [`WaitError::Disconnected`] when every client is gone and none can connect any more, or the server was told to stop.
    #[inline(always)]
    pub fn recv(&mut self) -> Result<Option<S::Request<'_, T>>, WaitError> {
        let mut refused = 0;
        loop {
            let Some(ticket) = self.core.transport.poll() else {
                if self.core.transport.is_asked() {
                    self.report();
                    continue;
                }
                if !self.core.transport.finished() {
                    return Ok(None);
                }
                // What the last client sent before it went is visible now, if it was not at the first look.
                if self.core.transport.ready() {
                    continue;
                }
                return Err(WaitError::Disconnected);
            };
            let core: *const Core<T> = &self.core;
            // SAFETY: a field of `self`, which stays borrowed for as long as the result lives. Where there is no result the reference
            // is dead before `self` is used again; the borrow checker cannot see that of a conditional return.
            let core = unsafe { &*core };
            // SAFETY: from `poll` of this transport just now; `over` made the tally for `S`, and the transport is for `S`.
            let incoming = unsafe { Incoming::new(core, ticket) };
            if let Some(request) = S::request(incoming) {
                return Ok(Some(request));
            }
            // A peer that sends nothing else must not keep the caller.
            refused += 1;
            if refused == MAX_REFUSED {
                return Ok(None);
            }
        }
    }

    /// This server with the replies that it sends leaving together, where that is cheaper: over RDMA those to one client share a doorbell.
    /// They leave when the batch is dropped, or before: when many have been collected, when nothing more is to be received, and when a
    /// handler takes its time. The generated `poll` and `serve` receive in batches.
    #[inline(always)]
    pub fn batch(&mut self) -> Batch<'_, S, T> {
        Batch::new(self)
    }

    /// Gives out the counters to those who have asked the transport for them.
    #[cold]
    fn report(&mut self) {
        let counters = self.counters();
        self.core.transport.report(&counters);
    }

    /// Answers a request that was put off.
    ///
    /// # Errors
    /// [`TokenError::Foreign`] hands a token of another server back; [`TokenError::Disconnected`] says that the client is gone.
    pub fn reply<M: Method<Service = S>>(
        &mut self,
        token: Token<M, T>,
        response: impl ToWire<M::Response>,
    ) -> Result<(), TokenError<Token<M, T>>> {
        self.finish(token, Ok(response))
    }

    /// Answers a request that was put off with an error of its `throws`.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn fail<M: Method<Service = S>>(
        &mut self,
        token: Token<M, T>,
        error: M::Error,
    ) -> Result<(), TokenError<Token<M, T>>> {
        self.finish(token, Err::<M::Response, _>(error))
    }

    /// Answers a request that was put off with a result.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn finish<M: Method<Service = S>>(
        &mut self,
        token: Token<M, T>,
        result: Result<impl ToWire<M::Response>, M::Error>,
    ) -> Result<(), TokenError<Token<M, T>>> {
        if token.server() != self.core.transport.id() {
            return Err(TokenError::Foreign(token));
        }
        if let Some(tally) = self.core.tally.at(M::INDEX) {
            tally.unanswered.set(tally.unanswered.get() - 1);
        }
        self.core.count_reply::<M>(result.is_err());
        token
            .answer(result)
            .map_err(|ReplyError::Disconnected| TokenError::Disconnected)
    }

    /// Waits until a request may have arrived: spins first, then sleeps. Returns false when `timeout` passes first.
    ///
    /// # Errors
    /// [`WaitError::Disconnected`] when every client is gone and none can connect any more, or the server was told to stop.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool, WaitError> {
        let transport = &mut self.core.transport;
        let start = transport.now();
        let until = start.saturating_add(timeout.as_nanos().min(u128::from(u64::MAX)) as u64);
        let spin = self.spin.budget();
        let mut last = start;
        let spin_until = until.min(start.saturating_add(spin));
        let yield_from = start.saturating_add(SPIN_ALONE);
        let looks = if spin == 0 { 1 } else { IDLE_POLLS_PER_CHECK };
        loop {
            for _ in 0..looks {
                if transport.ready() {
                    // As old as the last look at the clock, which is soon enough: short is short.
                    self.spin.ended(last - start);
                    return Ok(true);
                }
                core::hint::spin_loop();
            }
            if transport.finished() {
                return if transport.ready() {
                    Ok(true)
                } else {
                    Err(WaitError::Disconnected)
                };
            }
            let now = transport.now();
            last = now;
            if now >= until {
                self.spin.timed_out(now - start);
                return Ok(false);
            }
            if now >= spin_until {
                count(&self.core.tally.sleeps);
                transport.park(until);
                last = transport.now();
            } else if now >= yield_from {
                transport.yield_now();
            }
        }
    }

    /// Sends an event.
    ///
    /// # Errors
    /// [`EmitError::WouldBlock`] for clients whose event window is full, [`EmitError::Disconnected`] for one that is gone.
    pub fn emit<M: Method<Service = S>>(
        &mut self,
        to: Audience,
        fill: impl Fn(&mut M::Request),
    ) -> Result<usize, EmitError> {
        const { assert_event::<M>() };
        let sent =
            self.core
                .transport
                .emit(to, M::ID, size_of::<M::Request>(), &mut |place: NonNull<
                    u8,
                >| {
                    let apart = const { if request_apart::<M>() { T::APART } else { 0 } };
                    // SAFETY: the transport lends room for the largest event at the place, or apart from it, for the time of this closure.
                    let mut event = unsafe { place.add(apart) }.cast::<M::Request>();
                    // SAFETY: as above, aligned to 8; any bytes are a `M::Request`.
                    fill(unsafe { event.as_mut() });
                });
        let (Ok(delivered) | Err(EmitError::WouldBlock { delivered, .. })) = sent else {
            return sent;
        };
        if let Some(tally) = self.core.tally.at(M::INDEX) {
            tally.calls.set(tally.calls.get() + delivered as u64);
        }
        sent
    }

    /// The clients that are connected.
    pub fn clients(&self) -> alloc::vec::Vec<ClientId> {
        let mut clients = alloc::vec::Vec::new();
        self.core
            .transport
            .clients(&mut |client| clients.push(client));
        clients
    }

    /// True if every client is gone and none can connect any more, or the server was told to stop.
    pub fn finished(&self) -> bool {
        self.core.transport.finished()
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.core.tally.snapshot(S::METHODS, |_| 0)
    }

    /// The transport, for what only it offers.
    pub fn transport(&self) -> &T {
        &self.core.transport
    }
}

impl<T> Core<T> {
    #[inline(always)]
    pub(crate) fn count_reply<M: Method>(&self, failure: bool) {
        if failure && let Some(tally) = self.tally.at(M::INDEX) {
            count(&tally.failures);
        }
    }
}

/// Whom an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every connected client.
    All,
    /// One client.
    One(ClientId),
}

impl From<ClientId> for Audience {
    fn from(client: ClientId) -> Self {
        Self::One(client)
    }
}

/// An event of a service that arrived at a client, before its type is known.
pub struct Arrived<'a, S> {
    method: u16,
    len: usize,
    lies: Lies<'a>,
    service: core::marker::PhantomData<fn() -> S>,
}

impl<'a, S: Service> Arrived<'a, S> {
    pub(crate) fn new(head: ArrivedHead, lies: Lies<'a>) -> Self {
        Self {
            method: head.method,
            len: head.len,
            lies,
            service: core::marker::PhantomData,
        }
    }

    /// Its number.
    pub fn method(&self) -> u16 {
        self.method
    }

    /// As the arguments of an event, checked; `None` if they are not valid.
    pub fn open<M: Method<Service = S>>(self) -> Option<&'a M::Request> {
        const { assert_event::<M>() };
        if self.method != M::ID || self.len != size_of::<M::Request>() {
            return None;
        }
        let event = self.lies.read::<M::Request>(const { request_apart::<M>() });
        event.validate().is_ok().then_some(event)
    }
}

impl<S> fmt::Debug for Arrived<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrived({})", self.method)
    }
}

impl<S: Service, T: ServerTransport> fmt::Debug for Server<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", S::NAME)
    }
}
