//! Bad input: each with a code, at its place, and without touching the output that is there.

use crate::{Folder, LONE, Run};

/// What is wrong, the text, the code, and the line.
const CASES: &[(&str, &str, &str, usize)] = &[
    (
        "unknown type",
        "package a;\nstruct S {\n    Missing x;\n}\n",
        "E0201",
        3,
    ),
    (
        "missing bound",
        "package a;\nstruct S {\n    string x;\n}\n",
        "E0301",
        3,
    ),
    (
        "cycle of types",
        "package a;\nstruct S {\n    T t;\n}\nstruct T {\n    S s;\n}\n",
        "E0304",
        3,
    ),
    (
        "cycle of values",
        "package a;\nconst u32 A = B;\nconst u32 B = A;\n",
        "E0303",
        2,
    ),
    (
        "duplicate name",
        "package a;\nstruct S {\n    u8 x;\n    u8 x;\n}\n",
        "E0203",
        4,
    ),
    (
        "duplicate id",
        "package a;\ninterface I {\n    void a() = 2;\n    void b() = 2;\n}\n",
        "E0506",
        4,
    ),
    (
        "reserved id",
        "package a;\ninterface I {\n    reserved 2;\n    void a() = 2;\n}\n",
        "E0507",
        4,
    ),
    (
        "value out of range",
        "package a;\nconst u8 A = 256;\n",
        "E0305",
        2,
    ),
    (
        "division by zero",
        "package a;\nconst u8 A = 1 / 0;\n",
        "E0306",
        2,
    ),
    (
        "shift too far",
        "package a;\nconst u8 A = 1 << 8;\n",
        "E0307",
        2,
    ),
    (
        "import not found",
        "package a;\nimport b.c.D;\nstruct S {\n    D d;\n}\n",
        "E0207",
        2,
    ),
    (
        "misspelt annotation",
        "package a;\n@Deriv(Eq)\nstruct S {\n    u8 x;\n}\n",
        "E0601",
        2,
    ),
    (
        "event with a result",
        "package a;\ninterface I {\n    event u8 x();\n}\n",
        "E0502",
        3,
    ),
    (
        "throws on oneway",
        "package a;\nerror E : u32 { A = 1 }\ninterface I {\n    oneway void x() throws E;\n}\n",
        "E0504",
        4,
    ),
    (
        "struct over the limit",
        "package a;\nstruct S {\n    u64[65535] x;\n}\n",
        "E0401",
        2,
    ),
    ("empty file", "", "E0003", 1),
    ("nothing declared", "// nothing\n", "E0003", 1),
];

fn check(run: &Run, what: &str, code: &str, place: &str) {
    assert_eq!(run.code, 1, "{what}: {run:#?}");
    let line = run
        .stderr
        .lines()
        .find(|line| line.contains(&format!("error[{code}]")));
    let line = line.unwrap_or_else(|| panic!("{what}: no {code} in\n{}", run.stderr));
    assert!(
        line.contains(place),
        "{what}: not at {place} in\n{}",
        run.stderr
    );
    assert_eq!(run.stdout, "", "{what}");
}

#[test]
fn every_case_has_its_code_and_its_place() {
    for (what, text, code, line) in CASES {
        let folder = Folder::new();
        folder.write("bad.idl", text).write("out.rs", "old");
        let run = folder.run(&["bad.idl", "-o", "out.rs", "--message-format", "short"]);
        check(&run, what, code, &format!("bad.idl:{line}"));
        assert_eq!(folder.read("out.rs"), "old", "{what}");
        assert_eq!(folder.list("."), ["bad.idl", "out.rs"], "{what}");
    }
}

#[test]
fn nesting_over_the_limit() {
    let folder = Folder::new();
    let mut text = "package a;\nstruct S0 {\n    u8 x;\n}\n".to_owned();
    for depth in 1..40 {
        text.push_str(&format!("struct S{depth} {{\n    S{} x;\n}}\n", depth - 1));
    }
    folder.write("bad.idl", text);
    check(
        &folder.run(&["bad.idl", "--message-format", "short"]),
        "types",
        "E0403",
        "bad.idl:",
    );
    let text = format!(
        "package a;\nconst u8 A = {}1{};\n",
        "(".repeat(100_000),
        ")".repeat(100_000)
    );
    folder.write("bad.idl", text);
    check(
        &folder.run(&["bad.idl", "--message-format", "short"]),
        "brackets",
        "E0011",
        "bad.idl:2",
    );
}

#[test]
fn an_import_that_is_not_found_names_every_path_that_was_tried() {
    let folder = Folder::new();
    folder.write(
        "idl/kv.idl",
        "package acme.kv;\nimport acme.common.Uuid;\nstruct S {\n    Uuid id;\n}\n",
    );
    folder.write("shared/other.idl", LONE);
    let mut run = folder
        .run(&["check", "idl/kv.idl", "-I", "shared"])
        .exits(1);
    for path in ["acme/common.idl", "acme.common.idl", "common.idl"] {
        run = run
            .says(&format!("`idl/{path}`"))
            .says(&format!("`shared/{path}`"));
    }
}

#[test]
fn an_ambiguous_import_names_both_files() {
    let folder = Folder::new();
    folder.write(
        "idl/kv.idl",
        "package acme.kv;\nimport acme.lone.Point;\nstruct S {\n    Point p;\n}\n",
    );
    folder.write("a/lone.idl", LONE).write("b/lone.idl", LONE);
    let run = folder
        .run(&["check", "idl/kv.idl", "-I", "a", "-I", "b"])
        .exits(1);
    run.says("E0208").says("`a/lone.idl`").says("`b/lone.idl`");
}

#[test]
fn two_files_with_one_package() {
    let folder = Folder::new();
    folder.write("one.idl", LONE).write("two.idl", LONE);
    folder
        .run(&["check", "one.idl", "two.idl"])
        .exits(1)
        .says("E0210")
        .says("one.idl")
        .says("two.idl");
    // One file that is named twice is one file.
    folder
        .run(&["check", "one.idl", "./one.idl"])
        .exits(0)
        .silent();
}

#[test]
fn a_file_that_is_not_utf8() {
    let folder = Folder::new();
    folder.write("bad.idl", b"package a;\nstruct S {\n    u8 x\xff;\n}\n");
    for command in [
        &["check", "bad.idl"][..],
        &["fmt", "bad.idl"],
        &["ast", "bad.idl"],
        &["bad.idl"],
    ] {
        folder
            .run(command)
            .exits(1)
            .says("E0002")
            .says("bad.idl")
            .says("offset 30");
    }
}

#[test]
fn an_unreadable_file_is_told_with_its_reason() {
    let folder = Folder::new();
    folder.write("lone.idl", LONE);
    std::fs::create_dir(folder.path("folder")).unwrap();
    for command in ["check", "fmt", "layout", "ast"] {
        let run = folder
            .run(&[command, "none.idl", "lone.idl", "folder", "lone.idl/x"])
            .exits(2);
        let run = run
            .says("E0001")
            .says("`none.idl`")
            .says("`folder`: it is a folder");
        let run = run.says("`lone.idl/x`: a part of the path is no folder");
        assert_eq!(run.stdout, "");
    }
    assert_eq!(folder.read("lone.idl"), LONE);
}

#[cfg(unix)]
#[test]
fn an_import_that_cannot_be_read_is_told() {
    let folder = Folder::new();
    folder.write(
        "kv.idl",
        "package acme.kv;\nimport acme.lone.Point;\nstruct S {\n    Point p;\n}\n",
    );
    // A link to itself can be read by nobody, not even by the superuser.
    std::os::unix::fs::symlink("lone.idl", folder.path("lone.idl")).unwrap();
    folder
        .run(&["check", "kv.idl"])
        .exits(2)
        .says("E0001")
        .says("lone.idl");
    folder
        .run(&["check", "lone.idl"])
        .exits(2)
        .says("E0001")
        .says("lone.idl");
}

#[test]
fn one_run_finds_every_independent_error() {
    let folder = Folder::new();
    folder.write(
        "bad.idl",
        "package a;\nstruct S {\n    Missing x;\n    string y;\n}\nconst u8 A = 300;\nstruct ;\n",
    );
    let run = folder
        .run(&["check", "bad.idl", "--message-format", "short"])
        .exits(1);
    for place in ["bad.idl:3", "bad.idl:4", "bad.idl:6", "bad.idl:7"] {
        assert!(
            run.stderr.contains(place),
            "{place} is not in\n{}",
            run.stderr
        );
    }
}

/// What a backend that the file itself names cannot carry is found without compiling for it.
#[test]
fn check_knows_what_backends_cannot_carry() {
    let folder = Folder::new();
    folder.write(
        "bulk.idl",
        "package acme.bulk;\n@Backends({inproc}) interface I { void load(in buffer<write> into); }\n",
    );
    folder
        .run(&["check", "bulk.idl"])
        .exits(1)
        .says("error[E0801]")
        .says("bulk.idl:2");
}

/// A device says that it has no bytes, and never ends.
#[cfg(unix)]
#[test]
fn a_file_without_end_is_refused() {
    let folder = Folder::new();
    folder.run(&["check", "/dev/zero"]).exits(1).says("E0409");
    // Only what is refused for its place or permissions says to look at them.
    std::fs::create_dir(folder.path("idl")).unwrap();
    folder
        .run(&["check", "idl"])
        .exits(2)
        .says("it is a folder")
        .says("help: name the files in it");
}
