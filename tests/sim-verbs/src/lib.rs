//! A verbs provider inside the process: what a program sees through libibverbs, without a device, for tests.
//!
//! [`install`] gives the process a table of the library's functions that are written here. Their objects are the library's structures, and
//! the data path is reached as in the real one, through `ibv_context.ops`; so a transport cannot tell it from a NIC. All devices of the
//! process reach one another.
//!
//! The rules are those of a hardware NIC, which are stricter than soft-RoCE's:
//! - a slot of the send queue is free again only when a later signalled completion has been polled, one of a receive queue when its own has;
//! - a queue pair in error flushes what is outstanding, in order, and of an error completion only three fields are filled;
//! - a completion queue that overflows is lost, with all its queue pairs;
//! - what an object was made of cannot be destroyed before it, and events must be acknowledged first;
//! - memory is reached only through a region that is registered, within its bounds and rights, when the message is carried;
//! - two queue pairs reach each other only if numbers, sequence numbers and addresses agree on both sides.
//!
//! A message is carried inside `post_send`, by the sender's thread: the receiver's completion comes first, then the sender's. A
//! [`Device`] injects faults: calls that fail, a port that is down, messages that stay on the way, completions that come late.
//!
//! After objects were made nothing allocates, except that asynchronous events, which are rare, may.

#![cfg(target_os = "linux")]

mod delivery;
mod device;
mod events;
mod fabric;
mod faults;
mod memory;
mod objects;
mod queue;
mod states;
mod table;

use std::sync::OnceLock;

pub use device::{Device, GidEntry, LinkLayer, Traits};
pub use fabric::Leaks;
pub use faults::{Call, Counters};

use runtime_rdma::verbs::Library;

/// The device that [`install`] makes.
pub const DEFAULT_DEVICE: &str = "sim0";

/// Makes this provider the verbs library of the process, with the device [`DEFAULT_DEVICE`]; does nothing if it is already.
///
/// # Panics
/// If the process uses another verbs library already.
pub fn install() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    *DEVICE.get_or_init(|| {
        Library::provide(&table::TABLE)
            .expect("nothing has asked for libibverbs before the provider was installed");
        Device::add(DEFAULT_DEVICE, Traits::default())
    })
}

/// The objects of the whole process that are not destroyed yet.
pub fn leaks() -> Leaks {
    fabric::lock().leaks(None)
}

/// What all devices of the process have counted, together.
pub fn counters() -> Counters {
    fabric::lock()
        .devices
        .iter()
        .fold(Counters::default(), |sum, device| {
            sum.plus(&device.counters)
        })
}
