//! What arrives at a server, whose turn it is, and which doorbells are to ring.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::Arc;

use runtime_core::{Audience, EmitError};
use runtime_os::clock;

use crate::buffer::{Chain, Held};
use crate::connection::{Connection, Request};
use crate::hub::Hub;
use crate::imm::FromClient;
use crate::pool::Pool;
use crate::seats::{Seated, Seats};
use crate::shape::SLACK;
use crate::verbs::bindings::{IBV_WC_RECV, IBV_WC_SUCCESS, IBV_WC_WITH_IMM, ibv_wc};
use crate::verbs::{Channel, Cq, CqError};

/// Completions that are polled at a time.
const BATCH: usize = 16;

/// How long a doorbell is held at least and at most for the requests that follow. Between the two it is as long as it takes to ring it four
/// times: a write to a device's register, or with soft-RoCE a system call that carries the message itself.
const HOLD: (u64, u64) = (5_000, 100_000);

/// A handler that takes longer than so many of these times is slow.
const SLOW: u64 = 4;

/// Requests after a slow handler whose replies leave at once.
const SLOW_FOR: u32 = 64;

/// How long the queue pair of a client that is gone is kept: its device may still complete what it had begun to receive.
const LINGER: u64 = 100_000_000;

/// How often a server that has nothing else to do looks whether messages have failed.
const SWEEP: u64 = 250_000_000;

/// How soon one comes back that has messages waiting for room in the device's queue.
const RETRY: u64 = 1_000_000;

/// Looks at the completion queue between two at the clock.
const IDLE_POLLS_PER_CHECK: u32 = 256;

/// Completions that were polled together.
struct Batch {
    completions: Box<[ibv_wc]>,
    /// The first that was not taken, and the end.
    next: usize,
    end: usize,
}

impl Batch {
    fn new() -> Self {
        Self {
            completions: vec![ibv_wc::default(); BATCH].into_boxed_slice(),
            next: 0,
            end: 0,
        }
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.end - self.next
    }

    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Polls anew.
    #[inline(always)]
    fn poll(&mut self, cq: &Cq) -> Result<(), CqError> {
        (self.next, self.end) = (0, 0);
        self.end = cq.poll(&mut self.completions)?;
        Ok(())
    }

    /// The next completion.
    #[inline(always)]
    fn take(&mut self) -> Option<ibv_wc> {
        if self.is_empty() {
            return None;
        }
        self.next += 1;
        Some(self.completions[self.next - 1])
    }
}

/// The part of a server that does not depend on its service.
pub(crate) struct Reception {
    pub(crate) hub: Arc<Hub>,
    pub(crate) seats: Seats,
    /// Seats with requests that wait, in turn.
    turns: VecDeque<u32>,
    /// How many of them are in this round: after it the completion queue is looked at again.
    round: usize,
    /// Buffers that the device is to have again.
    spare: RefCell<Chain>,
    /// True while replies are collected.
    holds: Cell<bool>,
    /// True in a batch for which all that there was has been taken in, and which has not been told so.
    was_drained: Cell<bool>,
    /// Seats with replies that were collected.
    held: RefCell<Vec<u32>>,
    /// Since when.
    held_since: Cell<u64>,
    /// When it was last looked, while some were held.
    looked_at: Cell<u64>,
    /// How long it takes to ring, about.
    ring_time: Cell<u64>,
    /// How many of the next replies are not collected: a handler was slow.
    at_once: Cell<u32>,
    idle_polls: u32,
    /// When it is looked whether messages have failed.
    next_sweep: u64,
    /// Seats of clients that are gone.
    leaving: usize,
    completions: RefCell<Batch>,
    pool: Arc<Pool>,
    recv_cq: Arc<Cq>,
    pub(crate) channel: Arc<Channel>,
}

impl Reception {
    pub(crate) fn new(
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
            spare: RefCell::new(Chain::new()),
            holds: Cell::new(false),
            was_drained: Cell::new(false),
            held: RefCell::default(),
            held_since: Cell::new(0),
            looked_at: Cell::new(0),
            ring_time: Cell::new(0),
            at_once: Cell::new(0),
            idle_polls: 0,
            next_sweep: 0,
            leaving: 0,
            completions: RefCell::new(Batch::new()),
            pool,
            recv_cq,
            channel,
        }
    }

    /// The next request: of each client that has some, one in turn.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<(&Connection, Request)> {
        if self.hub.bell.has_rung() {
            self.answer_bell();
        }
        if self.round == 0 {
            if self.turns.is_empty() && self.was_drained.take() {
                // Whoever receives in a batch goes on until there is nothing more, which was seen when the last ones came.
                self.ring_held();
                return None;
            }
            self.harvest_all();
            if self.hub.bell.has_rung() {
                // Some of what has arrived may have been a farewell.
                self.answer_bell();
            }
            // Also for a server that is never idle.
            self.idle_polls += 1;
            if self.idle_polls >= IDLE_POLLS_PER_CHECK || self.hub.is_lagging() {
                self.idle();
            }
            self.round = self.turns.len();
            self.was_drained.set(self.holds.get() && self.round != 0);
            if self.round == 0 {
                if !self.held.get_mut().is_empty() {
                    self.ring_held();
                }
                return None;
            }
        }
        if !self.held.get_mut().is_empty() {
            self.ring_overdue();
        }
        self.at_once.set(self.at_once.get().saturating_sub(1));
        self.round -= 1;
        let seat = self.turns.pop_front()?;
        let seated = self.seats.get_mut(seat)?;
        let request = seated.waiting.pop_front()?;
        if !seated.waiting.is_empty() {
            self.turns.push_back(seat);
        }
        Some((&*seated.connection, request))
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
        self.harvest_all();
        let (mut delivered, mut full, mut found) = (0, 0, false);
        for seated in self.seats.iter_mut() {
            let connection = &seated.connection;
            if let Audience::One(client) = to
                && connection.id != client
            {
                continue;
            }
            // One that has just left is not missed, and one that is not there yet has not asked.
            if connection.link.is_gone() || !connection.is_ready() {
                continue;
            }
            found = true;
            if seated.credit == 0 {
                full += 1;
                continue;
            }
            // SAFETY: the credit is what the client has given back of its event window.
            unsafe { connection.emit(method, len, fill) };
            // After the user's code has built it, which may panic.
            seated.credit -= 1;
            delivered += 1;
        }
        if full != 0 {
            Err(EmitError::WouldBlock { delivered, full })
        } else if !found && matches!(to, Audience::One(_)) {
            Err(EmitError::Disconnected)
        } else {
            Ok(delivered)
        }
    }

    /// True if there may be something to do.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.hub.bell.has_rung() || self.has_arrived() || self.look() != 0
    }

    /// Sleeps until there may be something to do, or the time has come.
    pub(crate) fn park(&mut self, until: u64) {
        self.ring_held();
        self.idle();
        let mut until = until.min(self.next_sweep);
        if self.hub.is_lagging() {
            until = until.min(clock::now() + RETRY);
        }
        for leaves_at in self.seats.iter().filter_map(|seated| seated.leaves_at) {
            until = until.min(leaves_at);
        }
        let armed = self.channel.take_events().and_then(|_| self.recv_cq.arm());
        if armed.is_err() {
            // Without notice of completions it looks for them.
            until = until.min(clock::now() + RETRY);
        }
        self.harvest_all();
        if !self.has_arrived() && !self.hub.bell.has_rung() && !self.hub.is_deserted() {
            self.hub.bell.wait(self.channel.fd(), until);
        }
    }

    /// Gets ready for a task to sleep: true if it must not.
    pub(crate) fn may_not_sleep(&self) -> bool {
        self.ring_held();
        // Without notice of completions the task is woken at once, and looks.
        let armed = self.channel.take_events().and_then(|_| self.recv_cq.arm());
        if self.hub.take_lagging() {
            for seated in self.seats.iter() {
                seated.connection.tend();
            }
        }
        // With messages that wait for room the task is woken at once, too: nothing else looks after them.
        armed.is_err() || self.hub.is_lagging() || self.is_ready()
    }

    /// Collects the replies that follow.
    #[inline]
    pub(crate) fn hold(&self) {
        self.holds.set(true);
        self.was_drained.set(false);
    }

    /// Collects no more, and lets go what was collected.
    #[inline]
    pub(crate) fn release(&self) {
        self.holds.set(false);
        self.was_drained.set(false);
        self.ring_held();
    }

    /// True if a reply is to be collected. The last one that is known is not, and takes those to the same client along: what it would wait
    /// for has not arrived.
    #[inline]
    pub(crate) fn collects(&self) -> bool {
        self.holds.get() && self.at_once.get() == 0 && !self.turns.is_empty()
    }

    /// Takes in new connections, and begins to remove those that are gone.
    #[cold]
    fn answer_bell(&mut self) {
        if !self.hub.bell.answer() {
            return;
        }
        self.seat_newcomers();
        for seat in self.hub.lost() {
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
            let mut held = self.held.borrow_mut();
            let missing = seats - held.len().min(seats);
            held.reserve(missing);
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
        self.harvest_all();
        self.hub.leave();
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
            self.harvest_all();
            let is_over = self.seats.get(seat).is_some_and(over);
            if is_over && let Some(gone) = self.seats.remove(seat) {
                gone.connection.detach();
                self.leaving -= 1;
                self.held.borrow_mut().retain(|held| *held != seat);
                self.hub.vacate(seat);
            }
        }
    }

    /// Takes in what has arrived: how many completions there were.
    #[inline]
    fn harvest(&mut self) -> usize {
        let count = self.look();
        while let Some(completion) = self.completions.get_mut().take() {
            // SAFETY: just polled, from a queue that gets the completions of the pool's shared receive queue alone.
            let held = unsafe { Held::completed(completion.wr_id) };
            self.arrive(&completion, held);
        }
        count
    }

    /// Takes in all that has arrived, so that everyone who has something waiting gets a turn.
    #[inline]
    fn harvest_all(&mut self) {
        // As often as there are buffers to receive into: clients that go on sending must not keep the server here.
        for _ in 0..=self.pool.capacity() / BATCH {
            if self.harvest() < BATCH {
                break;
            }
        }
    }

    /// Polls the completion queue, unless there are completions that were polled before: how many there are.
    #[inline(always)]
    fn look(&self) -> usize {
        let mut batch = self.completions.borrow_mut();
        if batch.is_empty() && batch.poll(&self.recv_cq).is_err() {
            self.fail_all("the device's completion queue failed");
        }
        batch.len()
    }

    #[cold]
    fn fail_all(&self, why: &str) {
        for seated in self.seats.iter() {
            seated.connection.link.fail(|| why.into());
        }
    }

    #[inline(always)]
    fn arrive(&mut self, completion: &ibv_wc, held: Held) {
        let mut seat = self.seats.of_qp(completion.qp_num);
        if seat.is_none() {
            // It may have been connected a moment ago.
            self.seat_newcomers();
            seat = self.seats.of_qp(completion.qp_num);
        }
        let Some(seated) = seat.and_then(|seat| self.seats.get_mut(seat)) else {
            // Of a client that is gone.
            return self.give_back(held);
        };
        if completion.status != IBV_WC_SUCCESS {
            let connection = &seated.connection;
            connection.fail_receive(completion.status);
            return self.give_back(held);
        }
        let is_message =
            completion.opcode == IBV_WC_RECV && completion.wc_flags & IBV_WC_WITH_IMM != 0;
        if !is_message {
            seated.object("sends messages without immediate data");
            return self.give_back(held);
        }
        // SAFETY: the flag says that this is the member that was written; any bits are a number.
        let bits = u32::from_be(unsafe { completion.__bindgen_anon_1.imm_data });
        match FromClient::from_bits(bits) {
            FromClient::Request { tag, method } => {
                if !seated.connection.accept(tag) {
                    seated.object("sends a request in a slot that is not its to use");
                    return self.give_back(held);
                }
                if seated.waiting.is_empty() {
                    self.turns.push_back(seated.connection.seat);
                }
                seated.waiting.push_back(Request {
                    tag,
                    method,
                    len: completion.byte_len,
                    buffer: held.into_raw(),
                });
            }
            FromClient::Note { taken, leaves } => {
                let credit = seated.credit + usize::from(taken);
                if taken == 0 && !leaves {
                    seated.object("sends notes that say nothing");
                } else if credit > seated.connection.events {
                    seated.object("gives back events that it was not sent");
                } else {
                    seated.credit = credit;
                }
                if leaves {
                    // Messages come in order: nothing of it is still being received.
                    seated.connection.link.set_completed();
                    seated.connection.link.fail(|| "it has left".into());
                }
                self.give_back(held);
            }
        }
    }

    /// Lets the device have a buffer again, soon: the slack among the buffers is for those that wait here.
    #[inline(always)]
    pub(crate) fn give_back(&self, held: Held) {
        let mut spare = self.spare.borrow_mut();
        spare.push(held);
        if spare.len() as usize >= SLACK / 2 {
            // The queue has room for every buffer there is. Those that are refused all the same stay here, and are tried again.
            let _ = self.pool.post(&mut spare);
        }
    }

    /// What is to be done from time to time.
    #[cold]
    fn idle(&mut self) {
        self.idle_polls = 0;
        let now = clock::now();
        if self.leaving != 0 {
            self.remove_gone(now);
        }
        if self.hub.take_lagging() || now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.pool.refill();
            for seated in self.seats.iter() {
                seated.connection.tend();
            }
        }
    }

    /// Has the doorbell of a connection ring when those that are held do.
    #[inline]
    pub(crate) fn note_held(&self, seat: u32) {
        let Some(seated) = self.seats.get(seat) else {
            return;
        };
        if !seated.is_held.replace(true) {
            let mut held = self.held.borrow_mut();
            if held.is_empty() {
                let now = clock::now();
                self.held_since.set(now);
                self.looked_at.set(now);
            }
            held.push(seat);
        }
    }

    /// Rings the doorbells that are held, if that is for too long.
    fn ring_overdue(&self) {
        let now = self.look_at_handler();
        if now - self.held_since.get() > self.hold_time() {
            self.ring_held();
        }
    }

    /// How long a doorbell is held.
    fn hold_time(&self) -> u64 {
        (4 * self.ring_time.get()).clamp(HOLD.0, HOLD.1)
    }

    /// True if doorbells are held.
    #[inline]
    pub(crate) fn has_held(&self) -> bool {
        !self.held.borrow().is_empty()
    }

    /// Takes into account how long it took to ring for several replies.
    pub(crate) fn note_ring(&self, took: u64) {
        self.ring_time.set((3 * self.ring_time.get() + took) / 4);
        self.looked_at.set(self.looked_at.get() + took);
    }

    /// Looks at the clock, and so at how long the last handler took. Where one takes long, replies would wait for those of others, and a
    /// doorbell is nothing beside them.
    fn look_at_handler(&self) -> u64 {
        let now = clock::now();
        if now.saturating_sub(self.looked_at.replace(now)) > SLOW * self.hold_time() {
            self.at_once.set(SLOW_FOR);
        }
        now
    }

    /// Rings the doorbells that are held.
    #[inline]
    pub(crate) fn ring_held(&self) {
        let mut held = self.held.borrow_mut();
        if held.is_empty() {
            return;
        }
        self.look_at_handler();
        for seat in held.drain(..) {
            if let Some(seated) = self.seats.get(seat) {
                seated.is_held.set(false);
                seated.connection.ring();
            }
        }
    }

    /// True if something has arrived; without looking at the bell.
    fn has_arrived(&self) -> bool {
        !self.turns.is_empty()
    }
}

impl Seated {
    /// Ends the connection with a client that does not keep the protocol.
    #[cold]
    fn object(&self, what: &str) {
        self.connection
            .end(|| format!("it does not keep the protocol: it {what}"));
    }
}
