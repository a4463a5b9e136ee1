//! The lane under loom: every interleaving of two threads over a window of two slots.
//!
//! What loom cannot see: it does not model store buffering of Relaxed loads beyond the C11 rules it implements, and
//! the membarrier path is replaced by the fence on both sides, which is what the kernel's barrier stands for. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p runtime-lane --release`.

use core::ptr::NonNull;

use loom::cell::UnsafeCell;
use loom::sync::Arc as LoomArc;
use loom::sync::Notify;
use loom::thread;
use runtime_core::{ClientId, Overlay, ReplyStatus, SlotShape, Ticket};

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::{Area, BarrierScope, ClientEnd, Control, Geometry, LaneSet, Memory, ServerLane, Wake};

/// Words that loom watches, and a cell a body: taking its end counts as an access to it, so an access that no word orders
/// after the other side's is reported.
#[derive(Clone)]
struct Watched(LoomArc<Shared>);

struct Shared {
    geometry: Geometry,
    words: Vec<AtomicU64>,
    bodies: Vec<UnsafeCell<[u64; 16]>>,
    control: Control,
    server: Notify,
    client: Notify,
    /// Set by whatever wakes the server.
    rung: AtomicU32,
    /// Wakes by a message alone.
    message: Notify,
}

// SAFETY: the cells are the areas' bodies, which the two sides hand over by the words; that they do is what loom checks.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

const WINDOW: usize = 2;
const EVENTS: usize = 2;
const AREAS: usize = 2 * (WINDOW + 1) + EVENTS;

impl Watched {
    fn new() -> Self {
        Self(LoomArc::new(Shared {
            geometry: Geometry {
                window: WINDOW,
                events: EVENTS,
                shape: Self::SHAPE,
            },
            words: (0..AREAS).map(|_| AtomicU64::new(0)).collect(),
            bodies: (0..AREAS).map(|_| UnsafeCell::new([0; 16])).collect(),
            control: Control::new(false),
            server: Notify::new(),
            client: Notify::new(),
            rung: AtomicU32::new(0),
            message: Notify::new(),
        }))
    }

    fn index(area: Area, slot: usize) -> usize {
        match area {
            Area::Request => slot,
            Area::Response => WINDOW + 1 + slot,
            Area::Event => 2 * (WINDOW + 1) + slot,
        }
    }
}

// SAFETY: words and bodies are kept for as long as a clone lives; each area has its own; a body has 128 bytes.
unsafe impl Memory for Watched {
    const SCOPE: BarrierScope = BarrierScope::Process;
    const OVERLAYS: bool = true;
    const SHAPE: SlotShape = SlotShape {
        request_area: 64,
        response_area: 64,
        event_area: 64,
    };

    fn geometry(&self) -> &Geometry {
        &self.0.geometry
    }

    unsafe fn word(&self, area: Area, slot: usize) -> &AtomicU64 {
        &self.0.words[Self::index(area, slot)]
    }

    unsafe fn body(&self, area: Area, slot: usize) -> NonNull<u8> {
        let body = self.0.bodies[Self::index(area, slot)].with_mut(<*mut _>::cast);
        NonNull::new(body).expect("the pointer of a cell is not null")
    }

    fn control(&self) -> &Control {
        &self.0.control
    }

    fn wake_server(&self, wake: Wake) {
        // Release: pairs with the Acquire in the models that look at it.
        self.0.rung.store(1, Ordering::Release);
        self.0.server.notify();
        if wake == Wake::Message {
            self.0.message.notify();
        }
    }

    fn wake_client(&self, _: Wake) {
        self.0.client.notify();
    }
}

/// Writes the first word of a body.
fn put(body: NonNull<u8>, value: u64) {
    // SAFETY: 16 words.
    unsafe { body.cast::<u64>().write(value) };
}

/// Reads the first word of a body.
fn get(body: NonNull<u8>) -> u64 {
    // SAFETY: 16 words.
    unsafe { body.cast::<u64>().read() }
}

/// Runs a model with a bound on pre-emptions: three find every bug that was ever seen in such protocols, and keep a run short.
fn model(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(test);
}

fn ends() -> (ClientEnd<Watched>, LaneSet<Watched>, Watched) {
    let memory = Watched::new();
    let mut lanes = LaneSet::default();
    // SAFETY: fresh memory, and the only end of its kind.
    lanes.add(unsafe { ServerLane::new(memory.clone(), ClientId(1), ()) });
    // SAFETY: as above.
    let client = unsafe { ClientEnd::new(memory.clone()) };
    (client, lanes, memory)
}

fn send(client: &mut ClientEnd<Watched>, value: u64, overlay: Overlay) {
    let slot = client.take().expect("the window is not full");
    // SAFETY: `take` gave the slot.
    put(unsafe { client.request(slot) }, value);
    // SAFETY: `take` gave the slot.
    unsafe { client.send(slot, 1, 8, overlay) };
}

/// Answers as many requests, each with its value and a hundred.
fn answer(lanes: &mut LaneSet<Watched>, count: usize, overlay: Overlay) {
    let mut answered = 0;
    while answered < count {
        let Some(ticket) = lanes.poll() else {
            thread::yield_now();
            continue;
        };
        assert_eq!(ticket.method(), 1);
        let overlay = overlay.applies(ticket.in_a_row());
        // SAFETY: the set is not changed while the ticket is in use.
        let lane = unsafe { ticket.lane() };
        // SAFETY: the ticket is of this lane and unanswered.
        let value = get(unsafe { lane.request(&ticket) });
        // SAFETY: as above.
        put(unsafe { lane.response(&ticket, overlay) }, value + 100);
        // SAFETY: as above.
        unsafe { lane.reply(ticket, overlay, ReplyStatus::Ok, 8) }.expect("the client lives");
        answered += 1;
    }
}

fn receive(client: &mut ClientEnd<Watched>) -> u64 {
    loop {
        if let Some(completion) = client.poll() {
            let value = get(completion.place);
            // SAFETY: `poll` gave the slot.
            unsafe { client.release(completion.slot) };
            return value;
        }
        thread::yield_now();
    }
}

fn calls(overlay: Overlay) {
    model(move || {
        let (mut client, mut lanes, _memory) = ends();
        let server = thread::spawn(move || {
            answer(&mut lanes, 2, overlay);
            lanes
        });
        send(&mut client, 1, overlay);
        assert_eq!(receive(&mut client), 101);
        send(&mut client, 2, overlay);
        assert_eq!(receive(&mut client), 102);
        server.join().expect("the server ends");
    });
}

#[test]
fn calls_one_after_the_other_in_their_own_lines() {
    calls(Overlay::Always);
}

#[test]
fn calls_one_after_the_other_with_split_replies() {
    calls(Overlay::Never);
}

fn two_calls(overlay: Overlay) {
    model(move || {
        let (mut client, mut lanes, _memory) = ends();
        let server = thread::spawn(move || {
            answer(&mut lanes, 2, overlay);
            lanes
        });
        send(&mut client, 1, overlay);
        send(&mut client, 2, overlay);
        assert!(client.take().is_none(), "the window is two");
        assert_eq!(receive(&mut client), 101);
        assert_eq!(receive(&mut client), 102);
        server.join().expect("the server ends");
    });
}

#[test]
fn two_calls_in_flight() {
    two_calls(Overlay::Always);
}

#[test]
fn two_calls_in_flight_of_which_the_second_is_overwritten() {
    two_calls(Overlay::InARow);
}

fn one_call_and_then_two(overlay: Overlay) {
    model(move || {
        let (mut client, mut lanes, _memory) = ends();
        let server = thread::spawn(move || {
            answer(&mut lanes, 3, overlay);
            lanes
        });
        send(&mut client, 1, overlay);
        assert_eq!(receive(&mut client), 101);
        // The first of these goes to the slot of the one before, the other to the slot that was named.
        send(&mut client, 2, overlay);
        send(&mut client, 3, overlay);
        assert_eq!(receive(&mut client), 102);
        assert_eq!(receive(&mut client), 103);
        server.join().expect("the server ends");
    });
}

#[test]
fn one_call_and_then_two_in_flight() {
    one_call_and_then_two(Overlay::Always);
}

#[test]
fn one_call_and_then_two_in_flight_of_which_the_last_is_overwritten() {
    one_call_and_then_two(Overlay::InARow);
}

#[test]
fn a_sleeping_server_is_woken() {
    model(|| {
        let (mut client, mut lanes, memory) = ends();
        let server = thread::spawn(move || {
            loop {
                if let Some(ticket) = lanes.poll() {
                    // SAFETY: the set is not changed while the ticket is in use.
                    let lane = unsafe { ticket.lane() };
                    // SAFETY: the ticket is of this lane and unanswered.
                    unsafe { lane.reply(ticket, true, ReplyStatus::Ok, 0) }
                        .expect("the client lives");
                    return lanes;
                }
                // A lost wake-up is a deadlock here, which loom reports.
                if !lanes.announce_sleep() {
                    memory.0.server.wait();
                }
                lanes.end_sleep();
            }
        });
        send(&mut client, 1, Overlay::Always);
        server.join().expect("the server ends");
    });
}

/// A lane sleeps, to be woken in the one way, and then the server waits for the other way alone.
#[test]
fn a_server_that_comes_to_wait_for_messages_is_woken() {
    model(|| {
        let (mut client, mut lanes, memory) = ends();
        let (other_client, _, other) = ends();
        // SAFETY: fresh memory, and the only end that is used.
        lanes.add(unsafe { ServerLane::new(other, ClientId(2), ()) });
        for _ in 0..4 {
            assert!(lanes.poll().is_none());
        }
        let is_asleep = memory.control().server().wake().is_some();
        assert!(is_asleep, "the first lane has become idle");
        memory
            .control()
            .server()
            .announce_without_barrier(Wake::Thread);
        let server = thread::spawn(move || {
            loop {
                // Acquire: pairs with the Release in `wake_server`.
                if memory.0.rung.swap(0, Ordering::AcqRel) != 0 {
                    lanes.wake(0);
                }
                if let Some(ticket) = lanes.poll() {
                    // SAFETY: the set is not changed while the ticket is in use.
                    let lane = unsafe { ticket.lane() };
                    // SAFETY: the ticket is of this lane and unanswered.
                    unsafe { lane.reply(ticket, true, ReplyStatus::Ok, 0) }
                        .expect("the client lives");
                    return lanes;
                }
                lanes.wake_by_message();
                // Acquire: as above.
                let has_rung = |memory: &Watched| memory.0.rung.load(Ordering::Acquire) != 0;
                // A lost wake-up is a deadlock here, which loom reports.
                if !lanes.announce_sleep() && !has_rung(&memory) {
                    memory.0.message.wait();
                }
                lanes.end_sleep();
            }
        });
        send(&mut client, 1, Overlay::Always);
        server.join().expect("the server ends");
        drop(other_client);
    });
}

#[test]
fn a_sleeping_client_is_woken() {
    model(|| {
        let (mut client, mut lanes, memory) = ends();
        send(&mut client, 1, Overlay::Never);
        let server = thread::spawn(move || {
            answer(&mut lanes, 1, Overlay::Never);
            lanes
        });
        while client.poll().is_none() {
            client.announce_sleep(Wake::Thread);
            if !client.any_ready() {
                memory.0.client.wait();
            }
            client.end_sleep();
        }
        server.join().expect("the server ends");
    });
}

#[test]
fn a_reply_sent_before_the_server_went_is_seen() {
    model(|| {
        let (mut client, mut lanes, memory) = ends();
        send(&mut client, 1, Overlay::Always);
        let server = thread::spawn(move || {
            answer(&mut lanes, 1, Overlay::Always);
            drop(lanes);
        });
        while !memory.control().server_is_gone() {
            thread::yield_now();
        }
        assert!(client.poll().is_some(), "the reply came before the end");
        server.join().expect("the server ends");
    });
}

#[test]
fn events_are_handed_over() {
    model(|| {
        let (mut client, lanes, _memory) = ends();
        let server = thread::spawn(move || {
            let lane = std::sync::Arc::clone(lanes.iter().next().expect("there is a lane"));
            for value in 0..3 {
                // SAFETY: this is the only thread that does.
                while unsafe { lane.emit(1, 8, &mut |body| put(body, value)) }.is_err() {
                    thread::yield_now();
                }
            }
            lanes
        });
        for value in 0..3 {
            let head = loop {
                if let Some(head) = client.poll_event() {
                    break head;
                }
                thread::yield_now();
            };
            // SAFETY: `poll_event` gave it.
            assert_eq!(get(unsafe { client.event_bytes(&head) }), value);
            client.release_event();
        }
        server.join().expect("the server ends");
    });
}
