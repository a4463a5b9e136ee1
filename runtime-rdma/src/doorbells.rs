//! Doorbells that are held, so that one ring lets several replies go.

use std::cell::{Cell, RefCell};

use runtime_os::clock;

use crate::pace::Pace;

/// How long a doorbell is held at least and at most for the requests that follow. Between the two it is as long as it takes to ring it four
/// times: a write to a device's register, or with soft-RoCE a system call that carries the message itself.
const HOLD: (u64, u64) = (5_000, 200_000);

/// A handler that takes longer than so many of these times is slow.
const SLOW: u64 = 4;

/// From this slowness on handlers are slow, and not held up once by the operating system.
const PATIENCE: u32 = 2;

/// Replies after slow handlers that leave at once.
const SLOW_FOR: u32 = 64;

/// The doorbells of a server that are held, by the seats of their connections.
#[derive(Debug, Default)]
pub(crate) struct Doorbells {
    /// True while replies are collected.
    holds: Cell<bool>,
    /// True if the next reply may not simply leave: some are held, or it is to wait itself.
    detains: Cell<bool>,
    seats: RefCell<Vec<u32>>,
    /// How many replies were collected since it last rang.
    collected: Cell<u32>,
    /// Since when some are; 0 if none is.
    since: Cell<u64>,
    /// When it was last looked, while some were held.
    looked_at: Cell<u64>,
    /// Grows by two with each look after a slow handler, and shrinks by one with each other one.
    slowness: Cell<u32>,
    /// How long it takes to ring, about.
    ring_time: Cell<u64>,
    /// How many of the next replies are not collected: a handler was slow.
    at_once: Cell<u32>,
    pace: Pace,
}

impl Doorbells {
    /// Makes room for the doorbells of so many seats, so that nothing is allocated later.
    pub(crate) fn make_room(&self, seats: usize) {
        let mut held = self.seats.borrow_mut();
        let missing = seats - held.len().min(seats);
        held.reserve(missing);
    }

    /// Collects replies from here on.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        self.holds.set(true);
    }

    /// Collects no more. True if some are held, which are to ring now.
    #[inline(always)]
    pub(crate) fn end(&self) -> bool {
        self.holds.set(false);
        self.is_any_held()
    }

    /// True while replies are collected.
    #[inline(always)]
    pub(crate) fn are_collecting(&self) -> bool {
        self.holds.get()
    }

    /// True if the reply to the request in this slot of this client is to be collected; `is_last` says that no other request is known.
    pub(crate) fn collects(&self, client: u32, slot: usize, is_last: bool) -> bool {
        // What the last one would wait for has not arrived, and does not come, but where requests come quickly.
        let waits = self.pace.waits_with(client, slot, self.collected.get());
        if !self.holds.get() || (is_last && !waits) {
            return false;
        }
        let at_once = self.at_once.get();
        self.at_once.set(at_once.saturating_sub(1));
        at_once == 0
    }

    /// Notes a look that found no request; see [`Pace::note_empty`].
    #[inline(always)]
    pub(crate) fn note_empty(&self, request: usize) {
        self.pace.note_empty(request);
    }

    /// Judges how quickly so many requests came, if their replies may wait at all.
    pub(crate) fn judge(&self, requests: u32) {
        self.pace.judge(requests, self.holds.get());
        self.set_detains();
    }

    fn set_detains(&self) {
        self.detains
            .set(self.is_any_held() || self.pace.is_attentive());
    }

    /// True if the next reply may not simply leave.
    #[inline(always)]
    pub(crate) fn detains(&self) -> bool {
        self.detains.get()
    }

    /// Until when those that are held wait for another request, if they do.
    pub(crate) fn patience(&self) -> Option<u64> {
        let waits = self.is_any_held() && self.pace.waits();
        waits.then(|| clock::now() + self.ring_time.get().min(HOLD.1))
    }

    /// Notes that none is waited for: whoever receives one request at a time does not get to it.
    pub(crate) fn note_no_wait(&self) {
        if self.pace.waits() {
            self.note_wait(false);
        }
    }

    /// Notes whether one came by then.
    pub(crate) fn note_wait(&self, came: bool) {
        self.pace.note_wait(came);
        self.set_detains();
    }

    /// True if one is held.
    #[inline(always)]
    pub(crate) fn is_any_held(&self) -> bool {
        self.since.get() != 0
    }

    /// Counts a reply that is collected.
    pub(crate) fn count(&self) {
        self.collected.set(self.collected.get() + 1);
    }

    /// Holds another one.
    pub(crate) fn hold(&self, seat: u32) {
        if !self.is_any_held() {
            let now = clock::now().max(1);
            self.since.set(now);
            self.looked_at.set(now);
            self.detains.set(true);
        }
        self.seats.borrow_mut().push(seat);
    }

    /// Forgets that of a seat.
    pub(crate) fn forget(&self, seat: u32) {
        let mut held = self.seats.borrow_mut();
        held.retain(|held| *held != seat);
        if held.is_empty() {
            self.since.set(0);
            self.collected.set(0);
            self.set_detains();
        }
    }

    /// True if some are held for too long.
    #[cold]
    pub(crate) fn are_overdue(&self) -> bool {
        let now = self.look_at_handler();
        now - self.since.get() > self.hold_time()
    }

    /// Takes all that are held, for `ring`.
    #[cold]
    pub(crate) fn release(&self, mut ring: impl FnMut(u32)) {
        let start = self.look_at_handler();
        self.since.set(0);
        self.collected.set(0);
        self.set_detains();
        let mut held = self.seats.borrow_mut();
        let count = held.len().max(1) as u64;
        held.drain(..).for_each(&mut ring);
        let took = clock::now() - start;
        self.note_ring(took / count);
        self.looked_at.set(start + took);
    }

    /// Takes into account how long a ring for several replies took.
    pub(crate) fn note_ring(&self, took: u64) {
        let before = match self.ring_time.get() {
            0 => took,
            time => time,
        };
        self.ring_time.set((3 * before + took) / 4);
        self.looked_at.set(self.looked_at.get() + took);
    }

    /// How long a doorbell is held.
    fn hold_time(&self) -> u64 {
        (4 * self.ring_time.get()).clamp(HOLD.0, HOLD.1)
    }

    /// Looks at the clock, and so at how long the last handler took. Where one takes long, replies would wait for those of others, and a
    /// doorbell is nothing beside them.
    pub(crate) fn look_at_handler(&self) -> u64 {
        let now = clock::now();
        let is_slow = now.saturating_sub(self.looked_at.replace(now)) > SLOW * self.hold_time();
        let slowness = self.slowness.get();
        if !is_slow {
            self.slowness.set(slowness.saturating_sub(1));
        } else if slowness < PATIENCE {
            self.slowness.set(slowness + 2);
        } else {
            self.slowness.set(0);
            self.at_once.set(SLOW_FOR);
        }
        now
    }
}
