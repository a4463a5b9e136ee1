//! The generated files of `src/generated` are what the compiler prints today.

use golden_runner::{Goldens, cases, folder, generate, options};

/// The head of the files that name all others.
const INDEX: &str = "// Written by the golden runner: one module a schema of `idl/`.\n";

#[test]
fn generated_files_are_current() {
    let mut goldens = Goldens::new(&folder().join("src/generated"));
    let mut index = String::from(INDEX);
    for case in cases() {
        let name = case.name.as_str();
        goldens.expect(&format!("{name}.rs"), &generate(&case, &options(&case)));
        index += &format!("\n/// From `idl/{name}.idl`.\npub mod {name};\n");
    }
    goldens.expect("mod.rs", &index);
    goldens.finish(&[".rs"]);
}

/// What generated code must not contain, and why.
const BANNED: &[(&str, &str)] = &[
    ("unsafe ", "only the runtime is audited for it"),
    ("HashMap", "its order is not the same in two runs"),
    ("todo!", "it is a panic"),
    ("unimplemented!", "it is a panic"),
    (
        "panic!",
        "a peer's message must not be able to end the process",
    ),
    (".unwrap()", "it is a panic in disguise"),
    (".expect(", "it is a panic in disguise"),
    ("/home/", "a path of the machine"),
    ("/root/", "a path of the machine"),
    ("/tmp/", "a path of the machine"),
    ("crate::", "the file may stand in any module"),
    ("::std::", "the runtime may be without it"),
    ("#![", "the file may be included in a module"),
    ("dyn ", "calls are monomorphised"),
    ("\t", "indentation is blanks"),
    (" \n", "no blank ends a line"),
    ("\r", "lines end in one way"),
    ("\n\n\n", "at most one blank line in a row"),
];

#[test]
fn generated_files_hold_nothing_that_they_must_not() {
    let here = env!("CARGO_MANIFEST_DIR")
        .split("/tests/")
        .next()
        .expect("a folder");
    let mut found = Vec::new();
    for case in cases() {
        let text = generate(&case, &options(&case));
        for (word, why) in BANNED
            .iter()
            .copied()
            .chain([(here, "the path of the checkout")])
        {
            for (index, line) in text
                .lines()
                .enumerate()
                .filter(|(_, line)| line.contains(word))
            {
                // The text of the fingerprint holds tabs as escapes, and a schema may speak of anything in its documentation.
                if !line.trim_start().starts_with("//") {
                    found.push(format!("{}.rs:{}: {word:?} ({why})", case.name, index + 1));
                }
            }
            if word.contains('\n') && text.contains(word) {
                found.push(format!("{}.rs: {word:?} ({why})", case.name));
            }
        }
        if !text.ends_with('\n') || text.ends_with("\n\n") {
            found.push(format!("{}.rs does not end in one line end", case.name));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
