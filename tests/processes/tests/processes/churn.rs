//! Clients that come and go, in order or killed: nothing of them is left.

use std::time::Instant;

use process_tests::{Role, Way, connect_when_seated, echoed};
use rustix::process::Signal;

use crate::{PROGRAM, for_both};

for_both! { a_thousand_clients_come_and_go }

/// Every which of them is a process that is killed.
const KILLED_EVERY: u64 = 20;

fn a_thousand_clients_come_and_go<T: Way>() {
    let name = T::name("churn");
    let mut server = Role::start(PROGRAM, &["serve", T::WORD, &name, "clients=3"]);
    server.expect("bound");
    let come_and_go = |client: u64| {
        if client.is_multiple_of(KILLED_EVERY) {
            let step = ["connected", "sent", "in-callback", "filled"]
                [(client / KILLED_EVERY % 4) as usize];
            let mut victim = Role::start(PROGRAM, &["victim", T::WORD, &name, step]);
            victim.expect("dying");
            assert_eq!(victim.died_of(), Some(Signal::KILL.as_raw()));
            return;
        }
        let mut one = connect_when_seated::<T, u64>(&name);
        // Some leave without a call, some in the midst of one, most after one.
        match client % 4 {
            0 => {}
            1 => one.echo(client, client).expect("the window is free"),
            _ => assert_eq!(one.blocking().echo(client), Ok(echoed(client))),
        }
    };
    // What the process takes once and for all is there after the first.
    (0..KILLED_EVERY + 1).for_each(come_and_go);
    let before = server.settled();
    let start = Instant::now();
    let clients = conformance::rounds(1000);
    (0..clients).for_each(come_and_go);
    let took = start.elapsed();
    assert_eq!(
        server.settled(),
        before,
        "something of {clients} clients is left"
    );
    // No seat is lost: there are three.
    let mut all: Vec<_> = (0..3)
        .map(|_| connect_when_seated::<T, u64>(&name))
        .collect();
    for (number, one) in (0..).zip(&mut all) {
        assert_eq!(one.blocking().echo(number), Ok(echoed(number)));
    }
    println!(
        "{}: {clients} clients in {took:?}, then {before:?}",
        T::WORD
    );
    server.say("stop");
    server.expect("stopped");
}
