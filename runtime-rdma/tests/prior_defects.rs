//! What an earlier system of this kind got wrong, each as a test that names it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::thread;
use std::time::Duration;

use peer::probe::probe::{Reply, Request};
use peer::probe::{Blob, Image};
use peer::{
    ABORTED, BUFFER, Caller, INVALID, LOST, Message, OK, REQUEST, RawClient, RawServer,
    UNIMPLEMENTED, bind, connect, device, device_with, drain, echo, guarded, honest_server,
    kind_of, reply_imm, serve, settle, tag_of, take, until, until_clean,
};
use runtime_core::{
    AttachError, CallError, ClientConfig, Connect, Refusal, ServerConfig, TokenError,
};
use runtime_rdma::Client;
use sim_verbs::Traits;

/// A blob that shows who has written it.
fn blob(seed: u64) -> Blob {
    Blob {
        words: std::array::from_fn(|at| seed.wrapping_mul(0x9E37_79B9) ^ at as u64),
    }
}

#[test]
fn defect_1_a_held_request_never_changes() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut client = connect(&address, 4).unwrap();
        let mut other = connect(&address, 4).unwrap();
        client.mirror(&blob(1), 1).unwrap();
        client.brighten(&Image { pixels: [7; 4000] }, 1, 2).unwrap();
        let (mut blobs, mut images) = (Vec::new(), Vec::new());
        until("both are received", || {
            match server.recv().unwrap() {
                Some(Request::Mirror(call)) => blobs.push(call.into_token()),
                Some(Request::Brighten(call)) => images.push(call.into_token()),
                Some(other) => panic!("{other:?} was not sent"),
                None => {}
            }
            blobs.len() + images.len() == 2
        });
        for round in 0..1000 {
            for caller in [&mut client, &mut other] {
                // All that may be in flight beside what is held.
                caller.mirror(&blob(round + 2), round).unwrap();
                caller
                    .brighten(&Image { pixels: [9; 4000] }, 1, round)
                    .unwrap();
                let mut ended = 0;
                until("they are answered", || {
                    serve(&mut server);
                    caller
                        .poll(|_, reply| {
                            match reply {
                                Reply::Mirror(Ok(mirrored)) => {
                                    assert_eq!(mirrored.words, blob(round + 2).words);
                                }
                                Reply::Brighten(Ok(response)) => {
                                    assert_eq!(response.image.pixels, [10; 4000]);
                                }
                                other => panic!("{other:?}"),
                            }
                            ended += 1;
                        })
                        .unwrap();
                    ended == 2
                });
            }
            assert_eq!(blobs[0].data().blob.words, blob(1).words, "round {round}");
            assert_eq!(images[0].data().image.pixels, [7; 4000], "round {round}");
        }
        server.reply(blobs.remove(0), &blob(1)).unwrap();
        drop(images);
        let mut got = Vec::new();
        until("both have ended", || {
            take(&mut client, &mut got).unwrap();
            got.len() == 2
        });
        got.sort_by_key(|(user_data, _)| *user_data);
        assert_eq!(
            got,
            [(1, Ok(blob(1).words[0])), (2, Err(CallError::Aborted))]
        );
        drop((client, other, server));
        assert_eq!(device.counters().rnr, 0);
        until_clean(device);
    });
}

#[test]
fn defect_1_the_window_is_the_bound_of_what_is_held() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 2);
        let mut client = connect(&address, 4).unwrap();
        for value in 0..4 {
            client.echo(value, value).unwrap();
        }
        let mut tokens = Vec::new();
        until("all are held", || {
            if let Some(Request::Echo(call)) = server.recv().unwrap() {
                tokens.push(call.into_token());
            }
            tokens.len() == 4
        });
        for _ in 0..100 {
            let refused = client.echo(9, 9).unwrap_err();
            assert_eq!((refused.why, refused.user_data), (Refusal::WouldBlock, 9));
            assert_eq!(client.poll(|_, _| ()), Ok(0));
        }
        server.reply(tokens.remove(2), 2).unwrap();
        let mut got = Vec::new();
        until("one is answered", || {
            take(&mut client, &mut got).unwrap();
            !got.is_empty()
        });
        assert_eq!(got, [(2, Ok(2))]);
        client.echo(9, 9).unwrap();
        assert_eq!(client.echo(9, 9).unwrap_err().why, Refusal::WouldBlock);
        drop(tokens);
    });
}

/// The methods of the probe service with the lengths of their requests.
const METHODS: [(u16, usize); 8] = [
    (1, 8),
    (2, 512),
    (3, 4001),
    (4, 16),
    (5, 8),
    (6, 1),
    (7, 8),
    (8, 8),
];

#[test]
fn defect_2_forged_lengths_of_requests_are_refused() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut honest = connect(&address, 4).unwrap();
        let mut raw = RawClient::attach(&address, &name, 4);
        for (method, right) in METHODS {
            for len in [0, 1, right - 1, right, right + 1, 64, REQUEST as usize] {
                let body = vec![0; len];
                let generation = raw.request(1, method, &body);
                let mut reply = None;
                until("it is answered", || {
                    serve(&mut server);
                    reply = raw.hear().pop();
                    reply.is_some()
                });
                let (imm, body) = reply.unwrap();
                assert_eq!(tag_of(imm), (1, generation));
                let expected = match (method, len == right) {
                    // By zero.
                    (4, true) => 1,
                    (_, true) => OK,
                    (_, false) => INVALID,
                };
                assert_eq!(kind_of(imm), expected, "method {method}, {len} bytes");
                assert!(expected == OK || body.len() == 4, "a refusal is a number");
            }
        }
        for method in [0, 9, 10, 255, u16::MAX] {
            raw.request(0, method, &[0; 8]);
            let mut reply = None;
            until("it is answered", || {
                serve(&mut server);
                reply = raw.hear().pop();
                reply.is_some()
            });
            assert_eq!(kind_of(reply.unwrap().0), UNIMPLEMENTED, "method {method}");
        }
        echo(&mut server, &mut honest, 5);
        // What no buffer has room for ends its sender.
        raw.request(0, 3, &[0; REQUEST as usize + 1]);
        settle(&mut server, 1);
        echo(&mut server, &mut honest, 6);
    });
}

#[test]
fn defect_2_forged_lengths_of_replies_are_refused() {
    guarded(|| {
        let (name, device) = device();
        for len in [0, 1, 7, 9, 64, 512, REQUEST as usize] {
            let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
            client.echo(1, 7).unwrap();
            let (imm, _) = request(&raw);
            let (slot, generation) = ((imm >> 16) as u16 & 0xfff, (imm >> 28) as u8);
            assert!(
                raw.qp
                    .send(reply_imm(slot, generation, OK), &vec![0x55; len])
            );
            let mut got = Vec::new();
            until("the call ends", || {
                take(&mut client, &mut got).unwrap();
                !got.is_empty()
            });
            assert!(
                matches!(got[..], [(7, Err(CallError::InvalidData(_)))]),
                "{len} bytes: {got:?}"
            );
        }
        let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
        client.echo(1, 7).unwrap();
        let (imm, _) = request(&raw);
        let (slot, generation) = ((imm >> 16) as u16 & 0xfff, (imm >> 28) as u8);
        assert!(raw.qp.send(reply_imm(slot, generation, OK), &[0; BUFFER]));
        assert_eq!(drain(&mut client), [(7, LOST)]);
        let why = client.transport().why_gone().unwrap().to_string();
        assert!(why.contains("receiving from it failed"), "{why}");
        drop((client, raw));
        until_clean(device);
    });
}

/// Waits for a request at a server by hand.
fn request(raw: &RawServer) -> (u32, Vec<u8>) {
    let mut got = Vec::new();
    until("the request arrives", || {
        got = raw.qp.received();
        !got.is_empty()
    });
    got.remove(0)
}

#[test]
fn defect_3_sizes_that_differ_are_refused() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 2);
        for at in [32, 36, 40] {
            for bytes in [0, 64, 8192, u32::MAX] {
                if at == 40 && bytes == 64 {
                    continue;
                }
                let hello = Message::hello(4).with(at, bytes);
                let answer = RawClient::ask(&RawClient::dial(&address), &hello.0).unwrap();
                assert_eq!(answer.verdict(), 3);
                assert!(
                    answer.text().contains("use one version"),
                    "{}",
                    answer.text()
                );
            }
        }
        for window in [0, 1, 3, 8192, 1 << 31, u32::MAX] {
            let hello = Message::hello(window);
            let answer = RawClient::ask(&RawClient::dial(&address), &hello.0).unwrap();
            assert_eq!(answer.verdict(), 3);
            assert_eq!(
                answer.text(),
                format!(
                    "the client wants a window of {window}: it must be a power of two from 2 to 4096"
                )
            );
        }
        let mut client = connect(&address, 4).unwrap();
        echo(&mut server, &mut client, 1);
        drop((client, server));
        until_clean(device);
    });
}

#[test]
fn defect_3_what_no_buffer_could_hold_is_not_made() {
    guarded(|| {
        let (name, _) = device_with(Traits {
            max_qp_wr: 64,
            ..Traits::default()
        });
        let (address, mut server) = honest_server(&name, 2);
        for window in [0, 1, 3, 8192, usize::MAX] {
            let error = connect(&address, window).err().unwrap();
            let AttachError::Config { what } = error else {
                panic!("{error:?}");
            };
            assert_eq!(
                what,
                format!(
                    "`ClientConfig::window` is {window}: it must be a power of two from 2 to 4096"
                )
            );
        }
        for event_window in [0, 1, 3, 8192] {
            let config = ServerConfig {
                event_window,
                ..ServerConfig::default()
            };
            let error = bind(&name, &config).err();
            assert!(
                matches!(error, Some(AttachError::Config { .. })),
                "{error:?}"
            );
        }
        // 32 + 32 events + 17 are more than a queue pair of this device has.
        let error = connect(&address, 32).err().unwrap();
        let AttachError::Config { what } = error else {
            panic!("{error:?}");
        };
        assert_eq!(
            what,
            format!(
                "a window of 32 and 32 events take 81 receive buffers, and a queue pair of `{name}` has at most 64"
            )
        );
        let mut client = connect(&address, 8).unwrap();
        echo(&mut server, &mut client, 1);
    });
}

#[test]
fn defect_4_replies_that_nobody_waits_for_are_dropped_and_counted() {
    guarded(|| {
        let (name, _) = device();
        let (mut client, mut raw) = RawServer::with_client(&name, 4, 4);
        let mut strays = 0;
        for round in 0..20_u64 {
            client.echo(round, round).unwrap();
            let (imm, body) = request(&raw);
            assert_eq!(body, round.to_le_bytes());
            let (slot, generation) = ((imm >> 16) as u16 & 0xfff, (imm >> 28) as u8 & 7);
            let other = (slot + 1) % 4;
            // For a slot that was never called, for none that there is, and of another generation.
            for imm in [
                reply_imm(other, generation, OK),
                reply_imm(4095, generation, OK),
                reply_imm(slot, generation + 1, OK),
                reply_imm(slot, generation + 7, ABORTED),
            ] {
                assert!(raw.qp.send(imm, &99_u64.to_le_bytes()));
                strays += 1;
            }
            let mut got = Vec::new();
            take(&mut client, &mut got).unwrap();
            assert_eq!(got, []);
            // The same reply three times over: the first counts.
            for _ in 0..3 {
                assert!(
                    raw.qp
                        .send(reply_imm(slot, generation, OK), &round.to_le_bytes())
                );
            }
            strays += 2;
            until("the call ends", || {
                take(&mut client, &mut got).unwrap();
                !got.is_empty()
            });
            assert_eq!(got, [(round, Ok(round))]);
            until("what is stray is counted", || {
                take(&mut client, &mut got).unwrap();
                client.transport().stray_replies() == strays
            });
            assert_eq!(got.len(), 1);
            let _ = raw.qp.sent();
        }
    });
}

#[test]
fn defect_4_a_late_reply_completes_no_other_call() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 2);
        let config = ClientConfig {
            window: Some(2),
            deadline: Duration::from_millis(20),
            ..ClientConfig::default()
        };
        let mut client = Caller::over(Client::connect(&address, &config).unwrap(), &config);
        for round in 0..10 {
            client.echo(round, round).unwrap();
            let mut token = None;
            until("it is received", || {
                if let Some(Request::Echo(call)) = server.recv().unwrap() {
                    token = Some(call.into_token());
                }
                token.is_some()
            });
            let mut got = Vec::new();
            until("its time is over", || {
                take(&mut client, &mut got).unwrap();
                !got.is_empty()
            });
            assert_eq!(got, [(round, Err(CallError::Timeout))]);
            server.reply(token.unwrap(), round).unwrap();
            until("the late reply is counted", || {
                take(&mut client, &mut got).unwrap();
                client.counters().late_replies == round + 1
            });
            assert_eq!(got.len(), 1);
        }
    });
}

#[test]
fn defect_4_dropped_handles_end_their_calls() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 2);
        let mut client = connect(&address, 2).unwrap();
        for round in 0..20 {
            client.echo(round, 1).unwrap();
            client.echo(round, 2).unwrap();
            let mut dropped = 0;
            until("both were received", || {
                if let Some(Request::Echo(call)) = server.recv().unwrap() {
                    if dropped == 0 {
                        drop(call);
                    } else {
                        let token = call.into_token();
                        thread::spawn(move || drop(token)).join().unwrap();
                    }
                    dropped += 1;
                }
                dropped == 2
            });
            let mut got = Vec::new();
            until("both have ended", || {
                take(&mut client, &mut got).unwrap();
                got.len() == 2
            });
            got.sort_by_key(|(user_data, _)| *user_data);
            assert_eq!(got, [1, 2].map(|it| (it, Err(CallError::Aborted))));
        }
    });
}

#[test]
fn defect_4_a_token_is_its_servers() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 2);
        let (_, mut other) = honest_server(&name, 2);
        let mut client = connect(&address, 2).unwrap();
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
        let mut got = Vec::new();
        until("it ends", || {
            take(&mut client, &mut got).unwrap();
            !got.is_empty()
        });
        assert_eq!(got, [(1, Ok(5))]);
    });
}
