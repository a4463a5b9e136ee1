//! What a server is told by those who do not keep to the protocol: each gets an answer or is cut off, and the others notice nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::os::fd::{AsFd, OwnedFd};

use peer::{
    Caller, Draw, Map, RawClient, SIZED, descriptors, echo, guarded, honest_server, memfd,
    own_memfd, receive, send, shape, until,
};
use runtime_core::{AttachError, ClientConfig};
use runtime_shm::{Isolated, SameUser, Trust};
use rustix::fs::{Mode, OFlags, SealFlags, fcntl_add_seals, open};

/// The verdicts of the protocol.
const ABI_MISMATCH: u32 = 1;
const TOO_MANY_CLIENTS: u32 = 2;
const TERMS: u32 = 3;
const REFUSED: u32 = 5;

/// What a server must say to a hello that was damaged so.
fn hellos<T: Trust>() -> Vec<(&'static str, Vec<u8>, u32)> {
    let good = RawClient::hello::<T>(32);
    let message = || good.message();
    let window = |window| RawClient::hello::<T>(window).message().0;
    let mut hellos = vec![
        ("magic", message().with(0, 0x7f7f_7f7f).0, REFUSED),
        ("version 0", message().with(8, 0).0, REFUSED),
        ("the version before", message().with(8, 1).0, REFUSED),
        ("the version after", message().with(8, 3).0, REFUSED),
        ("no such purpose", message().with(12, 77).0, REFUSED),
        ("no such flag", message().with(32, 4).0, REFUSED),
        ("all flags", message().with(32, u32::MAX).0, REFUSED),
        (
            "other trust",
            message().with(32, u32::from(!T::ISOLATED)).0,
            TERMS,
        ),
        ("another schema", message().with(16, 1).0, ABI_MISMATCH),
        ("window 0", window(0), TERMS),
        ("window 1", window(1), TERMS),
        ("window 3", window(3), TERMS),
        ("window 8192", window(8192), TERMS),
        ("window 2^31", window(1 << 31), TERMS),
        ("window 2^32-1", window(u32::MAX), TERMS),
        ("a byte", vec![0x7f], REFUSED),
        ("cut", message().0[..63].to_vec(), REFUSED),
        ("a byte too many", [message().0, vec![0]].concat(), REFUSED),
        ("far too long", vec![0x7f; 4000], REFUSED),
        (
            "another protocol",
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            REFUSED,
        ),
    ];
    for (name, at) in [
        ("request area", 44),
        ("response area", 48),
        ("event area", 52),
    ] {
        for size in [0, 1, 63, 1 << 31, u32::MAX] {
            hellos.push((name, message().with(at, size).0, TERMS));
        }
    }
    hellos
}

fn wrong_hellos_are_answered<T: Trust>() {
    let (name, mut server) = honest_server::<T>(2);
    let mut honest = Caller::<T>::connect(&name).unwrap();
    echo(&mut server, &mut honest, 1);
    let before = descriptors();
    for (what, hello, verdict) in hellos::<T>() {
        let (socket, answer, given) = RawClient::ask(&name, &hello, &[]);
        assert!(answer.0.len() >= 64, "{what}: an answer");
        assert_eq!(answer.number(12), verdict, "{what}: {answer:?}");
        assert!(given.is_empty(), "{what}: nothing is given away");
        // And that was all: the connection has ended.
        assert_eq!(
            receive(&socket).map(|(bytes, _)| bytes.len()),
            Ok(0),
            "{what}"
        );
        if verdict != ABI_MISMATCH {
            assert!(answer.0.len() > 64, "{what}: the answer says why");
        }
        drop(socket);
        echo(&mut server, &mut honest, 2);
    }
    until("every descriptor is given back", || descriptors() <= before);
    // No seat was lost by any of them.
    let mut second = Caller::<T>::connect(&name).unwrap();
    echo(&mut server, &mut second, 3);
    let third = Caller::<T>::connect(&name).err();
    assert_eq!(third, Some(AttachError::TooManyClients { limit: 2 }));
    let hello = RawClient::hello::<T>(2).message().0;
    let memory: Vec<_> = T::ISOLATED.then(|| own_memfd(64).1).into_iter().collect();
    let (_, answer, _) = RawClient::ask(&name, &hello, &memory);
    assert_eq!(answer.number(12), TOO_MANY_CLIENTS);
}

#[test]
fn wrong_hellos_are_answered_same_user() {
    guarded(wrong_hellos_are_answered::<SameUser>);
}

#[test]
fn wrong_hellos_are_answered_isolated() {
    guarded(wrong_hellos_are_answered::<Isolated>);
}

#[test]
fn damaged_hellos_do_no_harm() {
    guarded(|| {
        let mut draw = Draw(peer::number("RPCIDL_FUZZ_SEED", 3));
        let (name, mut server) = honest_server::<Isolated>(4);
        let mut honest = Caller::<Isolated>::connect(&name).unwrap();
        for _ in 0..peer::number("RPCIDL_FUZZ_CASES", 300) {
            let mut hello = RawClient::hello::<Isolated>(32).message().0;
            for _ in 0..=draw.below(3) {
                let at = draw.below(64) as usize;
                hello[at] = draw.next() as u8;
            }
            hello.truncate(1 + draw.below(64) as usize);
            let (_, answer, _) = RawClient::ask(&name, &hello, &[]);
            // Without memory of its own nobody gets in, whatever he says; who asks how the server is may be told.
            assert!(answer.number(12) != 0 || hello[12] == 2, "{hello:?}");
        }
        echo(&mut server, &mut honest, 1);
    });
}

/// Memory for the requests of an isolated client, wrong in one way each; true if it does no harm and may be accepted.
fn wrong_memory(len: usize) -> Vec<(&'static str, Vec<OwnedFd>, bool)> {
    let future = SIZED | SealFlags::FUTURE_WRITE | SealFlags::SEAL;
    let shrunk = memfd(len, true, SealFlags::empty());
    rustix::fs::ftruncate(&shrunk, 64).unwrap();
    fcntl_add_seals(&shrunk, future).unwrap();
    let (_, good) = own_memfd(len);
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&good));
    let reopened = |flags| open(&path, flags | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let device = |path, flags| open(path, flags | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let eventfd = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    vec![
        ("none", vec![], false),
        ("two", vec![own_memfd(len).1, own_memfd(len).1], false),
        (
            "three",
            vec![own_memfd(len).1, own_memfd(len).1, own_memfd(len).1],
            false,
        ),
        ("sixty", (0..60).map(|_| own_memfd(64).1).collect(), false),
        (
            "unsealed",
            vec![memfd(len, true, SealFlags::empty())],
            false,
        ),
        (
            "may shrink",
            vec![memfd(len, true, SealFlags::GROW | SealFlags::FUTURE_WRITE)],
            false,
        ),
        (
            "may grow",
            vec![memfd(
                len,
                true,
                SealFlags::SHRINK | SealFlags::FUTURE_WRITE,
            )],
            false,
        ),
        ("may be written anew", vec![memfd(len, true, SIZED)], false),
        (
            "sealed against all writing",
            vec![memfd(len, true, SIZED | SealFlags::WRITE)],
            false,
        ),
        ("too small", vec![memfd(len - 4096, true, future)], false),
        ("empty", vec![memfd(0, false, future)], false),
        ("sparse", vec![memfd(len, false, future)], false),
        (
            "huge and sparse",
            vec![memfd(1 << 40, false, future)],
            false,
        ),
        ("shrunk before it was sealed", vec![shrunk], false),
        ("an event", vec![eventfd], false),
        ("a device", vec![device("/dev/zero", OFlags::RDWR)], false),
        (
            "a folder",
            vec![device("/", OFlags::RDONLY | OFlags::DIRECTORY)],
            false,
        ),
        ("a path", vec![reopened(OFlags::PATH)], false),
        (
            "a socket",
            vec![peer::RawListener::new().into_socket()],
            false,
        ),
        ("for reading only", vec![reopened(OFlags::RDONLY)], true),
        ("larger than needed", vec![own_memfd(2 * len).1], true),
    ]
}

#[test]
fn wrong_memory_is_refused() {
    guarded(|| {
        let len = 33 * shape::<Isolated>().request_area;
        let (name, mut server) = honest_server::<Isolated>(4);
        let mut honest = Caller::<Isolated>::connect(&name).unwrap();
        echo(&mut server, &mut honest, 1);
        let hello = RawClient::hello::<Isolated>(32).message().0;
        let before = descriptors();
        for (what, given, may_do) in wrong_memory(len) {
            let (socket, answer, _) = RawClient::ask(&name, &hello, &given);
            let verdict = answer.number(12);
            if may_do {
                assert_eq!(verdict, 0, "{what}: {}", String::from_utf8_lossy(&answer.0));
            } else {
                assert_eq!(verdict, REFUSED, "{what}");
                assert!(answer.0.len() > 64, "{what}: the answer says why");
            }
            drop(socket);
            echo(&mut server, &mut honest, 2);
            // Whoever was let in leaves again.
            until("nobody else is there", || {
                server.poll(&mut peer::Echo, 1).unwrap();
                server.clients().len() == 1
            });
        }
        until("every descriptor is given back", || {
            server.poll(&mut peer::Echo, 1).unwrap();
            descriptors() <= before
        });
    });
}

#[test]
fn memory_of_a_same_user_client_is_not_wanted() {
    guarded(|| {
        let (name, mut server) = honest_server::<SameUser>(4);
        let hello = RawClient::hello::<SameUser>(32).message().0;
        let before = descriptors();
        let memory = own_memfd(4096).1;
        let socket = RawClient::dial(&name);
        if send(&socket, &hello, &[memory.as_fd()]) == Err(rustix::io::Errno::PERM) {
            // Since Linux 6.16 the server does without descriptors before anybody says anything.
            drop((socket, memory));
            until("every descriptor is given back", || descriptors() <= before);
            let (_, answer, given) = RawClient::ask(&name, &hello, &[]);
            return assert_eq!((answer.number(12), given.len()), (0, 2));
        }
        drop(socket);
        let (socket, answer, given) = RawClient::ask(&name, &hello, &[memory]);
        assert_eq!((answer.number(12), given.len()), (0, 2));
        let (_, answer, _) = RawClient::ask(&name, &hello, &wrong_memory(8192).remove(3).1);
        assert_eq!(answer.number(12), REFUSED, "sixty descriptors are too many");
        drop((socket, given));
        until("every descriptor is given back", || {
            server.poll(&mut peer::Echo, 1).unwrap();
            descriptors() <= before
        });
    });
}

/// What a client may do to memory that a server gives it.
fn attack(fd: &OwnedFd, may_write: bool) {
    use rustix::fs::{FallocateFlags, fallocate, ftruncate};
    let reopen = |flags| {
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(fd));
        open(path, flags | OFlags::CLOEXEC, Mode::empty())
    };
    let again = reopen(OFlags::RDWR);
    for fd in [Some(fd), again.as_ref().ok()].into_iter().flatten() {
        assert!(ftruncate(fd, 0).is_err(), "it shrinks");
        assert!(ftruncate(fd, 1 << 30).is_err(), "it grows");
        assert!(
            fcntl_add_seals(fd, SealFlags::WRITE).is_err(),
            "it is sealed against its owner"
        );
        assert_eq!(Map::of(fd, true).is_ok(), may_write, "mapped for writing");
        assert_eq!(
            rustix::io::pwrite(fd, &[1], 0).is_ok(),
            may_write,
            "written"
        );
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        assert_eq!(fallocate(fd, hole, 0, 4096).is_ok(), may_write, "a hole");
    }
    if !may_write {
        let map = Map::of(fd, false).unwrap();
        assert!(map.make_writable().is_err(), "made writable later");
    }
    assert!(
        reopen(OFlags::RDWR | OFlags::TRUNC).is_err(),
        "cut when it is opened"
    );
}

#[test]
fn an_isolated_client_cannot_write_what_it_only_reads() {
    guarded(|| {
        let (name, mut server) = honest_server::<Isolated>(4);
        let mut honest = Caller::<Isolated>::connect(&name).unwrap();
        let mut raw = RawClient::attach::<Isolated>(&name, 4);
        raw.echo(5);
        server.poll(&mut peer::Echo, 8).unwrap();
        attack(&raw.given[1], false);
        // The control block both write: a hole in it is zeros again, and only this client's.
        attack(&raw.given[0], true);
        assert!(
            raw.own
                .as_ref()
                .is_some_and(|own| Map::of(own, true).is_err())
        );
        for value in 0..100 {
            echo(&mut server, &mut honest, value);
        }
        let identity = raw.echo(6);
        until(
            "a client that punched holes into its control block is served",
            || {
                server.poll(&mut peer::Echo, 8).unwrap();
                raw.reply(0) == peer::reply_word(identity, 0, 8)
            },
        );
    });
}

#[test]
fn a_same_user_client_cannot_cut_what_is_shared() {
    guarded(|| {
        let (name, mut server) = honest_server::<SameUser>(4);
        let raw = RawClient::attach::<SameUser>(&name, 4);
        let mut honest = Caller::<SameUser>::connect(&name).unwrap();
        // Its own lane it may spoil. The doorbells are everybody's, and whose user is the same is trusted not to.
        attack(&raw.given[0], true);
        for value in 0..100 {
            echo(&mut server, &mut honest, value);
        }
        assert!(rustix::fs::ftruncate(&raw.given[1], 0).is_err());
        assert!(fcntl_add_seals(&raw.given[1], SealFlags::WRITE).is_err());
    });
}

#[test]
fn those_who_say_nothing_hold_nobody_up_who_is_in() {
    guarded(|| {
        let (name, mut server) = honest_server::<Isolated>(4);
        let mut honest = Caller::<Isolated>::connect(&name).unwrap();
        echo(&mut server, &mut honest, 0);
        let before = descriptors();
        let stalled: Vec<_> = (0..200).map(|_| RawClient::dial(&name)).collect();
        for value in 0..1000 {
            echo(&mut server, &mut honest, value);
        }
        // After a second they are cut off, and the door is open again.
        until("another one gets in", || {
            Caller::<Isolated>::connect(&name).is_ok()
        });
        until("every descriptor but theirs is given back", || {
            server.poll(&mut peer::Echo, 1).unwrap();
            descriptors() <= before + stalled.len()
        });
        // Each has learnt of it, by an answer or by the end.
        for socket in &stalled {
            let (answer, _) = receive(socket).unwrap_or_default();
            assert!(answer.is_empty() || answer.len() > 64);
        }
    });
}

#[test]
fn leaving_at_each_step_costs_nothing() {
    guarded(|| {
        let (name, mut server) = honest_server::<Isolated>(2);
        let mut honest = Caller::<Isolated>::connect(&name).unwrap();
        echo(&mut server, &mut honest, 0);
        let hello = RawClient::hello::<Isolated>(4).message().0;
        let (_requests, own) = own_memfd(5 * shape::<Isolated>().request_area);
        let before = descriptors();
        for round in 0..60 {
            let socket = RawClient::dial(&name);
            match round % 4 {
                // Connected, and gone.
                0 => {}
                // Said it, and gone before the answer came.
                1 => send(&socket, &hello, &[own.as_fd()]).unwrap(),
                // Has a lane, and is gone before the server ever looked.
                2 => {
                    send(&socket, &hello, &[own.as_fd()]).unwrap();
                    receive(&socket).unwrap();
                }
                // Says it twice, and then nonsense.
                _ => {
                    for message in [hello.as_slice(), &hello, &[0; 1000], b"?"] {
                        let _ = send(&socket, message, &[own.as_fd()]);
                    }
                    let _ = receive(&socket);
                }
            }
            drop(socket);
            echo(&mut server, &mut honest, round);
            until("the seat is free", || {
                server.poll(&mut peer::Echo, 1).unwrap();
                server.clients().len() == 1
            });
        }
        until("every descriptor is given back", || {
            server.poll(&mut peer::Echo, 1).unwrap();
            descriptors() <= before
        });
        let config = ClientConfig::default();
        assert!(Caller::<Isolated>::connect_with(&name, &config).is_ok());
    });
}
