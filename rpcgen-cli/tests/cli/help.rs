//! Every `--help` is pinned.

use rpcidl::ir::Backend;

use crate::Folder;

#[test]
fn help_texts() {
    let folder = Folder::new();
    insta::assert_snapshot!("help", folder.run(&["--help"]).exits(0).silent().stdout);
    insta::assert_snapshot!("help_short", folder.run(&["-h"]).exits(0).silent().stdout);
    for command in [
        "check",
        "fmt",
        "layout",
        "ast",
        "explain",
        "new",
        "idl",
        "completions",
    ] {
        let run = folder.run(&[command, "--help"]).exits(0).silent();
        insta::assert_snapshot!(format!("help_{command}"), run.stdout);
    }
}

/// The texts above change with every backend; this does not.
#[test]
fn help_offers_the_backends_that_there_are() {
    let help = Folder::new().run(&["--help"]).exits(0).stdout;
    let words: Vec<&str> = help.split_whitespace().collect();
    let help = words.join(" ");
    let names = Backend::ALL.map(rpcidl::backend_name).join(", ");
    let offered = format!("[possible values: {names}]");
    assert!(help.contains(&offered), "{help}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let run = Folder::new().run(&["--version"]).exits(0).silent();
    assert_eq!(
        run.stdout,
        format!("rpcgen {}\n", env!("CARGO_PKG_VERSION"))
    );
}
