//! The client's end of a queue pair: its slots, what arrives, and what is given back.

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::Arc;

use runtime_core::{ArrivedHead, Completion, ReplyHead, ReplyStatus};
use runtime_os::clock;

use crate::bell::Bell;
use crate::buffer::{Buffers, Chain, Held};
use crate::device::Port;
use crate::given_back::{GivenBack, NOTES};
use crate::imm::{FromClient, FromServer, Tag, next_generation};
use crate::link::Link;
use crate::qp::Made;
use crate::sender::{MAX_HELD, Place, SendQueue};
use crate::shape::{SLACK, Shape};
use crate::verbs::bindings::{IBV_WC_RECV, IBV_WC_SUCCESS, IBV_WC_WITH_IMM, ibv_wc};
use crate::verbs::{Channel, Cq, Qp, Region};

/// Completions that are polled at a time.
const BATCH: usize = 16;

/// How long a client that goes waits until what it sent last has been received.
const FAREWELL_PATIENCE: u64 = 1_000_000_000;

/// How soon one comes back that has messages waiting for room in the device's queue.
const RETRY: u64 = 1_000_000;

/// A client's end of a queue pair. No field is public: what it promises of slots and buffers rests on all of them.
pub(crate) struct Endpoint {
    /// First: destroyed before the memory that it may write.
    qp: Qp,
    send_cq: Arc<Cq>,
    recv_cq: Arc<Cq>,
    channel: Arc<Channel>,
    queue: SendQueue,
    /// Requests, by slot.
    requests: Region,
    shape: Shape,
    /// Receive buffers.
    _arrivals: Buffers,
    /// Those that the device is to have again.
    spare: Chain,
    slots: Box<[Slot]>,
    /// Slots that are free, the one used last on top: its memory is still near.
    free: Vec<u16>,
    /// A bit for each slot whose reply has arrived and was not polled.
    arrived: Box<[u64]>,
    arrived_count: usize,
    /// True if `poll` has taken in all that there was, and has not said so.
    was_drained: bool,
    /// Events that have arrived.
    events: VecDeque<Event>,
    given_back: GivenBack,
    holds: bool,
    completions: Box<[ibv_wc]>,
    /// Receive buffers.
    receives: usize,
    /// The place of a response without a body, which has to have room for one.
    nothing: Box<[u64]>,
    link: Arc<Link>,
    port: Port,
    /// Replies that came twice, or for nothing.
    strays: u64,
}

/// What is known of a slot.
struct Slot {
    generation: u8,
    phase: Phase,
    /// Number of its request among the messages.
    number: u64,
    /// What the reply says.
    head: ReplyHead,
    /// Where its body is, unless it has none.
    buffer: Option<Held>,
}

/// Where a slot is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Free,
    InFlight,
    Arrived,
    Polled,
}

/// An event that has arrived.
struct Event {
    method: u16,
    len: u32,
    buffer: Held,
}

/// What an endpoint is made of.
pub(crate) struct Parts {
    pub(crate) made: Made,
    pub(crate) recv_cq: Arc<Cq>,
    pub(crate) channel: Arc<Channel>,
    pub(crate) requests: Region,
    pub(crate) arrivals: Buffers,
    pub(crate) link: Arc<Link>,
    pub(crate) port: Port,
    pub(crate) shape: Shape,
    pub(crate) window: usize,
    pub(crate) events: usize,
}

impl Endpoint {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { made, window, .. } = parts;
        let slot = |_| Slot {
            generation: 0,
            phase: Phase::Free,
            number: 0,
            head: ReplyHead::new(0, 0),
            buffer: None,
        };
        Self {
            queue: SendQueue::new(made.depth, window + NOTES + 1, made.qp.max_inline()),
            qp: made.qp,
            send_cq: made.send_cq,
            recv_cq: parts.recv_cq,
            channel: parts.channel,
            requests: parts.requests,
            shape: parts.shape,
            _arrivals: parts.arrivals,
            spare: Chain::new(),
            slots: (0..window).map(slot).collect(),
            free: (0..window as u16).rev().collect(),
            arrived: vec![0; window.div_ceil(64)].into_boxed_slice(),
            arrived_count: 0,
            was_drained: false,
            events: VecDeque::with_capacity(parts.events),
            given_back: GivenBack::new(parts.events as u64),
            holds: false,
            completions: vec![ibv_wc::default(); BATCH].into_boxed_slice(),
            receives: Shape::client_receives(window, parts.events),
            nothing: vec![0; parts.shape.arrival() / size_of::<u64>()].into_boxed_slice(),
            link: parts.link,
            port: parts.port,
            strays: 0,
        }
    }

    pub(crate) fn doorbells(&self) -> u64 {
        self.queue.doorbells()
    }

    /// A free slot, if the send queue has room for its request, too.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<u16> {
        let &slot = self.free.last()?;
        if !self.queue.has_room(1) && !self.make_room() {
            return None;
        }
        if self.link.is_gone() {
            return None;
        }
        // It stays on top until it is sent.
        Some(slot)
    }

    #[cold]
    fn make_room(&mut self) -> bool {
        if let Err(fault) = self.queue.reap(&self.send_cq) {
            self.link
                .fail(|| fault.describe(self.port.device.context.library()));
        }
        self.queue.has_room(1)
    }

    /// The request of a slot.
    #[inline(always)]
    pub(crate) fn request(&self, slot: u16) -> NonNull<u8> {
        assert!(usize::from(slot) < self.slots.len());
        // SAFETY: the region was made for as many requests as there are slots.
        unsafe {
            self.requests
                .start()
                .add(usize::from(slot) * self.shape.request)
        }
    }

    /// Sends the request of a slot.
    ///
    /// # Safety
    /// 1. The slot is taken, and its request was built.
    #[inline(always)]
    pub(crate) unsafe fn send(&mut self, slot: u16, method: u16, len: usize) {
        let place = Place {
            start: self.request(slot),
            lkey: self.requests.lkey(),
        };
        let taken = self.free.pop();
        debug_assert_eq!(
            taken,
            Some(slot),
            "it was taken, and nothing was released since"
        );
        let state = &mut self.slots[usize::from(slot)];
        state.generation = next_generation(state.generation);
        state.phase = Phase::InFlight;
        let tag = Tag {
            slot,
            generation: state.generation,
        };
        let said = FromClient::Request { tag, method };
        // SAFETY: the slot's request is written again only when a reply has arrived that is taken for its own, after it has left (`reply`):
        // what goes not inline is read by the device alone then. Memory goes after the queue pair.
        let number = unsafe { self.queue.push(said.to_bits(), place, len as u32) };
        self.slots[usize::from(slot)].number = number;
        if !self.holds || self.queue.waiting() >= MAX_HELD {
            self.ring();
        }
    }

    #[inline(always)]
    fn ring(&mut self) {
        if let Err(fault) = self.queue.ring(&self.qp, &self.send_cq) {
            self.link
                .fail(|| fault.describe(self.port.device.context.library()));
        }
    }

    pub(crate) fn hold_doorbell(&mut self) {
        self.holds = true;
    }

    pub(crate) fn ring_doorbell(&mut self) {
        self.holds = false;
        self.ring();
    }

    /// The next reply, in any order.
    #[inline(always)]
    pub(crate) fn poll(&mut self) -> Option<Completion> {
        if self.arrived_count == 0 {
            // Whoever polls goes on until there is nothing more, which was seen when the last ones came.
            if std::mem::take(&mut self.was_drained) {
                return None;
            }
            self.harvest();
            if self.arrived_count == 0 {
                return None;
            }
            self.was_drained = true;
        }
        let (at, bits) = self
            .arrived
            .iter()
            .enumerate()
            .find(|(_, bits)| **bits != 0)?;
        self.complete((at * 64 + bits.trailing_zeros() as usize) as u16)
    }

    /// The reply of this slot, if it has arrived.
    pub(crate) fn poll_slot(&mut self, slot: u16) -> Option<Completion> {
        if self.is_slot_ready(slot) {
            self.complete(slot)
        } else {
            None
        }
    }

    #[inline(always)]
    fn complete(&mut self, slot: u16) -> Option<Completion> {
        let nothing = NonNull::from(&*self.nothing).cast::<u8>();
        let state = &mut self.slots[usize::from(slot)];
        state.phase = Phase::Polled;
        self.arrived[usize::from(slot) / 64] &= !(1 << (slot % 64));
        self.arrived_count -= 1;
        Some(Completion {
            slot,
            head: state.head,
            place: state
                .buffer
                .as_ref()
                .map_or(nothing, |held| held.place().start),
        })
    }

    /// True if the reply of this slot has arrived.
    #[inline(always)]
    pub(crate) fn is_slot_ready(&mut self, slot: u16) -> bool {
        if self.slots[usize::from(slot)].phase == Phase::Arrived {
            return true;
        }
        self.harvest();
        self.slots[usize::from(slot)].phase == Phase::Arrived
    }

    /// True if something has arrived.
    #[inline(always)]
    pub(crate) fn is_ready(&mut self) -> bool {
        if self.arrived_count != 0 || !self.events.is_empty() {
            return true;
        }
        self.harvest();
        self.arrived_count != 0 || !self.events.is_empty()
    }

    /// Frees a slot whose reply was polled.
    #[inline(always)]
    pub(crate) fn release(&mut self, slot: u16) {
        let state = &mut self.slots[usize::from(slot)];
        state.phase = Phase::Free;
        if let Some(held) = state.buffer.take() {
            self.spare(held);
        }
        self.free.push(slot);
    }

    /// The oldest event.
    pub(crate) fn poll_event(&mut self) -> Option<ArrivedHead> {
        if self.events.is_empty() {
            self.harvest();
        }
        match self.events.front() {
            Some(event) => Some(ArrivedHead {
                slot: 0,
                method: event.method,
                len: event.len as usize,
            }),
            None => {
                // All that there were have been taken: a server that waits for room learns of it now.
                self.tell_taken();
                None
            }
        }
    }

    /// The arguments of the oldest event.
    pub(crate) fn event(&self) -> NonNull<u8> {
        self.events
            .front()
            .map_or(NonNull::dangling(), |event| event.buffer.place().start)
    }

    /// Gives up the oldest event.
    pub(crate) fn release_event(&mut self) {
        let Some(event) = self.events.pop_front() else {
            return;
        };
        self.spare(event.buffer);
        self.given_back.taken += 1;
        if u64::from(self.given_back.taken) * 2 >= self.given_back.window {
            self.tell_taken();
        }
    }

    /// Tells the server which buffers of events are free, after the device has them.
    fn tell_taken(&mut self) {
        if self.given_back.taken == 0 {
            return;
        }
        let Some(taken) = self.given_back.note() else {
            return;
        };
        self.post_spare();
        let said = FromClient::Note {
            taken,
            leaves: false,
        };
        self.push_note(said);
        self.ring();
    }

    fn push_note(&mut self, said: FromClient) {
        let nowhere = Place {
            start: NonNull::dangling(),
            lkey: 0,
        };
        // SAFETY: of no bytes none is read.
        unsafe { self.queue.push(said.to_bits(), nowhere, 0) };
    }

    /// Lets the device have a buffer again, soon: the slack among the buffers is for those that wait here.
    #[inline(always)]
    fn spare(&mut self, held: Held) {
        self.spare.push(held);
        if self.spare.len() as usize >= SLACK / 2 {
            self.post_spare();
        }
    }

    fn post_spare(&mut self) {
        let qp = &self.qp;
        // SAFETY: a chain is a list of requests whose buffers nobody else has, and their memory goes after the queue pair.
        let posted = self.spare.post(|first| unsafe { qp.post_recv(first) });
        if let Err(errno) = posted {
            self.link.fail(|| {
                format!(
                    "the device takes no receive buffer: {}",
                    std::io::Error::from_raw_os_error(errno)
                )
            });
        }
    }

    /// Takes in all that has arrived.
    #[inline]
    fn harvest(&mut self) {
        // As often as there are buffers to receive into: a server that goes on sending must not keep the client here.
        for _ in 0..=self.receives / BATCH {
            if self.harvest_batch() < BATCH {
                break;
            }
        }
    }

    /// Takes in what fits a batch: how many completions there were.
    #[inline]
    fn harvest_batch(&mut self) -> usize {
        let Ok(count) = self.recv_cq.poll(&mut self.completions) else {
            self.link
                .fail(|| "the device's completion queue failed".into());
            return 0;
        };
        for at in 0..count {
            let completion = self.completions[at];
            // SAFETY: just polled, from the queue of the one queue pair to which only chains are posted.
            let held = unsafe { Held::completed(completion.wr_id) };
            if completion.status != IBV_WC_SUCCESS {
                self.fail(completion.status);
                self.spare.push(held);
                continue;
            }
            self.arrive(&completion, held);
        }
        if self.queue.waiting() != 0 {
            // Collected, or the device had no room for it: who looks for replies wants these, too.
            self.ring();
        }
        count
    }

    #[cold]
    fn fail(&self, status: u32) {
        let library = self.port.device.context.library();
        self.link
            .fail(|| format!("receiving from it failed: {}", library.status_text(status)));
    }

    #[inline(always)]
    fn arrive(&mut self, completion: &ibv_wc, held: Held) {
        if completion.wc_flags & IBV_WC_WITH_IMM == 0 || completion.opcode != IBV_WC_RECV {
            return self.object(held, "sends messages without immediate data");
        }
        // SAFETY: the flag says that this is the member that was written; any bits are a number.
        let bits = u32::from_be(unsafe { completion.__bindgen_anon_1.imm_data });
        match FromServer::from_bits(bits) {
            FromServer::Reply { tag, status } => {
                let len = completion.byte_len;
                let value = if status == ReplyStatus::Ok {
                    len
                } else {
                    number(&held, len)
                };
                let head = ReplyHead::new(status as u16, value);
                if let Some(unused) = self.reply(tag, head, Some(held)) {
                    self.spare(unused);
                }
            }
            FromServer::Event { method } => {
                if self.events.len() as u64 >= self.given_back.window {
                    return self.object(held, "sends more events than it may");
                }
                self.given_back.arrive();
                self.events.push_back(Event {
                    method,
                    len: completion.byte_len,
                    buffer: held,
                });
            }
            FromServer::Freed => {
                let start = held.place().start.as_ptr();
                // SAFETY: so many bytes of the buffer were written by the device, which has given it up; it is held until after the loop.
                let list =
                    unsafe { std::slice::from_raw_parts(start, completion.byte_len as usize) };
                for bits in list.chunks_exact(2) {
                    let tag = Tag::from_bits(u16::from_le_bytes([bits[0], bits[1]]));
                    let head = ReplyHead::new(ReplyStatus::Ok as u16, 0);
                    self.reply(tag, head, None);
                }
                self.spare(held);
            }
            FromServer::Leaves => {
                self.spare(held);
                self.link.fail(|| "the server has left".into());
            }
        }
    }

    /// Notes the reply of a slot; gives the buffer back if there is no such call.
    #[inline(always)]
    fn reply(&mut self, tag: Tag, head: ReplyHead, buffer: Option<Held>) -> Option<Held> {
        let queue = &self.queue;
        let slot = self.slots.get_mut(usize::from(tag.slot)).filter(|slot| {
            // A reply to what has not left is none.
            slot.phase == Phase::InFlight
                && slot.generation == tag.generation
                && queue.is_posted(slot.number)
        });
        let Some(slot) = slot else {
            self.strays += 1;
            return buffer;
        };
        slot.phase = Phase::Arrived;
        slot.head = head;
        slot.buffer = buffer;
        self.arrived[usize::from(tag.slot) / 64] |= 1 << (tag.slot % 64);
        self.arrived_count += 1;
        None
    }

    /// Ends the connection with a server that does not keep the protocol.
    #[cold]
    fn object(&mut self, held: Held, what: &str) {
        self.spare(held);
        self.link
            .fail(|| format!("it does not keep the protocol: it {what}"));
    }

    /// Replies that came for no call.
    pub(crate) fn strays(&self) -> u64 {
        self.strays
    }

    /// Has the next completion make the channel readable.
    pub(crate) fn arm(&mut self) {
        // What is held back would leave both sides asleep.
        self.ring();
        let armed = self.channel.take_events().and_then(|_| self.recv_cq.arm());
        if let Err(error) = armed {
            self.link
                .fail(|| format!("the device gives no notice of completions: {error}"));
        }
    }

    /// Sleeps until something has arrived, the bell rings, or the time has come.
    pub(crate) fn sleep(&self, bell: &Bell, until: u64) {
        let soon = clock::now() + RETRY;
        let until = if self.queue.waiting() == 0 {
            until
        } else {
            // The device has no room, and tells nobody when it has again.
            until.min(soon)
        };
        bell.wait(self.channel.fd(), until);
    }

    /// True if messages wait for room in the device's queue.
    pub(crate) fn lags(&self) -> bool {
        self.queue.waiting() != 0
    }

    /// Ends the connection, after what was sent has been received.
    pub(crate) fn leave(&mut self) {
        if !self.link.is_gone() {
            self.holds = false;
            self.queue.signal_next();
            self.push_note(FromClient::Note {
                taken: 0,
                leaves: true,
            });
            self.ring();
            let until = clock::now() + FAREWELL_PATIENCE;
            while self.queue.fault().is_none()
                && (self.queue.waiting() != 0 || self.queue.outstanding() != 0)
                && clock::now() < until
                && !self.link.is_gone()
            {
                // A fault ends the loop.
                let _ = self.queue.reap(&self.send_cq);
                let _ = self.queue.ring(&self.qp, &self.send_cq);
                std::thread::yield_now();
            }
        }
        self.link
            .fail(|| "this side has ended the connection".into());
        self.port.device.strike(self.qp.number());
        // It may be there already, by an error.
        let _ = self.qp.to_error();
        self.link.hang_up();
    }
}

/// The number that a refusal carries; 0 if it is too short for one.
#[cold]
fn number(held: &Held, len: u32) -> u32 {
    if (len as usize) < size_of::<u32>() {
        return 0;
    }
    // SAFETY: so many bytes of the buffer were written by the device, which has given it up; it is aligned.
    u32::from_le(unsafe { held.place().start.cast::<u32>().read() })
}
