//! A key-value store that throws out what was not used for longest, and tells its clients: on threads, and as two processes.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use idl_examples::common::{NS_PER_S, Stamp, Uuid};
use idl_examples::kv::kv_store::{self, ClientOver, Event, Handler, ServerOver};
use idl_examples::kv::{
    Key, KvError, Mode, PAGE, Page, PutFlags, Query, QueryArm, Range, Record, Tier,
};
use idl_examples::{Failure, Laps, Nodes, Sides, join, serve_until_input_ends};
use runtime_core::{Audience, CallError, ClientTransport, Retry, ServerTransport};

/// Records that the store has room for.
const CAPACITY: usize = 64;

struct Stored {
    record: Record,
    flags: PutFlags,
    used: u64,
}

#[derive(Default)]
struct Store {
    records: BTreeMap<Key, Stored>,
    /// Counts uses, so that it tells the order in which records were used.
    uses: u64,
    /// Events that are to be sent.
    evicted: Vec<(Key, Tier)>,
}

impl Store {
    fn make_room(&mut self) -> Result<(), KvError> {
        if self.records.len() < CAPACITY {
            return Ok(());
        }
        let may_go = self
            .records
            .iter()
            .filter(|(_, stored)| !stored.flags.contains(PutFlags::NO_EVICT));
        let (key, tier) = may_go
            .min_by_key(|(_, stored)| stored.used)
            .map(|(key, stored)| (*key, stored.record.tier))
            .ok_or(KvError::FULL)?;
        self.records.remove(&key);
        self.evicted.push((key, tier));
        Ok(())
    }
}

impl Handler for Store {
    fn get(&mut self, key: &Key) -> Result<Record, KvError> {
        self.touch(key);
        self.records
            .get(key)
            .map(|stored| stored.record)
            .ok_or(KvError::NOT_FOUND)
    }

    fn put(&mut self, record: &Record, flags: PutFlags, mode: Mode) -> Result<u32, KvError> {
        match (mode, self.records.contains_key(&record.key)) {
            (Mode::INSERT, true) => return Err(KvError::EXISTS),
            (Mode::REPLACE, false) => return Err(KvError::NOT_FOUND),
            (_, true) => {}
            (_, false) => self.make_room()?,
        }
        self.uses += 1;
        self.records.insert(
            record.key,
            Stored {
                record: *record,
                flags,
                used: self.uses,
            },
        );
        Ok(self.records.len() as u32)
    }

    fn scan(&mut self, query: &Query, cursor: &mut u64, page: &mut Page) {
        let wanted = |key: &Key| match query.arm() {
            QueryArm::All => true,
            QueryArm::Prefix(prefix) => key.starts_with(prefix.as_str()),
            QueryArm::Range(range) => range.from <= *key && *key < range.to,
            // A newer client may ask for more than this build knows.
            _ => false,
        };
        let limit = match query.arm() {
            QueryArm::Range(range) => usize::from(range.limit),
            _ => usize::MAX,
        };
        let mut rest = self
            .records
            .keys()
            .filter(|key| wanted(key))
            .take(limit)
            .skip(*cursor as usize)
            .copied()
            .peekable();
        page.extend(rest.by_ref().take(PAGE as usize));
        *cursor = if rest.peek().is_some() {
            *cursor + u64::from(PAGE)
        } else {
            0
        };
    }

    fn touch(&mut self, key: &Key) {
        self.uses += 1;
        if let Some(stored) = self.records.get_mut(key) {
            stored.used = self.uses;
        }
    }

    fn has(&mut self, key: &Key) -> bool {
        self.records.contains_key(key)
    }
}

/// The server's loop, written out because it does more than answer: it also sends events.
fn serve<T: ServerTransport>(mut server: ServerOver<T>) -> Result<(), Failure> {
    let mut store = Store::default();
    while server.wait(Duration::MAX).is_ok() {
        // `Err` says that the last client is gone, or that the server is to stop, as `wait` will.
        while server.poll(&mut store, 16).is_ok_and(|served| served != 0) {}
        for (key, tier) in store.evicted.drain(..) {
            // A client that does not look at its events misses some rather than hold up the store.
            let _ = server.evicted(Audience::All, &key, tier);
        }
    }
    Ok(())
}

fn key(number: usize) -> Result<Key, Failure> {
    let group = if number.is_multiple_of(2) {
        "even"
    } else {
        "odd"
    };
    Ok(format!("{group}/{number:03}").as_str().try_into()?)
}

fn record(number: usize) -> Result<Record, Failure> {
    Ok(Record {
        key: key(number)?,
        value: format!("value {number}").as_bytes().try_into()?,
        written: Stamp {
            unix_ns: number as u64 * NS_PER_S,
            node: 1,
            ..Stamp::default()
        },
        owners: [Uuid { bytes: [7; 16] }].as_slice().try_into()?,
        // The rest, with the defaults of the schema: `tier` is `WARM`.
        ..Record::default()
    })
}

/// All keys that a query finds, page by page.
fn scan<T: ClientTransport>(
    client: &mut ClientOver<T>,
    query: &Query,
) -> Result<Vec<Key>, Failure> {
    let (mut keys, mut cursor) = (Vec::new(), 0);
    loop {
        let response = client.blocking().scan(query, cursor)?;
        keys.extend_from_slice(&response.page);
        cursor = response.cursor;
        if cursor == 0 {
            return Ok(keys);
        }
    }
}

/// The client, over any transport.
fn call<T: ClientTransport>(mut client: ClientOver<T>) -> Result<(), Failure> {
    // The first record is pinned; the second one is used again and again.
    let mut evicted = Vec::new();
    let mut note = |event: Event<'_>| match event {
        Event::Evicted(event) => evicted.push((event.key, event.tier)),
    };
    for number in 0..100 {
        let flags = if number == 0 {
            PutFlags::NO_EVICT | PutFlags::SYNC
        } else {
            PutFlags::empty()
        };
        client
            .blocking()
            .put(&record(number)?, flags, Mode::INSERT)?;
        client.touch(&key(1)?)?;
        client.poll_events(&mut note)?;
    }
    // The event of the last record may still be on its way.
    let patience = Instant::now() + Duration::from_secs(2);
    while evicted.len() < 100 - CAPACITY && Instant::now() < patience {
        client.wait(Duration::from_millis(100))?;
        client.poll_events(|event| match event {
            Event::Evicted(event) => evicted.push((event.key, event.tier)),
        })?;
    }
    assert_eq!(evicted.len(), 100 - CAPACITY);
    assert_eq!(evicted.first(), Some(&(key(2)?, Tier::WARM)));

    // Errors of the service are typed.
    let gone = client.blocking().get(&key(2)?);
    assert_eq!(gone.err(), Some(CallError::Service(KvError::NOT_FOUND)));
    let twice = client
        .blocking()
        .put(&record(0)?, PutFlags::empty(), Mode::INSERT);
    assert_eq!(twice.err(), Some(CallError::Service(KvError::EXISTS)));

    // `get` is `@Idempotent`, so it may be repeated when there is no answer.
    let kept = client.retrying(Retry { attempts: 3 }).get(&key(1)?)?;
    assert_eq!(
        (kept, kept.tier, kept.expires_ns.get()),
        (record(1)?, Tier::WARM, None)
    );

    let all = scan(&mut client, &Query::all())?;
    assert_eq!(all.len(), CAPACITY);
    assert!(all.is_sorted());
    let even = scan(&mut client, &Query::prefix(&"even/".try_into()?))?;
    let odd = Range {
        from: "odd/".try_into()?,
        to: "odd/999".try_into()?,
        ..Range::default()
    };
    let odd = scan(&mut client, &Query::range(&odd))?;
    assert_eq!(even.len() + odd.len(), CAPACITY);

    let mut laps = Laps::default();
    for round in 0..5_000 {
        let key = all[round % all.len()];
        let found = laps.time(|| client.blocking().get(&key))?;
        assert_eq!(found.key, key);
    }

    println!(
        "kv: 100 records put, {} evicted, {} even and {} odd ones left",
        evicted.len(),
        even.len(),
        odd.len()
    );
    println!("kv: 5000 gets of {} bytes, {laps}", size_of::<Record>());
    Ok(())
}

/// Over the in-process backend: the server on a thread, which ends with its last client.
fn threads() -> Result<(), Failure> {
    let (client, server) = kv_store::inproc::pair()?;
    let thread = thread::spawn(move || serve(server));
    call(client)?;
    join(thread)
}

/// Over shared memory: a process that serves a name until it is told to stop.
fn server(name: &str) -> Result<(), Failure> {
    let server = kv_store::shm::Server::bind(name)?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(name, move || stopper.stop());
    serve(server)
}

/// And another one that knows the name.
fn client(name: &str) -> Result<(), Failure> {
    call(kv_store::shm::Client::connect(name)?)
}

/// Over RDMA: the same at an address of a node.
fn node_server(address: &str) -> Result<(), Failure> {
    let server = kv_store::rdma::Server::bind(address)?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(address, move || stopper.stop());
    serve(server)
}

/// And another node.
fn node_client(address: &str) -> Result<(), Failure> {
    call(kv_store::rdma::Client::connect(address)?)
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "kv",
        threads,
        server,
        client,
        nodes: Some(Nodes {
            server: node_server,
            client: node_client,
        }),
    };
    sides.run()
}
