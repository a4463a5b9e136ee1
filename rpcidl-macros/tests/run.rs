//! What the macros make, run over inproc.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its items are not read by others"
)]

use rpcidl_macros::{rpc_message, rpc_service};
use runtime_core::{List, Str};

/// How warm a record is.
#[rpc_message]
#[repr(u8)]
#[derive(Debug)]
pub enum Tier {
    Hot = 0,
    Warm = 1,
}

#[rpc_message]
#[derive(Eq, Hash)]
pub struct Key {
    pub name: Str<62>,
}

/// A record.
#[rpc_message]
pub struct Record {
    pub key: Key,
    pub small: Str<5>,
    #[rpc(default = Tier::Warm)]
    pub tier: Tier,
    pub live: bool,
    pub expires_ns: Option<u64>,
    pub owners: List<Key, 4>,
}

#[rpc_message(error)]
#[repr(u32)]
pub enum KvError {
    NotFound = 1,
}

#[rpc_service(backend = "inproc", package = "acme.kv@1.2")]
pub trait KvStore {
    /// Reads one record.
    #[rpc(idempotent, deadline_s = 5)]
    fn get(&mut self, key: &Key) -> Result<Record, KvError>;
    fn has(&self, key: Key) -> bool;
    fn next(&mut self, cursor: &mut u64, #[out] page: &mut List<Key, 16>);
    fn expires(&mut self, at: Option<u64>) -> Option<u64>;
    #[rpc(oneway)]
    fn touch(&mut self, key: &Key);
    #[rpc(event)]
    fn evicted(&self, key: Key, tier: Tier);
}

#[test]
fn works() {
    let record = Record::default();
    assert_eq!(record.tier, Tier::Warm);
}

struct Store {
    record: Record,
    touched: u32,
}

impl KvStore for Store {
    fn get(&mut self, key: &Key) -> Result<Record, KvError> {
        if *key == self.record.key {
            Ok(self.record)
        } else {
            Err(KvError::NotFound)
        }
    }
    fn has(&self, key: Key) -> bool {
        key == self.record.key
    }
    fn next(&mut self, cursor: &mut u64, page: &mut List<Key, 16>) {
        *cursor += 1;
        page.push(self.record.key).unwrap();
    }
    fn expires(&mut self, at: Option<u64>) -> Option<u64> {
        at.map(|at| at + 1)
    }
    fn touch(&mut self, _: &Key) {
        self.touched += 1;
    }
}

#[test]
fn a_service_runs() {
    let (mut client, mut server) = kv_store::pair::<()>().unwrap();
    let serving = std::thread::spawn(move || {
        let mut store = Store {
            record: Record::default(),
            touched: 0,
        };
        store.record.key.name.set("here").unwrap();
        server.serve(&mut store);
        store.touched
    });
    let mut key = Key::default();
    let mut blocking = client.blocking();
    assert_eq!(
        blocking.get(&key).unwrap_err(),
        runtime_core::CallError::Service(KvError::NotFound)
    );
    key.name.set("here").unwrap();
    assert_eq!(blocking.get(&key).unwrap().tier, Tier::Warm);
    assert!(blocking.has(&key).unwrap());
    let next = blocking.next(41).unwrap();
    assert_eq!((next.cursor, next.page.len()), (42, 1));
    assert_eq!(blocking.expires(&Some(5).into()).unwrap().get(), Some(&6));
    client.touch(&key).unwrap();
    assert!(client.blocking().has(&key).unwrap());
    drop(client);
    assert_eq!(serving.join().unwrap(), 1);
}
