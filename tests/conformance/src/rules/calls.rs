//! Calls of every shape, their errors, and validation on both sides.

use runtime_core::{CallError, InvalidKind, Refusal};

use super::{replies, reply, serve};
use crate::probe::probe::{Reply, Request, method};
use crate::probe::{Blob, Image, MathError, Mode};
use crate::{Backend, Probe, pair};

pub fn every_shape_round_trips<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let mut probe = Probe::default();
    let mut blob = Blob::default();
    blob.words[0] = 7;
    let mut image = Image {
        pixels: [250; 4000],
    };
    image.pixels[9] = 1;

    client.echo(11, 1).unwrap();
    client.mirror(&blob, 2).unwrap();
    client.brighten(&image, 9, 3).unwrap();
    client.divide(91, 7, 4).unwrap();
    client.toggle(Mode::OFF, 5).unwrap();
    client.split(5 << 32 | 6, 6).unwrap();
    assert_eq!(serve::<B>(&mut server, &mut probe), 6);

    let mut seen = Vec::new();
    while seen.len() < 6 {
        client
            .poll(|user_data, reply| {
                seen.push(user_data);
                match (user_data, reply) {
                    (1, Reply::Echo(value)) => assert_eq!(value, Ok(&11)),
                    (2, Reply::Mirror(blob)) => assert_eq!(blob.unwrap().words[63], 7),
                    (3, Reply::Brighten(response)) => {
                        let pixels = &response.unwrap().image.pixels;
                        assert_eq!((pixels[0], pixels[9], pixels[3999]), (255, 10, 255));
                    }
                    (4, Reply::Divide(value)) => assert_eq!(value, Ok(&13)),
                    (5, Reply::Toggle(mode)) => assert_eq!(mode, Ok(&Mode::ON)),
                    (6, Reply::Split(response)) => {
                        let response = response.unwrap();
                        assert_eq!((response.high, response.low), (5, 6));
                        assert!(response.result.get());
                    }
                    (user_data, reply) => panic!("{reply:?} came with {user_data}"),
                }
            })
            .unwrap();
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
}

pub fn service_errors_are_typed<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    client.divide(1, 0, 1).unwrap();
    serve::<B>(&mut server, &mut Probe::default());
    let mut seen = 0;
    while seen == 0 {
        client
            .poll(|_, reply| {
                let Reply::Divide(result) = reply else {
                    panic!("unexpected {reply:?}")
                };
                assert_eq!(result, Err(CallError::Service(MathError::BY_ZERO)));
                seen += 1;
            })
            .unwrap();
    }
}

pub fn invalid_requests_do_not_reach_the_server<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    client.toggle(Mode(7), 1).unwrap();
    client.toggle(Mode::ON, 2).unwrap();
    // Only the valid one is seen; the other is answered by the runtime.
    assert_eq!(serve::<B>(&mut server, &mut Probe::default()), 1);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        client
            .poll(|user_data, reply| {
                let Reply::Toggle(result) = reply else {
                    panic!("unexpected {reply:?}")
                };
                seen.push((user_data, result.copied()));
            })
            .unwrap();
    }
    seen.sort_by_key(|(user_data, _)| *user_data);
    let Err(CallError::InvalidData(invalid)) = seen[0].1 else {
        panic!("unexpected {:?}", seen[0])
    };
    assert_eq!(
        (invalid.kind(), invalid.offset()),
        (InvalidKind::NotMember, 0)
    );
    assert_eq!(
        invalid.to_string(),
        "`ToggleRequest.mode` at byte 0 is not a declared value"
    );
    assert_eq!(seen[1], (2, Ok(Mode::OFF)));
}

pub fn invalid_replies_do_not_reach_the_caller<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    client.toggle(Mode::ON, 1).unwrap();
    while let Some(request) = server.recv().unwrap() {
        let Request::Toggle(call) = request else {
            panic!("unexpected {request:?}")
        };
        call.reply(Mode(9)).unwrap();
    }
    let mut seen = 0;
    while seen == 0 {
        client
            .poll(|_, reply| {
                let Reply::Toggle(Err(CallError::InvalidData(invalid))) = reply else {
                    panic!("unexpected {reply:?}")
                };
                assert_eq!(invalid.kind(), InvalidKind::NotMember);
                seen += 1;
            })
            .unwrap();
    }
    // The slot is free again.
    assert_eq!(client.in_flight(), 0);
}

pub fn oneway_needs_no_reply_and_is_bounded<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let mut probe = Probe::default();
    let window = client.window() as u64;
    for value in 0..window {
        client.note(value).unwrap();
    }
    assert_eq!(client.note(99), Err(Refusal::WouldBlock));
    serve::<B>(&mut server, &mut probe);
    // No poll is needed for the slots to be free again.
    for value in window..3 * window {
        while client.note(value) == Err(Refusal::WouldBlock) {
            serve::<B>(&mut server, &mut probe);
        }
    }
    serve::<B>(&mut server, &mut probe);
    assert_eq!(probe.notes, (0..3 * window).collect::<Vec<_>>());
    // A oneway request takes nothing from calls, and its end is not delivered.
    client.echo(5, 1).unwrap();
    serve::<B>(&mut server, &mut probe);
    assert_eq!(reply(&mut client), (1, Ok(5)));
}

pub fn replies_come_in_any_order<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let window = client.window() as u64;
    for round in 0..20 {
        for value in 0..window {
            client.echo(value, 1000 + value).unwrap();
        }
        let mut tokens = Vec::new();
        while let Some(request) = server.recv().unwrap() {
            let Request::Echo(call) = request else {
                panic!("unexpected {request:?}")
            };
            tokens.push(call.into_token());
        }
        assert_eq!(tokens.len() as u64, window);
        // Another order each round.
        for step in 0..window {
            let at = (step * 7 + round) as usize % tokens.len();
            let token = tokens.swap_remove(at);
            let value = token.data().value;
            server.reply::<method::Echo>(token, value).unwrap();
        }
        let mut got = replies(&mut client, window as usize);
        got.sort_unstable_by_key(|(user_data, _)| *user_data);
        for (value, (user_data, result)) in (0..window).zip(got) {
            assert_eq!((user_data, result), (1000 + value, Ok(value)));
        }
    }
}
