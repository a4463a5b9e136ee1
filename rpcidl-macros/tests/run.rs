//! Services written as traits, run between threads.

#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

use std::thread;

use rpcidl_macros::{rpc_message, rpc_service};
use runtime_core::{Audience, Bool8, CallError, List, Opt, Str};

// Declared before what it refers to, and by a glob.
use model::*;

/// A store.
#[rpc_service(backend = "inproc", package = "acme.kv@1.2", inproc(depth = 64))]
pub trait KvStore: Send {
    /// Reads one record.
    #[rpc(idempotent, deadline_s = 5)]
    fn get(&mut self, key: &Key) -> Result<Record, KvError>;
    /// Is it there?
    fn has(&self, key: Key) -> bool;
    /// One after the other.
    fn next(&mut self, cursor: &mut u64, #[out] page: &mut List<Key, 16>);
    /// Touches.
    #[rpc(oneway)]
    fn touch(&mut self, key: &Key);
    /// Old.
    #[deprecated(note = "use has")]
    #[rpc(id = 20, since = "1.1")]
    fn exists(&self, key: Key) -> bool;
    /// Something was thrown out.
    #[rpc(event)]
    fn evicted(&self, key: Key, tier: Tier);
}

/// What a store holds.
pub mod model {
    use rpcidl_macros::rpc_message;
    use runtime_core::{List, Reserved, Str};

    /// How warm a record is.
    #[rpc_message]
    #[repr(u8)]
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Tier {
        /// In memory.
        Hot = 0,
        /// On disk.
        Warm = 1,
    }

    /// How to put.
    #[rpc_message(flags)]
    #[repr(u16)]
    pub enum PutFlags {
        /// At once.
        Sync = 1 << 0,
        /// For a while.
        Ttl = 1 << 2,
    }

    /// A key.
    #[rpc_message]
    #[derive(Eq, Hash, PartialOrd, Ord)]
    #[must_use]
    pub struct Key {
        /// Its name.
        pub name: Str<62>,
    }

    /// A record.
    #[rpc_message(max_size = 512)]
    pub struct Record {
        /// Its key.
        pub key: Key,
        /// An odd bound.
        pub small: Str<5>,
        /// Where it is.
        #[rpc(default = Tier::Warm)]
        pub tier: Tier,
        /// How it was put.
        pub flags: PutFlags,
        /// Is it there?
        #[rpc(default = true)]
        pub live: bool,
        /// When it ends.
        pub expires_ns: Option<u64>,
        /// Who has it.
        pub owners: List<Key, 4>,
        /// How it is weighed.
        #[rpc(default = 1.5)]
        pub weight: f32,
        /// Old.
        #[deprecated = "nobody asks"]
        pub old: u16,
        #[doc(hidden)]
        pub _reserved0: Reserved<6>,
    }

    /// Why a call failed.
    #[rpc_message(error)]
    #[repr(u32)]
    pub enum KvError {
        /// It is not there.
        NotFound = 1,
    }
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
    fn touch(&mut self, _: &Key) {
        self.touched += 1;
    }
    fn exists(&self, key: Key) -> bool {
        self.has(key)
    }
}

#[test]
fn a_service_runs() {
    let (mut client, mut server) = kv_store::pair::<()>().unwrap();
    let serving = thread::spawn(move || {
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
        CallError::Service(KvError::NotFound)
    );
    key.name.set("here").unwrap();
    let record = blocking.get(&key).unwrap();
    assert_eq!(
        (record.tier, record.live, record.weight),
        (Tier::Warm, Bool8::TRUE, 1.5)
    );
    assert!(blocking.has(&key).unwrap());
    let next = blocking.next(41).unwrap();
    assert_eq!((next.cursor, next.page.as_ref()), (42, [key].as_slice()));
    client.touch(&key).unwrap();
    assert!(client.blocking().has(&key).unwrap());
    drop(client);
    assert_eq!(serving.join().unwrap(), 1);
}

#[test]
fn events_and_names() {
    use runtime_core::Service;
    assert_eq!(kv_store::Service::NAME, "acme.kv.KvStore");
    assert_eq!(
        format!("{:?} {:?}", Tier::Warm, PutFlags::Sync | PutFlags::Ttl),
        "Warm PutFlags(Sync | Ttl)"
    );
    let (client, mut server) = kv_store::pair::<()>().unwrap();
    let mut client = client;
    assert_eq!(
        server
            .evicted(Audience::All, &Key::default(), Tier::Warm)
            .unwrap(),
        1
    );
    let mut seen = Vec::new();
    let read = client.poll_events(|event| match event {
        kv_store::Event::Evicted(event) => seen.push(event.tier),
    });
    assert!(read.is_ok());
    assert_eq!(seen, [Tier::Warm]);
}

/// An error.
#[rpc_message(error)]
#[repr(i32)]
pub enum Wrong {
    /// The only one.
    Always = 7,
}

/// Every way of passing a value.
#[rpc_service(backend = "inproc")]
pub trait Ways {
    /// Booleans.
    fn bools(
        &self,
        value: bool,
        reference: &bool,
        changed: &mut bool,
        #[out] out: &mut bool,
        wire: Bool8,
        by: &Bool8,
    ) -> bool;
    /// Optionals.
    fn options(
        &mut self,
        value: Option<u32>,
        reference: &Option<Key>,
        changed: &mut Option<bool>,
        #[out] out: Option<List<bool, 3>>,
        wire: Opt<u16>,
        by: &Opt<u16>,
    ) -> Option<u64>;
    /// Scalars and enums.
    fn values(
        &mut self,
        number: &u32,
        tier: &Tier,
        changed: &mut Tier,
        array: [bool; 2],
        by: &[Option<u8>; 2],
    ) -> Opt<Tier>;
    /// Text.
    fn texts(&self, odd: Str<5>, even: &Str<4>, #[rpc(inout)] changed: Str<3>) -> Str<7>;
    /// Results.
    fn yes(&self, fail: bool) -> Result<bool, Wrong>;
    /// Results.
    fn maybe(&self, fail: bool) -> Result<Option<Key>, Wrong>;
    /// Results.
    fn nothing(&self, fail: bool, #[out] out: &mut Option<u8>) -> core::result::Result<(), Wrong>;
    /// Results.
    fn wire(&self) -> Bool8;
}

struct Machine;

fn fails<T>(fail: bool, value: T) -> Result<T, Wrong> {
    if fail { Err(Wrong::Always) } else { Ok(value) }
}

impl Ways for Machine {
    fn bools(
        &self,
        value: bool,
        reference: &bool,
        changed: &mut bool,
        out: &mut bool,
        wire: Bool8,
        by: &Bool8,
    ) -> bool {
        *changed = !*changed;
        *out = wire.get() && by.get();
        value && *reference
    }
    fn options(
        &mut self,
        value: Option<u32>,
        reference: &Option<Key>,
        changed: &mut Option<Bool8>,
        out: &mut Option<List<Bool8, 3, 1>>,
        wire: Opt<u16>,
        by: &Opt<u16>,
    ) -> Option<u64> {
        assert!(reference.is_some());
        let bit = changed.take().map(|bit| bit.get());
        *changed = bit.map(|bit| (!bit).into());
        let mut list = List::new();
        list.push(Bool8::TRUE).unwrap();
        *out = Some(list);
        Some(u64::from(value?) + u64::from(*wire.get()?) + u64::from(*by.get()?))
    }
    fn values(
        &mut self,
        number: &u32,
        tier: &Tier,
        changed: &mut Tier,
        array: [Bool8; 2],
        by: &[Opt<u8>; 2],
    ) -> Opt<Tier> {
        *changed = *tier;
        Opt::some(if array[1].get() {
            Tier(*number as u8 + *by[0].get().unwrap())
        } else {
            Tier::Hot
        })
    }
    fn texts(&self, odd: Str<5, 1>, even: &Str<4>, changed: &mut Str<3, 1>) -> Str<7, 1> {
        changed.set("new").unwrap();
        let mut text = Str::new();
        text.set(&format!("{odd}{even}")).unwrap();
        text
    }
    fn yes(&self, fail: bool) -> Result<bool, Wrong> {
        fails(fail, true)
    }
    fn maybe(&self, fail: bool) -> Result<Option<Key>, Wrong> {
        fails(fail, None)
    }
    fn nothing(&self, fail: bool, out: &mut Option<u8>) -> Result<(), Wrong> {
        *out = Some(9);
        fails(fail, ())
    }
    fn wire(&self) -> Bool8 {
        Bool8::TRUE
    }
}

#[test]
fn every_way_of_passing_a_value() {
    let (mut client, mut server) = ways::pair::<()>().unwrap();
    let serving = thread::spawn(move || server.serve(&mut Machine));
    let mut ways = client.blocking();

    let bools = ways.bools(true, true, true, true, false).unwrap();
    assert_eq!(
        (bools.result.get(), bools.changed.get(), bools.out.get()),
        (true, false, false)
    );

    let optional = Opt::some(3);
    let options = ways
        .options(
            &Opt::some(2),
            &Opt::some(Key::default()),
            &Opt::some(false.into()),
            &optional,
            &optional,
        )
        .unwrap();
    assert_eq!(
        (options.result.get(), options.changed.get()),
        (Some(&8), Some(&Bool8::TRUE))
    );
    assert_eq!(options.out.get().unwrap().len(), 1);

    let bytes = [Opt::some(1), Opt::default()];
    let values = ways
        .values(
            4,
            Tier::Warm,
            Tier::Hot,
            &[Bool8::FALSE, Bool8::TRUE],
            &bytes,
        )
        .unwrap();
    assert_eq!(
        (values.result.get(), values.changed),
        (Some(&Tier(5)), Tier::Warm)
    );

    let text = |text: &str| {
        let mut str = Str::<4>::new();
        str.set(text).unwrap();
        str
    };
    let mut odd = Str::new();
    odd.set("abc").unwrap();
    let texts = ways.texts(&odd, &text("defg"), &Str::new()).unwrap();
    assert_eq!(
        (texts.result.as_str(), texts.changed.as_str()),
        ("abcdefg", "new")
    );

    assert_eq!(ways.yes(false), Ok(true));
    assert_eq!(ways.yes(true), Err(CallError::Service(Wrong::Always)));
    assert_eq!(ways.maybe(false), Ok(Opt::default()));
    assert_eq!(ways.maybe(true), Err(CallError::Service(Wrong::Always)));
    assert_eq!(ways.nothing(false).unwrap().out.get(), Some(&9));
    assert_eq!(
        ways.nothing(true).unwrap_err(),
        CallError::Service(Wrong::Always)
    );
    assert_eq!(ways.wire(), Ok(true));
    drop(client);
    serving.join().unwrap();
}

/// Messages that a macro makes.
macro_rules! messages {
    ($vis:vis $name:ident, $service:ident, $ty:ty, $len:expr, $bound:literal, $path:path) => {
        #[rpc_message]
        $vis struct $name {
            a: $ty,
            b: [$ty; 2 * $len],
            c: Str<$bound>,
            d: Option<$path>,
        }

        #[rpc_service(backend = "inproc")]
        $vis trait $service {
            fn call(&self, one: &$name, two: $ty) -> $path;
        }
    };
}

#[allow(unused_qualifications, reason = "the paths are what is tried")]
mod made {
    use super::*;

    messages!(pub(crate) Made, MadeService, u32, 1 + 2, 6, model::Key);
    messages!(pub(super) Other, OtherService, List<u8, 4>, 1, 8, self::Made);
    messages!(pub(in super::made) Third, ThirdService, Option<u16>, 1, 8, super::made::Other);
}

#[test]
fn macros_can_make_messages() {
    assert_eq!(size_of::<made::Made>(), 4 + 4 * 6 + 8 + 65 + 3);
}

/// A message that holds many others by one reference each, and a service that names them all.
mod many {
    macro_rules! many {
        ($($name:ident)*) => {
            $(
                #[rpcidl_macros::rpc_message]
                pub(crate) struct $name {
                    a: u8,
                }
            )*

            #[rpcidl_macros::rpc_message]
            #[allow(non_snake_case)]
            pub(crate) struct All {
                list: runtime_core::List<A0, 4>,
            }

            #[rpcidl_macros::rpc_service]
            pub(crate) trait Many {
                $(#[allow(non_snake_case)] fn $name(&self, value: &$name);)*
                fn all(&self, all: &All);
            }
        };
    }

    many! {
        A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 C0 C1 C2 C3 C4 C5 C6 C7 C8 C9 D0 D1 D2 D3 D4 D5 D6 D7 D8 D9
        E0 E1 E2 E3 E4 E5 E6 E7 E8 E9 F0 F1 F2 F3 F4 F5 F6 F7 F8 F9 G0 G1 G2 G3 G4 G5 G6 G7 G8 G9 H0 H1 H2 H3 H4 H5 H6 H7 H8 H9
    }
}

#[test]
fn many_types_in_one_service() {
    use runtime_core::Service;
    assert_eq!(many::many::Service::METHODS.len(), 81);
}
