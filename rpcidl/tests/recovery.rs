//! What is found in one run, how it is shown, and what can be mended unseen.

mod common;

use common::{codes, compile_text, lines, mended};
use rpcidl::diag::Code;
use rpcidl::limits::FINDINGS;

#[test]
fn every_independent_error_is_found_at_once() {
    let text = "package a;
struct A { Missing x; u8 y = 300; }
struct B { A a; string s; }
enum E : u8 { X = 1 / 0, Y = 2 }
interface I {
    Unknown f(in A a, u8 b) throws E;
    oneway u8 g(out B b);
}
const u8 C = E.Y + 300;
const u8 D = C + E.X;
";
    let expected = [
        "E0201@2:12 unknown type `Missing`",
        "E0305@2:30 300 does not fit in `u8`",
        "E0301@3:17 `string` needs a bound",
        "E0306@4:23 division by zero",
        "E0201@6:5 unknown type `Unknown`",
        "E0501@6:23 parameter `b` does not say which way it travels",
        "E0509@6:36 `E` is an enum, not an error type",
        "E0502@7:12 a `oneway` method cannot return `u8`",
        "E0503@7:17 a `oneway` method cannot hand `b` back",
        "E0305@9:14 302 does not fit in `u8`",
    ];
    assert_eq!(lines(&compile_text(text)), expected);
}

#[test]
fn what_could_not_be_read_causes_no_further_errors() {
    let compilation = compile_text(
        "package a;\nstruct Broken { u8 u8 u8; }\nstruct @ Lost { u8 x; }\nstruct S { Lost l; Broken b; }\n",
    );
    assert!(
        codes(&compilation)
            .iter()
            .all(|code| code.starts_with("E01") || code.starts_with("E00")),
        "{:?}",
        lines(&compilation)
    );
}

#[test]
fn edits_mend_what_they_can() {
    let cases = [
        (
            "package a; struct S { int x; boolean y; }",
            "package a; struct S { i32 x; bool y; }",
        ),
        (
            "package a; struct S { Reocrd r; } struct Record { u8 x; }",
            "package a; struct S { Record r; } struct Record { u8 x; }",
        ),
        (
            "package a; interface I { void f(u8 a); }",
            "package a; interface I { void f(in u8 a); }",
        ),
        (
            "package a; interface I { oneway u8 f(); }",
            "package a; interface I { oneway void f(); }",
        ),
        (
            "package a; interface I { event void f(out u8 a); }",
            "package a; interface I { event void f(in u8 a); }",
        ),
        (
            "package a; @Shm(slotz = 4) interface I { @Idempotnet void f(); }",
            "package a; @Shm(slots = 4) interface I { @Idempotent void f(); }",
        ),
        (
            "package a; enum E : u8 { A } struct S { E e = A; }",
            "package a; enum E : u8 { A } struct S { E e = E.A; }",
        ),
        (
            "package a; enum E : u8 { A } struct S { E e = 0; bool b = 1; }",
            "package a; enum E : u8 { A } struct S { E e = E.A; bool b = true; }",
        ),
        (
            "package a; struct S { Inner i; } struct T { struct Inner { u8 x; } Inner i; }",
            "package a; struct S { T.Inner i; } struct T { struct Inner { u8 x; } Inner i; }",
        ),
        (
            "package a; @Backends({shn}) interface I { void f(in buffer<wirte> b); }",
            "package a; @Backends({shm}) interface I { void f(in buffer<write> b); }",
        ),
    ];
    for (broken, whole) in cases {
        assert_eq!(mended(broken), whole);
        assert!(
            compile_text(whole).model.is_some(),
            "{:?}",
            lines(&compile_text(whole))
        );
    }
}

#[test]
fn cycles_are_shown_along_their_path() {
    let compilation =
        compile_text("package a; struct A { B b; } struct B { vec<C, 2> c; } struct C { A? a; }");
    let found = &compilation.diagnostics[0];
    assert_eq!(found.message, "type `A` contains itself");
    assert_eq!(found.notes, ["the path is `A` → `B` → `C` → `A`"]);
    assert_eq!(found.secondary.len(), 2);
}

#[test]
fn long_chains_cost_no_stack() {
    let mut text = "package a;\n".to_owned();
    for n in 0..20_000 {
        text.push_str(&format!("const u32 C{n} = C{} + 0;\n", n + 1));
    }
    text.push_str("const u32 C20000 = 7;\nstruct S { u8[C0] x; }\n");
    let compilation = compile_text(&text);
    assert!(compilation.model.is_some(), "{:?}", lines(&compilation));
    let round = text.replace("C20000 = 7", "C20000 = C0");
    assert_eq!(codes(&compile_text(&round)), ["E0303"]);
    let sum = format!(
        "package a; const u32 SUM = 1{}; struct S {{ u8[SUM] x; }}",
        " + 1".repeat(250)
    );
    assert!(
        compile_text(&sum).model.is_some(),
        "{:?}",
        lines(&compile_text(&sum))
    );
}

#[test]
fn every_phase_stops_telling_after_a_thousand_errors() {
    type Line = fn(usize) -> String;
    let phases: [(&str, Line); 6] = [
        ("scanner", |n| format!("const u8 A{n} = 0x;\n")),
        ("grammar", |n| format!("struct S{n} {{ ? }}\n")),
        ("imports", |n| format!("import b{n}.C;\n")),
        ("names", |_| "const u8 A = 1;\n".to_owned()),
        ("rules", |n| format!("struct S{n} {{ Missing a; }}\n")),
        ("layout", |n| {
            format!("struct S{n} {{ u8[65536] a; u8 b; }}\n")
        }),
    ];
    for (phase, line) in phases {
        let text: String = (0..1500).map(line).collect();
        let compilation = compile_text(&format!("package a;\n{text}"));
        assert!(compilation.model.is_none(), "{phase}");
        assert_eq!(compilation.diagnostics.len(), FINDINGS + 1, "{phase}");
        let last = compilation.diagnostics.last().unwrap();
        assert_eq!(last.code, Code::E0013, "{phase}");
        assert!(last.primary.is_some(), "{phase}");
    }
}

#[test]
fn warnings_stop_as_well_and_hide_no_error() {
    let structs = |from: usize, to: usize| -> String {
        (from..to)
            .map(|n| format!("struct S{n} {{ string<3> a; }}\n"))
            .collect()
    };
    let text = format!("package a;\n{}", structs(0, 1200));
    let compilation = compile_text(&text);
    assert!(compilation.model.is_some());
    assert_eq!(compilation.diagnostics.len(), FINDINGS);
    let last = compilation.diagnostics.last().unwrap();
    assert_eq!(
        last.notes.last().unwrap(),
        "200 more warnings are not shown"
    );

    let compilation = compile_text(&format!("{text}struct Wrong {{ Missing a; }}\n"));
    assert!(compilation.model.is_none());
    assert!(codes(&compilation).contains(&"E0201"));
    assert_eq!(compilation.diagnostics.len(), FINDINGS);
}
