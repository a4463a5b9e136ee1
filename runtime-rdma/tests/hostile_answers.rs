//! What a client is told by servers that do not keep to the handshake: each is an error that says what was wrong.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use peer::probe::probe::Service;
use peer::{Message, Point, READY, RawListener, RawQp, connect, device, guarded, until_clean};
use runtime_core::{AttachError, Service as _};
use rustix::net::sockopt::set_socket_linger;

#[test]
fn an_event_window_that_is_not_possible_is_foreign() {
    guarded(|| {
        let (name, device) = device();
        for events in [1, 3, 8192, u32::MAX] {
            let listener = RawListener::new(&name);
            let (client, _) = listener.meet(4, |socket| {
                let _ = RawListener::hear(&socket);
                let fits = Message::answer(0, events, &nowhere());
                (&socket).write_all(&fits.0).unwrap();
                socket
            });
            assert_eq!(
                client.err(),
                Some(foreign(&listener, "its event window is not possible"))
            );
        }
        until_clean(device);
    });
}

/// What is said of a queue pair where there is none.
fn nowhere() -> Point {
    Point {
        qpn: 0,
        psn: 0,
        lid: 0,
        mtu: 0,
        is_global: 0,
        gid: [0; 16],
    }
}

fn foreign(listener: &RawListener, what: &str) -> AttachError {
    AttachError::Foreign {
        name: listener.address.clone(),
        what: what.into(),
    }
}

#[test]
fn another_layout_is_told_with_both_hashes_and_the_first_difference() {
    guarded(|| {
        let (name, device) = device();
        let listener = RawListener::new(&name);
        let theirs = Service::ABI_TEXT.replacen("u64", "i64", 1);
        let (client, _) = listener.meet(4, |socket| {
            let _ = RawListener::hear(&socket);
            let other = 5_u128.to_le_bytes();
            let answer = Message::answer(1, 4, &nowhere())
                .with_bytes(16, &other)
                .with_text(&theirs);
            (&socket).write_all(&answer.0).unwrap();
            socket
        });
        let error = client.err().unwrap();
        let AttachError::AbiMismatch {
            name: of,
            ours,
            theirs,
            difference,
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(
            (of, *ours, theirs.0),
            (&listener.address, Service::ABI_HASH, 5)
        );
        let difference = difference.as_ref().unwrap();
        assert!(
            difference.contains("i64") && difference.contains("u64"),
            "{difference}"
        );
        let text = error.to_string();
        for part in [ours.to_string(), theirs.to_string(), difference.clone()] {
            assert!(text.contains(&part), "{text} has no {part}");
        }
        until_clean(device);
    });
}

/// A part of the handshake that a server by hand plays.
type Talk = fn(&RawListener, &TcpStream);

#[test]
fn answers_that_are_garbage_are_foreign() {
    guarded(|| {
        let (name, device) = device();
        let welcome = || Message::answer(0, 4, &nowhere());
        let cases = [
            (welcome().with(0, 0), "what it says is of another protocol"),
            (
                welcome().with(8, 7),
                "it speaks version 7 of the protocol, and this side 1; use one version of rpcidl on both",
            ),
            (welcome().with(12, 4), "what it says makes no sense"),
            (welcome().with(12, u32::MAX), "what it says makes no sense"),
            // A text of more than 64 KiB.
            (
                welcome().with(68, (64 << 10) + 1),
                "what it says makes no sense",
            ),
            (welcome().with(68, u32::MAX), "what it says makes no sense"),
            (
                Message(format!("{:<128}", "HTTP/1.1 400 Bad Request\r\n").into_bytes()),
                "what it says is of another protocol",
            ),
        ];
        for (answer, what) in cases {
            let listener = RawListener::new(&name);
            let (client, _) = listener.meet(4, |socket| {
                let _ = RawListener::hear(&socket);
                (&socket).write_all(&answer.0).unwrap();
                socket
            });
            assert_eq!(client.err(), Some(foreign(&listener, what)));
        }
        until_clean(device);
    });
}

#[test]
fn a_long_text_is_taken_whole() {
    guarded(|| {
        let (name, _) = device();
        let listener = RawListener::new(&name);
        let text = "x".repeat(64 << 10);
        let (client, _) = listener.meet(4, |socket| {
            let _ = RawListener::hear(&socket);
            let answer = Message::answer(3, 4, &nowhere()).with_text(&text);
            (&socket).write_all(&answer.0).unwrap();
            socket
        });
        let name = listener.address;
        assert_eq!(client.err(), Some(AttachError::Refused { name, why: text }));
    });
}

#[test]
fn queue_pairs_that_are_garbage_are_refused() {
    guarded(|| {
        let (name, device) = device();
        let good = RawQp::new(&name).point();
        let nonsense: [fn(&mut Point); 5] = [
            |it| it.qpn = 1 << 24,
            |it| it.psn = u32::MAX,
            |it| it.mtu = 0,
            |it| it.mtu = 6,
            |it| it.is_global = 0,
        ];
        for change in nonsense {
            let mut point = good;
            change(&mut point);
            let listener = RawListener::new(&name);
            let (client, _) = listener.meet(4, |socket| {
                let _ = RawListener::hear(&socket);
                let fits = Message::answer(0, 4, &nowhere());
                (&socket).write_all(&fits.0).unwrap();
                let _ = RawListener::hear(&socket);
                let answer = Message::answer(0, 4, &point);
                (&socket).write_all(&answer.0).unwrap();
                socket
            });
            let error = client.err().unwrap();
            let expected = if point.is_global == 0 {
                AttachError::System {
                    what: "connecting a queue pair".into(),
                    error: "one side is on Ethernet and the other on InfiniBand".into(),
                }
            } else {
                foreign(&listener, "its queue pair is not possible")
            };
            assert_eq!(error, expected);
        }
        until_clean(device);
    });
}

#[test]
fn a_server_that_ends_the_handshake_has_refused() {
    guarded(|| {
        let (name, device) = device();
        let talks: [Talk; 5] = [
            |_, _| {},
            |_, socket| {
                let _ = RawListener::hear(socket);
            },
            |_, mut socket| {
                let _ = RawListener::hear(socket);
                socket
                    .write_all(&Message::answer(0, 4, &nowhere()).0[..50])
                    .unwrap();
            },
            |_, mut socket| {
                let _ = RawListener::hear(socket);
                socket
                    .write_all(&Message::answer(0, 4, &nowhere()).0)
                    .unwrap();
                let _ = RawListener::hear(socket);
            },
            |listener, mut socket| {
                let _ = RawListener::hear(socket);
                socket
                    .write_all(&Message::answer(0, 4, &nowhere()).0)
                    .unwrap();
                let _ = RawListener::hear(socket);
                let point = RawQp::new(&listener.device).point();
                socket.write_all(&Message::answer(0, 4, &point).0).unwrap();
            },
        ];
        for (stage, talk) in talks.into_iter().enumerate() {
            for resets in [false, true] {
                let listener = RawListener::new(&name);
                let (client, ()) = listener.meet(4, |socket| {
                    talk(&listener, &socket);
                    if resets {
                        set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
                    }
                });
                let expected = AttachError::Refused {
                    name: listener.address.clone(),
                    why: "it ended the connection without an answer".into(),
                };
                let error = client.err().unwrap();
                // A reset may be there before the connection is known to stand.
                let is_early = matches!(
                    &error,
                    AttachError::System { what, .. }
                        if stage == 0 && resets && what.starts_with("connecting to")
                );
                assert!(
                    is_early || error == expected,
                    "stage {stage}, reset {resets}: {error:?}"
                );
            }
        }
        until_clean(device);
    });
}

#[test]
fn a_server_that_is_silent_is_given_up() {
    guarded(|| {
        let (name, device) = device();
        let talks: [Talk; 3] = [
            |_, _| {},
            |_, mut socket| {
                let _ = RawListener::hear(socket);
                socket
                    .write_all(&Message::answer(0, 4, &nowhere()).0)
                    .unwrap();
            },
            |listener, mut socket| {
                let _ = RawListener::hear(socket);
                socket
                    .write_all(&Message::answer(0, 4, &nowhere()).0)
                    .unwrap();
                let _ = RawListener::hear(socket);
                let point = RawQp::new(&listener.device).point();
                socket.write_all(&Message::answer(0, 4, &point).0).unwrap();
            },
        ];
        let waits: Vec<_> = talks
            .into_iter()
            .map(|talk| {
                let name = name.clone();
                thread::spawn(move || {
                    let begun = Instant::now();
                    let listener = RawListener::new(&name);
                    let address = listener.address.clone();
                    let client = thread::spawn(move || connect(&address, 4).err());
                    let socket = listener.accept();
                    talk(&listener, &socket);
                    let error = client.join().unwrap();
                    let took = begun.elapsed();
                    let expected = AttachError::NoAnswer {
                        name: listener.address,
                        after: Duration::from_secs(5),
                    };
                    assert_eq!(error, Some(expected));
                    assert!(took >= Duration::from_millis(4900), "{took:?}");
                    assert!(took < Duration::from_secs(15), "{took:?}");
                })
            })
            .collect();
        waits.into_iter().for_each(|it| it.join().unwrap());
        until_clean(device);
    });
}

#[test]
fn something_else_than_ready_is_foreign() {
    guarded(|| {
        let (name, device) = device();
        let listener = RawListener::new(&name);
        let (client, _) = listener.meet(4, |socket| {
            let mut said = &socket;
            let _ = RawListener::hear(&socket);
            said.write_all(&Message::answer(0, 4, &nowhere()).0)
                .unwrap();
            let _ = RawListener::hear(&socket);
            let qp = RawQp::new(&listener.device);
            said.write_all(&Message::answer(0, 4, &qp.point()).0)
                .unwrap();
            said.write_all(&[READY + 1]).unwrap();
            socket
        });
        assert_eq!(
            client.err(),
            Some(foreign(&listener, "what it says makes no sense"))
        );
        until_clean(device);
    });
}
