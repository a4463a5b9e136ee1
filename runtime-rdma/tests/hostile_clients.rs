//! Clients that have a connection and send what they like over it: the server answers, drops or ends them, and the others are served.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::io::Write as _;

use peer::probe::probe::Request;
use peer::{
    Caller, Draw, Honest, OK, RawClient, UNIMPLEMENTED, connect, device, echo, guarded,
    honest_server, kind_of, note_imm, request_imm, serve, settle, tag_of, take, until, until_clean,
    until_ended,
};
use runtime_core::{Audience, EmitError};
use runtime_rdma::verbs::bindings::{IBV_QPS_ERR, IBV_WC_SUCCESS};
use sim_verbs::Device;

/// The events that a client may be sent.
const EVENTS: usize = 32;

const ECHO: u16 = 1;
const NOTE: u16 = 8;

/// A server, an honest client, and where more are let in.
struct Scene {
    name: String,
    device: Device,
    address: String,
    server: Honest,
    honest: Caller,
}

impl Scene {
    fn new() -> Self {
        let (name, device) = device();
        let (address, server) = honest_server(&name, 4);
        let honest = connect(&address, 8).unwrap();
        let mut scene = Self {
            name,
            device,
            address,
            server,
            honest,
        };
        settle(&mut scene.server, 1);
        scene
    }

    fn hostile(&mut self, window: u32) -> RawClient {
        let raw = RawClient::attach(&self.address, &self.name, window);
        settle(&mut self.server, 2);
        raw
    }

    /// Shows that the honest client is served.
    fn echo(&mut self) {
        echo(&mut self.server, &mut self.honest, 7);
    }

    /// Shows that the server has ended the hostile one, and that the honest one is served.
    fn is_rid_of(&mut self, raw: &RawClient) {
        settle(&mut self.server, 1);
        until_ended(&mut self.server, &raw.socket);
        self.echo();
    }

    /// Shows that the hostile one is still a client, whose true requests are answered.
    fn still_serves(&mut self, raw: &mut RawClient, slot: u16) {
        let generation = raw.request(slot, ECHO, &9_u64.to_le_bytes());
        let mut reply = None;
        until("the true request is answered", || {
            serve(&mut self.server);
            reply = raw.hear().pop();
            reply.is_some()
        });
        let (imm, body) = reply.unwrap();
        assert_eq!((kind_of(imm), tag_of(imm)), (OK, (slot, generation)));
        assert_eq!(body, 9_u64.to_le_bytes());
        self.echo();
    }

    /// Shows that nothing is left when all have gone.
    fn end(self) {
        let device = self.device;
        drop((self.honest, self.server));
        until_clean(device);
    }
}

#[test]
fn slots_beyond_the_window_end_their_sender() {
    guarded(|| {
        let mut scene = Scene::new();
        for slot in [4, 5, 31, 32, 255, 4095] {
            let mut raw = scene.hostile(4);
            assert!(raw.qp.send(request_imm(slot, 1, ECHO), &[0; 8]));
            scene.is_rid_of(&raw);
        }
        scene.end();
    });
}

#[test]
fn a_slot_that_is_held_takes_no_second_request() {
    guarded(|| {
        let mut scene = Scene::new();
        let mut raw = scene.hostile(4);
        raw.request(1, ECHO, &5_u64.to_le_bytes());
        let mut token = None;
        until("it is received", || {
            if let Some(Request::Echo(call)) = scene.server.recv().unwrap() {
                token = Some(call.into_token());
            }
            token.is_some()
        });
        let token = token.unwrap();
        raw.request(1, ECHO, &6_u64.to_le_bytes());
        scene.is_rid_of(&raw);
        for _ in 0..100 {
            scene.echo();
        }
        assert_eq!(token.data().value, 5, "what is held stays as it came");
        assert!(scene.server.reply(token, 5).is_err(), "nobody waits for it");
        drop(raw);
        scene.end();
    });
}

#[test]
fn more_than_the_window_is_refused() {
    guarded(|| {
        let mut scene = Scene::new();
        let mut raw = scene.hostile(4);
        // The server does not look meanwhile: all of it lies there.
        for number in 0..64_u64 {
            let slot = (number % 4) as u16;
            assert!(
                raw.qp
                    .send(request_imm(slot, 1, ECHO), &number.to_le_bytes())
            );
        }
        scene.is_rid_of(&raw);
        assert!(
            scene.server.counters().total().calls <= 4 + 1,
            "no more than its window was served"
        );
        drop(raw);
        scene.end();
    });
}

#[test]
fn generations_are_the_clients_own_affair() {
    guarded(|| {
        let mut scene = Scene::new();
        let mut raw = scene.hostile(4);
        // The reply names the slot as the request did, whatever that was.
        for generation in [7, 7, 0, 3, 3] {
            assert!(raw.qp.send(request_imm(2, generation, ECHO), &[0; 8]));
            let mut reply = None;
            until("it is answered", || {
                serve(&mut scene.server);
                reply = raw.hear().pop();
                reply.is_some()
            });
            assert_eq!(tag_of(reply.unwrap().0), (2, generation));
        }
        scene.still_serves(&mut raw, 2);
        drop(raw);
        settle(&mut scene.server, 1);
        scene.end();
    });
}

#[test]
fn methods_that_there_are_not_are_unimplemented() {
    guarded(|| {
        let mut scene = Scene::new();
        let mut raw = scene.hostile(4);
        // The ninth is an event, which is nothing that a client sends.
        for method in [0, 9, 10, 1000, u16::MAX] {
            for len in [0, 8, 4032] {
                raw.request(0, method, &vec![0xff; len]);
                let mut reply = None;
                until("it is answered", || {
                    serve(&mut scene.server);
                    reply = raw.hear().pop();
                    reply.is_some()
                });
                assert_eq!(kind_of(reply.unwrap().0), UNIMPLEMENTED, "{method}, {len}");
            }
        }
        scene.still_serves(&mut raw, 0);
        drop(raw);
        settle(&mut scene.server, 1);
        scene.end();
    });
}

#[test]
fn events_that_were_not_sent_are_not_given_back() {
    guarded(|| {
        for taken in [1, 32, 33, u16::MAX] {
            let mut scene = Scene::new();
            let mut raw = scene.hostile(4);
            assert!(raw.qp.send(note_imm(taken, false), &[]));
            scene.is_rid_of(&raw);
            drop(raw);
            // After some were sent, more of them.
            let mut raw = scene.hostile(4);
            assert_eq!(scene.server.ticked(Audience::All, 1), Ok(2));
            assert!(raw.qp.send(note_imm(taken.saturating_add(1), false), &[]));
            scene.is_rid_of(&raw);
            drop(raw);
            scene.end();
        }
    });
}

#[test]
fn the_event_window_bounds_what_is_sent_to_a_client_that_takes_none() {
    guarded(|| {
        let mut scene = Scene::new();
        let mut raw = scene.hostile(4);
        let id = scene.server.clients()[1];
        for count in 0..EVENTS as u64 {
            assert_eq!(scene.server.ticked(id.into(), count), Ok(1));
        }
        let full = EmitError::WouldBlock {
            delivered: 0,
            full: 1,
        };
        for _ in 0..100 {
            assert_eq!(scene.server.ticked(id.into(), 0), Err(full));
        }
        assert_eq!(raw.hear().len(), EVENTS);
        assert!(raw.qp.send(note_imm(2, false), &[]));
        assert_eq!(scene.server.ticked(id.into(), 1), Ok(1));
        assert_eq!(scene.server.ticked(id.into(), 1), Ok(1));
        assert_eq!(scene.server.ticked(id.into(), 1), Err(full));
        scene.echo();
        drop(raw);
        settle(&mut scene.server, 1);
        scene.end();
    });
}

#[test]
fn messages_without_immediate_data_end_their_sender() {
    guarded(|| {
        let mut scene = Scene::new();
        for len in [0, 1, 8, 4032] {
            let mut raw = scene.hostile(4);
            assert!(raw.qp.send_bare(&vec![0; len]));
            scene.is_rid_of(&raw);
        }
        scene.end();
    });
}

#[test]
fn memory_is_nobodys_to_read_or_write() {
    guarded(|| {
        let mut scene = Scene::new();
        let secret = Box::new([0x5a_u8; 64]);
        let targets = [
            (0, 0),
            (secret.as_ptr() as u64, 1),
            (secret.as_ptr() as u64, u32::MAX),
        ];
        for reads in [false, true] {
            // The keys of regions are small numbers here, so these are those of the server's own memory, too.
            let keys = (0..40).map(|key| (secret.as_ptr() as u64, key | 0x8000_0000));
            for (addr, rkey) in targets.into_iter().chain(keys) {
                let mut raw = scene.hostile(4);
                let taken = if reads {
                    raw.qp.read(addr, rkey, 64)
                } else {
                    raw.qp.write(addr, rkey, &[0xee; 64])
                };
                assert!(taken);
                let mut sent = Vec::new();
                until("it has failed", || {
                    sent.extend(raw.qp.sent());
                    !sent.is_empty()
                });
                assert_ne!(sent[0], IBV_WC_SUCCESS, "reads: {reads}, key {rkey:#x}");
                assert_eq!(raw.qp.state(), IBV_QPS_ERR);
                scene.is_rid_of(&raw);
            }
        }
        assert_eq!(*secret, [0x5a; 64]);
        scene.end();
    });
}

#[test]
fn a_farewell_with_requests_behind_it_ends_in_order() {
    guarded(|| {
        let mut scene = Scene::new();
        for _ in 0..50 {
            let mut raw = scene.hostile(4);
            raw.request(0, NOTE, &1_u64.to_le_bytes());
            assert!(raw.qp.send(note_imm(0, true), &[]));
            for slot in 0..4 {
                assert!(raw.qp.send(request_imm(slot, 1, ECHO), &[0; 8]));
            }
            settle(&mut scene.server, 1);
            scene.echo();
        }
        // The buffers that all of it took are back: an honest client finds one for each of its slots, without waiting.
        let before = scene.device.counters().rnr;
        for value in 0..200 {
            for slot in 0..8 {
                scene.honest.echo(value, slot).unwrap();
            }
            let mut got = Vec::new();
            until("a whole window is answered", || {
                serve(&mut scene.server);
                take(&mut scene.honest, &mut got).unwrap();
                got.len() == 8
            });
        }
        assert_eq!(scene.device.counters().rnr, before);
        scene.end();
    });
}

#[test]
fn what_is_said_after_ready_ends_who_says_it() {
    guarded(|| {
        let mut scene = Scene::new();
        for said in [&[0x52][..], &[0], b"hello", &[7; 4000]] {
            let mut raw = scene.hostile(4);
            raw.socket.write_all(said).unwrap();
            settle(&mut scene.server, 1);
            scene.echo();
            drop(raw);
        }
        scene.end();
    });
}

#[test]
fn one_that_vanishes_in_the_middle_is_removed() {
    guarded(|| {
        let mut scene = Scene::new();
        for round in 0..20_u16 {
            let mut raw = scene.hostile(4);
            for slot in 0..round % 5 {
                raw.request(slot, ECHO, &[0; 8]);
            }
            if round % 2 == 0 {
                // Its queue pair fails, and its socket stands.
                raw.qp.break_off();
                scene.echo();
                if round % 5 == 0 {
                    scene.server.ticked(Audience::All, 1).unwrap();
                }
                let _ = scene.honest.poll_events(|_| ());
            }
            drop(raw);
            settle(&mut scene.server, 1);
            scene.echo();
        }
        scene.end();
    });
}

#[test]
fn random_messages_harm_only_their_sender() {
    guarded(|| {
        let seed = 0x5eed;
        println!("seed {seed:#x}");
        let mut draw = Draw(seed);
        let mut scene = Scene::new();
        for _ in 0..150 {
            let mut raw = scene.hostile(4);
            for _ in 0..20 {
                let imm = match draw.below(4) {
                    0 => draw.next() as u32,
                    1 => request_imm(
                        draw.below(5) as u16,
                        draw.below(8) as u8,
                        draw.below(12) as u16,
                    ),
                    2 => note_imm(draw.below(3) as u16, false),
                    _ => request_imm(draw.below(4) as u16, 1, ECHO),
                };
                let body: Vec<u8> = (0..draw.below(600)).map(|_| draw.next() as u8).collect();
                let taken = match draw.below(40) {
                    0 => raw.qp.send_bare(&body),
                    1 => raw.qp.send(imm, &[0xff; 5000]),
                    2 => raw.qp.write(draw.next(), draw.next() as u32, &body),
                    3 => raw.qp.send(imm, &[1; 4032]),
                    _ => raw.qp.send(imm, &body),
                };
                assert!(taken, "there is room for so few");
                if draw.below(3) == 0 {
                    serve(&mut scene.server);
                }
                if draw.below(3) == 0 {
                    raw.hear().clear();
                }
                if draw.below(10) == 0 {
                    let _ = scene.server.ticked(Audience::All, 1);
                    let _ = scene.honest.poll_events(|_| ());
                }
            }
            scene.echo();
            drop(raw);
            settle(&mut scene.server, 1);
        }
        let device = scene.device;
        scene.end();
        assert_eq!(device.counters().rnr, 0, "nobody has waited for a buffer");
    });
}
