//! Text that is made to overflow, to hang or to flood: every case must come back, and soon.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use rpcidl::diag::Diagnostic;
use rpcidl::parse::parse;
use rpcidl::source::SourceMap;

/// Far more than a slow machine needs.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Steps that the grammar may take for one byte, in all its alternatives, and for what the limits bound: 64
/// brackets inside each other, 256 operators in a row. Quadratic time would take more.
const STEPS_PER_BYTE: usize = 700;
const STEPS: usize = 4_000_000;

fn read(text: &str) -> Vec<Diagnostic> {
    let mut sources = SourceMap::default();
    let id = sources.add("hostile.idl", text);
    let start = Instant::now();
    let (_, diagnostics) = parse(id, text);
    assert!(
        start.elapsed() < WATCHDOG,
        "{} bytes took {:?}",
        text.len(),
        start.elapsed()
    );
    diagnostics
}

/// Reads many copies of a unit, alone and inside of everything that can hold it. `FLOOD_BYTES` asks for more.
fn flood(unit: &str) {
    let bytes = std::env::var("FLOOD_BYTES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(4000);
    // Every test sets the same limit, so it does not matter that it is one for the whole process.
    pest::set_call_limit(NonZeroUsize::new(STEPS + bytes * STEPS_PER_BYTE));
    let body = unit.repeat(bytes / unit.len());
    let frames = [
        ("", ""),
        ("struct S { ", " }"),
        ("enum E : u8 { ", " }"),
        ("union U : u8 { ", " }"),
        ("interface I { ", " }"),
        ("interface I { void f(", "); }"),
        ("const u32 A = ", ";"),
        ("@A(", ") struct S { u32 a; }"),
        ("struct S { u32 a = ", ""),
    ];
    for (before, after) in frames {
        let text = format!("{before}{body}{after}");
        let found = read(&text);
        assert!(found.len() <= 1001, "{unit:?} in {before:?}");
        let limited = found
            .iter()
            .any(|diagnostic| diagnostic.message.contains("stack"));
        assert!(!limited, "{unit:?} in {before:?} takes too many steps");
    }
}

#[test]
fn brackets() {
    for unit in [
        "(", "{", "[", "<", ")", "}", "]", ">", "({", "{(", "vec<", "(1+", "[1]", "{}", "()", "a{",
        "a<",
    ] {
        flood(unit);
    }
}

#[test]
fn operators() {
    for unit in [
        "-", "!", "~", "-1", "+1", "1+", "1<<", "a|", "a.", ".a", "?", "a?", "a ? b : ",
    ] {
        flood(unit);
    }
}

#[test]
fn words_and_signs() {
    for unit in [
        "a",
        "a ",
        "a\n",
        "1 ",
        "; ",
        ", ",
        "= ",
        ": ",
        "@",
        "@A ",
        "@A\n",
        "@A()\n",
        "a b ",
        "a b\n",
        "a b =\n",
        "a b (\n",
        "a b;\n",
        "a b {\n",
        "a =\n",
        "1:\n",
        "a.\n",
        "a,\n",
        "in a ",
        "in a\n",
        "reserved ",
        "reserved\n",
        "struct ",
        "struct\n",
        "struct a\n",
        "struct a {\n",
        "struct a {}\n",
        "const u32 a = b\n",
        "oneway ",
        "oneway\n",
        "event ",
        "closed ",
        "import a\n",
        "package a\n",
        "u32 a, ",
        "u32 a\n",
        "void f()\n",
        "void f(in\n",
        "A = 1 ",
        "A = 1; ",
        "A : 1\n",
        "0: u32 a\n",
        "0: u32 a, ",
    ] {
        flood(unit);
    }
}

#[test]
fn comments_and_literals() {
    for unit in [
        "\"", "\"a\" ", "\"a\n", "/*", "/**/", "/** a */", "//", "// a\n", "/// a\n", "//! a\n",
        "/", "\\", "'", "'a'", "#\n", "é", "\0", "\0 ", "\u{202e}", "0x ", "1e", "09 ", "\r",
        "\r\n", "\t", " ", "\n",
    ] {
        flood(unit);
    }
}

#[test]
fn nesting_at_the_limit_is_read() {
    for (open, core, close) in [("(", "1", ")"), ("-(", "1", ")")] {
        let text = format!(
            "const u32 A = {}{core}{};",
            open.repeat(60),
            close.repeat(60)
        );
        assert!(read(&text).is_empty());
    }
    let text = format!(
        "struct S {{ {}u8{} a; }}",
        "vec<".repeat(60),
        ", 1>".repeat(60)
    );
    assert!(read(&text).is_empty());
    let text = format!("{}{}", "struct S { ".repeat(64), "}".repeat(64));
    assert!(read(&text).is_empty());
    let text = format!("struct S {{ u8{} a; }}", "[1]".repeat(60));
    assert!(read(&text).is_empty());
}

#[test]
fn nesting_over_the_limit_costs_one_error() {
    let cases = [
        (
            format!(
                "const u32 A = {}1{}; const u32 B = 1;",
                "(".repeat(100_000),
                ")".repeat(100_000)
            ),
            "E0011",
        ),
        (
            format!("const u32 A = {}1; const u32 B = 1;", "(".repeat(100_000)),
            "E0011",
        ),
        (
            format!(
                "struct S {{ {}u8{} a; u8 b; }}",
                "vec<".repeat(1000),
                ", 1>".repeat(1000)
            ),
            "E0011",
        ),
        (
            format!("{}{}", "struct S { ".repeat(1000), "}".repeat(1000)),
            "E0011",
        ),
        (format!("const u32 A = {}1;", "-".repeat(100_000)), "E0012"),
        (format!("const u32 A = 1{};", "+1".repeat(100_000)), "E0012"),
        (format!("struct S {{ u8{} a; }}", "?".repeat(1000)), "E0012"),
        (
            format!("struct S {{ u8{} a; }}", "[1]".repeat(1000)),
            "E0012",
        ),
        (format!("struct S {{ a{} a; }}", ".a".repeat(1000)), "E0012"),
    ];
    for (text, code) in cases {
        let found = read(&text);
        let names: Vec<&str> = found
            .iter()
            .map(|diagnostic| diagnostic.code.name)
            .collect();
        assert_eq!(names, [code], "{}", &text[..40]);
    }
}

#[test]
fn a_small_stack_is_enough() {
    let text = format!(
        "{} vec<{}u8{}, {}1{}> a; {}",
        "struct S { ".repeat(20),
        "vec<".repeat(20),
        ", 1>".repeat(20),
        "(".repeat(20),
        ")".repeat(20),
        "}".repeat(20),
    );
    let thread = std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(move || read(&text))
        .unwrap();
    assert_eq!(thread.join().unwrap(), []);
}
