//! A client as its server has it: its queue pair, what is sent to it, and which of its slots are held.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use runtime_core::{ClientId, ReplyError, ReplyStatus};
use runtime_os::{Watch, unwatch};

use crate::buffer::{Buffer, Held};
use crate::device::Port;
use crate::hub::Hub;
use crate::imm::{FromServer, Tag};
use crate::link::Link;
use crate::pool::Pool;
use crate::qp::Made;
use crate::sender::{MAX_HELD, Place, SendFault, SendQueue};
use crate::shape::FAREWELL;
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
}

/// A request that the server holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) tag: Tag,
    pub(crate) method: u16,
    pub(crate) len: u32,
    pub(crate) buffer: NonNull<Buffer>,
}

// SAFETY: it names a buffer, which is `Send` and `Sync`; who may touch it is said by where requests are used.
unsafe impl Send for Request {}

/// What the server knows of a client's slot.
struct Slot {
    /// [`HELD`](Self::HELD), [`ENDED`](Self::ENDED), or how many messages have to have left before it may be used again: the last one is
    /// its reply. So a client that does not keep the protocol has no request accepted whose reply would be built where an earlier one
    /// still waits.
    state: AtomicU64,
    /// Where its response is built.
    response: AtomicPtr<Buffer>,
}

impl Slot {
    /// Its request is held.
    const HELD: u64 = u64::MAX;
    /// Its request has ended without a body, and the client has not been told.
    const ENDED: u64 = u64::MAX - 1;
}

/// What is sent to the client.
struct Outgoing {
    queue: SendQueue,
    /// By slot: the number of the last message that was sent from its response buffer.
    last: Box<[u64]>,
    /// Slots whose requests ended without a body, to be told together.
    freed: [u16; FREED],
    freed_len: usize,
    /// Where events are built, in turn.
    event_memory: Option<Region>,
    next_event: usize,
    /// True once it has lost its seat: receive buffers of requests that are still held do not go back to the queue.
    is_detached: bool,
    /// True once farewell was said: nothing is sent any more.
    is_closing: bool,
}

/// A slot from whose response buffer nothing was sent yet.
const NONE: u64 = u64::MAX;

/// Slots that one message can free: a line of them.
const FREED: usize = 32;

/// Bytes of a reply that are copied from the request's buffer instead of sent from there: a line.
const COPIED: usize = 64;

/// What a connection is made of besides its queue pair.
pub(crate) struct Ends {
    pub(crate) port: Port,
    pub(crate) pool: Arc<Pool>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) link: Arc<Link>,
    pub(crate) seat: u32,
    pub(crate) id: ClientId,
    pub(crate) window: usize,
    pub(crate) events: usize,
    /// Where the responses of its slots are built.
    pub(crate) responses: Vec<Held>,
    /// Where its events are.
    pub(crate) event_memory: Option<Region>,
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
        let slots = responses.into_iter().map(|held| Slot {
            state: AtomicU64::new(0),
            response: AtomicPtr::new(held.into_raw().as_ptr()),
        });
        let most = 2 * window + events + FAREWELL + 1;
        let connection = Self {
            watch: OnceLock::new(),
            out: Mutex::new(Outgoing {
                queue: SendQueue::new(made.depth, most, made.qp.max_inline()),
                last: vec![NONE; window].into_boxed_slice(),
                freed: [0; FREED],
                freed_len: 0,
                event_memory,
                next_event: 0,
                is_detached: false,
                is_closing: false,
            }),
            qp: ManuallyDrop::new(made.qp),
            send_cq: made.send_cq,
            seat: ends.seat,
            id: ends.id,
            link: ends.link,
            window,
            events,
            slots: slots.collect(),
            posted: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            hub: ends.hub,
            pool: ends.pool,
            port: ends.port,
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

    fn out(&self) -> MutexGuard<'_, Outgoing> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
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
        let Some(slot) = self.slots.get(usize::from(tag.slot)) else {
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

    /// Where the response to a held request is built.
    #[inline(always)]
    pub(crate) fn response(&self, request: &Request, overlay: bool) -> NonNull<u8> {
        let buffer = if overlay {
            request.buffer
        } else {
            self.response_buffer(request.tag.slot)
        };
        // SAFETY: buffers live as long as the pool, which this keeps.
        unsafe { buffer.as_ref() }.place.start
    }

    #[inline(always)]
    fn response_buffer(&self, slot: u16) -> NonNull<Buffer> {
        // Acquire: pairs with the Release in `answer` of the slot's last request, which may have changed it.
        let buffer = self.slots[usize::from(slot)]
            .response
            .load(Ordering::Acquire);
        // SAFETY: `new` put a buffer there, and `answer` only others.
        unsafe { NonNull::new_unchecked(buffer) }
    }

    /// Answers a held request. `give_back` gets the buffer that the device is to have again. With `rings` the doorbell rings, also for what
    /// was collected before.
    ///
    /// # Safety
    /// 1. The request came from this connection, is held, and is given up here.
    /// 2. With [`ReplyStatus::Ok`], `value` is the length of the response, which has been built at [`response`](Self::response).
    #[inline]
    pub(crate) unsafe fn answer(
        &self,
        request: Request,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
        rings: bool,
        give_back: impl FnOnce(Held),
    ) -> Result<(), ReplyError> {
        let Request { tag, buffer, .. } = request;
        let slot = &self.slots[usize::from(tag.slot)];
        // SAFETY: promise 1: whoever holds the request holds its buffer, and gives it up.
        let mut held = unsafe { Held::from_raw(buffer) };
        let mut out = self.out();
        if self.link.is_gone() || out.is_closing {
            // Release: pairs with the Acquire in `accept`.
            slot.state.store(Slot::ENDED, Ordering::Release);
            let is_detached = out.is_detached;
            drop(out);
            if is_detached {
                self.pool.retire(held);
            } else {
                give_back(held);
            }
            return Err(ReplyError::Disconnected);
        }
        if status == ReplyStatus::Ok && value == 0 {
            give_back(held);
            // Release: as above.
            slot.state.store(Slot::ENDED, Ordering::Release);
            out.free(tag, &self.slots);
        } else {
            let response = self.response_buffer(tag.slot);
            // SAFETY: buffers live as long as the pool, which this keeps.
            let mut place = unsafe { response.as_ref() }.place;
            let mut len = value;
            if status != ReplyStatus::Ok {
                // SAFETY: a response's buffer has room for a number, is aligned, and belongs to whoever holds the request.
                unsafe { place.start.cast::<u32>().write(value.to_le()) };
                len = size_of::<u32>() as u32;
            } else if overlay {
                let bytes = value as usize;
                if bytes > COPIED && out.may_reuse(tag.slot, &self.send_cq) {
                    // Sent from where it was edited. The buffers change places: the one in which the slot's last response was built takes
                    // the request's among those that receive. The client's device has that response: it is not read again.
                    place = held.place();
                    // Release: pairs with the Acquire in `response_buffer`.
                    slot.response.store(buffer.as_ptr(), Ordering::Release);
                    // SAFETY: the response's buffer belongs to whoever holds the request, and the slot's is another now.
                    held = unsafe { Held::from_raw(response) };
                } else {
                    // SAFETY: both buffers are held here, have room for every response that may overlay, and are two.
                    unsafe {
                        place
                            .start
                            .copy_from_nonoverlapping(held.place().start, bytes);
                    }
                }
            }
            // Before the reply can leave, after which the client may send the next request.
            give_back(held);
            let said = FromServer::Reply { tag, status };
            // SAFETY: the response's buffer is not written before a next request of the slot was accepted, which `state` forbids before
            // this message has left; what then goes not inline is read by the device alone. Memory lives as long as the pool, and the
            // pool longer than the queue pair.
            let number = unsafe { out.queue.push(said.to_bits(), place, len) };
            out.last[usize::from(tag.slot)] = number;
            // Release: pairs with the Acquire in `accept`.
            slot.state.store(number + 1, Ordering::Release);
        }
        if rings || out.queue.waiting() >= MAX_HELD {
            self.ring_with(out);
        }
        Ok(())
    }

    /// Rings the doorbell: what was collected leaves, as much as the device has room for.
    pub(crate) fn ring(&self) {
        self.ring_with(self.out());
    }

    fn ring_with(&self, mut out: MutexGuard<'_, Outgoing>) {
        out.tell_freed(&self.slots);
        let rung = out.queue.ring(&self.qp, &self.send_cq);
        // Release: pairs with the Acquire in `accept`.
        self.posted.store(out.queue.posted(), Ordering::Release);
        let lags = out.queue.waiting() != 0;
        // Whoever is told of a failure may come back here.
        drop(out);
        if let Err(fault) = rung {
            self.note(fault);
        } else if lags {
            // Whoever gives up the processor next looks after it.
            self.hub.set_lagging();
        }
    }

    /// Looks whether messages have failed, and lets go what waited for room.
    pub(crate) fn tend(&self) {
        let mut out = self.out();
        let reaped = if out.queue.outstanding() == 0 {
            Ok(())
        } else {
            out.queue.reap(&self.send_cq)
        };
        if out.queue.waiting() != 0 {
            self.ring_with(out);
        } else {
            drop(out);
        }
        if let Err(fault) = reaped {
            self.note(fault);
        }
    }

    #[cold]
    fn note(&self, fault: SendFault) {
        self.link
            .fail(|| fault.describe(self.port.device.context.library()));
    }

    /// Sends an event that `fill` builds.
    ///
    /// # Safety
    /// 1. It is the server's thread, and the client has given back all events that were sent to it but for fewer than the event window.
    pub(crate) unsafe fn emit(&self, method: u16, len: usize, fill: &mut dyn FnMut(NonNull<u8>)) {
        let place = {
            let out = self.out();
            let Some(memory) = &out.event_memory else {
                return;
            };
            Place {
                // SAFETY: `next_event` is below the event window, for which the region was made.
                start: unsafe { memory.start().add(out.next_event * self.pool.shape.event) },
                lkey: memory.lkey(),
            }
        };
        // Unlocked: it is the user's code, which may answer a request of this very client. Only this thread sends events.
        fill(place.start);
        let mut out = self.out();
        out.next_event = (out.next_event + 1) & (self.events - 1);
        let said = FromServer::Event { method };
        // SAFETY: this place is used again after the event window's worth of others, when by promise 1 the client has given this one back.
        // One that says so without having it has its own events garbled; what goes inline has been read by then.
        unsafe { out.queue.push(said.to_bits(), place, len as u32) };
        self.ring_with(out);
    }

    /// Says farewell, so that the client knows that nothing more comes.
    pub(crate) fn say_farewell(&self) {
        if self.link.is_gone() {
            return;
        }
        let mut out = self.out();
        out.is_closing = true;
        out.tell_freed(&self.slots);
        out.queue.signal_next();
        let nowhere = Place {
            start: NonNull::dangling(),
            lkey: 0,
        };
        // SAFETY: of no bytes none is read.
        unsafe { out.queue.push(FromServer::Leaves.to_bits(), nowhere, 0) };
        self.ring_with(out);
    }

    /// True if everything that was sent has been received, or nothing more can be.
    pub(crate) fn is_drained(&self) -> bool {
        self.tend();
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

    /// Lets the device have a buffer again, from any thread.
    pub(crate) fn give_back(&self, held: Held) {
        self.pool.give_back(held);
    }

    /// Takes its part in the pool from a client that has lost its seat. Its requests may be held for longer.
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

impl Outgoing {
    /// True if the buffer that a slot's last response was sent from is not read any more.
    fn may_reuse(&mut self, slot: u16, cq: &Cq) -> bool {
        let last = self.last[usize::from(slot)];
        if last == NONE || self.queue.is_done(last) {
            return true;
        }
        // A fault is found again by whoever rings.
        let _ = self.queue.reap(cq);
        self.queue.is_done(last)
    }

    /// Adds a slot to those that are told to be free.
    #[inline(always)]
    fn free(&mut self, tag: Tag, slots: &[Slot]) {
        if self.freed_len == FREED {
            self.tell_freed(slots);
        }
        self.freed[self.freed_len] = tag.to_bits();
        self.freed_len += 1;
    }

    /// Says which slots are free. One is as many replies without a body; several are a list, for which the response buffer of the first of
    /// them is used: the client expects nothing else from there.
    #[inline(always)]
    fn tell_freed(&mut self, slots: &[Slot]) {
        let len = std::mem::take(&mut self.freed_len);
        let Some(&first) = self.freed[..len].first() else {
            return;
        };
        let tag = Tag::from_bits(first);
        // Acquire: as in `response_buffer`.
        let buffer = slots[usize::from(tag.slot)]
            .response
            .load(Ordering::Acquire);
        // SAFETY: buffers live as long as the pool, which the connection keeps.
        let place = unsafe { &*buffer }.place;
        let (said, bytes) = if len == 1 {
            let status = ReplyStatus::Ok;
            (FromServer::Reply { tag, status }, 0)
        } else {
            // SAFETY: a response's buffer is at least a line, which is as long as the list, aligned, and of a slot whose request has been
            // answered and whose client has not been told.
            let list = unsafe { std::slice::from_raw_parts_mut(place.start.as_ptr(), 2 * len) };
            for (bytes, tag) in list.chunks_exact_mut(2).zip(self.freed) {
                bytes.copy_from_slice(&tag.to_le_bytes());
            }
            (FromServer::Freed, 2 * len as u32)
        };
        // SAFETY: as for any reply.
        let number = unsafe { self.queue.push(said.to_bits(), place, bytes) };
        self.last[usize::from(tag.slot)] = number;
        for tag in &self.freed[..len] {
            let slot = &slots[usize::from(Tag::from_bits(*tag).slot)];
            // Release: pairs with the Acquire in `accept`.
            slot.state.store(number + 1, Ordering::Release);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end(|| "this side has ended the connection".into());
        unwatch(self.link.socket());
        self.port.device.strike(self.qpn());
        // SAFETY: it is not used from here on, and dropped nowhere else.
        unsafe { ManuallyDrop::drop(&mut self.qp) };
        let responses = self.slots.iter().map(|slot| {
            // Relaxed: the last owner has it to itself.
            let buffer = slot.response.load(Ordering::Relaxed);
            // SAFETY: `new` put a buffer there, and `answer` only others.
            let buffer = unsafe { NonNull::new_unchecked(buffer) };
            // SAFETY: a connection holds the response buffers of its slots, and gives them up here.
            unsafe { Held::from_raw(buffer) }
        });
        self.pool.take_back(responses);
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({:?}, queue pair {})", self.id, self.qpn())
    }
}
