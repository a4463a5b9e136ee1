//! `-` is the standard input.

use crate::{Folder, KV, LONE};

#[test]
fn every_subcommand_that_takes_files_reads_it() {
    let folder = Folder::new();
    folder.write("lone.idl", LONE);
    let generated = folder.feed(&["-"], LONE).exits(0).silent().stdout;
    let from_file = folder.run(&["lone.idl"]).stdout;
    assert_eq!(generated.replace("<stdin>", "lone.idl"), from_file);
    folder.feed(&["check", "-"], LONE).exits(0).silent();
    assert_eq!(
        folder.feed(&["fmt", "-"], LONE).exits(0).silent().stdout,
        LONE
    );
    assert!(
        folder
            .feed(&["layout", "-"], KV)
            .exits(0)
            .silent()
            .stdout
            .contains("Record")
    );
    assert!(
        folder
            .feed(&["ast", "-"], KV)
            .exits(0)
            .silent()
            .stdout
            .contains("Record")
    );
    folder.feed(&["-", "-o", "out.rs"], LONE).exits(0);
    assert_eq!(folder.read("out.rs"), generated);
    folder
        .feed(&["-", "-o", "out.rs", "--check"], LONE)
        .exits(0)
        .silent();
    folder
        .feed(&["-", "-o", "out.rs", "--check"], KV)
        .exits(1)
        .says("`out.rs` is stale");
}

#[test]
fn findings_name_it() {
    let folder = Folder::new();
    folder
        .feed(&["check", "-"], LONE.replace("i32 y", "Nix y"))
        .exits(1)
        .says("<stdin>:5")
        .says("in <stdin>");
    folder
        .feed(&["check", "-"], "")
        .exits(1)
        .says("E0003")
        .says("<stdin>");
    folder
        .feed(&["check", "-"], b"package a;\n\xff\n")
        .exits(1)
        .says("E0002")
        .says("<stdin>");
    folder
        .feed(&["check", "-", "-"], LONE)
        .exits(2)
        .says("`-` is given twice");
}

#[test]
fn it_imports_from_the_current_folder() {
    let folder = Folder::new();
    folder.write("acme/lone.idl", LONE);
    let text = "package acme.kv;\n\nimport acme.lone.Point;\n\nstruct Line {\n    Point from;\n}\n";
    folder.feed(&["check", "-"], text).exits(0).silent();
}

#[test]
fn fmt_checks_it() {
    let folder = Folder::new();
    folder
        .feed(&["fmt", "--check", "-"], LONE)
        .exits(0)
        .silent();
    let run = folder
        .feed(
            &["fmt", "--check", "-"],
            LONE.replace("    i32 y", "  i32   y"),
        )
        .exits(1);
    assert_eq!(
        run.says("`<stdin>` is not formatted: line 5 differs")
            .stdout,
        ""
    );
}
