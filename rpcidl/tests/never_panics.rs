//! Whatever is given, the compiler answers.

mod common;

use proptest::prelude::*;
use rpcidl::diag::Severity;
use rpcidl::{Compilation, Input, MemoryLoader, compile, report};

/// A text that uses most of the language.
const SEED: &str = r#"//! Documentation.
package acme.kv@1.2;

import lib.net.Address;
import lib.net.MAX as MOST;

const u32 MAX_VALUE = (1 << 10) - 2;
const f64 RATIO = 1.5 * 2;
const string<8> GREETING = "hi\n";
alias Key = string<62>;

enum Tier : u8 { HOT = 0, WARM, COLD = WARM + 1, reserved 7, reserved 8..15 }
closed enum Mode : u8 { UPSERT = 0, INSERT = 1 }
flags PutFlags : u16 { SYNC = 1 << 0, TTL = 1 << 2, ALL = SYNC | TTL }
error KvError : u32 { NOT_FOUND = 1, BUSY = 4 }

@Derive(PartialEq) @MaxSize(2048)
struct Record {
    const u8 OWNERS = 4;
    enum Kind : u8 { A, B }
    Key key;
    bytes<MAX_VALUE> value;
    u64? expires_ns;
    f32[MOST][2] weights;
    vec<Address, OWNERS> owners;
    Tier tier = Tier.HOT;
    Kind kind = Kind.B;
    bool flag = !(1 == 2);
    reserved u8[15];
}

struct Lent { buffer<write> room; u32 used; }

union Query : u8 { 0: void all; 1: Key exact; 2: Record record; reserved 9; }

interface Base { void ping(); reserved 4; }

@Backends({rdma, shm, inproc}) @Shm(slots = 64, isolated) @Deadline(ms = 5)
interface IKvStore extends Base {
    /// Reads one.
    @Idempotent @Deadline(us = 50)
    Record get(in Key key) throws KvError;
    void put(in Record record, in PutFlags flags) throws KvError;
    @Since(1.1)
    void scan(in Query query, inout u64 cursor, out vec<Key, 16> page) = 9;
    u64 load(in buffer<read> src, in Lent dst) throws KvError;
    oneway void touch(in Key key);
    @Deprecated("use get") bool has(in Key key) = 0x10;
    event void evicted(in Key key, in Tier tier);
}
"#;

const LIB: &str = "package lib.net; const u8 MAX = 4; struct Address { u32 v4; }";

fn run(text: &[u8]) -> Compilation {
    compile(
        &[Input::new("kv.idl", text)],
        &[],
        &MemoryLoader::new().with("lib/net.idl", LIB),
    )
}

/// Compiles and checks what must hold for any text.
fn survives(text: &[u8]) {
    let compilation = run(text);
    let has_error = compilation
        .diagnostics
        .iter()
        .any(|found| found.severity == Severity::Error);
    assert_eq!(compilation.model.is_none(), has_error);
    for found in &compilation.diagnostics {
        let places = found
            .primary
            .iter()
            .chain(&found.secondary)
            .map(|label| label.span);
        for span in places.chain(found.edit.as_ref().map(|edit| edit.span)) {
            let text = &compilation.sources.get(span.source).text;
            assert!(text.get(span.range()).is_some(), "{found:?}");
        }
    }
    let sorted = compilation
        .diagnostics
        .is_sorted_by_key(|found| found.primary.as_ref().map(|label| label.span));
    assert!(sorted);
    if let Some(model) = &compilation.model {
        for interface in &model.interfaces {
            assert_eq!(
                rpcidl::fingerprint::hash(&interface.abi_text),
                interface.abi_hash
            );
        }
        report::text(model, 100);
        report::suggest_order(model);
    }
}

#[test]
fn the_seed_is_sound() {
    let compilation = run(SEED.as_bytes());
    assert!(
        compilation.diagnostics.is_empty(),
        "{:?}",
        common::lines(&compilation)
    );
}

#[test]
fn every_beginning_of_a_text() {
    for end in 0..SEED.len() {
        survives(&SEED.as_bytes()[..end]);
    }
}

/// Pieces that sentences of the language are made of.
const WORDS: &[&str] = &[
    "package",
    "import",
    "a.b",
    "const",
    "alias",
    "enum",
    "flags",
    "error",
    "struct",
    "union",
    "interface",
    "closed",
    "oneway",
    "event",
    "in",
    "out",
    "inout",
    "throws",
    "extends",
    "reserved",
    "void",
    "u8",
    "u64",
    "i32",
    "f32",
    "bool",
    "string",
    "bytes",
    "vec",
    "buffer",
    "read",
    "A",
    "B",
    "C",
    "x",
    "y",
    "A.B",
    "0",
    "1",
    "255",
    "65536",
    "1.5",
    "true",
    "\"s\"",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    "[",
    "]",
    ",",
    ";",
    ":",
    "=",
    "+",
    "-",
    "*",
    "/",
    "<<",
    "&",
    "|",
    "==",
    "&&",
    "~",
    "!",
    "?",
    "..",
    ".",
    "@",
    "@Shm",
    "@Since",
    "//\n",
    "/*",
    "*/",
    "///d\n",
    "\n",
];

/// A declaration that is well formed but may mean anything.
fn declaration() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["A", "B", "C", "D", "E", "F"]);
    let number = move || {
        prop_oneof![
            Just("0".to_owned()),
            (0u32..70_000).prop_map(|n| n.to_string()),
            name().prop_map(str::to_owned),
            (name(), name()).prop_map(|(a, b)| format!("{a}.{b}")),
            (
                0i64..300,
                0i64..130,
                prop::sample::select(vec!["+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^"])
            )
                .prop_map(|(a, b, op)| format!("({a} {op} {b})")),
        ]
    };
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "u8",
            "u16",
            "u32",
            "u64",
            "i8",
            "f32",
            "f64",
            "bool",
            "buffer<read>"
        ])
        .prop_map(str::to_owned),
        name().prop_map(str::to_owned),
        number().prop_map(|n| format!("string<{n}>")),
        number().prop_map(|n| format!("bytes<{n}>")),
    ];
    let ty = leaf.prop_recursive(3, 8, 2, move |inner| {
        prop_oneof![
            (inner.clone(), number()).prop_map(|(t, n)| format!("vec<{t}, {n}>")),
            (inner.clone(), number()).prop_map(|(t, n)| format!("{t}[{n}]")),
            inner.prop_map(|t| format!("{t}?")),
        ]
    });
    let ty = ty.boxed();
    let field = (ty.clone(), prop::option::of(number()), 0..9).prop_map(|(t, d, n)| {
        format!(
            "{t} f{n}{};",
            d.map_or(String::new(), |d| format!(" = {d}"))
        )
    });
    let member = (name(), prop::option::of(number())).prop_map(|(m, v)| match v {
        Some(v) => format!("{m} = {v}"),
        None => m.to_owned(),
    });
    let param = (
        prop::sample::select(vec!["in", "out", "inout", ""]),
        ty.clone(),
        0..9,
    )
        .prop_map(|(d, t, n)| format!("{d} {t} p{n}"));
    let method = (
        prop::sample::select(vec![
            "",
            "oneway ",
            "event ",
            "@Idempotent ",
            "@Deadline(us = 3) ",
        ]),
        prop_oneof![Just("void".to_owned()), ty.clone()],
        0..9,
        prop::collection::vec(param, 0..4),
        prop::option::of(name()),
        prop::option::of(number()),
    )
        .prop_map(|(before, result, n, params, throws, id)| {
            let throws = throws.map_or(String::new(), |t| format!(" throws {t}"));
            let id = id.map_or(String::new(), |id| format!(" = {id}"));
            format!("{before}{result} m{n}({}){throws}{id};", params.join(", "))
        });
    prop_oneof![
        (name(), prop::collection::vec(field, 0..5))
            .prop_map(|(n, f)| format!("struct {n} {{ {} }}", f.join(" "))),
        (
            prop::sample::select(vec!["enum", "closed enum", "flags", "error"]),
            name(),
            prop::sample::select(vec!["u8", "u32", "i32", "A"]),
            prop::collection::vec(member, 0..5)
        )
            .prop_map(|(k, n, r, m)| format!("{k} {n} : {r} {{ {} }}", m.join(", "))),
        (
            name(),
            prop::collection::vec((number(), ty.clone(), 0..9), 0..4)
        )
            .prop_map(|(n, arms)| {
                let arms: String = arms
                    .iter()
                    .map(|(tag, ty, n)| format!("{tag}: {ty} a{n}; "))
                    .collect();
                format!("union {n} : u8 {{ {arms} }}")
            }),
        (name(), ty.clone()).prop_map(|(n, t)| format!("alias {n} = {t};")),
        (name(), ty, number()).prop_map(|(n, t, v)| format!("const {t} {n} = {v};")),
        (
            name(),
            prop::option::of(name()),
            prop::collection::vec(method, 0..4)
        )
            .prop_map(|(n, base, methods)| {
                let base = base.map_or(String::new(), |b| format!(" extends {b}"));
                format!("interface {n}{base} {{ {} }}", methods.join(" "))
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(text in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&text);
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS), 0..120)) {
        survives(format!("package a; {}", words.join(" ")).as_bytes());
    }

    #[test]
    fn any_declarations(items in prop::collection::vec(declaration(), 0..12)) {
        survives(format!("package a@1.0;\n{}", items.join("\n")).as_bytes());
    }

    #[test]
    fn a_changed_text(
        edits in prop::collection::vec((0usize..SEED.len(), 0usize..12, prop::sample::select(WORDS)), 1..6)
    ) {
        let mut text = SEED.as_bytes().to_vec();
        for (at, cut, word) in edits {
            let at = at.min(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, word.bytes());
        }
        survives(&text);
    }

    #[test]
    fn same_input_same_output(items in prop::collection::vec(declaration(), 0..8)) {
        let text = format!("package a@1.0;\n{}", items.join("\n"));
        let (one, two) = (run(text.as_bytes()), run(text.as_bytes()));
        prop_assert_eq!(one.diagnostics, two.diagnostics);
        prop_assert_eq!(format!("{:?}", one.model), format!("{:?}", two.model));
    }
}
