//! The server's end: one lane, and all of them.

use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use runtime_core::{ClientId, EmitError, ReplyError, ReplyStatus, Ticket};

use crate::client::event_identity;
use crate::memory::{Area, Memory};
use crate::sync::{AtomicU16, AtomicU64, Ordering, fence};
use crate::word::Word;

/// A request that the server holds; made only by [`LaneSet::poll`], once for each request.
#[derive(Debug)]
pub struct LaneTicket<M: Memory> {
    lane: NonNull<ServerLane<M>>,
    word: Word,
    /// Below the number of slots.
    slot: u16,
}

impl<M: Memory> Clone for LaneTicket<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Memory> Copy for LaneTicket<M> {}

// SAFETY: the pointer is to a `ServerLane`, which is `Sync`, and is followed only by functions whose callers vouch that it lives.
unsafe impl<M: Memory> Send for LaneTicket<M> {}

impl<M: Memory> Ticket for LaneTicket<M> {
    #[inline(always)]
    fn method(&self) -> u16 {
        self.word.method()
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.word.len() as usize
    }
}

impl<M: Memory> LaneTicket<M> {
    #[inline(always)]
    fn slot(&self) -> u16 {
        self.slot
    }

    /// The lane it belongs to.
    ///
    /// # Safety
    /// The set that made the ticket has not been changed by `&mut self` since, or an `Arc` of the lane is held.
    #[inline(always)]
    pub unsafe fn lane(&self) -> &ServerLane<M> {
        // SAFETY: lanes live in an `Arc` that the set drops only by `&mut self`; that, or an `Arc` of his own, the caller promises.
        unsafe { self.lane.as_ref() }
    }

    /// Shares the lane it belongs to.
    ///
    /// # Safety
    /// As for [`lane`](Self::lane).
    pub unsafe fn keep(&self) -> Arc<ServerLane<M>> {
        // SAFETY: the pointer comes from `Arc::as_ptr`, and that `Arc` lives by the caller's promise.
        unsafe { Arc::increment_strong_count(self.lane.as_ptr()) };
        // SAFETY: the count above is the new `Arc`'s.
        unsafe { Arc::from_raw(self.lane.as_ptr()) }
    }
}

/// What the server keeps of a lane and shares with the tokens of its requests.
pub struct ServerLane<M: Memory> {
    memory: M,
    client: ClientId,
    /// For each slot what was last received there, in memory that the client cannot reach. Written by the server's thread when a
    /// request is received, by the holder when it is answered.
    seen: Box<[Seen]>,
    /// Events sent. Written by the server's thread.
    events_sent: AtomicU64,
}

/// The identity of a slot's latest request if its word is still there, with the bit [`HELD`](Self::HELD) while it is held.
struct Seen(AtomicU16);

impl Seen {
    /// Turns the state of a request into one that no request has.
    const HELD: u16 = 0b10;

    /// What no request has, held or not.
    const NOTHING: u16 = 0;

    /// False if the slot is held, which only a dishonest peer writes to, or if the word is that of the request received last: where
    /// replies go elsewhere (`splits`) it stays, and its generation comes round again.
    #[inline(always)]
    fn admits(&self, word: Word, splits: bool) -> bool {
        // Relaxed: written by this thread, or by a holder whose answer came before the request by way of the client.
        let seen = self.0.load(Ordering::Relaxed);
        seen & Self::HELD == 0 && (!splits || seen != word.identity())
    }

    #[inline(always)]
    fn hold(&self, word: Word) {
        // Relaxed: for this thread's next look.
        self.0
            .store(word.identity() | Self::HELD, Ordering::Relaxed);
    }

    /// Ends the hold. `splits` says that the request's word stays where it is.
    #[inline(always)]
    fn give_up(&self, word: Word, splits: bool) {
        let left = if splits {
            word.identity()
        } else {
            Self::NOTHING
        };
        // Relaxed: for this thread's next look, or ordered by the client's next request, which follows the reply's word.
        self.0.store(left, Ordering::Relaxed);
    }
}

impl<M: Memory> ServerLane<M> {
    /// The server's end of the lane in `memory`.
    ///
    /// # Safety
    /// 1. It is the only one, and nothing was received from the memory yet.
    pub unsafe fn new(memory: M, client: ClientId) -> Self {
        let slots = memory.geometry().slots();
        let fresh = |_| Seen(AtomicU16::new(Seen::NOTHING));
        Self {
            client,
            seen: (0..slots).map(fresh).collect(),
            events_sent: AtomicU64::new(0),
            memory,
        }
    }

    /// The client at the other end.
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// The memory of the lane.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// What was last received in `slot`.
    ///
    /// # Safety
    /// 1. `slot` is below the number of slots.
    #[inline(always)]
    unsafe fn seen(&self, slot: u16) -> &Seen {
        debug_assert!((slot as usize) < self.seen.len());
        // SAFETY: promise 1.
        unsafe { self.seen.get_unchecked(slot as usize) }
    }

    /// The word in `slot`, if it is the request with the identity that is expected next; `seen` is what was last received there.
    ///
    /// # Safety
    /// 1. `slot` is below the number of slots.
    #[inline(always)]
    unsafe fn new_request(
        &self,
        slot: u16,
        seen: &Seen,
        expected: u16,
        order: Ordering,
    ) -> Option<Word> {
        // SAFETY: promise 1.
        let place = unsafe { self.memory.word(Area::Request, slot as usize) };
        // Loaded once: a peer that writes it again changes nothing that was checked.
        let word = Word(place.load(order));
        let flip = if M::SPLITS { Word::FLIP } else { 0 };
        let is_new = word.identity() & !flip == expected && seen.admits(word, M::SPLITS);
        is_new.then_some(word)
    }

    /// The place of a held request.
    ///
    /// # Safety
    /// 1. The ticket is of this lane, and unanswered.
    #[inline(always)]
    pub unsafe fn request(&self, ticket: &LaneTicket<M>) -> NonNull<u8> {
        // SAFETY: `poll` checked the slot of its tickets, and this one is of this lane by promise 1.
        unsafe { self.memory.body(Area::Request, ticket.slot() as usize) }
    }

    /// The place of the response of a held request.
    ///
    /// # Safety
    /// 1. The ticket is of this lane, and unanswered.
    #[inline(always)]
    pub unsafe fn response(&self, ticket: &LaneTicket<M>, overlay: bool) -> NonNull<u8> {
        // SAFETY: as in `request`.
        unsafe {
            self.memory
                .body(Area::of_reply::<M>(overlay), ticket.slot() as usize)
        }
    }

    /// Answers a held request; from any thread.
    ///
    /// # Safety
    /// 1. The ticket is of this lane, and unanswered.
    ///
    /// # Errors
    /// The client is gone.
    #[inline(always)]
    pub unsafe fn reply(
        &self,
        ticket: LaneTicket<M>,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
    ) -> Result<(), ReplyError> {
        let (slot, word) = (ticket.slot(), ticket.word);
        // SAFETY: `poll` checked the slot of its tickets, and this one is of this lane by promise 1.
        unsafe { self.seen(slot) }.give_up(word, M::SPLITS && !overlay);
        let reply = Word::reply(word.identity(), status as u16, value);
        // SAFETY: as above.
        let place = unsafe {
            self.memory
                .word(Area::of_reply::<M>(overlay), slot as usize)
        };
        // Release: the body comes before the word; pairs with the client's Acquire in `ClientEnd::reply_word`.
        place.store(reply.0, Ordering::Release);
        if self.memory.control().client().is_quiet() {
            Ok(())
        } else {
            self.call_client()
        }
    }

    /// Answers a held request without a response, where the client looks for the reply and elsewhere.
    ///
    /// # Safety
    /// 1. The ticket is of this lane, and unanswered.
    ///
    /// # Errors
    /// The client is gone.
    #[cold]
    pub unsafe fn refuse(
        &self,
        ticket: LaneTicket<M>,
        status: ReplyStatus,
    ) -> Result<(), ReplyError> {
        // The request's area comes first: a client that looks there may use the slot again at once, and the word in the response's area
        // then has the identity of an old request. The other way round the second word could fall on a new request.
        // SAFETY: promise 1.
        let result = unsafe { self.reply(ticket, true, status, 0) };
        if M::SPLITS {
            // SAFETY: as in `reply`.
            let place = unsafe { self.memory.word(Area::Response, ticket.slot() as usize) };
            let reply = Word::reply(ticket.word.identity(), status as u16, 0);
            // Release: as in `reply`.
            place.store(reply.0, Ordering::Release);
            if !self.memory.control().client().is_quiet() {
                return self.call_client();
            }
        }
        result
    }

    /// Wakes the client if it sleeps; an error if it is gone.
    #[cold]
    fn call_client(&self) -> Result<(), ReplyError> {
        let client = self.memory.control().client();
        if client.call() {
            self.memory.wake_client();
        }
        if client.is_gone() {
            Err(ReplyError::Disconnected)
        } else {
            Ok(())
        }
    }

    /// Sends an event, which `fill` writes at the place that it is given.
    ///
    /// # Safety
    /// 1. One thread at a time, and not from `fill`.
    ///
    /// # Errors
    /// The event window is full, or the client is gone.
    pub unsafe fn emit(
        &self,
        method: u16,
        len: usize,
        fill: &mut dyn FnMut(NonNull<u8>),
    ) -> Result<(), EmitError> {
        let control = self.memory.control();
        if control.client_is_gone() {
            return Err(EmitError::Disconnected);
        }
        let events = self.memory.geometry().events;
        let sent = self.events_sent.load(Ordering::Relaxed);
        // A count that is ahead of what was sent, or far behind, comes from a hostile client, and holds its own events up.
        if events == 0 || sent.wrapping_sub(control.events_taken()) >= events as u64 {
            return Err(EmitError::WouldBlock {
                delivered: 0,
                full: 1,
            });
        }
        let slot = sent as usize & (events - 1);
        // SAFETY: masked, so below the number of events.
        fill(unsafe { self.memory.body(Area::Event, slot) });
        self.events_sent.store(sent + 1, Ordering::Relaxed);
        let word = Word::request(event_identity(sent, events), method, len, 0, false);
        // SAFETY: as above.
        let place = unsafe { self.memory.word(Area::Event, slot) };
        // Release: the body comes before the word; pairs with the client's Acquire in `ClientEnd::poll_event`.
        place.store(word.0, Ordering::Release);
        if !control.client().is_quiet() {
            // That it left meanwhile is no failure of this event's.
            let _ = self.call_client();
        }
        Ok(())
    }

    /// Wakes the client, so that it sees that the server is gone.
    fn close(&self) {
        self.memory.control().client().wake();
        self.memory.wake_client();
    }
}

/// Empty polls after which a lane is no longer polled until its client wakes it.
const IDLE_POLLS: u32 = 1 << 14;

/// A lane in the server's table.
struct Polled<M: Memory> {
    lane: Arc<ServerLane<M>>,
    /// The identity of the next request.
    expected: u16,
    /// Where it may be: in the slot that the latest request named, or, if that was alone in flight, in its slot again. They are the
    /// same where there is no choice. `first` is below the number of slots; `second` is what the client has said.
    first: u16,
    second: u16,
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
            after: vec![0; lane.seen.len()].into_boxed_slice(),
            lane: Arc::new(lane),
            expected: Word::next_request(Word::FIRST),
            first: 0,
            second: 0,
            idle: 0,
            idle_at: 0,
            index,
        }
    }

    /// The word in `slot`, if it is the next request.
    fn look(&self, slot: u16) -> Option<Word> {
        // SAFETY: the callers have the slot from `first` or `checked`.
        let seen = unsafe { self.lane.seen(slot) };
        // Relaxed: only a hint; `poll` loads it again.
        // SAFETY: as above.
        unsafe {
            self.lane
                .new_request(slot, seen, self.expected, Ordering::Relaxed)
        }
    }

    /// The next request, if it is in the likelier slot; if it is not, `look_again` comes next.
    #[inline(always)]
    fn poll(&mut self) -> Option<LaneTicket<M>> {
        let slot = self.first;
        let lane = Arc::as_ptr(&self.lane);
        // SAFETY: `self.lane` keeps it alive and is not changed here.
        let shared = unsafe { &*lane };
        // SAFETY: `first` is below the number of slots.
        let seen = unsafe { shared.seen(slot) };
        // Acquire: the body is read after the word; pairs with the client's Release in `ClientEnd::send`.
        // SAFETY: as above.
        let word = unsafe { shared.new_request(slot, seen, self.expected, Ordering::Acquire) }?;
        seen.hold(word);
        self.expected = Word::next_request(self.expected);
        if word.again() {
            // And this one stays the first. Whether there is a slot of that number is asked when it is looked at.
            self.second = word.next();
        } else {
            // Slots mostly follow each other in the same order. The usual one is stored before the word is asked, so that the next look
            // waits for a prediction and not for this word: a row of requests is then fetched together, and not each after the one that
            // names it.
            let usual = self.after[slot as usize];
            self.first = usual;
            self.second = usual;
            if word.next() != usual {
                self.learn(slot, word.next());
            }
        }
        Some(LaneTicket {
            // From the `Arc`, so that `keep` may share it.
            lane: NonNull::new(lane.cast_mut())?,
            // The length, whatever it says, the typed layer compares with the size that the method has.
            word,
            slot,
        })
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
        self.second = next;
    }

    /// After `poll` has found nothing: true if it would now.
    fn look_again(&mut self) -> bool {
        self.idle = if self.idle_at == self.expected {
            self.idle + 1
        } else {
            1
        };
        self.idle_at = self.expected;
        self.second = self.checked(self.second);
        if self.first != self.second && self.look(self.second).is_some() {
            core::mem::swap(&mut self.first, &mut self.second);
            return true;
        }
        self.look(self.first).is_some()
    }

    /// The next request: the number of its lane, and its identity.
    fn next(&self) -> (u32, u16) {
        (self.index, self.expected)
    }

    /// True if there is a request in either slot.
    fn is_ready(&self) -> bool {
        let look = |slot| self.look(slot).is_some();
        look(self.first) || look(self.checked(self.second))
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
        }
    }
}

impl<M: Memory> LaneSet<M> {
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
            let polled = self.awake.get_mut(self.cursor)?;
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
            if polled.idle >= IDLE_POLLS {
                self.idle(self.cursor);
            } else {
                self.advance();
            }
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

    /// Puts an idle lane to sleep, unless it is the only one that is awake, which costs nobody anything, or a request came
    /// in at the last moment.
    #[cold]
    fn idle(&mut self, at: usize) {
        let polled = &mut self.awake[at];
        polled.idle = 0;
        if self.awake.len() == 1 {
            self.advance();
            return;
        }
        let polled = &self.awake[at];
        let server = polled.lane.memory.control().server();
        server.announce_sleep(M::SCOPE);
        if polled.is_ready() && server.wake() {
            // It is polled again at once.
            return;
        }
        let polled = self.take_out(at);
        let index = polled.index as usize;
        self.places[index] = Place::Asleep(polled);
    }

    /// Removes a lane if its client is gone and its requests have all been received; true if it did.
    pub fn reap(&mut self, index: u32) -> bool {
        let at = self.awake.iter().position(|polled| polled.index == index);
        let Some(polled) = self.find(index, at) else {
            return false;
        };
        // In this order: what the client sent before it went is visible once the flag is.
        if !polled.lane.memory.control().client_is_gone() || polled.is_ready() {
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
            let server = polled.lane.memory.control().server();
            server.announce_without_barrier();
        }
        // One is enough for all: it is of the whole process, or of all.
        if let Some(polled) = self.awake.first() {
            polled.lane.memory.control().server().barrier(M::SCOPE);
        }
        self.any_ready()
    }

    /// Polls again every lane that `announce_sleep` stopped.
    pub fn end_sleep(&self) {
        for polled in &self.awake {
            polled.lane.memory.control().server().wake();
        }
    }

    /// True if a lane that is awake has a request.
    pub fn any_ready(&self) -> bool {
        self.awake.iter().any(|polled| polled.is_ready())
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
            lane.memory.control().server().set_gone();
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
