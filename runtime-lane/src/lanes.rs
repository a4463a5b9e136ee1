//! All lanes of a server: which are polled, in turn, and which sleep.

use core::cell::Cell;
use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use runtime_core::EmitError;

use crate::control::{Side, Wake};
use crate::memory::Memory;
use crate::server::{LaneTicket, ServerLane};
use crate::sync::{Ordering, fence};
use crate::word::Word;

/// Empty polls after which a lane is no longer polled until its client wakes it.
const IDLE_POLLS: u32 = if cfg!(loom) { 2 } else { 1 << 14 };

/// So many of them a lane has at first.
const FRESH_POLLS: u32 = if cfg!(loom) { 2 } else { 1 << 8 };

/// As many empty polls a sleep of the server counts that a lane did not end: each costs two accesses to a line of every lane that is awake.
const SLEEP_POLLS: u32 = IDLE_POLLS / 4;

/// A lane in the server's table.
struct Polled<M: Memory> {
    lane: Arc<ServerLane<M>>,
    /// The identity of the next request.
    expected: u16,
    /// Where it may be: in the slot that the latest request named, or, if that was alone in flight, in its slot again. `first` is the likelier
    /// of them, and below the number of slots.
    first: u16,
    /// The word of the latest request: kept whole, since what it says is asked for only where the next one is not in `first`.
    latest: Word,
    /// Looks that found nothing since the request before `expected`, if that is still `idle_at`.
    idle: u32,
    idle_at: u16,
    index: u32,
    /// For each slot the one that followed it the last time.
    after: Box<[u16]>,
}

impl<M: Memory> Polled<M> {
    fn new(lane: ServerLane<M>, index: u32) -> Self {
        Self {
            after: vec![0; lane.slots()].into_boxed_slice(),
            lane: Arc::new(lane),
            expected: Word::next_request(Word::FIRST),
            first: 0,
            latest: Word(0),
            // A client may connect long before its first call.
            idle: IDLE_POLLS - FRESH_POLLS,
            idle_at: Word::next_request(Word::FIRST),
            index,
        }
    }

    /// What the client is told of the server.
    fn side(&self) -> &Side {
        self.lane.memory().control().server()
    }

    /// True if the next request is in `slot`.
    fn is_in(&self, slot: u16) -> bool {
        // SAFETY: the callers have the slot from `first` or `named`.
        unsafe { self.lane.has_request(slot, self.expected) }
    }

    /// The next request, if it is in the likelier slot; if it is not, `look_again` comes next.
    #[inline(always)]
    fn poll(&mut self) -> Option<LaneTicket<M>> {
        let slot = self.first;
        // Taken out once: what follows would load it again and again, for all it knows of the memory in between.
        let lane = NonNull::new(Arc::as_ptr(&self.lane).cast_mut())?;
        // SAFETY: `self.lane` keeps it alive and is not changed here.
        let shared = unsafe { lane.as_ref() };
        // SAFETY: `first` is below the number of slots.
        let word = unsafe { shared.receive(slot, self.expected) }?;
        self.expected = Word::next_request(self.expected);
        self.latest = word;
        // One whose slot may be used again stays the first.
        if !word.again() {
            // Slots mostly follow each other in the same order. The usual one is stored before the word is asked, so that the next look
            // waits for a prediction and not for this word: a row of requests is then fetched together, and not each after the one that
            // names it.
            // SAFETY: `first` is below the number of slots, of which `after` has as many.
            let usual = unsafe { *self.after.get_unchecked(slot as usize) };
            self.first = usual;
            if word.next() != usual {
                self.learn(slot, word.next());
            }
        }
        Some(LaneTicket::new(lane, slot, word))
    }

    /// The slot that the latest request named.
    fn named(&self) -> u16 {
        self.checked(self.latest.next())
    }

    /// A slot that there is. Where there is none of that number the lane polls the first one, where nothing comes from an honest peer.
    #[inline(always)]
    fn checked(&self, slot: u16) -> u16 {
        if (slot as usize) < self.after.len() {
            slot
        } else {
            0
        }
    }

    /// Goes on at another slot than the usual one, and notes it.
    #[cold]
    fn learn(&mut self, slot: u16, next: u16) {
        let next = self.checked(next);
        self.after[slot as usize] = next;
        self.first = next;
    }

    /// After `poll` has found nothing: true if it would now.
    fn look_again(&mut self) -> bool {
        self.idle = if self.idle_at == self.expected {
            self.idle + 1
        } else {
            1
        };
        self.idle_at = self.expected;
        let named = self.named();
        if self.first != named && self.is_in(named) {
            self.first = named;
            return true;
        }
        self.is_in(self.first)
    }

    /// Counts a sleep of the server as empty polls.
    fn sleep_through(&mut self) {
        if self.idle_at == self.expected {
            self.idle = self.idle.saturating_add(SLEEP_POLLS);
        }
    }

    /// The next request: the number of its lane, and its identity.
    fn next(&self) -> (u32, u16) {
        (self.index, self.expected)
    }

    /// True if there is a request in either slot.
    fn is_ready(&self) -> bool {
        self.is_in(self.first) || self.is_in(self.named())
    }
}

/// Where a lane is.
enum Place<M: Memory> {
    /// Number not in use.
    Vacant,
    /// Among those that are polled.
    Awake,
    /// Waiting to be woken.
    Asleep(Polled<M>),
}

/// All lanes of a server. Only those that are awake are polled, in turn, one request each.
pub struct LaneSet<M: Memory> {
    awake: Vec<Polled<M>>,
    /// Where in `awake` the next poll begins: below its length, or 0.
    cursor: usize,
    places: Vec<Place<M>>,
    vacant: Vec<u32>,
    /// What `find_other` found the last time, if it found something.
    found: Option<(u32, u16)>,
    /// How often in a row that was gone again when it was to be taken.
    vain: usize,
    /// How clients wake the server.
    wake: Cell<Wake>,
    /// True if all lanes are to be polled again.
    rouse: Cell<bool>,
    /// True if a lane was found to be idle for so long that it is to sleep.
    has_idle: bool,
}

impl<M: Memory> Default for LaneSet<M> {
    fn default() -> Self {
        Self {
            awake: Vec::new(),
            cursor: 0,
            places: Vec::new(),
            vacant: Vec::new(),
            found: None,
            vain: 0,
            wake: Cell::new(Wake::Thread),
            rouse: Cell::new(false),
            has_idle: false,
        }
    }
}

impl<M: Memory> LaneSet<M> {
    /// From now on clients wake the server by messages. Lanes that sleep are polled again by the next poll: their clients were told
    /// otherwise, and one of them may be about to wake it in the old way.
    pub fn wake_by_message(&self) {
        if self.wake.replace(Wake::Message) != Wake::Message {
            self.rouse.set(true);
        }
    }

    /// Polls again every lane that sleeps, if that was asked for; true if it was.
    #[cold]
    fn rouse(&mut self) -> bool {
        if !self.rouse.take() {
            return false;
        }
        for index in 0..self.places.len() {
            self.wake(index as u32);
        }
        true
    }

    /// Adds a lane, awake, and returns its number.
    pub fn add(&mut self, lane: ServerLane<M>) -> u32 {
        let index = match self.vacant.pop() {
            Some(index) => {
                self.places[index as usize] = Place::Awake;
                index
            }
            None => {
                self.places.push(Place::Awake);
                self.places.len() as u32 - 1
            }
        };
        self.awake.push(Polled::new(lane, index));
        index
    }

    /// Polls a lane again.
    pub fn wake(&mut self, index: u32) {
        let Some(place @ Place::Asleep(_)) = self.places.get_mut(index as usize) else {
            return;
        };
        if let Place::Asleep(mut polled) = core::mem::replace(place, Place::Awake) {
            polled.idle = 0;
            self.awake.push(polled);
        }
    }

    /// The next request of the lanes that are awake, each in turn.
    #[inline(always)]
    pub fn poll(&mut self) -> Option<LaneTicket<M>> {
        loop {
            let Some(polled) = self.awake.get_mut(self.cursor) else {
                if self.rouse() {
                    continue;
                }
                return None;
            };
            if let Some(ticket) = polled.poll() {
                self.advance();
                return Some(ticket);
            }
            // It finds, and this takes: made in one place the ticket stays in registers.
            if !self.find_other() {
                return None;
            }
        }
    }

    /// Goes on from a lane that has no request to the next one that has; false if there is none.
    fn find_other(&mut self) -> bool {
        if self.rouse.get() {
            self.rouse();
        }
        if self.has_idle {
            self.retire();
        }
        // The request that was found is still to come, so it was gone again when it was to be taken. An honest client takes none back; with
        // one that does, the others get their turn, and the poll ends. It is noticed here and not in `poll`, which would keep count of it
        // in every call.
        let next = self.awake.get(self.cursor).map(Polled::next);
        if self.found.is_some() && self.found == next {
            self.vain += 1;
            self.advance();
        } else {
            self.vain = 0;
        }
        self.found = None;
        if self.vain >= self.awake.len() {
            self.vain = 0;
            return false;
        }
        for _ in 0..self.awake.len() {
            let polled = &mut self.awake[self.cursor];
            if polled.look_again() {
                self.found = Some(polled.next());
                return true;
            }
            self.has_idle |= polled.idle >= IDLE_POLLS;
            self.advance();
        }
        false
    }

    /// Goes on to the lane that is polled next.
    #[inline(always)]
    fn advance(&mut self) {
        // One is the usual number, and then there is nothing to do.
        if self.awake.len() != 1 {
            self.cursor = if self.cursor + 1 < self.awake.len() {
                self.cursor + 1
            } else {
                0
            };
        }
    }

    /// Takes a lane out of those that are polled.
    fn take_out(&mut self, at: usize) -> Polled<M> {
        let polled = self.awake.swap_remove(at);
        if self.cursor >= self.awake.len() {
            self.cursor = 0;
        }
        polled
    }

    /// Puts the idle lanes to sleep, but for the last one that is awake, which costs nobody anything, and those to which a request came in
    /// at the last moment. All in one go: it takes a barrier, which is dear.
    #[cold]
    fn retire(&mut self) {
        self.has_idle = false;
        if let [only] = &mut self.awake[..] {
            only.idle = 0;
            return;
        }
        let is_idle = |polled: &&Polled<M>| polled.idle >= IDLE_POLLS;
        for polled in self.awake.iter().filter(is_idle) {
            polled.side().announce_without_barrier(self.wake.get());
        }
        if let Some(polled) = self.awake.first() {
            polled.side().barrier(M::SCOPE);
        }
        let mut at = 0;
        while let Some(polled) = self.awake.get_mut(at) {
            if polled.idle < IDLE_POLLS {
                at += 1;
                continue;
            }
            polled.idle = 0;
            let is_last = self.awake.len() == 1;
            let polled = &self.awake[at];
            if is_last || polled.is_ready() {
                // It is polled again at once. That its client has woken it already changes nothing: the look that this makes finds it awake.
                polled.side().wake();
                at += 1;
            } else {
                let polled = self.take_out(at);
                let index = polled.index as usize;
                self.places[index] = Place::Asleep(polled);
            }
        }
    }

    /// Removes a lane if its client is gone and its requests have all been received; true if it did.
    pub fn reap(&mut self, index: u32) -> bool {
        let at = self.awake.iter().position(|polled| polled.index == index);
        let Some(polled) = self.find(index, at) else {
            return false;
        };
        // In this order: what the client sent before it went is visible once the flag is.
        if !polled.lane.memory().client_is_gone() || polled.is_ready() {
            return false;
        }
        if let Some(at) = at {
            self.take_out(at);
        }
        self.places[index as usize] = Place::Vacant;
        self.vacant.push(index);
        true
    }

    fn find(&self, index: u32, at: Option<usize>) -> Option<&Polled<M>> {
        match (at, self.places.get(index as usize)?) {
            (Some(at), _) => self.awake.get(at),
            (None, Place::Asleep(polled)) => Some(polled),
            (None, Place::Vacant | Place::Awake) => None,
        }
    }

    /// Stops polling every lane, so that the next request of any rings. True if one came in at the last moment.
    pub fn announce_sleep(&self) -> bool {
        for polled in &self.awake {
            polled.side().announce_without_barrier(self.wake.get());
        }
        // One is enough for all: it is of the whole process, or of all. Whether it has to be the heavy one no lane decides: each has a client
        // of its own, which may have no barriers, or say so.
        if let Some(polled) = self.awake.first() {
            polled.side().barrier(M::SCOPE);
        }
        self.any_ready()
    }

    /// Polls again every lane that `announce_sleep` stopped.
    pub fn end_sleep(&self) {
        for polled in &self.awake {
            polled.side().wake();
        }
    }

    /// The same after a sleep, in which a lane was idle that has no request now.
    pub fn end_long_sleep(&mut self) {
        self.end_sleep();
        for polled in &mut self.awake {
            polled.sleep_through();
        }
    }

    /// True if a lane that is awake has a request, or may be found to have one.
    pub fn any_ready(&self) -> bool {
        self.rouse.get() || self.awake.iter().any(|polled| polled.is_ready())
    }

    /// Sends an event, which `fill` builds, to the client of one lane, or to all. Returns to how many.
    ///
    /// # Errors
    /// Clients' windows are full; or the lane that is meant is not there, or its client is gone.
    pub fn emit(
        &mut self,
        to: Option<u32>,
        method: u16,
        len: usize,
        fill: &mut dyn FnMut(NonNull<u8>),
    ) -> Result<usize, EmitError> {
        if let Some(index) = to {
            let lane = self.lane(index).ok_or(EmitError::Disconnected)?;
            // SAFETY: the set is borrowed by `&mut`, so this is the only thread that emits, and `fill` has no way to it.
            return unsafe { lane.emit(method, len, fill) }.map(|()| 1);
        }
        let (mut delivered, mut full) = (0, 0);
        for lane in self.iter() {
            // SAFETY: as above.
            match unsafe { lane.emit(method, len, fill) } {
                Ok(()) => delivered += 1,
                Err(EmitError::WouldBlock { .. }) => full += 1,
                // One that has just left is not missed.
                Err(_) => {}
            }
        }
        if full == 0 {
            Ok(delivered)
        } else {
            Err(EmitError::WouldBlock { delivered, full })
        }
    }

    /// The lane of that number.
    pub fn lane(&self, index: u32) -> Option<&Arc<ServerLane<M>>> {
        let at = self.awake.iter().position(|polled| polled.index == index);
        self.find(index, at).map(|polled| &polled.lane)
    }

    /// Every lane.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ServerLane<M>>> {
        let asleep = self.places.iter().filter_map(|place| match place {
            Place::Asleep(polled) => Some(polled),
            Place::Vacant | Place::Awake => None,
        });
        self.awake.iter().chain(asleep).map(|polled| &polled.lane)
    }

    /// How many lanes there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }

    /// True if there is no lane.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<M: Memory> Drop for LaneSet<M> {
    fn drop(&mut self) {
        // All are told before the first is woken: a waker is another's code and may panic.
        for lane in self.iter() {
            lane.memory().control().server().set_gone();
        }
        // SeqCst: a client that does not sleep looks at the flag; one that does is woken. This orders the flags before the looks whether
        // they sleep, and pairs with the barrier of their announcements.
        fence(Ordering::SeqCst);
        let mut panicked = None;
        for lane in self.iter() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| lane.close())) {
                panicked.get_or_insert(panic);
            }
        }
        // It is the owner's to deal with, now that the others are woken; unless he has a panic of his own already.
        if let Some(panic) = panicked
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}
