//! The lane: slots that carry a request there and its reply back, over memory that both sides reach.
//!
//! A client owns a window of slots and one spare. Every area of a slot ends with an 8-byte [`Word`] that says who owns it:
//! the writer fills the body, which lies right before the word, then stores the word (Release); the reader spins on the word
//! (Acquire) and then reads the body. A small message shares the word's cache line. Of a large one the word's line is
//! written last: were it the first, the spinning reader would take it back while the rest is being written. No index is shared: the word of a request names the slot that the *next* request will use, so the server polls
//! one line a lane, in order, while replies come in any order and each frees its own slot.
//!
//! A method's reply goes to the request's own lines where it may overwrite them (see
//! [`Method::OVERLAY`](runtime_core::Method::OVERLAY)), else to response lines of the slot; then the server never writes
//! the request's.
//!
//! The crate knows neither where the memory lies nor how a sleeping peer is woken: a backend says both with [`Memory`].

mod barrier;
mod client;
mod control;
mod memory;
mod server;
mod sync;
mod word;

#[cfg(all(test, loom))]
mod model;

pub use barrier::{BarrierScope, prepare_barrier};
pub use client::ClientEnd;
pub use control::Control;
pub use memory::{Area, Geometry, Memory};
pub use server::{LaneSet, LaneTicket, ServerLane};
pub use word::{State, Word};
