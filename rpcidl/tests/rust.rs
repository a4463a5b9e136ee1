//! Rust items as definitions: the same model, the same output, and errors in the right place.

#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod common;

use std::collections::BTreeMap;

use proptest::prelude::*;
use rpcidl::diag::{Code, Diagnostic, ERROR_INDEX};
use rpcidl::emit::{self, Options};
use rpcidl::rust::{Expansion, begin, finish, model_of, to_idl};
use rpcidl::source::SourceMap;

const ITEMS: &[&str] = &[
    "/// How warm a record is.\n#[rpc_message(reserved = [7, 8..=9])]\n#[repr(u8)]\npub enum Tier { HOT = 0, /// Not hot.\nWARM, COLD = 1 << 2 }",
    "#[rpc_message(flags)]\n#[repr(u16)]\npub enum PutFlags { SYNC = 1 << 0, TTL = 1 << 2 }",
    "#[rpc_message(closed)]\n#[repr(u8)]\npub enum Mode { UPSERT = 0, INSERT = 1 }",
    "#[rpc_message(error)]\n#[repr(u32)]\npub enum KvError { NOT_FOUND = 1, #[deprecated(note = \"retry\")] BUSY = 4 }",
    "#[rpc_message]\n#[derive(Eq, Hash, Debug)]\npub struct Key { pub name: Str<62> }",
    "/// A record.\n///\n/// With two paragraphs.\n#[rpc_message(max_size = 2048)]\npub struct Record {\n    pub key: Key,\n    /// Its value.\n    pub value: Bytes<{ (1 << 10) - 2 }>,\n    pub expires_ns: Option<u64>,\n    pub weights: [f32; 4],\n    pub grid: [[i64; 2]; 3],\n    pub owners: List<Key, 4>,\n    pub live: bool,\n    #[rpc(default = Tier::HOT)]\n    pub tier: Tier,\n    #[rpc(default = -7)]\n    pub offset: i16,\n    #[rpc(default = \"none\")]\n    pub label: runtime_core::Str<5>,\n    pub r#type: u8,\n    pub _reserved0: Reserved<15>,\n}",
    "/// A store.\n#[rpc_service(backend = \"inproc\", package = \"acme.kv@1.2\", reserved = [40], deadline_ms = 5)]\npub trait KvStore {\n    /// Reads one record.\n    #[rpc(idempotent, deadline_us = 50)]\n    fn get(&mut self, key: &Key) -> Result<Record, KvError>;\n    #[rpc(shm(slots = 64))]\n    fn put(&mut self, record: Record, flags: PutFlags, mode: Mode) -> Result<(), KvError>;\n    #[rpc(since = \"1.1\")]\n    fn scan(&self, cursor: &mut u64, #[out] page: &mut List<Key, 16>, #[rpc(out)] more: bool);\n    #[rpc(oneway)]\n    fn touch(&self, key: &Key);\n    #[deprecated = \"use get\"]\n    #[rpc(id = 9)]\n    fn has(&self, key: Key) -> bool;\n    #[rpc(event)]\n    fn evicted(&self, key: Key, tier: Tier);\n}",
];

const IDL: &str = r#"package acme.kv@1.2;

/// How warm a record is.
enum Tier : u8 {
    HOT = 0,
    /// Not hot.
    WARM,
    COLD = 1 << 2,
    reserved 7,
    reserved 8..9,
}

flags PutFlags : u16 {
    SYNC = 1 << 0,
    TTL = 1 << 2,
}

closed enum Mode : u8 {
    UPSERT = 0,
    INSERT = 1,
}

error KvError : u32 {
    NOT_FOUND = 1,
    @Deprecated("retry")
    BUSY = 4,
}

@Derive(Eq, Hash)
struct Key {
    string<62> name;
}

/// A record.
///
/// With two paragraphs.
@MaxSize(2048)
struct Record {
    Key key;
    /// Its value.
    bytes<((1 << 10) - 2)> value;
    u64? expires_ns;
    f32[4] weights;
    i64[3][2] grid;
    vec<Key, 4> owners;
    bool live;
    Tier tier = Tier.HOT;
    i16 offset = -7;
    string<5> label = "none";
    u8 type;
    reserved u8[15];
}

/// A store.
@Deadline(ms = 5)
@Backends({inproc})
interface KvStore {
    reserved 40;
    /// Reads one record.
    @Idempotent
    @Deadline(us = 50)
    Record get(in Key key) throws KvError;
    @Shm(slots = 64)
    void put(in Record record, in PutFlags flags, in Mode mode) throws KvError;
    @Since(1.1)
    void scan(inout u64 cursor, out vec<Key, 16> page, out bool more);
    oneway void touch(in Key key);
    @Deprecated("use get")
    bool has(in Key key) = 9;
    event void evicted(in Key key, in Tier tier);
}
"#;

#[test]
fn a_rust_file_prints_as_the_definition_that_it_stands_for() {
    let rust = format!(
        "#!/usr/bin/env run\nuse runtime_core::*;\nmod inner {{\n{}\n}}\nfn main() {{}}\n",
        ITEMS.join("\n")
    );
    assert_eq!(
        to_idl(&rust, "src/kv.rs")
            .map_err(|(_, found)| found)
            .unwrap(),
        IDL
    );
}

/// The text that a message hands on.
fn handed_on(expansion: &Expansion) -> Option<String> {
    let (_, rest) = expansion.text.split_once("{ $($known)* ")?;
    let (literal, _) = rest.split_once(" } } }; } #[doc(hidden)]")?;
    syn::parse_str::<syn::LitStr>(literal)
        .ok()
        .map(|text| text.value())
}

/// Does what rustc does with the chain of macros.
fn expand(item: &str, known: &BTreeMap<String, String>) -> Expansion {
    let first = begin(item, None);
    let Some((path, rest)) = first
        .text
        .split_once("! { [")
        .filter(|_| first.text.contains("::__expand } ]"))
    else {
        return first;
    };
    let (others, _) = rest.split_once(" { ::rpcidl_macros::__expand }").unwrap();
    let others = others
        .split(['{', '}'])
        .map(str::trim)
        .filter(|path| !path.is_empty());
    let closures: Vec<String> = [path]
        .into_iter()
        .chain(others)
        .map(|path| known[path].clone())
        .collect();
    finish(item, &closures, None)
}

fn expand_all(items: &[&str]) -> Vec<Expansion> {
    let mut known = BTreeMap::new();
    let mut expansions = Vec::new();
    for item in items {
        let expansion = expand(item, &known);
        assert!(expansion.errors.is_empty(), "{:#?}", expansion.errors);
        if let Some(text) = handed_on(&expansion) {
            let name = item
                .split(['{', ' '])
                .skip_while(|word| *word != "struct" && *word != "enum")
                .nth(1)
                .unwrap();
            known.insert(name.to_owned(), text);
        }
        expansions.push(expansion);
    }
    expansions
}

/// The items of a text without what is not the emitter's: attributes and visibility are the user's.
fn items(text: &str) -> Vec<String> {
    let file: syn::File = syn::parse_str(text).unwrap();
    let print = |item: &syn::Item| {
        let item = syn::File {
            shebang: None,
            frontmatter: None,
            attrs: vec![],
            items: vec![item.clone()],
        };
        // The types of fields stay as the user wrote them, which may be by another path.
        prettyplease::unparse(&item)
            .replace("::runtime_core::", "")
            .replace("runtime_core::", "")
    };
    file.items.iter().map(print).collect()
}

#[test]
fn both_front_ends_give_the_same_items() {
    let compilation = common::compile_text(IDL);
    let model = compilation
        .model
        .unwrap_or_else(|| panic!("{:#?}", compilation.diagnostics));
    let options = Options::default();
    let from_idl = items(&emit::emit(&model, &options).unwrap().to_single_file());
    let expansions = expand_all(ITEMS);
    let from_rust: Vec<String> = expansions
        .iter()
        .flat_map(|expansion| items(&expansion.text))
        .collect();
    let missing: Vec<&String> = from_idl
        .iter()
        .filter(|item| !from_rust.contains(item))
        .collect();
    assert!(
        missing.is_empty(),
        "{}\n=====\n{}",
        missing[0],
        from_rust.join("\n")
    );
    assert!(
        from_idl.iter().any(|item| item.contains("ABI_HASH")),
        "the module is among them"
    );
}

#[test]
fn one_name_in_two_modules_stays_two_types() {
    let items = [
        "#[rpc_message] struct Key { a: u32 }",
        "#[rpc_message] struct Holder { key: Key }",
        "#[rpc_service] trait Service { fn call(&self, key: one::Key, holder: Holder, other: two::Key, again: one::Key, same: three::Key); }",
    ];
    let mut known = BTreeMap::new();
    let key = handed_on(&expand(items[0], &known)).unwrap();
    known.insert("Key".to_owned(), key.clone());
    known.insert(
        "Holder".to_owned(),
        handed_on(&expand(items[1], &known)).unwrap(),
    );
    known.insert("one::Key".to_owned(), key.clone());
    known.insert("three::Key".to_owned(), key);
    let other = handed_on(&begin("#[rpc_message] struct Key { b: u64 }", None)).unwrap();
    known.insert("two::Key".to_owned(), other);
    let service = expand(items[2], &known);
    assert!(service.errors.is_empty(), "{:#?}", service.errors);
    for path in [
        "super::one::Key",
        "super::two::Key",
        "super::three::Key",
        "super::Holder",
    ] {
        assert!(service.text.contains(path), "{path}\n{}", service.text);
    }
}

#[test]
fn what_is_broken_elsewhere_is_reported_there() {
    let broken = begin("#[rpc_message] struct Broken { text: String }", None);
    assert_eq!(broken.errors.len(), 1);
    let text = handed_on(&broken).unwrap();
    assert_eq!(text, "");
    let service = finish(
        "#[rpc_service] trait Service { fn call(&self, broken: Broken); }",
        &[text],
        None,
    );
    assert_eq!(service.errors, []);
    assert!(!service.text.contains("mod service"));
    assert!(
        service
            .text
            .contains("trait Service { fn call(&self, broken: Broken); }")
    );
}

#[test]
fn every_mark_leads_to_the_same_word() {
    for (item, expansion) in ITEMS.iter().zip(expand_all(ITEMS)) {
        let mut end = 0;
        for mark in &expansion.marks {
            assert!(mark.out.start >= end, "marks are in order");
            end = mark.out.end;
            let out = &expansion.text[mark.out.clone()];
            if !mark.whole {
                assert_eq!(out, &item[mark.source..mark.source + out.len()]);
            }
        }
    }
}

/// `E0206@3:17 message`
fn told(sources: &SourceMap, found: &[Diagnostic]) -> Vec<String> {
    let line = |found: &Diagnostic| {
        let (line, column) = found
            .primary
            .as_ref()
            .map_or((0, 0), |label| sources.line_column(label.span));
        format!("{}@{line}:{column} {}", found.code, found.message)
    };
    found.iter().map(line).collect()
}

#[test]
fn errors_of_a_file_have_the_places_of_the_file() {
    let found = |text: &str| {
        let (sources, found) = to_idl(text, "a.rs").unwrap_err();
        told(&sources, &found)
    };
    assert_eq!(
        found("\u{feff}#[rpc_message]\nstruct S {\n    größe: String,\n}\n")
            .last()
            .unwrap(),
        "E0206@3:12 `String` cannot travel"
    );
    assert_eq!(
        found("#[rpc_message]\n#[repr(u8, C)]\nenum E { A = 0 }\n"),
        ["E0318@2:12 an enum is carried by one integer type, and not by `C` as well"]
    );
    assert_eq!(
        found("#[rpc_message]\nstruct S { a: Tier }\n"),
        ["E0201@2:15 unknown type `Tier`"]
    );
    assert_eq!(
        found("struct S;"),
        ["E0003@0:0 `a.rs` has no item with `#[rpc_message]` or `#[rpc_service]`"]
    );
    assert_eq!(
        found("fn a( {"),
        ["E0101@1:7 this cannot be split into the tokens of Rust"]
    );
    assert_eq!(
        found("struct A {}\nfn ;"),
        ["E0101@2:4 this is not Rust: expected identifier"]
    );
    assert_eq!(
        found(
            "#[rpc_service(package = \"a\")] trait A { fn f(&self); }\n#[rpc_service(package = \"b\")] trait B { fn f(&self); }"
        ),
        ["E0210@2:25 one file cannot be two packages"]
    );
}

#[test]
fn a_file_gives_the_package_its_name() {
    let file = |name: &str| {
        let model = model_of("#[rpc_message] struct S { a: u8 }", name);
        let package = model.file.package.unwrap();
        package
            .path
            .segments
            .into_iter()
            .map(|name| name.text)
            .collect::<Vec<_>>()
            .join(".")
    };
    assert_eq!(file("src/key-value.rs"), "key_value");
    assert_eq!(file("7.rs"), "rust_7");
}

/// What hostile texts meet instead of the end of the stack.
#[test]
fn limits_hold() {
    let deep = |open: &str, close: &str| {
        let text = format!(
            "#[rpc_message] struct S {{ a: {}u8{} }}",
            open.repeat(100_000),
            close.repeat(100_000)
        );
        to_idl(&text, "a.rs").unwrap_err().1[0].code
    };
    assert_eq!(deep("(", ")"), Code::E0011);
    assert_eq!(deep("&", ""), Code::E0012);
    assert_eq!(deep("List<", ", 4>"), Code::E0012);
    let sum = format!(
        "#[rpc_message] struct S {{ a: [u8; {}1] }}",
        "1 + ".repeat(100_000)
    );
    assert_eq!(to_idl(&sum, "a.rs").unwrap_err().1[0].code, Code::E0012);
    let nested = format!(
        "#[rpc_message] struct S {{ a: {}u8{} }}",
        "Option<[".repeat(60),
        "; 1]>".repeat(60)
    );
    assert_eq!(to_idl(&nested, "a.rs").unwrap_err().1[0].code, Code::E0403);
}

/// The examples of the error index that are Rust fail as they say, or do not.
#[test]
fn pages_about_rust_are_true() {
    let mut checked = 0;
    for code in ERROR_INDEX {
        let mut lines = code.page.lines();
        let mut blocks = (0, 0);
        while let Some(line) = lines.next() {
            let Some(info) = line.strip_prefix("```rust") else {
                continue;
            };
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let found = match to_idl(&text.join("\n"), "example.rs") {
                Ok(_) => Vec::new(),
                Err((sources, found)) => told(&sources, &found),
            };
            if info.contains("fail") {
                assert!(
                    !found.is_empty() && found.iter().all(|line| line.starts_with(code.name)),
                    "{code}: {found:?}"
                );
                blocks.0 += 1;
            } else {
                assert!(found.is_empty(), "{code}: {found:?}");
                blocks.1 += 1;
            }
            checked += 1;
        }
        if code.name.starts_with("E07") {
            assert!(
                blocks.0 > 0 && blocks.1 > 0,
                "{code}: an example that fails and one that does not"
            );
        }
    }
    assert!(checked >= 18);
}

/// A text that is nearly an item.
fn nearly() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "#[rpc_message]",
        "#[rpc_service]",
        "#[rpc_message(closed)]",
        "#[repr(u8)]",
        "#[rpc(id = 1)]",
        "struct",
        "enum",
        "trait",
        "S",
        "pub",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "<",
        ">",
        ",",
        ";",
        ":",
        "::",
        "=",
        "&",
        "mut",
        "self",
        "fn",
        "f",
        "->",
        "u8",
        "Str",
        "4",
        "-",
        "Option",
        "List",
        "Result",
        "'a",
        "\"x\"",
        "1.5",
        "async",
        "type",
        "const",
        "#[out]",
        "#",
        "!",
        "..=",
        "r#in",
        "é",
        "$",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.join(" "))
}

/// A type that can travel.
fn types() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["u8", "i16", "u32", "f64", "bool", "Tier", "Key"])
            .prop_map(str::to_owned),
        (1u32..40, prop::sample::select(vec!["Str", "Bytes"]))
            .prop_map(|(bound, name)| format!("{name}<{bound}>")),
    ];
    leaf.prop_recursive(4, 8, 1, |inner| {
        prop_oneof![
            (inner.clone(), 1u32..4).prop_map(|(ty, len)| format!("[{ty}; {len}]")),
            (inner.clone(), 1u32..4)
                .prop_map(|(ty, len)| format!("List<{ty}, {{ {len} * 2 - 1 }}>")),
            inner.prop_map(|ty| if ty.starts_with("Option") {
                ty
            } else {
                format!("Option<{ty}>")
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_printed_means_the_same(field in types(), argument in types(), result in types()) {
        let text = format!(
            "#[rpc_message] #[repr(u8)] enum Tier {{ A = 0, B }}
            #[rpc_message] struct Key {{ a: u64, b: u8 }}
            #[rpc_message] struct Holder {{ a: u8, field: {field}, b: Option<Key> }}
            #[rpc_service] trait Service {{ fn call(&self, holder: Holder, argument: &mut {argument}) -> {result}; }}"
        );
        let model = model_of(&text, "a.rs");
        prop_assert!(model.diagnostics.is_empty());
        let direct = rpcidl::compile_file(model.file, model.sources).model;
        let printed = to_idl(&text, "a.rs");
        let by_text = printed.ok().and_then(|idl| common::compile_text(&idl).model);
        let direct = direct.map(|model| model.interfaces[0].abi_text.clone());
        let by_text = by_text.map(|model| model.interfaces[0].abi_text.clone());
        prop_assert_eq!(&direct, &by_text);
        prop_assert!(direct.is_some());
    }

    #[test]
    fn nothing_panics_on_words(text in nearly(), closures in prop::collection::vec(".{0,40}", 0..3)) {
        let _ = to_idl(&text, "a.rs");
        let _ = begin(&text, None);
        let _ = finish(&text, &closures, None);
    }

    #[test]
    fn nothing_panics_on_damaged_items(index in 0..ITEMS.len(), at in any::<prop::sample::Index>(), length in 0usize..12, put in "[ -~]{0,3}") {
        let item = ITEMS[index];
        let start = at.index(item.len());
        let end = (start + length).min(item.len());
        let text = format!("{}{put}{}", &item[..start], &item[end..]);
        let _ = to_idl(&text, "a.rs");
        let _ = begin(&text, None);
        let _ = finish(&text, &["struct Key { u8 a; }".to_owned(), String::new()], None);
    }
}
