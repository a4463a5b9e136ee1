//! The build-script API, and the reading and writing of files that `rpcgen` shares with it.
//!
//! A `build.rs` of one line compiles a schema into `OUT_DIR`:
//!
//! ```no_run
//! fn main() -> Result<(), rpcidl::build::Error> {
//!     rpcidl::build::compile(&["idl/kv.idl"])
//! }
//! ```
//!
//! and the crate includes the file that is named after the input:
//!
//! ```ignore
//! pub mod kv {
//!     include!(concat!(env!("OUT_DIR"), "/kv.rs"));
//! }
//! ```
//!
//! One input gives one self-contained file, `kv.rs` for `kv.idl`, just as `rpcgen kv.idl -o kv.rs` writes it. Several
//! inputs give one file a package and a `mod.rs` that declares them, just as `rpcgen a.idl b.idl -o DIR/` writes them.
//! [`Config`] sets everything else.

mod config;
mod error;
mod input;
mod plan;
mod rerun;
mod told;
mod write;

#[cfg(test)]
mod tests;

pub use config::{Config, compile};
pub use error::Error;
pub use input::{include_dir, manifest, read_input};
pub use plan::{FilePlan, plan_directory, plan_file, rust_path, unknown_extern};
pub use write::{FileState, WriteError, Written, compare, write_all};

pub use crate::ir::Backend;
