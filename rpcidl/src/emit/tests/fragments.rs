//! One test a construct.

use super::{assert_has, assert_has_not, generated, model};
use crate::emit::{Options, emit};
use crate::ir::Backend;

#[test]
fn constants() {
    let out = generated(
        "const u32 MAX = (1 << 10) - 2;
         /// Documented.
         const bool on = true;
         const f64 PI = 3.14;
         const string<20> TEXT = \"a \\\"b\\\"\";
         enum Tier : u8 { HOT = 0, WARM = 1 }
         const Tier T = Tier.WARM;
         @Deprecated(\"why \\\"not\\\"\") const i64 LOW = -5;",
    );
    assert_has(
        &out,
        &[
            "/// `MAX`\n#[allow(dead_code)]\npub const MAX: u32 = 1022;\n",
            "/// Documented.\n#[allow(dead_code)]\npub const ON: bool = true;\n",
            "#[allow(dead_code, clippy::all)]\npub const PI: f64 = 3.14;\n",
            "pub const TEXT: &str = \"a \\\"b\\\"\";\n",
            "pub const T: Tier = Tier::WARM;\n",
            "#[deprecated(note = \"why \\\"not\\\"\")]\n#[allow(dead_code)]\npub const LOW: i64 = -5;\n",
        ],
    );
}

#[test]
fn enumerations() {
    let out = generated(
        "enum Tier : u8 { HOT = 0, type = 7 }
         closed enum Mode : i8 { DOWN = -1 }
         flags Put : u16 { SYNC = 1 }
         error Failed : u32 { BUSY = 4 }",
    );
    assert_has(
        &out,
        &[
            "#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(transparent)]\n\
             pub struct Tier(pub u8);\n",
            "    /// `type = 7`\n    pub const TYPE: Self = Self(7);\n",
            "::runtime_core::enumeration! {\n    open Tier(u8) {\n        HOT, TYPE,\n    }\n}\n",
            "    closed Mode(i8) {\n",
            "    pub const DOWN: Self = Self(-1);\n",
            "::runtime_core::flags! {\n    open Put(u16) {\n",
            "#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(transparent)]\npub struct Failed(pub u32);",
            "::runtime_core::error! {\n    Failed(u32) {\n        BUSY,\n",
        ],
    );
}

#[test]
fn structs() {
    let out = generated(
        "alias Key = string<6>;
         @Derive(Eq, Hash)
         struct Point { i32 x; i32 y = -1; }
         struct Record {
             Key type; string<5>? odd; bytes<3> raw; vec<u8, 3> list; vec<u8, 4> even; vec<u64, 3> wide;
             i64[3][2] grid; bool on = true; Point at; Point[2] both; Key name = \"me\"; reserved u8[3];
         }",
    );
    assert_has(
        &out,
        &[
            "pub type Key = ::runtime_core::Str<6>;\n",
            "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\n#[repr(C)]\npub struct Point {\n",
            "    /// `type`\n    pub r#type: Key,\n",
            "    pub odd: ::runtime_core::Opt<::runtime_core::Str<5, 1>>,\n",
            "    pub raw: ::runtime_core::Bytes<3, 1>,\n",
            "    pub list: ::runtime_core::List<u8, 3, 1>,\n",
            "    pub even: ::runtime_core::List<u8, 4>,\n",
            "    pub wide: ::runtime_core::List<u64, 3>,\n",
            "    pub grid: [[i64; 2]; 3],\n",
            "    pub on: ::runtime_core::Bool8,\n",
            "    #[doc(hidden)]\n    pub _reserved0: ::runtime_core::Reserved<3>,\n",
            "        value.on = ::runtime_core::Bool8::TRUE;\n        value.at = ::core::default::Default::default();\n        \
             value.both = [::core::default::Default::default(); 2];\n        let _ = value.name.set(\"me\");\n        value\n",
            "    Point: size 8, align 4 {\n        0 => x: i32,\n        4 => y: i32,\n    }\n",
            "        0 => r#type: Key,\n",
        ],
    );
    assert_has_not(&out, &["zerocopy"]);
}

#[test]
fn zerocopy_is_derived_for_declared_types_only() {
    let text = "package test; struct A { u8 a; } interface I { void x(in u8 a); }";
    let model = model(&[("test.idl", text)]);
    let options = Options {
        runtime_core: "::rt".to_owned(),
        ..Options::default()
    };
    let out = emit(&model, &options).unwrap().to_single_file();
    assert_has(
        &out,
        &[
            "    ::rt::zerocopy::IntoBytes,\n",
            "#[zerocopy(crate = \"::rt::zerocopy\")]\npub struct A {\n",
        ],
    );
    assert_eq!(out.matches("zerocopy(crate").count(), 1);
}

#[test]
fn unions() {
    let out = generated(
        "struct Point { i32 x; i32 y; }
         union Any : u8 { 0: void none; 1: Point at; 2: bool on; 3: u16 arm; }
         closed union Tight : u8 { 0: u8[3] raw; }
         union Voids : u16 { 0: void a; 1: void b; }",
    );
    assert_has(
        &out,
        &[
            "pub struct Any {\n    tag: u8,\n    _pad0: ::runtime_core::Pad<3>,\n    storage: [u32; 2],\n}\n",
            "    pub fn none() -> Self {\n        ::runtime_core::Union::of(0, &())\n    }\n",
            "    pub fn at(value: &Point) -> Self {\n        ::runtime_core::Union::of(1, value)\n    }\n",
            "    pub fn on(value: bool) -> Self {\n",
            "    pub fn arm_(value: u16) -> Self {\n        ::runtime_core::Union::of(3, &value)\n    }\n",
            "    pub fn as_arm(&self) -> ::core::option::Option<u16> {\n",
            "    pub fn arm(&self) -> AnyArm<'_> {\n",
            "            1 => AnyArm::At(::runtime_core::Union::value(self)),\n",
            "            tag => AnyArm::Unknown(tag),\n",
            "    /// `at`\n    At(&'a Point),\n    /// `on`\n    On(bool),\n",
            "    union open u8, storage 4 {\n        0 => none: (),\n        1 => at: Point,\n",
            "pub struct Tight {\n    tag: u8,\n    storage: [u8; 3],\n}\n",
            "    union closed u8, storage 1 {\n",
            "pub struct Voids {\n    tag: u16,\n}\n",
            "pub enum VoidsArm {\n",
            "    union open u16, storage 2 {\n",
        ],
    );
}

const SERVICE: &str = "
    struct Item { u64 a; u64 b; }
    error Failed : u32 { BUSY = 1 }
    interface IStore {
        const u16 LIMIT = 100;
        /// Reads.
        @Idempotent @Deadline(us = 50) Item get(in u32 key, in bool fresh) throws Failed;
        bool has(in Item item);
        void clear();
        void scan(in u8 from, inout u64 cursor, out vec<Item, 4> page) throws Failed;
        u8 count(inout u64 cursor);
        void blur(inout Item item, in u8 radius);
        oneway void touch(in Item item);
        event void gone(in u8 what);
    }";

#[test]
fn the_service_and_its_methods() {
    let out = generated(SERVICE);
    assert_has(
        &out,
        &[
            "pub mod store {\n",
            "    pub const LIMIT: u16 = 100;\n",
            "        const NAME: &'static str = \"test.IStore\";\n",
            "        const TUNING: rt::Tuning = rt::Tuning::DEFAULT;\n",
            "                1 => incoming.open().map(Request::Get),\n",
            "                1 => Reply::Get(outcome.of::<method::Get>()),\n",
            "                8 => arrived.open::<method::Gone>().map(Event::Gone),\n",
            "            type Request = super::GetRequest;\n            type Response = super::super::Item;\n            \
             type Output = super::super::Item;\n            type Error = super::super::Failed;\n",
            "            const THROWS: bool = true;\n            const IDEMPOTENT: bool = true;\n            \
             const DEADLINE: ::core::option::Option<::core::time::Duration> =\n                \
             ::core::option::Option::Some(::core::time::Duration::from_nanos(50_000));\n",
            "            type Response = rt::Bool8;\n            type Output = bool;\n            type Error = rt::NoError;\n",
            "            type Request = ();\n            type Response = ();\n",
            "            const KIND: rt::MethodKind = rt::MethodKind::Oneway;\n",
            "            const KIND: rt::MethodKind = rt::MethodKind::Event;\n",
            "            const IN_PLACE: bool = true;\n",
            "        Has(Result<&'a rt::Bool8, rt::CallError<rt::NoError>>),\n",
            "        Gone(&'a GoneEvent),\n",
        ],
    );
}

#[test]
fn every_byte_of_a_request_is_written() {
    let out = generated(SERVICE);
    assert_has(
        &out,
        &[
            "        fn set(&mut self, key: u32, fresh: bool) {\n            self.key = key;\n            \
           self.fresh = fresh.into();\n            self._pad0 = rt::Pad::ZERO;\n        }\n",
        ],
    );
}

#[test]
fn client_stubs() {
    let out = generated(SERVICE);
    assert_has(
        &out,
        &[
            "    rt::client! { ClientOver, Service, Blocking, Retrying }\n",
            "        /// Reads.\n        ///\n        /// Deadline: 50µs, unless `within` gives the call another.\n        ///\n        \
             /// Idempotent: `retrying` may repeat it.\n        ///\n        /// Returns at once;",
            "        pub fn get(&mut self, key: u32, fresh: bool, user_data: U) -> Result<(), rt::Refused<U>> {\n            \
             let fill = |request: &mut GetRequest| request.set(key, fresh);\n            \
             self.0.call::<method::Get>(user_data, fill)\n        }\n",
            "        pub fn get_async(&self, key: u32, fresh: bool) -> rt::Pending<'_, method::Get, T, U> {\n",
            "            self.0.call::<method::Clear>(user_data, |_| {})\n",
            "        pub fn touch(&mut self, item: &super::Item) -> Result<(), rt::Refusal> {\n",
            "            self.0.tell::<method::Touch>(fill)\n",
            "        pub fn has(&mut self, item: &super::Item) -> Result<bool, rt::CallError<rt::NoError>> {\n",
        ],
    );
    let out = generated("interface A { void x(); }");
    assert_has(
        &out,
        &["    rt::client! { ClientOver, Service, Blocking }\n"],
    );
    assert_has_not(&out, &["Retrying"]);
}

#[test]
fn server_stubs() {
    let out = generated(SERVICE);
    assert_has(
        &out,
        &[
            "        fn get(&mut self, key: u32, fresh: bool) -> Result<super::Item, super::Failed>;\n",
            "        fn has(&mut self, item: &super::Item) -> bool;\n",
            "        fn clear(&mut self);\n",
            "            cursor: &mut u64,\n            page: &mut rt::List<super::Item, 4>,\n        \
             ) -> Result<(), super::Failed>;\n",
            // No `out` and no `inout`.
            "            Request::Get(call) => {\n                let request = call.data();\n                \
             let result = handler.get(request.key, request.fresh.get());\n                \
             let _ = call.finish(result);\n            }\n",
            "                let result = handler.has(&request.item);\n                let _ = call.reply(result);\n",
            "                handler.clear();\n                let _ = call.reply(());\n",
            // Built where it will travel from.
            "                let _ = call.respond(|request, response| {\n                    \
             response.cursor = request.cursor;\n                    \
             handler.scan(request.from, &mut response.cursor, &mut response.page)?;\n                    Ok(())\n                });\n",
            // Edited where it arrived.
            "                let in_radius = call.data().radius;\n                let mut reply = call.edit();\n                \
             let response = &mut *reply;\n                handler.blur(&mut response.item, in_radius);\n                \
             let _ = reply.send();\n",
            "                handler.touch(&request.item);\n                call.done();\n",
            "            let fill = |event: &mut GoneEvent| event.set(what);\n            \
             self.0.emit::<method::Gone>(to, fill)\n",
        ],
    );
}

#[test]
fn empty_and_one_sided_interfaces() {
    let out = generated(
        "interface Nothing {} interface Events { event void only(); } interface One { oneway void x(); }",
    );
    assert_has(
        &out,
        &[
            "    pub trait Handler {}\n",
            "            incoming.unimplemented()\n",
            "        Nothing(rt::NoError, ::core::marker::PhantomData<&'a T>),\n",
            "            Request::Nothing(never, _) => match never {},\n",
            "        Only(&'a ()),\n",
        ],
    );
}

#[test]
fn names_stay_apart() {
    let out = generated(
        "interface I {
             void poll(in u8 wait);
             void wait(in u8 user_data, in u8 request, in u8 fill, in u8 self, in u8 type);
             void get(); void get_async();
             void self();
             event void emit(in u8 to, in u8 event);
         }
         interface IU8 {}
         struct Option { u8 a; } struct Result { u8 a; }",
    );
    assert_has(
        &out,
        &[
            "        pub fn poll_(&mut self, wait: u8, user_data: U)",
            "            self_: u8,\n            r#type: u8,\n            user_data_: U,\n",
            "            let fill_ = |request_: &mut WaitRequest| {\n",
            "            self.0.call::<method::Wait>(user_data_, fill_)\n",
            "        pub fn get_async(&mut self, user_data: U)",
            "        pub fn get_async_(&self)",
            "        pub fn self_(&mut self, user_data: U)",
            "        pub enum Self_ {}\n",
            "            to_: rt::Audience,\n            to: u8,\n            event: u8,\n",
            "pub mod u8_ {\n",
        ],
    );
}

#[test]
fn deprecation() {
    let out = generated(
        "@Deprecated(\"a\") struct Old { u8 a; }
         struct Holder { Old old; }
         struct Fine { @Deprecated(\"b\") u8 gone; }
         enum E : u8 { @Deprecated(\"c\") A = 0 }
         interface I { @Deprecated(\"d\") @Since(1.1) void x(); }"
            .replace("@Since(1.1) ", "")
            .as_str(),
    );
    assert_has(
        &out,
        &[
            "#[deprecated(note = \"a\")]\n#[allow(deprecated)]\n#[derive",
            "#[allow(deprecated)]\nimpl ::core::default::Default for Holder {\n",
            "#[allow(deprecated)]\nconst _: () = {\n    ::runtime_core::layout! {\n        Holder: size 1, align 1 {\n",
            "    #[deprecated(note = \"b\")]\n    pub gone: u8,\n",
            "#[allow(deprecated)]\nconst _: () = {\n    ::runtime_core::enumeration! {\n",
        ],
    );
    assert_eq!(
        out.matches("#[deprecated(note = \"d\")]").count(),
        3,
        "one each: call, future, blocking"
    );
}

#[test]
fn backends() {
    let text = "package test; @Backends({inproc}) @Inproc(depth = 64) interface A { void x(); } interface B {}";
    let model = model(&[("test.idl", text)]);
    let out = emit(&model, &Options::default()).unwrap().to_single_file();
    assert_has(
        &out,
        &[
            "    pub use self::inproc::{Client, Server, pair, pair_with};\n",
            "        pub type Server = super::ServerOver<backend::Server<super::Service>>;\n",
            "            window: 64,\n            ..rt::Tuning::DEFAULT\n",
        ],
    );
    assert_eq!(
        out.matches("pub mod inproc").count(),
        1,
        "`B` names no backend"
    );
    assert_has(
        &out,
        &[
            "/// `A`: stubs over any transport, and the backends it was compiled for.\n#[allow",
            "/// `B`: stubs over any transport.\n///\n/// It was compiled for no backend: ",
        ],
    );

    let mut options = Options {
        backends: vec![Backend::Inproc],
        ..Options::default()
    };
    options
        .runtimes
        .insert(Backend::Inproc, "::lanes".to_owned());
    let out = emit(&model, &options).unwrap().to_single_file();
    assert_eq!(out.matches("pub mod inproc").count(), 2);
    assert_has(
        &out,
        &[
            "        use ::lanes as backend;\n\n",
            "backend::pair::<super::Service>(client, server)?;\n",
        ],
    );
}

#[test]
fn shared_memory() {
    let text = "package test; @Backends({shm, inproc}) interface A { void x(); } @Backends({shm}) @Shm(isolated) interface B {}";
    let model = model(&[("test.idl", text)]);
    let mut options = Options::default();
    let out = emit(&model, &options).unwrap().to_single_file();
    assert_has(
        &out,
        &[
            "    pub use self::shm::{Client, Server, pair, pair_with};\n",
            "        use ::runtime_shm as backend; // `runtime-shm` must be among the dependencies in Cargo.toml\n\n",
            "super::ClientOver<backend::Client<super::Service, backend::SameUser>, U>;\n",
            "super::ServerOver<backend::Server<super::Service, backend::SameUser>>;\n",
            "backend::memory_per_connection::<super::Service, backend::SameUser>();\n",
            "super::ClientOver<backend::Client<super::Service, backend::Isolated>, U>;\n",
            "super::ServerOver<backend::Server<super::Service, backend::Isolated>>;\n",
            "backend::memory_per_connection::<super::Service, backend::Isolated>();\n",
            "            let serving = backend::Server::new(server)?;\n",
        ],
    );
    assert_eq!(out.matches("pub mod shm {").count(), 2);
    assert_eq!(out.matches("pub mod inproc {").count(), 1);
    assert_eq!(
        out.matches("runtime_shm").count(),
        2,
        "one place an interface, so that rustc has one error if the crate is not there"
    );

    options.runtimes.insert(Backend::Shm, "::segments".into());
    let out = emit(&model, &options).unwrap().to_single_file();
    assert_has(
        &out,
        &[
            "        use ::segments as backend;\n\n",
            "<super::Service, backend::Isolated>",
        ],
    );
    assert_has_not(&out, &["runtime_shm"]);
}

#[test]
fn nodes() {
    let text = "package test; @Backends({rdma, shm, inproc}) @Rdma(recv_depth = 8) interface A { void x(); @Rdma(recv_depth = 64, inline_max = 64) void y(); }
                @Backends({rdma}) interface B {}";
    let model = model(&[("test.idl", text)]);
    let mut options = Options::default();
    let out = emit(&model, &options).unwrap().to_single_file();
    assert_has(
        &out,
        &[
            "    /// `A` between nodes.\n    pub mod rdma {\n",
            "        use ::runtime_rdma as backend; // `runtime-rdma` must be among the dependencies in Cargo.toml\n\n",
            "    pub use self::rdma::{Client, Server, pair, pair_with};\n",
            "super::ClientOver<backend::Client<super::Service>, U>;\n",
            "super::ServerOver<backend::Server<super::Service>>;\n",
            "backend::memory_per_connection::<super::Service>();\n",
            "            let serving = backend::Server::new(server)?;\n",
            "            let calling = serving.connector().connect(client)?;\n",
            "            rdma_window: 64,\n            rdma_inline: 64,\n            ..rt::Tuning::DEFAULT\n",
        ],
    );
    assert_eq!(out.matches("pub mod rdma {").count(), 2);
    assert_eq!(out.matches("pub mod shm {").count(), 1);
    assert_eq!(out.matches("pub mod inproc {").count(), 1);
    assert_eq!(out.matches("rdma_window").count(), 1, "`B` asks for none");

    options.runtimes.insert(Backend::Rdma, "::verbs".into());
    options.backends = vec![Backend::Rdma];
    let out = emit(&model, &options).unwrap().to_single_file();
    assert_has(
        &out,
        &[
            "        use ::verbs as backend;\n\n",
            "backend::memory_per_connection::<super::Service>();\n",
        ],
    );
    assert_has_not(&out, &["runtime_rdma", "pub mod shm", "pub mod inproc"]);
}

#[test]
fn a_buffer_needs_a_backend_that_carries_it() {
    let interface = "interface A { void x(in buffer<read> from); }";
    let without = model(&[("test.idl", &format!("package test; {interface}"))]);
    let out = emit(&without, &Options::default())
        .unwrap()
        .to_single_file();
    assert_has(&out, &["        pub from: rt::Buffer,\n"]);

    let with = model(&[(
        "test.idl",
        &format!("package test; @Backends({{inproc}}) {interface}"),
    )]);
    let found = emit(&with, &Options::default()).unwrap_err();
    assert_eq!(found[0].code.name, "E0801");

    let options = Options {
        backends: vec![Backend::Rdma],
        ..Options::default()
    };
    let found = emit(&without, &options).unwrap_err();
    assert_eq!(found[0].code.name, "E0801");
}
