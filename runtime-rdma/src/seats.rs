//! The connections of a server: by seat, and by the number of their queue pair.

use std::cell::Cell;
use std::collections::VecDeque;
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

/// All of them.
#[derive(Default)]
pub(crate) struct Seats {
    seats: Vec<Option<Seated>>,
    /// Connections by the numbers of their queue pairs. Open addressing: places are tried from the number's own on, and half of them are free.
    by_qp: Vec<Option<(u32, Arc<Connection>)>>,
    count: usize,
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
        let mask = self.by_qp.len().checked_sub(1)?;
        let mut at = qpn as usize & mask;
        loop {
            let (found, connection) = self.by_qp[at].as_ref()?;
            if *found == qpn {
                return Some(connection);
            }
            at = (at + 1) & mask;
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

    /// Takes its seat from a connection.
    pub(crate) fn remove(&mut self, seat: u32) -> Option<Seated> {
        let removed = self.seats.get_mut(seat as usize)?.take()?;
        self.count -= 1;
        self.index();
        Some(removed)
    }

    /// Makes the table by queue pair anew: they come and go seldom.
    fn index(&mut self) {
        let places = (2 * self.count).next_power_of_two().max(4);
        self.by_qp.clear();
        self.by_qp.resize(places, None);
        for seated in self.seats.iter().flatten() {
            let qpn = seated.connection.qpn();
            let mut at = qpn as usize & (places - 1);
            while self.by_qp[at].is_some() {
                at = (at + 1) & (places - 1);
            }
            self.by_qp[at] = Some((qpn, Arc::clone(&seated.connection)));
        }
    }
}
