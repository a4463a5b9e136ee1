//! How a client gets its connection: it asks for one over TCP, and connects its queue pair.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use runtime_core::handshake::{Garbled, text_of};
use runtime_core::{AttachError, Service};
use runtime_os::{Watch, Watched, unwatch};

use crate::address::Address;
use crate::bell::Bell;
use crate::buffer::{Buffers, Chain};
use crate::device::{Port, system};
use crate::endpoint::{Endpoint, Parts};
use crate::handshake::{Answer, Hello, LEN, READY, Verdict};
use crate::link::{Link, prepared};
use crate::qp::{completions, connect, make, send_depth};
use crate::shape::{Shape, is_window};
use crate::verbs::{Channel, Cq, Region, explain_registration};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a client is made of.
pub(crate) struct Dialled {
    pub(crate) endpoint: Endpoint,
    pub(crate) link: Arc<Link>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) watch: Watch,
    pub(crate) channel: Arc<Channel>,
}

/// Connects to the server at an address.
pub(crate) fn dial<S: Service>(address: &Address, window: usize) -> Result<Dialled, AttachError> {
    let talk = Talk::with(address)?;
    let shape = Shape::of::<S>();
    let local = talk
        .socket
        .local_addr()
        .map_err(|error| system("looking at the address of this side", error))?;
    let port = Port::at(local.ip(), &address.options)?;
    talk.say(
        &Hello {
            abi: S::ABI_HASH,
            window: window as u32,
            shape,
        }
        .to_bytes(),
    )?;
    let fits = talk.hear::<S>()?;
    let events = shape.events(fits.events as usize);
    if events != 0 && !is_window(events) {
        return Err(talk.foreign("its event window is not possible".into()));
    }

    let device = &port.device;
    let limits = &device.limits;
    let context = &device.context;
    let receives = Shape::client_receives(window, events);
    if receives > limits.max_qp_wr.max(0) as usize {
        return Err(AttachError::Config {
            what: format!(
                "a window of {window} and {events} events take {receives} receive buffers, and a queue pair of `{}` has at most {}",
                context.name(),
                limits.max_qp_wr
            ),
        });
    }
    let channel =
        Channel::new(context).map_err(|error| system("making a completion channel", error))?;
    let room = completions(receives + 1, limits.max_cqe);
    if (room as usize) <= receives {
        return Err(AttachError::Config {
            what: format!(
                "a window of {window} and {events} events take {receives} completions, and a queue of `{}` has at most {room}",
                context.name()
            ),
        });
    }
    let recv_cq = Cq::new(context, room, Some(&channel))
        .map_err(|error| system("making a completion queue", error))?;
    let memory = |why| AttachError::System {
        what: "registering the memory of a client".into(),
        error: why,
    };
    let bytes = window * shape.request;
    let requests = Region::new(&device.pd, bytes, 0)
        .map_err(|error| memory(explain_registration(&error, bytes)))?;
    let arrivals = Buffers::new(&device.pd, receives, shape.arrival()).map_err(memory)?;
    // After the memory that it may read and write: what is made last goes first, if something fails.
    let depth = send_depth(window, 0, limits.max_qp_wr);
    let made = make(
        &port,
        depth,
        receives as u32,
        S::TUNING.rdma_inline,
        &recv_cq,
        None,
    )?;
    let chain = Chain::new(usize::MAX);
    // SAFETY: they were made just now.
    unsafe { arrivals.hold() }.for_each(|held| {
        chain.push(held);
    });
    let qp = &made.qp;
    // SAFETY: a chain is a list of requests whose buffers nobody else has. Their memory goes after the queue pair: the endpoint keeps both,
    // and without one the locals are dropped in the reverse order of their making.
    let posted = chain.post(|first| unsafe { qp.post_recv(first) });
    posted.map_err(|errno| {
        system(
            "giving the device receive buffers",
            std::io::Error::from_raw_os_error(errno),
        )
    })?;

    talk.say(&made.endpoint.to_bytes())?;
    let answer = talk.hear::<S>()?;
    if !answer.endpoint.is_possible() {
        return Err(talk.foreign("its queue pair is not possible".into()));
    }
    connect(&made, &port, &answer.endpoint, &address.options)?;
    talk.say(&[READY])?;
    talk.hear_ready()?;

    let bell = Arc::new(Bell::new().map_err(|error| system("making an eventfd", error))?);
    let rings = Arc::clone(&bell);
    let socket = prepared(talk.socket).map_err(|error| system("setting up the socket", error))?;
    let link = Arc::new(Link::new(socket, Box::new(move || rings.ring())));
    let server = Arc::new(Server {
        link: Arc::downgrade(&link),
        channel: Arc::downgrade(&channel),
        bell: Arc::clone(&bell),
    });
    let watch = Watch::start(link.socket(), server);
    let watch = watch.map_err(|error| system("watching the connection", error))?;
    device.enlist(made.qp.number(), port.number, &link);
    let endpoint = Endpoint::new(Parts {
        made,
        recv_cq,
        channel: Arc::clone(&channel),
        requests,
        arrivals,
        link: Arc::clone(&link),
        port,
        shape,
        window,
        events,
    });
    Ok(Dialled {
        endpoint,
        link,
        bell,
        watch,
        channel,
    })
}

/// The talk with a server before there is a connection.
struct Talk<'a> {
    name: &'a str,
    socket: TcpStream,
    /// When all of it must have been said.
    until: Instant,
}

impl<'a> Talk<'a> {
    fn with(address: &'a Address) -> Result<Self, AttachError> {
        let name = address.text.as_str();
        let mut last = None;
        for target in address.resolve()? {
            match TcpStream::connect_timeout(&target, PATIENCE) {
                Ok(socket) => {
                    let fault = |error| system("setting up the socket", error);
                    socket.set_nodelay(true).map_err(fault)?;
                    socket.set_write_timeout(Some(PATIENCE)).map_err(fault)?;
                    return Ok(Self {
                        name,
                        socket,
                        until: Instant::now() + PATIENCE,
                    });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            None => AttachError::NotFound { name: name.into() },
            Some(error) => match error.kind() {
                ErrorKind::ConnectionRefused => AttachError::NotFound { name: name.into() },
                ErrorKind::TimedOut => no_answer(name),
                _ => system(format!("connecting to `{name}`"), error),
            },
        })
    }

    fn say(&self, bytes: &[u8]) -> Result<(), AttachError> {
        match (&self.socket).write_all(bytes) {
            // A server that turns clients away without hearing them may have answered and gone already: what it said is still to be read.
            Err(error) if !is_end(&error) => Err(self.lost(&error)),
            _ => Ok(()),
        }
    }

    fn read(&self, bytes: &mut [u8]) -> Result<(), AttachError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // A server that says a byte now and then gets no more time than one that says nothing.
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(no_answer(self.name));
            }
            let read = self
                .socket
                .set_read_timeout(Some(left))
                .and_then(|()| (&self.socket).read(rest));
            match read {
                Ok(0) => return Err(self.lost(&ErrorKind::UnexpectedEof.into())),
                Ok(count) => rest = &mut rest[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(&error)),
            }
        }
        Ok(())
    }

    /// The server's answer, if that is a welcome.
    fn hear<S: Service>(&self) -> Result<Answer, AttachError> {
        let mut head = [0; LEN];
        self.read(&mut head)?;
        let garbled = |garbled: Garbled| self.foreign(garbled.to_string());
        let (answer, len) = Answer::from_bytes(&head).map_err(garbled)?;
        let mut text = vec![0; len];
        self.read(&mut text)?;
        let text = text_of(&text);
        let name = self.name.to_string();
        match answer.verdict {
            Verdict::Welcome => Ok(answer),
            Verdict::AbiMismatch => Err(AttachError::AbiMismatch {
                name,
                ours: S::ABI_HASH,
                theirs: answer.abi,
                difference: runtime_core::first_difference(S::ABI_TEXT, &text),
            }),
            Verdict::TooManyClients => Err(AttachError::TooManyClients {
                limit: answer.clients as usize,
            }),
            Verdict::Refused => Err(AttachError::Refused { name, why: text }),
        }
    }

    fn hear_ready(&self) -> Result<(), AttachError> {
        let mut byte = [0];
        self.read(&mut byte)?;
        if byte == [READY] {
            Ok(())
        } else {
            Err(self.foreign(Garbled::Nonsense.to_string()))
        }
    }

    fn foreign(&self, what: String) -> AttachError {
        AttachError::Foreign {
            name: self.name.into(),
            what,
        }
    }

    fn lost(&self, error: &std::io::Error) -> AttachError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => no_answer(self.name),
            _ if is_end(error) => AttachError::Refused {
                name: self.name.into(),
                why: "it ended the connection without an answer".into(),
            },
            _ => system(format!("talking to the server of `{}`", self.name), error),
        }
    }
}

fn is_end(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

fn no_answer(name: &str) -> AttachError {
    AttachError::NoAnswer {
        name: name.into(),
        after: PATIENCE,
    }
}

/// The server, as its client watches it.
struct Server {
    /// Gone with the client.
    link: Weak<Link>,
    channel: Weak<Channel>,
    bell: Arc<Bell>,
}

impl Watched for Server {
    fn look(&self) -> bool {
        let (Some(link), Some(channel)) = (self.link.upgrade(), self.channel.upgrade()) else {
            return false;
        };
        // Watched only for a client that has a task. Its thread may sleep on the channel all the same, so it is rung for.
        match channel.take_events() {
            Ok(0) => {}
            Ok(_) => self.bell.ring(),
            Err(error) => {
                // The channel of a device that was taken away says nothing else for ever.
                unwatch(channel.fd());
                link.fail(|| format!("the device is gone: {error}"));
            }
        }
        link.look()
    }

    fn stop(&self) {
        if let Some(link) = self.link.upgrade() {
            unwatch(link.socket());
        }
        if let Some(channel) = self.channel.upgrade() {
            unwatch(channel.fd());
        }
    }
}
