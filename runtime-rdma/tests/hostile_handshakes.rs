//! What a server is told by those who do not keep to the handshake: each gets an answer or is cut off, and the others notice nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use peer::{
    Caller, Draw, Honest, Message, Point, READY, RawClient, RawQp, connect, descriptors, device,
    echo, guarded, honest_server, request_imm, serve, settle, until, until_clean, until_ended,
};
use runtime_core::{AttachError, Audience};
use rustix::net::sockopt::set_socket_linger;

/// How long a server gives those who connect.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answers of the protocol.
const WELCOME: u32 = 0;
const ABI_MISMATCH: u32 = 1;
const TOO_MANY_CLIENTS: u32 = 2;
const REFUSED: u32 = 3;

/// A server with an honest client.
fn scene(max_clients: usize) -> (String, sim_verbs::Device, String, Honest, Caller) {
    let (name, device) = device();
    let (address, mut server) = honest_server(&name, max_clients);
    let honest = connect(&address, 8).unwrap();
    settle(&mut server, 1);
    (name, device, address, server, honest)
}

#[test]
fn hellos_that_are_damaged_get_an_answer() {
    guarded(|| {
        let (_, device, address, mut server, mut honest) = scene(4);
        let good = || Message::hello(4);
        let cases = [
            (
                "magic",
                good().with(0, 0x7f7f_7f7f),
                REFUSED,
                "it says is of another protocol",
            ),
            (
                "version 0",
                good().with(8, 0),
                REFUSED,
                "version 0 of the protocol, and this side 1",
            ),
            (
                "version 2",
                good().with(8, 2),
                REFUSED,
                "version 2 of the protocol, and this side 1",
            ),
            (
                "no such flag",
                good().with(44, 2),
                REFUSED,
                "makes no sense",
            ),
            (
                "all flags",
                good().with(44, u32::MAX),
                REFUSED,
                "makes no sense",
            ),
            (
                "not in place",
                good().with(44, 0),
                REFUSED,
                "use one version of rpcidl",
            ),
            (
                "another schema",
                good().with(12, 1),
                ABI_MISMATCH,
                "rpcidl abi 1\t",
            ),
            (
                "window 3",
                good().with(28, 3),
                REFUSED,
                "a power of two from 2 to 4096",
            ),
            (
                "an endpoint",
                good().with_bytes(12, &[0; 116]),
                ABI_MISMATCH,
                "rpcidl abi 1\t",
            ),
            (
                "another protocol",
                Message(format!("{:<128}", "GET / HTTP/1.1\r\n\r\n").into_bytes()),
                REFUSED,
                "another protocol",
            ),
        ];
        for (what, message, verdict, text) in cases {
            let socket = RawClient::dial(&address);
            let answer = RawClient::ask(&socket, &message.0).unwrap();
            assert_eq!(answer.verdict(), verdict, "{what}");
            assert!(answer.text().contains(text), "{what}: {}", answer.text());
            assert!(RawClient::is_ended(&socket, PATIENCE), "{what}");
            echo(&mut server, &mut honest, 1);
        }
        drop((server, honest));
        until_clean(device);
    });
}

#[test]
fn random_hellos_get_an_answer_or_an_end() {
    guarded(|| {
        let (_, device, address, mut server, mut honest) = scene(4);
        let seed = 11;
        println!("seed {seed}");
        let mut draw = Draw(seed);
        for round in 0..300 {
            let mut message = Message::hello(4);
            for _ in 0..1 + draw.below(4) {
                let at = draw.below(128) as usize;
                message.0[at] = draw.next() as u8;
            }
            let socket = RawClient::dial(&address);
            let Some(answer) = RawClient::ask(&socket, &message.0) else {
                panic!("round {round}: no answer");
            };
            assert!(answer.verdict() <= REFUSED);
            if round % 20 == 0 {
                echo(&mut server, &mut honest, round);
            }
        }
        drop((server, honest));
        until_clean(device);
    });
}

#[test]
fn endpoints_that_are_garbage_are_refused() {
    guarded(|| {
        let (name, device, address, mut server, mut honest) = scene(4);
        let good = {
            let qp = RawQp::new(&name);
            qp.point()
        };
        let nonsense: [fn(&mut Point); 6] = [
            |it| it.qpn = 1 << 24,
            |it| it.qpn = u32::MAX,
            |it| it.psn = 1 << 24,
            |it| it.mtu = 0,
            |it| it.mtu = 6,
            |it| it.mtu = 255,
        ];
        for change in nonsense {
            let mut point = good;
            change(&mut point);
            let socket = RawClient::dial(&address);
            assert_eq!(
                RawClient::ask(&socket, &Message::hello(4).0)
                    .unwrap()
                    .verdict(),
                WELCOME
            );
            let answer = RawClient::ask(&socket, &Message::endpoint(&point).0).unwrap();
            assert_eq!(answer.verdict(), REFUSED);
            assert_eq!(answer.text(), "what it says makes no sense");
            assert!(RawClient::is_ended(&socket, PATIENCE));
        }
        // Not on Ethernet, it says.
        for is_global in [0, 2, 255] {
            let point = Point { is_global, ..good };
            let socket = RawClient::dial(&address);
            let _ = RawClient::ask(&socket, &Message::hello(4).0).unwrap();
            let answer = RawClient::ask(&socket, &Message::endpoint(&point).0).unwrap();
            assert_eq!(answer.verdict(), REFUSED);
            assert_eq!(
                answer.text(),
                "connecting a queue pair: one side is on Ethernet and the other on InfiniBand"
            );
        }
        echo(&mut server, &mut honest, 1);
        drop((server, honest));
        until_clean(device);
    });
}

#[test]
fn endpoints_that_are_not_ones_own_reach_nobody() {
    guarded(|| {
        let (name, device, address, mut server, mut honest) = scene(8);
        let good = RawQp::new(&name).point();
        let others = device.queue_pairs();
        let mut held = Vec::new();
        for qpn in others.iter().copied().chain([0, 1, 0xff_ffff]) {
            let socket = RawClient::dial(&address);
            let _ = RawClient::ask(&socket, &Message::hello(4).0).unwrap();
            let point = Point { qpn, ..good };
            let answer = RawClient::ask(&socket, &Message::endpoint(&point).0).unwrap();
            assert_eq!(answer.verdict(), WELCOME, "it is possible");
            (&socket).write_all(&[READY]).unwrap();
            held.push(socket);
            echo(&mut server, &mut honest, 5);
        }
        settle(&mut server, 1 + held.len());
        // What is sent to them fails, and ends them alone.
        until("those that nobody is at are gone", || {
            // Some may not have been heard to be ready before.
            let _ = server.ticked(Audience::All, 1);
            let _ = honest.poll_events(|_| ());
            let _ = server.wait(Duration::from_millis(10));
            serve(&mut server);
            server.clients().len() == 1
        });
        echo(&mut server, &mut honest, 6);
        drop((server, honest, held));
        until_clean(device);
    });
}

#[test]
fn ready_is_not_heard_too_early() {
    guarded(|| {
        let (name, device, address, mut server, mut honest) = scene(4);
        // Before the hello, and before the endpoint: it is the first byte of a message that is none.
        let socket = RawClient::dial(&address);
        let early = [&[READY][..], &Message::hello(4).0].concat();
        let answer = RawClient::ask(&socket, &early).unwrap();
        assert_eq!(answer.verdict(), REFUSED);
        let socket = RawClient::dial(&address);
        let _ = RawClient::ask(&socket, &Message::hello(4).0).unwrap();
        let qp = RawQp::new(&name);
        let early = [&[READY][..], &Message::endpoint(&qp.point()).0].concat();
        let answer = RawClient::ask(&socket, &early).unwrap();
        assert_eq!(answer.verdict(), REFUSED);
        // Instead of it, something else.
        for byte in [0, 0x53, 0xff] {
            let mut raw = RawClient::introduce(&address, &name, 4);
            raw.socket.write_all(&[byte]).unwrap();
            settle(&mut server, 1);
            until_ended(&mut server, &raw.socket);
        }
        echo(&mut server, &mut honest, 1);
        drop((server, honest, qp));
        until_clean(device);
    });
}

#[test]
fn requests_before_ready_are_no_harm() {
    guarded(|| {
        let (name, device, address, mut server, mut honest) = scene(4);
        let mut raw = RawClient::introduce(&address, &name, 4);
        raw.qp.receive_into(16);
        assert!(raw.qp.send(request_imm(0, 1, 1), &5_u64.to_le_bytes()));
        assert!(raw.qp.send(request_imm(0, 1, 1), &5_u64.to_le_bytes()));
        for _ in 0..10 {
            serve(&mut server);
            echo(&mut server, &mut honest, 1);
        }
        drop(raw);
        settle(&mut server, 1);
        drop((server, honest));
        until_clean(device);
    });
}

#[test]
fn one_that_leaves_at_any_stage_leaves_nothing_behind() {
    guarded(|| {
        let (name, device, address, mut server, mut honest) = scene(4);
        let before = device.leaks();
        let mut after = None;
        for round in 0..8 {
            for stage in 0..6 {
                for resets in [false, true] {
                    let socket = RawClient::dial(&address);
                    let hello = Message::hello(4).0;
                    let qp = RawQp::new(&name);
                    match stage {
                        0 => {}
                        1 => (&socket).write_all(&hello[..77]).unwrap(),
                        2 => {
                            let _ = RawClient::ask(&socket, &hello);
                        }
                        3 => {
                            let _ = RawClient::ask(&socket, &hello);
                            let endpoint = Message::endpoint(&qp.point()).0;
                            (&socket).write_all(&endpoint[..100]).unwrap();
                        }
                        4 => {
                            let _ = RawClient::ask(&socket, &hello);
                            let _ = RawClient::ask(&socket, &Message::endpoint(&qp.point()).0);
                        }
                        _ => {
                            // It does not wait for what it is answered.
                            let _ = RawClient::ask(&socket, &hello);
                            let mut all = Message::endpoint(&qp.point()).0;
                            all.push(READY);
                            (&socket).write_all(&all).unwrap();
                        }
                    }
                    if resets {
                        set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
                    }
                    drop(socket);
                    drop(qp);
                }
            }
            echo(&mut server, &mut honest, round);
            until("they are gone", || {
                serve(&mut server);
                let leaks = device.leaks();
                server.clients().len() == 1 && leaks.qps == before.qps && leaks.cqs == before.cqs
            });
            // The memory of the first round is used again by the others.
            let open = descriptors();
            let (memory, sockets) = *after.get_or_insert((device.leaks().mrs, open));
            assert_eq!(device.leaks().mrs, memory, "round {round}");
            assert!(
                open <= sockets + 2,
                "{open} descriptors, and {sockets} at first"
            );
        }
        drop((server, honest));
        until_clean(device);
    });
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    guarded(|| {
        let (name, device, address, mut server, mut honest) = scene(4);
        let mut socket = RawClient::dial(&address);
        let slowly = |mut socket: &std::net::TcpStream, bytes: &[u8]| {
            for byte in bytes {
                socket.write_all(&[*byte]).unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        let mut answer = vec![0; 128];
        slowly(&socket, &Message::hello(4).0);
        socket.read_exact(&mut answer).unwrap();
        let qp = RawQp::new(&name);
        qp.receive_into(16);
        slowly(&socket, &Message::endpoint(&qp.point()).0);
        socket.read_exact(&mut answer).unwrap();
        qp.connect(&Message(answer).point(32), 7);
        slowly(&socket, &[READY]);
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [READY]);
        settle(&mut server, 2);
        echo(&mut server, &mut honest, 1);
        drop(socket);
        settle(&mut server, 1);
        drop((server, honest, qp));
        until_clean(device);
    });
}

#[test]
fn one_that_stalls_is_cut_off() {
    guarded(|| {
        let (name, device, address, mut server, mut honest) = scene(8);
        let begun = Instant::now();
        let hello = Message::hello(4).0;
        let silent = RawClient::dial(&address);
        let half = RawClient::dial(&address);
        (&half).write_all(&hello[..64]).unwrap();
        let fits = RawClient::dial(&address);
        let _ = RawClient::ask(&fits, &hello).unwrap();
        let connected = RawClient::introduce(&address, &name, 4);
        // One that says a byte from time to time has no more time than the others.
        let drips = RawClient::dial(&address);
        let mut said = 0;
        while begun.elapsed() < PATIENCE - Duration::from_millis(500) {
            let _ = (&drips).write_all(&hello[said..said + 1]);
            said += 1;
            echo(&mut server, &mut honest, 1);
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(
            server.clients().len() == 2,
            "the one that was connected has its seat until its time is over"
        );
        for (what, socket) in [
            ("silent", &silent),
            ("half", &half),
            ("fits", &fits),
            ("drips", &drips),
        ] {
            assert!(RawClient::is_ended(socket, PATIENCE), "{what}");
        }
        settle(&mut server, 1);
        until_ended(&mut server, &connected.socket);
        echo(&mut server, &mut honest, 2);
        drop((server, honest, connected));
        until_clean(device);
    });
}

#[test]
fn hundreds_that_say_nothing_keep_nobody_out_for_long() {
    guarded(|| {
        let (_, device, address, mut server, mut honest) = scene(8);
        let mut silent = Vec::new();
        for number in 0..300 {
            silent.push(RawClient::dial(&address));
            if number % 50 == 0 {
                echo(&mut server, &mut honest, number);
            }
        }
        // Those beyond the bound are told, and so is an honest one that comes now.
        let why = "256 connections have not said yet what they want; try again";
        let mut refused = 0;
        let error = connect(&address, 4).err().unwrap();
        let AttachError::Refused { why: said, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(said, why);
        for socket in &silent[256..] {
            let answer = RawClient::ask(socket, &[]).unwrap();
            assert_eq!((answer.verdict(), answer.text().as_str()), (REFUSED, why));
            refused += 1;
        }
        assert_eq!(refused, 44);
        echo(&mut server, &mut honest, 1);
        // Their time runs out, and then there is room.
        let end = Instant::now() + 3 * PATIENCE;
        let mut late = connect(&address, 4);
        while late.is_err() && Instant::now() < end {
            echo(&mut server, &mut honest, 2);
            std::thread::sleep(Duration::from_millis(50));
            late = connect(&address, 4);
        }
        echo(&mut server, &mut late.unwrap(), 3);
        drop((silent, server, honest));
        until_clean(device);
    });
}

#[test]
fn a_server_that_is_full_says_so() {
    guarded(|| {
        let (name, device, address, mut server, mut honest) = scene(2);
        let second = RawClient::attach(&address, &name, 4);
        settle(&mut server, 2);
        let qp = RawQp::new(&name);
        let socket = RawClient::dial(&address);
        let _ = RawClient::ask(&socket, &Message::hello(4).0).unwrap();
        let answer = RawClient::ask(&socket, &Message::endpoint(&qp.point()).0).unwrap();
        assert_eq!(answer.verdict(), TOO_MANY_CLIENTS);
        assert_eq!(answer.number(64), 2);
        let error = connect(&address, 4).err();
        assert_eq!(error, Some(AttachError::TooManyClients { limit: 2 }));
        drop(second);
        let mut next = None;
        until("its seat is free", || {
            serve(&mut server);
            next = connect(&address, 4).ok();
            next.is_some()
        });
        echo(&mut server, &mut next.unwrap(), 1);
        echo(&mut server, &mut honest, 2);
        drop((server, honest, qp));
        until_clean(device);
    });
}

#[test]
fn half_closed_sockets_are_ends() {
    guarded(|| {
        let (name, device, address, mut server, mut honest) = scene(4);
        let raw = RawClient::attach(&address, &name, 4);
        settle(&mut server, 2);
        raw.socket.shutdown(Shutdown::Write).unwrap();
        settle(&mut server, 1);
        until_ended(&mut server, &raw.socket);
        echo(&mut server, &mut honest, 1);
        drop((server, honest, raw));
        until_clean(device);
    });
}
