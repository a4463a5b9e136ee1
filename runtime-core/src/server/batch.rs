//! Replies that leave together.

use core::fmt;
use core::ops::{Deref, DerefMut};

use super::Server;
use crate::service::Service;
use crate::transport::ServerTransport;

/// A server whose replies leave together: see [`Server::batch`].
pub struct Batch<'a, S: Service, T: ServerTransport>(&'a mut Server<S, T>);

impl<'a, S: Service, T: ServerTransport> Batch<'a, S, T> {
    #[inline(always)]
    pub(super) fn new(server: &'a mut Server<S, T>) -> Self {
        server.core.transport.hold_doorbell();
        Self(server)
    }
}

impl<S: Service, T: ServerTransport> Deref for Batch<'_, S, T> {
    type Target = Server<S, T>;

    #[inline(always)]
    fn deref(&self) -> &Server<S, T> {
        self.0
    }
}

impl<S: Service, T: ServerTransport> DerefMut for Batch<'_, S, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Server<S, T> {
        self.0
    }
}

impl<S: Service, T: ServerTransport> Drop for Batch<'_, S, T> {
    /// Also when a handler panics: what was answered before leaves.
    #[inline(always)]
    fn drop(&mut self) {
        self.0.core.transport.ring_doorbell();
    }
}

impl<S: Service, T: ServerTransport> fmt::Debug for Batch<'_, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({:?})", self.0)
    }
}
