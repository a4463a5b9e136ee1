//! A request that a server holds, typed, and the reply that is built for it.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::{Core, Token};
use crate::counters::count;
use crate::error::{ReplyError, ServiceError};
use crate::info::{Invalid, InvalidKind};
use crate::prefetch::prefetch;
use crate::service::{
    Method, MethodInfo, MethodKind, Service, assert_request, request_apart, response_apart,
};
use crate::transport::{ClientId, ReplyStatus, ServerTransport, Ticket};
use crate::wire::{ToWire, Wire, zeroed};

/// A request to a service before its type is known.
pub struct Incoming<'a, S, T: ServerTransport> {
    core: &'a Core<T>,
    ticket: T::Ticket,
    service: PhantomData<fn() -> S>,
}

/// A typed request, or nothing if it was answered with an error instead.
pub type Opened<R> = Option<R>;

impl<'a, S: Service, T: ServerTransport> Incoming<'a, S, T> {
    /// # Safety
    /// 1. The ticket came from `poll` of this transport, is unanswered, and given to nobody else.
    /// 2. Transport and tally are for `S`.
    #[inline(always)]
    pub(super) unsafe fn new(core: &'a Core<T>, ticket: T::Ticket) -> Self {
        Self {
            core,
            ticket,
            service: PhantomData,
        }
    }

    /// The number of its method.
    #[inline(always)]
    pub fn method(&self) -> u16 {
        self.ticket.method()
    }

    /// As a call of `M`, if the request is valid; else the client gets `InvalidData`.
    #[inline(always)]
    pub fn open<M: Method<Service = S>>(self) -> Opened<Call<'a, M, T>> {
        const { assert_request::<M>() };
        let this = ManuallyDrop::new(self);
        let (core, ticket) = (this.core, this.ticket);
        // As in `Outcome::of`: generated code asks for none but the method of the request.
        if ticket.method() != M::ID || ticket.len() != size_of::<M::Request>() {
            refuse_size::<M, T>(core, ticket);
            return None;
        }
        // SAFETY: promise 1 of `new`, and `'a` borrows the transport.
        let place = unsafe { core.transport.request(&ticket) };
        // SAFETY: the ticket is not answered before the last use of the reference; the message fits by the assertion above.
        let request = unsafe { request_at::<M, T>(place) };
        prefetch(NonNull::from(request));
        if !M::Request::PLAIN
            && let Err(invalid) = request.validate()
        {
            refuse::<M, T>(core, ticket, invalid);
            return None;
        }
        // SAFETY: promise 2 of `new`.
        count(&unsafe { core.tally.of::<M>() }.calls);
        Some(Call {
            core,
            ticket,
            method: PhantomData,
        })
    }

    /// Answers that there is no such method.
    #[inline(always)]
    pub fn unimplemented<R>(self) -> Opened<R> {
        let this = ManuallyDrop::new(self);
        refuse_unread::<T>(this.core, this.ticket, ReplyStatus::Unimplemented, 0);
        None
    }
}

impl<S, T: ServerTransport> Drop for Incoming<'_, S, T> {
    /// Only a service written by hand drops it; its client is told.
    #[cold]
    fn drop(&mut self) {
        // What answers it otherwise does not get here.
        refuse_unread::<T>(self.core, self.ticket, ReplyStatus::Aborted, 0);
    }
}

// The refusals are out of line and return nothing, so that the way of a good request stays in registers.

/// Refuses a request whose type was not looked at. That of a method of the service is answered where its client looks for the reply, and nowhere
/// else: a word that nobody takes would lie in the slot until a later request has the same generation.
#[cold]
fn refuse_unread<T: ServerTransport>(
    core: &Core<T>,
    ticket: T::Ticket,
    status: ReplyStatus,
    value: u32,
) {
    let is_it =
        |info: &&MethodInfo| info.id == ticket.method() && !matches!(info.kind, MethodKind::Event);
    // That the client is gone changes nothing.
    let _ = match T::Service::METHODS.iter().find(is_it) {
        Some(info) => {
            let overlay = T::OVERLAYS && info.overlay.applies(ticket.in_a_row());
            // SAFETY: promise 1 of `Incoming::new`, whose ticket this is; it is given up here.
            unsafe { core.transport.reply(ticket, overlay, status, value) }
        }
        // SAFETY: as above.
        None => unsafe { core.transport.refuse(ticket, status) },
    };
}

#[cold]
fn refuse_size<M: Method, T: ServerTransport>(core: &Core<T>, ticket: T::Ticket) {
    let invalid = Invalid::new(InvalidKind::Size, M::Request::INFO);
    if ticket.method() == M::ID {
        refuse::<M, T>(core, ticket, invalid);
    } else {
        let value = invalid.packed();
        refuse_unread::<T>(core, ticket, ReplyStatus::Invalid, value);
    }
}

#[cold]
fn refuse<M: Method, T: ServerTransport>(core: &Core<T>, ticket: T::Ticket, invalid: Invalid) {
    // SAFETY: promise 1 of `Incoming::new`, whose ticket this is; it is given up here. That the client is gone changes nothing.
    let _ = unsafe {
        core.transport.reply(
            ticket,
            overlays::<M, T>(&ticket),
            ReplyStatus::Invalid,
            invalid.packed(),
        )
    };
}

/// The request of `M` that has this place.
///
/// # Safety
/// `place` comes from [`ServerTransport::request`] or [`ServerTransport::kept_request`] for a ticket that is not answered for `'a`.
#[inline(always)]
pub(super) unsafe fn request_at<'a, M: Method, T: ServerTransport>(
    place: NonNull<u8>,
) -> &'a M::Request {
    // SAFETY: promise 1 of `ServerTransport`: there is room for it at the place, or apart from it.
    let start = unsafe { place.add(const { if request_apart::<M>() { T::APART } else { 0 } }) };
    // SAFETY: promise 1 of `ServerTransport`: readable and unchanged until answered; aligned, since `APART` is whole words; any bytes
    // are a `M::Request`.
    unsafe { start.cast().as_ref() }
}

/// Where the response of `M` that has this place begins.
///
/// # Safety
/// `place` comes from [`ServerTransport::response`] or [`ServerTransport::kept_response`].
#[inline(always)]
pub(super) unsafe fn response_at<M: Method, T: ServerTransport>(
    place: NonNull<u8>,
) -> NonNull<M::Response> {
    // SAFETY: promise 2 of `ServerTransport`: there is room for it at the place, or apart from it.
    unsafe { place.add(const { if response_apart::<M>() { T::APART } else { 0 } }) }.cast()
}

/// True if the reply overwrites the request.
#[inline(always)]
pub(super) fn overlays<M: Method, T: ServerTransport>(ticket: &T::Ticket) -> bool {
    T::OVERLAYS && M::OVERLAY.applies(ticket.in_a_row())
}

/// A request that the server holds: to be read, and answered once.
///
/// Dropped unanswered, also by a panic, the client gets `Aborted`.
#[must_use = "a request that is dropped is answered with `Aborted`"]
pub struct Call<'a, M: Method, T: ServerTransport> {
    core: &'a Core<T>,
    ticket: T::Ticket,
    method: PhantomData<fn() -> M>,
}

impl<'a, M: Method, T: ServerTransport> Call<'a, M, T> {
    /// The request, where it lies.
    #[inline(always)]
    pub fn data(&self) -> &M::Request {
        // SAFETY: promise 1 of `Incoming::new`, whose ticket this is; `'a` borrows the transport.
        let place = unsafe { self.core.transport.request(&self.ticket) };
        // SAFETY: the ticket is answered only by what takes `self`, which is borrowed.
        unsafe { request_at::<M, T>(place) }
    }

    /// Who called.
    pub fn client(&self) -> ClientId {
        // SAFETY: promise 1 of `Incoming::new`, whose ticket this is; `'a` borrows the transport.
        unsafe { self.core.transport.client(&self.ticket) }
    }

    /// Answers with a response, by value or by reference: one copy into the slot.
    ///
    /// # Errors
    /// The client is gone.
    #[inline(always)]
    pub fn reply(self, response: impl ToWire<M::Response>) -> Result<(), ReplyError> {
        let mut place = self.response();
        // SAFETY: promise 2 of `ServerTransport`; the request, which may lie in the same memory, is borrowed by nobody: `data` borrows
        // `self`, which is given up here.
        response.write_to(unsafe { place.as_mut() });
        self.send(ReplyStatus::Ok, size_of::<M::Response>() as u32)
    }

    /// Answers with an error of the method's `throws`.
    ///
    /// # Errors
    /// The client is gone.
    #[inline]
    pub fn fail(self, error: M::Error) -> Result<(), ReplyError> {
        const { assert!(M::THROWS, "the method has no `throws`") };
        self.send(ReplyStatus::Service, error.code())
    }

    /// Answers with a result.
    ///
    /// # Errors
    /// The client is gone.
    #[inline(always)]
    pub fn finish(
        self,
        result: Result<impl ToWire<M::Response>, M::Error>,
    ) -> Result<(), ReplyError> {
        match result {
            Ok(response) => self.reply(response),
            Err(error) => self.send(ReplyStatus::Service, error.code()),
        }
    }

    /// Ends a oneway request: its slot is free.
    #[inline]
    pub fn done(self) {
        const {
            assert!(
                matches!(M::KIND, MethodKind::Oneway),
                "a call is answered with `reply`"
            );
        };
        // That the client is gone changes nothing here.
        let _ = self.send(ReplyStatus::Ok, 0);
    }

    /// Answers by filling the response, zeroed, where it will travel from, with the request at hand.
    ///
    /// Where the reply overwrites the request, which then is at most [`SlotShape::IN_A_ROW`](crate::SlotShape::IN_A_ROW) bytes
    /// long or edited in place, `respond` sees a copy of the request.
    ///
    /// # Errors
    /// The client is gone.
    #[inline(always)]
    pub fn respond(
        self,
        respond: impl FnOnce(&M::Request, &mut M::Response) -> Result<(), M::Error>,
    ) -> Result<(), ReplyError> {
        // Two ways, although they look alike: of a copy in its own frame the compiler knows that the response does not overlap it.
        if overlays::<M, T>(&self.ticket) {
            let request = *self.data();
            let mut response = self.response();
            // SAFETY: promise 2 of `ServerTransport`; `request` is a copy, so nobody borrows the memory.
            let response = unsafe { response.as_mut() };
            *response = zeroed();
            let result = respond(&request, response);
            self.conclude(result)
        } else {
            let mut response = self.response();
            // SAFETY: promise 2 of `ServerTransport`; without overlay the response's memory is apart from the request's.
            let response = unsafe { response.as_mut() };
            *response = zeroed();
            let result = respond(self.data(), response);
            self.conclude(result)
        }
    }

    /// Lends the response, zeroed, to be built where it will travel from; the request is given up.
    #[inline]
    pub fn build(self) -> ReplyLoan<'a, M, T> {
        let mut loan = self.lend();
        *loan = zeroed();
        loan
    }

    /// Lends the response with the `inout` arguments as they arrived, to be edited in place.
    ///
    /// For methods that edit in place; for the others it does not compile. Dropped unanswered, the client gets `Aborted` and
    /// never the half-changed bytes.
    #[inline]
    pub fn edit(self) -> ReplyLoan<'a, M, T> {
        const {
            assert!(
                M::IN_PLACE,
                "the method does not edit in place: use `respond` or `build`"
            );
        };
        if !T::OVERLAYS {
            // The transport keeps the two apart: the arguments, which lie at the same offset in both, are copied over.
            let len = size_of::<M::Request>().min(size_of::<M::Response>());
            let request = NonNull::from(self.data()).cast::<u8>();
            let response = self.response().cast::<u8>();
            // SAFETY: promises 1 and 2 of `ServerTransport`: both valid for `len` bytes, and apart without `OVERLAYS`.
            unsafe { request.copy_to_nonoverlapping(response, len) };
        }
        self.lend()
    }

    /// Keeps the request beyond this borrow of the server, to be answered at any time, in any order.
    #[inline]
    pub fn into_token(self) -> Token<M, T> {
        let this = ManuallyDrop::new(self);
        if let Some(tally) = this.core.tally.at(M::INDEX) {
            count(&tally.unanswered);
        }
        // SAFETY: promise 1 of `Incoming::new`, whose ticket this is; `'a` borrows the transport.
        let keep = unsafe { this.core.transport.keep(&this.ticket) };
        // SAFETY: `keep` is that of the ticket, which `this` gives up unanswered.
        unsafe { Token::new(this.core.transport.id(), keep, this.ticket) }
    }

    /// Answers with the response that has been built, or with an error.
    #[inline(always)]
    fn conclude(self, result: Result<(), M::Error>) -> Result<(), ReplyError> {
        match result {
            Ok(()) => self.send(ReplyStatus::Ok, size_of::<M::Response>() as u32),
            Err(error) => self.send(ReplyStatus::Service, error.code()),
        }
    }

    #[inline(always)]
    fn lend(self) -> ReplyLoan<'a, M, T> {
        ReplyLoan {
            place: self.response(),
            call: self,
        }
    }

    #[inline(always)]
    fn response(&self) -> NonNull<M::Response> {
        // SAFETY: promise 1 of `Incoming::new`, whose ticket this is; `'a` borrows the transport.
        let place = unsafe {
            self.core
                .transport
                .response(&self.ticket, overlays::<M, T>(&self.ticket))
        };
        // SAFETY: the pointer comes from the transport just now.
        unsafe { response_at::<M, T>(place) }
    }

    #[inline(always)]
    fn send(self, status: ReplyStatus, value: u32) -> Result<(), ReplyError> {
        let this = ManuallyDrop::new(self);
        this.core
            .count_reply::<M>(!matches!(status, ReplyStatus::Ok));
        // SAFETY: promise 1 of `Incoming::new`, whose ticket this is; `self`, and with it the ticket, is given up here.
        unsafe {
            this.core
                .transport
                .reply(this.ticket, overlays::<M, T>(&this.ticket), status, value)
        }
    }
}

impl<M: Method, T: ServerTransport> Drop for Call<'_, M, T> {
    #[cold]
    fn drop(&mut self) {
        self.core.count_reply::<M>(true);
        // SAFETY: promise 1 of `Incoming::new`, whose ticket this is; what answers it otherwise does not get here. That the client is
        // gone changes nothing.
        let _ = unsafe {
            self.core.transport.reply(
                self.ticket,
                overlays::<M, T>(&self.ticket),
                ReplyStatus::Aborted,
                0,
            )
        };
    }
}

impl<M: Method, T: ServerTransport> fmt::Debug for Call<'_, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", M::NAME)
    }
}

/// A response that is built where it will travel from. Dropped unsent, the client gets `Aborted`.
#[must_use = "a reply that is dropped is sent as `Aborted`"]
pub struct ReplyLoan<'a, M: Method, T: ServerTransport> {
    call: Call<'a, M, T>,
    place: NonNull<M::Response>,
}

impl<M: Method, T: ServerTransport> ReplyLoan<'_, M, T> {
    /// Sends the response.
    ///
    /// # Errors
    /// The client is gone.
    #[inline(always)]
    pub fn send(self) -> Result<(), ReplyError> {
        self.call
            .send(ReplyStatus::Ok, size_of::<M::Response>() as u32)
    }

    /// Sends the response, or an error instead of it.
    ///
    /// # Errors
    /// The client is gone.
    #[inline(always)]
    pub fn finish(self, result: Result<(), M::Error>) -> Result<(), ReplyError> {
        self.call.conclude(result)
    }
}

impl<M: Method, T: ServerTransport> Deref for ReplyLoan<'_, M, T> {
    type Target = M::Response;

    #[inline(always)]
    fn deref(&self) -> &M::Response {
        // SAFETY: promise 2 of `ServerTransport` until the ticket is answered, which takes `self`.
        unsafe { self.place.as_ref() }
    }
}

impl<M: Method, T: ServerTransport> DerefMut for ReplyLoan<'_, M, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut M::Response {
        // SAFETY: as in `deref`; nobody else has the pointer, and where the request shares the memory, nobody borrows it any more.
        unsafe { self.place.as_mut() }
    }
}

impl<M: Method, T: ServerTransport> fmt::Debug for ReplyLoan<'_, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyLoan({})", M::NAME)
    }
}
