//! Every rule of the provider, on raw verbs.

#![cfg(target_os = "linux")]

mod errors;
mod events;
mod faults;
mod life;
mod no_alloc;
mod pair;
mod queues;
mod states;
mod support;
mod transfer;
