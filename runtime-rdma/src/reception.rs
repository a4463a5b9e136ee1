//! What arrives at a server, and whose turn it is.

mod replies;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::Arc;

use runtime_core::{Audience, EmitError};
use runtime_os::clock;

use crate::bell::{DUE, LAGS};
use crate::buffer::Chain;
use crate::doorbells::Doorbells;
use crate::hub::Hub;
use crate::imm::{FromClient, Tag};
use crate::polled::{Fault, Message, Polled, Received};
use crate::pool::Pool;
use crate::seats::{Seated, Seats};
use crate::shape::SLACK;
use crate::ticket::RdmaTicket;
use crate::verbs::{Channel, Cq};

/// How long the queue pair of a client that is gone is kept: its device may still complete what it had begun to receive.
const LINGER: u64 = 100_000_000;

/// How often a server that has nothing else to do looks whether messages have failed.
const SWEEP: u64 = 250_000_000;

/// How soon one comes back that has messages waiting for room in the device's queue.
const RETRY: u64 = 1_000_000;

/// Why nobody can be served any more.
const LOST: &str = "the device's completion queue failed";

/// Looks for requests between two at the clock.
const LOOKS_PER_CHECK: u32 = 256;

/// The part of a server that does not depend on its service.
pub(crate) struct Reception {
    pub(crate) hub: Arc<Hub>,
    pub(crate) seats: Seats,
    /// Seats with requests that wait, in turn.
    turns: VecDeque<u32>,
    /// How many of them are in this round: after it the completion queue is looked at again.
    round: usize,
    /// Buffers that the device is to have again.
    spare: Chain,
    doorbells: Doorbells,
    /// True in a batch for which all that there was has been taken in, and which has not been told so.
    was_drained: Cell<bool>,
    /// Looks for requests since the last one at the clock.
    looks: Cell<u32>,
    /// When it is looked whether messages have failed.
    next_sweep: u64,
    /// When it is looked whether those that wait for room have it now, if some do.
    next_retry: u64,
    /// Seats of clients that are gone.
    leaving: usize,
    polled: RefCell<Polled>,
    pool: Arc<Pool>,
    pub(crate) channel: Arc<Channel>,
}

impl Reception {
    /// # Safety
    /// 1. The queue gets the completions of the pool's shared receive queue alone, and only this polls it.
    pub(crate) unsafe fn new(
        hub: Arc<Hub>,
        pool: Arc<Pool>,
        recv_cq: Arc<Cq>,
        channel: Arc<Channel>,
    ) -> Self {
        Self {
            hub,
            seats: Seats::default(),
            turns: VecDeque::new(),
            round: 0,
            spare: Chain::new(SLACK),
            doorbells: Doorbells::default(),
            was_drained: Cell::new(false),
            looks: Cell::new(0),
            next_sweep: 0,
            next_retry: 0,
            leaving: 0,
            // SAFETY: promise 1; the pool posts no buffers but those that it is given.
            polled: RefCell::new(unsafe { Polled::new(recv_cq) }),
            pool,
            channel,
        }
    }

    /// The next request: of each client that has some, one in turn.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<RdmaTicket> {
        let is_usual = self.turns.is_empty()
            && !self.was_drained.get()
            && !self.hub.bell.calls()
            && self.polled.get_mut().is_empty();
        if is_usual {
            let polled = self.polled.get_mut().poll();
            if polled == Some(1) {
                // Who comes alone is served without waiting in line.
                if let Some(ticket) = self.arrive() {
                    if self.doorbells.is_any_held() && self.doorbells.are_overdue() {
                        self.ring_held();
                    }
                    self.was_drained.set(self.doorbells.are_collecting());
                    return Some(ticket);
                }
            } else if polled == Some(0) {
                if !self.waits_for_more() {
                    return self.find_none();
                }
            } else if polled.is_none() {
                self.fail_all(LOST);
            }
        }
        self.next_in_line()
    }

    /// The same when there are several, or something else is to be done.
    fn next_in_line(&mut self) -> Option<RdmaTicket> {
        if self.hub.bell.has_rung() && self.is_told_to_stop() {
            return None;
        }
        if self.round == 0 {
            // Whoever receives in a batch goes on until there is nothing more, which was seen when the last ones came.
            if self.turns.is_empty() && self.was_drained.take() && !self.waits_for_more() {
                self.ring_held();
                self.note_looks(1);
                return None;
            }
            self.harvest();
            if self.hub.bell.has_rung() {
                // Some of what has arrived may have been a farewell.
                self.answer_bell();
            }
            if self.hub.bell.is_noted(LAGS | DUE) {
                self.look_after();
            }
            self.round = self.turns.len();
            let is_in_batch = self.doorbells.are_collecting();
            self.was_drained.set(is_in_batch && self.round != 0);
            if self.round == 0 {
                return self.find_none();
            }
        }
        if self.doorbells.is_any_held() && self.doorbells.are_overdue() {
            self.ring_held();
        }
        self.round -= 1;
        let seat = self.turns.pop_front()?;
        let seated = self.seats.get_mut(seat)?;
        let ticket = seated.waiting.pop_front()?;
        if !seated.waiting.is_empty() {
            self.turns.push_back(seat);
        }
        Some(ticket)
    }

    /// What is to be done when a look has found no request.
    #[inline(always)]
    fn find_none(&self) -> Option<RdmaTicket> {
        self.ring_held();
        // The room in that chain tells one request from the next, for each gives back the buffer that it came in.
        self.doorbells.note_empty(self.spare.room());
        self.note_looks(1);
        None
    }

    /// Sends an event; see [`ServerTransport::emit`](runtime_core::ServerTransport::emit).
    pub(crate) fn emit(
        &mut self,
        to: Audience,
        method: u16,
        len: usize,
        fill: &mut dyn FnMut(NonNull<u8>),
    ) -> Result<usize, EmitError> {
        if self.hub.bell.has_rung() {
            self.answer_bell();
        }
        // Clients may have given events back.
        self.harvest();
        let (mut delivered, mut full) = (0, 0);
        for seated in self.seats.iter_mut() {
            let connection = &seated.connection;
            if let Audience::One(client) = to
                && connection.id != client
            {
                continue;
            }
            // One that has just left is not missed.
            if connection.link.is_gone() {
                continue;
            }
            if !connection.is_ready() {
                // Not there yet: it has not asked, but it is not gone.
                full += usize::from(matches!(to, Audience::One(_)));
                continue;
            }
            if seated.credit == 0 {
                full += 1;
                continue;
            }
            // SAFETY: the credit is what the client has given back of its event window.
            if unsafe { connection.emit(method, len, fill) } {
                // After the user's code has built it, which may panic.
                seated.credit -= 1;
                delivered += 1;
            }
        }
        match to {
            _ if full != 0 => Err(EmitError::WouldBlock { delivered, full }),
            Audience::One(_) if delivered == 0 => Err(EmitError::Disconnected),
            _ => Ok(delivered),
        }
    }

    /// True if there may be something to do.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        let is_ready = self.hub.bell.has_rung() || self.has_arrived() || self.has_polled();
        if !is_ready {
            self.ring_held();
        }
        is_ready
    }

    /// Sleeps until there may be something to do, or the time has come.
    pub(crate) fn park(&mut self, until: u64) {
        self.ring_held();
        self.look_after();
        let mut until = until.min(self.next_sweep);
        if self.hub.bell.is_noted(LAGS) {
            until = until.min(self.next_retry);
        }
        for leaves_at in self.seats.iter().filter_map(|seated| seated.leaves_at) {
            until = until.min(leaves_at);
        }
        let armed = self
            .channel
            .take_events()
            .and_then(|_| self.polled.borrow_mut().arm());
        if armed.is_err() {
            // Without notice of completions it looks for them.
            until = until.min(clock::now() + RETRY);
        }
        self.harvest();
        if !self.has_arrived() && !self.hub.bell.has_rung() && !self.hub.attendance.is_over() {
            self.hub.bell.wait(self.channel.fd(), until);
        }
    }

    /// Gets ready for a task to sleep: true if it must not.
    pub(crate) fn may_not_sleep(&self) -> bool {
        self.ring_held();
        // Without notice of completions the task is woken at once, and looks.
        let armed = self
            .channel
            .take_events()
            .and_then(|_| self.polled.borrow_mut().arm());
        armed.is_err() || self.is_ready() || self.hub.attendance.is_over()
    }

    /// When a task that sleeps has to look all the same, as [`park`](Self::park) does: for a client that is to be removed, for sends that have
    /// failed, for room for messages. Nobody tells of these.
    pub(crate) fn looks_again_at(&self) -> Option<u64> {
        self.seats.iter().next()?;
        // What is due then is done by the look that follows.
        self.hub.bell.note(DUE);
        let retry = self.hub.bell.is_noted(LAGS).then_some(self.next_retry);
        let leaves = self.seats.iter().filter_map(|seated| seated.leaves_at);
        leaves.chain(retry).chain([self.next_sweep]).min()
    }

    /// Answers the bell: true if it tells the server to stop, however many requests there are, and each time.
    #[cold]
    #[inline(never)]
    fn is_told_to_stop(&mut self) -> bool {
        self.answer_bell();
        let is_told = self.hub.attendance.is_stopped();
        if is_told {
            self.hub.bell.ring();
            self.ring_held();
        }
        is_told
    }

    /// Takes in new connections, and begins to remove those that are gone.
    #[cold]
    fn answer_bell(&mut self) {
        if !self.hub.bell.answer() {
            return;
        }
        // First those that are gone: each of them was introduced before, so it has its seat below.
        let lost = self.hub.lost();
        self.seat_newcomers();
        for seat in lost {
            self.lose(seat);
        }
        if self.leaving != 0 {
            self.remove_gone(clock::now());
        }
    }

    /// Gives new connections their seats. That one of them has left already, its bell says.
    pub(crate) fn seat_newcomers(&mut self) {
        for connection in self.hub.newcomers() {
            self.seats.add(connection);
            let seats = self.seats.len();
            // Room for one of each, so that nothing is allocated later.
            self.turns.reserve(seats - self.turns.len().min(seats));
            self.doorbells.make_room(seats);
        }
    }

    /// Begins to remove a client, if it is gone. What it has sent is still served.
    fn lose(&mut self, seat: u32) {
        let Some(seated) = self.seats.get_mut(seat) else {
            return;
        };
        if !seated.connection.link.is_gone() || seated.leaves_at.is_some() {
            return;
        }
        seated.leaves_at = Some(clock::now() + LINGER);
        self.leaving += 1;
        // Nothing more is received; what has been is in the completion queue.
        seated.connection.end(|| "it is gone".into());
        self.harvest();
        self.hub.attendance.leave();
    }

    /// Removes clients whose time is over.
    #[cold]
    fn remove_gone(&mut self, now: u64) {
        let over = |seated: &Seated| {
            seated.waiting.is_empty()
                && seated
                    .leaves_at
                    .is_some_and(|at| at <= now || seated.connection.has_completed())
        };
        let seats: Vec<_> = self
            .seats
            .iter()
            .filter(|seated| over(seated))
            .map(|seated| seated.connection.seat)
            .collect();
        for seat in seats {
            // What completed after the last look.
            self.harvest();
            let is_over = self.seats.get(seat).is_some_and(over);
            if is_over && let Some(gone) = self.seats.remove(seat) {
                gone.connection.detach();
                self.leaving -= 1;
                self.doorbells.forget(seat);
            }
        }
    }

    /// Takes in all that has arrived, so that everyone who has something waiting gets a turn.
    fn harvest(&mut self) {
        if self.take_in() != 0 && self.polled.get_mut().is_all() {
            return;
        }
        // At most as many as there are buffers to receive into: clients that go on sending must not keep the server here.
        let mut most = self.pool.capacity();
        loop {
            self.look();
            most = most.saturating_sub(self.take_in());
            if self.polled.get_mut().is_all() || most == 0 {
                break;
            }
        }
    }

    /// Takes in what was polled: how much that was.
    fn take_in(&mut self) -> usize {
        let mut count = 0;
        while !self.polled.get_mut().is_empty() {
            if let Some(ticket) = self.arrive().or_else(|| self.arrive_other()) {
                self.line_up(ticket);
            }
            count += 1;
        }
        count
    }

    /// Polls the completion queue, of which everything was taken before.
    fn look(&mut self) {
        if self.polled.get_mut().poll().is_none() {
            self.fail_all(LOST);
        }
    }

    #[cold]
    fn fail_all(&self, why: &str) {
        for seated in self.seats.iter() {
            seated.connection.link.fail(|| why.into());
        }
    }

    /// Takes the next of what was polled, if it is a request that is as it should be.
    #[inline(always)]
    fn arrive(&mut self) -> Option<RdmaTicket> {
        let message = self.polled.get_mut().peek()?;
        let connection = self.seats.of_qp(message.qpn())?;
        let imm = message.imm();
        if !FromClient::is_request(imm) || !connection.accept(Tag::of_request(imm)) {
            return None;
        }
        let (held, len) = message.take();
        Some(RdmaTicket::new(connection, held, imm, len))
    }

    /// Takes the next of what was polled, which is something else, or the first of its client.
    #[cold]
    fn arrive_other(&mut self) -> Option<RdmaTicket> {
        let Received { held, qpn, what } = self.polled.get_mut().take()?;
        if self.seats.of_qp(qpn).is_none() {
            // It may have been connected a moment ago.
            self.seat_newcomers();
        }
        let seat = self.seats.of_qp(qpn).map(|connection| connection.seat);
        let Some(seated) = seat.and_then(|seat| self.seats.get_mut(seat)) else {
            // Of a client that is gone.
            self.give_back(held);
            return None;
        };
        let connection = &seated.connection;
        match what {
            Err(Fault::Failed(status)) => connection.fail_receive(status),
            Err(Fault::Bare) => seated.object("sends messages without immediate data"),
            Ok(message) => match FromClient::from_bits(message.imm) {
                FromClient::Request { tag, .. } => {
                    if connection.accept(tag) {
                        let Message { imm, len } = message;
                        return Some(RdmaTicket::new(connection, held, imm, len));
                    }
                    seated.object("sends a request in a slot that is not its to use");
                }
                FromClient::Note { taken, leaves } => seated.read_note(taken, leaves),
            },
        }
        self.give_back(held);
        None
    }

    /// Has a request wait for its turn.
    fn line_up(&mut self, ticket: RdmaTicket) {
        // SAFETY: it was made just now, and its connection has its seat.
        let seat = unsafe { ticket.connection() }.seat;
        if let Some(seated) = self.seats.get_mut(seat) {
            if seated.waiting.is_empty() {
                self.turns.push_back(seat);
            }
            seated.waiting.push_back(ticket);
        }
    }

    /// Counts looks for requests, and has it looked at the clock after some.
    pub(crate) fn note_looks(&self, more: u32) {
        let looks = self.looks.get() + more;
        self.looks.set(looks % LOOKS_PER_CHECK);
        if looks >= LOOKS_PER_CHECK {
            self.hub.bell.note(DUE);
        }
    }

    /// What is to be done from time to time.
    #[cold]
    fn look_after(&mut self) {
        self.hub.bell.take(DUE);
        let now = clock::now();
        if self.leaving != 0 {
            self.remove_gone(now);
        }
        let retries = self.hub.bell.is_noted(LAGS) && now >= self.next_retry;
        if retries || now >= self.next_sweep {
            // Before looking: whoever finds no room notes it again.
            self.hub.bell.take(LAGS);
            self.next_retry = now + RETRY;
            self.next_sweep = now + SWEEP;
            self.pool.refill();
            for seated in self.seats.iter() {
                seated.connection.tend(now);
            }
        }
    }

    /// True if there are completions.
    #[inline(always)]
    fn has_polled(&self) -> bool {
        let mut polled = self.polled.borrow_mut();
        if !polled.is_empty() {
            return true;
        }
        let count = polled.poll();
        drop(polled);
        if count.is_none() {
            self.fail_all(LOST);
        }
        count.is_some_and(|count| count != 0)
    }

    /// True if something has arrived; without looking at the bell.
    fn has_arrived(&self) -> bool {
        !self.turns.is_empty()
    }
}
