//! A server is killed at every step of a call: all calls of its clients end at once, and its name is free.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use conformance::probe::probe::{Event, Reply};
use conformance::probe::{Blob, Image};
use process_tests::{
    Client, LONG, PARKED, Role, TRIGGER, Way, bind, bind_when_free, connect, echoed, now,
    try_connect,
};
use runtime_core::{AttachError, CallError, WaitError};
use rustix::process::Signal;

use crate::{PROGRAM, for_both};

for_both! {
    every_call_ends_whatever_the_server_was_at,
    a_server_that_died_before_it_looked,
    a_server_that_died_when_it_was_bound,
}

/// After this the call of a killed server has not ended by its death. The aim is 5 ms, the limit 100; machines that test are busy.
const BOUND: Duration = Duration::from_secs(2);

/// Calls of the client that polls, besides the one that kills the server.
const POLLED: u64 = 8;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let start = Instant::now();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(LONG),
        }
        assert!(start.elapsed() < LONG, "the future does not end");
    }
}

const LOST: CallError = CallError::Disconnected {
    maybe_executed: true,
};

/// What became of the calls of a client that polls, by their user data.
#[derive(Default)]
struct Endings {
    lost: [u32; POLLED as usize + 1],
    answered: [u32; POLLED as usize + 1],
    events: usize,
}

impl Endings {
    fn note<E: std::fmt::Debug + PartialEq>(
        &mut self,
        call: u64,
        result: Result<(), CallError<E>>,
        is_right: bool,
    ) {
        match result {
            Ok(()) => {
                assert!(is_right, "call {call} was answered with something else");
                self.answered[call as usize] += 1;
            }
            Err(CallError::Disconnected {
                maybe_executed: true,
            }) => self.lost[call as usize] += 1,
            Err(other) => panic!("call {call} ended with {other:?}"),
        }
    }

    /// Polls until nothing is left.
    fn collect<T: Way>(&mut self, client: &mut Client<T>) {
        loop {
            let polled = client.poll_events(|Event::Ticked(ticked)| {
                assert_eq!(ticked.count, 3);
                self.events += 1;
            });
            let events_ended = polled.is_err();
            let polled = client.poll(|call, reply| match reply {
                Reply::Echo(result) => self.note(call, result.map(drop), false),
                Reply::Divide(result) => {
                    let is_right = result.is_ok_and(|&it| it == echoed(2));
                    self.note(call, result.map(drop), is_right);
                }
                Reply::Mirror(result) => self.note(call, result.map(drop), false),
                Reply::Brighten(result) => self.note(call, result.map(drop), false),
                other => panic!("unexpected {other:?}"),
            });
            if polled == Err(WaitError::Disconnected) && events_ended {
                return;
            }
            match client.wait(LONG) {
                Ok(true) | Err(WaitError::Disconnected) => {}
                other => panic!("nothing to wait for any more, and {other:?}"),
            }
        }
    }
}

/// The time from the kill to the last error, and from there until the name was free.
fn kill<T: Way>(step: &str) -> (Duration, Duration) {
    let name = T::name("killed-server");
    let mut server = Role::start(PROGRAM, &["serve", T::WORD, &name, &format!("die={step}")]);
    server.expect("bound");
    let (send, ended) = channel();
    let mut polling = connect::<T, u64>(&name);
    let mut endings = Endings::default();
    thread::scope(|scope| {
        let (name, send) = (&name, &send);
        // One waits in a blocking call, asleep by the time of the kill, and one for a future.
        scope.spawn(move || {
            let mut client = connect::<T, u64>(name);
            assert_eq!(client.blocking().echo(PARKED), Err(LOST));
            let _ = send.send(now());
            let next = client.blocking().echo(1);
            assert!(
                matches!(next, Err(CallError::Disconnected { .. })),
                "{next:?}"
            );
        });
        scope.spawn(move || {
            let client = connect::<T, u64>(name);
            assert_eq!(block_on(client.echo_async(PARKED)), Err(LOST));
            let _ = send.send(now());
        });
        for call in 0..POLLED {
            polling
                .echo(PARKED + call, call)
                .expect("the window is free");
        }
        for count in 1..=POLLED + 2 {
            assert_eq!(server.expect_number("parked"), count);
        }
        let sent = match step {
            "half-reply" => polling.mirror(&Blob { words: [5; 64] }, POLLED),
            "in-place" => polling.brighten(&Image { pixels: [5; 4000] }, 1, POLLED),
            "after-event" => {
                polling.note(3).expect("the window is free");
                Ok(())
            }
            _ => polling.divide(TRIGGER, 2, POLLED),
        };
        assert!(sent.is_ok());
        endings.collect::<T>(&mut polling);
        let _ = send.send(now());
    });
    // The kernel closes a process's sockets one after the other, so that of the name may be there a little longer than those of the calls.
    let start = Instant::now();
    drop(bind_when_free::<T>(&name, 1));
    let free = start.elapsed();
    let killed_at = server.expect_number("dying");
    assert_eq!(server.died_of(), Some(Signal::KILL.as_raw()));
    let (answered, events) = match step {
        "after-reply" => (1, 0),
        "after-event" => (0, 1),
        _ => (0, 0),
    };
    assert_eq!(endings.events, events);
    for call in 0..POLLED as usize {
        assert_eq!((endings.lost[call], endings.answered[call]), (1, 0));
    }
    let triggers = u32::from(step != "after-event");
    assert_eq!(endings.answered[POLLED as usize], answered);
    assert_eq!(endings.lost[POLLED as usize], triggers - answered);
    let last = ended.try_iter().max().expect("three have ended");
    (Duration::from_nanos(last.saturating_sub(killed_at)), free)
}

fn every_call_ends_whatever_the_server_was_at<T: Way>() {
    let steps = [
        "held",
        "half-reply",
        "in-place",
        "after-reply",
        "tokens",
        "asleep",
        "after-event",
    ];
    let (mut longest, mut slowest, mut free) = (Duration::ZERO, "", Duration::ZERO);
    for step in steps.iter().flat_map(|step| [step; 3]) {
        let (ended, freed) = kill::<T>(step);
        free = free.max(freed);
        if ended > longest {
            (longest, slowest) = (ended, step);
        }
    }
    println!(
        "{}: from the kill to the last error at most {longest:?} (killed {slowest}), from there to the name's being free {free:?}",
        T::WORD
    );
    assert!(longest < BOUND, "{longest:?} after a kill {slowest}");
    assert!(free < BOUND, "the name was free after {free:?}");
}

fn a_server_that_died_before_it_looked<T: Way>() {
    let name = T::name("killed-mute");
    let mut server = Role::start(PROGRAM, &["mute", T::WORD, &name]);
    assert_eq!(server.expect("bound"), "true");
    let mut client = connect::<T, u64>(&name);
    for call in 0..POLLED {
        client.echo(call, call).expect("the window is free");
    }
    server.say("die");
    let mut endings = Endings::default();
    endings.collect::<T>(&mut client);
    let ended = now();
    let took = Duration::from_nanos(ended.saturating_sub(server.expect_number("dying")));
    println!("{}: never looked: {took:?}", T::WORD);
    assert!(took < BOUND);
    assert_eq!(server.died_of(), Some(Signal::KILL.as_raw()));
    assert_eq!(bind::<T>(&name, 1).map(drop), Ok(()));
    assert_eq!(endings.lost[..POLLED as usize], [1; POLLED as usize]);
    assert_eq!(endings.answered, [0; POLLED as usize + 1]);
    // Whether the next one is refused at once, or taken and lost: its user data comes back.
    let mut back = Vec::new();
    if let Err(refused) = client.echo(1, 1) {
        back.push(refused.user_data);
    }
    while client.poll(|call, _| back.push(call)).is_ok() {}
    assert_eq!(back, [1]);
}

fn a_server_that_died_when_it_was_bound<T: Way>() {
    for _ in 0..10 {
        let name = T::name("killed-bound");
        let mut server = Role::start(PROGRAM, &["serve", T::WORD, &name, "die=bound"]);
        // Meanwhile it may be there, or not, or end in the midst of the handshake.
        let start = Instant::now();
        while server.expect_or_none("bound").is_none() {
            assert!(start.elapsed() < LONG);
            match try_connect::<T, u64>(&name) {
                Ok(_) | Err(AttachError::NotFound { .. } | AttachError::Refused { .. }) => {}
                Err(other) => panic!("unexpected {other:?}"),
            }
        }
        assert_eq!(server.died_of(), Some(Signal::KILL.as_raw()));
        let gone = try_connect::<T, u64>(&name).map(drop);
        assert_eq!(gone, Err(AttachError::NotFound { name: name.clone() }));
        let sockets = std::fs::read_to_string("/proc/net/unix").expect("procfs is there");
        assert!(!sockets.contains(&name), "a socket of that name is left");
        // At once, at the first try.
        assert_eq!(bind::<T>(&name, 1).map(drop), Ok(()));
    }
}
