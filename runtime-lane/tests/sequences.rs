//! A lane driven by one thread in random order, compared with what a list would do; and a lane whose client writes nonsense.
#![cfg(not(loom))]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::{BTreeMap, VecDeque};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use runtime_core::{ClientId, Overlay, ReplyStatus, SlotShape, Ticket};
use runtime_lane::{
    Area, BarrierScope, ClientEnd, Control, Geometry, LaneSet, LaneTicket, Memory, ServerLane,
    Wake, in_flight,
};

/// Plain memory whose methods split (`S`) or not.
#[derive(Clone)]
struct Plain<const S: bool>(Arc<Shared>);

struct Shared {
    geometry: Geometry,
    base: NonNull<u8>,
    layout: Layout,
    control: Control,
}

// SAFETY: the memory is reached by one thread.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `Plain::new`.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

impl<const S: bool> Plain<S> {
    fn new(window: usize) -> Self {
        let geometry = Geometry {
            window,
            events: 0,
            shape: Self::SHAPE,
        };
        let bytes = geometry.request_bytes() + geometry.response_bytes();
        let layout = Layout::from_size_align(bytes, 128).expect("a small layout");
        // SAFETY: not empty.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).expect("there is memory");
        let control = Control::new(false);
        Self(Arc::new(Shared {
            geometry,
            base,
            layout,
            control,
        }))
    }

    fn place(&self, area: Area, slot: usize) -> NonNull<u8> {
        let offset = match area {
            Area::Request => slot * 64,
            Area::Response | Area::Event => self.0.geometry.request_bytes() + slot * 64,
        };
        assert!(slot < self.0.geometry.slots(), "slot {slot} does not exist");
        // SAFETY: a slot that exists, in one of the two areas.
        unsafe { self.0.base.add(offset) }
    }
}

// SAFETY: each area has 64 bytes of its own in zeroed memory, which lives as long as a clone.
unsafe impl<const S: bool> Memory for Plain<S> {
    const SCOPE: BarrierScope = BarrierScope::Process;
    const OVERLAYS: bool = true;
    const SHAPE: SlotShape = SlotShape {
        request_area: 64,
        response_area: if S { 64 } else { 0 },
        event_area: 0,
    };

    fn geometry(&self) -> &Geometry {
        &self.0.geometry
    }

    unsafe fn word(&self, area: Area, slot: usize) -> &AtomicU64 {
        // SAFETY: aligned, in the allocation, and reached only as an atomic.
        unsafe { self.place(area, slot).cast().as_ref() }
    }

    unsafe fn body(&self, area: Area, slot: usize) -> NonNull<u8> {
        // SAFETY: an area has 64 bytes.
        unsafe { self.place(area, slot).add(SlotShape::WORD) }
    }

    fn control(&self) -> &Control {
        &self.0.control
    }

    fn wake_server(&self, _: Wake) {}

    fn wake_client(&self, _: Wake) {}
}

/// Small random numbers, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn put(body: NonNull<u8>, value: u64) {
    // SAFETY: 56 bytes that are ours.
    unsafe { body.cast::<u64>().write(value) };
}

fn get(body: NonNull<u8>) -> u64 {
    // SAFETY: 56 bytes that are ours.
    unsafe { body.cast::<u64>().read() }
}

/// What is in flight, and in what order the other side has to see it.
struct Run<const S: bool> {
    client: ClientEnd<Plain<S>>,
    lanes: LaneSet<Plain<S>>,
    random: Random,
    sent: u64,
    received: u64,
    held: Vec<(LaneTicket<Plain<S>>, u64, bool)>,
    /// By number: the slot, and when the reply overlays.
    in_flight: BTreeMap<u64, (u16, Overlay)>,
    /// Replies that the client has not seen.
    answered: VecDeque<u64>,
    kept: Vec<u16>,
}

impl<const S: bool> Run<S> {
    fn new(window: usize, seed: u64) -> Self {
        let memory = Plain::<S>::new(window);
        let mut lanes = LaneSet::default();
        // SAFETY: fresh memory, and the only end of its kind.
        lanes.add(unsafe { ServerLane::new(memory.clone(), ClientId(1), ()) });
        Self {
            // SAFETY: as above.
            client: unsafe { ClientEnd::new(memory) },
            lanes,
            random: Random(seed),
            sent: 0,
            received: 0,
            held: Vec::new(),
            in_flight: BTreeMap::new(),
            answered: VecDeque::new(),
            kept: Vec::new(),
        }
    }

    fn window(&self) -> usize {
        self.client.memory().geometry().window
    }

    fn send(&mut self) {
        let taken = self.client.take();
        let used = self.in_flight.len() + self.kept.len();
        assert_eq!(
            taken.is_some(),
            used < self.window(),
            "with {used} slots in use"
        );
        let Some(slot) = taken else { return };
        let overlay = match self.random.below(4) {
            _ if !S => Overlay::Always,
            0 => Overlay::Always,
            1 => Overlay::InARow,
            _ => Overlay::Never,
        };
        // SAFETY: `take` gave the slot.
        put(unsafe { self.client.request(slot) }, self.sent);
        // SAFETY: `take` gave the slot.
        unsafe { self.client.send(slot, 7, 8, overlay) };
        let before = self.in_flight.insert(self.sent, (slot, overlay));
        assert!(before.is_none());
        let same = self.in_flight.values().filter(|(it, _)| *it == slot);
        assert_eq!(same.count(), 1, "a slot in flight was used");
        assert!(!self.kept.contains(&slot), "a slot that is read was used");
        self.sent += 1;
    }

    fn receive(&mut self) {
        match self.lanes.poll() {
            Some(ticket) => {
                assert_eq!((ticket.method(), ticket.len()), (7, 8));
                // SAFETY: the set lives and is not changed.
                let lane = unsafe { ticket.lane() };
                // SAFETY: the ticket's own lane.
                let number = get(unsafe { lane.request(&ticket) });
                assert_eq!(number, self.received, "requests come in order");
                self.received += 1;
                let (_, overlay) = self.in_flight[&number];
                let overlay = overlay.applies(ticket.in_a_row());
                self.held.push((ticket, number, overlay));
            }
            None => assert_eq!(self.received, self.sent, "a request was not found"),
        }
    }

    fn answer(&mut self) {
        if self.held.is_empty() {
            return;
        }
        // Mostly in order.
        let at = match self.random.below(4) {
            0 => self.random.below(self.held.len()),
            _ => 0,
        };
        let (ticket, number, overlay) = self.held.remove(at);
        // SAFETY: the set lives and is not changed.
        let lane = unsafe { ticket.lane() };
        // SAFETY: the ticket's own lane.
        put(unsafe { lane.response(&ticket, overlay) }, number + 1_000);
        // SAFETY: as above; it is answered once.
        unsafe { lane.reply(ticket, overlay, ReplyStatus::Ok, 8) }.expect("the client lives");
        self.answered.push_back(number);
    }

    /// True if a reply came.
    fn complete(&mut self) -> bool {
        // One slot by its number, now and then, as a blocking call does.
        let wanted = self.random.below(8) == 0;
        let completion = match self.in_flight.values().next() {
            Some((slot, _)) if wanted => self.client.poll_slot(*slot),
            _ => self.client.poll(),
        };
        let Some(completion) = completion else {
            return false;
        };
        let number = get(completion.place) - 1_000;
        let Some((slot, _)) = self.in_flight.remove(&number) else {
            panic!("{number} was not in flight");
        };
        assert_eq!(completion.slot, slot);
        let at = self.answered.iter().position(|it| *it == number);
        let Some(at) = at else {
            panic!("{number} was not answered")
        };
        self.answered.remove(at);
        if self.random.below(5) == 0 && self.kept.len() + 1 < self.window() {
            self.kept.push(slot);
        } else {
            // SAFETY: the slot of a completion, released once.
            unsafe { self.client.release(slot) };
        }
        true
    }

    fn release(&mut self) {
        if !self.kept.is_empty() {
            let at = self.random.below(self.kept.len());
            let slot = self.kept.swap_remove(at);
            // SAFETY: the slot of a completion, released once.
            unsafe { self.client.release(slot) };
        }
    }

    /// Everything that was answered reaches the client.
    fn drain(&mut self) {
        while self.received != self.sent {
            self.receive();
        }
        while !self.held.is_empty() {
            self.answer();
        }
        let mut idle = 0;
        while !self.in_flight.is_empty() {
            idle = if self.complete() { 0 } else { idle + 1 };
            assert!(idle < 1_000, "{:?} are not found", self.in_flight);
        }
        while !self.kept.is_empty() {
            self.release();
        }
    }
}

fn random<const S: bool>(window: usize, seed: u64) {
    let mut run = Run::<S>::new(window, seed);
    // Phases of one call at a time and phases of many, so that slots are used again and in turn.
    for _ in 0..60 {
        let alone = run.random.below(2) == 0;
        for _ in 0..run.random.below(3_000) {
            if alone {
                run.send();
                run.receive();
                run.answer();
                run.complete();
            } else {
                match run.random.below(9) {
                    0..=2 => run.send(),
                    3 | 4 => run.receive(),
                    5 | 6 => run.answer(),
                    7 => {
                        run.complete();
                    }
                    _ => run.release(),
                }
                let unanswered = run.in_flight.len() - run.answered.len();
                assert_eq!(in_flight(run.client.memory()), unanswered);
            }
        }
        run.drain();
    }
    assert!(run.sent > 3 * 8192, "generations went round");
}

#[test]
fn requests_and_replies_find_each_other_in_one_line() {
    for (seed, window) in [(1, 2), (2, 4), (3, 32)] {
        random::<false>(window, seed);
    }
}

#[test]
fn requests_and_replies_find_each_other_in_two_areas() {
    for (seed, window) in [(4, 2), (5, 4), (6, 32)] {
        random::<true>(window, seed);
    }
}

/// The reply of one generation lies in the response area for a whole turn of generations, and must not answer the call that then has
/// the same.
#[test]
fn a_reply_that_lies_there_since_the_last_turn_answers_nothing() {
    let mut run = Run::<true>::new(2, 9);
    for turn in 0..3 {
        for step in 0..8192 {
            let slot = run.client.take().expect("nothing is in flight");
            // SAFETY: `take` gave the slot.
            put(unsafe { run.client.request(slot) }, run.sent);
            // Once a turn, at the same place, the reply goes to the response area.
            let overlay = if step == 77 {
                Overlay::Never
            } else {
                Overlay::Always
            };
            // SAFETY: `take` gave the slot.
            unsafe { run.client.send(slot, 7, 8, overlay) };
            run.in_flight.insert(run.sent, (slot, overlay));
            run.sent += 1;
            assert_eq!(run.client.poll(), None, "turn {turn}, step {step}");
            run.receive();
            assert_eq!(run.client.poll(), None, "turn {turn}, step {step}");
            run.answer();
            run.drain();
        }
    }
}

/// Whatever a client writes, the server stays in its memory and never holds a slot twice.
#[test]
fn a_client_that_writes_nonsense_harms_only_itself() {
    for seed in 1..20 {
        let memory = Plain::<true>::new(8);
        let mut lanes = LaneSet::default();
        // SAFETY: fresh memory, and the only end of its kind.
        lanes.add(unsafe { ServerLane::new(memory.clone(), ClientId(1), ()) });
        let mut random = Random(seed);
        let mut held = Vec::new();
        let mut received = 0;
        // The words of a real request, so that some of the nonsense is nearly right.
        for _ in 0..50_000 {
            let slot = random.below(memory.geometry().slots());
            let identity =
                (received as u64 + random.below(3) as u64) << 3 & 0xfff8 | 1 << random.below(2);
            let word = identity
                | (random.below(3) as u64) << 16
                | (random.below(12) as u64) << 32
                | (random.below(4) as u64) << 46
                | if random.below(9) == 0 {
                    random.0 & !0xffff
                } else {
                    0
                };
            // SAFETY: a slot that there is.
            let place = unsafe { memory.word(Area::Request, slot) };
            place.store(word, Ordering::Release);
            if let Some(ticket) = lanes.poll() {
                received += 1;
                // SAFETY: the set lives and is not changed.
                let lane = unsafe { ticket.lane() };
                // SAFETY: the ticket's own lane. The slot's existence is checked by `Plain::place`.
                let place = unsafe { lane.request(&ticket) };
                assert!(
                    held.iter().all(|(_, other)| *other != place),
                    "a slot is held twice"
                );
                held.push((ticket, place));
            }
            if !held.is_empty() && random.below(3) == 0 {
                let (ticket, _) = held.swap_remove(random.below(held.len()));
                // SAFETY: the set lives and is not changed.
                let lane = unsafe { ticket.lane() };
                // SAFETY: the ticket's own lane; it is answered once.
                let _ = unsafe { lane.reply(ticket, random.below(2) == 0, ReplyStatus::Ok, 8) };
            }
        }
        assert!(received > 100, "some of it was taken: {received}");
    }
}

/// A request whose reply goes elsewhere lies in its slot until that is used again, and must not be received a second time when its
/// generation comes round; nor may one be missed because an old one had the same generation.
#[test]
fn a_request_that_lies_there_since_the_last_turn_is_not_received_again() {
    let send = |run: &mut Run<true>, overlay: Overlay| {
        assert!(run.lanes.poll().is_none(), "nothing was sent");
        let slot = run.client.take().expect("there is room");
        // SAFETY: `take` gave the slot.
        put(unsafe { run.client.request(slot) }, run.sent);
        // SAFETY: `take` gave the slot.
        unsafe { run.client.send(slot, 7, 8, overlay) };
        run.in_flight.insert(run.sent, (slot, overlay));
        run.sent += 1;
        run.receive();
    };
    // So many pairs after the one whose second request splits bring its slot to the front of the free ones, for one of the numbers.
    for pairs in 0..6 {
        for splits in [true, false] {
            let mut run = Run::<true>::new(4, 9);
            for _ in 0..3 {
                send(&mut run, Overlay::Always);
                let second = if splits {
                    Overlay::Never
                } else {
                    Overlay::Always
                };
                send(&mut run, second);
                run.drain();
                for _ in 0..pairs {
                    send(&mut run, Overlay::Always);
                    send(&mut run, Overlay::Always);
                    run.drain();
                }
                for _ in 0..8192 - 2 - 2 * pairs {
                    send(&mut run, Overlay::Always);
                    run.drain();
                }
            }
        }
    }
}
