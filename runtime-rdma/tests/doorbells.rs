//! When requests and replies leave that were collected.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::thread;
use std::time::Duration;

use peer::probe::probe::{Request, Service, method};
use peer::{
    Caller, Draw, Echo, Honest, connect, device, guarded, honest_server, serve, settle, take, until,
};
use runtime_core::Token;
use runtime_rdma::Server;

/// A server, and a client with this window.
fn meet(window: usize) -> (Honest, Caller) {
    let (name, _) = device();
    let (address, mut server) = honest_server(&name, 4);
    let client = connect(&address, window).unwrap();
    settle(&mut server, 1);
    (server, client)
}

/// Longer than a doorbell is held.
const SLOW: Duration = Duration::from_millis(5);

/// Sends two calls, and answers them in a batch with a slow handler between the two. True if the first reply was there before the second was
/// sent.
fn first_reply_comes_first(server: &mut Honest, client: &mut Caller) -> bool {
    for value in 0..2 {
        client.echo(value, value).unwrap();
    }
    let mut got = Vec::new();
    let mut came_first = false;
    let mut batch = server.batch();
    for value in 0..2 {
        // These devices deliver at once, and the calls of one client come in order.
        let Some(Request::Echo(call)) = batch.recv().unwrap() else {
            panic!("call {value} has arrived")
        };
        if value == 1 {
            thread::sleep(SLOW);
            take(client, &mut got).unwrap();
            came_first = !got.is_empty();
        }
        call.reply(value).unwrap();
    }
    drop(batch);
    until("both are answered", || {
        take(client, &mut got).unwrap();
        got.len() == 2
    });
    came_first
}

/// A reply that is collected waits for the handler that comes next. That happens a few times: where handlers are slow, replies leave one by
/// one.
#[test]
fn slow_handlers_delay_no_replies_but_the_first_ones() {
    guarded(|| {
        let (mut server, mut client) = meet(4);
        // A few are, and some more in case that this program is held up while a doorbell is.
        let delayed = (0..7).filter(|_| !first_reply_comes_first(&mut server, &mut client));
        assert_ne!(delayed.count(), 0);
        for _ in 0..20 {
            assert!(first_reply_comes_first(&mut server, &mut client));
        }
    });
}

/// Replies of quick handlers share a doorbell, also after others were slow.
#[test]
fn quick_handlers_share_a_doorbell() {
    guarded(|| {
        let (mut server, mut client) = meet(16);
        first_reply_comes_first(&mut server, &mut client);
        let mut fewest = u64::MAX;
        for _ in 0..100 {
            client.hold_doorbell();
            for value in 0..16 {
                client.echo(value, value).unwrap();
            }
            client.ring_doorbell();
            let before = server.transport().doorbells();
            let mut got = Vec::new();
            until("all are answered", || {
                serve(&mut server);
                take(&mut client, &mut got).unwrap();
                got.len() == 16
            });
            fewest = fewest.min(server.transport().doorbells() - before);
        }
        // How many do depends on how quick this machine is: some leave whenever the first of them was held for some microseconds.
        assert!(fewest < 16, "each of 16 replies has rung");
    });
}

/// Replies share a doorbell also where requests come one by one, each as soon as the one before is answered.
#[test]
fn requests_that_come_one_by_one_share_doorbells() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut client = connect(&address, 64).unwrap();
        settle(&mut server, 1);
        let mut round = |server: &mut Honest, polls: fn(&mut Honest)| {
            client.hold_doorbell();
            for value in 0..64 {
                client.echo(value, value).unwrap();
            }
            client.ring_doorbell();
            let before = server.transport().doorbells();
            device.give_singly(true);
            let mut got = Vec::new();
            until("all are answered", || {
                (0..64).for_each(|_| polls(server));
                device.give_singly(false);
                take(&mut client, &mut got).unwrap();
                got.len() == 64
            });
            server.transport().doorbells() - before
        };
        // (Some leave whenever the first of them was held for some microseconds: a slow machine has more rounds.)
        assert!((0..100).any(|_| round(&mut server, serve) < 32));
        // Whoever receives one at a time keeps none for later.
        let one = |server: &mut Honest| {
            server.poll(&mut Echo, 1).unwrap();
        };
        assert_eq!(round(&mut server, one), 64);
    });
}

/// A poll delivers every reply that has arrived, also when it rings for a request that was held back.
#[test]
fn a_poll_that_rings_delivers_all_the_same() {
    guarded(|| {
        let (mut server, mut client) = meet(16);
        for value in 0..4 {
            client.echo(value, value).unwrap();
        }
        serve(&mut server);
        client.hold_doorbell();
        client.echo(9, 9).unwrap();
        let mut got = Vec::new();
        assert_eq!(take(&mut client, &mut got), Ok(4));
    });
}

/// What is held back leaves with the next look for replies: with each poll, also after one that found nothing, and with a wait, also if
/// there is something to poll.
#[test]
fn what_is_held_back_leaves_with_each_look() {
    guarded(|| {
        let (mut server, mut client) = meet(16);
        let mut got = Vec::new();
        client.hold_doorbell();
        for calls in 1..=4 {
            client.echo(calls, calls).unwrap();
            take(&mut client, &mut got).unwrap();
            assert_eq!(server.poll(&mut Echo, 9), Ok(1), "call {calls}");
        }
        client.echo(5, 5).unwrap();
        assert_eq!(client.wait(Duration::ZERO), Ok(true), "replies are there");
        assert_eq!(server.poll(&mut Echo, 9), Ok(1));
        until("all are answered", || {
            take(&mut client, &mut got).unwrap();
            got.len() == 5
        });
    });
}

/// However requests were held back, let go and mixed, and in whatever order they are answered: one look by the client, one by the server, and
/// one by the client, and every call that can have ended has.
#[test]
fn one_look_is_enough() {
    guarded(|| {
        for (seed, late) in [(1, false), (2, true), (3, false), (4, true)] {
            look_once(seed, late);
        }
    });
}

/// Makes random calls, and answers them at random, over a device that completes what was sent late or not.
fn look_once(seed: u64, late: bool) {
    let (name, device) = device();
    let (address, mut server) = honest_server(&name, 4);
    let mut client = connect(&address, 64).unwrap();
    settle(&mut server, 1);
    let mut draw = Draw(seed);
    let mut issued = 0;
    let (mut got, mut held) = (Vec::new(), Vec::new());
    for step in 0..2_000 {
        match draw.below(12) {
            0 => client.hold_doorbell(),
            1 => client.ring_doorbell(),
            2..=5 => issued += u64::from(client.echo(issued, issued).is_ok()),
            // A full window refuses it, which changes nothing here.
            6 => drop(client.note(5)),
            7 => {
                if let Ok(loan) = client.loan::<method::Brighten>() {
                    loan.send(issued);
                    issued += 1;
                }
            }
            8 => drop(take(&mut client, &mut got).unwrap()),
            9 => receive(&mut server, &mut held, draw.below(5)),
            10 => {
                let keep = draw.below(held.len() as u64 + 1) as usize;
                for token in held.drain(keep..) {
                    let value = token.data().value;
                    server.reply(token, value).unwrap();
                }
                if late {
                    device.delay_completions(draw.below(3) * 40);
                }
            }
            _ => {
                device.delay_completions(0);
                take(&mut client, &mut got).unwrap();
                serve(&mut server);
                take(&mut client, &mut got).unwrap();
                let ended = (got.len() + held.len()) as u64;
                assert_eq!(ended, issued, "seed {seed}, step {step}");
            }
        }
    }
}

/// Receives so many requests in a batch; of those that are not answered the tokens are kept.
fn receive(server: &mut Honest, held: &mut Vec<Token<method::Echo, Server<Service>>>, most: u64) {
    let mut batch = server.batch();
    for _ in 0..most {
        match batch.recv().unwrap() {
            Some(Request::Echo(call)) => held.push(call.into_token()),
            Some(Request::Brighten(call)) => call.edit().send().unwrap(),
            Some(Request::Note(call)) => call.done(),
            Some(_) => unreachable!("nobody calls anything else"),
            None => break,
        }
    }
}
