//! Servers that say what they like to an honest client: it gets an error or drops what it did not ask for, and nothing else.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::io::Write as _;

use peer::probe::Mode;
use peer::probe::probe::Event;
use peer::{
    ABORTED, Caller, Draw, Ended, FREED, INVALID, LEAVES, LOST, OK, RawServer, SERVICE,
    UNIMPLEMENTED, device, drain, event_imm, guarded, reply_imm, take, until, until_clean,
};
use runtime_core::CallError;

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
            // An error of the service, of a method that has none, counts as no answer.
            for (kind, aborts) in [(ABORTED, true), (SERVICE, true), (UNIMPLEMENTED, false)] {
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
            client.echo(1, 7).unwrap();
            let (slot, generation, _) = request(&raw);
            assert!(
                raw.qp
                    .send(reply_imm(slot, generation, INVALID), &vec![0xff; len])
            );
            let got = answered(&mut client);
            assert!(
                matches!(got[..], [(7, Err(CallError::InvalidData(_)))]),
                "{len}: {got:?}"
            );
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
