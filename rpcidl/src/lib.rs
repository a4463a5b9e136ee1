//! The rpcidl compiler as a library: sources in, a checked and laid out model and diagnostics out.
//!
//! [`compile`](compile::compile) is the whole pipeline. Nothing here prints, and nothing touches the disk except
//! the parts behind the feature `build`.

#![forbid(unsafe_code)]

pub mod ast;
#[cfg(feature = "build")]
pub mod build;
mod check;
pub mod compile;
pub mod diag;
pub mod emit;
mod eval;
pub mod fingerprint;
pub mod fmt;
#[cfg(feature = "build")]
pub mod fs;
pub mod ir;
#[cfg(feature = "json")]
pub mod json;
mod layout;
pub mod limits;
mod load;
pub mod parse;
pub mod print;
pub mod report;
mod resolve;
pub mod rust;
pub mod source;
pub mod suggest;

pub use check::{backend, backend_name, backends};
pub use compile::{Compilation, compile, compile_file};
pub use load::{Input, LoadError, Loader, MemoryLoader, normalize};
