//! Sides that wait in a loop of their own, in a batch, or as a task: they sleep, and miss nothing.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod peer;

use std::future::Future as _;
use std::io::Write as _;
use std::net::Shutdown;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use peer::probe::probe::{Request, Service};
use peer::{
    Caller, Honest, Message, RawClient, RawQp, bind, connect, device, device_with, guarded,
    honest_server, patient, serve, settle, take, until,
};
use runtime_core::{Audience, EmitError, ServerConfig, WaitError};
use runtime_rdma::{Pollable, Server};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use sim_verbs::Traits;

/// A device like soft-RoCE: it does not tell that a queue pair is drained.
fn taciturn() -> Traits {
    Traits {
        last_wqe_event: false,
        ..Traits::default()
    }
}

fn is_readable(fd: &Pollable, within: Duration) -> bool {
    let within = Timespec::try_from(within).unwrap();
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&within)).unwrap() == 1
}

/// Serves like a program that sleeps in its own epoll loop, until it holds.
fn until_in_own_loop(
    what: &str,
    server: &mut Honest,
    pollable: &Pollable,
    mut holds: impl FnMut(&mut Honest) -> bool,
) {
    until(what, || {
        if !server.transport().arm() || is_readable(pollable, Duration::from_millis(50)) {
            serve(server);
        }
        holds(server)
    });
}

#[test]
fn the_seat_of_a_client_that_crashed_is_free_again() {
    guarded(|| {
        let (name, _device) = device_with(taciturn());
        let (address, mut server) = honest_server(&name, 1);
        let pollable = server.transport().pollable().unwrap();
        let raw = RawClient::attach(&address, &name, 4);
        settle(&mut server, 1);
        raw.socket.shutdown(Shutdown::Both).unwrap();
        std::mem::forget(raw);
        until_in_own_loop("another gets in", &mut server, &pollable, |_| {
            let address = address.clone();
            let other = thread::spawn(move || connect(&address, 2).map(drop));
            other.join().unwrap().is_ok()
        });
    });
}

#[test]
fn sends_that_fail_end_a_client() {
    guarded(|| {
        let (name, _device) = device_with(taciturn());
        let (other, _other_device) = device_with(Traits::default());
        let (address, mut server) = honest_server(&name, 1);
        let mut raw = RawClient::attach(&address, &other, 4);
        settle(&mut server, 1);
        let pollable = server.transport().pollable().unwrap();
        // Its socket lives on.
        raw.request(0, 1, &[0; 8]);
        raw.qp.break_off();
        until_in_own_loop("it is seen to be gone", &mut server, &pollable, |server| {
            server.clients().is_empty()
        });
    });
}

#[test]
fn who_leaves_while_it_connects_takes_no_seat_for_ever() {
    guarded(|| {
        let (name, device) = device_with(taciturn());
        let (address, mut server) = honest_server(&name, 1024);
        let stop = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let (address, name, stop) = (address.clone(), name.clone(), Arc::clone(&stop));
                thread::spawn(move || {
                    let qp = RawQp::new(&name);
                    let hello = Message::hello(2).0;
                    let point = Message::endpoint(&qp.point()).0;
                    while !stop.load(Ordering::Relaxed) {
                        let socket = RawClient::dial(&address);
                        let answer = RawClient::ask(&socket, &hello);
                        if answer.is_some_and(|answer| answer.verdict() == 0) {
                            let _ = (&socket).write_all(&point);
                        }
                    }
                })
            })
            .collect();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            serve(&mut server);
        }
        stop.store(true, Ordering::Relaxed);
        callers.into_iter().for_each(|it| it.join().unwrap());
        until("all are removed", || {
            serve(&mut server);
            let _ = server.wait(Duration::from_millis(20));
            // Those of the callers themselves are destroyed.
            device.queue_pairs().is_empty()
        });
    });
}

#[test]
fn waiting_in_a_batch_loses_nothing() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut client = connect(&address, 64).unwrap();
        settle(&mut server, 1);
        // Requests come one by one, and quickly, until replies wait.
        device.give_singly(true);
        let (mut sent, mut got) = (0, Vec::new());
        let mut batch = server.batch();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) {
            while client.echo(sent, sent).is_ok() {
                sent += 1;
            }
            if let Some(Request::Echo(call)) = batch.recv().unwrap() {
                let value = call.data().value;
                call.reply(value).unwrap();
            }
            let _ = batch.wait(Duration::ZERO);
            take(&mut client, &mut got).unwrap();
        }
        drop(batch);
        device.give_singly(false);
        until("every call is answered", || {
            serve(&mut server);
            take(&mut client, &mut got).unwrap();
            got.len() as u64 == sent
        });
    });
}

#[test]
fn replies_leave_when_a_batch_waits() {
    guarded(|| {
        let (name, _device) = device();
        let config = ServerConfig {
            max_clients: 4,
            spin: Some(Duration::from_secs(3600)),
            ..ServerConfig::default()
        };
        let (address, mut server) = bind(&name, &config).unwrap();
        let mut clients = [(); 2].map(|()| connect(&address, 4).unwrap());
        settle(&mut server, 2);
        for client in &mut clients {
            client.echo(1, 1).unwrap();
        }
        let mut batch = server.batch();
        for _ in &clients {
            assert_eq!(batch.wait(Duration::from_secs(1)), Ok(true));
            let Some(Request::Echo(call)) = batch.recv().unwrap() else {
                panic!("it is there")
            };
            call.reply(1).unwrap();
        }
        assert_eq!(batch.wait(Duration::from_millis(200)), Ok(false));
        for client in &mut clients {
            let mut got = Vec::new();
            take(client, &mut got).unwrap();
            assert_eq!(got.len(), 1, "its reply was kept while the batch waited");
        }
    });
}

#[test]
fn a_server_that_nobody_can_call_is_not_told_to_sleep() {
    guarded(|| {
        let (_name, _device) = device();
        let config = ServerConfig::default();
        let server = Server::<Service>::new(&config).unwrap();
        let connector = server.connector();
        let mut server = Honest::over(server, &config);
        let pollable = server.transport().pollable().unwrap();
        let client = connector.connect(&patient(4)).unwrap();
        settle(&mut server, 1);
        drop(connector);
        serve(&mut server);
        thread::spawn(move || drop(client)).join().unwrap();
        // Events are sent, and each look at what else has happened is theirs.
        thread::sleep(Duration::from_millis(100));
        for _ in 0..2 {
            let _ = server.ticked(Audience::All, 1);
        }
        assert!(
            !server.transport().arm() || is_readable(&pollable, Duration::from_secs(3)),
            "it would sleep for ever"
        );
        assert_eq!(server.recv().err(), Some(WaitError::Disconnected));
    });
}

#[test]
fn a_client_that_is_not_there_yet_is_not_gone() {
    guarded(|| {
        let (name, _device) = device();
        let (address, mut server) = honest_server(&name, 4);
        let _raw = RawClient::introduce(&address, &name, 4);
        settle(&mut server, 1);
        let client = server.clients()[0];
        let refused = server.ticked(Audience::One(client), 1);
        let waits = EmitError::WouldBlock {
            delivered: 0,
            full: 1,
        };
        assert_eq!(refused, Err(waits));
    });
}

struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// How often a future is polled whose reply comes a fifth of a second later.
fn polls_beside(prepare: impl FnOnce(&mut Honest, &mut Caller)) -> u64 {
    let (name, _device) = device();
    let (address, mut server) = honest_server(&name, 4);
    let mut client = connect(&address, 8).unwrap();
    settle(&mut server, 1);
    prepare(&mut server, &mut client);
    let serving = thread::spawn(move || {
        let token = loop {
            if let Some(Request::Echo(call)) = server.recv().unwrap() {
                break call.into_token();
            }
            thread::yield_now();
        };
        thread::sleep(Duration::from_millis(200));
        server.reply(token, 7).unwrap();
        server
    });
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    let mut polls = 0;
    {
        let mut call = pin!(client.echo_async(7));
        loop {
            polls += 1;
            match call.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(result) => break assert_eq!(result, Ok(7)),
                Poll::Pending => thread::park(),
            }
        }
    }
    drop(serving.join().unwrap());
    polls
}

#[test]
fn a_task_sleeps_beside_what_nobody_asks_for() {
    guarded(|| {
        let oneway = polls_beside(|server, client| {
            client.note(1).unwrap();
            serve(server);
        });
        let event = polls_beside(|server, _| {
            server.ticked(Audience::All, 1).unwrap();
        });
        let callback = polls_beside(|server, client| {
            client.echo(1, 1).unwrap();
            serve(server);
        });
        for polls in [oneway, event, callback] {
            assert!(polls < 50, "{polls} polls of a future that waits");
        }
    });
}
