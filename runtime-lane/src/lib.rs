//! The lane: slots that carry a request there and its reply back, over memory that both sides reach.
//!
//! A client owns a window of slots and one spare. Every area of a slot begins with an 8-byte [`Word`] that says who owns it:
//! the writer fills the body, then stores the word (Release); the reader spins on the word (Acquire) and then reads the body. A
//! small message shares the word's cache line; a larger one has the lines after it, so that filling it, however long that takes,
//! never writes the line that the spinning reader watches.
//!
//! No index is shared. The word of a request names the slot of the *next* request; a request that is alone in flight adds that the
//! next one may use its own slot again, which it does if the reply has come by then. So the server polls one line or two, in order,
//! while replies come in any order and each frees its own slot.
//!
//! A method's reply goes to the request's own lines where it may overwrite them (see
//! [`Method::OVERLAY`](runtime_core::Method::OVERLAY)), else to response lines of the slot; then the server never writes
//! the request's.
//!
//! The crate knows neither where the memory lies nor how a sleeping peer is woken: a backend says both with [`Memory`].

mod barrier;
mod census;
mod client;
mod control;
mod lanes;
mod memory;
mod server;
mod sync;
mod transport;
mod word;

#[cfg(all(test, loom))]
mod model;

pub use barrier::{BarrierScope, prepare_barrier};
pub use census::in_flight;
pub use client::ClientEnd;
pub use control::{Control, Wake};
pub use lanes::LaneSet;
pub use memory::{Area, Geometry, Memory};
pub use server::{LaneTicket, ServerLane};
pub use word::{State, Word};
