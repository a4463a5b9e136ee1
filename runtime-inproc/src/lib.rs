//! rpcidl's in-process backend: a lane per client, between threads of one process.
//!
//! Generated code wraps what is here; a program uses `kv::inproc::{pair, Client, Server}` and never names this crate. What
//! only this backend offers is on the transports: [`Server::connector`] makes further clients,
//! [`Server::stopper`] ends a server from another thread, [`Client::pollable`] and [`Server::pollable`] give a file
//! descriptor for epoll.

mod client;
mod hub;
mod memory;
mod pair;
mod registry;
mod server;

pub use client::Client;
pub use hub::{Connector, Stopper};
pub use memory::memory_per_connection;
pub use pair::pair;
#[cfg(target_os = "linux")]
pub use runtime_os::Pollable;
pub use server::Server;
