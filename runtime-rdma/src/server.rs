//! The server's transport.

use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use runtime_core::{
    AttachError, Audience, Bind, ClientId, EmitError, ReplyError, ReplyStatus, ServerConfig,
    ServerTransport, Service,
};
use runtime_os::{Alarm, LazyPollable, Pollable, Watch, Watched, clock, unwatch};

use crate::accept::{Acceptor, Door};
use crate::address::{Address, Options};
use crate::connection::Connection;
use crate::device::{Port, system};
use crate::hub::{Connector, Hub, Stopper};
use crate::pool::Pool;
use crate::qp::completions;
use crate::reception::Reception;
use crate::shape::{SLACK, Shape, is_window};
use crate::ticket::RdmaTicket;
use crate::verbs::{Channel, Cq, Srq};

/// How long a server that goes waits until what it sent last has been received.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(1);

/// A server's end of all its connections to other nodes.
pub struct Server<S: Service> {
    /// First, so that nobody is let in any more when the rest goes.
    _watch: Watch,
    acceptor: Arc<Acceptor>,
    reception: Reception,
    /// The watching of the channel, for a task.
    channel_watch: RefCell<Option<Watch>>,
    address: Address,
    local: SocketAddr,
    pollable: LazyPollable,
    alarm: Alarm,
    service: core::marker::PhantomData<fn() -> S>,
}

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
            inline: S::TUNING.rdma_inline,
            is_anywhere: local.ip().is_unspecified(),
            options: address.options.clone(),
            abi: S::ABI_HASH,
            abi_text: S::ABI_TEXT,
            port,
        });
        // SAFETY: the queue was made for this server, whose queue pairs receive into the pool's shared queue.
        let reception = unsafe { Reception::new(hub, pool, recv_cq, channel) };
        let acceptor = Acceptor::new(&door, listener);
        let watch = acceptor
            .open()
            .map_err(|error| system("watching the listening socket", error))?;
        Ok(Self {
            _watch: watch,
            acceptor,
            reception,
            channel_watch: RefCell::default(),
            address,
            local,
            pollable: LazyPollable::default(),
            alarm: Alarm::new(1),
            service: core::marker::PhantomData,
        })
    }

    /// Where it listens: with a port that the operating system chose, if it was to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What makes clients of this server.
    pub fn connector(&self) -> Connector<S> {
        Connector::new(&self.reception.hub, &self.address)
    }

    /// What ends this server from another thread.
    pub fn stopper(&self) -> Stopper<S> {
        Stopper::new(&self.reception.hub)
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
        self.reception
            .seats
            .iter()
            .map(|seated| seated.connection.doorbells())
            .sum()
    }

    /// Watches the channel for a task.
    fn watch_channel(&self) {
        let mut watch = self.channel_watch.borrow_mut();
        if watch.is_some() {
            return;
        }
        let watched = Arc::new(Completions {
            channel: Arc::clone(&self.reception.channel),
            hub: Arc::clone(&self.reception.hub),
        });
        // Without it the task is woken only by the bell, for which there is nothing better to do than that.
        *watch = Watch::start(self.reception.channel.fd(), watched).ok();
    }
}

/// The completion channel of a server that has a task.
struct Completions {
    channel: Arc<Channel>,
    hub: Arc<Hub>,
}

impl Watched for Completions {
    fn look(&self) -> bool {
        let taken = self.channel.take_events();
        if taken.as_ref().is_ok_and(|count| *count == 0) {
            return true;
        }
        // The server's thread may sleep on the channel all the same, so it is rung for.
        self.hub.bell.ring();
        // The channel of a device that was taken away says nothing else for ever.
        taken.is_ok()
    }

    fn stop(&self) {
        unwatch(self.channel.fd());
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
        self.reception.hub.attendance.server()
    }

    fn now(&self) -> u64 {
        clock::now()
    }

    #[inline(always)]
    fn poll(&mut self) -> Option<RdmaTicket> {
        self.reception.next()
    }

    #[inline(always)]
    unsafe fn request(&self, ticket: &RdmaTicket) -> NonNull<u8> {
        // SAFETY: promise 1 of this function.
        let connection = unsafe { ticket.connection() };
        // SAFETY: it is the ticket's own.
        unsafe { connection.response(ticket, true) }
    }

    #[inline(always)]
    unsafe fn response(&self, ticket: &RdmaTicket, overlay: bool) -> NonNull<u8> {
        // SAFETY: promise 1 of this function.
        let connection = unsafe { ticket.connection() };
        // SAFETY: it is the ticket's own.
        unsafe { connection.response(ticket, overlay) }
    }

    #[inline(always)]
    unsafe fn reply(
        &self,
        ticket: RdmaTicket,
        overlay: bool,
        status: ReplyStatus,
        value: u32,
    ) -> Result<(), ReplyError> {
        // SAFETY: promise 1 of this function; the typed layer has built the response, whose length it says.
        unsafe { self.reception.answer(ticket, overlay, status, value) }
    }

    unsafe fn refuse(&self, ticket: RdmaTicket, status: ReplyStatus) -> Result<(), ReplyError> {
        // SAFETY: promise 1 of this function. A reply goes where the slot's client looks, whatever the method.
        unsafe { self.reply(ticket, false, status, 0) }
    }

    unsafe fn keep(&self, ticket: &RdmaTicket) -> Arc<Connection> {
        // Its buffer comes back by another way than the others, which are counted.
        self.reception.note_looks(1);
        // SAFETY: promise 1 of this function.
        let connection = unsafe { ticket.connection() };
        match self.reception.seats.get(connection.seat) {
            Some(seated) => Arc::clone(&seated.connection),
            None => {
                unreachable!("the connection of a ticket has its seat while the server is borrowed")
            }
        }
    }

    fn client_is_gone(keep: &Arc<Connection>) -> bool {
        keep.link.is_gone()
    }

    unsafe fn kept_request(keep: &Arc<Connection>, ticket: &RdmaTicket) -> NonNull<u8> {
        // SAFETY: promise 1 of this function: it is the ticket's own connection.
        unsafe { keep.response(ticket, true) }
    }

    unsafe fn kept_response(
        keep: &Arc<Connection>,
        ticket: &RdmaTicket,
        overlay: bool,
    ) -> NonNull<u8> {
        // SAFETY: promise 1 of this function: it is the ticket's own connection.
        unsafe { keep.response(ticket, overlay) }
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
        let replied = unsafe { keep.answer(ticket, overlay, status, value, true, give_back) };
        keep.wake_if_lagging();
        replied
    }

    unsafe fn client(&self, ticket: &RdmaTicket) -> ClientId {
        // SAFETY: promise 1 of this function.
        unsafe { ticket.connection() }.id
    }

    fn clients(&self, visit: &mut dyn FnMut(ClientId)) {
        for seated in self.reception.seats.iter() {
            if !seated.connection.link.is_gone() {
                visit(seated.connection.id);
            }
        }
        // Those that have connected since this side last looked.
        self.reception.hub.waiting().into_iter().for_each(visit);
    }

    fn emit(
        &mut self,
        to: Audience,
        method: u16,
        len: usize,
        fill: &mut dyn FnMut(NonNull<u8>),
    ) -> Result<usize, EmitError> {
        self.reception.emit(to, method, len, fill)
    }

    // Not in `recv`, where it is asked only at the end and would take registers from every call.
    #[inline(never)]
    fn ready(&self) -> bool {
        !self.reception.hub.attendance.is_stopped() && self.reception.is_ready()
    }

    fn finished(&self) -> bool {
        self.reception.hub.attendance.is_over()
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn park(&mut self, until: u64) {
        self.reception.park(until);
    }

    fn register(&self, waker: &Waker) {
        self.reception.hub.bell.register(waker);
        self.watch_channel();
        if self.reception.may_not_sleep() {
            self.reception.hub.bell.wake();
        } else if let Some(time) = self.reception.looks_again_at() {
            self.alarm.wake_at(time, waker);
        }
    }

    #[inline(always)]
    fn hold_doorbell(&self) {
        self.reception.begin_batch();
    }

    #[inline(always)]
    fn ring_doorbell(&self) {
        self.reception.end_batch();
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
            Some(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => {
                AttachError::Config {
                    what: format!(
                        "the address `{}` is none of this host; `ip address` lists those that it has",
                        address.text
                    ),
                }
            }
            Some(error) => system(format!("listening at `{}`", address.text), error),
            None => AttachError::NotFound { name: address.text },
        })
    }
}

impl<S: Service> Drop for Server<S> {
    fn drop(&mut self) {
        self.acceptor.close();
        self.reception.hub.close();
        // Those who were welcomed and never taken in are told, too.
        self.reception.seat_newcomers();
        self.reception.ring_held();
        if self.channel_watch.get_mut().take().is_some() {
            unwatch(self.reception.channel.fd());
        }
        for seated in self.reception.seats.iter() {
            seated.connection.say_farewell();
        }
        let until = clock::now() + FAREWELL_PATIENCE.as_nanos() as u64;
        for seated in self.reception.seats.iter() {
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
