//! Who takes part in a server: the clients that it has, and those who could make more.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::transport::ClientId;

/// What a backend's server counts, to know when it is over: when it was told to stop, or when nobody can call any more.
#[derive(Debug)]
pub struct Attendance {
    server: u64,
    /// True if anyone who knows the name may connect at any time.
    is_named: bool,
    /// Clients that are connected, and not seen to be gone.
    clients: AtomicUsize,
    /// Connectors that could make more.
    connectors: AtomicUsize,
    next_client: AtomicU64,
    stopped: AtomicBool,
}

/// Number of the next server in the process.
static NEXT_SERVER: AtomicU64 = AtomicU64::new(1);

impl Attendance {
    /// That of a new server; `is_named` if it is reached by others than its connectors.
    pub fn new(is_named: bool) -> Self {
        Self {
            server: NEXT_SERVER.fetch_add(1, Ordering::Relaxed),
            is_named,
            clients: AtomicUsize::new(0),
            connectors: AtomicUsize::new(0),
            next_client: AtomicU64::new(1),
            stopped: AtomicBool::new(false),
        }
    }

    /// The server's number: no other in this process has it.
    pub fn server(&self) -> u64 {
        self.server
    }

    /// Counts a client in. Its number is nobody else's ever.
    pub fn enter(&self) -> ClientId {
        // Relaxed: whoever lets it in is there until this is over, and `is_over` looks at the connectors first.
        self.clients.fetch_add(1, Ordering::Relaxed);
        ClientId(self.next_client.fetch_add(1, Ordering::Relaxed))
    }

    /// Counts a client out.
    pub fn leave(&self) {
        // AcqRel: what the client did comes before; pairs with the Acquire in `is_over`.
        self.clients.fetch_sub(1, Ordering::AcqRel);
    }

    /// Counts a connector in.
    pub fn add_connector(&self) {
        // Relaxed: it is made by the server, or of a connector that is counted until this is over.
        self.connectors.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connector out. True if it was the last: the server may be over.
    #[must_use = "a server that sleeps has to be woken to see that it is over"]
    pub fn remove_connector(&self) -> bool {
        // AcqRel: the clients that it made come before; pairs with the Acquire in `is_over`.
        self.connectors.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Tells the server to stop; it has to be woken to see it.
    pub fn stop(&self) {
        // Release: pairs with the Acquire in `is_over`.
        self.stopped.store(true, Ordering::Release);
    }

    /// True once the server was told to stop.
    pub fn is_stopped(&self) -> bool {
        // Acquire: pairs with the Release in `stop`.
        self.stopped.load(Ordering::Acquire)
    }

    /// True if no client is connected and none can connect any more, or the server was told to stop.
    #[inline]
    pub fn is_over(&self) -> bool {
        // Acquire: pairs with the releases by clients and connectors that left. The connectors first: one of them could connect a
        // client and leave between the two looks, but not the other way round.
        self.stopped.load(Ordering::Acquire)
            || (!self.is_named
                && self.connectors.load(Ordering::Acquire) == 0
                && self.clients.load(Ordering::Acquire) == 0)
    }
}

/// Small numbers for what a server has of each client: below a limit, and used again.
#[derive(Debug)]
pub struct Seats {
    /// Those that were used and are free again.
    free: Vec<u32>,
    /// The first that never was used.
    fresh: u32,
    count: u32,
    closed: bool,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSeat {
    /// All are taken.
    Full,
    /// The server is gone.
    Closed,
}

impl Seats {
    /// So many, all of them free.
    pub const fn new(count: u32) -> Self {
        Self {
            free: Vec::new(),
            fresh: 0,
            count,
            closed: false,
        }
    }

    /// Takes one, the one that was given back last if there is any.
    ///
    /// # Errors
    /// There is none.
    pub fn take(&mut self) -> Result<u32, NoSeat> {
        if self.closed {
            return Err(NoSeat::Closed);
        }
        if let Some(seat) = self.free.pop() {
            return Ok(seat);
        }
        if self.fresh == self.count {
            return Err(NoSeat::Full);
        }
        self.fresh += 1;
        Ok(self.fresh - 1)
    }

    /// Gives one back that was taken.
    pub fn give_back(&mut self, seat: u32) {
        debug_assert!(seat < self.fresh && !self.free.contains(&seat));
        self.free.push(seat);
    }

    /// Refuses everybody from now on.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// True after [`close`](Self::close).
    pub const fn is_closed(&self) -> bool {
        self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_over_when_nobody_is_left_or_it_was_told() {
        let unnamed = Attendance::new(false);
        unnamed.add_connector();
        assert!(!unnamed.is_over());
        let client = unnamed.enter();
        assert!(unnamed.remove_connector());
        assert!(!unnamed.is_over());
        assert_ne!(unnamed.enter(), client);
        unnamed.leave();
        unnamed.leave();
        assert!(unnamed.is_over());

        let named = Attendance::new(true);
        assert_ne!(named.server(), unnamed.server());
        assert!(!named.is_over());
        named.stop();
        assert!(named.is_over());
    }

    #[test]
    fn seats_are_used_again() {
        let mut seats = Seats::new(2);
        assert_eq!((seats.take(), seats.take()), (Ok(0), Ok(1)));
        assert_eq!(seats.take(), Err(NoSeat::Full));
        seats.give_back(0);
        assert_eq!(seats.take(), Ok(0));
        seats.give_back(1);
        seats.close();
        assert_eq!(seats.take(), Err(NoSeat::Closed));
        assert!(seats.is_closed());
    }
}
