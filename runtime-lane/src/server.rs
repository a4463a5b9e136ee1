//! The server's end: one lane, and all of them.

use core::ptr::NonNull;
use std::sync::Arc;

use runtime_core::{ClientId, EmitError, ReplyError, ReplyStatus, Ticket};

use crate::barrier::{heavy, light};
use crate::client::event_generation;
use crate::memory::{Area, Memory};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::word::{State, Word};

/// A request that the server holds; made only by [`LaneSet::poll`], once for each request.
#[derive(Debug)]
pub struct LaneTicket<M: Memory> {
    lane: NonNull<ServerLane<M>>,
    /// The word of the request, with its own slot where it named the next one.
    word: Word,
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
    /// Its slot, which the server has checked.
    #[inline(always)]
    fn slot(&self) -> usize {
        self.word.next() as usize
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
    asymmetric: bool,
    /// For each slot the low bits of the word of the latest request, and whether it is held, in memory that the client cannot
    /// reach. Written by the server's thread when a request is received, by the holder when it is answered.
    slots: Box<[AtomicU32]>,
    /// Events sent. Written by the server's thread.
    events_sent: AtomicU64,
}

/// In a `ServerLane::slots` entry: a request is held. No word's low bits have it, so a peer that names a held slot again, or
/// sends into it, is not heard.
const HELD: u32 = 1 << 31;

impl<M: Memory> ServerLane<M> {
    /// The server's end of the lane in `memory`.
    pub fn new(memory: M, client: ClientId) -> Self {
        let slots = memory.geometry().slots();
        Self {
            client,
            asymmetric: memory.asymmetric(),
            slots: (0..slots).map(|_| AtomicU32::new(0)).collect(),
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

    /// The word in `slot`, if it is a new request.
    #[inline(always)]
    fn new_request(&self, slot: u16, order: Ordering) -> Option<Word> {
        // Relaxed: written by this thread, or by a holder whose answer came before the request by way of the client.
        let seen = self.slots[slot as usize].load(Ordering::Relaxed);
        // Loaded once: a peer that writes it again changes nothing that was checked.
        let word = Word(self.memory.word(Area::Request, slot as usize).load(order));
        (word.state() == State::Request && u32::from(word.identity()) != seen && seen & HELD == 0)
            .then_some(word)
    }

    /// The request in `slot`, if there is a new one, with the slot of the request after it.
    #[inline(always)]
    fn poll(self: &Arc<Self>, slot: u16) -> Option<(LaneTicket<M>, u16)> {
        // Acquire: the body is read after the word; pairs with the client's Release in `ClientEnd::send`.
        let word = self.new_request(slot, Ordering::Acquire)?;
        self.slots[slot as usize].store(u32::from(word.identity()) | HELD, Ordering::Relaxed);
        let ticket = LaneTicket {
            // From the `Arc`, so that `keep` may share it.
            lane: NonNull::new(Arc::as_ptr(self).cast_mut())?,
            // Its length, whatever it says, the typed layer compares with the size that the method has.
            word: word.with_next(slot),
        };
        // A slot that does not exist: the lane then polls slot 0, where nothing new will come from an honest peer.
        let next = if (word.next() as usize) < self.slots.len() {
            word.next()
        } else {
            0
        };
        Some((ticket, next))
    }

    /// True if there is a new request in `slot`.
    fn ready(&self, slot: u16) -> bool {
        // Relaxed: only a hint; `poll` loads it again.
        self.new_request(slot, Ordering::Relaxed).is_some()
    }

    /// The end of a held request.
    #[inline(always)]
    pub fn request(&self, ticket: &LaneTicket<M>) -> NonNull<u8> {
        self.memory.end(Area::Request, ticket.slot())
    }

    /// The end of the response of a held request.
    #[inline(always)]
    pub fn response(&self, ticket: &LaneTicket<M>, overlay: bool) -> NonNull<u8> {
        self.memory.end(
            if M::SPLITS && !overlay {
                Area::Response
            } else {
                Area::Request
            },
            ticket.slot(),
        )
    }

    /// Answers a held request; from any thread.
    ///
    /// # Errors
    /// The client is gone.
    #[inline(always)]
    pub fn reply(
        &self,
        ticket: LaneTicket<M>,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
    ) -> Result<(), ReplyError> {
        // Relaxed: for this thread's `poll`, or ordered by the client's next request, which follows the word below.
        self.slots[ticket.slot()].store(
            u32::from(Word::request_identity(ticket.word.generation())),
            Ordering::Relaxed,
        );
        let area = if M::SPLITS && !overlay {
            Area::Response
        } else {
            Area::Request
        };
        let word = Word::reply(ticket.word.generation(), status as u16, value);
        // Release: the body comes before the word; pairs with the client's Acquire in `ClientEnd::reply_word`.
        self.memory
            .word(area, ticket.slot())
            .store(word.0, Ordering::Release);
        light(self.asymmetric);
        let control = self.memory.control();
        if control.client_sleeps() {
            self.wake_client();
        }
        if control.client_is_gone() {
            Err(ReplyError::Disconnected)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn wake_client(&self) {
        if self.memory.control().wake_client() {
            self.memory.wake_client();
        }
    }

    /// Sends an event, which `fill` writes before the end that it is given.
    ///
    /// # Errors
    /// The event window is full, or the client is gone.
    pub fn emit(
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
        fill(self.memory.end(Area::Event, slot));
        self.events_sent.store(sent + 1, Ordering::Relaxed);
        let word = Word::request(event_generation(sent, events), method, len, 0);
        // Release: the body comes before the word; pairs with the client's Acquire in `ClientEnd::poll_event`.
        self.memory
            .word(Area::Event, slot)
            .store(word.0, Ordering::Release);
        light(self.asymmetric);
        if control.client_sleeps() {
            self.wake_client();
        }
        Ok(())
    }

    /// Tells the client that the server is gone.
    fn close(&self) {
        let control = self.memory.control();
        control.set_server_gone();
        // The flag is looked at by a client that does not sleep; one that does is woken. The fence is the light side of its
        // announcement.
        light(false);
        control.wake_client();
        self.memory.wake_client();
    }
}

/// Empty polls after which a lane is no longer polled until its client wakes it.
const IDLE_POLLS: u32 = 1 << 14;

/// A lane in the server's table.
struct Polled<M: Memory> {
    lane: Arc<ServerLane<M>>,
    index: u32,
    /// The slot of the next request, as the request before it said.
    next: u16,
    idle: u32,
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
    cursor: usize,
    places: Vec<Place<M>>,
    vacant: Vec<u32>,
}

impl<M: Memory> Default for LaneSet<M> {
    fn default() -> Self {
        Self {
            awake: Vec::new(),
            cursor: 0,
            places: Vec::new(),
            vacant: Vec::new(),
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
        self.awake.push(Polled {
            lane: Arc::new(lane),
            index,
            next: 0,
            idle: 0,
        });
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

    /// The next request of the lanes that are awake.
    #[inline(always)]
    pub fn poll(&mut self) -> Option<LaneTicket<M>> {
        for _ in 0..self.awake.len() {
            if self.cursor >= self.awake.len() {
                self.cursor = 0;
            }
            let polled = self.awake.get_mut(self.cursor)?;
            if let Some((ticket, next)) = polled.lane.poll(polled.next) {
                polled.next = next;
                polled.idle = 0;
                self.cursor += 1;
                return Some(ticket);
            }
            polled.idle += 1;
            if polled.idle >= IDLE_POLLS {
                self.idle(self.cursor);
            }
            self.cursor += 1;
        }
        None
    }

    /// Puts an idle lane to sleep, unless it is the only one that is awake, which costs nobody anything, or a request came
    /// in at the last moment.
    #[cold]
    fn idle(&mut self, at: usize) {
        let polled = &mut self.awake[at];
        polled.idle = 0;
        if self.awake.len() == 1 {
            return;
        }
        let polled = &self.awake[at];
        let control = polled.lane.memory.control();
        control.set_server_sleeps();
        heavy(polled.lane.asymmetric, M::SCOPE);
        if polled.lane.ready(polled.next) && control.wake_server() {
            return;
        }
        let polled = self.awake.swap_remove(at);
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
        if !polled.lane.memory.control().client_is_gone() || polled.lane.ready(polled.next) {
            return false;
        }
        if let Some(at) = at {
            self.awake.swap_remove(at);
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
    pub fn announce_sleep(&mut self) -> bool {
        for polled in &self.awake {
            polled.lane.memory.control().set_server_sleeps();
        }
        if let Some(polled) = self.awake.first() {
            heavy(polled.lane.asymmetric, M::SCOPE);
        }
        self.any_ready()
    }

    /// Polls again every lane that `announce_sleep` stopped.
    pub fn end_sleep(&mut self) {
        for polled in &self.awake {
            polled.lane.memory.control().wake_server();
        }
    }

    /// True if a lane that is awake has a request.
    pub fn any_ready(&self) -> bool {
        self.awake
            .iter()
            .any(|polled| polled.lane.ready(polled.next))
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
        for lane in self.iter() {
            lane.close();
        }
    }
}
