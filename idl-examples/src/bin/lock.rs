//! A lock service: a caller that has to wait is simply not answered until the lock is its own. On threads, and as two processes.

use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use idl_examples::lock::locks::{self, ClientOver, Request, ServerOver, method};
use idl_examples::lock::{Lease, LockError, Name};
use idl_examples::{Failure, Laps, Sides, join, serve_until_input_ends};
use runtime_core::{
    CallError, ClientConfig, ClientId, ClientTransport, Opt, ServerConfig, ServerTransport, Token,
};

const CLIENTS: usize = 8;
const ROUNDS: u64 = 50;

/// A caller that waits.
struct Waiting<T: ServerTransport> {
    token: Token<method::Acquire, T>,
    client: ClientId,
    until: Instant,
    /// Who may come before it: that many.
    ahead: u64,
}

struct Lock<T: ServerTransport> {
    holder: Option<ClientId>,
    fence: u64,
    queue: VecDeque<Waiting<T>>,
}

// Derived, these would ask for a transport that has a default.
impl<T: ServerTransport> Default for Lock<T> {
    fn default() -> Self {
        Self {
            holder: None,
            fence: 0,
            queue: VecDeque::new(),
        }
    }
}

/// What became of the calls.
#[derive(Default)]
struct Tally {
    granted: u64,
    too_late: u64,
    abandoned: u64,
}

impl Tally {
    fn print(&self) {
        println!(
            "lock: {} leases, {} too late, {} abandoned; nobody was overtaken",
            self.granted, self.too_late, self.abandoned
        );
    }
}

/// All locks.
struct Locks<T: ServerTransport> {
    by_name: BTreeMap<Name, Lock<T>>,
    tally: Tally,
}

impl<T: ServerTransport> Locks<T> {
    fn try_acquire(&mut self, name: Name, client: ClientId) -> Option<Lease> {
        let lock = self.by_name.entry(name).or_default();
        if lock.holder.is_some() {
            return None;
        }
        lock.holder = Some(client);
        lock.fence += 1;
        self.tally.granted += 1;
        Some(Lease {
            name,
            fence: lock.fence,
        })
    }

    /// Gives a free lock to who has waited for it longest.
    fn hand_on(&mut self, server: &mut ServerOver<T>, name: Name) {
        while let Some(lock) = self.by_name.get_mut(&name)
            && lock.holder.is_none()
            && let Some(next) = lock.queue.pop_front()
        {
            // Fair: nobody has overtaken it.
            assert!(lock.fence <= next.ahead, "a waiting caller was overtaken");
            if let Some(lease) = self.try_acquire(name, next.client)
                && server.reply(next.token, lease).is_err()
            {
                // It went away while it waited.
                self.tally.abandoned += 1;
                self.free(name);
            }
        }
    }

    fn free(&mut self, name: Name) {
        if let Some(lock) = self.by_name.get_mut(&name) {
            lock.holder = None;
        }
    }

    fn release(
        &mut self,
        server: &mut ServerOver<T>,
        lease: &Lease,
        client: ClientId,
    ) -> Result<(), LockError> {
        let held = self
            .by_name
            .get(&lease.name)
            .is_some_and(|lock| lock.fence == lease.fence);
        let by_client = self
            .by_name
            .get(&lease.name)
            .is_some_and(|lock| lock.holder == Some(client));
        if !held || !by_client {
            return Err(LockError::NOT_HELD);
        }
        self.free(lease.name);
        self.hand_on(server, lease.name);
        Ok(())
    }

    /// Looks after those whose patience is at an end, and after holders that are gone.
    fn look_after(&mut self, server: &mut ServerOver<T>) {
        let (now, present) = (Instant::now(), server.clients());
        let names: Vec<_> = self.by_name.keys().copied().collect();
        for name in names {
            let Some(lock) = self.by_name.get_mut(&name) else {
                continue;
            };
            while let Some(at) = lock.queue.iter().position(|waiting| waiting.until <= now)
                && let Some(late) = lock.queue.remove(at)
            {
                self.tally.too_late += 1;
                let _ = server.fail(late.token, LockError::TOO_LATE);
            }
            // The dead keep their places among the server's clients for as long as their requests are held.
            let waited = lock.queue.len();
            lock.queue.retain(|waiting| !waiting.token.client_is_gone());
            self.tally.abandoned += (waited - lock.queue.len()) as u64;
            if lock.holder.is_some_and(|holder| !present.contains(&holder)) {
                self.tally.abandoned += 1;
                lock.holder = None;
            }
            self.hand_on(server, name);
        }
    }
}

/// The server's loop. That a client is gone is no failure of the server, so what replies return is let be.
fn serve<T: ServerTransport>(mut server: ServerOver<T>) -> Result<Tally, Failure> {
    let mut locks = Locks {
        by_name: BTreeMap::new(),
        tally: Tally::default(),
    };
    let mut looked = Instant::now();
    while server.wait(Duration::from_millis(2)).is_ok() {
        // One at a time, since what follows from a request may be the reply to another.
        loop {
            let mut then = None;
            match server.recv() {
                Ok(Some(Request::Acquire(call))) => {
                    let (name, client) = (call.data().name, call.client());
                    match locks.try_acquire(name, client) {
                        Some(lease) => drop(call.reply(lease)),
                        None => {
                            let until = Instant::now()
                                + Duration::from_millis(call.data().patience_ms.into());
                            let lock = locks.by_name.entry(name).or_default();
                            let ahead = lock.fence + lock.queue.len() as u64;
                            lock.queue.push_back(Waiting {
                                token: call.into_token(),
                                client,
                                until,
                                ahead,
                            });
                        }
                    }
                }
                Ok(Some(Request::TryAcquire(call))) => {
                    let lease = locks.try_acquire(call.data().name, call.client());
                    let _ = call.reply(lease);
                }
                Ok(Some(Request::Release(call))) => {
                    let (lease, client) = (call.data().lease, call.client());
                    then = Some((call.into_token(), lease, client));
                }
                Ok(Some(Request::Queue(call))) => {
                    let queue = locks
                        .by_name
                        .get(&call.data().name)
                        .map_or(0, |lock| lock.queue.len());
                    let _ = call.reply(queue as u32);
                }
                Ok(None) | Err(_) => break,
            }
            if let Some((token, lease, client)) = then {
                let released = locks.release(&mut server, &lease, client);
                let _ = server.finish(token, released);
            }
        }
        if looked.elapsed() > Duration::from_millis(2) {
            looked = Instant::now();
            locks.look_after(&mut server);
        }
    }
    Ok(locks.tally)
}

/// Counts up under the lock; without it, counts would get lost between the load and the store.
fn work<T: ClientTransport>(
    mut client: ClientOver<T>,
    name: Name,
    counter: &AtomicU64,
) -> Result<Laps, Failure> {
    let mut laps = Laps::default();
    let mut fence = 0;
    for _ in 0..ROUNDS {
        let lease = laps.time(|| client.blocking().acquire(&name, 4_000))?;
        assert!(lease.fence > fence);
        fence = lease.fence;
        let count = counter.load(Ordering::Relaxed);
        thread::yield_now();
        counter.store(count + 1, Ordering::Relaxed);
        client.blocking().release(&lease)?;
    }
    Ok(laps)
}

/// All clients, over whatever connects them; returns how long each worker waited.
fn call<T>(connect: impl Fn() -> Result<ClientOver<T>, Failure>) -> Result<Vec<Laps>, Failure>
where
    T: ClientTransport + Send + 'static,
{
    let mut first = connect()?;

    // Many clients, one lock.
    let counter = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, counter) = (connect()?, Arc::clone(&counter));
            let name = "counter".try_into()?;
            Ok(thread::spawn(move || work(client, name, &counter)))
        })
        .collect::<Result<_, Failure>>()?;
    let mut laps = Vec::new();
    for worker in workers {
        laps.push(join(worker)?);
    }
    assert_eq!(counter.load(Ordering::Relaxed), CLIENTS as u64 * ROUNDS);

    // The server's patience, the caller's deadline, and a stale lease.
    let name = "door".try_into()?;
    let lease = first.blocking().acquire(&name, 0)?;
    let mut second = connect()?;
    assert_eq!(second.blocking().try_acquire(&name)?, Opt::NONE);
    let late = second.blocking().acquire(&name, 20);
    assert_eq!(late.err(), Some(CallError::Service(LockError::TOO_LATE)));
    let gave_up = second
        .blocking()
        .within(Duration::from_millis(20))
        .acquire(&name, 60_000);
    assert_eq!(gave_up.err(), Some(CallError::Timeout));
    assert_eq!(second.blocking().queue(&name)?, 1);
    let stolen = second.blocking().release(&lease);
    assert_eq!(stolen.err(), Some(CallError::Service(LockError::NOT_HELD)));

    // One that waits and one that holds both go away; the lock comes back all the same.
    drop(second);
    drop(first);
    let mut third = connect()?;
    let after = third.blocking().acquire(&name, 2_000)?;
    assert!(after.fence > lease.fence);
    third.blocking().release(&after)?;
    Ok(laps)
}

fn print(laps: &[Laps]) {
    let slowest = laps.iter().map(Laps::median_ns).max().unwrap_or_default();
    let fastest = laps.iter().map(Laps::median_ns).min().unwrap_or_default();
    println!("lock: {CLIENTS} clients wait for one lock, median {fastest} to {slowest} ns a call");
}

/// Over the in-process backend: without the connector no further client can come, so the server ends with the last of these.
fn threads() -> Result<(), Failure> {
    let config = ServerConfig::default();
    let server = locks::inproc::Server::over(runtime_inproc::Server::new(&config)?, &config);
    let connector = server.transport().connector();
    let thread = thread::spawn(move || serve(server));
    let laps = call(|| {
        let config = ClientConfig::default();
        Ok(ClientOver::over(connector.connect(&config)?, &config))
    })?;
    drop(connector);
    let tally = join(thread)?;
    assert_eq!(tally.too_late, 1);
    tally.print();
    print(&laps);
    Ok(())
}

/// Over shared memory: a process that serves a name until it is told to stop. What became of the calls only this side knows.
fn server(name: &str) -> Result<(), Failure> {
    let server = locks::shm::Server::bind(name)?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(name, move || stopper.stop());
    serve(server)?.print();
    Ok(())
}

/// And another one with all the clients.
fn client(name: &str) -> Result<(), Failure> {
    print(&call(|| Ok(locks::shm::Client::connect(name)?))?);
    Ok(())
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "lock",
        threads,
        server,
        client,
        nodes: None,
    };
    sides.run()
}
