//! A client that marks the doorbells of shared memory and gets no further.

use std::thread;
use std::time::Duration;

use process_tests::{Role, connect, echoed, name};
use runtime_shm::SameUser;

use crate::PROGRAM;

#[test]
fn a_client_that_dies_while_it_wakes_the_server() {
    conformance::guarded("half a ring, killed", || half_ring("die"));
}

#[test]
fn a_client_that_is_stopped_while_it_wakes_the_server() {
    conformance::guarded("half a ring, stopped", || half_ring("stop"));
}

/// A client marks the doorbells of a server that sleeps, and gets no further. Another client's calls wake the server all the same.
fn half_ring(then: &str) {
    let name = name("half-ring");
    let server = Role::start(PROGRAM, &["serve", "same", &name]);
    server.expect("bound");
    let mut other = connect::<SameUser, u64>(&name);
    assert_eq!(other.blocking().echo(1), Ok(echoed(1)));
    let mut ringer = Role::start(PROGRAM, &["half-ring", &name]);
    assert_eq!(ringer.expect("connected"), "true");
    // Long enough for the server to fall asleep.
    thread::sleep(Duration::from_millis(200));
    ringer.say("ring");
    assert_eq!(ringer.expect("rung"), "true");
    if then == "die" {
        ringer.say("die");
        ringer.expect("dying");
        ringer.died_of();
    } else {
        ringer.stop();
    }
    let answer = other.blocking().within(Duration::from_secs(5)).echo(2);
    assert_eq!(answer, Ok(echoed(2)), "the server sleeps on");
}
