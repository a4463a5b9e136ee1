//! Many calls: none is lost, none comes twice, none is mixed up.
//!
//! `RPCIDL_CALLS` says how many; the usual number suits a build without optimization.

use std::thread;
use std::time::{Duration, Instant};

use conformance::probe::Blob;
use conformance::probe::probe::Reply;
use process_tests::{Client, LONG, Role, Way, connect, echoed};

use crate::{PROGRAM, for_both};

for_both! { a_deep_window, sixteen_clients_that_block }

fn calls() -> u64 {
    match std::env::var("RPCIDL_CALLS") {
        Ok(calls) => calls.parse().expect("RPCIDL_CALLS is a number"),
        Err(_) => 100_000,
    }
}

/// Every `LARGE`th call is one of several cache lines.
const LARGE: u64 = 8;

/// The words of a large call: each says which call it is of, and which word.
fn blob(call: u64) -> Blob {
    Blob {
        words: std::array::from_fn(|at| call << 8 | at as u64),
    }
}

fn send<T: Way>(client: &mut Client<T>, call: u64) {
    let sent = if call.is_multiple_of(LARGE) {
        client.mirror(&blob(call), call)
    } else {
        client.echo(call, call)
    };
    assert!(sent.is_ok(), "the window has room");
}

fn a_deep_window<T: Way>() {
    let name = T::name("long-run");
    let server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    let mut client = connect::<T, u64>(&name);
    let (calls, depth) = (calls(), client.window() as u64);
    assert_eq!(depth, 32);
    let start = Instant::now();
    // A bit a call.
    let mut seen = vec![0_u64; calls.div_ceil(64) as usize];
    let (mut sent, mut got) = (0, 0);
    let mut last = Instant::now();
    while got < calls {
        while sent < calls && sent - got < depth {
            send::<T>(&mut client, sent);
            sent += 1;
        }
        let polled = client.poll(|call, reply| {
            let is_right = match reply {
                Reply::Echo(Ok(&value)) => call % LARGE != 0 && value == echoed(call),
                Reply::Mirror(Ok(mirrored)) => {
                    let mut words = mirrored.words;
                    words.reverse();
                    call % LARGE == 0 && words == blob(call).words
                }
                _ => false,
            };
            assert!(is_right, "call {call} was answered with {reply:?}");
            let (word, bit) = (&mut seen[call as usize / 64], 1 << (call % 64));
            assert_eq!(*word & bit, 0, "call {call} was answered twice");
            *word |= bit;
            got += 1;
        });
        match polled {
            Ok(0) => {
                assert!(last.elapsed() < LONG, "{} calls are lost", sent - got);
                assert!(client.wait(Duration::from_secs(1)).is_ok());
            }
            Ok(_) => last = Instant::now(),
            Err(error) => panic!("after {got} calls: {error}"),
        }
    }
    let all: u64 = seen.iter().map(|word| u64::from(word.count_ones())).sum();
    assert_eq!(all, calls);
    assert_eq!(client.in_flight(), 0);
    let counters = client.counters();
    assert_eq!((counters.late_replies, counters.total().timeouts), (0, 0));
    println!(
        "{}: {calls} calls at depth {depth} in {:?}",
        T::WORD,
        start.elapsed()
    );
}

fn sixteen_clients_that_block<T: Way>() {
    let name = T::name("sixteen");
    let server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    let each = (calls() / 64).clamp(100, 100_000);
    let count = each.to_string();
    let mut processes: Vec<_> = (0..4)
        .map(|_| Role::start(PROGRAM, &["blocking", T::WORD, &name, &count]))
        .collect();
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..12_u64 {
            let name = &name;
            scope.spawn(move || {
                let mut client = connect::<T, u64>(name);
                for call in 0..each {
                    let value = thread << 24 | call;
                    assert_eq!(client.blocking().echo(value), Ok(echoed(value)));
                }
            });
        }
        for process in &mut processes {
            process.expect("connected");
            process.say("go");
        }
    });
    for process in &processes {
        assert_eq!(process.expect_number("wrong"), 0);
        process.expect("median");
    }
    println!(
        "{}: 16 clients, {each} blocking calls each, in {:?}",
        T::WORD,
        start.elapsed()
    );
}
