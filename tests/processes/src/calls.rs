//! The roles of clients that call.

use std::thread;
use std::time::{Duration, Instant};

use conformance::probe::Image;
use conformance::probe::probe::{Reply, method};
use process_tests::{Client, LONG, PARKED, Way, connect, connect_when_seated, echoed, try_connect};
use runtime_core::CallError;

use crate::serve::{number, pin};
use crate::{die, say};

/// Waits for a reply or an event.
fn wait<T: Way>(client: &mut Client<T>) {
    assert_eq!(client.wait(Duration::from_secs(60)), Ok(true));
}

/// A client that dies at a step of a call.
pub(crate) fn victim<T: Way>(name: &str, step: &str) {
    let mut client = connect_when_seated::<T, u64>(name);
    let sent = "a fresh client has a free window";
    match step {
        "connected" => die(),
        "loaned" => {
            let _loan = client.loan::<method::Mirror>();
            die();
        }
        "filled" => {
            let mut loan = client.loan::<method::Mirror>().expect(sent);
            loan.blob.words = [7; 64];
            die();
        }
        "sent" => {
            client.echo(1, 1).expect(sent);
            die();
        }
        "sent-in-place" => {
            client
                .brighten(&Image { pixels: [9; 4000] }, 1, 1)
                .expect(sent);
            die();
        }
        "asleep" => {
            client.echo(PARKED, 1).expect(sent);
            thread::spawn(|| {
                thread::sleep(Duration::from_millis(20));
                die();
            });
            wait::<T>(&mut client);
        }
        "unread" => {
            client.echo(1, 1).expect(sent);
            wait::<T>(&mut client);
            die();
        }
        "in-callback" => {
            client.echo(1, 1).expect(sent);
            wait::<T>(&mut client);
            let _ = client.poll(|_, _| die());
        }
        "full-window" => {
            for value in 0..client.window() as u64 {
                client.echo(PARKED + value, value).expect(sent);
            }
            die();
        }
        "event-unread" => {
            client.note(5).expect(sent);
            wait::<T>(&mut client);
            die();
        }
        // No death: waits to be killed, or stopped.
        "idle" => {
            say("connected");
            loop {
                thread::sleep(Duration::from_secs(3600));
            }
        }
        "busy" => {
            say("connected");
            for value in 0..PARKED {
                match client.blocking().echo(value) {
                    Ok(reply) => assert_eq!(reply, echoed(value)),
                    Err(CallError::Disconnected { .. }) => return,
                    Err(other) => panic!("{other}"),
                }
            }
        }
        _ => panic!("there is no such step: {step}"),
    }
    panic!("`{step}` has passed");
}

/// A client that makes blocking calls, and tells how many answers were wrong, with the median time of a call in nanoseconds.
pub(crate) fn blocking<T: Way>(name: &str, count: &str, core: Option<&str>) {
    if let Some(core) = core {
        pin(core);
    }
    let count = number(count);
    let mut client = connect::<T, u64>(name);
    say("connected");
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    let base = u64::from(std::process::id()) << 8;
    let mut wrong = 0;
    let mut times = Vec::with_capacity(count as usize);
    for value in base..base + count {
        let start = Instant::now();
        let reply = client.blocking().echo(value % PARKED);
        times.push(start.elapsed().as_nanos() as u64);
        wrong += u64::from(reply != Ok(echoed(value % PARKED)));
    }
    times.sort_unstable();
    say(format_args!("wrong {wrong}"));
    say(format_args!("median {}", times[times.len() / 2]));
}

/// Two clients whose way to their server is cut by somebody else, in silence: one only waits for a reply, the other goes on calling. Tells
/// after how many milliseconds each of them knew; then connects anew, once there is a way again.
pub(crate) fn cut<T: Way>(name: &str) {
    let mut waits = connect_when_there::<T>(name);
    let mut calls = connect_when_there::<T>(name);
    waits
        .echo(PARKED, 7)
        .expect("a fresh client has a free window");
    say("connected");
    // Until calls are answered no more.
    let mut last = Instant::now();
    let end = Instant::now() + 2 * LONG;
    while calls.blocking().within(Duration::from_millis(300)).echo(2) == Ok(echoed(2)) {
        last = Instant::now();
        assert!(last < end, "nobody has cut the way");
        thread::sleep(Duration::from_millis(20));
    }
    let mut ended = 0;
    for (what, client) in [("called", &mut calls), ("waited", &mut waits)] {
        while client.wait(Duration::from_secs(60)).is_ok() {
            let polled = client.poll(|_, reply| {
                let is_end = matches!(
                    reply,
                    Reply::Echo(Err(CallError::Disconnected {
                        maybe_executed: true
                    }))
                );
                assert!(is_end, "{reply:?}");
                ended += 1;
            });
            if polled.is_err() {
                break;
            }
        }
        let took = last.elapsed();
        say(format_args!("{what} {}", took.as_millis()));
        assert!(took < Duration::from_secs(6), "a dead link takes {took:?}");
    }
    assert_eq!(ended, 1, "the call that waited has ended once");
    let mut again = connect_when_there::<T>(name);
    assert_eq!(again.blocking().echo(4), Ok(echoed(4)));
    say("mended");
}

/// Connects as soon as the server is there.
fn connect_when_there<T: Way>(name: &str) -> Client<T> {
    let start = Instant::now();
    loop {
        match try_connect::<T, u64>(name) {
            Ok(client) => return client,
            Err(error) if start.elapsed() > LONG => panic!("`{name}`: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}
