//! How a running server is: who is connected, what is in flight, what was counted.
//!
//! Whoever asks gets two messages of text. The first comes from the thread that watches the server's sockets, so it comes even if the
//! server hangs; the second from the server's own thread, which keeps its counters to itself.

use std::time::{Duration, Instant};

use runtime_core::handshake::{MAX_TEXT, cut, text_of};
use runtime_core::{
    AbiHash, AttachError, Counters, MethodCounters, MethodInfo, MethodKind, Service, SlotShape,
};
use runtime_lane::{Memory, in_flight};

use crate::address::Address;
use crate::admit;
use crate::dial::Dialled;
use crate::given::Connection;
use crate::handshake::{Hello, Purpose, Terms, Verdict};
use crate::hub::Hub;
use crate::peer::own_user;
use crate::socket;
use crate::trust::Trust;

/// How long the server's own thread may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The words for what nothing answers.
const ONEWAY: &str = "oneway";
const EVENT: &str = "event";

/// How a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Package and name of its service.
    pub service: String,
    /// The fingerprint of the service's layout.
    pub abi: AbiHash,
    /// Number of its process.
    pub process: u32,
    /// True if it is `@Shm(isolated)`.
    pub isolated: bool,
    /// Clients that it admits.
    pub max_clients: u32,
    /// Those that it has, in the order of their doorbells; of very many only the first ones.
    pub clients: Vec<ClientStat>,
    /// How many there are.
    pub client_count: u32,
    /// What its thread has counted; `None` if that has not answered in time, because it is busy or hangs.
    pub counts: Option<ServerCounts>,
}

/// How a client of it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientStat {
    /// Its number, as [`ClientId`](runtime_core::ClientId).
    pub number: u64,
    /// Number of its process.
    pub process: u32,
    /// Calls that it may have in flight.
    pub window: u32,
    /// Calls that it has in flight.
    pub in_flight: u32,
}

/// What a server has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerCounts {
    /// Times that it went to sleep.
    pub sleeps: u64,
    /// Each method, in the order of the definition.
    pub methods: Vec<MethodStat>,
}

/// What was counted of a method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodStat {
    /// Its name.
    pub name: String,
    /// `call`, `oneway` or `event`.
    pub kind: String,
    /// Its counters.
    pub counters: MethodCounters,
}

impl MethodStat {
    /// Bytes that the server was sent; `None` of what only it sends.
    pub fn bytes_in(&self) -> Option<u64> {
        (self.kind != EVENT).then_some(self.counters.request_bytes)
    }

    /// Bytes that the server sent; `None` of what nothing answers. The message of an event is counted as a request, for it
    /// is what begins an exchange.
    pub fn bytes_out(&self) -> Option<u64> {
        match self.kind.as_str() {
            ONEWAY => None,
            EVENT => Some(self.counters.request_bytes),
            _ => Some(self.counters.response_bytes),
        }
    }

    /// Replies, and those among them that brought an error; `None` of what nothing answers.
    pub fn answers(&self) -> Option<(u64, u64)> {
        let counters = &self.counters;
        (!matches!(self.kind.as_str(), ONEWAY | EVENT))
            .then_some((counters.replies, counters.failures))
    }
}

/// How the server of that name is. Looks, and changes nothing.
///
/// # Errors
/// Nobody serves the name, or it belongs to another user, or does not answer.
pub fn stat(name: &str) -> Result<Stat, AttachError> {
    let address = Address::of(name)?;
    let dialled = Dialled::at(name, address.socket())?;
    if !dialled.peer.is_own() {
        return Err(AttachError::Denied {
            name: name.into(),
            why: format!(
                "its server runs as user {} and this side as {}",
                dialled.peer.user(),
                own_user()
            ),
        });
    }
    let hello = Hello {
        purpose: Purpose::Stat,
        abi: AbiHash(0),
        terms: Terms {
            isolated: false,
            asymmetric: false,
            window: 0,
            events: 0,
            shape: SlotShape {
                request_area: 0,
                response_area: 0,
                event_area: 0,
            },
        },
    };
    let (answer, _) = dialled.ask(&hello, &[], "")?;
    let mut stat = Stat {
        service: String::new(),
        abi: answer.abi,
        process: dialled.peer.pid,
        isolated: answer.terms.isolated,
        max_clients: answer.bells,
        clients: Vec::new(),
        client_count: 0,
        counts: None,
    };
    for line in answer.text.lines() {
        stat.read(line);
    }
    let mut room = vec![0; MAX_TEXT];
    let report = socket::until(&dialled.socket, Instant::now() + PATIENCE, || {
        socket::receive(&dialled.socket, &mut room)
    });
    stat.counts = report
        .ok()
        .and_then(|report| room.get(..report.len))
        .filter(|text| !text.is_empty())
        .map(|text| ServerCounts::of(&text_of(text)));
    Ok(stat)
}

impl Stat {
    /// Reads a line of the first message. One that is not known comes from another version, and is left out.
    fn read(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("service") => self.service = words.next().unwrap_or_default().into(),
            Some("clients") => self.client_count = number(words.next()),
            Some("client") => self.clients.push(ClientStat {
                number: number(words.next()),
                process: number(words.next()),
                window: number(words.next()),
                in_flight: number(words.next()),
            }),
            _ => {}
        }
    }
}

impl ServerCounts {
    fn of(text: &str) -> Self {
        let mut counts = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("sleeps") => counts.sleeps = number(words.next()),
                Some("method") => counts.methods.push(MethodStat {
                    name: words.next().unwrap_or_default().into(),
                    kind: words.next().unwrap_or_default().into(),
                    counters: MethodCounters {
                        calls: number(words.next()),
                        replies: number(words.next()),
                        failures: number(words.next()),
                        timeouts: 0,
                        request_bytes: number(words.next()),
                        response_bytes: number(words.next()),
                    },
                }),
                _ => {}
            }
        }
        counts
    }
}

fn number<N: core::str::FromStr + Default>(word: Option<&str>) -> N {
    word.and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// Answers with what can be seen from outside, and leaves the rest to the server's thread.
pub(crate) fn answer<S: Service, T: Trust>(hub: &Hub<S, T>, caller: Connection) {
    let mut clients = String::new();
    let mut count = 0;
    hub.census(|client, memory| {
        let (pid, window) = (memory.shared().link().pid, memory.geometry().window);
        let line = format!("client {} {pid} {window} {}\n", client.0, in_flight(memory));
        clients.push_str(&line);
        count += 1;
    });
    let text = format!("service {}\nclients {count}\n{clients}", S::NAME);
    let answer = admit::answer(hub, Verdict::Welcome, 0, text);
    // One that does not listen asks in vain.
    if socket::send(&caller, &answer.to_bytes(), &[]).is_ok() {
        hub.inquire(caller);
    }
}

/// Answers with what the server's thread has counted.
pub(crate) fn report(caller: &Connection, methods: &[MethodInfo], counters: &Counters) {
    let mut text = format!("sleeps {}\n", counters.sleeps);
    for (method, counted) in methods.iter().zip(counters.methods()) {
        let kind = match method.kind {
            MethodKind::Call => "call",
            MethodKind::Oneway => ONEWAY,
            MethodKind::Event => EVENT,
        };
        let line = format!(
            "method {} {kind} {} {} {} {} {}\n",
            method.name,
            counted.calls,
            counted.replies,
            counted.failures,
            counted.request_bytes,
            counted.response_bytes
        );
        text.push_str(&line);
    }
    // As above.
    let _ = socket::send(caller, cut(&text).as_bytes(), &[]);
}
