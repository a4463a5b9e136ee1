//! When replies leave that were collected.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::thread;
use std::time::Duration;

use peer::probe::probe::Request;
use peer::{Caller, Honest, connect, device, guarded, honest_server, settle, take, until};

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

/// A reply that is collected waits for the handler that comes next. That happens once: where handlers are slow, replies leave one by one.
#[test]
fn slow_handlers_delay_no_replies_but_the_first() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut client = connect(&address, 4).unwrap();
        settle(&mut server, 1);
        assert!(!first_reply_comes_first(&mut server, &mut client));
        for _ in 0..20 {
            assert!(first_reply_comes_first(&mut server, &mut client));
        }
    });
}

/// Replies of quick handlers share a doorbell, also after others were slow.
#[test]
fn quick_handlers_share_a_doorbell() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut client = connect(&address, 16).unwrap();
        settle(&mut server, 1);
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
                peer::serve(&mut server);
                take(&mut client, &mut got).unwrap();
                got.len() == 16
            });
            fewest = fewest.min(server.transport().doorbells() - before);
        }
        // How many do depends on how quick this machine is: some leave whenever the first of them was held for some microseconds.
        assert!(fewest < 16, "each of 16 replies has rung");
    });
}
