//! `rpcgen explain` and `rpcgen completions`.

use crate::Folder;

#[test]
fn explains_a_code() {
    let folder = Folder::new();
    let run = folder.run(&["explain", "E0201"]).exits(0).silent();
    assert!(run.stdout.starts_with("# E0201: "), "{}", run.stdout);
    assert_eq!(
        folder.run(&["explain", "e0201"]).exits(0).stdout,
        run.stdout
    );
    assert_eq!(
        folder.run(&["explain", "[E0201]"]).exits(0).stdout,
        run.stdout
    );
}

#[test]
fn lists_every_code() {
    let run = Folder::new().run(&["explain", "--list"]).exits(0).silent();
    assert_eq!(run.stdout.lines().count(), rpcidl::diag::ERROR_INDEX.len());
    assert!(
        run.stdout.contains("E0201  unknown type\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn refuses_what_is_no_code() {
    let folder = Folder::new();
    folder
        .run(&["explain", "E9999"])
        .exits(2)
        .says("`E9999`")
        .says("explain --list");
    folder.run(&["explain", "ä"]).exits(2).says("`ä`");
    folder.run(&["explain"]).exits(2).says("CODE");
}

#[test]
fn completes_every_shell() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = folder.run(&["completions", shell]).exits(0).silent();
        assert!(
            run.stdout.contains("rpcgen") && run.stdout.contains("suggest-order"),
            "{shell}"
        );
    }
    folder
        .run(&["completions", "command.com"])
        .exits(2)
        .says("bash");
}
