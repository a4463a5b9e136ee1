//! The client's end of a lane.

use core::cell::Cell;
use core::ptr::NonNull;

use runtime_core::{ArrivedHead, Completion, Overlay, ReplyHead, SlotShape};

use crate::control::Wake;
use crate::memory::{Area, Memory, load};
use crate::sync::Ordering;
use crate::word::Word;

/// Polls that find the oldest call unanswered before the others are looked at, too: replies normally come in order, so
/// one line is polled, and one that overtook the oldest is found a few polls later.
const POLLS_PER_SCAN: u32 = 8;

/// Times that [`ClientEnd::any_ready`] may promise something to the next poll before one finds nothing all the same. The typed client looks at
/// the clock only then, and a call that stays unanswered ends by it.
const PROMISES: u32 = 64;

/// The client's end of a lane: which slots are free, which are in flight, which reply is next.
///
/// The next request goes to the slot that the latest request named; or, if the latest was alone in flight and its reply has come, to its
/// slot again. So a client that makes one call at a time uses one slot, whose line stays with whoever writes it next; were it to use two
/// in turn, the server would take each back while it waits for it. (A bare ping-pong on near cores takes 98 ns over two lines in turn
/// and 72 over one.)
pub struct ClientEnd<M: Memory> {
    memory: M,
    slots: Box<[Slot]>,
    /// The identity of the latest request, see [`Word`].
    latest: u16,
    /// The slot of the latest request, if that was sent with nothing else in flight; else `NONE`.
    alone: u16,
    /// `alone`, once it is free again: the slot for the next request. Else `NONE`, and that goes to `next`.
    again: u16,
    /// The slot that the latest request named: the first of the free ones, which are used in the order in which they became free.
    next: u16,
    /// The last of the free ones. It is not used: a request has to name the slot after its own.
    last: u16,
    /// The first of those in flight, in the order in which they were sent, or `NONE`.
    oldest: u16,
    /// The last of them, if there are any.
    youngest: u16,
    /// Polls since all in flight were looked at.
    polls: Cell<u32>,
    /// How often `any_ready` has seen to it that the next poll finds something, since that was not kept.
    promised: Cell<u32>,
    events_taken: u64,
}

/// What the client remembers of a slot, in memory that the server cannot reach.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Slot {
    /// The identity of its latest request.
    request: u16,
    /// The identity of its latest request whose reply came to the response area. Both words stay where they are, so no later request
    /// in this slot may have the same identity.
    split: u16,
    /// The free slot after it.
    free: u16,
    /// The slot in flight after it.
    queue: u16,
}

/// The identity that is sent instead of one whose reply is still in the slot from a full turn of generations ago: seldom, and so not on the way
/// of each call.
#[cold]
const fn flipped(request: u16) -> u16 {
    request | Word::FLIP
}

/// No slot.
const NONE: u16 = u16::MAX;

impl<M: Memory> ClientEnd<M> {
    /// The client's end of the lane in `memory`.
    ///
    /// # Safety
    /// 1. It is the only one, and nobody has used the memory yet.
    pub unsafe fn new(memory: M) -> Self {
        let count = memory.geometry().slots() as u16;
        let slot = |number: u16| Slot {
            request: Word::FIRST,
            split: 0,
            free: number + 1,
            queue: 0,
        };
        Self {
            slots: (0..count).map(slot).collect(),
            latest: Word::FIRST,
            alone: NONE,
            again: NONE,
            next: 0,
            last: count - 1,
            oldest: NONE,
            youngest: NONE,
            polls: Cell::new(0),
            promised: Cell::new(0),
            events_taken: 0,
            memory,
        }
    }

    /// The memory of the lane.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    #[inline(always)]
    fn slot(&mut self, slot: u16) -> &mut Slot {
        debug_assert!((slot as usize) < self.slots.len());
        // SAFETY: slot numbers are set by `new`, to numbers below the count, and passed on from field to field; `NONE` and the `free` of
        // the last one are ruled out before they are used; those that callers hand in they had from here (`send` and `release` say so).
        unsafe { self.slots.get_unchecked_mut(slot as usize) }
    }

    /// The slot for the next request; `None` if the window is full.
    #[inline(always)]
    pub fn take(&self) -> Option<u16> {
        if self.again != NONE {
            Some(self.again)
        } else if self.next != self.last {
            Some(self.next)
        } else {
            None
        }
    }

    /// The place of the request of the slot that `take` gave.
    ///
    /// # Safety
    /// 1. `take` gave `slot`.
    #[inline(always)]
    pub unsafe fn request(&self, slot: u16) -> NonNull<u8> {
        // SAFETY: by promise 1 there is such a slot.
        unsafe { self.memory.body(Area::Request, slot as usize) }
    }

    /// Sends the slot that `take` gave. The server hears whether it was alone in flight.
    ///
    /// # Safety
    /// 1. `take` gave `slot` just now, and nothing was sent or released since.
    #[inline(always)]
    pub unsafe fn send(&mut self, slot: u16, method: u16, len: usize, overlay: Overlay) {
        debug_assert_eq!(Some(slot), self.take(), "only what `take` gave can be sent");
        let identity = Word::next_request(self.latest);
        self.latest = identity;
        let alone = if self.again != NONE {
            // The same slot as the latest request, with nothing else in flight, so `alone` and `youngest` are right as they are.
            debug_assert_eq!((self.oldest, self.alone, self.youngest), (NONE, slot, slot));
            self.again = NONE;
            self.oldest = slot;
            true
        } else {
            // The slot that was promised is used; the next of the free ones is promised now.
            self.next = self.slot(slot).free;
            let alone = self.oldest == NONE;
            if alone {
                self.oldest = slot;
                self.alone = slot;
            } else {
                self.alone = NONE;
                let youngest = self.youngest;
                self.slot(youngest).queue = slot;
            }
            self.youngest = slot;
            alone
        };
        let entry = self.slot(slot);
        let mut request = identity;
        if M::SPLITS {
            if request == entry.split {
                request = flipped(request);
            }
            if !overlay.applies(!alone) {
                entry.split = request;
            }
        }
        entry.request = request;
        let word = Word::request(request, method, len, self.next, alone);
        // SAFETY: by promise 1 there is such a slot.
        let place = unsafe { self.memory.word(Area::Request, slot as usize) };
        // Release: the body comes before the word; pairs with the server's Acquire in `ServerLane::receive`.
        place.store(word.0, Ordering::Release);
        if !self.memory.control().server().is_quiet() {
            self.call_server();
        }
    }

    #[cold]
    fn call_server(&self) {
        if let Some(wake) = self.memory.control().server().call() {
            self.memory.wake_server(wake);
        }
    }

    /// The word of a slot in flight, if it is the reply to its request, and where that is.
    #[inline(always)]
    fn reply_word(&self, slot: u16) -> Option<(Area, Word)> {
        debug_assert!((slot as usize) < self.slots.len());
        // SAFETY: as in `slot`.
        let entry = unsafe { self.slots.get_unchecked(slot as usize) };
        let area = Area::of_reply::<M>(entry.split != entry.request);
        // Acquire: the body is read after the word; pairs with the server's Release in `ServerLane::reply`. Loaded once: a peer that
        // writes it again changes nothing that was checked.
        // SAFETY: the callers' slot is one that there is, as in `slot`.
        let place = unsafe { self.memory.word(area, slot as usize) };
        let word = Word(load::<M>(place));
        (word.identity() == Word::reply_identity(entry.request)).then_some((area, word))
    }

    /// The next slot whose reply has arrived; it is then no longer in flight, and taken until `release`.
    #[inline(always)]
    pub fn poll(&mut self) -> Option<Completion> {
        loop {
            let slot = self.oldest;
            if slot == NONE {
                return None;
            }
            if let Some((area, word)) = self.reply_word(slot) {
                self.pop_oldest(slot);
                return Some(self.completion(slot, area, word));
            }
            // That finds and this takes: made in one place the completion stays in registers.
            if !self.bring_forward() {
                return None;
            }
        }
    }

    /// Takes the oldest, which is `oldest`, out of the queue.
    #[inline(always)]
    fn pop_oldest(&mut self, oldest: u16) {
        if oldest == self.youngest {
            self.oldest = NONE;
            return;
        }
        self.oldest = self.slot(oldest).queue;
    }

    /// After the oldest was found unanswered: now and then looks at the others, and makes one that is answered the oldest.
    #[inline(never)]
    fn bring_forward(&mut self) -> bool {
        if self.promised.get() >= PROMISES {
            // Whoever always asks first is to find nothing now and then, too. What was promised comes at the next poll.
            self.promised.set(0);
            return false;
        }
        if self.oldest == self.youngest {
            // Where each call overtakes it, every second poll finds nothing, and its deadline is looked at.
            self.polls.set(0);
            return false;
        }
        let polls = self.polls.get() + 1;
        self.polls.set(polls);
        if polls < POLLS_PER_SCAN {
            return false;
        }
        self.polls.set(0);
        // Replies that came together are taken in their order.
        if self.reply_word(self.oldest).is_some() {
            return true;
        }
        let Some((before, slot)) = self.find_younger(|this, slot| this.reply_word(slot).is_some())
        else {
            return false;
        };
        self.unlink(before, slot);
        let oldest = self.oldest;
        self.slot(slot).queue = oldest;
        self.oldest = slot;
        // Others may have overtaken as well: look again soon.
        self.polls.set(POLLS_PER_SCAN - 1);
        true
    }

    /// Takes a slot out of the queue, which is behind `before` in it.
    fn unlink(&mut self, before: u16, slot: u16) {
        self.slot(before).queue = self.slot(slot).queue;
        if slot == self.youngest {
            self.youngest = before;
        }
    }

    /// The first slot in flight behind the oldest that is `wanted`, with the one before it.
    fn find_younger(&self, wanted: impl Fn(&Self, u16) -> bool) -> Option<(u16, u16)> {
        let mut before = self.oldest;
        while before != NONE && before != self.youngest {
            let slot = self.slots[before as usize].queue;
            if wanted(self, slot) {
                return Some((before, slot));
            }
            before = slot;
        }
        None
    }

    /// The completion of a slot whose reply is `word`.
    #[inline(always)]
    fn completion(&self, slot: u16, area: Area, word: Word) -> Completion {
        // SAFETY: the callers have found the reply in this slot; it has just completed, so nobody has its response yet.
        unsafe {
            self.memory
                .take_in(area, slot as usize, word.response_len());
        };
        Completion {
            slot,
            head: ReplyHead::from_bits(word.0 >> 16),
            // SAFETY: as above.
            place: unsafe { self.memory.taken_in(area, slot as usize) },
        }
    }

    /// This slot, if it is in flight and its reply has arrived; it is then taken until `release`.
    #[inline(always)]
    pub fn poll_slot(&mut self, slot: u16) -> Option<Completion> {
        if slot == self.oldest && slot != NONE {
            let (area, word) = self.reply_word(slot)?;
            self.pop_oldest(slot);
            return Some(self.completion(slot, area, word));
        }
        if usize::from(slot) >= self.slots.len() {
            return None;
        }
        // First the word: where many calls end together, each would go over all of them.
        let (area, word) = self.reply_word(slot)?;
        let (before, _) = self.find_younger(|_, other| other == slot)?;
        self.unlink(before, slot);
        Some(self.completion(slot, area, word))
    }

    /// True if the reply to the latest request in this slot has arrived.
    #[inline]
    pub fn slot_ready(&self, slot: u16) -> bool {
        (slot as usize) < self.slots.len() && self.reply_word(slot).is_some()
    }

    /// True if there is something to poll, which the next `poll` then finds, but for one time in 64.
    pub fn any_ready(&self) -> bool {
        if self.oldest == NONE {
            return false;
        }
        if self.reply_word(self.oldest).is_some() {
            return true;
        }
        let found = self.find_younger(|this, slot| this.reply_word(slot).is_some());
        if found.is_some() {
            self.polls.set(POLLS_PER_SCAN - 1);
            self.promised.set(self.promised.get() + 1);
        }
        found.is_some()
    }

    /// Frees a completed slot.
    ///
    /// # Safety
    /// 1. `poll` or `poll_slot` gave `slot`, and it was not released since.
    #[inline(always)]
    pub unsafe fn release(&mut self, slot: u16) {
        if slot == self.alone {
            self.again = slot;
        } else {
            let last = self.last;
            self.slot(last).free = slot;
            self.last = slot;
        }
    }

    /// The oldest event that has arrived and was not released.
    pub fn poll_event(&mut self) -> Option<ArrivedHead> {
        let geometry = self.memory.geometry();
        if geometry.events == 0 {
            return None;
        }
        let slot = self.events_taken as usize & (geometry.events - 1);
        // Acquire: the body is read after the word; pairs with the Release in `ServerLane::emit`.
        // SAFETY: masked, so below the number of events.
        let place = unsafe { self.memory.word(Area::Event, slot) };
        let word = Word(load::<M>(place));
        if word.identity() != event_identity(self.events_taken, geometry.events) {
            return None;
        }
        let room = geometry.shape.event_area - SlotShape::WORD;
        let len = (word.len() as usize).min(room);
        // SAFETY: as above; nobody has the event before this returns it, and it is read before the next look.
        unsafe { self.memory.take_in(Area::Event, slot, len) };
        Some(ArrivedHead {
            slot: slot as u16,
            method: word.method(),
            len,
        })
    }

    /// The place of the arguments of an event.
    ///
    /// # Safety
    /// 1. `poll_event` gave it.
    pub unsafe fn event_bytes(&self, head: &ArrivedHead) -> NonNull<u8> {
        // SAFETY: by promise 1 there is such a slot.
        unsafe { self.memory.taken_in(Area::Event, head.slot as usize) }
    }

    /// Frees the oldest event.
    pub fn release_event(&mut self) {
        self.events_taken += 1;
        self.memory.control().set_events_taken(self.events_taken);
    }

    /// True if `poll_event` would find something.
    pub fn event_ready(&self) -> bool {
        let geometry = self.memory.geometry();
        if geometry.events == 0 {
            return false;
        }
        let slot = self.events_taken as usize & (geometry.events - 1);
        // Relaxed: only a hint; `poll_event` loads it again.
        // SAFETY: masked, so below the number of events.
        let place = unsafe { self.memory.word(Area::Event, slot) };
        let word = Word(place.load(Ordering::Relaxed));
        word.identity() == event_identity(self.events_taken, geometry.events)
    }

    /// Announces that this side is about to sleep. Whatever the server sends after this wakes it; what it sent before is
    /// seen by looking once more.
    pub fn announce_sleep(&self, wake: Wake) {
        self.memory
            .control()
            .client()
            .announce_sleep(wake, M::SCOPE);
    }

    /// Ends the announcement.
    pub fn end_sleep(&self) {
        self.memory.control().client().wake();
    }
}

impl<M: Memory> Drop for ClientEnd<M> {
    fn drop(&mut self) {
        self.memory.control().client().set_gone();
        // A server that does not poll the lane has to be told; one that does sees it when the lane is next idle.
        let wake = self.memory.control().server().wake();
        self.memory.wake_server(wake.unwrap_or(Wake::Thread));
    }
}

/// The identity of the event with this number: it changes each time the ring of events goes round.
pub(crate) fn event_identity(number: u64, events: usize) -> u16 {
    Word::request_identity(((number / events as u64 + 1) & u64::from(Word::GENERATIONS - 1)) as u16)
}
