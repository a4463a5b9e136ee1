//! Short texts that ask for endless work meet a limit, and long ones take time in proportion.
//!
//! None of these asserts a time: each would take hours, or all memory, if the work were not bounded.

mod common;

use common::{codes, compile_text, lines};

#[test]
fn constants_that_repeat_a_long_string() {
    let mut text = format!(
        "package a;\nconst string<65535> C0 = \"{}\";\n",
        "x".repeat(65_535)
    );
    for n in 1..1_100 {
        text.push_str(&format!("const string<65535> C{n} = C{};\n", n - 1));
    }
    // What follows the one over the limit depends on it and says nothing.
    assert_eq!(codes(&compile_text(&text)), ["E0329"]);
}

#[test]
fn interfaces_that_inherit_a_large_one() {
    let mut text = "package a;\ninterface Base {".to_owned();
    for n in 0..2_000 {
        text.push_str(&format!("void f{n}();"));
    }
    text.push_str("}\n");
    for n in 0..1_000 {
        text.push_str(&format!("interface I{n} extends Base {{}}\n"));
    }
    let compilation = compile_text(&text);
    assert!(
        codes(&compilation).contains(&"E0406"),
        "{:?}",
        lines(&compilation).first()
    );
}

#[test]
fn types_that_all_contain_each_other() {
    let mut text = "package a;\n".to_owned();
    for n in 0..5_000 {
        text.push_str(&format!(
            "struct S{n} {{ S{} next; S0 first; }}\n",
            (n + 1) % 5_000
        ));
    }
    let compilation = compile_text(&text);
    assert_eq!(codes(&compilation), ["E0304"]);
    assert_eq!(
        compilation.diagnostics[0].notes,
        ["the path is `S0` → `S0`"]
    );
}

#[test]
fn a_long_circle_is_shown_in_part() {
    let mut text = "package a;\n".to_owned();
    for n in 0..1_000 {
        text.push_str(&format!("struct S{n} {{ S{} next; }}\n", (n + 1) % 1_000));
    }
    let compilation = compile_text(&text);
    assert_eq!(codes(&compilation), ["E0304"]);
    assert!(compilation.diagnostics[0].notes[0].contains('…'));
    assert!(compilation.diagnostics[0].secondary.len() <= 16);
}

#[test]
fn a_thousand_unknown_names_among_many() {
    let mut text = "package a;\n".to_owned();
    for n in 0..900 {
        text.push_str(&format!("struct Known{n} {{ Unknwon{n} x; }}\n"));
    }
    let compilation = compile_text(&text);
    assert!(codes(&compilation).iter().all(|code| *code == "E0201"));
    assert_eq!(compilation.diagnostics.len(), 900);
}

#[test]
fn annotations_without_end() {
    let text = format!(
        "package a;\n{}@Shm(slots = 4) interface I {{ void f(); }}\n",
        "@X_a ".repeat(50_000)
    );
    assert!(compile_text(&text).model.is_some());
    let text = format!(
        "package a;\n@Derive({}Eq) struct S {{ u8 x; }}\n",
        "Copy, ".repeat(50_000)
    );
    assert!(compile_text(&text).model.is_some());
}

#[test]
fn reserved_numbers_without_end() {
    let mut text = "package a;\ninterface I {".to_owned();
    for n in 0..30_000 {
        text.push_str(&format!("reserved {};", n * 2 + 2));
    }
    text.push_str("void f() = 60003; }");
    let compilation = compile_text(&text);
    assert!(
        compilation.model.is_some(),
        "{:?}",
        lines(&compilation).first()
    );
}
