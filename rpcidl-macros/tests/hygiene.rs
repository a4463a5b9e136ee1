//! Generated code holds in crates with other habits: without a prelude, with every warning refused, with names that hide
//! others, and whatever can be seen from where.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its items are not read by others"
)]
#![no_implicit_prelude]
#![deny(warnings, missing_docs, unreachable_pub)]
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_names, unused_qualifications)]

extern crate runtime_core as core_by_another_name;

use ::rpcidl_macros::{rpc_message, rpc_service};

/// Names that hide what generated code might mean.
#[allow(dead_code)]
mod std {}
#[allow(dead_code)]
mod core {}
#[allow(dead_code)]
mod runtime_core {}
#[allow(dead_code)]
enum Result {}
#[allow(dead_code)]
struct Vec;

macro_rules! over {
    ($module:ident, $server:expr, |$client:ident| $body:block) => {{
        let (mut client, mut server) = $module::pair::<()>().unwrap();
        let serving = ::std::thread::spawn(move || server.serve(&mut $server));
        {
            let $client = &mut client;
            $body
        }
        ::core::mem::drop(client);
        serving.join().unwrap();
    }};
}

/// Private messages and a private service, side by side.
#[rpc_message]
struct Inner {
    number: u32,
    flag: bool,
}

#[rpc_message(error)]
#[repr(u32)]
enum Wrong {
    Number = 1,
}

#[rpc_service(backend = "inproc")]
trait Hidden {
    fn take(&mut self, inner: &Inner, out: &mut Inner) -> ::core::result::Result<Inner, Wrong>;
    #[rpc(oneway)]
    fn tell(&self, inner: Inner);
    #[rpc(event)]
    fn heard(&self, inner: Inner);
}

/// Other visibilities.
mod deep {
    use ::rpcidl_macros::{rpc_message, rpc_service};

    pub(crate) mod deeper {
        use ::rpcidl_macros::rpc_message;

        #[rpc_message]
        pub(in crate::deep) struct Restricted {
            pub(super) number: u64,
            own: i16,
        }

        #[rpc_message]
        pub(crate) struct Wide {
            pub(crate) inner: super::super::Inner,
        }

        impl Restricted {
            pub(super) fn new(own: i16) -> Self {
                Self {
                    number: 1,
                    own,
                    ..::core::default::Default::default()
                }
            }
        }
    }

    #[rpc_message]
    pub(in crate::deep) struct Outer {
        restricted: deeper::Restricted,
        by_path: crate::deep::deeper::Restricted,
        wide: self::deeper::Wide,
    }

    impl Outer {
        fn new(own: i16) -> Self {
            let restricted = deeper::Restricted::new(own);
            Self {
                restricted,
                by_path: restricted,
                ..::core::default::Default::default()
            }
        }
    }

    #[rpc_service(backend = "inproc")]
    pub(in crate::deep) trait Depth {
        fn outer(&self, outer: &Outer, other: &super::Inner) -> deeper::Restricted;
        fn wide(&self) -> deeper::Wide;
    }

    #[rpc_service]
    pub(in crate::deep) trait NoBackend {
        fn nothing(&self);
    }

    struct Machine;

    impl Depth for Machine {
        fn outer(&self, outer: &Outer, other: &super::Inner) -> deeper::Restricted {
            let mut restricted = outer.restricted;
            restricted.number = outer.by_path.number + (other.number as ::core::primitive::u64);
            restricted
        }
        fn wide(&self) -> deeper::Wide {
            ::core::default::Default::default()
        }
    }

    impl NoBackend for Machine {
        fn nothing(&self) {}
    }

    #[::core::prelude::v1::test]
    fn a_service_in_a_module_runs() {
        use ::core::default::Default as _;
        over!(depth, Machine, |client| {
            let outer = Outer::new(3);
            let inner = super::Inner {
                number: 4,
                ..super::Inner::default()
            };
            let restricted = client.blocking().outer(&outer, &inner).unwrap();
            ::core::assert_eq!(restricted.number, 5);
            ::core::assert_eq!(
                client.blocking().wide().unwrap().inner.number,
                outer.wide.inner.number
            );
        });
        NoBackend::nothing(&Machine);
    }
}

/// The crates go by other names.
mod renamed {
    use ::rpcidl_macros as other_macros;

    /// A message over another path.
    #[::rpcidl_macros::rpc_message(crate = crate::core_by_another_name)]
    pub(crate) struct Plain {
        pub(crate) name: crate::core_by_another_name::Str<7>,
        pub(crate) names:
            crate::core_by_another_name::List<crate::core_by_another_name::Bytes<3>, 5>,
    }

    #[other_macros::rpc_service(
        backend = "inproc",
        crate = crate::core_by_another_name,
        macros = crate::renamed::other_macros,
        runtime = ::runtime_inproc,
    )]
    pub(crate) trait Renamed {
        fn plain(&self, plain: &Plain, list: &crate::core_by_another_name::List<bool, 3>) -> Plain;
    }
}

/// Two types of one name, and both in one service.
mod twins {
    pub(crate) mod one {
        #[::rpcidl_macros::rpc_message]
        pub(crate) struct Twin {
            pub(crate) a: ::core::primitive::u32,
        }
    }
    pub(crate) mod two {
        #[::rpcidl_macros::rpc_message]
        pub(crate) struct Twin {
            pub(crate) b: f64,
            pub(crate) inner: super::one::Twin,
        }
    }
    pub(crate) use self::one::Twin as First;

    #[::rpcidl_macros::rpc_service(backend = "inproc")]
    pub(crate) trait Twins {
        fn swap(&self, one: &one::Twin, two: &mut two::Twin, also: First) -> one::Twin;
    }
}

/// Names that are keywords, or taken by the client.
#[rpc_message]
#[repr(i16)]
#[allow(missing_docs)]
enum Odd {
    r#Self_ = -1,
    Zero = 0,
    HTTPServer = 2,
    plain_name = 3,
}

#[rpc_message]
struct Keywords {
    r#type: u32,
    r#in: Odd,
    result: u32,
    handler: u32,
}

#[rpc_service(backend = "inproc")]
trait IOdd {
    fn poll(&mut self, r#type: u32, request: &Keywords) -> u32;
    fn r#match(&mut self, response: u32, handler: &mut u32);
    fn result(&mut self, call: &mut Keywords, value: Odd) -> bool;
}

struct Store;

impl Hidden for Store {
    fn take(&mut self, inner: &Inner, out: &mut Inner) -> ::core::result::Result<Inner, Wrong> {
        *out = *inner;
        if inner.flag.get() {
            ::core::result::Result::Ok(*inner)
        } else {
            ::core::result::Result::Err(Wrong::Number)
        }
    }
    fn tell(&self, inner: Inner) {
        ::core::assert_eq!(inner.number, 7);
    }
}

impl IOdd for Store {
    fn poll(
        &mut self,
        r#type: ::core::primitive::u32,
        request: &Keywords,
    ) -> ::core::primitive::u32 {
        r#type + request.r#type
    }
    fn r#match(&mut self, response: ::core::primitive::u32, handler: &mut ::core::primitive::u32) {
        *handler += response;
    }
    fn result(&mut self, call: &mut Keywords, value: Odd) -> ::core::primitive::bool {
        call.r#in = value;
        value == Odd::plain_name
    }
}

impl twins::Twins for Store {
    fn swap(
        &self,
        one: &twins::one::Twin,
        two: &mut twins::two::Twin,
        also: twins::First,
    ) -> twins::one::Twin {
        let old = two.inner;
        two.inner = *one;
        ::core::assert_eq!(also.a, 9);
        old
    }
}

impl renamed::Renamed for Store {
    fn plain(
        &self,
        plain: &renamed::Plain,
        list: &core_by_another_name::List<core_by_another_name::Bool8, 3, 1>,
    ) -> renamed::Plain {
        ::core::assert_eq!(list.len(), 1);
        *plain
    }
}

#[::core::prelude::v1::test]
fn a_private_service_runs() {
    over!(hidden, Store, |client| {
        let mut inner = Inner {
            number: 7,
            flag: true.into(),
            ..::core::default::Default::default()
        };
        client.tell_(&inner).unwrap();
        let response = client.blocking().take(&inner, &Inner::default()).unwrap();
        ::core::assert_eq!((response.result.number, response.out.number), (7, 7));
        inner.flag = false.into();
        ::core::assert!(client.blocking().take(&inner, &inner).is_err());
    });
}

use ::core::convert::Into as _;
use ::core::default::Default as _;

#[::core::prelude::v1::test]
fn renamed_crates_and_odd_lists() {
    use renamed::renamed as service;
    over!(service, Store, |client| {
        let mut plain = renamed::Plain::default();
        plain.name.set("seven77").unwrap();
        let mut list = core_by_another_name::List::new();
        list.push(true.into()).unwrap();
        ::core::assert_eq!(
            client.blocking().plain(&plain, &list),
            ::core::result::Result::Ok(plain)
        );
    });
}

#[::core::prelude::v1::test]
fn twins_stay_apart() {
    use twins::twins as service;
    over!(service, Store, |client| {
        let two = twins::two::Twin {
            inner: twins::First { a: 1 },
            ..twins::two::Twin::default()
        };
        let also = twins::First { a: 9 };
        let response = client
            .blocking()
            .swap(&twins::First { a: 2 }, &two, &also)
            .unwrap();
        ::core::assert_eq!((response.result.a, response.two.inner.a), (1, 2));
    });
}

#[::core::prelude::v1::test]
fn odd_names() {
    over!(odd, Store, |client| {
        let mut blocking = client.blocking();
        let keywords = Keywords {
            r#type: 2,
            ..Keywords::default()
        };
        ::core::assert_eq!(blocking.poll_(1, &keywords).unwrap(), 3);
        ::core::assert_eq!(blocking.r#match(1, 2).unwrap().handler, 3);
        let response = blocking.result(&keywords, Odd::plain_name).unwrap();
        ::core::assert!(response.result.get() && response.call.r#in == Odd::plain_name);
    });
    ::core::assert_eq!(
        ::std::format!("{:?} {:?}", Odd::HTTPServer, Odd::plain_name),
        "HTTPServer plain_name"
    );
    ::core::assert_eq!(Odd::Self_.0, -1);
    ::core::assert_eq!(Odd::Zero, Odd::default());
}
