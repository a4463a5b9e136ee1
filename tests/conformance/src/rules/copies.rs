//! Zero-copy, and the promise that what is held is not overwritten.

use runtime_core::{CallError, ClientTransport};

use super::{reply, serve};
use crate::probe::probe::{Reply, Request, method};
use crate::probe::{Blob, Image};
use crate::{Backend, Probe, pair};

pub fn the_request_is_read_where_it_was_built<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let mut loan = client.loan::<method::Mirror>().unwrap();
    loan.blob.words[3] = 3;
    let built = &raw const loan.blob.words[5];
    loan.send(1);
    let mut replied = core::ptr::null();
    while let Some(request) = server.recv().unwrap() {
        let Request::Mirror(call) = request else {
            panic!("unexpected {request:?}")
        };
        assert_eq!(call.data().blob.words[3], 3);
        if B::Client::OVERLAYS {
            assert_one_memory::<B>(&raw const call.data().blob.words[5], built);
        }
        let mut response = call.build();
        response.words[4] = 4;
        replied = &raw const response.words[5];
        response.send().unwrap();
    }
    let mut seen = 0;
    while seen == 0 {
        client
            .poll(|_, reply| {
                let Reply::Mirror(Ok(blob)) = reply else {
                    panic!("unexpected {reply:?}")
                };
                assert_eq!((blob.words[3], blob.words[4]), (0, 4));
                if B::Client::OVERLAYS {
                    assert_one_memory::<B>(&raw const blob.words[5], replied);
                }
                seen += 1;
            })
            .unwrap();
    }
}

/// Asserts that a number that one side reads is the one that the other wrote, not a copy of it: it lies at one address, or, where each side
/// has a mapping of its own, what is written through one is there in the other.
fn assert_one_memory<B: Backend>(read: *const u64, written: *const u64) {
    if B::ONE_MAPPING {
        assert_eq!(read, written);
        return;
    }
    assert_ne!(read, written);
    // SAFETY: it lies in a slot that this test holds, mapped for writing on this side; the one thread of this test does it all, so nobody
    // reads the number meanwhile.
    unsafe { written.cast_mut().write_volatile(77) };
    // SAFETY: as above.
    assert_eq!(unsafe { read.read_volatile() }, 77);
}

pub fn a_held_request_is_not_overwritten<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let mut probe = Probe::default();
    let window = client.window() as u64;
    // All but one slot are held; the last one carries a thousand other calls.
    for value in 1..window {
        client.echo(value, value).unwrap();
    }
    let mut held = Vec::new();
    while let Some(request) = server.recv().unwrap() {
        let Request::Echo(call) = request else {
            panic!("unexpected {request:?}")
        };
        held.push(call.into_token());
    }
    for value in 10_000..11_000 {
        client.echo(value, value).unwrap();
        serve::<B>(&mut server, &mut probe);
        assert_eq!(reply(&mut client), (value, Ok(value)));
    }
    for (value, token) in (1..).zip(held) {
        assert_eq!(token.data().value, value);
        server.reply::<method::Echo>(token, value * 2).unwrap();
        assert_eq!(reply(&mut client), (value, Ok(value * 2)));
    }
}

pub fn in_place_edits_the_request<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let image = Image { pixels: [1; 4000] };
    client.brighten(&image, 2, 1).unwrap();
    while let Some(request) = server.recv().unwrap() {
        let Request::Brighten(call) = request else {
            panic!("unexpected {request:?}")
        };
        let arrived = &raw const call.data().image;
        let mut edit = call.edit();
        if <B::Server as runtime_core::ServerTransport>::OVERLAYS {
            assert_eq!(
                &raw const edit.image, arrived,
                "the image is edited where it arrived"
            );
        }
        edit.image.pixels[0] += 41;
        edit.send().unwrap();
    }
    let mut seen = 0;
    while seen == 0 {
        client
            .poll(|_, reply| {
                let Reply::Brighten(Ok(response)) = reply else {
                    panic!("unexpected {reply:?}")
                };
                assert_eq!(
                    (response.image.pixels[0], response.image.pixels[1]),
                    (42, 1)
                );
                seen += 1;
            })
            .unwrap();
    }
}

/// Messages of several lines, which a reply may overwrite while others are in flight and may not when it is alone.
pub fn a_row_of_large_calls_keeps_each_to_its_own<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let window = client.window() as u64;
    for in_flight in [1, 2, window, 1, window] {
        let blob = |first: u64| Blob {
            words: core::array::from_fn(|at| first * 100 + at as u64),
        };
        for number in 0..in_flight {
            client.mirror(&blob(number), number).unwrap();
        }
        let mut held = Vec::new();
        let mut answered = 0;
        while held.len() as u64 + answered < in_flight {
            let Some(request) = server.recv().unwrap() else {
                continue;
            };
            let Request::Mirror(call) = request else {
                panic!("unexpected {request:?}")
            };
            let number = call.data().blob.words[0] / 100;
            if number % 3 == 0 {
                // The first word of the response is written while the last of the request is still to be read.
                call.respond(|request, response| {
                    for at in 0..64 {
                        response.words[at] = request.blob.words[63 - at];
                    }
                    Ok(())
                })
                .unwrap();
                answered += 1;
            } else {
                held.push(call.into_token());
            }
        }
        while let Some(token) = held.pop() {
            let arrived = token.data().blob;
            let number = arrived.words[0] / 100;
            assert_eq!(arrived.words, blob(number).words);
            if number % 3 == 1 {
                let mut back = arrived;
                back.words.reverse();
                server.reply::<method::Mirror>(token, &back).unwrap();
            }
        }
        let mut seen = 0;
        while seen < in_flight {
            client
                .poll(|number, reply| {
                    let Reply::Mirror(reply) = reply else {
                        panic!("unexpected {reply:?}")
                    };
                    let mut wanted = blob(number);
                    wanted.words.reverse();
                    match reply {
                        Ok(back) => assert_eq!(back.words, wanted.words),
                        Err(error) => assert_eq!((error, number % 3), (CallError::Aborted, 2)),
                    }
                    seen += 1;
                })
                .unwrap();
        }
    }
}
