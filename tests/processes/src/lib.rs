//! Processes that tests start, talk to over their standard streams, and kill.
//!
//! The binary `role` plays the parts: a server, or a client that ends itself in the midst of a call. What a test and a role have to agree
//! on is here.

#![cfg(target_os = "linux")]

mod role;
mod rude;
mod way;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conformance::probe::probe::{ClientOver, ServerOver, Service};
use runtime_core::{AttachError, ClientConfig, ServerConfig};
use rustix::process::Pid;

pub use role::Role;
pub use rude::{Reaction, Rude};
pub use way::{Rdma, Way, name};

/// A client of the probe service whose calls carry a `U`.
pub type Client<T, U = u64> = ClientOver<<T as Way>::Client<Service>, U>;

/// A server of the probe service.
pub type Server<T> = ServerOver<<T as Way>::Server<Service>>;

/// Values of `echo` from here on are not answered before a `note` of [`RELEASE`].
pub const PARKED: u64 = 1 << 32;

/// A `note` of this has the parked calls answered; one of anything else has its client sent an event.
pub const RELEASE: u64 = u64::MAX;

/// `divide` with this dividend is what a server that is to die waits for.
pub const TRIGGER: u64 = 0xdead;

/// Longer than any test takes that does not hang, on a machine with much else to do.
pub const LONG: Duration = Duration::from_secs(30);

/// What a server answers to `echo`, so that a reply that is mixed up with a request is seen.
pub fn echoed(value: u64) -> u64 {
    !value
}

/// Settings of a client whose calls end by everything but their deadline.
pub fn patient() -> ClientConfig {
    ClientConfig {
        deadline: Duration::from_secs(300),
        ..ClientConfig::default()
    }
}

/// Connects, or says why not.
///
/// # Errors
/// Those of connecting.
pub fn try_connect<T: Way, U>(name: &str) -> Result<Client<T, U>, AttachError> {
    Client::<T, U>::connect_with(name, &patient())
}

/// Connects to a server that has to be there.
///
/// # Panics
/// If it cannot.
pub fn connect<T: Way, U>(name: &str) -> Client<T, U> {
    match try_connect::<T, U>(name) {
        Ok(client) => client,
        Err(error) => panic!("cannot connect to `{name}`: {error}"),
    }
}

/// Connects as soon as there is a seat: a server gives that of a client that was killed to the next one once it has looked.
///
/// # Panics
/// If it takes too long, or something else is in the way.
pub fn connect_when_seated<T: Way, U>(name: &str) -> Client<T, U> {
    let start = Instant::now();
    loop {
        match try_connect::<T, U>(name) {
            Ok(client) => return client,
            Err(AttachError::TooManyClients { .. }) if start.elapsed() < LONG => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("no seat at `{name}` after {:?}: {error}", start.elapsed()),
        }
    }
}

/// Serves under a name.
///
/// # Errors
/// Those of binding.
pub fn bind<T: Way>(name: &str, max_clients: usize) -> Result<Server<T>, AttachError> {
    let config = ServerConfig {
        max_clients,
        ..ServerConfig::default()
    };
    Server::<T>::bind_with(name, &config)
}

/// Serves under a name as soon as nobody else does. A socket that this process has closed may be open for a moment longer: in a child that
/// another thread has forked, until that executes its program.
///
/// # Panics
/// If it takes too long, or something else is in the way.
pub fn bind_when_free<T: Way>(name: &str, max_clients: usize) -> Server<T> {
    let start = Instant::now();
    loop {
        match bind::<T>(name, max_clients) {
            Ok(server) => return server,
            Err(AttachError::InUse { .. }) if start.elapsed() < LONG => {}
            Err(error) => panic!("`{name}` after {:?}: {error}", start.elapsed()),
        }
    }
}

/// Nanoseconds on the clock that all processes share.
pub fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What a process has open, mapped and running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Its descriptors.
    pub descriptors: usize,
    /// Its mappings of shared memory.
    pub mappings: usize,
    /// Its threads.
    pub threads: usize,
}

impl Holdings {
    /// Those of a process.
    ///
    /// # Panics
    /// If it is gone.
    pub fn of(pid: Pid) -> Self {
        let proc = format!("/proc/{}", pid.as_raw_nonzero());
        let entries = |folder: &str| match fs::read_dir(format!("{proc}/{folder}")) {
            Ok(entries) => entries.count(),
            Err(error) => panic!("{proc}/{folder}: {error}"),
        };
        let maps = match fs::read_to_string(format!("{proc}/maps")) {
            Ok(maps) => maps,
            Err(error) => panic!("{proc}/maps: {error}"),
        };
        Self {
            descriptors: entries("fd"),
            // Others come and go with the allocator.
            mappings: maps.lines().filter(|line| line.contains("/memfd:")).count(),
            threads: entries("task"),
        }
    }
}

/// The limit of descriptors with which a process can open just so many more.
///
/// # Panics
/// If it is gone.
pub fn descriptor_limit(pid: Pid, more: u64) -> u64 {
    let folder = format!("/proc/{}/fd", pid.as_raw_nonzero());
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries.flatten(),
        Err(error) => panic!("{folder}: {error}"),
    };
    let open: Vec<u64> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        // A process that looks at itself sees what it looks with.
        .filter(|number| fs::read_link(format!("{folder}/{number}")).is_ok())
        .collect();
    // The limit is one of numbers, and there may be holes.
    let mut free = (0..).filter(|number| !open.contains(number));
    free.nth(more as usize).unwrap_or(u64::MAX)
}

/// Says that something is over, also if the test fails, so that nobody waits for it in vain.
#[derive(Debug)]
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until something is so.
///
/// # Panics
/// If it does not become so in time.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
