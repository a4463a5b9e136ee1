//! The code of the book is compiled and run.

use std::fs;

use crate::Folder;
use crate::new::{checkout, run_project};

/// The blocks of a page in one language, one after the other.
fn blocks(page: &str, language: &str) -> String {
    let mut lines = page.lines();
    let mut text = String::new();
    while let Some(line) = lines.next() {
        let info = line.strip_prefix("```").unwrap_or_default();
        if info.split(',').next() == Some(language) {
            for line in lines.by_ref().take_while(|line| *line != "```") {
                text.push_str(line);
                text.push('\n');
            }
            text.push('\n');
        }
    }
    text
}

fn page(name: &str) -> String {
    fs::read_to_string(checkout().join(format!("docs/src/{name}.md"))).unwrap()
}

/// The page on the language shows one file in parts.
#[test]
fn the_definitions_of_the_book_are_fine() {
    Folder::new()
        .write("kv.idl", blocks(&page("language"), "idl"))
        .write(
            "acme/common.idl",
            "package acme.common;\nstruct Uuid { u8[16] bytes; }\n",
        )
        .run(&["check", "kv.idl"])
        .exits(0);
}

/// The blocks of a page with Rust are one program, and those with IDL its schema.
#[test]
fn the_programs_of_the_book_run() {
    let folder = Folder::new();
    let checkout = checkout();
    for name in ["calls", "types"] {
        let page = page(name);
        let path = checkout.to_str().unwrap();
        folder
            .run(&["new", name, "--rpcidl-path", path])
            .exits(0)
            .silent();
        folder
            .write(&format!("{name}/idl/{name}.idl"), blocks(&page, "idl"))
            .write(&format!("{name}/src/main.rs"), blocks(&page, "rust"));
        let run = run_project(&folder.path(name), "--quiet");
        assert_eq!(run.stderr, "", "{name} builds without a warning");
    }
}
