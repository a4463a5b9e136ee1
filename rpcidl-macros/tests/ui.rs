//! Every kind of error, with its place. The `.stderr` files are written by the tool: `TRYBUILD=overwrite cargo test`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its items are not read by others"
)]

#[test]
fn errors_are_on_the_token() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
