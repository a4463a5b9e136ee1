//! Where imports are looked for, and what is said when they are not found.

mod common;

use common::{codes, lines};
use rpcidl::{Compilation, Input, MemoryLoader, compile};

fn run(inputs: &[(&str, &str)], include: &[&str], files: &[(&str, &str)]) -> Compilation {
    let inputs: Vec<Input> = inputs
        .iter()
        .map(|(name, text)| Input::new(*name, *text))
        .collect();
    let include: Vec<String> = include.iter().map(|&dir| dir.to_owned()).collect();
    let mut loader = MemoryLoader::new();
    for (name, text) in files {
        loader.add(name, *text);
    }
    compile(&inputs, &include, &loader)
}

const USER: &str = "package app; import lib.net.Address; struct S { Address a; }";
const LIB: &str = "package lib.net; struct Address { u32 v4; }";

#[test]
fn every_place_is_tried() {
    for place in [
        "src/lib/net.idl",
        "src/lib.net.idl",
        "src/net.idl",
        "inc/lib/net.idl",
        "inc/lib.net.idl",
        "inc/net.idl",
    ] {
        let compilation = run(&[("src/app.idl", USER)], &["inc"], &[(place, LIB)]);
        assert!(
            compilation.model.is_some(),
            "{place}: {:?}",
            lines(&compilation)
        );
        assert_eq!(compilation.loaded, ["src/app.idl", place]);
        assert_eq!(compilation.searched.len(), 5, "{:?}", compilation.searched);
        let model = compilation.model.unwrap();
        assert_eq!(
            model
                .packages
                .iter()
                .map(|p| p.is_input)
                .collect::<Vec<_>>(),
            [true, false]
        );
    }
}

#[test]
fn what_is_not_found_names_every_path() {
    let compilation = run(
        &[("src/app.idl", USER)],
        &["inc", "more/"],
        &[("inc/net.idl", "package other; struct A { u8 x; }")],
    );
    assert_eq!(codes(&compilation), ["E0207"]);
    let found = &compilation.diagnostics[0];
    assert_eq!(
        found.notes,
        [
            "looked for `src/lib/net.idl`, `src/lib.net.idl`, `src/net.idl`, `inc/lib/net.idl`, `inc/lib.net.idl`, \
             `more/lib/net.idl`, `more/lib.net.idl`, `more/net.idl`",
            "`inc/net.idl` declares package `other`",
        ]
    );
    assert_eq!(compilation.searched.len(), 8);
}

#[test]
fn two_files_of_one_package_are_ambiguous() {
    let compilation = run(
        &[("src/app.idl", USER)],
        &["inc"],
        &[("src/net.idl", LIB), ("inc/lib/net.idl", LIB)],
    );
    assert_eq!(codes(&compilation), ["E0208"]);
    assert_eq!(
        compilation.diagnostics[0].notes,
        [
            "`src/net.idl` declares it",
            "`inc/lib/net.idl` declares it too"
        ]
    );
}

#[test]
fn one_file_by_two_ways_is_one_file() {
    let compilation = run(
        &[("src/app.idl", USER)],
        &["src", "./src/", "x/../src"],
        &[("src/net.idl", LIB)],
    );
    assert!(compilation.model.is_some(), "{:?}", lines(&compilation));
}

#[test]
fn folders_that_lead_to_different_files_are_ambiguous_too() {
    let one = "package one; import lib.net.Address; struct A { Address a; }";
    let two = "package two; import lib.net.Address; struct B { Address a; }";
    let compilation = run(
        &[("x/one.idl", one), ("y/two.idl", two)],
        &[],
        &[("x/net.idl", LIB), ("y/net.idl", LIB)],
    );
    assert_eq!(codes(&compilation), ["E0208"]);
}

#[test]
fn an_input_that_declares_the_package_is_it() {
    let compilation = run(
        &[("app.idl", USER), ("elsewhere/x.idl", LIB)],
        &[],
        &[("net.idl", LIB)],
    );
    assert!(compilation.model.is_some(), "{:?}", lines(&compilation));
    assert_eq!(compilation.loaded, ["app.idl", "elsewhere/x.idl"]);
}

#[test]
fn one_input_named_twice_is_one_input() {
    let compilation = run(&[("lib.idl", LIB), ("./lib.idl", LIB)], &[], &[]);
    assert_eq!(compilation.model.unwrap().packages.len(), 1);
}

#[test]
fn files_may_import_each_other() {
    let one = "package one; import two.B; struct A { B b; } struct Base { u8 x; }";
    let two = "package two; import one.Base; struct B { Base b; }";
    let compilation = run(&[("one.idl", one)], &[], &[("two.idl", two)]);
    let model = compilation.model.unwrap();
    assert_eq!(
        model
            .types
            .iter()
            .map(|def| def.name.as_str())
            .collect::<Vec<_>>(),
        ["Base", "B", "A"]
    );
    let round = "package two; import one.A; struct B { A a; }";
    assert_eq!(
        codes(&run(&[("one.idl", one)], &[], &[("two.idl", round)])),
        ["E0304"]
    );
}

#[test]
fn imports_have_other_names() {
    let user = "package app; import lib.net.Address as Peer; import lib.net.MAX; struct S { Peer a; u8[MAX] b; }";
    let lib = "package lib.net; const u8 MAX = 4; struct Address { u32 v4; }";
    let compilation = run(&[("app.idl", user)], &[], &[("net.idl", lib)]);
    assert!(
        compilation.diagnostics.is_empty(),
        "{:?}",
        lines(&compilation)
    );
}

#[test]
fn imported_interfaces_are_extended() {
    let user = "package app; import lib.net.Base; interface I extends Base { void g(); Kind h(); }";
    let lib =
        "package lib.net; interface Base { enum Kind : u8 { A } void f(); event void e() = 4; }";
    let model = run(&[("app.idl", user)], &[], &[("net.idl", lib)])
        .model
        .unwrap();
    let interface = model.interfaces.iter().find(|i| i.name == "I").unwrap();
    let ids: Vec<(&str, u16, &str)> = interface
        .methods
        .iter()
        .map(|m| (m.name.as_str(), m.id, m.declared_in.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            ("f", 1, "Base"),
            ("e", 4, "Base"),
            ("g", 5, "I"),
            ("h", 6, "I")
        ]
    );
}

#[test]
fn clashes_and_gaps() {
    let lib = [("net.idl", LIB)];
    let cases: &[(&str, &[&str])] = &[
        (
            "package app; import lib.net.Addres; struct S { Addres a; }",
            &["E0209"],
        ),
        (
            "package app; import lib.net.Address; struct Address { u8 x; }",
            &["E0203"],
        ),
        (
            "package app; import lib.net.Address; import lib.net.Address; struct S { Address a; }",
            &["E0203"],
        ),
        (
            "package app; import lib.net.Address; struct S { u8 a; }",
            &["W0201"],
        ),
        ("package app; import app.S; struct S { u8 a; }", &["E0212"]),
        ("package app; import S; struct S { u8 a; }", &["E0212"]),
        ("package app; struct S { Address a; }", &["E0201"]),
    ];
    for (text, expected) in cases {
        let compilation = run(&[("app.idl", text)], &[], &lib);
        assert_eq!(
            codes(&compilation),
            *expected,
            "{text}: {:?}",
            lines(&compilation)
        );
    }
}

#[test]
fn a_name_that_another_package_has_can_be_imported() {
    let app = "package app; struct S { Address a; }";
    let compilation = run(&[("app.idl", app), ("net.idl", LIB)], &[], &[]);
    assert_eq!(codes(&compilation), ["E0201"]);
    let edit = compilation.diagnostics[0].edit.clone().unwrap();
    let mut text = app.to_owned();
    text.replace_range(edit.span.range(), &edit.replacement);
    assert_eq!(
        text,
        "package app;\nimport lib.net.Address; struct S { Address a; }"
    );
    assert!(
        run(&[("app.idl", &text), ("net.idl", LIB)], &[], &[])
            .model
            .is_some()
    );
}

#[test]
fn warnings_are_about_inputs_only() {
    let lib = "package lib.net; struct Address { string<7> odd; }";
    assert!(
        run(&[("app.idl", USER)], &[], &[("net.idl", lib)])
            .diagnostics
            .is_empty()
    );
    assert_eq!(codes(&run(&[("net.idl", lib)], &[], &[])), ["W0401"]);
}

#[test]
fn errors_in_what_is_imported_are_reported() {
    let lib = "package lib.net; struct Address { Missing x; }";
    assert_eq!(
        codes(&run(&[("app.idl", USER)], &[], &[("net.idl", lib)])),
        ["E0201"]
    );
}

#[test]
fn no_input_is_no_model_of_nothing() {
    let compilation = run(&[], &[], &[]);
    assert!(compilation.diagnostics.is_empty());
    assert_eq!(compilation.model.unwrap().packages.len(), 0);
}
