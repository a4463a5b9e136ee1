//! Clients that take nothing, so that the device has no room for what is sent to them: whom that costs what, and for how long; and what a
//! server looks after when it is never idle.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use peer::probe::probe::{Request, Service, method};
use peer::{
    Honest, RawClient, bind, connect, device, device_with, echo, guarded, honest_server, note_imm,
    request_imm, serve, settle, take, until,
};
use runtime_core::{Audience, EmitError, ServerConfig, ServerTransport as _, Token};
use runtime_rdma::Server;
use sim_verbs::Traits;

const ECHO: u16 = 1;

/// A server with an event window of two, and a client of it that takes nothing.
fn with_deaf_client() -> (Honest, RawClient) {
    let (name, _) = device();
    let config = ServerConfig {
        max_clients: 4,
        event_window: 2,
        ..ServerConfig::default()
    };
    let (address, mut server) = bind(&name, &config).unwrap();
    let raw = RawClient::attach_deaf(&address, &name, 2);
    settle(&mut server, 1);
    (server, raw)
}

/// Messages for which a device has room, with a window of two and as many events.
const ROOM: u64 = 32;

/// Makes so many calls in the first slots of a client that takes no replies.
fn fill(server: &mut Honest, raw: &mut RawClient, slots: u64, calls: u64) {
    for call in 0..calls {
        let imm = request_imm((call % slots) as u16, (call / slots % 8) as u8, ECHO);
        assert!(raw.qp.send(imm, &[0; 8]));
        serve(server);
        let _ = raw.qp.sent();
    }
    assert_eq!(server.clients().len(), 1, "it has done nothing wrong yet");
}

/// An event is built where one lies that has left. A client that gives back what it cannot have gets no other.
#[test]
fn no_event_is_built_over_one_that_waits() {
    guarded(|| {
        let (mut server, mut raw) = with_deaf_client();
        fill(&mut server, &mut raw, 2, ROOM);
        let places = std::cell::RefCell::new(Vec::new());
        let emit = |server: &mut Honest| {
            server.emit::<method::Ticked>(Audience::All, |event| {
                places.borrow_mut().push(std::ptr::from_ref(event) as usize);
            })
        };
        assert_eq!([emit(&mut server), emit(&mut server)], [Ok(1), Ok(1)]);
        let full = EmitError::WouldBlock {
            delivered: 0,
            full: 1,
        };
        assert_eq!(emit(&mut server), Err(full));
        assert!(raw.qp.send(note_imm(2, false), &[]));
        assert_eq!(emit(&mut server), Ok(0), "nobody can have it");
        let places = places.into_inner();
        assert_eq!(places.len(), 2);
        assert_ne!(places[0], places[1]);
        until("it is ended", || {
            serve(&mut server);
            server.clients().is_empty()
        });
    });
}

/// One that is deaf and silent breaks no rule. It is ended all the same, since it will never take what waits for it.
#[test]
fn a_client_that_takes_nothing_is_ended_in_time() {
    guarded(|| {
        let (mut server, mut raw) = with_deaf_client();
        fill(&mut server, &mut raw, 2, ROOM + 1);
        let start = Instant::now();
        while !server.clients().is_empty() {
            let _ = server.wait(Duration::from_millis(100));
            serve(&mut server);
            assert!(start.elapsed() < Duration::from_secs(30));
        }
        assert!(start.elapsed() > Duration::from_secs(4));
    });
}

/// Says that it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Flag {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

/// Lets the server's task fall asleep.
fn doze(server: &mut Honest, flag: &Flag, waker: &Waker) {
    until("there is nothing to do", || {
        flag.take();
        server.transport().register(waker);
        thread::sleep(Duration::from_millis(5));
        let is_asleep = !flag.take();
        if !is_asleep {
            serve(server);
        }
        is_asleep
    });
}

/// A call of a client that takes no replies, and what its device's queue is full of.
fn token_without_room(
    server: &mut Honest,
    raw: &mut RawClient,
) -> Token<method::Echo, Server<Service>> {
    assert!(raw.qp.send(request_imm(1, 1, ECHO), &[0; 8]));
    let mut token = None;
    until("it is received", || {
        if let Some(Request::Echo(call)) = server.recv().unwrap() {
            token = Some(call.into_token());
        }
        token.is_some()
    });
    fill(server, raw, 1, ROOM);
    token.unwrap()
}

/// A reply by another thread that finds no room leaves when there is some, though the server's task was asleep.
#[test]
fn a_sleeping_task_lets_go_what_another_thread_could_not() {
    guarded(|| {
        let (mut server, mut raw) = with_deaf_client();
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        let token = token_without_room(&mut server, &mut raw);
        // What waits already has an alarm of its own: only the reply that comes later is to be new.
        thread::spawn(move || drop(token)).join().unwrap();
        raw.qp.receive_into(200);
        let mut aborted = 0;
        until("the reply comes", || {
            if flag.take() {
                serve(&mut server);
            }
            server.transport().register(&waker);
            aborted += raw
                .qp
                .received()
                .iter()
                .filter(|(imm, _)| imm >> 29 == 2)
                .count();
            aborted == 1
        });
        doze(&mut server, &flag, &waker);
    });
}

/// While messages wait for room a task is woken now and then, not all the time.
#[test]
fn a_task_sleeps_between_two_looks_for_room() {
    guarded(|| {
        let (mut server, mut raw) = with_deaf_client();
        fill(&mut server, &mut raw, 2, ROOM + 1);
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        let (mut at_once, mut later) = (0, 0);
        for _ in 0..100 {
            server.transport().register(&waker);
            if flag.take() {
                // A look may be due just then.
                at_once += 1;
            } else {
                until("it is woken to look again", || flag.take());
                later += 1;
            }
            serve(&mut server);
        }
        assert!(
            at_once < later,
            "woken {at_once} times at once, {later} later"
        );
    });
}

/// The seat of a client that has crashed is free after a while, also at a server that always finds something to do, whichever way it answers.
#[test]
fn a_busy_server_gives_seats_again() {
    guarded(|| {
        for tokens in [true, false] {
            let traits = Traits {
                // Nothing says that the crashed client's last message is there.
                last_wqe_event: false,
                ..Traits::default()
            };
            let (name, _) = device_with(traits);
            let (address, mut server) = honest_server(&name, 2);
            let mut honest = connect(&address, 4).unwrap();
            let raw = RawClient::attach(&address, &name, 4);
            settle(&mut server, 2);
            raw.socket.shutdown(Shutdown::Both).unwrap();
            // Its queue pair stays, and says nothing.
            std::mem::forget(raw);
            let calls = AtomicU64::new(0);
            until("there is a seat", || {
                for value in 0..64 {
                    // It has arrived when the server looks: these devices deliver at once.
                    honest.echo(value, value).unwrap();
                    calls.fetch_add(1, Ordering::Relaxed);
                    let mut kept = None;
                    let mut batch = server.batch();
                    while let Some(request) = batch.recv().unwrap() {
                        let Request::Echo(call) = request else {
                            panic!("nothing else was called")
                        };
                        if tokens {
                            kept = Some((call.into_token(), value));
                        } else {
                            call.reply(value).unwrap();
                        }
                    }
                    drop(batch);
                    if let Some((token, value)) = kept {
                        assert!(server.reply(token, value).is_ok());
                    }
                    let mut got = Vec::new();
                    take(&mut honest, &mut got).unwrap();
                    assert_eq!(got.len(), 1);
                }
                connect(&address, 2).is_ok()
            });
            let calls = calls.into_inner();
            assert!(calls > 64, "it had to wait, and was busy: {calls}");
            echo(&mut server, &mut honest, 1);
        }
    });
}
