//! Servers that do not keep to the protocol: their clients get a clear error, or go on, and every call ends.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use peer::probe::probe::Reply;
use peer::{
    Caller, Map, Offer, RawListener, RawServer, SIZED, descriptors, guarded, memfd, own_memfd,
    reply_word, request_identity, send, until, word,
};
use runtime_core::{AttachError, CallError, ClientConfig, InvalidKind, WaitError};
use runtime_shm::{Isolated, SameUser, Trust};
use rustix::fs::SealFlags;
use rustix::net::SendFlags;

const WINDOW: usize = 4;

/// A change for the worse, and what it is called.
type Change = (&'static str, fn(&mut Offer));

fn config() -> ClientConfig {
    ClientConfig {
        window: Some(WINDOW),
        ..ClientConfig::default()
    }
}

/// How a client finds an offer that was changed in one way.
fn offered<T: Trust>(change: impl FnOnce(&mut Offer)) -> Option<AttachError> {
    let mut offer = Offer::honest::<T>(WINDOW);
    change(&mut offer);
    let before = descriptors();
    let listener = RawListener::new();
    let error = listener.give::<T>(&offer, &config()).err();
    drop(listener);
    until("every descriptor is given back", || descriptors() <= before);
    error
}

fn is_foreign(error: Option<&AttachError>) -> bool {
    matches!(error, Some(AttachError::Foreign { .. }))
}

fn wrong_offers_are_refused<T: Trust>() {
    assert_eq!(
        offered::<T>(|_| ()),
        None,
        "the offer is good before it is changed"
    );
    let changes: [Change; 17] = [
        ("no such verdict", |it| it.answer.verdict = 6),
        ("another schema", |it| it.answer.abi ^= 1),
        ("other trust", |it| it.answer.isolated ^= true),
        ("window 0", |it| it.answer.window = 0),
        ("window 2", |it| it.answer.window = 2),
        ("window 2^31", |it| it.answer.window = 1 << 31),
        ("3 events", |it| it.answer.events = 3),
        ("2^31 events", |it| it.answer.events = 1 << 31),
        ("more events than there is memory for", |it| {
            it.answer.events = 4096;
        }),
        ("requests of another size", |it| {
            it.answer.shape.request_area += 64;
        }),
        ("no responses", |it| it.answer.shape.response_area = 0),
        ("huge events", |it| it.answer.shape.event_area = 1 << 30),
        ("no memory", |it| it.given.clear()),
        ("one piece of memory", |it| it.given.truncate(1)),
        ("memory the other way round", |it| it.given.reverse()),
        ("unsealed memory", |it| {
            it.given[0] = memfd(1 << 20, true, SealFlags::empty());
        }),
        ("sparse memory", |it| {
            it.given[0] = memfd(1 << 40, false, SIZED);
        }),
    ];
    for (what, change) in changes {
        let error = offered::<T>(change);
        assert!(is_foreign(error.as_ref()), "{what}: {error:?}");
    }
    let second: [Change; 3] = [
        ("unsealed", |it| {
            it.given[1] = memfd(1 << 20, true, SealFlags::empty());
        }),
        ("too small", |it| {
            it.given[1] = memfd(64, true, SIZED | SealFlags::FUTURE_WRITE);
        }),
        ("no memory", |it| {
            it.given[1] = RawListener::new().into_socket();
        }),
    ];
    for (what, change) in second {
        let error = offered::<T>(change);
        assert!(is_foreign(error.as_ref()), "{what}: {error:?}");
    }
    // An isolated client wants the responses sealed against the server's later mappings, so that nobody can punch holes into them.
    let error = offered::<T>(|it| it.given[1] = memfd(1 << 20, true, SIZED));
    assert_eq!(is_foreign(error.as_ref()), T::ISOLATED, "{error:?}");
    // The control block has to be written by both.
    let error = offered::<T>(|it| it.given[0] = memfd(1 << 20, true, SIZED | SealFlags::WRITE));
    assert!(is_foreign(error.as_ref()), "{error:?}");
    let error = offered::<T>(|it| it.given[0] = own_memfd(1 << 20).1);
    assert!(is_foreign(error.as_ref()), "{error:?}");
}

#[test]
fn wrong_offers_are_refused_same_user() {
    guarded(wrong_offers_are_refused::<SameUser>);
}

#[test]
fn wrong_offers_are_refused_isolated() {
    guarded(wrong_offers_are_refused::<Isolated>);
}

#[test]
fn doorbells_that_are_not_there_are_refused() {
    guarded(|| {
        for bells in [65, 1 << 16, u32::MAX] {
            let error = offered::<SameUser>(|it| {
                it.given[1] = memfd(128, true, SIZED);
                it.answer.bells = bells;
            });
            assert!(is_foreign(error.as_ref()), "{bells} doorbells: {error:?}");
        }
    });
}

#[test]
fn garbage_instead_of_an_answer_is_told_as_that() {
    guarded(|| {
        for bytes in [
            &b"?"[..],
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            &[0; 64],
            &[0xff; 5000],
        ] {
            let (client, ()) = RawListener::new().meet::<Isolated, _>(&config(), |socket, _, _| {
                send(&socket, bytes, &[]).unwrap();
            });
            let error = client.err();
            assert!(is_foreign(error.as_ref()), "{error:?}");
        }
        let version = Offer::honest::<Isolated>(WINDOW)
            .answer
            .message()
            .with(8, 9);
        let (client, ()) = RawListener::new().meet::<Isolated, _>(&config(), |socket, _, _| {
            send(&socket, &version.0, &[]).unwrap();
        });
        let text = client.err().unwrap().to_string();
        assert!(text.contains("version 9"), "{text}");
        // Heard, and left.
        let (client, ()) = RawListener::new().meet::<Isolated, _>(&config(), |_, _, _| ());
        let error = client.err();
        assert!(
            matches!(error, Some(AttachError::Refused { .. })),
            "{error:?}"
        );
    });
}

#[test]
fn every_refusal_is_passed_on() {
    guarded(|| {
        let refusal = |verdict| {
            offered::<Isolated>(move |it| {
                it.answer.verdict = verdict;
                it.text = vec![b'?', 0xff, b'\n'];
                it.given.clear();
            })
        };
        assert!(matches!(refusal(1), Some(AttachError::AbiMismatch { .. })));
        assert!(matches!(
            refusal(2),
            Some(AttachError::TooManyClients { limit: 1 })
        ));
        assert!(matches!(refusal(3), Some(AttachError::Refused { .. })));
        assert!(matches!(refusal(4), Some(AttachError::Denied { .. })));
        assert!(matches!(refusal(5), Some(AttachError::Refused { .. })));
    });
}

#[test]
fn an_isolated_server_cannot_write_the_requests() {
    guarded(|| {
        let (mut client, server) = RawServer::with_client::<Isolated>(WINDOW);
        client.echo(5, 1).unwrap();
        let (map, at) = server.request(0);
        assert_eq!(map.get(at + 8), 5, "it sees them");
        let fd = &server.given[0];
        assert!(Map::of(fd, true).is_err());
        assert!(map.make_writable().is_err());
        assert!(rustix::io::pwrite(fd, &[1], 0).is_err());
        assert!(rustix::fs::ftruncate(fd, 0).is_err());
        let hole = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        assert!(rustix::fs::fallocate(fd, hole, 0, 4096).is_err());
        assert!(rustix::fs::fcntl_add_seals(fd, SealFlags::WRITE).is_err());
    });
}

/// What one poll of a client gives out.
fn polled<T: Trust>(client: &mut Caller<T>) -> Vec<(u64, Result<u64, CallError>)> {
    let mut got = Vec::new();
    for _ in 0..16 {
        let _ = client.poll(|user_data, reply| match reply {
            Reply::Echo(result) => got.push((user_data, result.copied())),
            other => panic!("{other:?} is no reply to an echo"),
        });
    }
    got
}

fn replies_to_nobody_are_ignored<T: Trust>() {
    let (mut client, server) = RawServer::with_client::<T>(WINDOW);
    // Replies in every slot before anything was asked, of every kind.
    for slot in 0..server.slots {
        for number in [0, 1, 8191] {
            for status in [0, 1, 2, 3, 4, 5, u16::MAX] {
                let (map, at) = server.short_reply(slot);
                map.put(at, reply_word(request_identity(number), status, 8));
                assert_eq!(polled(&mut client), []);
            }
        }
    }
    client.echo(5, 1).unwrap();
    let (map, at) = server.short_reply(0);
    // The identity of another call, and of this one with another state.
    for identity in [request_identity(1), request_identity(8191), 0, 1, u16::MAX] {
        map.put(at, reply_word(identity, 0, 8));
        assert_eq!(polled(&mut client), []);
    }
    map.put(at + 8, 9);
    map.put(at, reply_word(request_identity(0), 0, 8));
    assert_eq!(polled(&mut client), [(1, Ok(9))]);
    // The same once more, and to the slot's next call.
    map.put(at, reply_word(request_identity(0), 0, 8));
    assert_eq!(polled(&mut client), []);
    client.echo(6, 2).unwrap();
    map.put(at, reply_word(request_identity(0), 0, 8));
    assert_eq!(polled(&mut client), []);
    assert_eq!(client.in_flight(), 1);
    map.put(at + 8, 9);
    map.put(at, reply_word(request_identity(1), 0, 8));
    assert_eq!(polled(&mut client), [(2, Ok(9))]);
}

#[test]
fn replies_to_nobody_are_ignored_same_user() {
    guarded(replies_to_nobody_are_ignored::<SameUser>);
}

#[test]
fn replies_to_nobody_are_ignored_isolated() {
    guarded(replies_to_nobody_are_ignored::<Isolated>);
}

fn forged_replies_are_errors<T: Trust>() {
    let (mut client, server) = RawServer::with_client::<T>(WINDOW);
    let (map, at) = server.short_reply(0);
    let mut number = 0;
    for (status, value) in [
        (0, 0),
        (0, 7),
        (0, 9),
        (0, u32::MAX),
        (1, 1),
        (2, 0),
        (3, u32::MAX),
        (4, u32::MAX),
        (5, 0),
        (u16::MAX, 0),
    ] {
        client.echo(5, number).unwrap();
        map.put(at, reply_word(request_identity(number), status, value));
        let got = polled(&mut client);
        assert_eq!(got.len(), 1, "status {status}, value {value}");
        let error = got[0].1.unwrap_err();
        match status {
            0 | 4 => assert!(matches!(error, CallError::InvalidData(_)), "{error:?}"),
            3 => assert_eq!(error, CallError::Unimplemented),
            _ => assert_eq!(error, CallError::Aborted),
        }
        number += 1;
    }
    // A response of the right length whose contents are impossible.
    client.toggle(peer::probe::Mode::ON, 1).unwrap();
    map.put(at + 8, 0x77);
    map.put(at, reply_word(request_identity(number), 0, 1));
    let mut got = 0;
    client
        .poll(|_, reply| {
            let Reply::Toggle(Err(CallError::InvalidData(invalid))) = reply else {
                panic!("{reply:?}");
            };
            assert_ne!(invalid.kind(), InvalidKind::Size);
            got += 1;
        })
        .unwrap();
    assert_eq!(got, 1);
}

#[test]
fn forged_replies_are_errors_same_user() {
    guarded(forged_replies_are_errors::<SameUser>);
}

#[test]
fn forged_replies_are_errors_isolated() {
    guarded(forged_replies_are_errors::<Isolated>);
}

fn forged_events_are_dropped<T: Trust>() {
    let (mut client, server) = RawServer::with_client::<T>(WINDOW);
    let mut number = 0;
    let mut put = |method, len, identity: Option<u16>| {
        let slot = number as usize % server.events();
        let (map, at) = server.event(slot);
        map.put(at + 8, 5);
        let turn = number / server.events() as u64;
        map.put(
            at,
            word(
                identity.unwrap_or(request_identity(turn)),
                method,
                len,
                0,
                false,
            ),
        );
        if identity.is_none() {
            number += 1;
        }
    };
    let seen = |client: &mut Caller<T>| {
        let mut count = 0;
        client.poll_events(|_| count += 1).unwrap();
        count
    };
    for identity in [0, 2, 3, request_identity(1), u16::MAX] {
        put(9, 8, Some(identity));
        assert_eq!(seen(&mut client), 0, "identity {identity}");
    }
    for (method, len) in [
        (9, 0),
        (9, 9),
        (9, (1 << 17) - 1),
        (1, 8),
        (0, 8),
        (u16::MAX, 8),
    ] {
        put(method, len, None);
        assert_eq!(seen(&mut client), 0, "method {method}, {len} bytes");
    }
    assert_eq!(client.counters().invalid_events, 6);
    put(9, 8, None);
    assert_eq!(seen(&mut client), 1, "and then a true one");
}

#[test]
fn forged_events_are_dropped_same_user() {
    guarded(forged_events_are_dropped::<SameUser>);
}

#[test]
fn forged_events_are_dropped_isolated() {
    guarded(forged_events_are_dropped::<Isolated>);
}

fn a_server_that_only_pretends_to_live_is_outlived<T: Trust>() {
    let (mut client, server) = RawServer::with_client::<T>(WINDOW);
    let stop = AtomicBool::new(false);
    // It takes the client's announcements away again and again, floods it with messages, and never answers.
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                server.client_side().fetch_and(!9, Ordering::AcqRel);
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                let _ = rustix::net::send(&server.socket, &[3; 100], flags);
                thread::yield_now();
            }
        });
        client.within(Duration::from_millis(200));
        let result = client.blocking().echo(1);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(result, Err(CallError::Timeout));
    });
    // And then it goes, with a call in flight, and without a word in the control block.
    client.echo(1, 1).unwrap();
    drop(server.socket);
    let mut got = Vec::new();
    until("the call ends with its server", || {
        got.extend(polled(&mut client));
        !got.is_empty()
    });
    let lost = CallError::Disconnected {
        maybe_executed: true,
    };
    assert_eq!(got, [(1, Err(lost))]);
    assert_eq!(client.wait(Duration::ZERO), Err(WaitError::Disconnected));
}

#[test]
fn a_server_that_only_pretends_to_live_is_outlived_same_user() {
    guarded(a_server_that_only_pretends_to_live_is_outlived::<SameUser>);
}

#[test]
fn a_server_that_only_pretends_to_live_is_outlived_isolated() {
    guarded(a_server_that_only_pretends_to_live_is_outlived::<Isolated>);
}
