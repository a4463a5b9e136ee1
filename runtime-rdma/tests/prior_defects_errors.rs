//! What an earlier system of this kind got wrong in what outlives what, in errors and in fairness, each as a test that names it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::thread;

use peer::probe::Blob;
use peer::probe::probe::{Reply, Request, Service};
use peer::{
    Echo, LOST, bind, connect, connect_when_seated, device, device_with, drain, echo, guarded,
    honest_server, serve, settle, take, until, until_clean,
};
use runtime_core::{Refusal, ServerConfig, TokenError, WaitError};
use runtime_rdma::Client;
use sim_verbs::Traits;

/// A blob that shows who has written it.
fn blob(seed: u64) -> Blob {
    Blob {
        words: std::array::from_fn(|at| seed.wrapping_mul(0x9E37_79B9) ^ at as u64),
    }
}

#[test]
fn defect_5_what_a_device_was_made_of_outlives_its_users() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 2);
        let mut client = connect(&address, 2).unwrap();
        client.mirror(&blob(3), 1).unwrap();
        let mut token = None;
        until("it is received", || {
            if let Some(Request::Mirror(call)) = server.recv().unwrap() {
                token = Some(call.into_token());
            }
            token.is_some()
        });
        let token = token.unwrap();
        // Server and client go, in the order that is worst for the token.
        drop(server);
        assert_eq!(drain(&mut client), [(1, LOST)]);
        drop(client);
        assert_eq!(token.data().blob.words, blob(3).words);
        assert_ne!(
            device.leaks(),
            sim_verbs::Leaks::default(),
            "the token has its buffer"
        );
        thread::spawn(move || drop(token)).join().unwrap();
        until_clean(device);
    });
}

/// The typed layer's client.
type Typed = runtime_core::Client<Service, Client<Service>, u64>;

/// How it is polled.
type Poll = fn(&mut Typed, fn(u64, Reply<'_>)) -> Result<usize, WaitError>;

/// Polling takes the client for itself, and it has not let go of it when it calls back: this would not compile if it took it shared.
const _: Poll = Typed::poll;

#[test]
fn defect_6_a_callback_cannot_poll_again() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 2);
        let client = RefCell::new(connect(&address, 2).unwrap());
        client.borrow_mut().echo(1, 1).unwrap();
        let mut called = 0;
        until("it is answered", || {
            serve(&mut server);
            client
                .borrow_mut()
                .poll(|_, _| {
                    assert!(client.try_borrow_mut().is_err(), "it is in use");
                    called += 1;
                })
                .unwrap();
            called == 1
        });
    });
}

#[test]
fn defect_7_a_full_send_queue_loses_nothing() {
    guarded(|| {
        let (name, device) = device_with(Traits {
            max_qp_wr: 32,
            ..Traits::default()
        });
        let config = ServerConfig {
            event_window: 2,
            ..ServerConfig::default()
        };
        let (address, mut server) = bind(&name, &config).unwrap();
        let mut client = connect(&address, 4).unwrap();
        settle(&mut server, 1);
        // No completion of a send comes before so many more messages have arrived, which is more than the queues have room for.
        device.delay_completions(1000);
        let (mut sent, mut refused) = (0, 0);
        let mut got = Vec::new();
        for _ in 0..400 {
            match client.echo(sent, sent) {
                Ok(()) => sent += 1,
                Err(back) => {
                    assert_eq!((back.why, back.user_data), (Refusal::WouldBlock, sent));
                    refused += 1;
                }
            }
            // Nothing of this waits for room.
            serve(&mut server);
            take(&mut client, &mut got).unwrap();
        }
        assert!(refused > 100, "the queues were full");
        assert!(sent < 64, "{sent} have left");
        device.delay_completions(0);
        // What waited for room leaves by itself.
        until("all are answered", || {
            serve(&mut server);
            take(&mut client, &mut got).unwrap();
            got.len() as u64 == sent
        });
        got.sort_by_key(|(user_data, _)| *user_data);
        assert_eq!(got, (0..sent).map(|it| (it, Ok(it))).collect::<Vec<_>>());
        for value in 0..200 {
            echo(&mut server, &mut client, value);
        }
        assert_eq!(device.counters().rnr, 0);
    });
}

#[test]
fn defect_7_a_reply_that_waits_for_room_leaves_without_another_request() {
    guarded(|| {
        let (name, device) = device();
        let config = ServerConfig {
            event_window: 2,
            ..ServerConfig::default()
        };
        let (address, mut server) = bind(&name, &config).unwrap();
        let mut client = connect(&address, 2).unwrap();
        settle(&mut server, 1);
        // The server's queue has 32 entries (two windows of 2, 2 events and 16, as a power of two), the client's as many.
        let (mut sent, mut got) = (0, Vec::new());
        device.delay_completions(1000);
        for _ in 0..100 {
            if client.note(0).is_ok() || client.echo(sent, sent).is_ok() {
                sent += 1;
            }
            serve(&mut server);
            take(&mut client, &mut got).unwrap();
        }
        device.delay_completions(0);
        // The server sleeps from here on, and nothing is sent that would wake it.
        let stopper = server.transport().stopper();
        let thread = thread::spawn(move || server.serve(&mut Echo));
        until("all have ended", || {
            take(&mut client, &mut got).unwrap();
            client.in_flight() == 0
        });
        stopper.stop();
        thread.join().unwrap();
    });
}

#[test]
fn defect_7_an_error_ends_every_call_once() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 2);
        let mut client = connect(&address, 8).unwrap();
        let mut honest = connect(&address, 8).unwrap();
        settle(&mut server, 2);
        for value in 0..8 {
            client.echo(value, value).unwrap();
        }
        // Two of them are held.
        let mut tokens = Vec::new();
        until("two are received", || {
            if let Some(Request::Echo(call)) = server.recv().unwrap() {
                tokens.push(call.into_token());
            }
            tokens.len() == 2
        });
        // Queue pairs are numbered in the order in which they are made: the first is the client's, the second its server's.
        device.break_qp(device.queue_pairs()[0]);
        let got = drain(&mut client);
        assert_eq!(got, (0..8).map(|it| (it, LOST)).collect::<Vec<_>>());
        assert!(client.transport().why_gone().is_some());
        let refused = client.echo(1, 9).unwrap_err();
        assert_eq!((refused.why, refused.user_data), (Refusal::Disconnected, 9));
        drop(client);
        settle(&mut server, 1);
        echo(&mut server, &mut honest, 3);
        for token in tokens {
            assert!(matches!(
                server.reply(token, 0),
                Err(TokenError::Disconnected)
            ));
        }
        drop((honest, server));
        until_clean(device);
    });
}

#[test]
fn defect_7_a_reply_to_a_client_that_is_gone_harms_nothing() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 3);
        let mut honest = connect(&address, 2).unwrap();
        for round in 0..20 {
            let mut client = connect_when_seated(&mut server, &address, 2);
            client.echo(round, 1).unwrap();
            client.mirror(&blob(round), 2).unwrap();
            let (mut first, mut second) = (None, None);
            until("both are received", || {
                match server.recv().unwrap() {
                    Some(Request::Echo(call)) => first = Some(call.into_token()),
                    Some(Request::Mirror(call)) => second = Some(call.into_token()),
                    Some(other) => panic!("{other:?}"),
                    None => {}
                }
                first.is_some() && second.is_some()
            });
            drop(client);
            settle(&mut server, 1);
            // Another client has come; the seat is not its own, for the requests are held.
            let next = connect_when_seated(&mut server, &address, 2);
            settle(&mut server, 2);
            assert!(matches!(
                server.reply(first.unwrap(), 0),
                Err(TokenError::Disconnected)
            ));
            assert_eq!(
                second.as_ref().unwrap().data().blob.words,
                blob(round).words
            );
            drop(second);
            drop(next);
            settle(&mut server, 1);
            echo(&mut server, &mut honest, round);
        }
        drop((honest, server));
        until_clean(device);
    });
}

#[test]
fn defect_8_the_oldest_requests_are_served_first() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut clients: Vec<_> = (0..3).map(|_| connect(&address, 16).unwrap()).collect();
        settle(&mut server, 3);
        for value in 0..16 {
            for (number, client) in clients.iter_mut().enumerate() {
                client.echo(number as u64 * 100 + value, value).unwrap();
            }
        }
        let (mut next, mut order) = ([0; 3], Vec::new());
        until("all are received", || {
            while let Some(Request::Echo(call)) = server.recv().unwrap() {
                let value = call.data().value;
                let (number, value) = ((value / 100) as usize, value % 100);
                assert_eq!(value, next[number], "of one client, the oldest comes first");
                next[number] += 1;
                order.push(number);
                call.reply(value).unwrap();
            }
            order.len() == 48
        });
        // Of several, each has its turn.
        for turn in order.chunks(3) {
            assert_eq!(turn.iter().collect::<BTreeSet<_>>().len(), 3, "{order:?}");
        }
    });
}

#[test]
fn defect_8_credits_do_not_need_traffic_the_other_way() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 2);
        let mut client = connect(&address, 4).unwrap();
        // Nothing but oneway requests: what frees their slots has no reply to ride on.
        let mut sent = 0;
        until("all are taken", || {
            while sent < 500 && client.note(sent).is_ok() {
                sent += 1;
            }
            serve(&mut server);
            let _ = client.poll(|_, _| panic!("nothing comes back"));
            sent == 500
        });
        until("all are served", || {
            serve(&mut server);
            server.counters().total().calls == 500
        });
        assert_eq!(device.counters().rnr, 0);
    });
}
