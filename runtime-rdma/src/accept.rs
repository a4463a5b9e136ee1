//! How clients get in: they are accepted, say what they want, and get a connection or are told why not.
//!
//! All of it happens on the watching thread, so a server that is busy, or hangs, does not keep its clients from connecting; and a client
//! that says nothing, or nonsense, keeps nobody.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use runtime_core::handshake::MAX_TEXT;
use runtime_core::{AbiHash, NoSeat};
use runtime_os::{Watch, Watched, unwatch};

use crate::address::Options;
use crate::connection::{Connection, Ends};
use crate::device::Port;
use crate::handshake::{Answer, Endpoint, Hello, LEN, READY, Verdict};
use crate::hub::Hub;
use crate::link::{Link, prepared};
use crate::pool::Pool;
use crate::qp::{connect, make, send_depth};
use crate::shape::is_window;
use crate::verbs::{Cq, Region, explain_registration};

/// How long a connection may take to say what it wants, and to make its queue pair.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that have not done that, at a time.
const MAX_CALLERS: usize = 256;

/// Connections that are accepted in one go, so that a flood of them keeps nobody from the rest.
const BATCH: usize = 16;

/// A wait after an error that will not have passed at once.
const PAUSE: Duration = Duration::from_millis(10);

/// What a server's clients are let in with; without the service, of which only this is needed.
pub(crate) struct Door {
    pub(crate) hub: Arc<Hub>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) recv_cq: Arc<Cq>,
    /// Bytes of a message that is sent inline at most.
    pub(crate) inline: u32,
    pub(crate) port: Port,
    /// True if the server is reached at every address of the host: then each connection has the port of its own address.
    pub(crate) is_anywhere: bool,
    pub(crate) options: Options,
    pub(crate) abi: AbiHash,
    pub(crate) abi_text: &'static str,
}

impl Door {
    fn answer(&self, verdict: Verdict, endpoint: Endpoint, text: String) -> Answer {
        Answer {
            verdict,
            abi: self.abi,
            endpoint,
            events: self.events() as u32,
            clients: self.hub.max_clients,
            text,
        }
    }

    /// The event window.
    fn events(&self) -> usize {
        self.pool.shape.events(self.hub.event_window)
    }

    /// Tells a client why it gets no connection.
    fn refuse(&self, socket: &TcpStream, verdict: Verdict, why: String) {
        let answer = self.answer(verdict, Endpoint::default(), why);
        // One that does not listen learns of it by the end of the connection.
        let _ = say(socket, &answer.to_bytes());
    }

    /// What is wrong with what a client wants; nothing if it fits.
    fn check(&self, hello: &Hello) -> Option<(Verdict, String)> {
        if hello.abi != self.abi {
            return Some((Verdict::AbiMismatch, self.abi_text.into()));
        }
        let shape = self.pool.shape;
        if hello.shape != shape {
            let why = format!(
                "the client's buffers are {:?} and the server's {shape:?}; use one version of rpcidl on both sides",
                hello.shape
            );
            return Some((Verdict::Refused, why));
        }
        if !is_window(hello.window as usize) {
            let why = format!(
                "the client wants a window of {}: it must be a power of two from 2 to {}",
                hello.window,
                crate::imm::MAX_WINDOW
            );
            return Some((Verdict::Refused, why));
        }
        None
    }

    /// The port over which a connection came.
    fn port_of(&self, socket: &TcpStream) -> Result<Port, String> {
        if !self.is_anywhere {
            return Ok(self.port.clone());
        }
        let local = socket.local_addr().map_err(|error| error.to_string())?;
        let options = Options {
            device: Some(self.port.device.context.name().into()),
            ..self.options.clone()
        };
        Port::at(local.ip(), &options).map_err(|error| error.to_string())
    }

    /// Memory for a client's events.
    fn event_memory(&self, port: &Port, events: usize) -> Result<Option<Region>, String> {
        if events == 0 {
            return Ok(None);
        }
        let bytes = events * self.pool.shape.event;
        // Nobody but this side writes it.
        match Region::new(&port.device.pd, bytes, 0) {
            Ok(region) => Ok(Some(region)),
            Err(error) => Err(explain_registration(&error, bytes)),
        }
    }

    /// Connects a queue pair to a client's.
    fn connect(
        &self,
        socket: &TcpStream,
        window: usize,
        theirs: &Endpoint,
    ) -> Result<(Arc<Connection>, Endpoint), (Verdict, String)> {
        let refused = |why: String| (Verdict::Refused, why);
        let port = self.port_of(socket).map_err(refused)?;
        let link_socket = socket
            .try_clone()
            .and_then(prepared)
            .map_err(|error| refused(format!("setting up the socket: {error}")))?;
        let (seat, id) = self.hub.admit().map_err(|why| match why {
            NoSeat::Full => (Verdict::TooManyClients, String::new()),
            NoSeat::Closed => (Verdict::Refused, "it is shutting down".into()),
        })?;
        let resign = |why: String| {
            self.hub.resign();
            (Verdict::Refused, why)
        };
        let events = self.events();
        let event_memory = self.event_memory(&port, events).map_err(resign)?;
        let depth = send_depth(window, events, port.device.limits.max_qp_wr);
        let made = make(
            &port,
            depth,
            0,
            self.inline,
            &self.recv_cq,
            Some(self.pool.srq()),
        )
        .and_then(|made| {
            connect(&made, &port, theirs, &self.options)?;
            Ok(made)
        })
        .map_err(|error| resign(error.to_string()))?;
        let endpoint = made.endpoint;
        let responses = self.pool.reserve(window).map_err(resign)?;
        // From here on the socket ends with the link: what is refused is said before.
        let (hub, number) = (Arc::downgrade(&self.hub), seat.number);
        let notify = move || {
            if let Some(hub) = hub.upgrade() {
                hub.lose(number);
            }
        };
        let link = Link::new(link_socket, Box::new(notify));
        let ends = Ends {
            port,
            pool: Arc::clone(&self.pool),
            hub: Arc::clone(&self.hub),
            link: Arc::new(link),
            seat,
            id,
            window,
            events,
            responses,
            event_memory,
        };
        let connection = Connection::new(made, ends);
        // Before it knows that it may call: its calls find a connection.
        if !self.hub.introduce(&connection) {
            connection.detach();
            // While the socket still stands: it ends with the connection.
            self.refuse(socket, Verdict::Refused, "it is shutting down".into());
            return Err(resign("it is shutting down".into()));
        }
        Ok((connection, endpoint))
    }
}

/// Writes a message to a socket on which nothing waits: all of it fits the socket's buffer, or the peer does not read.
fn say(socket: &TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut socket = socket;
    socket.write_all(bytes)
}

/// Accepts the connections of one server.
pub(crate) struct Acceptor {
    door: Arc<Door>,
    listener: Mutex<Option<TcpListener>>,
}

impl Acceptor {
    pub(crate) fn new(door: &Arc<Door>, listener: TcpListener) -> Arc<Self> {
        Arc::new(Self {
            door: Arc::clone(door),
            listener: Mutex::new(Some(listener)),
        })
    }

    fn listener(&self) -> MutexGuard<'_, Option<TcpListener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to accept.
    pub(crate) fn open(self: &Arc<Self>) -> std::io::Result<Watch> {
        let listener = self.listener();
        let Some(listener) = &*listener else {
            unreachable!("it is opened before anybody can close it")
        };
        listener.set_nonblocking(true)?;
        Watch::start(listener.as_fd(), Arc::clone(self) as Arc<dyn Watched>)
    }

    /// Gives the address up. When this returns nobody is accepted any more, and somebody else may have it.
    pub(crate) fn close(&self) {
        if let Some(listener) = self.listener().take() {
            // Not left to the closing: a child that was forked may have a copy.
            unwatch(listener.as_fd());
        }
    }

    /// Hears what an accepted connection wants, or ends it.
    fn greet(&self, socket: TcpStream) {
        let door = &self.door;
        let set_up = socket
            .set_nonblocking(true)
            .and_then(|()| socket.set_nodelay(true))
            // A layout's text is written in one go.
            .and_then(|()| {
                rustix::net::sockopt::set_socket_send_buffer_size(&socket, 2 * (LEN + MAX_TEXT))
                    .map_err(Into::into)
            });
        if let Err(error) = set_up {
            return door.refuse(&socket, Verdict::Refused, error.to_string());
        }
        if !door.hub.greet(MAX_CALLERS) {
            let why =
                format!("{MAX_CALLERS} connections have not said yet what they want; try again");
            return door.refuse(&socket, Verdict::Refused, why);
        }
        let caller = Arc::new(Caller {
            door: Arc::clone(door),
            talk: Mutex::new(Talk {
                socket: Some(socket),
                heard: Vec::with_capacity(LEN),
                stage: Stage::Hello,
            }),
            since: Instant::now(),
        });
        let talk = caller.talk();
        let Some(socket) = &talk.socket else {
            unreachable!("it was put in just now")
        };
        match Watch::start(socket.as_fd(), Arc::clone(&caller) as Arc<dyn Watched>) {
            Ok(watch) => watch.leave(),
            Err(error) => door.refuse(socket, Verdict::Refused, error.to_string()),
        }
    }
}

impl Watched for Acceptor {
    fn look(&self) -> bool {
        for _ in 0..BATCH {
            let accepted = match &*self.listener() {
                Some(listener) => listener.accept(),
                None => return false,
            };
            match accepted {
                Ok((socket, _)) => self.greet(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                Err(_) => {
                    // Out of descriptors, as a rule. The connection waits, and wakes this thread again and again.
                    std::thread::sleep(PAUSE);
                    return true;
                }
            }
        }
        true
    }

    fn stop(&self) {}
}

/// A connection that is not one of a client yet.
struct Caller {
    door: Arc<Door>,
    talk: Mutex<Talk>,
    since: Instant,
}

struct Talk {
    /// Taken when it is a client's.
    socket: Option<TcpStream>,
    /// Bytes of the message that is being heard.
    heard: Vec<u8>,
    stage: Stage,
}

/// What is heard next.
enum Stage {
    Hello,
    Endpoint { window: usize },
    Ready { connection: Arc<Connection> },
}

impl Stage {
    /// Bytes of the message.
    fn len(&self) -> usize {
        match self {
            Self::Hello | Self::Endpoint { .. } => LEN,
            Self::Ready { .. } => 1,
        }
    }
}

impl Caller {
    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Talk {
    /// Hears the rest of a message: true if it is complete, false if more is to come.
    fn hear(&mut self) -> std::io::Result<bool> {
        let Some(socket) = &mut self.socket else {
            return Err(ErrorKind::NotConnected.into());
        };
        let missing = self.stage.len() - self.heard.len();
        let mut room = [0; LEN];
        match socket.read(&mut room[..missing]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.heard.extend_from_slice(&room[..count]);
                Ok(count == missing)
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Answers a message: false if nothing more is to be heard.
    fn answer(&mut self, door: &Arc<Door>) -> bool {
        let mut message = [0; LEN];
        message[..self.heard.len()].copy_from_slice(&self.heard);
        self.heard.clear();
        let Some(socket) = &self.socket else {
            return false;
        };
        let refuse = |(verdict, why)| {
            door.refuse(socket, verdict, why);
            false
        };
        match &self.stage {
            Stage::Hello => {
                let hello = match Hello::from_bytes(&message) {
                    Ok(hello) => hello,
                    Err(garbled) => return refuse((Verdict::Refused, garbled.to_string())),
                };
                if let Some(what) = door.check(&hello) {
                    return refuse(what);
                }
                let fits = door.answer(Verdict::Welcome, Endpoint::default(), String::new());
                self.stage = Stage::Endpoint {
                    window: hello.window as usize,
                };
                say(socket, &fits.to_bytes()).is_ok()
            }
            Stage::Endpoint { window } => {
                let theirs = match Endpoint::from_bytes(&message) {
                    Ok(theirs) => theirs,
                    Err(garbled) => return refuse((Verdict::Refused, garbled.to_string())),
                };
                match door.connect(socket, *window, &theirs) {
                    Ok((connection, ours)) => {
                        let welcome = door.answer(Verdict::Welcome, ours, String::new());
                        let said = say(socket, &welcome.to_bytes()).is_ok();
                        self.stage = Stage::Ready { connection };
                        said
                    }
                    Err(what) => refuse(what),
                }
            }
            Stage::Ready { connection } => {
                if message[0] != READY {
                    connection.link.fail(|| "it said nonsense".into());
                    return false;
                }
                // From here on the socket is watched as a sign of life.
                unwatch(socket.as_fd());
                let peer = Arc::new(Peer(Arc::downgrade(&connection.link)));
                match Watch::start(connection.link.socket(), peer) {
                    Ok(watch) => {
                        connection.keep_watch(watch);
                        connection.set_ready();
                        if say(socket, &[READY]).is_err() {
                            connection.link.fail(|| "it left while it connected".into());
                        }
                    }
                    Err(error) => connection
                        .link
                        .fail(|| format!("its socket cannot be watched: {error}")),
                }
                self.socket = None;
                false
            }
        }
    }
}

impl Watched for Caller {
    fn look(&self) -> bool {
        let mut talk = self.talk();
        match talk.hear() {
            Ok(true) => talk.answer(&self.door),
            Ok(false) => true,
            Err(_) => false,
        }
    }

    fn stop(&self) {
        if let Some(socket) = &self.talk().socket {
            unwatch(socket.as_fd());
        }
    }

    fn is_pending(&self) -> bool {
        true
    }

    fn is_in_time(&self) -> bool {
        self.since.elapsed() < PATIENCE
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.door.hub.dismiss();
        let talk = self.talk();
        if let Some(socket) = &talk.socket {
            // One whose time was over: a child that was forked may have a copy of the socket, and the kernel would go on telling of it.
            unwatch(socket.as_fd());
            if let Stage::Ready { connection } = &talk.stage {
                connection
                    .link
                    .fail(|| "it has not finished connecting".into());
            }
        }
    }
}

/// A client, as its server watches it.
struct Peer(Weak<Link>);

impl Watched for Peer {
    fn look(&self) -> bool {
        self.0.upgrade().is_some_and(|link| link.look())
    }

    fn stop(&self) {
        if let Some(link) = self.0.upgrade() {
            unwatch(link.socket());
        }
    }
}
