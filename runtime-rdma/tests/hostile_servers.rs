//! Servers that say what they like to an honest client: it gets an error or drops what it did not ask for, and nothing else.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use peer::probe::Mode;
use peer::probe::probe::{Event, Service};
use peer::{
    ABORTED, Caller, Draw, Ended, FREED, INVALID, LEAVES, LOST, Message, OK, Point, READY,
    RawListener, RawQp, RawServer, SERVICE, UNIMPLEMENTED, connect, device, drain, event_imm,
    guarded, reply_imm, take, until, until_clean,
};
use runtime_core::{AttachError, CallError, Service as _};
use rustix::net::sockopt::set_socket_linger;

/// The event that the probe service has.
const TICKED: u16 = 9;

/// A request at a server by hand: slot, generation, body.
fn request(raw: &RawServer) -> (u16, u8, Vec<u8>) {
    let mut got = Vec::new();
    until("the request arrives", || {
        got = raw.qp.received();
        !got.is_empty()
    });
    assert_eq!(got.len(), 1);
    let (imm, body) = got.remove(0);
    assert_eq!(imm >> 31, 0, "it is a request");
    ((imm >> 16 & 0xfff) as u16, (imm >> 28 & 7) as u8, body)
}

/// What one call brings whose server answers so.
fn answered(client: &mut Caller) -> Vec<Ended> {
    let mut got = Vec::new();
    until("the call ends", || {
        take(client, &mut got).unwrap();
        !got.is_empty()
    });
    got
}

#[test]
fn refusals_are_what_they_say() {
    guarded(|| {
        let (name, device) = device();
        let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
        for len in [0, 1, 3, 4, 5, 64, 4032] {
            for (kind, aborts) in [(ABORTED, true), (UNIMPLEMENTED, false)] {
                client.echo(1, 7).unwrap();
                let (slot, generation, _) = request(&raw);
                let body = vec![0xff; len];
                assert!(raw.qp.send(reply_imm(slot, generation, kind), &body));
                let expected = if aborts {
                    CallError::Aborted
                } else {
                    CallError::Unimplemented
                };
                assert_eq!(answered(&mut client), [(7, Err(expected))]);
            }
            // A service error of a method that has none, and an invalid request that was not.
            for kind in [SERVICE, INVALID] {
                client.echo(1, 7).unwrap();
                let (slot, generation, _) = request(&raw);
                assert!(
                    raw.qp
                        .send(reply_imm(slot, generation, kind), &vec![0xff; len])
                );
                let got = answered(&mut client);
                assert!(
                    matches!(got[..], [(7, Err(CallError::InvalidData(_)))]),
                    "{kind}, {len}: {got:?}"
                );
            }
            let _ = raw.qp.sent();
        }
        drop((client, raw));
        until_clean(device);
    });
}

#[test]
fn values_that_there_are_not_do_not_reach_the_caller() {
    guarded(|| {
        let (name, _) = device();
        let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
        for mode in [2, 0x77, 0xff] {
            client.toggle(Mode::ON, 7).unwrap();
            let (slot, generation, _) = request(&raw);
            assert!(raw.qp.send(reply_imm(slot, generation, OK), &[mode]));
            let got = answered(&mut client);
            assert!(
                matches!(got[..], [(7, Err(CallError::InvalidData(_)))]),
                "{got:?}"
            );
        }
    });
}

#[test]
fn lists_of_freed_slots_that_are_garbage_free_nothing() {
    guarded(|| {
        let (name, device) = device();
        let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
        let mut draw = Draw(3);
        let mut strays = 0;
        for len in [0, 1, 2, 3, 63, 64, 4031, 4032] {
            let body: Vec<u8> = (0..len).map(|_| draw.next() as u8 | 4).collect();
            assert!(raw.qp.send(FREED, &body));
            // Bit 2 of every slot is set, and there are four.
            strays += len as u64 / 2;
            until("they are counted", || {
                assert_eq!(client.poll(|_, _| panic!("nothing was called")), Ok(0));
                client.transport().stray_replies() == strays
            });
        }
        // A call whose slot is among them, and that has a reply with a body, gets none of it.
        client.echo(1, 7).unwrap();
        let (slot, generation, _) = request(&raw);
        let tag = slot | u16::from(generation) << 12;
        assert!(
            raw.qp
                .send(FREED, &[tag.to_le_bytes(), tag.to_le_bytes()].concat())
        );
        let got = answered(&mut client);
        assert!(
            matches!(got[..], [(7, Err(CallError::InvalidData(_)))]),
            "{got:?}"
        );
        assert_eq!(client.transport().stray_replies(), strays + 1);
        drop((client, raw));
        until_clean(device);
    });
}

#[test]
fn more_events_than_the_window_end_the_connection() {
    guarded(|| {
        let (name, device) = device();
        let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
        client.echo(1, 7).unwrap();
        for count in 0..5_u64 {
            assert!(raw.qp.send(event_imm(TICKED), &count.to_le_bytes()));
        }
        assert_eq!(drain(&mut client), [(7, LOST)]);
        let why = client.transport().why_gone().unwrap().to_string();
        assert!(why.contains("more events than it may"), "{why}");
        drop((client, raw));
        until_clean(device);
    });
}

#[test]
fn events_that_there_are_not_are_counted_and_skipped() {
    guarded(|| {
        let (name, _) = device();
        let (mut client, mut raw) = RawServer::with_client(&name, 4, 32);
        let mut bad = 0;
        for (method, len) in [
            (0, 8),
            (1, 8),
            (10, 8),
            (u16::MAX, 8),
            (TICKED, 7),
            (TICKED, 9),
        ] {
            assert!(raw.qp.send(event_imm(method), &vec![1; len]));
            bad += 1;
        }
        assert!(raw.qp.send(event_imm(TICKED), &77_u64.to_le_bytes()));
        let mut counts = Vec::new();
        until("the true one arrives", || {
            client
                .poll_events(|event| {
                    let Event::Ticked(ticked) = event;
                    counts.push(ticked.count);
                })
                .unwrap();
            !counts.is_empty()
        });
        assert_eq!(counts, [77]);
        assert_eq!(client.counters().invalid_events, bad);
    });
}

#[test]
fn a_service_without_its_events_window_is_foreign() {
    guarded(|| {
        let (name, device) = device();
        for events in [0, 1, 3, 8192, u32::MAX] {
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
fn farewells_end_what_is_pending() {
    guarded(|| {
        let (name, _) = device();
        for len in [0, 1, 4032] {
            let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
            client.echo(1, 7).unwrap();
            let (slot, generation, _) = request(&raw);
            client.echo(2, 8).unwrap();
            assert!(
                raw.qp
                    .send(reply_imm(slot, generation, OK), &5_u64.to_le_bytes())
            );
            assert!(raw.qp.send(LEAVES, &vec![0; len]));
            assert_eq!(drain(&mut client), [(7, Ok(5)), (8, LOST)]);
        }
    });
}

#[test]
fn messages_without_immediate_data_end_the_connection() {
    guarded(|| {
        let (name, _) = device();
        for len in [0, 8, 4032] {
            let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
            client.echo(1, 7).unwrap();
            assert!(raw.qp.send_bare(&vec![0; len]));
            assert_eq!(drain(&mut client), [(7, LOST)]);
        }
    });
}

#[test]
fn memory_of_a_client_is_nobodys_to_read_or_write() {
    guarded(|| {
        let (name, _) = device();
        let secret = Box::new([0x5a_u8; 64]);
        for key in (0..40).map(|key| key | 0x8000_0000).chain([0, u32::MAX]) {
            for reads in [false, true] {
                let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
                client.echo(1, 7).unwrap();
                let addr = secret.as_ptr() as u64;
                assert!(if reads {
                    raw.qp.read(addr, key, 64)
                } else {
                    raw.qp.write(addr, key, &[0xee; 64])
                });
                assert_eq!(drain(&mut client), [(7, LOST)]);
            }
        }
        assert_eq!(*secret, [0x5a; 64]);
    });
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
                assert_eq!(
                    client.err(),
                    Some(expected),
                    "stage {stage}, reset {resets}"
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

#[test]
fn what_is_said_after_ready_ends_the_connection() {
    guarded(|| {
        let (name, _) = device();
        let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
        client.echo(1, 7).unwrap();
        raw.socket.write_all(b"more").unwrap();
        assert_eq!(drain(&mut client), [(7, LOST)]);
        let why = client.transport().why_gone();
        assert_eq!(
            why,
            Some("it said something on a socket that is only a sign of life")
        );
    });
}

#[test]
fn random_messages_end_every_call_once() {
    guarded(|| {
        let seed = 0xface;
        println!("seed {seed:#x}");
        let (name, device) = device();
        let mut draw = Draw(seed);
        for _ in 0..60 {
            let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
            let (mut sent, mut got) = (0, Vec::new());
            for _ in 0..60 {
                if draw.below(2) == 0 && client.echo(sent, sent).is_ok() {
                    sent += 1;
                }
                let imm = match draw.below(8) {
                    0 => draw.next() as u32,
                    1 => FREED,
                    2 => event_imm(draw.below(12) as u16),
                    _ => reply_imm(
                        draw.below(5) as u16,
                        draw.below(8) as u8,
                        draw.below(5) as u32,
                    ),
                };
                let body: Vec<u8> = (0..draw.below(70)).map(|_| draw.next() as u8).collect();
                // Once it is ended, nothing is taken any more.
                let _ = raw.qp.send(imm, &body);
                let _ = (raw.qp.sent(), raw.qp.received());
                if take(&mut client, &mut got).is_err() {
                    break;
                }
                if draw.below(3) == 0 {
                    let _ = client.poll_events(|_| ());
                }
            }
            drop(raw);
            client.close(|user_data, reply| got.push((user_data, peer::result_of(&reply))));
            got.sort_by_key(|(user_data, _)| *user_data);
            let ended: Vec<_> = got.iter().map(|(user_data, _)| *user_data).collect();
            assert_eq!(ended, (0..sent).collect::<Vec<_>>());
        }
        until_clean(device);
    });
}
