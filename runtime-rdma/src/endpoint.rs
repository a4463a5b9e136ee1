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
use crate::imm::{FromClient, FromServer, Tag};
use crate::link::Link;
use crate::polled::{Fault, Message, Polled, Received};
use crate::qp::Made;
use crate::sender::{MAX_HELD, SendFault, SendQueue};
use crate::shape::{SLACK, Shape};
use crate::slots::Slots;
use crate::verbs::{Channel, Cq, Qp, Region};
use crate::work::{Place, Work};

/// How long a client that goes waits until what it sent last has been received.
const FAREWELL_PATIENCE: u64 = 1_000_000_000;

/// How soon one comes back that has messages waiting for room in the device's queue.
const RETRY: u64 = 1_000_000;

/// A client's end of a queue pair. No field is public: what it promises of slots and buffers rests on all of them.
pub(crate) struct Endpoint {
    /// First: destroyed before the memory that it may write.
    qp: Qp,
    send_cq: Arc<Cq>,
    polled: Polled,
    channel: Arc<Channel>,
    queue: SendQueue,
    /// Requests, by slot, and what the device is told of them.
    requests: Region,
    works: Box<[Work]>,
    /// Of messages that are no requests: notes about events, in turn, and the farewell.
    notes: Box<[Work]>,
    next_note: usize,
    shape: Shape,
    /// Receive buffers.
    _arrivals: Buffers,
    /// Those that the device is to have again.
    spare: Chain,
    slots: Slots,
    /// Events that have arrived.
    events: VecDeque<Event>,
    given_back: GivenBack,
    holds: bool,
    /// Receive buffers.
    receives: usize,
    link: Arc<Link>,
    port: Port,
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
        let request = |slot| Place {
            // SAFETY: the region was made for as many requests as there are slots.
            start: unsafe { parts.requests.start().add(slot * parts.shape.request) },
            lkey: parts.requests.lkey(),
        };
        Self {
            works: Work::row((0..window).map(request)),
            notes: Work::row(std::iter::repeat_n(Place::NOWHERE, NOTES + 1)),
            next_note: 0,
            queue: SendQueue::new(made.depth, made.inline),
            qp: made.qp,
            send_cq: made.send_cq,
            // SAFETY: it was made for this queue pair alone, to which buffers are posted in chains, and is polled nowhere else.
            polled: unsafe { Polled::new(parts.recv_cq) },
            channel: parts.channel,
            requests: parts.requests,
            shape: parts.shape,
            _arrivals: parts.arrivals,
            spare: Chain::new(SLACK),
            slots: Slots::new(window, parts.shape.arrival()),
            events: VecDeque::with_capacity(parts.events),
            given_back: GivenBack::new(parts.events as u64),
            holds: false,
            receives: Shape::client_receives(window, parts.events),
            link: parts.link,
            port: parts.port,
        }
    }

    pub(crate) fn doorbells(&self) -> u64 {
        self.queue.doorbells()
    }

    /// A free slot.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<u16> {
        // That the server is gone is seen by whoever looks for the reply, as between threads and processes.
        self.slots.free()
    }

    /// The request of a slot.
    ///
    /// # Safety
    /// 1. [`take`](Self::take) gave the slot.
    #[inline(always)]
    pub(crate) unsafe fn request(&self, slot: u16) -> NonNull<u8> {
        let at = usize::from(slot) * self.shape.request;
        // SAFETY: the region was made for as many requests as there are slots.
        unsafe { self.requests.start().add(at) }
    }

    /// Sends the request of a slot.
    ///
    /// # Safety
    /// 1. The slot is taken, and its request was built.
    #[inline(always)]
    pub(crate) unsafe fn send(&mut self, slot: u16, method: u16, len: usize) {
        // SAFETY: promise 1; between `take` and this the client uses no other slot.
        let tag = unsafe { self.slots.send(slot) };
        let imm = FromClient::Request { tag, method }.to_bits();
        let Some(number) = self.queue.direct() else {
            // SAFETY: promise 1.
            return unsafe { self.line_up(slot, imm, len as u32) };
        };
        // SAFETY: promise 1, and there is one for each slot.
        let work = unsafe { self.works.get_unchecked(usize::from(slot)) };
        // SAFETY: 1. It was given just now. 2. It stays in its box, and is used again when the slot is, which is free only after a reply that was
        // taken when it had left. Likewise the slot's request: what goes not inline is read by the device alone then. Memory goes after the
        // queue pair.
        let sent = unsafe {
            self.queue
                .send_at_once(number, work, imm, len as u32, &self.qp)
        };
        if let Err(fault) = sent {
            self.note(fault);
        }
    }

    /// Adds the request of a slot to those that wait, and rings if they are not held back.
    ///
    /// # Safety
    /// As for [`send`](Self::send).
    #[inline(never)]
    unsafe fn line_up(&mut self, slot: u16, imm: u32, len: u32) {
        let work = &self.works[usize::from(slot)];
        // SAFETY: as in `send`.
        unsafe { self.queue.push(work, imm, len) };
        if !self.holds || self.queue.waiting() >= MAX_HELD {
            self.ring();
        }
    }

    #[inline(always)]
    fn ring(&mut self) {
        if let Err(fault) = self.queue.ring(&self.qp, &self.send_cq) {
            self.note(fault);
        }
    }

    #[cold]
    fn note(&self, fault: SendFault) {
        self.link
            .fail(|| fault.describe(self.port.device.context.library()));
    }

    pub(crate) fn hold_doorbell(&mut self) {
        self.set_holds(true);
    }

    pub(crate) fn ring_doorbell(&mut self) {
        self.set_holds(false);
        self.ring();
    }

    fn set_holds(&mut self, holds: bool) {
        self.holds = holds;
        self.queue.set_detour(holds);
    }

    /// The next reply, in any order.
    #[inline(always)]
    pub(crate) fn poll(&mut self) -> Option<Completion> {
        if self.polled.is_empty() {
            // Whoever polls goes on until there is nothing more, which was seen when the last ones came.
            if self.polled.take_is_all() {
                return None;
            }
            if self.slots.has_arrived() {
                return self.poll_arrived();
            }
            if self.queue.waiting() != 0 {
                self.harvest();
                return self.poll_arrived();
            }
            match self.polled.poll() {
                Some(1..) => {}
                Some(0) => {
                    // That has been said now.
                    self.polled.take_is_all();
                    return None;
                }
                None => {
                    self.lose_queue();
                    return None;
                }
            }
        } else if self.queue.waiting() != 0 {
            // What waits has no reply yet, whatever the server says.
            self.harvest();
            return self.poll_arrived();
        }
        if let Some(message) = self.polled.peek()
            && let Some(slot) = self.slots.replied(message.imm())
        {
            let (held, len) = message.take();
            return Some(self.slots.complete(slot, len, held));
        }
        // What is no reply, or none without an error.
        self.harvest();
        self.poll_arrived()
    }

    /// One of the replies that have arrived.
    #[inline(always)]
    fn poll_arrived(&mut self) -> Option<Completion> {
        let slot = self.slots.next_arrived()?;
        Some(self.slots.complete_arrived(slot))
    }

    /// The reply of this slot, if it has arrived.
    pub(crate) fn poll_slot(&mut self, slot: u16) -> Option<Completion> {
        self.is_slot_ready(slot)
            .then(|| self.slots.complete_arrived(slot))
    }

    /// True if the reply of this slot has arrived.
    #[inline(always)]
    pub(crate) fn is_slot_ready(&mut self, slot: u16) -> bool {
        if self.slots.is_arrived(slot) {
            return true;
        }
        self.harvest();
        self.slots.is_arrived(slot)
    }

    /// True if something has arrived.
    #[inline(always)]
    pub(crate) fn is_ready(&mut self) -> bool {
        if self.queue.waiting() != 0 {
            // Whoever waits wants what was held back to leave, also if there is something to poll.
            self.harvest();
        }
        if self.slots.has_arrived() || !self.events.is_empty() {
            return true;
        }
        self.harvest();
        self.slots.has_arrived() || !self.events.is_empty()
    }

    /// Frees a slot.
    ///
    /// # Safety
    /// 1. Its reply was polled, and it was not released since.
    #[inline(always)]
    pub(crate) unsafe fn release(&mut self, slot: u16) {
        // SAFETY: promise 1.
        if let Some(held) = unsafe { self.slots.release(slot) } {
            self.spare(held);
        }
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
        let work = &self.notes[self.next_note];
        self.next_note = (self.next_note + 1) % NOTES;
        if !self.queue.has_left(work) {
            // The server has sent events that it could not without having read the note, which has not left.
            let fault = self.queue.fail(SendFault::Full);
            return self.note(fault);
        }
        // SAFETY: 1. As was just seen; it stays in its box. 2. Of no bytes none is read.
        unsafe { self.queue.push(work, said.to_bits(), 0) };
        self.ring();
    }

    /// Lets the device have a buffer again, soon: the slack among the buffers is for those that wait here.
    #[inline(always)]
    fn spare(&mut self, held: Held) {
        if self.spare.push(held) {
            self.post_spare();
        }
    }

    #[cold]
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

    /// Takes in all that has arrived, and rings for what waits. Returns how much that was.
    #[cold]
    fn harvest(&mut self) -> usize {
        let known = self.take_in();
        if known != 0 && self.queue.waiting() == 0 && self.polled.take_is_all() {
            return known;
        }
        // At most as many as there are buffers to receive into: a server that goes on sending must not keep the client here.
        let mut most = self.receives;
        let mut all = known;
        loop {
            let count = if self.queue.waiting() == 0 {
                self.look();
                self.take_in()
            } else {
                self.look_and_ring()
            };
            all += count;
            most = most.saturating_sub(count);
            if self.polled.take_is_all() || most == 0 {
                return all;
            }
        }
    }

    /// Takes in what was polled: how much that was.
    #[inline]
    fn take_in(&mut self) -> usize {
        let mut count = 0;
        while let Some(received) = self.polled.take() {
            self.arrive(received);
            count += 1;
        }
        count
    }

    /// Polls the completion queue, of which everything was taken before.
    fn look(&mut self) {
        if self.polled.poll().is_none() {
            self.lose_queue();
        }
    }

    /// The same, takes it in, and rings for what was collected, or found no room: who looks for replies wants these, too. What comes is taken
    /// in before, as long as it is known what has not left. Returns how much that was.
    #[cold]
    fn look_and_ring(&mut self) -> usize {
        self.look();
        let count = self.take_in();
        self.ring();
        count
    }

    #[cold]
    fn lose_queue(&self) {
        self.link
            .fail(|| "the device's completion queue failed".into());
    }

    fn arrive(&mut self, received: Received) {
        let Received { held, what, .. } = received;
        let Message { imm, len, .. } = match what {
            Ok(message) => message,
            Err(Fault::Failed(status)) => {
                let library = self.port.device.context.library();
                self.link
                    .fail(|| format!("receiving from it failed: {}", library.status_text(status)));
                // Nothing is received any more.
                self.spare.push(held);
                return;
            }
            Err(Fault::Bare) => return self.object(held, "sends messages without immediate data"),
        };
        match FromServer::from_bits(imm) {
            FromServer::Reply { tag, status } => {
                let value = if status == ReplyStatus::Ok {
                    len
                } else {
                    number(&held, len)
                };
                let head = ReplyHead::new(status as u16, value);
                let has_left = |slot: usize| self.queue.has_left(&self.works[slot]);
                if let Some(unused) = self.slots.arrive(tag, head, Some(held), has_left) {
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
                    len,
                    buffer: held,
                });
            }
            FromServer::Freed => {
                let start = held.place().start.as_ptr();
                // SAFETY: so many bytes of the buffer were written by the device, which has given it up; it is held until after the loop.
                let list = unsafe { std::slice::from_raw_parts(start, len as usize) };
                for bits in list.chunks_exact(2) {
                    let tag = Tag::from_bits(u16::from_le_bytes([bits[0], bits[1]]));
                    let head = ReplyHead::new(ReplyStatus::Ok as u16, 0);
                    let has_left = |slot: usize| self.queue.has_left(&self.works[slot]);
                    self.slots.arrive(tag, head, None, has_left);
                }
                self.spare(held);
            }
            FromServer::Leaves => {
                self.spare(held);
                self.link.fail(|| "the server has left".into());
            }
        }
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
        self.slots.strays
    }

    /// Has the next completion make the channel readable; true if that was so since the last time.
    pub(crate) fn arm(&mut self) -> bool {
        // What is held back would leave both sides asleep.
        self.ring();
        let told = self.channel.take_events();
        let armed = told.and_then(|told| self.polled.arm().map(|()| told != 0));
        match armed {
            Ok(told) => told,
            Err(error) => {
                self.link
                    .fail(|| format!("the device gives no notice of completions: {error}"));
                true
            }
        }
    }

    /// The same, and looks: true if there is something that nobody was woken for.
    pub(crate) fn arm_and_look(&mut self) -> bool {
        let told = self.arm();
        self.harvest() != 0 || told
    }

    /// Sleeps until something has arrived, the bell rings, or the time has come.
    pub(crate) fn sleep(&self, bell: &Bell, until: u64) {
        let soon = self.looks_again_at().unwrap_or(u64::MAX);
        bell.wait(self.channel.fd(), until.min(soon));
    }

    /// When whoever sleeps has to look all the same: messages wait for room in the device's queue, which tells nobody when it has it.
    pub(crate) fn looks_again_at(&self) -> Option<u64> {
        (self.queue.waiting() != 0).then(|| clock::now() + RETRY)
    }

    /// Ends the connection, after what was sent has been received.
    pub(crate) fn leave(&mut self) {
        if !self.link.is_gone() {
            self.set_holds(false);
            let said = FromClient::Note {
                taken: 0,
                leaves: true,
            };
            // SAFETY: it is used here alone, once, and stays in its box.
            unsafe {
                self.queue
                    .push_signalled(&self.notes[NOTES], said.to_bits());
            }
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
