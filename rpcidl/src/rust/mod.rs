//! The front end for Rust: `#[rpc_message]` on a struct or enum and `#[rpc_service]` on a trait, read into the same tree as
//! `.idl` text, and checked, laid out and printed by the same code.
//!
//! Everything here works on text. A macro turns its tokens into text and keeps, for each place in the text, the token that
//! stands there; [`begin`] and [`finish`] give text back with [`Mark`]s that lead to places of the input, so that rustc's
//! messages about generated code and the errors of this crate land on what the user wrote. [`to_idl`] prints the definition
//! that a file of Rust items stands for.

mod attrs;
mod closure;
mod enums;
mod expand;
mod exprs;
mod idl;
mod item;
mod lower;
mod messages;
mod options;
mod out;
mod read;
mod results;
mod services;
mod types;
mod words;

use crate::diag::Diagnostic;

pub use expand::{begin, finish};
pub use idl::{Modelled, model_of, to_idl};
pub use out::Mark;

/// What takes the place of an item.
#[derive(Clone, Debug, Default)]
pub struct Expansion {
    /// Rust items.
    pub text: String,
    /// Which parts of them stand for parts of the input, in order and without overlap.
    pub marks: Vec<Mark>,
    /// What is wrong; spans of the first source are places of the input.
    pub errors: Vec<Diagnostic>,
}
