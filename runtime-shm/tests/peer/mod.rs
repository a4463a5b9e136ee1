//! A peer that speaks the protocol by hand, so that it can speak it wrongly: its messages, its memory, its two sides.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file takes what it needs, and a test may end where it cannot go on"
)]

/// The probe service of the conformance tests.
#[path = "../../../tests/conformance/src/probe.rs"]
#[rustfmt::skip]
#[allow(unused, unreachable_pub)]
pub mod probe;

mod client;
mod memory;
mod server;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use client::RawClient;
pub use memory::{Map, SIZED, memfd, own_memfd};
pub use server::{Offer, RawListener, RawServer};
pub use wire::{Answer, Hello, Message, receive, send};

use probe::probe::{Handler, ServerOver, Service};
use probe::{Blob, Image, MathError, Mode};
use runtime_core::{ServerConfig, SlotShape};
use runtime_shm::{Client, Server, Trust};

/// A test that takes longer than this hangs.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Fails a test that a defect would let hang. Those of one program run one after the other: they count what the process has.
pub fn guarded(test: impl FnOnce() + Send + 'static) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
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

/// A name that no other test, and no other run of this one, has.
pub fn fresh_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("hostile-{}-{number}", std::process::id())
}

/// The slots of the probe service.
pub fn shape<T: Trust>() -> SlotShape {
    if T::ISOLATED {
        SlotShape::split_of_service::<Service>()
    } else {
        SlotShape::of_service::<Service>()
    }
}

/// A server of the probe service.
pub type Honest<T> = ServerOver<Server<Service, T>>;

/// A client of it.
pub type Caller<T> = probe::probe::ClientOver<Client<Service, T>, u64>;

/// An honest server with a fresh name.
pub fn honest_server<T: Trust>(max_clients: usize) -> (String, Honest<T>) {
    let name = fresh_name();
    let config = ServerConfig {
        max_clients,
        ..ServerConfig::default()
    };
    let server = Honest::<T>::bind_with(&name, &config).unwrap();
    (name, server)
}

/// One round trip of an honest client, whatever else goes on at its server.
pub fn echo<T: Trust>(server: &mut Honest<T>, client: &mut Caller<T>, value: u64) {
    client.echo(value, value).unwrap();
    let end = Instant::now() + WATCHDOG / 3;
    let mut got = None;
    while got.is_none() {
        assert!(Instant::now() < end, "an honest client is not served");
        server.poll(&mut Echo, 64).unwrap();
        client
            .poll(|user_data, reply| match reply {
                probe::probe::Reply::Echo(result) => got = Some((user_data, result.copied())),
                other => panic!("{other:?} is no reply to an echo"),
            })
            .unwrap();
    }
    assert_eq!(got, Some((value, Ok(value))));
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

/// A number from the environment, or else another.
pub fn number(variable: &str, otherwise: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.map_or(otherwise, |text| text.parse().unwrap())
}

/// A word as lane words are made; see `Word` of runtime-lane.
pub fn word(identity: u16, method: u16, len: u32, next: u16, again: bool) -> u64 {
    u64::from(identity)
        | u64::from(method) << 16
        | u64::from(next) << 32
        | u64::from(again) << 46
        | u64::from(len) << 47
}

/// The identity of the request with that number in its lane, counted from 0.
pub fn request_identity(number: u64) -> u16 {
    // The first has generation 1, and state 1 in the lowest bits.
    1 | (number.wrapping_add(1) as u16) << 3
}

/// The word of a reply.
pub fn reply_word(request: u16, status: u16, value: u32) -> u64 {
    u64::from(request ^ 3) | u64::from(status) << 16 | u64::from(value) << 32
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
