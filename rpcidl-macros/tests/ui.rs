//! Every kind of error, with its place. The `.stderr` files are written by the tool: `TRYBUILD=overwrite cargo test`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its items are not read by others"
)]

/// The texts are those of one compiler; another one says the same in other words.
const COMPILER: &str = "rustc 1.95.";

fn is_the_compiler_of_the_texts() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc).arg("--version").output();
    let version = output.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    version.is_ok_and(|it| it.starts_with(COMPILER))
}

#[test]
fn every_backend_that_is_available_can_be_asked_for() {
    trybuild::TestCases::new().pass("tests/pass/*.rs");
}

#[test]
fn errors_are_on_the_token() {
    if is_the_compiler_of_the_texts() {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    } else {
        eprintln!("not compared: the texts are those of {COMPILER}x");
    }
}
