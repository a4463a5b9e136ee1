//! A peer that writes random numbers into a lane, of either trust, at either end, and an honest side that goes on.
//!
//! All of it happens on one thread, drawn from a seed, so a failure comes back. `RPCIDL_FUZZ_CASES` asks for more cases than a quick run
//! has, and `RPCIDL_FUZZ_SEED` for others. `fuzz/` at the top of the repository has the same harness for cargo-fuzz.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;
mod steps;

use peer::{Draw, guarded, number};
use runtime_shm::{Isolated, SameUser, Trust};

/// Cases of a quick run, and steps of each.
const CASES: u64 = 60;
const STEPS: usize = 300;

/// The bytes from which the steps of a case are drawn.
fn script(case: u64) -> Vec<u8> {
    let mut draw = Draw(number("RPCIDL_FUZZ_SEED", 1).wrapping_add(case << 32));
    (0..STEPS).flat_map(|_| draw.next().to_le_bytes()).collect()
}

fn cases(run: fn(&[u8]) -> u64) {
    let all = 0..number("RPCIDL_FUZZ_CASES", CASES);
    let (count, good) = all.fold((0, 0), |(count, good), case| {
        (count + 1, good + run(&script(case)))
    });
    // Noise that nobody looks at would show nothing.
    assert!(
        good >= count,
        "{good} messages of {count} cases were looked at"
    );
}

fn servers_outlive_random_clients<T: Trust>() {
    cases(steps::client::<T>);
}

#[test]
fn servers_outlive_random_clients_same_user() {
    guarded(servers_outlive_random_clients::<SameUser>);
}

#[test]
fn servers_outlive_random_clients_isolated() {
    guarded(servers_outlive_random_clients::<Isolated>);
}

fn clients_outlive_random_servers<T: Trust>() {
    cases(steps::server::<T>);
}

#[test]
fn clients_outlive_random_servers_same_user() {
    guarded(clients_outlive_random_servers::<SameUser>);
}

#[test]
fn clients_outlive_random_servers_isolated() {
    guarded(clients_outlive_random_servers::<Isolated>);
}
