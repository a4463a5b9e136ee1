//! Every call ends.

use std::time::{Duration, Instant};

use runtime_core::{CallError, ClientConfig, ClientTransport as _, Retry, ServerConfig};

use super::{reply, serve};
use crate::probe::probe::{Reply, Request};
use crate::{Backend, Client, Probe, Server, pair_with};

fn impatient<B: Backend>(deadline: Duration) -> (Client<B>, Server<B>) {
    pair_with::<B, u64>(
        &ClientConfig {
            deadline,
            ..ClientConfig::default()
        },
        &ServerConfig::default(),
    )
}

pub fn a_call_ends_at_its_deadline<B: Backend>() {
    let deadline = Duration::from_millis(20);
    let (mut client, _server) = impatient::<B>(deadline);
    let start = Instant::now();
    client.echo(1, 1).unwrap();
    assert_eq!(reply(&mut client), (1, Err(CallError::Timeout)));
    assert!(start.elapsed() >= deadline);
    // The deadline in the definition wins over that of the configuration.
    let (mut client, _server) = impatient::<B>(Duration::from_secs(3600));
    client.lookup(1, 2).unwrap();
    assert_eq!(reply(&mut client), (2, Err(CallError::Timeout)));
    // `wait` ends when a call does.
    client.lookup(1, 3).unwrap();
    assert_eq!(client.wait(Duration::from_secs(3600)), Ok(true));
    assert_eq!(reply(&mut client), (3, Err(CallError::Timeout)));
}

pub fn a_late_reply_is_dropped_and_counted<B: Backend>() {
    let (mut client, mut server) = impatient::<B>(Duration::from_millis(5));
    client.echo(1, 1).unwrap();
    assert_eq!(reply(&mut client), (1, Err(CallError::Timeout)));
    client.echo(2, 2).unwrap();
    serve::<B>(&mut server, &mut Probe::default());
    // Only the second call's reply is delivered, to the second call.
    assert_eq!(reply(&mut client), (2, Ok(2)));
    let deadline = Instant::now() + Duration::from_secs(10);
    while client.in_flight() != 0 && Instant::now() < deadline {
        client
            .poll(|user_data, reply| panic!("{reply:?} came with {user_data}"))
            .unwrap();
    }
    let counters = client.counters();
    assert_eq!((counters.late_replies, counters.total().timeouts), (1, 1));
    assert_eq!(client.in_flight(), 0);
}

pub fn the_call_may_set_its_deadline<B: Backend>() {
    let (mut client, mut server) = impatient::<B>(Duration::from_secs(3600));
    client.within(Duration::from_millis(5)).echo(1, 1).unwrap();
    assert_eq!(reply(&mut client), (1, Err(CallError::Timeout)));
    // It holds for one call.
    client.echo(2, 2).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    for _ in 0..1000 {
        assert_eq!(client.poll(|_, _| ()), Ok(0));
    }
    serve::<B>(&mut server, &mut Probe::default());
    assert_eq!(reply(&mut client), (2, Ok(2)));
    assert_eq!(
        client.blocking().within(Duration::from_millis(5)).echo(3),
        Err(CallError::Timeout)
    );
}

pub fn a_deadline_passes_while_others_are_answered<B: Backend>() {
    calls_beside_a_silent_one::<B>(|client| {
        // Long enough for the reply to be there, so that the poll finds it.
        std::thread::sleep(Duration::from_micros(50));
        assert_eq!(client.in_flight(), 3);
    });
    // Who asks first is promised something at the next poll.
    calls_beside_a_silent_one::<B>(|client| {
        while !client.transport().ready() {
            std::thread::yield_now();
        }
    });
}

pub fn a_deadline_passes_beside_blocking_calls<B: Backend>() {
    calls_beside_a_silent_one::<B>(|client| {
        let result = client.blocking().within(Duration::from_micros(200)).echo(7);
        assert_eq!(result, Err(CallError::Timeout));
    });
}

pub fn a_deadline_passes_while_replies_are_waited_for<B: Backend>() {
    calls_beside_a_silent_one::<B>(|client| {
        assert_eq!(client.wait(Duration::from_secs(60)), Ok(true));
    });
}

pub fn waiting_does_not_end_for_what_nobody_waits_for<B: Backend>() {
    let (mut client, mut server) = impatient::<B>(Duration::from_secs(3600));
    client.note(1).unwrap();
    while serve::<B>(&mut server, &mut Probe::default()) == 0 {
        std::thread::yield_now();
    }
    let (short, start) = (Duration::from_millis(20), Instant::now());
    assert_eq!(client.wait(short), Ok(false));
    assert!(start.elapsed() >= short);
    // A call that has timed out, and is answered then.
    let result = client.blocking().within(Duration::from_millis(1)).echo(2);
    assert_eq!(result, Err(CallError::Timeout));
    while serve::<B>(&mut server, &mut Probe::default()) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(client.wait(short), Ok(false));
    assert_eq!(client.in_flight(), 0);
}

pub fn waiting_forgets_calls_that_have_ended<B: Backend>() {
    let (deadline, longer) = (Duration::from_millis(250), Duration::from_millis(400));
    let (mut client, mut server) = impatient::<B>(deadline);
    let mut answered = |client: &mut Client<B>, number| {
        client.echo(number, number).unwrap();
        // From here on it has its deadline.
        client.poll(|_, _| unreachable!("nobody serves")).unwrap();
        while serve::<B>(&mut server, &mut Probe::default()) == 0 {
            std::thread::yield_now();
        }
    };
    answered(&mut client, 1);
    assert_eq!(reply(&mut client), (1, Ok(1)));
    let start = Instant::now();
    assert_eq!(client.wait(longer), Ok(false));
    assert!(start.elapsed() >= longer);
    // Its deadline has passed, which does not hide what is there.
    answered(&mut client, 2);
    assert_eq!(reply(&mut client), (2, Ok(2)));
    std::thread::sleep(deadline);
    client.within(longer * 1000).echo(3, 3).unwrap();
    while serve::<B>(&mut server, &mut Probe::default()) == 0 {
        std::thread::yield_now();
    }
    std::thread::sleep(deadline);
    assert_eq!(client.wait(Duration::ZERO), Ok(true));
    assert_eq!(reply(&mut client), (3, Ok(3)));
}

/// Makes calls that are answered, each after `before_poll` and with one poll, until the one beside them has ended, which is not.
fn calls_beside_a_silent_one<B: Backend>(mut before_poll: impl FnMut(&mut Client<B>)) {
    let (mut client, mut server) = impatient::<B>(Duration::from_secs(3600));
    let mut probe = Probe::default();
    client.within(Duration::from_millis(5)).echo(0, 0).unwrap();
    // And another one that has time.
    client.echo(0, u64::MAX).unwrap();
    let mut silent = Vec::new();
    while silent.len() < 2 {
        if let Some(Request::Echo(call)) = server.recv().unwrap() {
            silent.push(call.into_token());
        }
        std::thread::yield_now();
    }
    let end = Instant::now() + Duration::from_secs(10);
    for number in 1.. {
        client.echo(number, number).unwrap();
        while serve::<B>(&mut server, &mut probe) == 0 {
            std::thread::yield_now();
        }
        let mut ended = Vec::new();
        while !ended.contains(&(number, Ok(number))) {
            before_poll(&mut client);
            let polled = client.poll(|user_data, reply| match reply {
                Reply::Echo(result) => ended.push((user_data, result.copied())),
                other => panic!("unexpected reply {other:?}"),
            });
            assert!(polled.is_ok(), "{polled:?}");
            if ended.contains(&(0, Err(CallError::Timeout))) {
                drop(silent);
                return;
            }
        }
        assert!(Instant::now() < end, "{number} calls have kept it alive");
    }
}

pub fn a_blocking_call_ends_at_its_deadline<B: Backend>() {
    let deadline = Duration::from_millis(20);
    let (mut client, mut server) = impatient::<B>(deadline);
    client.echo(1, 1).unwrap();
    let start = Instant::now();
    assert_eq!(client.blocking().echo(2), Err(CallError::Timeout));
    assert!(start.elapsed() >= deadline);
    // The call in flight beside it is not lost.
    serve::<B>(&mut server, &mut Probe::default());
    assert_eq!(reply(&mut client), (1, Ok(1)));
}

pub fn retry_repeats_idempotent_calls<B: Backend>() {
    let (client, mut server) = impatient::<B>(Duration::from_secs(10));
    let thread = std::thread::spawn(move || {
        let mut client = client;
        let first = client.retrying(Retry { attempts: 3 }).lookup(5);
        let second = client.retrying(Retry { attempts: 2 }).lookup(6);
        (first, second)
    });
    let mut seen = 0;
    loop {
        match server.recv() {
            Ok(Some(Request::Lookup(call))) => {
                seen += 1;
                // The first call is answered at the third attempt, the second never.
                if seen == 3 {
                    call.reply(50).unwrap();
                }
            }
            Ok(Some(other)) => panic!("unexpected {other:?}"),
            Ok(None) => std::thread::yield_now(),
            Err(_) => break,
        }
    }
    assert_eq!(thread.join().unwrap(), (Ok(50), Err(CallError::Aborted)));
    assert_eq!(seen, 5);
}
