//! A client is killed at every step of a call: the server and its other clients go on as if nothing had been.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use process_tests::{Over, RELEASE, Role, Way, connect, connect_when_seated, echoed};
use rustix::process::Signal;

use crate::{PROGRAM, for_both};

for_both! { others_notice_nothing_whatever_the_client_was_at }

const STEPS: [&str; 10] = [
    "connected",
    "loaned",
    "filled",
    "sent",
    "sent-in-place",
    "asleep",
    "unread",
    "in-callback",
    "full-window",
    "event-unread",
];

fn others_notice_nothing_whatever_the_client_was_at<T: Way>() {
    let name = T::name("killed-client");
    let mut server = Role::start(PROGRAM, &["serve", T::WORD, &name, "clients=5"]);
    server.expect("bound");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let steady = scope.spawn(|| {
            let mut client = connect::<T, u64>(&name);
            let (mut calls, mut longest) = (0_u64, Duration::ZERO);
            while !is_over.load(Ordering::Relaxed) {
                let start = Instant::now();
                assert_eq!(client.blocking().echo(calls), Ok(echoed(calls)));
                longest = longest.max(start.elapsed());
                calls += 1;
                if calls.is_multiple_of(64) {
                    // So that the server sleeps now and then.
                    thread::sleep(Duration::from_millis(1));
                }
            }
            (calls, longest)
        });
        let over = Over(&is_over);
        // What the process takes once and for all is there after the first.
        drop(connect_when_seated::<T, u64>(&name));
        let before = server.settled();
        for step in STEPS {
            for _ in 0..3 {
                // It gets the seat of one before. There are five: the steady client has one, victims whose requests are parked keep up to
                // three, and who has them released takes one.
                let mut victim = Role::start(PROGRAM, &["victim", T::WORD, &name, step]);
                victim.expect("dying");
                assert_eq!(victim.died_of(), Some(Signal::KILL.as_raw()), "{step}");
            }
            let parked = match step {
                "asleep" => 3,
                "full-window" => 3 * 32,
                _ => 0,
            };
            if parked != 0 {
                for count in 1..=parked {
                    assert_eq!(server.expect_number("parked"), count);
                }
                // Answers to the dead go nowhere, and the server is told so.
                let mut client = connect_when_seated::<T, u64>(&name);
                client.note(RELEASE).expect("the window is free");
                assert_eq!(server.expect_number("released"), parked);
            }
        }
        drop(connect_when_seated::<T, u64>(&name));
        assert_eq!(server.settled(), before, "nothing of the dead is held");
        drop(over);
        let (calls, longest) = steady.join().expect("the steady client was served");
        println!(
            "{}: {calls} calls of another client meanwhile, the longest {longest:?}",
            T::WORD
        );
        assert!(calls > 100);
    });
    server.say("stop");
    server.expect("stopped");
    let left = std::fs::read_dir("/dev/shm").expect("it is there");
    let left = left.flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left
        .filter(|entry| entry.to_string_lossy().contains("rpcidl"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
