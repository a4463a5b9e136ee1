//! The server's end of one lane, and the requests that it holds.

use core::ptr::NonNull;
use std::sync::Arc;

use runtime_core::{ClientId, EmitError, ReplyError, ReplyStatus, Ticket};

use crate::client::event_identity;
use crate::control::Wake;
use crate::memory::{Area, Memory, load};
use crate::sync::{AtomicU16, AtomicU64, Ordering};
use crate::word::Word;

/// A request that the server holds; made only by [`LaneSet::poll`](crate::LaneSet::poll), once for each request.
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

    #[inline(always)]
    fn in_a_row(&self) -> bool {
        !self.word.again()
    }
}

impl<M: Memory> LaneTicket<M> {
    #[inline(always)]
    fn slot(&self) -> u16 {
        self.slot
    }

    /// The ticket of the request with that word, which `receive` gave for this slot of this lane just now. The pointer is the `Arc`'s, so
    /// that `keep` may share it. The length that the word says the typed layer compares with the size that the method has.
    #[inline(always)]
    pub(crate) fn new(lane: NonNull<ServerLane<M>>, slot: u16, word: Word) -> Self {
        Self { lane, word, slot }
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
    /// Last, so that the memory is given up before.
    _seat: Box<dyn Send + Sync>,
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
        // Acquire: a holder on another thread has read the request before it gave the slot up; pairs with `give_up`. That the client waits
        // for the answer before it sends again would order them, too, but a dishonest one does not.
        let seen = self.0.load(Ordering::Acquire);
        if seen & Self::HELD != 0 {
            return false;
        }
        !splits || seen != word.identity()
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
        // Release: pairs with the Acquire in `admits`.
        self.0.store(left, Ordering::Release);
    }
}

impl<M: Memory> ServerLane<M> {
    /// The server's end of the lane in `memory`. `seat` is what the client takes up of the server's room: it is dropped with the last
    /// handle on the lane, which a token may be whose client has long gone.
    ///
    /// # Safety
    /// 1. It is the only one, and nothing was received from the memory yet.
    pub unsafe fn new(memory: M, client: ClientId, seat: impl Send + Sync + 'static) -> Self {
        let slots = memory.geometry().slots();
        let fresh = |_| Seen(AtomicU16::new(Seen::NOTHING));
        Self {
            client,
            seen: (0..slots).map(fresh).collect(),
            events_sent: AtomicU64::new(0),
            memory,
            _seat: Box::new(seat),
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

    /// How many slots there are.
    #[inline(always)]
    pub(crate) fn slots(&self) -> usize {
        self.seen.len()
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
    unsafe fn new_request(&self, slot: u16, seen: &Seen, expected: u16) -> Option<Word> {
        // SAFETY: promise 1.
        let place = unsafe { self.memory.word(Area::Request, slot as usize) };
        // Loaded once: a peer that writes it again changes nothing that was checked. Acquire: the body is read after the word; pairs with
        // the client's Release in `ClientEnd::send`.
        let word = Word(load::<M>(place));
        let flip = if M::SPLITS { Word::FLIP } else { 0 };
        let is_new = word.identity() & !flip == expected && seen.admits(word, M::SPLITS);
        is_new.then_some(word)
    }

    /// True if the request with the identity that is expected next is in `slot`.
    ///
    /// # Safety
    /// 1. `slot` is below the number of slots.
    pub(crate) unsafe fn has_request(&self, slot: u16, expected: u16) -> bool {
        // SAFETY: promise 1.
        let seen = unsafe { self.seen(slot) };
        // Only a hint: `receive` loads it again.
        // SAFETY: promise 1.
        unsafe { self.new_request(slot, seen, expected) }.is_some()
    }

    /// Takes the request with the identity that is expected next from `slot`, which is then held; its ticket is made of the word.
    ///
    /// # Safety
    /// 1. `slot` is below the number of slots.
    #[inline(always)]
    pub(crate) unsafe fn receive(&self, slot: u16, expected: u16) -> Option<Word> {
        // SAFETY: promise 1.
        let seen = unsafe { self.seen(slot) };
        // SAFETY: promise 1.
        let word = unsafe { self.new_request(slot, seen, expected) }?;
        seen.hold(word);
        // SAFETY: promise 1; the slot was not held until now, so nobody has its request.
        unsafe {
            self.memory
                .take_in(Area::Request, slot as usize, word.len() as usize);
        };
        Some(word)
    }

    /// The place of a held request.
    ///
    /// # Safety
    /// 1. The ticket is of this lane, and unanswered.
    #[inline(always)]
    pub unsafe fn request(&self, ticket: &LaneTicket<M>) -> NonNull<u8> {
        // SAFETY: `poll` checked the slot of its tickets, and this one is of this lane by promise 1.
        unsafe { self.memory.taken_in(Area::Request, ticket.slot() as usize) }
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
        unsafe { self.seen(slot) }.give_up(word, M::SPLITS && !(M::OVERLAYS && overlay));
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
        if M::SPLITS && M::OVERLAYS {
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
        if let Some(wake) = client.call() {
            self.memory.wake_client(wake);
        }
        if self.memory.client_is_gone() {
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
        if self.memory.client_is_gone() {
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
    pub(crate) fn close(&self) {
        let wake = self.memory.control().client().wake();
        self.memory.wake_client(wake.unwrap_or(Wake::Thread));
    }
}
