//! What the tests share: devices of the in-process provider, an honest server and its clients, and peers that speak the protocol by hand,
//! so that they can speak it wrongly.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file takes what it needs, and a test may end where it cannot go on"
)]

mod raw;
mod sides;
mod wire;

use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use conformance::probe;
pub use raw::{BUFFER, RawQp};
pub use sides::{RawClient, RawListener, RawServer};
pub use wire::{
    ABORTED, EVENT, FREED, INVALID, LEAVES, Message, OK, Point, READY, REQUEST, SERVICE,
    UNIMPLEMENTED, event_imm, kind_of, note_imm, reply_imm, request_imm, tag_of,
};

use probe::probe::{ClientOver, Handler, Reply, ServerOver, Service};
use probe::{Blob, Image, MathError, Mode};
use runtime_core::{AttachError, Bind, CallError, ClientConfig, Connect, ServerConfig, WaitError};
use runtime_rdma::{Client, Server};
use sim_verbs::{Device, Leaks, Traits};

/// A test that takes longer than this hangs.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A server of the probe service.
pub type Honest = ServerOver<Server<Service>>;

/// A client of it.
pub type Caller = ClientOver<Client<Service>, u64>;

/// What a call has brought.
pub type Ended = (u64, Result<u64, CallError>);

/// Fails a test that a defect would let hang. Those of one program run one after the other: they count what the process has.
pub fn guarded(test: impl FnOnce() + Send + 'static) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    sim_verbs::install();
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match ended.recv_timeout(WATCHDOG) {
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
    }
}

/// Looks until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + WATCHDOG / 3;
    while !is_so() {
        assert!(Instant::now() < end, "it never came to this: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A device that no other test has.
pub fn device_with(traits: Traits) -> (String, Device) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    sim_verbs::install();
    let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let device = Device::add(&name, traits);
    (name, device)
}

/// The same, of the usual kind.
pub fn device() -> (String, Device) {
    device_with(Traits::default())
}

/// A server with these settings, and where it is reached over the same device.
pub fn bind(device: &str, config: &ServerConfig) -> Result<(String, Honest), AttachError> {
    let server = Server::<Service>::bind(&format!("127.0.0.1:0?device={device}"), config)?;
    let address = format!("{}?device={device}", server.local_addr());
    Ok((address, Honest::over(server, config)))
}

/// An honest server on this device, and where it is reached.
pub fn honest_server(device: &str, max_clients: usize) -> (String, Honest) {
    let config = ServerConfig {
        max_clients,
        ..ServerConfig::default()
    };
    bind(device, &config).unwrap()
}

/// Settings of a client whose calls end for another reason than the time.
pub fn patient(window: usize) -> ClientConfig {
    ClientConfig {
        window: Some(window),
        deadline: Duration::from_secs(300),
        ..ClientConfig::default()
    }
}

/// A client of the server at an address.
pub fn connect(address: &str, window: usize) -> Result<Caller, AttachError> {
    let config = patient(window);
    let client = Client::<Service>::connect(address, &config)?;
    Ok(Caller::over(client, &config))
}

/// A client that gets its seat as soon as the server has taken it from one that is gone: it sees that a moment before.
pub fn connect_when_seated(server: &mut Honest, address: &str, window: usize) -> Caller {
    let mut connected = None;
    until("there is a seat", || {
        serve(server);
        match connect(address, window) {
            Ok(client) => connected = Some(client),
            Err(AttachError::TooManyClients { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        connected.is_some()
    });
    connected.unwrap()
}

/// Serves what has arrived.
pub fn serve(server: &mut Honest) {
    let mut served = 0;
    while let Ok(count @ 1..) = server.poll(&mut Echo, 64) {
        served += count;
        assert!(served < 100_000, "what has arrived is served without end");
    }
}

/// Takes what has ended of calls with a number as their result.
pub fn take(client: &mut Caller, got: &mut Vec<Ended>) -> Result<usize, WaitError> {
    client.poll(|user_data, reply| got.push((user_data, result_of(&reply))))
}

/// The result of a call with a number as its result.
pub fn result_of(reply: &Reply<'_>) -> Result<u64, CallError> {
    match *reply {
        Reply::Echo(result) | Reply::Lookup(result) => result.copied(),
        Reply::Mirror(result) => result.map(|blob| blob.words[0]),
        Reply::Brighten(result) => result.map(|response| response.image.pixels[0].into()),
        Reply::Toggle(result) => result.map(|mode| mode.0.into()),
        Reply::Split(result) => result.map(|it| u64::from(it.high) << 32 | u64::from(it.low)),
        Reply::Divide(result) => match result {
            Ok(quotient) => Ok(*quotient),
            // By zero: what no division gives.
            Err(CallError::Service(_)) => Ok(u64::MAX),
            Err(CallError::Timeout) => Err(CallError::Timeout),
            Err(CallError::Disconnected { maybe_executed }) => {
                Err(CallError::Disconnected { maybe_executed })
            }
            Err(CallError::WouldBlock) => Err(CallError::WouldBlock),
            Err(CallError::Aborted) => Err(CallError::Aborted),
            Err(CallError::Unimplemented) => Err(CallError::Unimplemented),
            Err(CallError::InvalidData(invalid)) => Err(CallError::InvalidData(invalid)),
            Err(error) => panic!("{error:?}"),
        },
    }
}

/// Polls until a client has seen that the server is gone: what its calls have brought.
pub fn drain(client: &mut Caller) -> Vec<Ended> {
    let mut got = Vec::new();
    until("the client sees that the server is gone", || {
        take(client, &mut got) == Err(WaitError::Disconnected)
    });
    got.sort_by_key(|(user_data, _)| *user_data);
    got
}

/// What a call brings whose server is gone.
pub const LOST: Result<u64, CallError> = Err(CallError::Disconnected {
    maybe_executed: true,
});

/// One round trip of an honest client, whatever else goes on at its server.
pub fn echo(server: &mut Honest, client: &mut Caller, value: u64) {
    client.echo(value, value).unwrap();
    let mut got = Vec::new();
    let end = Instant::now() + WATCHDOG / 3;
    while got.is_empty() {
        assert!(Instant::now() < end, "an honest client is not served");
        server.poll(&mut Echo, 64).unwrap();
        take(client, &mut got).unwrap();
    }
    assert_eq!(got, [(value, Ok(value))]);
}

/// Serves until the server has so many clients.
pub fn settle(server: &mut Honest, clients: usize) {
    until("the server has the clients that there are", || {
        serve(server);
        server.clients().len() == clients
    });
}

/// Serves until the server has ended the connection of a socket, which it does when it next looks.
pub fn until_ended(server: &mut Honest, socket: &TcpStream) {
    until("its socket is closed", || {
        serve(server);
        RawClient::is_ended(socket, Duration::from_millis(10))
    });
}

/// Looks until all that was made on a device is gone again.
pub fn until_clean(device: Device) {
    let end = Instant::now() + WATCHDOG / 3;
    while device.leaks() != Leaks::default() {
        assert!(Instant::now() < end, "there is left: {:?}", device.leaks());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Numbers that are drawn the same everywhere (splitmix64).
pub struct Draw(pub u64);

impl Draw {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// How many descriptors this process has.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A server that answers.
#[derive(Debug)]
pub struct Echo;

impl Handler for Echo {
    fn echo(&mut self, value: u64) -> u64 {
        value
    }

    fn mirror(&mut self, blob: &Blob) -> Blob {
        *blob
    }

    fn brighten(&mut self, image: &mut Image, by: u8) {
        for pixel in &mut image.pixels {
            *pixel = pixel.saturating_add(by);
        }
    }

    fn divide(&mut self, dividend: u64, divisor: u64) -> Result<u64, MathError> {
        dividend.checked_div(divisor).ok_or(MathError::BY_ZERO)
    }

    fn lookup(&mut self, key: u64) -> u64 {
        key
    }

    fn toggle(&mut self, mode: Mode) -> Mode {
        // Whatever a peer writes, no handler sees a mode that there is not.
        assert!(mode == Mode::ON || mode == Mode::OFF, "{mode:?}");
        mode
    }

    fn split(&mut self, value: u64, high: &mut u32, low: &mut u32) -> bool {
        (*high, *low) = ((value >> 32) as u32, value as u32);
        *high != 0
    }

    fn note(&mut self, _: u64) {}
}
