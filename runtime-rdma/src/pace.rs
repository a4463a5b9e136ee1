//! How quickly requests come, and whether a reply waits for the next one.
//!
//! A device may deliver a burst message by message, about as fast as a server answers: soft-RoCE sends each within the system call that rings. Whoever
//! answers what has come and rings then rings for every single reply, for ever, though the client made its calls together. So where requests come
//! as fast as that, and their client has many in flight, a reply waits for the next request, at most as long as it takes to ring: waiting
//! costs no more than the ring that it may save. No more than a quarter of what the client has in flight is kept from it so, for it is
//! replies that let it go on. (Where all of that turns out to be in vain, it is not done for a while.)

use std::cell::Cell;

/// Looks in a row that find nothing before a request that comes quickly, at most.
const EMPTY: u32 = 4;

/// Of so many requests one comes slowly at most, where requests come quickly: each burst begins with one that does.
const SLOW: u32 = 2;

/// After so many judgements it is known how many calls a client has in flight.
const ROUND: u32 = 4;

/// Calls in flight from which on replies wait, and the part of them that may.
const DEEP: u32 = 16;
const PART: u32 = 4;

/// Waits in vain in a row after which there are none for a while. One in vain ends each burst.
const PATIENCE: u32 = 4;

/// That while is twice as long each time, up to two to the power of so much.
const LONGEST: u32 = 10;

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing for so many judgements, and then until one finds requests coming quickly.
    Rests(u32),
    /// It watches how many calls are in flight.
    Watches,
    /// Up to so many replies wait.
    Waits(u32),
}

/// How quickly requests come to a server.
#[derive(Debug)]
pub(crate) struct Pace {
    state: Cell<State>,
    /// Looks that found nothing since the last request, and which one that was.
    empty: Cell<u32>,
    request: Cell<usize>,
    /// How many requests came slowly since it was judged last.
    slow: Cell<u32>,
    /// The seat of the client that was answered last, and the slots in which its requests were: a bit each. A client uses the slot again that it
    /// freed last, so they are about as many as it has calls in flight.
    client: Cell<u32>,
    slots: Cell<u64>,
    /// Judgements until these are counted.
    round: Cell<u32>,
    /// Waits in vain since one was not.
    vain: Cell<u32>,
    /// How long it rests the next time, as a power of two.
    next_rest: Cell<u32>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            state: Cell::new(State::Rests(0)),
            empty: Cell::new(0),
            request: Cell::new(0),
            slow: Cell::new(0),
            client: Cell::new(0),
            slots: Cell::new(0),
            round: Cell::new(0),
            vain: Cell::new(0),
            next_rest: Cell::new(0),
        }
    }
}

impl Pace {
    /// Notes a look that found nothing, where the last request had this number: any that is not that of the one before.
    #[inline(always)]
    pub(crate) fn note_empty(&self, request: usize) {
        let is_new = self.request.replace(request) != request;
        let empty = if is_new {
            1
        } else {
            self.empty.get().saturating_add(1)
        };
        self.empty.set(empty);
        if empty == EMPTY + 1 {
            self.slow.set(self.slow.get() + 1);
        }
    }

    /// Judges the pace of so many requests, which came since the last time, if replies may wait.
    pub(crate) fn judge(&self, requests: u32, may_wait: bool) {
        let is_quick = self.slow.take() <= requests / SLOW;
        match self.state.get() {
            _ if !may_wait => self.state.set(State::Rests(0)),
            State::Rests(more @ 1..) => self.state.set(State::Rests(more - 1)),
            State::Rests(0) if is_quick => self.watch(State::Watches),
            State::Rests(0) => {}
            State::Watches | State::Waits(_) => {
                let round = self.round.get() - 1;
                self.round.set(round);
                if round == 0 {
                    self.measure();
                }
            }
        }
    }

    /// Begins to count the slots.
    fn watch(&self, state: State) {
        self.state.set(state);
        self.slots.set(0);
        self.round.set(ROUND);
    }

    /// Looks how many calls are in flight.
    fn measure(&self) {
        let depth = self.slots.get().count_ones();
        if depth < DEEP {
            self.rest();
        } else {
            self.watch(State::Waits(depth / PART));
        }
    }

    fn rest(&self) {
        let next = self.next_rest.get();
        self.state.set(State::Rests(1 << next));
        self.next_rest.set((next + 1).min(LONGEST));
    }

    /// True if it is to be told of each request that is answered, by [`waits_with`](Self::waits_with).
    pub(crate) fn is_attentive(&self) -> bool {
        !matches!(self.state.get(), State::Rests(_))
    }

    /// True while replies wait.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.state.get(), State::Waits(_))
    }

    /// True if the reply to the request in this slot of this client is to wait for another request, where so many replies are held already. That
    /// would be of the same client, if the one before was: each connection has a doorbell of its own.
    pub(crate) fn waits_with(&self, client: u32, slot: usize, held: u32) -> bool {
        let is_the_same = self.client.replace(client) == client;
        let slots = if is_the_same { self.slots.get() } else { 0 };
        self.slots.set(slots | 1 << (slot % 64));
        match self.state.get() {
            State::Waits(most) => is_the_same && held + 1 < most,
            State::Rests(_) | State::Watches => false,
        }
    }

    /// Notes whether another request came in time.
    pub(crate) fn note_wait(&self, came: bool) {
        if came {
            self.vain.set(0);
            self.next_rest.set(0);
            return;
        }
        let vain = self.vain.get() + 1;
        self.vain.set(vain % PATIENCE);
        if vain == PATIENCE {
            self.rest();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests between two judgements.
    const MANY: u32 = 16;

    /// Has that many come, each after so many looks that find nothing.
    fn judge(pace: &Pace, empty: [u32; MANY as usize]) {
        for (request, empty) in empty.into_iter().enumerate() {
            (0..empty).for_each(|_| pace.note_empty(request));
        }
        pace.judge(MANY, true);
    }

    /// Has that many come quickly from each of these clients in turn, with so many in flight; true if one of them was to wait.
    fn serve(pace: &Pace, clients: u32, depth: usize) -> bool {
        let mut waits = false;
        for request in 0..MANY {
            // In turn, as if every reply was polled before the next came.
            let slot = (pace.round.get() * MANY + request) as usize % depth;
            waits |= pace.waits_with(request % clients, slot, 0);
        }
        pace.judge(MANY, true);
        waits
    }

    #[test]
    fn it_watches_where_requests_come_quickly() {
        let pace = Pace::default();
        let gaps = |count| std::array::from_fn(|it| if it < count { 1_000 } else { 4 });
        for empty in [[5; 16], gaps(9)] {
            judge(&pace, empty);
            assert!(!pace.is_attentive(), "{empty:?}");
        }
        judge(&pace, gaps(8));
        assert!(pace.is_attentive());
        pace.judge(MANY, false);
        assert!(!pace.is_attentive(), "they may not wait");
    }

    #[test]
    fn replies_wait_where_many_calls_are_in_flight() {
        for (depth, waits) in [
            (1, false),
            (15, false),
            (16, true),
            (64, true),
            (1_000, true),
        ] {
            let pace = Pace::default();
            assert_eq!((0..40).any(|_| serve(&pace, 1, depth)), waits, "{depth}");
        }
    }

    #[test]
    fn a_quarter_of_what_is_in_flight_waits() {
        let pace = Pace::default();
        while !serve(&pace, 1, 32) {}
        let waiting = (0..)
            .take_while(|held| pace.waits_with(0, 0, *held))
            .count();
        assert_eq!(waiting, 32 / 4 - 1, "the last one of the quarter rings");
    }

    #[test]
    fn clients_that_take_turns_are_not_waited_for() {
        let pace = Pace::default();
        assert!(!(0..40).any(|_| serve(&pace, 2, 32)));
    }

    #[test]
    fn waits_end_when_fewer_calls_are_in_flight() {
        let pace = Pace::default();
        while !serve(&pace, 1, 32) {}
        for _ in 0..2 * ROUND {
            serve(&pace, 1, 2);
        }
        assert!(!pace.waits());
    }

    #[test]
    fn waits_in_vain_become_rare() {
        let pace = Pace::default();
        let mut waits = 0;
        for _ in 0..3_000 {
            if serve(&pace, 1, 32) {
                waits += 1;
                pace.note_wait(false);
            }
        }
        // 4 before each rest, which take 1, 2, 4, up to 1,024 judgements; 5 go by before the next wait.
        assert_eq!(waits, 4 * 12);
        // One that is not in vain ends that.
        let mut again = 0;
        for _ in 0..4_000 {
            if serve(&pace, 1, 32) {
                again += 1;
                pace.note_wait(true);
            }
        }
        assert!(again > 1_000, "{again}");
    }

    #[test]
    fn the_end_of_a_burst_is_not_vain() {
        let pace = Pace::default();
        while !serve(&pace, 1, 32) {}
        for turn in 0..100 {
            assert!(pace.waits(), "turn {turn}");
            pace.note_wait(true);
            pace.note_wait(false);
        }
    }
}
