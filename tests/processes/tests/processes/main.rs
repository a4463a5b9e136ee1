//! The shared-memory backend between processes that die, stop, restart and run out of things.

#![cfg(target_os = "linux")]

mod churn;
mod crowd;
mod half_ring;
mod killed_client;
mod killed_server;
mod limits;
mod long_run;
mod names;
mod one_core;
mod restart;
mod rude;
mod stopped;
mod strangers;

/// The program of roles.
const PROGRAM: &str = env!("CARGO_BIN_EXE_role");

/// States a test for both trusts, as one `#[test]` each.
macro_rules! for_both {
    ($($test:ident),+ $(,)?) => {
        mod same_user {
            $(#[test] fn $test() { conformance::guarded(stringify!($test), super::$test::<runtime_shm::SameUser>); })+
        }
        mod isolated {
            $(#[test] fn $test() { conformance::guarded(stringify!($test), super::$test::<runtime_shm::Isolated>); })+
        }
    };
}
use for_both;
