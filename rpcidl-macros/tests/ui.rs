//! Every kind of error, with its place. The `.stderr` files are written by the tool: `TRYBUILD=overwrite cargo test`.

#[test]
fn errors_are_on_the_token() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
