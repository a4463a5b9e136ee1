//! What the golden tests share: where the corpus lies, how it is compiled, and how a file is compared or rewritten.
//!
//! `BLESS=1` rewrites the files that differ; without it a difference is a failure that names the file and its first
//! differing line.

mod corpus;
mod golden;
pub mod random;
pub mod schema;

pub use corpus::{
    Case, CorpusLoader, cases, folder, generate, generate_directory, options, refused,
};
pub use golden::Goldens;
pub use rpcidl;
