//! rpcidl's shared-memory backend: a lane per client, between the processes of one machine.
//!
//! Generated code wraps what is here; a program uses `kv::shm::{Client, Server}` and never names this crate. What only this backend
//! offers is on the transports: [`Server::stopper`] ends a server from another thread, [`Server::new`] and [`Server::connector`] make a
//! server without a name of its own, [`Client::pollable`] and [`Server::pollable`] give a file descriptor for epoll.
//!
//! # Names
//! A name with a `/` in it is the path of a socket; it disappears with its server, and what a killed server has left is taken over by the
//! next one. Any other name is an abstract one (unix(7)), which the kernel forgets with its server.
//!
//! # Trust
//! A client and a server of the same user share one memory and read messages where they lie: a bug in one can harm the other, as it can
//! in one process. Another user is refused, unless the service is [`Isolated`]: then each side has memory that only it writes, and every
//! message is copied once before anyone looks at it.

#![cfg(target_os = "linux")]

mod accept;
mod address;
mod admit;
mod attach;
mod bell;
mod client;
mod dial;
mod given;
mod handshake;
mod hub;
mod link;
mod memory;
mod peer;
mod segment;
mod server;
mod socket;
mod stat;
mod trust;

pub use client::Client;
pub use hub::{Connector, Stopper};
pub use memory::{ShmMemory, memory_per_connection};
pub use runtime_os::Pollable;
pub use server::Server;
pub use stat::{ClientStat, MethodStat, ServerCounts, Stat, stat};
pub use trust::{Isolated, SameUser, Trust};
