//! A side is stopped: the calls of the other end at their deadline, and go on when it does.

use std::time::{Duration, Instant};

use conformance::probe::probe::Reply;
use process_tests::{Client, LONG, Role, Way, connect, echoed, eventually, try_connect};
use runtime_core::{AttachError, CallError, ClientConfig, Refusal};
use rustix::process::Signal;

use crate::{PROGRAM, for_both};

for_both! { a_stopped_server, a_stopped_server_and_a_newcomer, a_stopped_client }

/// Of the calls to a server that is stopped.
const DEADLINE: Duration = Duration::from_millis(100);

/// How much later than its deadline a call may end on a busy machine; the limit is 10 ms on one that is not.
const SLACK: Duration = Duration::from_secs(2);

fn a_stopped_server<T: Way>() {
    let name = T::name("stopped-server");
    let server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    let config = ClientConfig {
        deadline: DEADLINE,
        ..ClientConfig::default()
    };
    let mut client = match Client::<T>::connect_with(&name, &config) {
        Ok(client) => client,
        Err(error) => panic!("{error}"),
    };
    let window = client.window() as u64;
    let mut excess = Duration::ZERO;
    for round in 0..3 {
        assert_eq!(
            client.blocking().within(LONG).echo(round),
            Ok(echoed(round))
        );
        let late_before = client.counters().late_replies;
        server.stop();
        // One that waits by blocking, then a window full of those that are polled for.
        let start = Instant::now();
        assert_eq!(client.blocking().echo(1), Err(CallError::Timeout));
        excess = excess.max(start.elapsed().saturating_sub(DEADLINE));
        assert!(start.elapsed() >= DEADLINE);
        let start = Instant::now();
        for call in 1..window {
            client.echo(call, call).expect("the window has room");
        }
        assert_eq!(
            client.echo(0, 0).expect_err("one slot is still held").why,
            Refusal::WouldBlock
        );
        let mut ended = vec![0; window as usize];
        let mut count = 1;
        while count < window {
            assert_eq!(client.wait(LONG), Ok(true));
            let polled = client.poll(|call, reply| {
                assert!(
                    matches!(reply, Reply::Echo(Err(CallError::Timeout))),
                    "{reply:?}"
                );
                ended[call as usize] += 1;
                count += 1;
            });
            assert!(polled.is_ok());
        }
        excess = excess.max(start.elapsed().saturating_sub(DEADLINE));
        assert!(start.elapsed() >= DEADLINE);
        assert!(ended[1..].iter().all(|&times| times == 1), "{ended:?}");
        // They have ended, and still have their slots.
        assert_eq!(client.in_flight() as u64, window);
        server.signal(Signal::CONT);
        eventually("late replies free the slots", || {
            let late = client.counters().late_replies;
            late - late_before == window && client.in_flight() == 0
        });
        for value in 0..2 * window {
            let answer = client.blocking().within(LONG).echo(value);
            assert_eq!(answer, Ok(echoed(value)), "round {round}");
        }
    }
    println!("{}: at most {excess:?} after the deadline", T::WORD);
    assert!(excess < SLACK);
}

fn a_stopped_server_and_a_newcomer<T: Way>() {
    let name = T::name("stopped-newcomer");
    let server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    drop(connect::<T, u64>(&name));
    server.stop();
    let start = Instant::now();
    let error = try_connect::<T, u64>(&name).map(drop);
    let Err(AttachError::NoAnswer { after, .. }) = error else {
        panic!("unexpected {error:?}")
    };
    assert!(start.elapsed() >= after && start.elapsed() < after + LONG);
    server.signal(Signal::CONT);
    // The one that gave up has a seat at most for a moment.
    assert_eq!(connect::<T, u64>(&name).blocking().echo(1), Ok(echoed(1)));
}

fn a_stopped_client<T: Way>() {
    let name = T::name("stopped-client");
    let mut server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    // One that does nothing, and two in the midst of calls.
    let others = ["idle", "busy", "busy"]
        .map(|step| Role::start(PROGRAM, &["victim", T::WORD, &name, step]));
    for other in &others {
        other.expect("connected");
    }
    let mut client = connect::<T, u64>(&name);
    let mut longest = Duration::ZERO;
    for round in 0..20 {
        for other in &others {
            other.stop();
        }
        for value in 0..50 {
            let start = Instant::now();
            let answer = client.blocking().within(LONG).echo(value);
            longest = longest.max(start.elapsed());
            assert_eq!(answer, Ok(echoed(value)), "round {round}");
            if value % 10 == 0 {
                // So that the server falls asleep.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        assert_eq!(connect::<T, u64>(&name).blocking().echo(1), Ok(echoed(1)));
        for other in &others {
            other.signal(Signal::CONT);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    println!(
        "{}: beside stopped clients a call takes at most {longest:?}",
        T::WORD
    );
    // A server can end while a client is stopped.
    others[1].stop();
    server.say("stop");
    server.expect("stopped");
    assert!(longest < SLACK);
}
