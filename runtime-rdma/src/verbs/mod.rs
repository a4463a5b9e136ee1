//! libibverbs: its types, its functions, and handles that keep its rules.
//!
//! Nothing of it is needed to build: the types are checked in ([`bindings`]), and the functions are found when a program first asks for
//! them ([`Library`]). A program that never opens a device never loads it.
//!
//! # The bindings
//! `verbs/bindings.rs` is what bindgen makes of `infiniband/verbs.h`: types and constants, without functions. With the headers
//! (Debian: `libibverbs-dev`) and libclang installed, this makes them again, compares, and says which file to copy if they differ:
//!
//! ```sh
//! cargo test -p runtime-rdma --features regenerate --lib bindings
//! ```
//!
//! The functions that send and receive are no symbols of the library: the header defines them as a jump through `ibv_context.ops`, and so
//! do the handles here, inlined.

#[expect(
    missing_docs,
    non_camel_case_types,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "written by bindgen"
)]
#[rustfmt::skip]
pub mod bindings;
mod channel;
mod context;
mod cq;
mod error;
mod event;
mod gid;
mod library;
mod ops;
mod pd;
mod post;
mod qp;
mod region;
mod srq;

pub use channel::Channel;
pub use context::Context;
pub use cq::{Cq, CqError};
pub use event::AsyncEvent;
pub use gid::{Gid, GidKind};
pub use library::{AlreadyInUse, Library, Unavailable};
pub use pd::Pd;
pub use post::PostError;
pub use qp::{Path, Qp, Remote};
pub use region::{Region, explain_registration};
pub use srq::Srq;

#[cfg(all(test, feature = "regenerate"))]
mod tests {
    #[test]
    fn bindings_are_those_of_the_installed_headers() {
        let made = concat!(env!("OUT_DIR"), "/bindings.rs");
        assert!(
            include_str!(concat!(env!("OUT_DIR"), "/bindings.rs")) == include_str!("bindings.rs"),
            "copy {made} to runtime-rdma/src/verbs/bindings.rs, and read what has changed"
        );
    }
}
