//! The client's end of a lane.

use core::ptr::NonNull;

use runtime_core::{ArrivedHead, Completion};

use crate::barrier::{heavy, light};
use crate::memory::{Area, Memory};
use crate::sync::Ordering;
use crate::word::{State, Word};

/// Polls that find the oldest call unanswered before the others are looked at, too: replies normally come in order, so
/// one line is polled, and one that overtook the oldest is found a few polls later.
const POLLS_PER_SCAN: u32 = 8;

/// In `ClientEnd::order`: a call that was answered before an older one.
const HOLE: u16 = u16::MAX;

/// The client's end of a lane: which slots are free, which are in flight, which reply is next.
pub struct ClientEnd<M: Memory> {
    memory: M,
    window: u32,
    /// Slots sent and not released.
    taken: u32,
    /// The slot that the next request will use; the request before it has named it to the server.
    next: u16,
    asymmetric: bool,
    /// Free slots but for `next`, as a stack: the last one freed is used first, while its lines are still near.
    free: Box<[u16]>,
    free_len: usize,
    /// Calls in flight, oldest first, as a ring from `head` to `tail`, with a hole where a younger call was answered first.
    order: Box<[u16]>,
    head: usize,
    tail: usize,
    slots: Box<[Slot]>,
    polls: u32,
    events_taken: u64,
}

/// What the client knows of a slot.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The generation of the latest request.
    generation: u16,
    /// The generation of the latest reply in the response area, which stays there and must not be taken for a new one.
    replied: u16,
    /// True if the reply comes to the response area.
    split: bool,
    in_flight: bool,
}

impl<M: Memory> ClientEnd<M> {
    /// The client's end of the lane in `memory`, which nobody has used yet.
    pub fn new(memory: M) -> Self {
        let geometry = *memory.geometry();
        let slots = geometry.slots();
        Self {
            window: geometry.window as u32,
            taken: 0,
            next: 0,
            asymmetric: memory.asymmetric(),
            free: (1..slots as u16).rev().chain([0]).collect(),
            free_len: slots - 1,
            order: vec![HOLE; 2 * geometry.window].into_boxed_slice(),
            head: 0,
            tail: 0,
            slots: vec![Slot::default(); slots].into_boxed_slice(),
            polls: 0,
            events_taken: 0,
            memory,
        }
    }

    /// The memory of the lane.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// The slot for the next request; `None` if the window is full.
    #[inline(always)]
    pub fn take(&self) -> Option<u16> {
        (self.taken < self.window).then_some(self.next)
    }

    /// The end of the request of the slot that `take` gave.
    #[inline(always)]
    pub fn request(&self, slot: u16) -> NonNull<u8> {
        self.memory.end(Area::Request, slot as usize)
    }

    /// Sends the slot that `take` gave.
    #[inline(always)]
    pub fn send(&mut self, slot: u16, method: u16, len: usize, overlay: bool) {
        debug_assert_eq!(
            slot, self.next,
            "only the slot that `take` gave can be sent"
        );
        // There is always one: a window is one slot smaller than the lane.
        self.free_len -= 1;
        self.next = self.free[self.free_len];
        let order = self.order.len() - 1;
        self.order[self.tail & order] = slot;
        self.tail += 1;
        if self.tail - self.head > order {
            self.close_holes();
        }
        self.taken += 1;
        let entry = &mut self.slots[slot as usize];
        let mut generation = (entry.generation + 1) & (Word::GENERATIONS - 1);
        if M::SPLITS && !overlay && generation == entry.replied {
            // The last reply in the response area was to a call of this generation, a full turn ago: it must not answer this one.
            generation = (generation + 1) & (Word::GENERATIONS - 1);
        }
        *entry = Slot {
            generation,
            replied: entry.replied,
            split: !overlay,
            in_flight: true,
        };
        let word = Word::request(generation, method, len, self.next);
        // Release: the body comes before the word; pairs with the server's Acquire in `Polled::poll`.
        self.memory
            .word(Area::Request, slot as usize)
            .store(word.0, Ordering::Release);
        light(self.asymmetric);
        if self.memory.control().server_sleeps() {
            self.wake_server();
        }
    }

    #[cold]
    fn wake_server(&self) {
        if self.memory.control().wake_server() {
            self.memory.wake_server();
        }
    }

    /// Makes room in the ring of calls in flight, which is twice as long as there can be calls.
    #[cold]
    fn close_holes(&mut self) {
        let mask = self.order.len() - 1;
        let mut to = self.head;
        for from in self.head..self.tail {
            let slot = self.order[from & mask];
            if slot != HOLE {
                self.order[to & mask] = slot;
                to += 1;
            }
        }
        self.tail = to;
    }

    /// The word of a slot in flight, if it is the reply to its request.
    #[inline(always)]
    fn reply_word(&self, slot: u16) -> Option<Word> {
        let entry = &self.slots[slot as usize];
        let area = if M::SPLITS && entry.split {
            Area::Response
        } else {
            Area::Request
        };
        // Acquire: the body is read after the word; pairs with the server's Release in `ServerLane::reply`.
        let word = Word(
            self.memory
                .word(area, slot as usize)
                .load(Ordering::Acquire),
        );
        word.answers(entry.generation).then_some(word)
    }

    /// The next slot whose reply has arrived; it is then no longer in flight, and taken until `release`.
    #[inline(always)]
    pub fn poll(&mut self) -> Option<Completion> {
        if self.head == self.tail {
            return None;
        }
        let slot = self.order[self.head & (self.order.len() - 1)];
        if slot == HOLE {
            return self.skip_hole();
        }
        match self.reply_word(slot) {
            Some(word) => {
                self.head += 1;
                Some(self.complete(slot, word))
            }
            None => {
                self.polls += 1;
                if self.polls < POLLS_PER_SCAN || self.tail - self.head == 1 {
                    None
                } else {
                    self.poll_younger()
                }
            }
        }
    }

    #[cold]
    fn skip_hole(&mut self) -> Option<Completion> {
        self.head += 1;
        self.poll()
    }

    /// Looks at all calls in flight but the oldest.
    #[cold]
    fn poll_younger(&mut self) -> Option<Completion> {
        self.polls = 0;
        let mask = self.order.len() - 1;
        for at in self.head + 1..self.tail {
            let slot = self.order[at & mask];
            if slot == HOLE {
                continue;
            }
            if let Some(word) = self.reply_word(slot) {
                self.order[at & mask] = HOLE;
                // Others may have overtaken as well: look again at once.
                self.polls = POLLS_PER_SCAN;
                return Some(self.complete(slot, word));
            }
        }
        None
    }

    #[inline(always)]
    fn complete(&mut self, slot: u16, word: Word) -> Completion {
        let entry = &mut self.slots[slot as usize];
        entry.in_flight = false;
        if M::SPLITS && entry.split {
            entry.replied = entry.generation;
        }
        Completion::new(slot, word.method(), word.value())
    }

    /// This slot, if it is in flight and its reply has arrived; it is then taken until `release`.
    #[inline(always)]
    pub fn poll_slot(&mut self, slot: u16) -> Option<Completion> {
        if !self.slots[slot as usize].in_flight {
            return None;
        }
        let word = self.reply_word(slot)?;
        let mask = self.order.len() - 1;
        if self.order[self.head & mask] == slot {
            self.head += 1;
        } else if let Some(at) = (self.head..self.tail).find(|at| self.order[at & mask] == slot) {
            self.order[at & mask] = HOLE;
        }
        Some(self.complete(slot, word))
    }

    /// True if `poll_slot` would find the reply.
    #[inline]
    pub fn slot_ready(&self, slot: u16) -> bool {
        self.slots[slot as usize].in_flight && self.reply_word(slot).is_some()
    }

    /// True if `poll` would sooner or later find something.
    pub fn any_ready(&self) -> bool {
        let mask = self.order.len() - 1;
        (self.head..self.tail)
            .map(|at| self.order[at & mask])
            .any(|slot| slot != HOLE && self.reply_word(slot).is_some())
    }

    /// The end of the response of a completed slot.
    #[inline(always)]
    pub fn response(&self, slot: u16, overlay: bool) -> NonNull<u8> {
        self.memory.end(
            if M::SPLITS && !overlay {
                Area::Response
            } else {
                Area::Request
            },
            slot as usize,
        )
    }

    /// Frees a completed slot.
    #[inline(always)]
    pub fn release(&mut self, slot: u16) {
        self.taken -= 1;
        self.free[self.free_len] = slot;
        self.free_len += 1;
    }

    /// The oldest event that has arrived and was not released.
    pub fn poll_event(&mut self) -> Option<ArrivedHead> {
        let geometry = self.memory.geometry();
        if geometry.events == 0 {
            return None;
        }
        let slot = self.events_taken as usize & (geometry.events - 1);
        // Acquire: the body is read after the word; pairs with the Release in `ServerLane::emit`.
        let word = Word(self.memory.word(Area::Event, slot).load(Ordering::Acquire));
        if word.state() != State::Request
            || word.generation() != event_generation(self.events_taken, geometry.events)
        {
            return None;
        }
        let room = geometry.shape.event_area - runtime_core::SlotShape::WORD;
        Some(ArrivedHead {
            slot: slot as u16,
            method: word.method(),
            len: (word.len() as usize).min(room),
        })
    }

    /// The end of the arguments of an event.
    pub fn event_bytes(&self, head: &ArrivedHead) -> NonNull<u8> {
        self.memory.end(Area::Event, head.slot as usize)
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
        let word = Word(self.memory.word(Area::Event, slot).load(Ordering::Relaxed));
        word.state() == State::Request
            && word.generation() == event_generation(self.events_taken, geometry.events)
    }

    /// Announces that this side is about to sleep. Whatever the server sends after this wakes it; what it sent before is
    /// seen by looking once more.
    pub fn announce_sleep(&self) {
        self.memory.control().set_client_sleeps();
        heavy(self.asymmetric, M::SCOPE);
    }

    /// Ends the announcement.
    pub fn end_sleep(&self) {
        self.memory.control().wake_client();
    }
}

impl<M: Memory> Drop for ClientEnd<M> {
    fn drop(&mut self) {
        self.memory.control().set_client_gone();
        // A server that does not poll the lane has to be told; one that does sees it when the lane is next idle.
        self.memory.control().wake_server();
        self.memory.wake_server();
    }
}

/// The generation of the event with this number: it changes each time the ring of events goes round.
pub(crate) fn event_generation(number: u64, events: usize) -> u16 {
    ((number / events as u64 + 1) & u64::from(Word::GENERATIONS - 1)) as u16
}
