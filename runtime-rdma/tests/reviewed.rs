//! Rules that a review found broken, one test for each: whom a reply reaches, which memory is written when, what wakes whom.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::cell::RefCell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use peer::probe::probe::{Event, Request, Service, method};
use peer::{
    Caller, Honest, Message, OK, RawClient, RawQp, RawServer, bind, connect, device, device_with,
    drain, echo, guarded, honest_server, note_imm, patient, reply_imm, serve, settle, take, until,
};
use runtime_core::{
    Audience, CallError, ClientConfig, Connect as _, ReplyError, ServerConfig, Token,
};
use runtime_rdma::verbs::bindings::IBV_WC_SUCCESS;
use runtime_rdma::{Client, Pollable, Server};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, Timespec, clock_gettime};
use sim_verbs::{Call, Device, Traits};

const ECHO: u16 = 1;
const MIRROR: u16 = 2;
const NOTE: u16 = 8;

/// How long a test waits for something that comes at once if it comes at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Receives a call of `echo`, to be answered later.
fn put_off(server: &mut Honest) -> Token<method::Echo, Server<Service>> {
    let mut token = None;
    until("it is received", || {
        if let Some(Request::Echo(call)) = server.recv().unwrap() {
            token = Some(call.into_token());
        }
        token.is_some()
    });
    token.unwrap()
}

/// The counts of the events that have arrived.
fn counts(client: &mut Caller) -> Vec<u64> {
    let mut counts = Vec::new();
    let _ = client.poll_events(|Event::Ticked(event)| counts.push(event.count));
    counts
}

/// A client that waits for one reply sleeps only when it has seen all that arrived before. The deadline is longer than the watchdog's: a
/// client that sleeps through its reply hangs.
#[test]
fn a_blocking_call_ends_behind_replies_that_nobody_polled() {
    guarded(|| {
        let (name, _) = device();
        // Room for the requests of so many clients with the usual window, which one with a large window takes.
        let (address, mut server) = honest_server(&name, 64);
        let config = ClientConfig {
            spin: Some(Duration::ZERO),
            ..patient(256)
        };
        let client = Client::<Service>::connect(&address, &config).unwrap();
        let mut client = Caller::over(client, &config);
        for value in 0..200 {
            client.echo(value, value).unwrap();
        }
        until("all are answered", || {
            serve(&mut server);
            server.counters().total().calls == 200
        });
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                while !is_over.load(Ordering::Relaxed) {
                    serve(&mut server);
                    let _ = server.wait(Duration::from_millis(5));
                }
            }
        });
        assert_eq!(client.blocking().echo(7), Ok(7));
        let mut got = Vec::new();
        until("the others have ended", || {
            take(&mut client, &mut got).unwrap();
            got.len() == 200
        });
        got.sort_by_key(|(user_data, _)| *user_data);
        assert!(got.into_iter().eq((0..200).map(|it| (it, Ok(it)))));
        is_over.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    });
}

/// The server's device has no memory for a client that fits: the client is told so, and the next one gets in.
#[test]
fn a_client_that_there_is_no_memory_for_is_told_so() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 4);
        let socket = RawClient::dial(&address);
        let fits = RawClient::ask(&socket, &Message::hello(4).0).unwrap();
        assert_eq!(fits.verdict(), 0, "{}", fits.text());
        let qp = RawQp::new(&name);
        device.fail_next(Call::RegMr, libc::ENOMEM);
        let answer = RawClient::ask(&socket, &Message::endpoint(&qp.point()).0)
            .expect("the connection ends without a reason");
        assert_ne!(answer.verdict(), 0);
        assert!(
            answer.text().contains("Cannot allocate memory"),
            "{}",
            answer.text()
        );
        assert!(RawClient::is_ended(&socket, PATIENCE));
        let mut next = connect(&address, 4).unwrap();
        settle(&mut server, 1);
        echo(&mut server, &mut next, 1);
    });
}

/// Which slots are free is told with a list that lies in the response buffer of one of them. So that slot takes no request before the list
/// has left: its response would be lent while the list is written.
#[test]
fn a_slot_that_nobody_was_told_to_be_free_takes_no_request() {
    guarded(|| {
        until("the slots are free and nobody was told", || {
            uses_slots_before_it_is_told()
        });
    });
}

/// False if the client was told of its second slot, because this thread was so slow that what is collected had left.
fn uses_slots_before_it_is_told() -> bool {
    let (name, _) = device();
    let (address, mut server) = honest_server(&name, 4);
    let mut honest = connect(&address, 4).unwrap();
    let mut raw = RawClient::attach(&address, &name, 4);
    settle(&mut server, 2);
    raw.request(3, ECHO, &[0; 8]);
    let token = put_off(&mut server);
    raw.request(0, NOTE, &[0; 8]);
    raw.request(1, NOTE, &[0; 8]);
    // Waits behind them, so that what they free is collected.
    raw.request(2, MIRROR, &[0; 512]);
    let mut batch = server.batch();
    // These devices deliver at once.
    for _ in 0..2 {
        let Some(Request::Note(call)) = batch.recv().unwrap() else {
            panic!("the notes have arrived");
        };
        call.done();
    }
    // What a reply names is its slot, in the bits from 14 on.
    let was_told = |said: &(u32, Vec<u8>)| said.0 >> 29 != 0 || said.0 >> 14 & 0xfff == 1;
    if raw.hear().iter().any(was_told) {
        return false;
    }
    raw.request(1, MIRROR, &[0; 512]);
    let Some(Request::Mirror(call)) = batch.recv().unwrap() else {
        panic!("what waited is received");
    };
    let loan = call.build();
    // What ends in another thread has the list leave.
    thread::spawn(move || drop(token)).join().unwrap();
    assert_eq!(
        black_box(&*loan).words,
        [0; 64],
        "a response that is lent has changed"
    );
    assert_eq!(loan.send(), Err(ReplyError::Disconnected));
    drop(batch);
    settle(&mut server, 1);
    assert!(
        RawClient::is_ended(&raw.socket, PATIENCE),
        "it used a slot that it had not been told to be free"
    );
    echo(&mut server, &mut honest, 1);
    true
}

/// What panics is the user's code, before anything was sent: as many events as before may be sent after it.
#[test]
fn a_panic_while_an_event_is_built_costs_no_credit() {
    guarded(|| {
        let (name, _) = device();
        let config = ServerConfig {
            max_clients: 4,
            event_window: 4,
            ..ServerConfig::default()
        };
        let (address, mut server) = bind(&name, &config).unwrap();
        let mut client = connect(&address, 4).unwrap();
        settle(&mut server, 1);
        for _ in 0..16 {
            let emitted = catch_unwind(AssertUnwindSafe(|| {
                server.emit::<method::Ticked>(Audience::All, |_| panic!("it cannot be built"))
            }));
            assert!(emitted.is_err(), "the panic reaches whoever emits");
        }
        for count in 0..4 {
            assert_eq!(server.ticked(Audience::All, count), Ok(1));
        }
        assert_eq!(counts(&mut client), [0, 1, 2, 3]);
        echo(&mut server, &mut client, 1);
    });
}

/// Who builds an event may end a call of the very client that gets the event.
#[test]
fn a_token_may_be_dropped_while_an_event_is_built() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut client = connect(&address, 4).unwrap();
        client.echo(1, 1).unwrap();
        let token = RefCell::new(Some(put_off(&mut server)));
        let emitted = server.emit::<method::Ticked>(Audience::All, |event| {
            drop(token.borrow_mut().take());
            event.count = 5;
        });
        assert_eq!(emitted, Ok(1));
        let mut got = Vec::new();
        until("the call ends", || {
            take(&mut client, &mut got).unwrap();
            !got.is_empty()
        });
        assert_eq!(got, [(1, Err(CallError::Aborted))]);
        assert_eq!(counts(&mut client), [5]);
    });
}

/// Sends notes that say nothing until it is cut off, or for much longer than that takes: true if it was.
fn flood(address: &str, name: &str) -> bool {
    let mut raw = RawClient::attach(address, name, 4);
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        for _ in 0..64 {
            let _ = raw.qp.send(note_imm(0, false), &[]);
        }
        if raw.qp.sent().iter().any(|status| *status != IBV_WC_SUCCESS) {
            return true;
        }
    }
    false
}

/// What several clients send faster than it is looked at keeps the server in none of its polls.
#[test]
fn clients_that_flood_together_are_cut_off_and_keep_the_server_from_nobody() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 8);
        let mut honest = connect(&address, 4).unwrap();
        settle(&mut server, 1);
        let floods: Vec<_> = (0..3)
            .map(|_| {
                let (address, name) = (address.clone(), name.clone());
                thread::spawn(move || flood(&address, &name))
            })
            .collect();
        let mut value = 0;
        while !floods.iter().all(thread::JoinHandle::is_finished) {
            value += 1;
            echo(&mut server, &mut honest, value);
        }
        for flood in floods {
            assert!(flood.join().unwrap(), "a flood goes on");
        }
        settle(&mut server, 1);
        echo(&mut server, &mut honest, 0);
    });
}

/// A client that has no buffer for replies, and uses its slots in turn as if it had had them.
#[test]
fn a_client_that_takes_no_replies_is_ended_whichever_slots_it_uses() {
    guarded(|| {
        let (name, _) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut honest = connect(&address, 4).unwrap();
        let mut raw = RawClient::attach_deaf(&address, &name, 2);
        settle(&mut server, 2);
        let mut sent = 0_u64;
        while server.clients().len() == 2 {
            assert!(sent < 400, "what waits for it has no end");
            raw.request((sent % 2) as u16, ECHO, &sent.to_le_bytes());
            let _ = raw.qp.sent();
            serve(&mut server);
            sent += 1;
        }
        assert!(RawClient::is_ended(&raw.socket, PATIENCE));
        echo(&mut server, &mut honest, 1);
    });
}

/// A server knows the slots and generations that come next, and may reply before it is asked. The requests are not read from memory that is
/// used again for others: replies to what has not left are none.
#[test]
fn replies_to_requests_that_have_not_left_are_dropped() {
    guarded(|| {
        let (name, _) = device();
        let (mut client, mut server) = RawServer::with_client(&name, 2, 32);
        for round in 0..12_u64 {
            let generation = ((round + 1) % 8) as u8;
            client.hold_doorbell();
            for value in 0..2 {
                client.echo(value, value).unwrap();
            }
            for slot in 0..2 {
                let imm = reply_imm(slot, generation, OK);
                assert!(server.qp.send(imm, &99_u64.to_le_bytes()));
            }
            let mut complete = Vec::new();
            until("the client's device has them", || {
                complete.extend(server.qp.sent());
                complete.len() == 2
            });
            assert_eq!(complete, [IBV_WC_SUCCESS; 2]);
            assert!(server.qp.received().is_empty(), "nothing has left");
            let mut got = Vec::new();
            take(&mut client, &mut got).unwrap();
            assert_eq!(got, []);
            assert_eq!(client.transport().stray_replies(), 2 * (round + 1));
            client.ring_doorbell();
            answer_two(&mut server, generation);
            until("they end", || {
                take(&mut client, &mut got).unwrap();
                got.len() == 2
            });
            got.sort_by_key(|(user_data, _)| *user_data);
            assert_eq!(got, [(0, Ok(0)), (1, Ok(1))]);
        }
    });
}

/// Receives two requests, which must be of this generation, and answers them with what they say.
fn answer_two(server: &mut RawServer, generation: u8) {
    let mut requests = Vec::new();
    until("the requests leave", || {
        requests.extend(server.qp.received());
        requests.len() == 2
    });
    let mut slots = Vec::new();
    for (imm, body) in requests {
        assert_eq!(
            imm >> 28,
            u32::from(generation),
            "it is what was replied to"
        );
        let slot = (imm >> 16 & 0xfff) as u16;
        slots.push(slot);
        assert!(server.qp.send(reply_imm(slot, generation, OK), &body));
    }
    slots.sort_unstable();
    assert_eq!(slots, [0, 1]);
    until("the replies have arrived", || !server.qp.sent().is_empty());
}

/// A server with a reply that the device had no room for, because it completes nothing that it has sent.
struct Stuck {
    device: Device,
    server: Honest,
    client: Caller,
    pollable: Pollable,
}

impl Stuck {
    fn new() -> Self {
        let (name, device) = device_with(Traits {
            max_qp_wr: 64,
            ..Traits::default()
        });
        let (other, _) = device_with(Traits::default());
        let config = ServerConfig {
            max_clients: 2,
            event_window: 2,
            ..ServerConfig::default()
        };
        let (address, mut server) = bind(&name, &config).unwrap();
        let (host, _) = address.split_once('?').unwrap();
        let mut client = connect(&format!("{host}?device={other}"), 4).unwrap();
        settle(&mut server, 1);
        device.delay_completions(1_000_000);
        let pollable = server.transport().pollable().unwrap();
        let mut got = Vec::new();
        let mut called = 0;
        // These devices deliver at once: a call that has not ended after it was served has its reply waiting.
        while client.in_flight() == 0 {
            assert!(called < 1000, "there is room without end");
            client.echo(called, called).unwrap();
            called += 1;
            serve(&mut server);
            assert_eq!(server.counters().total().calls, called);
            take(&mut client, &mut got).unwrap();
        }
        Self {
            device,
            server,
            client,
            pollable,
        }
    }

    /// True if the client's call has ended.
    fn has_ended(&mut self) -> bool {
        let _ = take(&mut self.client, &mut Vec::new());
        self.client.in_flight() == 0
    }

    /// True if the descriptor becomes readable.
    fn is_readable(&self) -> bool {
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let mut descriptors = [PollFd::new(&self.pollable, PollFlags::IN)];
        poll(&mut descriptors, Some(&patience)).unwrap() == 1
    }

    /// What a loop around the descriptor does, until the call has ended.
    fn ends(mut self) {
        until("the call ends", || {
            if self.server.transport().arm() && !self.has_ended() {
                assert!(self.is_readable(), "a reply waits, and nobody is told");
            }
            serve(&mut self.server);
            self.has_ended()
        });
    }
}

#[test]
fn a_descriptor_that_is_armed_leaves_no_reply_behind_that_there_is_room_for() {
    guarded(|| {
        let stuck = Stuck::new();
        stuck.device.release_completions();
        stuck.ends();
    });
}

/// Nothing tells of room in the device's queue, so whoever has armed the descriptor is sent back to look for it.
#[test]
fn a_descriptor_that_is_armed_is_readable_while_a_reply_waits_for_room() {
    guarded(|| {
        let mut stuck = Stuck::new();
        for _ in 0..10 {
            if stuck.server.transport().arm() {
                assert!(stuck.is_readable(), "a reply waits, and nobody is told");
            }
            serve(&mut stuck.server);
            assert!(!stuck.has_ended(), "there is no room");
        }
        let armed = stuck.server.transport().arm();
        stuck.device.release_completions();
        assert!(!armed || stuck.is_readable());
        stuck.ends();
    });
}

/// Processor time that this process has used.
fn used() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// The connection's completions are looked for by nobody any more: that there are some must not keep a thread busy.
#[test]
fn a_client_that_is_armed_after_its_server_has_gone_has_no_thread_spin() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut client = connect(&address, 4).unwrap();
        settle(&mut server, 1);
        drop(server);
        until("the client learns of it", || {
            client.transport().why_gone().is_some()
        });
        let _pollable = client.transport().pollable().unwrap();
        assert!(!client.transport().arm(), "there is the end to look at");
        let queue_pairs = device.queue_pairs();
        assert!(!queue_pairs.is_empty(), "the client's is there");
        for qpn in queue_pairs {
            device.break_qp(qpn);
        }
        thread::sleep(Duration::from_millis(100));
        let before = used();
        thread::sleep(Duration::from_secs(1));
        let spent = used() - before;
        assert!(
            spent < Duration::from_millis(200),
            "{spent:?} of processor in a second of nothing"
        );
    });
}

/// Messages come in order, so a client that learns from elsewhere that its server is gone looks at all that had arrived before it gives up
/// its calls.
#[test]
fn a_reply_behind_a_window_of_events_outlives_its_server() {
    guarded(|| {
        let (name, _) = device();
        let config = ServerConfig {
            max_clients: 4,
            event_window: 512,
            ..ServerConfig::default()
        };
        let (address, mut server) = bind(&name, &config).unwrap();
        let mut client = connect(&address, 4).unwrap();
        client.echo(1, 1).unwrap();
        let token = put_off(&mut server);
        for count in 0..512 {
            assert_eq!(server.ticked(Audience::All, count), Ok(1));
        }
        server.reply(token, 1).unwrap();
        drop(server);
        until("the client learns of it", || {
            client.transport().why_gone().is_some()
        });
        assert_eq!(drain(&mut client), [(1, Ok(1))]);
        assert!(counts(&mut client).into_iter().eq(0..512));
    });
}
