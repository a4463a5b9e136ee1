//! The formatter: what it changes, and that it changes nothing else.

mod common;

use common::generate::{Generator, tree};
use proptest::prelude::*;
use rpcidl::ast::File;
use rpcidl::diag::{Diagnostic, Severity};
use rpcidl::fmt::format;
use rpcidl::parse::parse;
use rpcidl::source::SourceMap;

fn read(text: &str) -> (File, Vec<Diagnostic>) {
    let id = SourceMap::default().add("test.idl", text);
    parse(id, text)
}

/// Formats a text that has no errors, and checks all that must hold for every such text.
fn formatted(text: &str) -> String {
    let (before, found) = read(text);
    let errors: Vec<_> = found
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{text}");
    let once = format(&before, text);
    let (after, _) = read(&once);
    same(
        &tree(&before),
        &tree(&after),
        &format!("{text}\n=== gives\n{once}"),
    );
    same(
        &comments(&before).join("\n"),
        &comments(&after).join("\n"),
        text,
    );
    same(&once, &format(&after, &once), text);
    for line in once.lines() {
        assert_eq!(line.trim_end(), line, "\n{once}");
    }
    assert!(!once.contains("\n\n\n"), "\n{once}");
    once
}

/// Shows only the first difference; the texts are long.
fn same(left: &str, right: &str, text: &str) {
    let at = left
        .bytes()
        .zip(right.bytes())
        .take_while(|(left, right)| left == right)
        .count();
    let around = |text: &str| {
        let bytes =
            &text.as_bytes()[at.saturating_sub(60).min(text.len())..(at + 60).min(text.len())];
        String::from_utf8_lossy(bytes).into_owned()
    };
    assert!(
        left == right,
        "{}\n--- differs from\n{}\n--- in\n{text}",
        around(left),
        around(right)
    );
}

/// The words of all comments. Markers may change, because a comment that documents nothing becomes a plain one.
fn comments(file: &File) -> Vec<String> {
    let words = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join(" ")
    };
    file.comments
        .iter()
        .map(|comment| words(&comment.text))
        .collect()
}

#[test]
fn the_worked_example() {
    let text = "\
//! Key-value store.
package acme.kv@1.2;

import acme.common.Uuid;

const u32 MAX_VALUE = (1 << 10) - 2;
alias Key = string<62>;

enum Tier : u8 { HOT = 0, WARM = 1, COLD = 2, reserved 7 }
closed enum Mode : u8 { UPSERT = 0, INSERT = 1 }

struct Record {
    Key              key;
    bytes<MAX_VALUE> value;
    u64?             expires_ns;
    f32[4]           weights;
    vec<Uuid, 4>     owners;
    Tier             tier = Tier.HOT;
    reserved u8[15];
}

union Query : u8 { 0: void all; 1: Key exact; }

@Backends({rdma, shm, inproc})
interface IKvStore {
    @Idempotent @Deadline(us = 50)
    Record get(in Key key) throws KvError;
    @Deprecated(\"use get\") bool has(in Key key) = 9;
    event void evicted(in Key key, in Tier tier);
}
";
    assert_eq!(formatted(text), text);
}

#[test]
fn layout() {
    let cases = [
        ("", ""),
        ("// only a remark", "// only a remark\n"),
        (
            "\u{feff}package a.b@1.2 ;\r\n\r\n\r\n\r\nconst u8 A=1;\r\n",
            "package a.b@1.2;\n\nconst u8 A = 1;\n",
        ),
        ("struct S{}", "struct S {}\n"),
        (
            "package a;\n/// d\n//! x\nstruct S{u8 a;}\n",
            "package a;\n/// d\n// x\nstruct S { u8 a; }\n",
        ),
        ("struct S{u8 a;}", "struct S { u8 a; }\n"),
        (
            "struct S{u8 a;\nu32 b=1;};",
            "struct S {\n    u8  a;\n    u32 b = 1;\n}\n",
        ),
        (
            "struct S{u8 a;\n\nu32 b;}",
            "struct S {\n    u8 a;\n\n    u32 b;\n}\n",
        ),
        (
            "struct S{u8 a; // x\nu32 b;}",
            "struct S {\n    u8  a; // x\n    u32 b;\n}\n",
        ),
        (
            "struct S{u8 a;\n// x\nu32 b;}",
            "struct S {\n    u8 a;\n    // x\n    u32 b;\n}\n",
        ),
        (
            "struct S{u8 /* x */ a;}",
            "struct S {\n    u8 a; /* x */\n}\n",
        ),
        ("struct S{ /* x */ }", "struct S {\n    /* x */\n}\n"),
        ("enum E:u8{A,B,}", "enum E : u8 { A, B }\n"),
        ("enum E:u8{A,\nB}", "enum E : u8 {\n    A,\n    B,\n}\n"),
        (
            "enum E:u8{A,reserved 3..7}",
            "enum E : u8 { A, reserved 3..7 }\n",
        ),
        (
            "union U:u8{1:u8 a;\n10:u32 b;}",
            "union U : u8 {\n    1: u8   a;\n    10: u32 b;\n}\n",
        ),
        (
            "/** One\n * two */ const u8 A=1;",
            "/// One\n/// two\nconst u8 A = 1;\n",
        ),
        (
            "const u8 A /** lost */ =1;\nconst u8 B=2;",
            "const u8 A = 1; /* lost */\nconst u8 B = 2;\n",
        ),
        // Reserved room is no item of the generated code, so what stands before it is an ordinary comment.
        (
            "struct S{u8 a;\n/// kept\nreserved u8[3];}",
            "struct S {\n    u8 a;\n    // kept\n    reserved u8[3];\n}\n",
        ),
        (
            "enum E:u8{A,\n/** kept */\nreserved 3}",
            "enum E : u8 {\n    A,\n    /* kept */\n    reserved 3,\n}\n",
        ),
        (
            "struct S{u8[3][2]? a;\nvec<u8?,4> b;}",
            "struct S {\n    u8[3][2]?   a;\n    vec<u8?, 4> b;\n}\n",
        ),
        (
            "const u8 A=- -1+~(2*3)<<1;",
            "const u8 A = --1 + ~(2 * 3) << 1;\n",
        ),
        (
            "@A()@B(x=1,{p,})\nconst u8 A=0xFf_0;",
            "@A() @B(x = 1, {p})\nconst u8 A = 0xFf_0;\n",
        ),
        (
            "interface I extends a.B{oneway void f(in u8 a,)=3;}",
            "interface I extends a.B {\n    oneway void f(in u8 a) = 3;\n}\n",
        ),
        (
            "interface I{void f(in u8 a, // first\nin u8 b);}",
            "interface I {\n    void f(\n        in u8 a, // first\n        in u8 b\n    );\n}\n",
        ),
        (
            "interface I{void f(/// first\nin u8 a);}",
            "interface I {\n    void f(\n        /// first\n        in u8 a\n    );\n}\n",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(formatted(text), expected, "{text}");
    }
}

#[test]
fn long_parameter_lists_are_broken() {
    let name = "a_rather_long_name_of_a_parameter";
    let text = format!(
        "interface I {{ void f(in u32 {name}, out u64 {name}_of_the_second, inout i8 x) throws Err = 4; }}"
    );
    let expected = format!(
        "interface I {{\n    void f(\n        in u32 {name},\n        out u64 {name}_of_the_second,\n        inout i8 x\n    ) throws Err = 4;\n}}\n"
    );
    assert_eq!(formatted(&text), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sound_text(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let text = Generator::new(&bytes).file();
        formatted(&text);
    }
}
