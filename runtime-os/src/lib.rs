//! What every transport of rpcidl needs of the operating system, and none of them is about: a [`clock`], a timer that wakes futures at
//! their deadlines ([`Alarm`]), a thread that sleeps until it is woken ([`Sleeper`]), a descriptor for epoll (`Pollable`), a thread that
//! watches descriptors (`Watch`), and how such threads are started ([`spawn`]).
//!
//! It knows no transport, and nothing of messages.

pub mod clock;
#[cfg(target_os = "linux")]
mod pollable;
mod sleeper;
mod thread;
mod timer;
#[cfg(target_os = "linux")]
mod watcher;

#[cfg(target_os = "linux")]
pub use pollable::{LazyPollable, Pollable};
pub use sleeper::Sleeper;
pub use thread::spawn;
pub use timer::Alarm;
#[cfg(target_os = "linux")]
pub use watcher::{Watch, Watched, unwatch};
