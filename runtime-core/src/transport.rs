//! What a backend provides: slots that travel. Everything typed is built on these two traits.
//!
//! A transport moves bytes of known size between numbered slots and knows no method. It names the *place* of a message, and
//! the typed layer, which knows the size, puts the message there: at the place itself if it is at most
//! [`SlotShape::ONE_LINE`](crate::SlotShape::ONE_LINE)(crate::SlotShape::ONE_LINE) bytes long, else `APART` bytes further on. The typed
//! [`Client`](crate::Client) and [`Server`](crate::Server) own the meaning: user data, deadlines, correlation, validation.

use core::fmt;
use core::ptr::NonNull;
use core::task::Waker;

use crate::config::{ClientConfig, ServerConfig};
use crate::counters::Counters;
use crate::error::{AttachError, CallError, EmitError, ReplyError, ServiceError};
use crate::info::Invalid;
use crate::server::Audience;
use crate::service::{Method, Overlay, Service};
use crate::wire::Wire;

/// The client's end of a connection.
///
/// # Safety
/// 1. A pointer from [`request`](Self::request) is a *place*: aligned to 8, with room for [`SlotShape::ONE_LINE`](crate::SlotShape::ONE_LINE) bytes, and for
///    the largest request of the service [`APART`](Self::APART) bytes further on. Both are valid for writes and not accessed by
///    anyone else, from [`take`](Self::take) of the slot to [`send`](Self::send) or [`give_back`](Self::give_back).
/// 2. [`Completion::place`] is a place with room for the largest response, valid for reads and not written by an honest peer, until
///    the slot's [`release`](Self::release).
/// 3. [`arrived_bytes`](Self::arrived_bytes) likewise, from the event's arrival to [`release_arrived`](Self::release_arrived).
/// 4. No slot is handed out by `take` while it is taken, in flight, or completed and not released.
/// 5. Every slot number handed out is below [`slots`](Self::slots), which is always the same.
pub unsafe trait ClientTransport: fmt::Debug {
    /// The service whose messages its slots fit.
    type Service: Service;

    /// True if a reply may overwrite its request where [`Method::OVERLAY`] allows it.
    const OVERLAYS: bool;

    /// How many bytes beyond its place a message of more than one line begins: a multiple of 8.
    const APART: usize;

    /// True if, while a call stays unanswered, polls that find nothing keep coming, however many others are answered, and
    /// however often [`ready`](Self::ready) has said so before. The client looks at the clock when a poll finds nothing. Where this does not hold
    /// it has to do so after others, too, which costs each call some instructions.
    const FALLS_IDLE: bool;

    /// How many slots may be in flight.
    fn window(&self) -> usize;

    /// One more than the greatest slot number.
    fn slots(&self) -> usize;

    /// Nanoseconds on a clock that never goes back.
    fn now(&self) -> u64;

    /// Takes a free slot; `None` if the window is full. At most one slot is taken and not sent at a time.
    fn take(&mut self) -> Option<u16>;

    /// Returns a taken slot unsent.
    ///
    /// # Safety
    /// 1. [`take`](Self::take) gave the slot, and it was neither sent nor given back.
    unsafe fn give_back(&mut self, slot: u16);

    /// The place of the request of a taken slot.
    ///
    /// # Safety
    /// 1. As for [`give_back`](Self::give_back).
    unsafe fn request(&mut self, slot: u16) -> NonNull<u8>;

    /// Sends a taken slot. `overlay` says when the reply comes to the memory of the request. A transport whose [`Ticket`] does not say if others
    /// were in flight takes [`Overlay::InARow`] for [`Overlay::Never`].
    ///
    /// # Safety
    /// 1. As for [`give_back`](Self::give_back).
    /// 2. No slot was released since `take` gave this one.
    unsafe fn send(&mut self, slot: u16, method: u16, len: usize, overlay: Overlay);

    /// The next slot whose reply has arrived, in any order.
    fn poll(&mut self) -> Option<Completion>;

    /// This slot, if its reply has arrived.
    fn poll_slot(&mut self, slot: u16) -> Option<Completion>;

    /// True if [`poll_slot`](Self::poll_slot) would find the reply.
    fn slot_ready(&self, slot: u16) -> bool;

    /// Frees a completed slot.
    ///
    /// # Safety
    /// 1. [`poll`](Self::poll) or [`poll_slot`](Self::poll_slot) gave the slot, and it was not released since.
    unsafe fn release(&mut self, slot: u16);

    /// The oldest event that has arrived and was not released.
    fn poll_arrived(&mut self) -> Option<ArrivedHead>;

    /// The place of the arguments of an arrived event.
    ///
    /// # Safety
    /// 1. [`poll_arrived`](Self::poll_arrived) gave the event, and it was not released since.
    unsafe fn arrived_bytes(&self, head: &ArrivedHead) -> NonNull<u8>;

    /// Frees an arrived event.
    ///
    /// # Safety
    /// 1. As for [`arrived_bytes`](Self::arrived_bytes).
    unsafe fn release_arrived(&mut self, head: ArrivedHead);

    /// True once the server is gone: nothing will arrive beyond what has.
    fn peer_gone(&self) -> bool;

    /// True if [`poll`](Self::poll) or [`poll_arrived`](Self::poll_arrived) would find something, or the server is gone.
    fn ready(&self) -> bool;

    /// Lets another thread have the processor, if one waits for it: the peer may be that one.
    fn yield_now(&self);

    /// Sleeps until [`ready`](Self::ready), or for a given slot [`slot_ready`](Self::slot_ready) or the server is gone, or the time
    /// `until`; may wake early. The caller has stopped spinning.
    fn park(&mut self, slot: Option<u16>, until: u64);

    /// Arranges that `waker` is woken once when something is [`ready`](Self::ready); the last one registered counts.
    fn register(&self, waker: &Waker);

    /// Arranges that `waker` is woken at the time `until`, whatever happens; or before, and then never for this: whoever still waits asks
    /// again. To ask for the same again costs little and changes nothing.
    fn wake_at(&self, until: u64, waker: &Waker);

    /// Lets the requests that follow leave together, with the next [`ring_doorbell`](Self::ring_doorbell), where that saves something; or
    /// before. Nothing waits longer than until this side looks for replies.
    fn hold_doorbell(&mut self) {}

    /// Sends what was held back, and holds back no more.
    fn ring_doorbell(&mut self) {}
}

/// A slot whose reply has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The slot.
    pub slot: u16,
    /// What became of the call.
    pub head: ReplyHead,
    /// The place of the response; see promise 2 of [`ClientTransport`].
    pub place: NonNull<u8>,
}

/// What the server says of a reply: status and value, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHead(u64);

impl ReplyHead {
    /// `status` is a [`ReplyStatus`], or what a peer wrote in its place; `value` is the length of the response, the error's number, or
    /// the packed finding, by status.
    #[inline(always)]
    pub const fn new(status: u16, value: u32) -> Self {
        Self(status as u64 | (value as u64) << 16)
    }

    /// From a number that has the status in its low 16 bits and the value in the 32 above.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & 0xffff_ffff_ffff)
    }

    /// True if a response of that many bytes follows.
    #[inline(always)]
    pub(crate) const fn is_ok(self, len: usize) -> bool {
        self.0 == Self::new(ReplyStatus::Ok as u16, len as u32).0
    }

    /// The status.
    pub(crate) const fn status(self) -> u16 {
        self.0 as u16
    }

    /// The value.
    pub(crate) const fn value(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// The status numbers of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum ReplyStatus {
    /// The response follows; the value is its length.
    Ok = 0,
    /// The service refused; the value is the error's number.
    Service = 1,
    /// The server dropped the request.
    Aborted = 2,
    /// The server does not know the method.
    Unimplemented = 3,
    /// The request failed its validation; the value says where.
    Invalid = 4,
}

/// An event that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrivedHead {
    /// Its slot.
    pub slot: u16,
    /// Its number.
    pub method: u16,
    /// Length of its arguments.
    pub len: usize,
}

/// Why there is no response, before the type of the error is known.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// The deadline passed.
    Timeout,
    /// The server is gone.
    Disconnected,
    /// The server said so.
    Refused(ReplyHead),
}

impl Failure {
    /// As the error of a method.
    #[cold]
    pub(crate) fn as_error<M: Method>(self) -> CallError<M::Error> {
        match self {
            Self::Timeout => CallError::Timeout,
            Self::Disconnected => CallError::Disconnected {
                maybe_executed: true,
            },
            Self::Refused(head) => {
                let (status, value) = (head.status(), head.value());
                if status == ReplyStatus::Service as u16 && M::THROWS {
                    CallError::Service(M::Error::from_code(value))
                } else if status == ReplyStatus::Unimplemented as u16 {
                    CallError::Unimplemented
                } else if status == ReplyStatus::Invalid as u16 {
                    CallError::InvalidData(Invalid::reported(M::Request::INFO, value))
                } else {
                    CallError::Aborted
                }
            }
        }
    }
}

/// A connected client, by number; numbers are not used again while the server lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A request that a server holds: what its transport needs to find it again.
///
/// Values come only from [`ServerTransport::poll`]; each stands for the sole right to answer that request.
#[expect(
    clippy::len_without_is_empty,
    reason = "it is the length of a message, which is never the question"
)]
pub trait Ticket: Copy + Send {
    /// The number of the method.
    fn method(&self) -> u16;

    /// Length of the request in bytes, as the peer says.
    fn len(&self) -> usize;

    /// True if it joined others in flight, as the peer says, which has looked for the reply accordingly.
    fn in_a_row(&self) -> bool {
        false
    }
}

/// The server's end of all its connections.
///
/// # Safety
/// For a ticket that came from [`poll`](Self::poll) of the same transport and was not yet answered:
/// 1. [`request`](Self::request) is a place, as in promise 1 of [`ClientTransport`], with room for the largest request of the
///    service, valid for reads and not written by an honest peer.
/// 2. [`response`](Self::response) is a place with room for the largest response that goes there, valid for writes and not
///    accessed by anyone else. With `overlay` it may be the memory of the request.
/// 3. Both hold after the client is gone, while the transport is not used by `&mut` or a [`Keep`](Self::Keep) of the ticket lives.
/// 4. `poll` gives no second ticket for the slot.
pub unsafe trait ServerTransport: fmt::Debug {
    /// The service whose messages its slots fit.
    type Service: Service;

    /// True if a reply may overwrite its request where [`Method::OVERLAY`] allows it.
    const OVERLAYS: bool;

    /// How many bytes beyond its place a message of more than one line begins: a multiple of 8.
    const APART: usize;

    /// Names a request that is held.
    type Ticket: Ticket;

    /// Keeps the memory of a held request alive and can answer it, on any thread.
    type Keep: Send;

    /// Distinguishes this server from every other one in the process.
    fn id(&self) -> u64;

    /// Nanoseconds on a clock that never goes back.
    fn now(&self) -> u64;

    /// The next request, if there is one.
    fn poll(&mut self) -> Option<Self::Ticket>;

    /// The place of the request.
    ///
    /// # Safety
    /// 1. The ticket came from `poll` of this transport and is unanswered, and there was no `&mut self` since.
    unsafe fn request(&self, ticket: &Self::Ticket) -> NonNull<u8>;

    /// The place of the response that is to be built.
    ///
    /// # Safety
    /// 1. As for [`request`](Self::request).
    unsafe fn response(&self, ticket: &Self::Ticket, overlay: bool) -> NonNull<u8>;

    /// Answers a request, or for a oneway request frees its slot.
    ///
    /// # Safety
    /// 1. As for [`request`](Self::request).
    ///
    /// # Errors
    /// The client is gone.
    unsafe fn reply(
        &self,
        ticket: Self::Ticket,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
    ) -> Result<(), ReplyError>;

    /// Answers a request whose method is not known, so that its client sees it wherever it looks for the reply.
    ///
    /// # Safety
    /// 1. As for [`request`](Self::request).
    ///
    /// # Errors
    /// The client is gone.
    unsafe fn refuse(&self, ticket: Self::Ticket, status: ReplyStatus) -> Result<(), ReplyError>;

    /// What lets the request be held longer than this borrow of the transport.
    ///
    /// # Safety
    /// 1. As for [`request`](Self::request).
    unsafe fn keep(&self, ticket: &Self::Ticket) -> Self::Keep;

    /// The place of the request of a kept ticket.
    ///
    /// # Safety
    /// 1. `keep` was made for this ticket, which is unanswered.
    unsafe fn kept_request(keep: &Self::Keep, ticket: &Self::Ticket) -> NonNull<u8>;

    /// The place of the response of a kept ticket.
    ///
    /// # Safety
    /// 1. As for [`kept_request`](Self::kept_request).
    unsafe fn kept_response(keep: &Self::Keep, ticket: &Self::Ticket, overlay: bool)
    -> NonNull<u8>;

    /// Answers a kept ticket.
    ///
    /// # Safety
    /// 1. As for [`kept_request`](Self::kept_request).
    ///
    /// # Errors
    /// The client is gone.
    unsafe fn kept_reply(
        keep: &Self::Keep,
        ticket: Self::Ticket,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
    ) -> Result<(), ReplyError>;

    /// True once the client of a kept ticket is gone.
    fn client_is_gone(keep: &Self::Keep) -> bool;

    /// Who sent a request.
    ///
    /// # Safety
    /// 1. As for [`request`](Self::request).
    unsafe fn client(&self, ticket: &Self::Ticket) -> ClientId;

    /// Calls `visit` with every connected client.
    fn clients(&self, visit: &mut dyn FnMut(ClientId));

    /// Sends an event of `len` bytes, which `fill` writes at each place that it is given, which has room for the largest event.
    /// Returns how many clients it left for.
    ///
    /// # Errors
    /// The window of some clients is full, or the one client is gone.
    fn emit(
        &mut self,
        to: Audience,
        method: u16,
        len: usize,
        fill: &mut dyn FnMut(NonNull<u8>),
    ) -> Result<usize, EmitError>;

    /// True if [`poll`](Self::poll) may find something.
    fn ready(&self) -> bool;

    /// True if no client is connected and none can connect any more, or the server was told to stop.
    fn finished(&self) -> bool;

    /// Lets another thread have the processor, if one waits for it: a client may be that one.
    fn yield_now(&self);

    /// Sleeps until [`ready`](Self::ready), [`finished`](Self::finished) or the time `until`; may wake early.
    fn park(&mut self, until: u64);

    /// Arranges that `waker` is woken once when something is [`ready`](Self::ready); the last one registered counts.
    fn register(&self, waker: &Waker);

    /// Lets the replies that follow leave together, with the next [`ring_doorbell`](Self::ring_doorbell), where that saves something; or
    /// before. Nothing waits longer than until this side sleeps.
    fn hold_doorbell(&self) {}

    /// Sends what was held back, and holds back no more.
    fn ring_doorbell(&self) {}

    /// True if somebody outside has asked for the counters. Looked at when [`poll`](Self::poll) has found nothing, which it then says
    /// even if there is something.
    fn is_asked(&self) -> bool {
        false
    }

    /// Answers those who have asked.
    fn report(&mut self, counters: &Counters) {
        let _ = counters;
    }
}

/// A client transport that can be reached by name.
pub trait Connect: ClientTransport + Sized {
    /// Connects to the server at `address`.
    ///
    /// # Errors
    /// Why it could not.
    fn connect(address: &str, config: &ClientConfig) -> Result<Self, AttachError>;
}

/// A server transport that can be given a name.
pub trait Bind: ServerTransport + Sized {
    /// Serves at `address`.
    ///
    /// # Errors
    /// Why it could not.
    fn bind(address: &str, config: &ServerConfig) -> Result<Self, AttachError>;
}
