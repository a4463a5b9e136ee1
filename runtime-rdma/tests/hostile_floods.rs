//! Peers that go on and on: they send without end, take nothing, or say a byte from time to time. Each is cut off, and the others are
//! served meanwhile.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use peer::{
    Echo, Message, Point, RawClient, RawListener, RawServer, connect, device, echo, event_imm,
    guarded, honest_server, note_imm, request_imm, serve, settle,
};
use runtime_core::{AttachError, Audience};
use runtime_rdma::verbs::bindings::IBV_WC_SUCCESS;

/// A client that has no buffer for replies, and uses its slots again all the same: what waits for room at the server is bounded by nothing
/// that an honest client does.
#[test]
fn a_client_that_takes_no_replies_is_ended() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut honest = connect(&address, 4).unwrap();
        let mut raw = RawClient::attach_deaf(&address, &name, 4);
        settle(&mut server, 2);
        for number in 0..1000 {
            if !raw.qp.send(request_imm(0, (number % 8) as u8, 1), &[0; 8]) {
                break;
            }
            serve(&mut server);
            let _ = raw.qp.sent();
        }
        settle(&mut server, 1);
        echo(&mut server, &mut honest, 1);
    });
}

/// The same with events, which it says to have taken.
#[test]
fn a_client_that_takes_no_events_and_says_so_is_ended() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut honest = connect(&address, 4).unwrap();
        let mut raw = RawClient::attach_deaf(&address, &name, 4);
        settle(&mut server, 2);
        for count in 0..1000 {
            let _ = server.ticked(Audience::All, count);
            let _ = honest.poll_events(|_| ());
            if !raw.qp.send(note_imm(1, false), &[]) {
                break;
            }
            serve(&mut server);
            let _ = raw.qp.sent();
        }
        settle(&mut server, 1);
        echo(&mut server, &mut honest, 1);
    });
}

/// A server that has no buffer for notes, and sends events as if it had had them.
#[test]
fn a_server_that_takes_no_notes_harms_its_client_in_nothing_else() {
    guarded(|| {
        let (name, _) = device();
        let (mut client, mut raw) = RawServer::deaf_with_client(&name, 2, 2);
        let mut counts = 0;
        for count in 0..1000_u64 {
            if !raw.qp.send(event_imm(9), &count.to_le_bytes()) {
                break;
            }
            if client.poll_events(|_| counts += 1).is_err() {
                break;
            }
            let _ = raw.qp.sent();
        }
        assert!(counts >= 2, "the first are within the window");
    });
}

/// Floods a server that runs on a thread of its own with messages, for as long as they are taken. They must end before the flood does, and
/// another client be served meanwhile.
fn flood(imm: fn(u64) -> u32) {
    let (name, _) = device();
    let (address, mut server) = honest_server(&name, 4);
    let mut honest = connect(&address, 4).unwrap();
    let mut raw = RawClient::attach(&address, &name, 4);
    settle(&mut server, 2);
    let stopper = server.transport().stopper();
    let thread = thread::spawn(move || server.serve(&mut Echo));
    let served = Arc::new(AtomicU64::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let caller = {
        let (served, is_over) = (Arc::clone(&served), Arc::clone(&is_over));
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                if honest.blocking().echo(1) == Ok(1) {
                    served.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    };
    let end = Instant::now() + Duration::from_secs(5);
    let (mut number, mut is_cut_off) = (0, false);
    while !is_cut_off && Instant::now() < end {
        while raw.qp.send(imm(number), &[0; 8]) && number % 256 != 255 {
            number += 1;
        }
        number += 1;
        is_cut_off = raw.qp.sent().iter().any(|status| *status != IBV_WC_SUCCESS);
    }
    let served_meanwhile = served.load(Ordering::Relaxed);
    is_over.store(true, Ordering::Relaxed);
    drop(raw);
    caller.join().unwrap();
    stopper.stop();
    thread.join().unwrap();
    assert!(
        is_cut_off,
        "the flood went on for seconds; {served_meanwhile} calls were served beside it"
    );
}

#[test]
fn a_flood_of_requests_in_one_slot_is_cut_off() {
    guarded(|| flood(|_| request_imm(0, 1, 1)));
}

#[test]
fn a_flood_of_notes_that_say_nothing_is_cut_off() {
    guarded(|| flood(|_| note_imm(0, false)));
}

/// A server that says a byte of its answer from time to time.
#[test]
fn a_server_that_drips_is_given_up() {
    guarded(|| {
        let (name, _) = device();
        let listener = RawListener::new(&name);
        let address = listener.address.clone();
        let (done, ended) = mpsc::channel();
        thread::spawn(move || done.send(connect(&address, 4).err()));
        let socket = listener.accept();
        let _ = RawListener::hear(&socket);
        let nowhere = Point {
            qpn: 0,
            psn: 0,
            lid: 0,
            mtu: 0,
            is_global: 0,
            gid: [0; 16],
        };
        // A byte a quarter of a second, which is half a minute in all.
        for byte in Message::answer(0, 4, &nowhere).0 {
            let _ = (&socket).write_all(&[byte]);
            if let Ok(error) = ended.recv_timeout(Duration::from_millis(250)) {
                let after = Duration::from_secs(5);
                let name = listener.address;
                assert_eq!(error, Some(AttachError::NoAnswer { name, after }));
                return;
            }
        }
        panic!("it was waited for all along");
    });
}
