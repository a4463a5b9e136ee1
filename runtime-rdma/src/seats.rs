//! The connections of a server: by seat, and by the number of their queue pair.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::connection::Connection;
use crate::ticket::RdmaTicket;

/// A client that the server has taken in.
pub(crate) struct Seated {
    pub(crate) connection: Arc<Connection>,
    /// Requests that have arrived and were not received: at most a window.
    pub(crate) waiting: VecDeque<RdmaTicket>,
    /// Events that may be sent to it.
    pub(crate) credit: usize,
    /// When it is removed, once it is gone and nothing waits.
    pub(crate) leaves_at: Option<u64>,
    /// True if its doorbell is to ring.
    pub(crate) is_held: Cell<bool>,
}

impl Seated {
    /// Takes a note of the client into account.
    pub(crate) fn read_note(&mut self, taken: u16, leaves: bool) {
        let credit = self.credit + usize::from(taken);
        if taken == 0 && !leaves {
            self.object("sends notes that say nothing");
        } else if credit > self.connection.events {
            self.object("gives back events that it was not sent");
        } else {
            self.credit = credit;
        }
        if leaves {
            // Messages come in order: nothing of it is still being received.
            self.connection.link.set_completed();
            self.connection.link.fail(|| "it has left".into());
        }
    }

    /// Ends the connection with a client that does not keep the protocol.
    #[cold]
    pub(crate) fn object(&self, what: &str) {
        self.connection
            .end(|| format!("it does not keep the protocol: it {what}"));
    }
}

/// All of them.
pub(crate) struct Seats {
    seats: Vec<Option<Seated>>,
    /// Connections by the numbers of their queue pairs. Open addressing: places are tried from the number's own on, and half of them are vacant.
    /// A power of two of them; made anew whenever `seats` changes.
    by_qp: Box<[Entry]>,
    /// One less than there are.
    mask: u32,
    count: usize,
}

/// Who has a queue pair.
#[derive(Clone, Copy)]
struct Entry {
    qpn: u32,
    /// In one of the seats.
    connection: NonNull<Connection>,
}

impl Entry {
    const VACANT: Self = Self {
        // No queue pair's: they have 24 bits.
        qpn: u32::MAX,
        connection: NonNull::dangling(),
    };
}

// SAFETY: the pointers are to connections that the seats keep, and those are `Sync`.
unsafe impl Send for Seats {}

impl Default for Seats {
    fn default() -> Self {
        Self {
            seats: Vec::new(),
            by_qp: Box::new([Entry::VACANT]),
            mask: 0,
            count: 0,
        }
    }
}

impl Seats {
    pub(crate) fn get(&self, seat: u32) -> Option<&Seated> {
        self.seats.get(seat as usize)?.as_ref()
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, seat: u32) -> Option<&mut Seated> {
        self.seats.get_mut(seat as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Seated> {
        self.seats.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Seated> {
        self.seats.iter_mut().flatten()
    }

    /// How many seats there are, taken or not.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    /// The connection that has this queue pair.
    #[inline(always)]
    pub(crate) fn of_qp(&self, qpn: u32) -> Option<&Connection> {
        let mut at = qpn & self.mask;
        loop {
            // SAFETY: there is a power of two of places, so that a number behind the mask is below it.
            let place = unsafe { self.by_qp.get_unchecked(at as usize) };
            if place.qpn == qpn {
                // SAFETY: no device names the number of a vacant place; one of the seats keeps the connection, or the table would be another.
                return Some(unsafe { place.connection.as_ref() });
            }
            if place.qpn == Entry::VACANT.qpn {
                return None;
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Gives a connection its seat.
    pub(crate) fn add(&mut self, connection: Arc<Connection>) {
        let place = connection.seat as usize;
        if self.seats.len() <= place {
            self.seats.resize_with(place + 1, || None);
        }
        let waiting = VecDeque::with_capacity(connection.window);
        let credit = connection.events;
        self.seats[place] = Some(Seated {
            connection,
            waiting,
            credit,
            leaves_at: None,
            is_held: Cell::new(false),
        });
        self.count += 1;
        self.index();
    }

    /// Removes a connection. Its seat is free with the last token of its requests.
    pub(crate) fn remove(&mut self, seat: u32) -> Option<Seated> {
        let removed = self.seats.get_mut(seat as usize)?.take()?;
        self.count -= 1;
        self.index();
        Some(removed)
    }

    /// Makes the table by queue pair anew: they come and go seldom.
    fn index(&mut self) {
        let places = (2 * self.count).next_power_of_two().max(4);
        self.by_qp = vec![Entry::VACANT; places].into_boxed_slice();
        self.mask = places as u32 - 1;
        for seated in self.seats.iter().flatten() {
            let qpn = seated.connection.qpn();
            let mut at = qpn as usize & (places - 1);
            while self.by_qp[at].qpn != Entry::VACANT.qpn {
                at = (at + 1) & (places - 1);
            }
            self.by_qp[at] = Entry {
                qpn,
                connection: NonNull::from(&*seated.connection),
            };
        }
    }
}
