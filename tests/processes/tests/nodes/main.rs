//! The RDMA backend between processes that die, stop and restart, over a device of this host: those tests of the shared-memory backend that
//! are not about shared memory.

#![cfg(target_os = "linux")]

#[path = "../processes/churn.rs"]
mod churn;
#[path = "../processes/killed_client.rs"]
mod killed_client;
#[path = "../processes/killed_server.rs"]
mod killed_server;
#[path = "../processes/long_run.rs"]
mod long_run;
#[path = "../processes/restart.rs"]
mod restart;
#[path = "../processes/stopped.rs"]
mod stopped;

/// The program of roles.
const PROGRAM: &str = env!("CARGO_BIN_EXE_role");

/// States a test for every backend; here it is one.
macro_rules! for_both {
    ($($test:ident),+ $(,)?) => {
        mod rdma {
            $(#[test] fn $test() { conformance::guarded(stringify!($test), super::$test::<process_tests::Rdma>); })+
        }
    };
}
use for_both;
