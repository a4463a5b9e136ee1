//! What earlier systems of this kind got wrong, each as a test that names it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use peer::probe::probe::{Reply, Request};
use peer::{
    Caller, Echo, Honest, Offer, RawClient, RawListener, RawServer, SIZED, echo, fresh_name,
    guarded, honest_server, memfd, reply_word, request_identity, until, word,
};
use runtime_core::{AttachError, CallError, ClientConfig, Refusal, TokenError};
use runtime_shm::{Isolated, SameUser, Trust};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};

/// Runs a test for both trusts.
fn both(same_user: fn(), isolated: fn()) {
    guarded(move || {
        same_user();
        isolated();
    });
}

fn ends_calls<T: Trust>() {
    let (mut client, server) = RawServer::with_client::<T>(4);
    client.echo(1, 7).unwrap();
    // Killed: its socket closes, and it says nothing.
    drop(server.socket);
    let mut got = None;
    until("the call ends", || {
        let _ = client.poll(|user_data, reply| match reply {
            Reply::Echo(result) => got = Some((user_data, result.copied())),
            other => panic!("{other:?}"),
        });
        got.is_some()
    });
    let maybe_executed = true;
    assert_eq!(
        got,
        Some((7, Err(CallError::Disconnected { maybe_executed })))
    );
}

#[test]
fn defect_1_a_dead_server_ends_its_calls() {
    both(ends_calls::<SameUser>, ends_calls::<Isolated>);
}

fn ends_lane<T: Trust>() {
    let (name, mut server) = honest_server::<T>(1);
    let raw = RawClient::attach::<T>(&name, 4);
    until("it is there", || {
        server.poll(&mut Echo, 1).unwrap();
        server.clients().len() == 1
    });
    drop(raw);
    until("it is seen to be gone", || {
        server.poll(&mut Echo, 1).unwrap();
        server.clients().is_empty()
    });
}

#[test]
fn defect_1_a_dead_client_leaves_its_seat() {
    both(ends_lane::<SameUser>, ends_lane::<Isolated>);
}

#[test]
fn defect_2_a_stale_name_is_taken_over() {
    guarded(|| {
        let path = std::env::temp_dir().join(fresh_name());
        let name = path.to_str().unwrap();
        // A server that was killed leaves this.
        let kind = SocketType::SEQPACKET;
        let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        drop(socket);
        assert!(path.exists());
        let mut server = Honest::<SameUser>::bind(name).unwrap();
        let mut client = Caller::<SameUser>::connect(name).unwrap();
        echo(&mut server, &mut client, 1);
        drop(server);
        assert!(!path.exists());
    });
}

fn seats_are_used_again<T: Trust>() {
    let (name, mut server) = honest_server::<T>(2);
    let mut honest = Caller::<T>::connect(&name).unwrap();
    for round in 0..50 {
        // Attempts that fail count for nothing.
        let wrong = RawClient::hello::<T>(3).message().0;
        RawClient::ask(&name, &wrong, &[]);
        // The server sees that a client is gone a moment before its seat is free.
        let mut raw = None;
        until("the seat is free", || {
            server.poll(&mut Echo, 1).unwrap();
            raw = RawClient::try_attach::<T>(&name, 4);
            raw.is_some()
        });
        let full = Caller::<T>::connect(&name).err();
        assert_eq!(full, Some(AttachError::TooManyClients { limit: 2 }));
        drop(raw);
        echo(&mut server, &mut honest, round);
    }
}

#[test]
fn defect_3_seats_are_used_again() {
    both(
        seats_are_used_again::<SameUser>,
        seats_are_used_again::<Isolated>,
    );
}

fn hash_decides<T: Trust>() {
    let (name, _server) = honest_server::<T>(2);
    let mut hello = RawClient::hello::<T>(4);
    hello.abi ^= 1 << 127;
    let (_, answer, given) = RawClient::ask(&name, &hello.message().0, &[]);
    assert_eq!((answer.number(12), given.len()), (1, 0));
    let text = String::from_utf8(answer.0[64..].to_vec()).unwrap();
    assert!(
        text.starts_with("rpcidl abi 1\t"),
        "the server's layout comes along"
    );
    // And the other way round: a server of the same sizes and another hash.
    let mut offer = Offer::honest::<T>(4);
    (offer.answer.verdict, offer.answer.abi) = (1, 5);
    offer.text = text.replacen("u64", "i64", 1).into_bytes();
    let config = ClientConfig {
        window: Some(4),
        ..ClientConfig::default()
    };
    let error = RawListener::new().give::<T>(&offer, &config).err();
    let Some(AttachError::AbiMismatch {
        theirs, difference, ..
    }) = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(theirs.0, 5);
    assert!(
        difference.as_ref().is_some_and(|line| line.contains("i64")),
        "{difference:?}"
    );
}

#[test]
fn defect_4_the_layout_decides_and_not_the_size() {
    both(hash_decides::<SameUser>, hash_decides::<Isolated>);
}

fn geometry_is_checked<T: Trust>() {
    let config = ClientConfig {
        window: Some(4),
        ..ClientConfig::default()
    };
    let changes: [fn(&mut Offer); 4] = [
        // What it says is more than there is, so touching it would raise SIGBUS.
        |it| it.answer.window = 4096,
        |it| it.answer.events = 4096,
        |it| it.given[0] = memfd(64, true, SIZED),
        |it| it.given[0] = memfd(1 << 20, false, SIZED),
    ];
    for change in changes {
        let mut offer = Offer::honest::<T>(4);
        change(&mut offer);
        let error = RawListener::new().give::<T>(&offer, &config).err();
        assert!(
            matches!(error, Some(AttachError::Foreign { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn defect_5_a_forged_geometry_maps_nothing() {
    both(
        geometry_is_checked::<SameUser>,
        geometry_is_checked::<Isolated>,
    );
}

fn replies_index_nothing<T: Trust>() {
    let (mut client, server) = RawServer::with_client::<T>(4);
    let mut got = Vec::new();
    client.echo(1, 7).unwrap();
    let (map, at) = server.short_reply(0);
    for word in [u64::MAX, reply_word(request_identity(999), 0, 8)] {
        map.put(at, word);
        client.poll(|user_data, _| got.push(user_data)).unwrap();
    }
    assert_eq!(got, []);
    for _ in 0..3 {
        // The same reply three times over: the first counts.
        map.put(at, reply_word(request_identity(0), 0, 8));
        client.poll(|user_data, _| got.push(user_data)).unwrap();
    }
    assert_eq!(got, [7]);
}

#[test]
fn defect_6_a_reply_indexes_nothing_and_counts_once() {
    both(
        replies_index_nothing::<SameUser>,
        replies_index_nothing::<Isolated>,
    );
}

fn first_call_is_kept<T: Trust>() {
    for round in 0..20 {
        let (name, mut server) = honest_server::<T>(2);
        // The memory is whole before its client knows of it, so what this sends at once is there when the server first looks.
        let mut raw = RawClient::attach::<T>(&name, 4);
        let identity = raw.echo(round);
        until("the first call is answered", || {
            server.poll(&mut Echo, 1).unwrap();
            raw.reply(0) == reply_word(identity, 0, 8)
        });
        assert_eq!(
            server.counters().total().calls,
            1,
            "nothing was there that nobody sent"
        );
    }
}

#[test]
fn defect_7_what_is_sent_at_once_is_not_lost() {
    both(
        first_call_is_kept::<SameUser>,
        first_call_is_kept::<Isolated>,
    );
}

fn dropped_calls_end<T: Trust>() {
    let (name, mut server) = honest_server::<T>(2);
    let mut client = Caller::<T>::connect_with(
        &name,
        &ClientConfig {
            window: Some(2),
            ..ClientConfig::default()
        },
    )
    .unwrap();
    for round in 0..20 {
        client.echo(round, round).unwrap();
        client.echo(round, round).unwrap();
        // A full window is told at once, and nobody's callback runs for it.
        assert_eq!(client.echo(round, 99).unwrap_err().why, Refusal::WouldBlock);
        let mut dropped = 0;
        until("both were received", || {
            if let Some(Request::Echo(call)) = server.recv().unwrap() {
                drop(call);
                dropped += 1;
            }
            dropped == 2
        });
        let mut aborted = 0;
        until("both have ended", || {
            client
                .poll(|_, reply| match reply {
                    Reply::Echo(Err(CallError::Aborted)) => aborted += 1,
                    other => panic!("{other:?}"),
                })
                .unwrap();
            aborted == 2
        });
    }
}

#[test]
fn defect_8_a_dropped_call_ends_and_frees_its_slot() {
    both(dropped_calls_end::<SameUser>, dropped_calls_end::<Isolated>);
}

#[test]
fn defect_9_and_10_what_changes_while_it_is_read_is_never_an_impossible_value() {
    guarded(|| {
        let (mut client, server) = RawServer::with_client::<Isolated>(4);
        let (server, is_over) = (Arc::new(server), Arc::new(AtomicBool::new(false)));
        let flipping = {
            let (server, is_over) = (Arc::clone(&server), Arc::clone(&is_over));
            thread::spawn(move || {
                let (map, at) = server.response(0);
                while !is_over.load(Ordering::Relaxed) {
                    map.put(at + 8, 0);
                    map.put(at + 8, 0x77);
                }
            })
        };
        let (mut good, mut bad) = (0, 0);
        for number in 0..4000 {
            client.toggle(peer::probe::Mode::ON, number).unwrap();
            let (map, at) = server.response(0);
            map.put(at, reply_word(request_identity(number), 0, 1));
            client
                .poll(|_, reply| match reply {
                    Reply::Toggle(Ok(mode)) => {
                        for _ in 0..20 {
                            assert_eq!(mode.0, 0, "it was checked, and stays what it was");
                            std::hint::spin_loop();
                        }
                        good += 1;
                    }
                    Reply::Toggle(Err(CallError::InvalidData(_))) => bad += 1,
                    other => panic!("{other:?}"),
                })
                .unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        flipping.join().unwrap();
        assert_eq!(good + bad, 4000);
    });
}

fn impossible_values_are_refused<T: Trust>() {
    let (name, mut server) = honest_server::<T>(2);
    let mut raw = RawClient::attach::<T>(&name, 4);
    for mode in [2_u64, 0x77, 0xff] {
        let identity = request_identity(raw.sent);
        raw.sent += 1;
        raw.write(0, word(identity, 6, 1, 1, true), mode);
        // `Echo` panics if it sees one.
        until("it is refused", || {
            server.poll(&mut Echo, 1).unwrap();
            let reply = raw.reply(0);
            reply as u16 == identity ^ 3 && reply >> 16 & 0xffff == 4
        });
    }
}

#[test]
fn defect_10_impossible_values_are_refused() {
    both(
        impossible_values_are_refused::<SameUser>,
        impossible_values_are_refused::<Isolated>,
    );
}

fn tokens_are_bound<T: Trust>() {
    let (name, mut server) = honest_server::<T>(2);
    let (_, mut other) = honest_server::<T>(2);
    let mut client = Caller::<T>::connect(&name).unwrap();
    client.echo(5, 1).unwrap();
    let mut token = None;
    until("it is received", || {
        if let Some(Request::Echo(call)) = server.recv().unwrap() {
            token = Some(call.into_token());
        }
        token.is_some()
    });
    let Err(TokenError::Foreign(token)) = other.reply(token.unwrap(), 6) else {
        panic!("another server has answered it");
    };
    server.reply(token, 5).unwrap();
    let mut got = None;
    client
        .poll(|_, reply| match reply {
            Reply::Echo(result) => got = Some(result.copied()),
            other => panic!("{other:?}"),
        })
        .unwrap();
    assert_eq!(got, Some(Ok(5)));
}

#[test]
fn defect_11_a_token_is_its_servers() {
    both(tokens_are_bound::<SameUser>, tokens_are_bound::<Isolated>);
}
