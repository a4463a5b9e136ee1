//! Sizes, offsets and pads, against figures that were measured elsewhere.
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod common;

use common::model;
use rpcidl::ir::{FieldKind, Model, Struct, TypeDef, TypeDefKind};

/// The worked example of the language.
const KV: &str = "
package acme.kv@1.2;

const u32 MAX_KEY   = 62;
const u32 MAX_VALUE = (1 << 10) - 2;
alias Key = string<MAX_KEY>;
struct Uuid { u8[16] bytes; }
struct TraceId { u64 high; u64 low; }

enum Tier : u8 { HOT = 0, WARM = 1, COLD = 2, reserved 7 }
closed enum Mode : u8 { UPSERT = 0, INSERT = 1, REPLACE = 2 }
flags PutFlags : u16 { SYNC = 1 << 0, NO_EVICT = 1 << 1, TTL = 1 << 2 }
error KvError : u32 { NOT_FOUND = 1, EXISTS = 2, TOO_LARGE = 3, BUSY = 4 }

@Derive(PartialEq, Debug)
struct Stamp { u64 unix_ns; u32 node; u32 seq = 0; }

struct Range { Key from; Key to; u16 limit = 100; }

@MaxSize(1408)
struct Record {
    Key              key;
    bytes<MAX_VALUE> value;
    Stamp            stamp;
    u64?             expires_ns;
    f32[4]           weights;
    vec<Uuid, 4>     owners;
    Tier             tier = Tier.HOT;
    reserved         u8[15];
}

union Query : u8 { 0: void all; 1: Key exact; 2: Range range; }

@Backends({rdma, shm, inproc})
interface IKvStore {
    const u16 DEFAULT_LIMIT = 100;
    @Idempotent @Deadline(us = 50)
    Record get(in Key key, in TraceId trace) throws KvError;
    @Rdma(recv_depth = 256) @Shm(slots = 1024, slot = 2048)
    Stamp put(in Record rec, in PutFlags flags, in Mode mode) throws KvError;
    @Since(1.1)
    void scan(in Query q, inout u64 cursor, out vec<Key, 16> page) throws KvError;
    @Since(1.2)
    u64 load(in buffer<read> src, in buffer<write> dst) throws KvError;
    oneway void touch(in Key key);
    @Deprecated(\"use get\")
    bool has(in Key key) = 9;
    event void evicted(in Key key, in Tier tier);
}
";

fn def<'a>(model: &'a Model, name: &str) -> &'a TypeDef {
    model.types.iter().find(|def| def.name == name).unwrap()
}

fn offsets(node: &Struct) -> Vec<(&str, u32, u32)> {
    node.fields
        .iter()
        .map(|field| (field.name.as_str(), field.offset, field.size))
        .collect()
}

fn fields<'a>(model: &'a Model, name: &str) -> Vec<(&'a str, u32, u32)> {
    match &def(model, name).kind {
        TypeDefKind::Struct(node) => offsets(node),
        _ => panic!("{name} is no struct"),
    }
}

#[test]
fn the_worked_example_has_its_measured_layout() {
    let model = model(KV);
    let sizes: Vec<(&str, u32, u32)> = ["Record", "Stamp", "Range", "Query"]
        .into_iter()
        .map(|name| (name, def(&model, name).size, def(&model, name).align))
        .collect();
    assert_eq!(
        sizes,
        [
            ("Record", 1224, 8),
            ("Stamp", 16, 8),
            ("Range", 130, 2),
            ("Query", 132, 2)
        ]
    );
    assert_eq!(
        fields(&model, "Record"),
        [
            ("key", 0, 64),
            ("value", 64, 1024),
            ("stamp", 1088, 16),
            ("expires_ns", 1104, 16),
            ("weights", 1120, 16),
            ("owners", 1136, 66),
            ("tier", 1202, 1),
            ("_reserved0", 1203, 15),
            ("_pad0", 1218, 6),
        ]
    );
    let requests: Vec<(&str, u16, u32)> = model.interfaces[0]
        .methods
        .iter()
        .map(|m| (m.name.as_str(), m.id, m.request.size))
        .collect();
    assert_eq!(
        requests,
        [
            ("get", 1, 80),
            ("put", 2, 1232),
            ("scan", 3, 144),
            ("load", 4, 48),
            ("touch", 5, 64),
            ("has", 9, 64),
            ("evicted", 10, 66),
        ]
    );
    let put = &model.interfaces[0].methods[1];
    assert_eq!(
        offsets(&put.request),
        [
            ("rec", 0, 1224),
            ("flags", 1224, 2),
            ("mode", 1226, 1),
            ("_pad0", 1227, 5)
        ]
    );
    assert_eq!(
        model.interfaces[0].methods[2].response.fields[0].name,
        "cursor"
    );
}

#[test]
fn every_form_has_its_size_and_alignment() {
    let model = model(
        "package a;
        enum E : u16 { A }
        union Void : u32 { 0: void a; 1: void b; }
        union Wide : u64 { 0: u8[3] a; }
        union Mixed : u8 { 0: u64 a; 1: u8 b; }
        struct S {
            string<1> s1; bytes<2> b2; vec<u8, 3> v3; vec<u64, 2> v64; u8? o8; u16? o16; u64? o64;
            u8[3][5] grid; bool flag; buffer<read> lent; E e; Void void_union; Wide wide; Mixed mixed;
        }
        interface I { void f(in S s); }",
    );
    let TypeDefKind::Struct(node) = &def(&model, "S").kind else {
        panic!()
    };
    let shapes: Vec<(&str, u32, u32)> = node
        .fields
        .iter()
        .filter_map(|f| {
            f.value()
                .map(|ty| (f.name.as_str(), model.size_of(ty), model.align_of(ty)))
        })
        .collect();
    assert_eq!(
        shapes,
        [
            ("s1", 4, 2),
            ("b2", 4, 2),
            ("v3", 6, 2),
            ("v64", 24, 8),
            ("o8", 2, 1),
            ("o16", 4, 2),
            ("o64", 16, 8),
            ("grid", 15, 1),
            ("flag", 1, 1),
            ("lent", 24, 8),
            ("e", 2, 2),
            ("void_union", 4, 4),
            ("wide", 16, 8),
            ("mixed", 16, 8),
        ]
    );
    let TypeDefKind::Union(wide) = &def(&model, "Wide").kind else {
        panic!()
    };
    assert_eq!((wide.storage_offset, wide.storage_size), (8, 8));
    let TypeDefKind::Union(mixed) = &def(&model, "Mixed").kind else {
        panic!()
    };
    assert_eq!((mixed.storage_offset, mixed.storage_size), (8, 8));
    let TypeDefKind::Union(void) = &def(&model, "Void").kind else {
        panic!()
    };
    assert_eq!((void.storage_offset, void.storage_size), (4, 0));
    assert!(def(&model, "S").resource);
}

#[test]
fn fields_follow_each_other_without_gaps() {
    let model = model(KV);
    let mut messages: Vec<&Struct> = Vec::new();
    for def in &model.types {
        if let TypeDefKind::Struct(node) = &def.kind {
            messages.push(node);
        }
    }
    for method in &model.interfaces[0].methods {
        messages.extend([&method.request, &method.response]);
    }
    for message in messages {
        let mut end = 0;
        for field in &message.fields {
            assert_eq!(field.offset, end, "{}", field.name);
            if let Some(ty) = field.value() {
                assert_eq!(field.offset % model.align_of(ty), 0, "{}", field.name);
                assert_eq!(field.size, model.size_of(ty), "{}", field.name);
            }
            end += field.size;
        }
        assert_eq!(end, message.size);
        assert_eq!(message.size % message.align, 0);
    }
}

#[test]
fn an_empty_message_has_no_bytes() {
    let model = model("package a; interface I { void f(); }");
    let method = &model.interfaces[0].methods[0];
    assert_eq!((method.request.size, method.request.align), (0, 1));
    assert_eq!((method.response.size, method.response.align), (0, 1));
}

#[test]
fn plain_means_that_nothing_is_validated() {
    let model = model(
        "package a;
        enum Open : u8 { A } closed enum Closed : u8 { B }
        struct Plain { u32 a; f32 b; Open[4] c; }
        struct Padded { u32 a; u8 b; }
        struct Kept { u32 a; reserved u8[4]; }
        struct Truth { bool a; }
        struct Shut { Closed a; }
        struct Holder { Plain[2] a; }
        struct Text { string<2> a; }",
    );
    let plain: Vec<&str> = model
        .types
        .iter()
        .filter(|def| def.plain)
        .map(|def| def.name.as_str())
        .collect();
    assert_eq!(plain, ["Open", "Plain", "Holder"]);
}

#[test]
fn in_place_needs_equal_offsets() {
    let model = model(
        "package a; interface I {
            void same(inout u64 a);
            void also(inout u64 a, in u8 b);
            void moved(in u64 a, inout u32 b);
            u32 result_first(inout u32 a);
            void none(in u8 a, out u8 b);
            void two(inout u32 a, inout u32 b);
        }",
    );
    let in_place: Vec<bool> = model.interfaces[0]
        .methods
        .iter()
        .map(|method| method.in_place)
        .collect();
    assert_eq!(in_place, [true, true, false, false, false, true]);
}

#[test]
fn types_come_after_what_they_need() {
    let model = model(
        "package a;
        struct Outer { Inner inner; Kind kind; }
        struct Inner { u8[N] data; }
        const u32 N = Kind.BIG * 2;
        enum Kind : u8 { SMALL, BIG = 4 }",
    );
    let names: Vec<&str> = model.types.iter().map(|def| def.name.as_str()).collect();
    assert_eq!(names, ["Kind", "Inner", "Outer"]);
    let declared: Vec<&str> = model.packages[0]
        .types
        .iter()
        .map(|&id| model.def(id).name.as_str())
        .collect();
    assert_eq!(declared, ["Outer", "Inner", "Kind"]);
    assert_eq!(def(&model, "Inner").size, 8);
}

#[test]
fn reserved_room_has_a_name_and_is_no_value() {
    let model = model("package a; struct S { u8 x; reserved u8[3]; u32 y; reserved u8[4]; }");
    assert_eq!(
        fields(&model, "S"),
        [
            ("x", 0, 1),
            ("_reserved0", 1, 3),
            ("y", 4, 4),
            ("_reserved1", 8, 4)
        ]
    );
    let TypeDefKind::Struct(node) = &def(&model, "S").kind else {
        panic!()
    };
    assert!(matches!(node.fields[1].kind, FieldKind::Reserved));
}
