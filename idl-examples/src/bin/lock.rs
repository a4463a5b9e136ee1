//! A lock service: a caller that has to wait is simply not answered until the lock is its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use idl_examples::lock::locks::{Client, Request, Server, Service, method};
use idl_examples::lock::{Lease, LockError, Name};
use idl_examples::{Failure, Laps, join};
use runtime_core::{CallError, ClientConfig, ClientId, Opt, ServerConfig, Token};

const CLIENTS: usize = 8;
const ROUNDS: u64 = 50;

/// A caller that waits.
struct Waiting {
    token: Token<method::Acquire, runtime_inproc::Server<Service>>,
    client: ClientId,
    until: Instant,
    /// Who may come before it: that many.
    ahead: u64,
}

#[derive(Default)]
struct Lock {
    holder: Option<ClientId>,
    fence: u64,
    queue: VecDeque<Waiting>,
}

/// All locks, and what the test wants to know.
#[derive(Default)]
struct Locks {
    by_name: BTreeMap<Name, Lock>,
    granted: u64,
    too_late: u64,
    abandoned: u64,
}

impl Locks {
    fn try_acquire(&mut self, name: Name, client: ClientId) -> Option<Lease> {
        let lock = self.by_name.entry(name).or_default();
        if lock.holder.is_some() {
            return None;
        }
        lock.holder = Some(client);
        lock.fence += 1;
        self.granted += 1;
        Some(Lease {
            name,
            fence: lock.fence,
        })
    }

    /// Gives a free lock to who has waited for it longest.
    fn hand_on(&mut self, server: &mut Server, name: Name) {
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
                self.abandoned += 1;
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
        server: &mut Server,
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
    fn look_after(&mut self, server: &mut Server) {
        let (now, present) = (Instant::now(), server.clients());
        let names: Vec<_> = self.by_name.keys().copied().collect();
        for name in names {
            let Some(lock) = self.by_name.get_mut(&name) else {
                continue;
            };
            while let Some(at) = lock.queue.iter().position(|waiting| waiting.until <= now)
                && let Some(late) = lock.queue.remove(at)
            {
                self.too_late += 1;
                let _ = server.fail(late.token, LockError::TOO_LATE);
            }
            if lock.holder.is_some_and(|holder| !present.contains(&holder)) {
                self.abandoned += 1;
                lock.holder = None;
            }
            self.hand_on(server, name);
        }
    }
}

/// The server's loop. That a client is gone is no failure of the server, so what replies return is let be.
fn serve(mut server: Server) -> Result<Locks, Failure> {
    let mut locks = Locks::default();
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
    Ok(locks)
}

/// Counts up under the lock; without it, counts would get lost between the load and the store.
fn work(mut client: Client, name: Name, counter: &AtomicU64) -> Result<Laps, Failure> {
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

fn main() -> Result<(), Failure> {
    let config = ServerConfig::default();
    let server = Server::over(runtime_inproc::Server::new(&config)?, &config);
    let connector = server.transport().connector();
    let connect = || -> Result<Client, Failure> {
        let config = ClientConfig::default();
        Ok(Client::over(connector.connect(&config)?, &config))
    };
    let mut first = connect()?;
    let thread = thread::spawn(move || serve(server));

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
    drop((first, second));
    let mut third = connect()?;
    let after = third.blocking().acquire(&name, 2_000)?;
    assert!(after.fence > lease.fence);
    third.blocking().release(&after)?;

    drop((third, connector));
    let locks = join(thread)?;
    assert_eq!(locks.too_late, 1);
    let slowest = laps.iter().map(Laps::median_ns).max().unwrap_or_default();
    let fastest = laps.iter().map(Laps::median_ns).min().unwrap_or_default();
    println!(
        "lock: {} leases, {} too late, {} abandoned; nobody was overtaken",
        locks.granted, locks.too_late, locks.abandoned
    );
    println!("lock: {CLIENTS} clients wait for one lock, median {fastest} to {slowest} ns a call");
    Ok(())
}
