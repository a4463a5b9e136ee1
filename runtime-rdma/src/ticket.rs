//! A request that a server holds.

use std::ptr::NonNull;

use runtime_core::Ticket;

use crate::buffer::{Buffer, Held};
use crate::connection::Connection;
use crate::imm::{FromClient, Tag};
use crate::polled::Message;

/// A request that a server holds: whose it is, and where it lies.
#[derive(Clone, Copy, Debug)]
pub struct RdmaTicket {
    /// Lives as long as it has a seat, or a token.
    connection: NonNull<Connection>,
    buffer: NonNull<Buffer>,
    /// The immediate data.
    imm: u32,
    len: u32,
}

// SAFETY: a connection is `Sync`, and a buffer `Send` and `Sync`; who may touch it is said by where tickets are used.
unsafe impl Send for RdmaTicket {}

impl RdmaTicket {
    /// Of a request that the connection has accepted, in the buffer in which it arrived.
    #[inline(always)]
    pub(crate) fn new(connection: &Connection, held: Held, message: Message) -> Self {
        Self {
            connection: NonNull::from(connection),
            buffer: held.into_raw(),
            imm: message.imm,
            len: message.len,
        }
    }

    /// Whose request it is.
    ///
    /// # Safety
    /// 1. It waits in the line of its connection's seat, or its server was not used by `&mut` since it gave the ticket, or the connection is
    ///    kept.
    #[inline(always)]
    pub(crate) unsafe fn connection(&self) -> &Connection {
        // SAFETY: promise 1: the seat, or whoever keeps the connection, has it.
        unsafe { self.connection.as_ref() }
    }

    /// Which of the client's slots it is in.
    #[inline(always)]
    pub(crate) fn tag(&self) -> Tag {
        Tag::of_request(self.imm)
    }

    /// The buffer that it arrived in.
    #[inline(always)]
    pub(crate) fn buffer(&self) -> NonNull<Buffer> {
        self.buffer
    }
}

impl Ticket for RdmaTicket {
    #[inline(always)]
    fn method(&self) -> u16 {
        FromClient::method(self.imm)
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.len as usize
    }
}
