//! The server's transport.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use runtime_core::{
    AttachError, Audience, Bind, ClientId, EmitError, ReplyError, ReplyStatus, ServerConfig,
    ServerTransport, Service, Ticket,
};
use runtime_os::{LazyPollable, Pollable, Watch, Watched, clock, unwatch};

use crate::accept::{Acceptor, Door};
use crate::address::{Address, Options};
use crate::buffer::{Chain, Held};
use crate::connection::{Connection, Request};
use crate::device::{Port, system};
use crate::hub::{Connector, Hub, Stopper};
use crate::imm::FromClient;
use crate::pool::Pool;
use crate::qp::completions;
use crate::seats::{Seated, Seats};
use crate::shape::{SLACK, Shape, is_window};
use crate::verbs::bindings::{IBV_WC_RECV, IBV_WC_SUCCESS, IBV_WC_WITH_IMM, ibv_wc};
use crate::verbs::{Channel, Cq, CqError, Srq};

/// Completions that are polled at a time.
const BATCH: usize = 16;

/// How long a held doorbell may wait for the requests that follow: a handler that takes longer has its replies leave one by one.
const HOLD: u64 = 5_000;

/// How long the queue pair of a client that is gone is kept: its device may still complete what it had begun to receive.
const LINGER: u64 = 100_000_000;

/// How often a server that has nothing else to do looks whether messages have failed.
const SWEEP: u64 = 250_000_000;

/// How soon one comes back that has messages waiting for room in the device's queue.
const RETRY: u64 = 1_000_000;

/// Looks at the completion queue between two at the clock.
const IDLE_POLLS_PER_CHECK: u32 = 256;

/// How long a server that goes waits until what it sent last has been received.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(1);

/// A server's end of all its connections to other nodes.
pub struct Server<S: Service> {
    /// First, so that nobody is let in any more when the rest goes.
    _watch: Watch,
    acceptor: Arc<Acceptor>,
    hub: Arc<Hub>,
    seats: Seats,
    /// Seats with requests that wait, in turn.
    turns: VecDeque<u32>,
    /// How many of them are in this round: after it the completion queue is looked at again.
    round: usize,
    /// Buffers that the device is to have again.
    spare: RefCell<Chain>,
    /// True while replies are collected.
    holds: Cell<bool>,
    /// True in a batch for which all that there was has been taken in, and which has not been told so.
    was_drained: Cell<bool>,
    /// Seats with replies that were collected.
    held: RefCell<Vec<u32>>,
    /// Since when, once it was looked.
    held_since: Cell<Option<u64>>,
    idle_polls: u32,
    /// When it is looked whether messages have failed.
    next_sweep: u64,
    /// Seats of clients that are gone.
    leaving: usize,
    completions: RefCell<Batch>,
    pool: Arc<Pool>,
    recv_cq: Arc<Cq>,
    channel: Arc<Channel>,
    /// The watching of the channel, for a task.
    channel_watch: RefCell<Option<Watch>>,
    address: Address,
    local: SocketAddr,
    pollable: LazyPollable,
    service: core::marker::PhantomData<fn() -> S>,
}

// SAFETY: the cells are used only by whoever has the server, by one thread at a time; what they point to is kept by the pool.
unsafe impl<S: Service> Send for Server<S> {}

/// Checks what the configuration can get wrong.
fn check(config: &ServerConfig) -> Result<(), AttachError> {
    if !is_window(config.event_window) {
        return Err(AttachError::Config {
            what: format!(
                "`ServerConfig::event_window` is {}: it must be a power of two from 2 to {}",
                config.event_window,
                crate::imm::MAX_WINDOW
            ),
        });
    }
    if config.max_clients == 0 {
        return Err(AttachError::Config {
            what: "`ServerConfig::max_clients` is 0: nobody could connect".into(),
        });
    }
    if config.max_clients > MAX_CLIENTS {
        return Err(AttachError::Config {
            what: format!(
                "`ServerConfig::max_clients` is {}: it must be at most {MAX_CLIENTS}",
                config.max_clients
            ),
        });
    }
    Ok(())
}

/// Completions that were polled together.
struct Batch {
    completions: Box<[ibv_wc]>,
    /// The first that was not taken, and the end.
    next: usize,
    end: usize,
}

impl Batch {
    fn new() -> Self {
        Self {
            completions: vec![ibv_wc::default(); BATCH].into_boxed_slice(),
            next: 0,
            end: 0,
        }
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.end - self.next
    }

    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Polls anew.
    #[inline(always)]
    fn poll(&mut self, cq: &Cq) -> Result<(), CqError> {
        (self.next, self.end) = (0, 0);
        self.end = cq.poll(&mut self.completions)?;
        Ok(())
    }

    /// The next completion.
    #[inline(always)]
    fn take(&mut self) -> Option<ibv_wc> {
        if self.is_empty() {
            return None;
        }
        self.next += 1;
        Some(self.completions[self.next - 1])
    }
}

/// Clients of one server.
const MAX_CLIENTS: usize = 1 << 16;

impl<S: Service> Server<S> {
    /// A server without a name, which only its connectors reach, on the first port of this host that can be used.
    ///
    /// # Errors
    /// There is no RDMA here, or the configuration asks for what is not possible.
    pub fn new(config: &ServerConfig) -> Result<Self, AttachError> {
        check(config)?;
        let options = Options::default();
        let (port, ip) = Port::any(&options)?;
        let listener = TcpListener::bind((ip, 0))
            .map_err(|error| system(format!("listening at {ip}"), error))?;
        let local = listener
            .local_addr()
            .map_err(|error| system("looking at the address of this side", error))?;
        let text = format!(
            "{local}?device={}&port={}&gid={}",
            port.device.context.name(),
            port.number,
            port.gid_index
        );
        Self::start(config, listener, Address::of(&text)?, port, false)
    }

    fn start(
        config: &ServerConfig,
        listener: TcpListener,
        address: Address,
        port: Port,
        is_named: bool,
    ) -> Result<Self, AttachError> {
        let shape = Shape::of::<S>();
        let local = listener
            .local_addr()
            .map_err(|error| system("looking at the address of this side", error))?;
        let device = &port.device;
        let name = device.context.name();
        let limits = &device.limits;
        let window = S::TUNING.rdma_window;
        let wanted = config.max_clients * Shape::server_receives(window) + SLACK;
        // A device has room for so many; which client finds none is told when it connects.
        let receives = completions(wanted, limits.max_srq_wr);
        let receives = receives.min(completions(wanted, limits.max_cqe.saturating_sub(1)));
        let fault = |what: &str| {
            let what = format!("making {what} of {receives} entries on `{name}`");
            move |error| system(what, error)
        };
        let channel = Channel::new(&device.context)
            .map_err(|error| system("making a completion channel", error))?;
        let recv_cq = Cq::new(&device.context, receives + 1, Some(&channel))
            .map_err(fault("a completion queue"))?;
        let srq = Srq::new(&device.pd, receives).map_err(fault("a shared receive queue"))?;
        let room = recv_cq.capacity().saturating_sub(1);
        let pool = Arc::new(Pool::new(srq, room, &device.pd, shape));
        let hub = Hub::new(config.max_clients as u32, config.event_window, is_named)
            .map_err(|error| system("making an eventfd", error))?;
        let door = Arc::new(Door {
            hub: Arc::clone(&hub),
            pool: Arc::clone(&pool),
            recv_cq: Arc::clone(&recv_cq),
            is_anywhere: local.ip().is_unspecified(),
            options: address.options.clone(),
            abi: S::ABI_HASH,
            abi_text: S::ABI_TEXT,
            port,
        });
        let acceptor = Acceptor::new(&door, listener);
        let watch = acceptor
            .open()
            .map_err(|error| system("watching the listening socket", error))?;
        Ok(Self {
            _watch: watch,
            acceptor,
            hub,
            seats: Seats::default(),
            turns: VecDeque::new(),
            round: 0,
            spare: RefCell::new(Chain::new()),
            holds: Cell::new(false),
            was_drained: Cell::new(false),
            held: RefCell::default(),
            held_since: Cell::new(None),
            idle_polls: 0,
            next_sweep: 0,
            leaving: 0,
            completions: RefCell::new(Batch::new()),
            pool,
            recv_cq,
            channel,
            channel_watch: RefCell::default(),
            address,
            local,
            pollable: LazyPollable::default(),
            service: core::marker::PhantomData,
        })
    }

    /// Where it listens: with a port that the operating system chose, if it was to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What makes clients of this server.
    pub fn connector(&self) -> Connector<S> {
        Connector::new(&self.hub, &self.address)
    }

    /// What ends this server from another thread.
    pub fn stopper(&self) -> Stopper<S> {
        Stopper::new(&self.hub)
    }

    /// A file descriptor that becomes readable when there is something to receive; see [`Pollable`].
    ///
    /// # Errors
    /// The operating system has no more descriptors.
    pub fn pollable(&self) -> std::io::Result<Pollable> {
        self.pollable.get()
    }

    /// Arms the descriptor of [`pollable`](Self::pollable): true if it is safe to sleep on it, false if there is something to
    /// receive already.
    pub fn arm(&self) -> bool {
        self.pollable
            .arm(|waker| self.register(waker), || self.ready())
    }

    /// How often the doorbells of the connections that there are have rung: replies that leave together ring one once.
    pub fn doorbells(&self) -> u64 {
        self.seats
            .iter()
            .map(|seated| seated.connection.doorbells())
            .sum()
    }

    /// Takes in new connections, and begins to remove those that are gone.
    #[cold]
    fn answer_bell(&mut self) {
        if !self.hub.bell.answer() {
            return;
        }
        self.seat_newcomers();
        for seat in self.hub.lost() {
            self.lose(seat);
        }
        if self.leaving != 0 {
            self.remove_gone(clock::now());
        }
    }

    /// Gives new connections their seats. That one of them has left already, its bell says.
    fn seat_newcomers(&mut self) {
        for connection in self.hub.newcomers() {
            self.seats.add(connection);
            let seats = self.seats.len();
            // Room for one of each, so that nothing is allocated later.
            self.turns.reserve(seats - self.turns.len().min(seats));
            let mut held = self.held.borrow_mut();
            let missing = seats - held.len().min(seats);
            held.reserve(missing);
        }
    }

    /// Begins to remove a client, if it is gone. What it has sent is still served.
    fn lose(&mut self, seat: u32) {
        let Some(seated) = self.seats.get_mut(seat) else {
            return;
        };
        if !seated.connection.link.is_gone() || seated.leaves_at.is_some() {
            return;
        }
        seated.leaves_at = Some(clock::now() + LINGER);
        self.leaving += 1;
        // Nothing more is received; what has been is in the completion queue.
        seated.connection.end(|| "it is gone".into());
        self.harvest_all();
        self.hub.leave();
    }

    /// Removes clients whose time is over.
    #[cold]
    fn remove_gone(&mut self, now: u64) {
        let over = |seated: &Seated| {
            seated.waiting.is_empty()
                && seated
                    .leaves_at
                    .is_some_and(|at| at <= now || seated.connection.has_completed())
        };
        let seats: Vec<_> = self
            .seats
            .iter()
            .filter(|seated| over(seated))
            .map(|seated| seated.connection.seat)
            .collect();
        for seat in seats {
            // What completed after the last look.
            self.harvest_all();
            let is_over = self.seats.get(seat).is_some_and(over);
            if is_over && let Some(gone) = self.seats.remove(seat) {
                gone.connection.detach();
                self.leaving -= 1;
                self.held.borrow_mut().retain(|held| *held != seat);
                self.hub.vacate(seat);
            }
        }
    }

    /// Takes in what has arrived: how many completions there were.
    #[inline]
    fn harvest(&mut self) -> usize {
        let count = self.look();
        while let Some(completion) = self.completions.get_mut().take() {
            // SAFETY: just polled, from a queue that gets the completions of the pool's shared receive queue alone.
            let held = unsafe { Held::completed(completion.wr_id) };
            self.arrive(&completion, held);
        }
        count
    }

    /// Takes in all that has arrived, so that everyone who has something waiting gets a turn.
    #[inline]
    fn harvest_all(&mut self) {
        // As often as there are buffers to receive into: clients that go on sending must not keep the server here.
        for _ in 0..=self.pool.capacity() / BATCH {
            if self.harvest() < BATCH {
                break;
            }
        }
    }

    /// Polls the completion queue, unless there are completions that were polled before: how many there are.
    #[inline(always)]
    fn look(&self) -> usize {
        let mut batch = self.completions.borrow_mut();
        if batch.is_empty() && batch.poll(&self.recv_cq).is_err() {
            self.fail_all("the device's completion queue failed");
        }
        batch.len()
    }

    #[cold]
    fn fail_all(&self, why: &str) {
        for seated in self.seats.iter() {
            seated.connection.link.fail(|| why.into());
        }
    }

    #[inline(always)]
    fn arrive(&mut self, completion: &ibv_wc, held: Held) {
        let mut seat = self.seats.of_qp(completion.qp_num);
        if seat.is_none() {
            // It may have been connected a moment ago.
            self.seat_newcomers();
            seat = self.seats.of_qp(completion.qp_num);
        }
        let Some(seated) = seat.and_then(|seat| self.seats.get_mut(seat)) else {
            // Of a client that is gone.
            return self.give_back(held);
        };
        if completion.status != IBV_WC_SUCCESS {
            let connection = &seated.connection;
            connection.fail_receive(completion.status);
            return self.give_back(held);
        }
        let is_message =
            completion.opcode == IBV_WC_RECV && completion.wc_flags & IBV_WC_WITH_IMM != 0;
        if !is_message {
            seated.object("sends messages without immediate data");
            return self.give_back(held);
        }
        // SAFETY: the flag says that this is the member that was written; any bits are a number.
        let bits = u32::from_be(unsafe { completion.__bindgen_anon_1.imm_data });
        match FromClient::from_bits(bits) {
            FromClient::Request { tag, method } => {
                if !seated.connection.accept(tag) {
                    seated.object("sends a request in a slot that is not its to use");
                    return self.give_back(held);
                }
                if seated.waiting.is_empty() {
                    self.turns.push_back(seated.connection.seat);
                }
                seated.waiting.push_back(Request {
                    tag,
                    method,
                    len: completion.byte_len,
                    buffer: held.into_raw(),
                });
            }
            FromClient::Note { taken, leaves } => {
                let credit = seated.credit + usize::from(taken);
                if taken == 0 && !leaves {
                    seated.object("sends notes that say nothing");
                } else if credit > seated.connection.events {
                    seated.object("gives back events that it was not sent");
                } else {
                    seated.credit = credit;
                }
                if leaves {
                    // Messages come in order: nothing of it is still being received.
                    seated.connection.link.set_completed();
                    seated.connection.link.fail(|| "it has left".into());
                }
                self.give_back(held);
            }
        }
    }

    /// Lets the device have a buffer again, soon: the slack among the buffers is for those that wait here.
    #[inline(always)]
    fn give_back(&self, held: Held) {
        let mut spare = self.spare.borrow_mut();
        spare.push(held);
        if spare.len() as usize >= SLACK / 2 {
            // The queue has room for every buffer there is. Those that are refused all the same stay here, and are tried again.
            let _ = self.pool.post(&mut spare);
        }
    }

    /// What is to be done from time to time.
    #[cold]
    fn idle(&mut self) {
        self.idle_polls = 0;
        let now = clock::now();
        if self.leaving != 0 {
            self.remove_gone(now);
        }
        if self.hub.take_lagging() || now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.pool.refill();
            for seated in self.seats.iter() {
                seated.connection.tend();
            }
        }
    }

    /// Has the doorbell of a connection ring, now or when those that are held do.
    #[inline(always)]
    fn note_held(&self, seat: u32) {
        let Some(seated) = self.seats.get(seat) else {
            return;
        };
        if !seated.is_held.replace(true) {
            self.held.borrow_mut().push(seat);
        }
    }

    /// Rings the doorbells that are held, if that is for too long.
    fn ring_overdue(&self) {
        let now = clock::now();
        match self.held_since.get() {
            // The clock is read between two requests alone, so a batch of one costs no reading.
            None => self.held_since.set(Some(now)),
            Some(since) if now - since > HOLD => self.ring_held(),
            Some(_) => {}
        }
    }

    /// Rings the doorbells that are held.
    #[inline]
    fn ring_held(&self) {
        let mut held = self.held.borrow_mut();
        if held.is_empty() {
            return;
        }
        self.held_since.set(None);
        for seat in held.drain(..) {
            if let Some(seated) = self.seats.get(seat) {
                seated.is_held.set(false);
                seated.connection.ring();
            }
        }
    }

    /// Watches the channel for a task.
    fn watch_channel(&self) {
        let mut watch = self.channel_watch.borrow_mut();
        if watch.is_some() {
            return;
        }
        let watched = Arc::new(Completions {
            channel: Arc::clone(&self.channel),
            hub: Arc::clone(&self.hub),
        });
        // Without it the task is woken only by the bell, for which there is nothing better to do than that.
        *watch = Watch::start(self.channel.fd(), watched).ok();
    }

    /// True if something has arrived; without looking at the bell.
    fn has_arrived(&self) -> bool {
        !self.turns.is_empty()
    }
}

impl Seated {
    /// Ends the connection with a client that does not keep the protocol.
    #[cold]
    fn object(&self, what: &str) {
        self.connection
            .end(|| format!("it does not keep the protocol: it {what}"));
    }
}

/// The completion channel of a server that has a task.
struct Completions {
    channel: Arc<Channel>,
    hub: Arc<Hub>,
}

impl Watched for Completions {
    fn look(&self) -> bool {
        if self.channel.take_events().is_ok_and(|count| count != 0) {
            // The server's thread may sleep on the channel all the same, so it is rung for.
            self.hub.bell.ring();
        }
        true
    }

    fn stop(&self) {}
}

/// A request that a server holds.
#[derive(Clone, Copy, Debug)]
pub struct RdmaTicket {
    /// The connection lives as long as it has a seat, or a token.
    connection: NonNull<Connection>,
    request: Request,
}

// SAFETY: a connection is `Sync`, and a request `Send`.
unsafe impl Send for RdmaTicket {}

impl Ticket for RdmaTicket {
    #[inline(always)]
    fn method(&self) -> u16 {
        self.request.method
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.request.len as usize
    }
}

impl RdmaTicket {
    /// # Safety
    /// 1. Its server was not used by `&mut` since the ticket was made, or its connection is kept.
    #[inline(always)]
    unsafe fn connection(&self) -> &Connection {
        // SAFETY: promise 1: the seat, or whoever keeps the connection, has it.
        unsafe { self.connection.as_ref() }
    }
}

// SAFETY: 1. and 2. The request lies in a receive buffer that the device has filled and given up, and the response is built there or in a
// buffer of the slot, which is sent from only until the slot's next request: both belong to the ticket, of which there is one, since
// `Connection::accept` takes no second request of a slot. Each has room for the largest message of its kind. 3. Buffers live as long as
// the pool, which the server and every connection keep. 4. `accept`, as above.
unsafe impl<S: Service> ServerTransport for Server<S> {
    type Service = S;

    /// A reply may be built over its request, in the buffer in which that arrived.
    const OVERLAYS: bool = true;
    const APART: usize = 0;

    type Ticket = RdmaTicket;
    type Keep = Arc<Connection>;

    fn id(&self) -> u64 {
        self.hub.id
    }

    fn now(&self) -> u64 {
        clock::now()
    }

    #[inline(always)]
    fn poll(&mut self) -> Option<RdmaTicket> {
        if self.hub.bell.has_rung() {
            self.answer_bell();
        }
        if self.round == 0 {
            if self.turns.is_empty() && self.was_drained.take() {
                // Whoever receives in a batch goes on until there is nothing more, which was seen when the last ones came.
                self.ring_held();
                return None;
            }
            self.harvest_all();
            if self.hub.bell.has_rung() {
                // Some of what has arrived may have been a farewell.
                self.answer_bell();
            }
            // Also for a server that is never idle.
            self.idle_polls += 1;
            if self.idle_polls >= IDLE_POLLS_PER_CHECK || self.hub.is_lagging() {
                self.idle();
            }
            self.round = self.turns.len();
            self.was_drained.set(self.holds.get() && self.round != 0);
            if self.round == 0 {
                if !self.held.get_mut().is_empty() {
                    self.ring_held();
                }
                return None;
            }
        }
        if !self.held.get_mut().is_empty() {
            self.ring_overdue();
        }
        self.round -= 1;
        let seat = self.turns.pop_front()?;
        let seated = self.seats.get_mut(seat)?;
        let request = seated.waiting.pop_front()?;
        if !seated.waiting.is_empty() {
            self.turns.push_back(seat);
        }
        Some(RdmaTicket {
            connection: NonNull::from(&*seated.connection),
            request,
        })
    }

    #[inline(always)]
    unsafe fn request(&self, ticket: &RdmaTicket) -> NonNull<u8> {
        // SAFETY: promise 1 of this function.
        unsafe { ticket.connection() }.response(&ticket.request, true)
    }

    #[inline(always)]
    unsafe fn response(&self, ticket: &RdmaTicket, overlay: bool) -> NonNull<u8> {
        // SAFETY: promise 1 of this function.
        unsafe { ticket.connection() }.response(&ticket.request, overlay)
    }

    #[inline(always)]
    unsafe fn reply(
        &self,
        ticket: RdmaTicket,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
    ) -> Result<(), ReplyError> {
        // SAFETY: promise 1 of this function.
        let connection = unsafe { ticket.connection() };
        // The last one that is known rings for those before it, too: what it would wait for has not arrived.
        let holds = self.holds.get() && !self.turns.is_empty();
        let give_back = |held| self.give_back(held);
        // SAFETY: as above; the typed layer has built the response, whose length it says.
        let replied =
            unsafe { connection.answer(ticket.request, overlay, status, value, !holds, give_back) };
        if holds {
            self.note_held(connection.seat);
        }
        replied
    }

    unsafe fn refuse(&self, ticket: RdmaTicket, status: ReplyStatus) -> Result<(), ReplyError> {
        // SAFETY: promise 1 of this function. A reply goes where the slot's client looks, whatever the method.
        unsafe { self.reply(ticket, false, status, 0) }
    }

    unsafe fn keep(&self, ticket: &RdmaTicket) -> Arc<Connection> {
        // SAFETY: promise 1 of this function.
        let connection = unsafe { ticket.connection() };
        match self.seats.get(connection.seat) {
            Some(seated) => Arc::clone(&seated.connection),
            None => {
                unreachable!("the connection of a ticket has its seat while the server is borrowed")
            }
        }
    }

    unsafe fn kept_request(keep: &Arc<Connection>, ticket: &RdmaTicket) -> NonNull<u8> {
        keep.response(&ticket.request, true)
    }

    unsafe fn kept_response(
        keep: &Arc<Connection>,
        ticket: &RdmaTicket,
        overlay: bool,
    ) -> NonNull<u8> {
        keep.response(&ticket.request, overlay)
    }

    unsafe fn kept_reply(
        keep: &Arc<Connection>,
        ticket: RdmaTicket,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
    ) -> Result<(), ReplyError> {
        let give_back = |held| keep.give_back(held);
        // SAFETY: promise 1 of this function: it is the ticket's own connection, and the ticket is given up. The typed layer has built the
        // response, whose length it says.
        unsafe { keep.answer(ticket.request, overlay, status, value, true, give_back) }
    }

    unsafe fn client(&self, ticket: &RdmaTicket) -> ClientId {
        // SAFETY: promise 1 of this function.
        unsafe { ticket.connection() }.id
    }

    fn clients(&self, visit: &mut dyn FnMut(ClientId)) {
        for seated in self.seats.iter() {
            if !seated.connection.link.is_gone() {
                visit(seated.connection.id);
            }
        }
        // Those that have connected since this side last looked.
        self.hub.waiting().into_iter().for_each(visit);
    }

    fn emit(
        &mut self,
        to: Audience,
        method: u16,
        len: usize,
        fill: &mut dyn FnMut(NonNull<u8>),
    ) -> Result<usize, EmitError> {
        if self.hub.bell.has_rung() {
            self.answer_bell();
        }
        // Clients may have given events back.
        self.harvest_all();
        let (mut delivered, mut full, mut found) = (0, 0, false);
        for seated in self.seats.iter_mut() {
            let connection = &seated.connection;
            if let Audience::One(client) = to
                && connection.id != client
            {
                continue;
            }
            // One that has just left is not missed, and one that is not there yet has not asked.
            if connection.link.is_gone() || !connection.is_ready() {
                continue;
            }
            found = true;
            if seated.credit == 0 {
                full += 1;
                continue;
            }
            // SAFETY: the credit is what the client has given back of its event window.
            unsafe { connection.emit(method, len, fill) };
            // After the user's code has built it, which may panic.
            seated.credit -= 1;
            delivered += 1;
        }
        if full != 0 {
            Err(EmitError::WouldBlock { delivered, full })
        } else if !found && matches!(to, Audience::One(_)) {
            Err(EmitError::Disconnected)
        } else {
            Ok(delivered)
        }
    }

    fn ready(&self) -> bool {
        self.hub.bell.has_rung() || self.has_arrived() || self.look() != 0
    }

    fn finished(&self) -> bool {
        self.hub.is_deserted()
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn park(&mut self, until: u64) {
        self.ring_held();
        self.idle();
        let mut until = until.min(self.next_sweep);
        if self.hub.is_lagging() {
            until = until.min(clock::now() + RETRY);
        }
        for leaves_at in self.seats.iter().filter_map(|seated| seated.leaves_at) {
            until = until.min(leaves_at);
        }
        let armed = self.channel.take_events().and_then(|_| self.recv_cq.arm());
        if armed.is_err() {
            // Without notice of completions it looks for them.
            until = until.min(clock::now() + RETRY);
        }
        self.harvest_all();
        if !self.has_arrived() && !self.hub.bell.has_rung() && !self.hub.is_deserted() {
            self.hub.bell.wait(self.channel.fd(), until);
        }
    }

    fn register(&self, waker: &Waker) {
        self.hub.bell.register(waker);
        self.watch_channel();
        self.ring_held();
        // Without notice of completions the task is woken at once, and looks.
        let armed = self.channel.take_events().and_then(|_| self.recv_cq.arm());
        if self.hub.take_lagging() {
            for seated in self.seats.iter() {
                seated.connection.tend();
            }
        }
        // With messages that wait for room the task is woken at once, too: nothing else looks after them.
        if armed.is_err() || self.hub.is_lagging() || self.ready() {
            self.hub.bell.wake();
        }
    }

    fn hold_doorbell(&self) {
        self.holds.set(true);
        self.was_drained.set(false);
    }

    fn ring_doorbell(&self) {
        self.holds.set(false);
        self.was_drained.set(false);
        self.ring_held();
    }
}

impl<S: Service> Bind for Server<S> {
    fn bind(address: &str, config: &ServerConfig) -> Result<Self, AttachError> {
        check(config)?;
        let address = Address::of(address)?;
        let mut last = None;
        for target in address.resolve()? {
            match TcpListener::bind(target) {
                Ok(listener) => {
                    let port = if target.ip().is_unspecified() {
                        Port::any(&address.options)?.0
                    } else {
                        Port::at(target.ip(), &address.options)?
                    };
                    // With the port that the operating system chose, if it was to: connectors go by it.
                    let local = listener
                        .local_addr()
                        .map_err(|error| system("looking at the address of this side", error))?;
                    let address = address.with_port(local.port());
                    return Self::start(config, listener, address, port, true);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            Some(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                AttachError::InUse { name: address.text }
            }
            Some(error) => system(format!("listening at `{}`", address.text), error),
            None => AttachError::NotFound { name: address.text },
        })
    }
}

impl<S: Service> Drop for Server<S> {
    fn drop(&mut self) {
        self.acceptor.close();
        self.hub.close();
        // Those who were welcomed and never taken in are told, too.
        self.seat_newcomers();
        self.ring_held();
        if self.channel_watch.get_mut().take().is_some() {
            unwatch(self.channel.fd());
        }
        for seated in self.seats.iter() {
            seated.connection.say_farewell();
        }
        let until = clock::now() + FAREWELL_PATIENCE.as_nanos() as u64;
        for seated in self.seats.iter() {
            while !seated.connection.is_drained() && clock::now() < until {
                std::thread::yield_now();
            }
            seated
                .connection
                .end(|| "this side has ended the connection".into());
        }
        // Requests that were not received hold buffers, which go with the pool.
    }
}

impl<S: Service> std::fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rdma::Server({})", S::NAME)
    }
}
