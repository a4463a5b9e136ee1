//! A client as its server has it: its queue pair, what is sent to it, and which of its slots are held.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use runtime_core::{ClientId, ReplyError, ReplyStatus};
use runtime_os::{Watch, clock, unwatch};

use crate::bell::LAGS;
use crate::buffer::Held;
use crate::device::Port;
use crate::hub::{Hub, Seat};
use crate::imm::{FromServer, Tag};
use crate::link::Link;
use crate::outgoing::Outgoing;
use crate::pool::Pool;
use crate::qp::Made;
use crate::sender::{MAX_HELD, SendFault, SendQueue};
use crate::slot::Slot;
use crate::ticket::RdmaTicket;
use crate::verbs::{Cq, Qp, Region};

/// A client of a server. Kept by the server while the client is connected, and by every token of one of its requests.
pub struct Connection {
    /// First, so that nobody looks at the socket any more when the rest goes.
    watch: OnceLock<Watch>,
    /// Destroyed by `drop`, before the memory that it may read is given up.
    qp: ManuallyDrop<Qp>,
    send_cq: Arc<Cq>,
    out: Mutex<Outgoing>,
    pub(crate) id: ClientId,
    /// Its place among the server's connections.
    pub(crate) seat: u32,
    pub(crate) link: Arc<Link>,
    pub(crate) window: usize,
    /// The event window.
    pub(crate) events: usize,
    slots: Box<[Slot]>,
    /// How many messages have left, all in all.
    posted: AtomicU64,
    /// True once its queue pair can receive.
    ready: AtomicBool,
    hub: Arc<Hub>,
    pool: Arc<Pool>,
    port: Port,
    /// What `seat` is the number of. Last, so that what the client takes up is given up before.
    _seat: Seat,
}

/// Bytes of a reply that are copied from the request's buffer instead of sent from there: a line.
const COPIED: usize = 64;

/// What a connection is made of besides its queue pair.
pub(crate) struct Ends {
    pub(crate) port: Port,
    pub(crate) pool: Arc<Pool>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) link: Arc<Link>,
    pub(crate) seat: Seat,
    pub(crate) id: ClientId,
    pub(crate) window: usize,
    pub(crate) events: usize,
    /// Where the responses of its slots are built.
    pub(crate) responses: Vec<Held>,
    /// Where its events are.
    pub(crate) event_memory: Option<Region>,
}

/// What a request is answered.
struct Answer<'a> {
    slot: &'a Slot,
    tag: Tag,
    /// Where the request lies.
    request: Held,
    overlay: bool,
    status: ReplyStatus,
    value: u32,
    rings: bool,
}

impl Connection {
    pub(crate) fn new(made: Made, ends: Ends) -> Arc<Self> {
        let Ends {
            window,
            events,
            responses,
            event_memory,
            ..
        } = ends;
        let queue = SendQueue::new(made.depth, made.inline);
        let bytes = ends.pool.shape.event;
        let out = Outgoing::new(queue, events, bytes, event_memory);
        let connection = Self {
            watch: OnceLock::new(),
            out: Mutex::new(out),
            qp: ManuallyDrop::new(made.qp),
            send_cq: made.send_cq,
            seat: ends.seat.number,
            id: ends.id,
            link: ends.link,
            window,
            events,
            slots: Slot::row(responses),
            posted: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            hub: ends.hub,
            pool: ends.pool,
            port: ends.port,
            _seat: ends.seat,
        };
        let device = &connection.port.device;
        device.enlist(connection.qpn(), connection.port.number, &connection.link);
        Arc::new(connection)
    }

    /// Keeps the watching of the socket for as long as there is a connection.
    pub(crate) fn keep_watch(&self, watch: Watch) {
        let _ = self.watch.set(watch);
    }

    pub(crate) fn qpn(&self) -> u32 {
        self.qp.number()
    }

    #[inline(always)]
    fn out(&self) -> MutexGuard<'_, Outgoing> {
        self.out.lock()
    }

    /// Says that the client's queue pair can receive.
    pub(crate) fn set_ready(&self) {
        // Release: pairs with the Acquire in `is_ready`.
        self.ready.store(true, Ordering::Release);
    }

    /// True if something can be sent to it.
    pub(crate) fn is_ready(&self) -> bool {
        // Acquire: pairs with the Release in `set_ready`.
        self.ready.load(Ordering::Acquire)
    }

    /// Marks the slot of an arriving request held; false if the client may not have sent it.
    #[inline(always)]
    pub(crate) fn accept(&self, tag: Tag) -> bool {
        let Some(slot) = self.slots.get(tag.slot()) else {
            return false;
        };
        // Acquire: pairs with the Release of whoever answered the slot's last request.
        let state = slot.state.load(Ordering::Acquire);
        // Acquire: pairs with the Release of whoever rang after that.
        if state > self.posted.load(Ordering::Acquire) && !self.has_posted(state) {
            return false;
        }
        // Relaxed: only the server's thread makes a slot held, and it gives the request to nobody who would not have it from this thread.
        slot.state.store(Slot::HELD, Ordering::Relaxed);
        true
    }

    /// The same for one whose reply may be leaving now: the client may have it before whoever rings says so.
    #[cold]
    fn has_posted(&self, state: u64) -> bool {
        state <= self.out().queue.posted()
    }

    /// The slot of a held request.
    ///
    /// # Safety
    /// 1. The request came from this connection.
    #[inline(always)]
    unsafe fn slot(&self, ticket: &RdmaTicket) -> &Slot {
        // SAFETY: `accept` has found the slot.
        unsafe { self.slots.get_unchecked(ticket.tag().slot()) }
    }

    /// Where a held request lies, and where its response is built: in the same place with `overlay`.
    ///
    /// # Safety
    /// 1. The request came from this connection.
    #[inline(always)]
    pub(crate) unsafe fn response(&self, ticket: &RdmaTicket, overlay: bool) -> NonNull<u8> {
        let buffer = if overlay {
            ticket.buffer()
        } else {
            // SAFETY: promise 1.
            unsafe { self.slot(ticket) }.response_buffer()
        };
        // SAFETY: buffers live as long as the pool, which this keeps.
        unsafe { buffer.as_ref() }.place.start
    }

    /// Answers a held request. `give_back` gets the buffer that the device is to have again. With `rings` the doorbell rings, also for what
    /// was collected before.
    ///
    /// # Safety
    /// 1. The request came from this connection, is held, and is given up here.
    /// 2. With [`ReplyStatus::Ok`], `value` is the length of the response, which has been built at [`response`](Self::response).
    #[inline(always)]
    pub(crate) unsafe fn answer(
        &self,
        ticket: RdmaTicket,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
        rings: bool,
        give_back: impl FnOnce(Held),
    ) -> Result<(), ReplyError> {
        // SAFETY: promise 1.
        let slot = unsafe { self.slot(&ticket) };
        // SAFETY: promise 1: whoever holds the request holds its buffer, and gives it up.
        let request = unsafe { Held::from_raw(ticket.buffer()) };
        let mut out = self.out();
        let number = out.queue.direct();
        let is_usual = rings && status == ReplyStatus::Ok && value != 0;
        let (Some(number), true, false) = (number, is_usual, self.link.is_gone()) else {
            let answer = Answer {
                slot,
                tag: ticket.tag(),
                request,
                overlay,
                status,
                value,
                rings,
            };
            // SAFETY: promise 2.
            return unsafe { self.answer_otherwise(out, answer, give_back) };
        };
        let mut spare = request;
        if overlay {
            // SAFETY: promises 1 and 2.
            spare = unsafe { self.take_over(&mut out, slot, spare, value) };
            if value as usize > COPIED && out.queue.direct() != Some(number) {
                // It has looked what was received, and found a fault.
                let answer = Answer {
                    slot,
                    tag: ticket.tag(),
                    request: spare,
                    overlay: false,
                    status,
                    value,
                    rings,
                };
                // SAFETY: promise 2; the response is where the slot has it.
                return unsafe { self.answer_otherwise(out, answer, give_back) };
            }
        }
        // Before the reply can leave, after which the client may send the next request.
        give_back(spare);
        // Before it can leave. Release: pairs with the Acquire in `accept`.
        slot.state.store(number + 1, Ordering::Release);
        let (tag, status) = (ticket.tag(), ReplyStatus::Ok);
        let imm = FromServer::Reply { tag, status }.to_bits();
        // SAFETY: the lock is held to the end.
        let work = unsafe { slot.reply() };
        // SAFETY: 1. It was given above. 2. It stays in its box, and is used again after a next request of the slot was accepted, which `state`
        // forbids before this message has left. Likewise the response's buffer: what then goes not inline is read by the device alone.
        // Memory lives as long as the pool, and the pool longer than the queue pair.
        let sent = unsafe { out.queue.send_at_once(number, work, imm, value, &self.qp) };
        if sent.is_err() {
            self.finish_ring(out, sent);
        } else {
            // Release: pairs with the Acquire in `accept`.
            self.posted.store(number + 1, Ordering::Release);
        }
        Ok(())
    }

    /// The same for what does not leave at once, has no response, or cannot be sent.
    ///
    /// # Safety
    /// 1. As promise 2 of [`answer`](Self::answer).
    #[inline(never)]
    unsafe fn answer_otherwise(
        &self,
        mut out: MutexGuard<'_, Outgoing>,
        answer: Answer<'_>,
        give_back: impl FnOnce(Held),
    ) -> Result<(), ReplyError> {
        let Answer {
            slot,
            tag,
            request,
            status,
            value,
            ..
        } = answer;
        if self.link.is_gone() || out.is_closing {
            // Release: pairs with the Acquire in `accept`.
            slot.state.store(Slot::ENDED, Ordering::Release);
            return Err(self.give_up(out, request, give_back));
        }
        if status == ReplyStatus::Ok && value == 0 {
            give_back(request);
            // Release: as above.
            slot.state.store(Slot::ENDED, Ordering::Release);
            out.free(tag, &self.slots);
        } else {
            let (mut len, mut spare) = (value, request);
            if status != ReplyStatus::Ok {
                len = slot.write_number(value);
            } else if answer.overlay {
                // SAFETY: promise 1.
                spare = unsafe { self.take_over(&mut out, slot, spare, value) };
            }
            // As in `answer`.
            give_back(spare);
            // Release: as in `answer`.
            slot.state
                .store(out.queue.next_number() + 1, Ordering::Release);
            let said = FromServer::Reply { tag, status };
            // SAFETY: the lock is held.
            let work = unsafe { slot.reply() };
            // SAFETY: as in `answer`.
            unsafe { out.queue.push(work, said.to_bits(), len) };
        }
        if answer.rings || out.queue.waiting() >= MAX_HELD {
            self.ring_with(out);
        }
        Ok(())
    }

    /// Makes what was built over a request the response of its slot, and gives the buffer that the device is to have again.
    ///
    /// # Safety
    /// 1. The slot's request is held, in this buffer, and the response of this length has been built there.
    #[inline(always)]
    unsafe fn take_over(&self, out: &mut Outgoing, slot: &Slot, request: Held, len: u32) -> Held {
        let bytes = len as usize;
        // SAFETY: whoever has `out` has the lock.
        let work = unsafe { slot.reply() };
        if bytes > COPIED && out.may_reuse(work, &self.send_cq) {
            // Sent from where it was edited. The buffers change places: the one in which the slot's last response was built takes the request's
            // among those that receive. The client's device has that response: it is not read again.
            work.set_place(request.place());
            return slot.exchange(request);
        }
        let place = slot.response_place();
        // SAFETY: both buffers are held here, have room for every response that may overlay, and are two.
        unsafe {
            place
                .start
                .copy_from_nonoverlapping(request.place().start, bytes);
        }
        request
    }

    /// Gives the buffer of a request back that cannot be answered.
    #[cold]
    fn give_up(
        &self,
        out: MutexGuard<'_, Outgoing>,
        held: Held,
        give_back: impl FnOnce(Held),
    ) -> ReplyError {
        let is_detached = out.is_detached;
        drop(out);
        if is_detached {
            self.pool.retire(held);
        } else {
            give_back(held);
        }
        ReplyError::Disconnected
    }

    /// Rings the doorbell: what was collected leaves, as much as the device has room for.
    pub(crate) fn ring(&self) {
        self.ring_with(self.out());
    }

    fn ring_with(&self, mut out: MutexGuard<'_, Outgoing>) {
        if out.freed_len != 0 {
            out.tell_freed(&self.slots);
        }
        let rung = out.queue.ring(&self.qp, &self.send_cq);
        self.finish_ring(out, rung);
    }

    /// Says what has left, and what was in the way of the rest.
    #[cold]
    fn finish_ring(&self, out: MutexGuard<'_, Outgoing>, rung: Result<(), SendFault>) {
        // Release: pairs with the Acquire in `accept`.
        self.posted.store(out.queue.posted(), Ordering::Release);
        let lags = out.queue.waiting() != 0;
        // Whoever is told of a failure may come back here.
        drop(out);
        if let Err(fault) = rung {
            self.note(fault);
        } else if lags {
            // Whoever gives up the processor next looks after it.
            self.hub.bell.note(LAGS);
        }
    }

    /// Looks whether messages have failed, and lets go what waited for room.
    pub(crate) fn tend(&self, now: u64) {
        let mut out = self.out();
        let reaped = if out.queue.outstanding() == 0 {
            Ok(())
        } else {
            out.queue.reap(&self.send_cq)
        };
        let stuck = out.is_stuck(now).then(|| out.queue.fail(SendFault::Stuck));
        if out.queue.waiting() != 0 {
            self.ring_with(out);
        } else {
            drop(out);
        }
        if let Some(fault) = reaped.err().or(stuck) {
            self.note(fault);
        }
    }

    #[cold]
    fn note(&self, fault: SendFault) {
        self.link
            .fail(|| fault.describe(self.port.device.context.library()));
    }

    /// Sends an event that `fill` builds; false if that cannot be.
    ///
    /// # Safety
    /// 1. It is the server's thread, and the client has given back all events that were sent to it but for fewer than the event window.
    pub(crate) unsafe fn emit(
        &self,
        method: u16,
        len: usize,
        fill: &mut dyn FnMut(NonNull<u8>),
    ) -> bool {
        let place = self.out().event_place();
        let place = match place {
            Ok(Some(place)) => place,
            Ok(None) => return false,
            Err(fault) => {
                self.note(fault);
                return false;
            }
        };
        // Unlocked: it is the user's code, which may answer a request of this very client. Only this thread sends events.
        fill(place);
        let mut out = self.out();
        // SAFETY: the place was given above, and only this thread adds events.
        unsafe { out.push_event(method, len as u32) };
        self.ring_with(out);
        true
    }

    /// Says farewell, so that the client knows that nothing more comes.
    pub(crate) fn say_farewell(&self) {
        if self.link.is_gone() {
            return;
        }
        let mut out = self.out();
        out.push_farewell(&self.slots);
        self.ring_with(out);
    }

    /// True if everything that was sent has been received, or nothing more can be.
    pub(crate) fn is_drained(&self) -> bool {
        self.tend(clock::now());
        let out = self.out();
        self.link.is_gone()
            || out.queue.fault().is_some()
            || (out.queue.waiting() == 0 && out.queue.outstanding() == 0)
    }

    /// Ends the connection with a client from which receiving failed.
    #[cold]
    pub(crate) fn fail_receive(&self, status: u32) {
        let library = self.port.device.context.library();
        self.link
            .fail(|| format!("receiving from it failed: {}", library.status_text(status)));
    }

    /// Wakes the server if messages wait for room, for a thread that is not the server's: that one may sleep, and nobody else looks after
    /// them.
    pub(crate) fn wake_if_lagging(&self) {
        if self.hub.bell.is_noted(LAGS) {
            self.hub.bell.ring();
        }
    }

    /// Lets the device have a buffer again, from any thread.
    pub(crate) fn give_back(&self, held: Held) {
        self.pool.give_back(held);
    }

    /// Takes its part in the pool from a client that the server has removed. Its requests, and with them its seat, may be held for longer.
    pub(crate) fn detach(&self) {
        let mut out = self.out();
        out.is_detached = true;
        // Relaxed: who answers a request of a client that is gone does so behind the lock.
        let is_held = |slot: &&Slot| slot.state.load(Ordering::Relaxed) == Slot::HELD;
        let held = self.slots.iter().filter(is_held).count();
        self.pool.release(self.window, held);
    }

    /// True if the device has said that nothing more is received from it.
    pub(crate) fn has_completed(&self) -> bool {
        self.link.has_completed()
    }

    /// Ends the connection: nothing is sent or received any more, and the client learns of it.
    pub(crate) fn end(&self, why: impl FnOnce() -> String) {
        self.link.fail(why);
        // It may be there already, by an error.
        let _ = self.qp.to_error();
        self.link.hang_up();
    }

    /// How often the doorbell has rung.
    pub(crate) fn doorbells(&self) -> u64 {
        self.out().queue.doorbells()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end(|| "this side has ended the connection".into());
        unwatch(self.link.socket());
        self.port.device.strike(self.qpn());
        // SAFETY: it is not used from here on, and dropped nowhere else.
        unsafe { ManuallyDrop::drop(&mut self.qp) };
        // SAFETY: every token of a request keeps the connection, which goes here.
        let response = |slot: &Slot| unsafe { slot.take_response() };
        self.pool.take_back(self.slots.iter().map(response));
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({:?}, queue pair {})", self.id, self.qpn())
    }
}
