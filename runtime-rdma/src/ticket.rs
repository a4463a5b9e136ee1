//! A request that a server holds.

use std::ptr::NonNull;

use runtime_core::Ticket;

use crate::buffer::{Buffer, Held};
use crate::connection::Connection;
use crate::imm::{FromClient, Tag};

/// A request that a server holds: the buffer that it arrived in, which knows whose it is, and what came with it. It fits into two registers.
#[derive(Clone, Copy, Debug)]
pub struct RdmaTicket {
    buffer: NonNull<Buffer>,
    /// The immediate data.
    imm: u32,
    len: u32,
}

// SAFETY: a buffer is `Sync`; who may follow the pointer is said by where tickets are used.
unsafe impl Send for RdmaTicket {}

impl RdmaTicket {
    /// Of a request that the connection has accepted, in the buffer in which it arrived.
    #[inline(always)]
    pub(crate) fn new(connection: &Connection, held: Held, imm: u32, len: u32) -> Self {
        held.set_owner(connection);
        Self {
            buffer: held.into_raw(),
            imm,
            len,
        }
    }

    /// Whose request it is: lives as long as it has a seat, or a token.
    ///
    /// # Safety
    /// 1. It waits in the line of its connection's seat, or its server was not used by `&mut` since it gave the ticket, or the connection is
    ///    kept.
    /// 2. It is not answered.
    #[inline(always)]
    pub(crate) unsafe fn connection(&self) -> &Connection {
        // SAFETY: buffers live as long as the pool, which the connection keeps, and that lives by promise 1.
        let buffer = unsafe { self.buffer.as_ref() };
        // SAFETY: promise 2: `new` has noted it, and the device has not had the buffer since.
        let owner = unsafe { buffer.owner() };
        // SAFETY: promise 1: the seat, or whoever keeps the connection, has it.
        unsafe { owner.as_ref() }
    }

    /// The buffer that it arrived in.
    #[inline(always)]
    pub(crate) fn buffer(&self) -> NonNull<Buffer> {
        self.buffer
    }

    /// Which of the client's slots it is in.
    #[inline(always)]
    pub(crate) fn tag(&self) -> Tag {
        Tag::of_request(self.imm)
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
