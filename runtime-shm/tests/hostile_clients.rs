//! Clients that have a lane and write what they like into it: the server answers, drops or ignores it, and the others are served.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use peer::probe::probe::Request;
use peer::{
    Caller, Draw, Echo, Honest, RawClient, descriptors, echo, guarded, honest_server, reply_word,
    request_identity, until, word,
};
use runtime_core::{Audience, EmitError};
use runtime_shm::{Isolated, SameUser, Trust};

/// Methods of the probe service.
const MIRROR: u16 = 2;
const BRIGHTEN: u16 = 3;
const TOGGLE: u16 = 6;
const NOTE: u16 = 8;

/// Statuses of replies.
const OK: u16 = 0;
const UNIMPLEMENTED: u16 = 3;
const INVALID: u16 = 4;

/// An honest client beside a hostile one, and their server.
fn beside<T: Trust>(window: u32) -> (Honest<T>, Caller<T>, RawClient) {
    let (name, server) = honest_server::<T>(4);
    let raw = RawClient::attach::<T>(&name, window);
    let honest = Caller::<T>::connect(&name).unwrap();
    (server, honest, raw)
}

/// Serves until nothing is left, and shows that the honest client still has its turn.
fn settle<T: Trust>(server: &mut Honest<T>, honest: &mut Caller<T>) {
    let mut served = 0;
    while let Ok(count @ 1..) = server.poll(&mut Echo, 64) {
        served += count;
        assert!(served < 10_000, "what lies there is served without end");
    }
    echo(server, honest, 7);
}

fn forged_words_harm_only_their_sender<T: Trust>() {
    let (mut server, mut honest, raw) = beside::<T>(4);
    let (map, _) = raw.request(0);
    // States that there are not, generations that are not next, and slots that are not.
    for slot in 0..raw.slots() {
        for forged in [u64::MAX, 0, 1, 2, 3, 1 << 63, 0xdead_beef_dead_beef] {
            raw.write(slot, forged, 0);
            raw.ring();
            settle(&mut server, &mut honest);
        }
        for number in [1, 2, 4095, 8190, 8191] {
            raw.write(slot, word(request_identity(number), 1, 8, 0, false), 0);
            settle(&mut server, &mut honest);
        }
        raw.write(slot, 0, 0);
    }
    assert!(map.len() >= 4096);
    // After all of that its first true request is served as if nothing had been.
    let mut raw = raw;
    let identity = raw.echo(5);
    until("the true request is served", || {
        settle(&mut server, &mut honest);
        raw.reply(0) == reply_word(identity, OK, 8)
    });
}

#[test]
fn forged_words_harm_only_their_sender_same_user() {
    guarded(forged_words_harm_only_their_sender::<SameUser>);
}

#[test]
fn forged_words_harm_only_their_sender_isolated() {
    guarded(forged_words_harm_only_their_sender::<Isolated>);
}

fn forged_lengths_methods_and_slots_are_answered<T: Trust>() {
    // The next request is looked for in the slot that this one names, so every case has a lane of its own.
    let lengths = [0, 1, 7, 9, 56, 57, 64, 512, 4001, 65_536, (1 << 17) - 1];
    for method in [0, 1, MIRROR, BRIGHTEN, TOGGLE, NOTE, 9, 10, u16::MAX] {
        let (name, mut server) = honest_server::<T>(4);
        let mut honest = Caller::<T>::connect(&name).unwrap();
        let mut raw = RawClient::attach::<T>(&name, 4);
        for len in lengths {
            let identity = request_identity(raw.sent);
            raw.sent += 1;
            raw.write(0, word(identity, method, len, 16_383, true), 99);
            raw.ring();
            settle(&mut server, &mut honest);
            let replies = [raw.request(0), raw.response(0)].map(|(map, at)| map.get(at));
            let status = |reply: u64| (reply >> 16) as u16;
            let answered = replies.iter().find(|reply| **reply as u16 == identity ^ 3);
            let answered = *answered.unwrap_or_else(|| panic!("method {method}, {len} bytes"));
            let expected = match (method, len) {
                (1, 8) | (MIRROR, 512) | (BRIGHTEN, 4001) | (NOTE, 8) => OK,
                (1 | MIRROR | BRIGHTEN | TOGGLE | NOTE, _) => INVALID,
                // An event is nothing that a client sends.
                _ => UNIMPLEMENTED,
            };
            assert_eq!(status(answered), expected, "method {method}, {len} bytes");
        }
    }
}

#[test]
fn forged_lengths_methods_and_slots_are_answered_same_user() {
    guarded(forged_lengths_methods_and_slots_are_answered::<SameUser>);
}

#[test]
fn forged_lengths_methods_and_slots_are_answered_isolated() {
    guarded(forged_lengths_methods_and_slots_are_answered::<Isolated>);
}

fn a_slot_that_is_held_is_not_received_again<T: Trust>() {
    let (mut server, mut honest, mut raw) = beside::<T>(4);
    raw.echo(5);
    until("the server knows the lane", || server.clients().len() == 2);
    let Some(Request::Echo(call)) = server.recv().unwrap() else {
        panic!("an echo was sent");
    };
    let token = call.into_token();
    // All slots, with the identity that comes next, while the first is held.
    for slot in (0..raw.slots()).rev() {
        raw.write(slot, word(request_identity(1), 1, 8, 0, true), 6);
    }
    let mut received = 0;
    while let Some(request) = server.recv().unwrap() {
        let Request::Echo(call) = request else {
            panic!("{request:?} was never sent");
        };
        received += 1;
        assert!(received <= raw.slots(), "more requests than slots");
        assert_eq!(call.data().value, 6);
        call.reply(6).unwrap();
    }
    if T::ISOLATED {
        // What was copied stays as it came.
        assert_eq!(token.data().value, 5);
    }
    assert!(server.reply(token, 5).is_ok());
    settle(&mut server, &mut honest);
}

#[test]
fn a_slot_that_is_held_is_not_received_again_same_user() {
    guarded(a_slot_that_is_held_is_not_received_again::<SameUser>);
}

#[test]
fn a_slot_that_is_held_is_not_received_again_isolated() {
    guarded(a_slot_that_is_held_is_not_received_again::<Isolated>);
}

#[test]
fn what_was_checked_is_what_is_read() {
    guarded(|| {
        let (mut server, mut honest, raw) = beside::<Isolated>(2);
        let raw = Arc::new(raw);
        let is_over = Arc::new(AtomicBool::new(false));
        // Turns a mode that there is into one that there is not, and back, as quickly as it can.
        let flipping = {
            let (raw, is_over) = (Arc::clone(&raw), Arc::clone(&is_over));
            thread::spawn(move || {
                let (map, at) = raw.request(0);
                while !is_over.load(Ordering::Relaxed) {
                    map.put(at + 8, 0);
                    map.put(at + 8, 0x77);
                }
            })
        };
        let (mut valid, mut invalid) = (0, 0);
        for number in 0..4000 {
            let identity = request_identity(number);
            let (map, at) = raw.request(0);
            map.put(at, word(identity, TOGGLE, 1, 1, true));
            raw.ring();
            // `Echo` asserts that it sees no mode that there is not.
            until("it is answered", || {
                server.poll(&mut Echo, 8).unwrap();
                raw.reply(0) as u16 == identity ^ 3
            });
            match (raw.reply(0) >> 16) as u16 {
                OK => valid += 1,
                INVALID => invalid += 1,
                other => panic!("status {other}"),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        flipping.join().unwrap();
        assert_eq!(valid + invalid, 4000);
        echo(&mut server, &mut honest, 1);
    });
}

fn control_words_harm_only_their_sender<T: Trust>() {
    let (mut server, mut honest, mut raw) = beside::<T>(4);
    let mut draw = Draw(peer::number("RPCIDL_FUZZ_SEED", 5));
    for round in 0..500 {
        // Whether it sleeps, wants messages, needs fences; but not that it is gone, which ends its lane.
        raw.client_side()
            .store(draw.next() as u32 & !2, Ordering::Release);
        raw.server_side()
            .store(draw.next() as u32 & !2, Ordering::Release);
        raw.control.put(256, draw.next());
        match draw.below(4) {
            0 => raw.ring(),
            1 => {
                raw.echo(round);
            }
            2 => {
                let told = server.ticked(Audience::All, round);
                assert!(
                    matches!(told, Ok(1..) | Err(EmitError::WouldBlock { .. })),
                    "{told:?}"
                );
            }
            _ => {}
        }
        echo(&mut server, &mut honest, round);
        honest.poll_events(|_| ()).unwrap();
    }
    // And that it is gone, while it goes on.
    for round in 0..100 {
        raw.client_side().fetch_xor(2, Ordering::AcqRel);
        raw.echo(round);
        echo(&mut server, &mut honest, round);
    }
}

#[test]
fn control_words_harm_only_their_sender_same_user() {
    guarded(control_words_harm_only_their_sender::<SameUser>);
}

#[test]
fn control_words_harm_only_their_sender_isolated() {
    guarded(control_words_harm_only_their_sender::<Isolated>);
}

fn counts_of_taken_events_are_not_believed<T: Trust>() {
    let (mut server, mut honest, raw) = beside::<T>(4);
    until("the server knows both", || server.clients().len() == 2);
    echo(&mut server, &mut honest, 1);
    // Ahead of what was sent, far ahead, and so far behind that the window is full.
    for taken in [1, 33, 1 << 40, u64::MAX - 31] {
        raw.control.put(256, taken);
        let told = server.ticked(Audience::All, 1);
        let blocked = EmitError::WouldBlock {
            delivered: 1,
            full: 1,
        };
        assert_eq!(told, Err(blocked), "{taken} taken of none");
        let mut got = 0;
        honest.poll_events(|_| got += 1).unwrap();
        assert_eq!(got, 1, "the honest one has its event");
    }
    // One that never takes any holds up its own events, and the server keeps no more of them than the window.
    raw.control.put(256, 0);
    let one = server.clients()[0];
    let sent = (0..100)
        .filter(|_| server.ticked(Audience::One(one), 1).is_ok())
        .count();
    assert_eq!(sent, 32);
    echo(&mut server, &mut honest, 2);
}

#[test]
fn counts_of_taken_events_are_not_believed_same_user() {
    guarded(counts_of_taken_events_are_not_believed::<SameUser>);
}

#[test]
fn counts_of_taken_events_are_not_believed_isolated() {
    guarded(counts_of_taken_events_are_not_believed::<Isolated>);
}

fn a_flood_of_messages_keeps_nobody<T: Trust>() {
    let (mut server, mut honest, raw) = beside::<T>(4);
    let before = descriptors();
    for round in 0..200 {
        for _ in 0..50 {
            raw.ring();
        }
        let spare = raw.given[0].try_clone().unwrap();
        let borrowed = [std::os::fd::AsFd::as_fd(&spare); 50];
        let flags = rustix::net::SendFlags::DONTWAIT;
        let _ = rustix::net::send(&raw.socket, &[9; 5000], flags);
        if round % 20 == 0 {
            // Descriptors, too, which nobody asked for; a server may have told the kernel to take none.
            let _ = peer::send(&raw.socket, &[1], &borrowed);
        }
        drop(spare);
        echo(&mut server, &mut honest, round);
    }
    until("no descriptor is kept", || descriptors() <= before);
    // A doorbell that is nobody's, where it has the doorbells.
    if !T::ISOLATED {
        let bells = peer::Map::of(&raw.given[1], true).unwrap();
        for _ in 0..100 {
            bells.put(128, u64::MAX);
            bells.half(0).store(1, Ordering::Release);
            echo(&mut server, &mut honest, 3);
        }
    }
}

#[test]
fn a_flood_of_messages_keeps_nobody_same_user() {
    guarded(a_flood_of_messages_keeps_nobody::<SameUser>);
}

#[test]
fn a_flood_of_messages_keeps_nobody_isolated() {
    guarded(a_flood_of_messages_keeps_nobody::<Isolated>);
}
