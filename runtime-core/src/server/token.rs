//! A request that is answered later.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;

use super::call::{overlays, request_at, response_at};
use crate::error::{ReplyError, ServiceError};
use crate::service::Method;
use crate::transport::{ReplyStatus, ServerTransport};
use crate::wire::ToWire;

/// A request kept beyond the receiving loop's turn, to be answered by [`Server::reply`](crate::Server::reply) at any time and in
/// any order.
///
/// It belongs to its server, connection, slot and generation; it may travel to another thread and back. The slot stays
/// taken until it is answered. Dropped unanswered, on any thread, the client gets `Aborted`.
#[must_use = "a token that is dropped is answered with `Aborted`"]
pub struct Token<M: Method, T: ServerTransport> {
    server: u64,
    keep: T::Keep,
    ticket: T::Ticket,
    method: PhantomData<fn() -> M>,
}

impl<M: Method, T: ServerTransport> Token<M, T> {
    /// # Safety
    /// 1. `keep` was made for the ticket, which is unanswered and given to nobody else.
    pub(super) unsafe fn new(server: u64, keep: T::Keep, ticket: T::Ticket) -> Self {
        Self {
            server,
            keep,
            ticket,
            method: PhantomData,
        }
    }

    /// The server it belongs to.
    pub(super) fn server(&self) -> u64 {
        self.server
    }

    /// The request, where it lies.
    pub fn data(&self) -> &M::Request {
        // SAFETY: promise 1 of `new`.
        let place = unsafe { T::kept_request(&self.keep, &self.ticket) };
        // SAFETY: the ticket is answered only by what takes `self`, which is borrowed; promise 3 of `ServerTransport`.
        unsafe { request_at::<M, T>(place) }
    }

    /// True once the client is gone, or its connection is over: nobody waits for the answer any more. A client that means ill can say so of itself while
    /// it is there. Until the last token of its requests is answered or dropped the client
    /// keeps its place among [`ServerConfig::max_clients`](crate::ServerConfig::max_clients), so a server that holds requests for long
    /// drops these now and then.
    pub fn client_is_gone(&self) -> bool {
        T::client_is_gone(&self.keep)
    }

    /// Answers it.
    pub(super) fn answer(
        self,
        result: Result<impl ToWire<M::Response>, M::Error>,
    ) -> Result<(), ReplyError> {
        let overlay = overlays::<M, T>(&self.ticket);
        let (status, value) = match result {
            Ok(response) => {
                // SAFETY: promise 1 of `new`.
                let place = unsafe { T::kept_response(&self.keep, &self.ticket, overlay) };
                // SAFETY: the pointer comes from the transport just now.
                let mut response_place = unsafe { response_at::<M, T>(place) };
                // SAFETY: promises 2 and 3 of `ServerTransport`; `data` borrows `self`, which is given up here.
                response.write_to(unsafe { response_place.as_mut() });
                (ReplyStatus::Ok, size_of::<M::Response>() as u32)
            }
            Err(error) => (ReplyStatus::Service, error.code()),
        };
        let mut this = ManuallyDrop::new(self);
        // SAFETY: promise 1 of `new`; `self`, and with it the ticket, is given up here.
        let sent = unsafe { T::kept_reply(&this.keep, this.ticket, overlay, status, value) };
        // SAFETY: `this` is not used after this, and `ManuallyDrop` keeps `drop` from running.
        unsafe { core::ptr::drop_in_place(&mut this.keep) };
        sent
    }
}

impl<M: Method, T: ServerTransport> Drop for Token<M, T> {
    fn drop(&mut self) {
        // SAFETY: promise 1 of `new`; what answers it otherwise does not get here. That the client is gone changes nothing.
        let _ = unsafe {
            T::kept_reply(
                &self.keep,
                self.ticket,
                overlays::<M, T>(&self.ticket),
                ReplyStatus::Aborted,
                0,
            )
        };
    }
}

impl<M: Method, T: ServerTransport> fmt::Debug for Token<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", M::NAME)
    }
}
