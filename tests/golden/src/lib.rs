//! What the compiler generates for the schemas of `idl/`, compiled under the strictest lints; `tests/` runs it.

#![forbid(unsafe_code)]
#![deny(missing_docs, warnings)]

/// One module a schema.
#[rustfmt::skip]
pub mod generated;
