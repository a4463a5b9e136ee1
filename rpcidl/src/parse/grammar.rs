//! The parser that pest makes of `rpc.pest`.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "the rules are documented in the grammar"
)]

use pest_derive::Parser;

/// Recognises the rules of the grammar.
#[derive(Parser)]
#[grammar = "parse/rpc.pest"]
pub struct Grammar;
