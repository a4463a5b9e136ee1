//! rpcidl's RDMA backend: calls between nodes, over reliable connections and a shared receive queue.
//!
//! Generated code wraps what is here; a program uses `kv::rdma::{Client, Server}` and never names this crate. What only this backend
//! offers is on the transports: [`Server::stopper`] ends a server from another thread, [`Server::new`] and [`Server::connector`] make a
//! server without a name of its own, [`Client::pollable`] and [`Server::pollable`] give a file descriptor for epoll.
//!
//! # Addresses
//! `host:port`, as in `10.0.0.1:7700`: of the TCP socket over which two sides meet. Which device, port and GID the messages take follows
//! from the socket's own address, unless it is said: `10.0.0.1:7700?device=mlx5_0&port=1&gid=3`. Further options are `retry` (0 to 7, how
//! often a message is sent again that was not acknowledged), `timeout` (1 to 31: an acknowledgement may take 4.096 us times two to the
//! power of it) and `rnr_retry` (0 to 7, how often one is sent again to a receiver without a buffer, 7 for ever; between sides that keep
//! the protocol it never happens).
//!
//! # What is needed
//! libibverbs is loaded when a program first connects or binds; without it that is an error which names the package, and nothing else is
//! lacking. [`verbs::Library::provide`] has a program bring its own, as tests do.

#![cfg(target_os = "linux")]

mod accept;
mod address;
mod bell;
mod buffer;
mod client;
mod connection;
mod device;
mod dial;
mod doorbells;
mod endpoint;
mod given_back;
mod handshake;
mod hub;
mod imm;
mod link;
mod outgoing;
mod pace;
mod polled;
mod pool;
mod qp;
mod reception;
mod seats;
mod sender;
mod server;
mod shape;
mod slot;
mod slots;
mod ticket;
pub mod verbs;
mod work;

pub use client::Client;
pub use connection::Connection;
pub use hub::{Connector, Stopper};
pub use runtime_os::Pollable;
pub use server::Server;
pub use shape::memory_per_connection;
pub use ticket::RdmaTicket;
