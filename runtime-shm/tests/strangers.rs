//! What a stranger, or a user's own code in a waker, must not be able to do to the thread that watches the sockets, or to the seats of a
//! server: everybody depends on them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use peer::{Caller, Echo, Map, RawClient, echo, guarded, honest_server, reply_word, until};
use runtime_core::{AttachError, ServerTransport};
use runtime_shm::{Isolated, SameUser, Trust};
use rustix::net::sockopt::set_socket_linger;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, geteuid, getpid, pidfd_getfd, pidfd_open};
use rustix::thread::set_thread_res_uid;

#[test]
fn a_client_cannot_deny_that_it_is_gone() {
    guarded(|| {
        let (name, mut server) = honest_server::<Isolated>(1);
        let raw = RawClient::attach::<Isolated>(&name, 4);
        until("it has its seat", || {
            server.poll(&mut Echo, 1).unwrap();
            server.clients().len() == 1
        });
        // Its process ends, which closes the socket; another one that has the control block says that it lives.
        let RawClient {
            socket, control, ..
        } = raw;
        drop(socket);
        let is_gone = || control.half(128).load(Ordering::Acquire) & 2 != 0;
        let end = Instant::now() + Duration::from_secs(2);
        while !is_gone() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        control.half(128).fetch_and(!2, Ordering::AcqRel);
        drop(control);
        let end = Instant::now() + Duration::from_secs(5);
        let mut again = None;
        while again.is_none() && Instant::now() < end {
            server.poll(&mut Echo, 1).unwrap();
            again = Caller::<Isolated>::connect(&name).ok();
        }
        let mut again = again.expect("the seat of a client that is gone is free");
        echo(&mut server, &mut again, 1);
    });
}

/// A socket whose closing takes as long as it is told to, or until its other side, which comes with it, closes.
fn lingering(patience: Duration) -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    // What nobody reads has to be sent before it is closed.
    while socket.write(&[0; 1 << 16]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    set_socket_linger(&socket, Some(patience)).unwrap();
    (OwnedFd::from(socket), other)
}

/// Takes its time.
struct Dozes;

impl Wake for Dozes {
    fn wake(self: Arc<Self>) {
        thread::sleep(Duration::from_millis(150));
    }
}

/// Shows that a server lets others in, and serves them, while it is left to get rid of a descriptor that lingers.
fn is_held_up(give: impl FnOnce(&str, &mut RawClient, OwnedFd)) {
    let (name, mut server) = honest_server::<Isolated>(4);
    let busy = RawClient::attach::<Isolated>(&name, 4);
    let mut raw = RawClient::attach::<Isolated>(&name, 4);
    let (socket, other) = lingering(Duration::from_secs(20));
    // The thread that watches is busy for so long that the sender has closed the descriptor when it comes to the message.
    server.transport().register(Waker::noop());
    server.poll(&mut Echo, 1).unwrap();
    server.transport().register(&Waker::from(Arc::new(Dozes)));
    busy.ring();
    thread::sleep(Duration::from_millis(20));
    give(&name, &mut raw, socket);
    thread::sleep(Duration::from_millis(200));
    let helper = thread::spawn(move || {
        // Long enough to be told from an honest delay, short enough for a test.
        thread::sleep(Duration::from_secs(4));
        drop(other);
    });
    let start = Instant::now();
    let client = Caller::<Isolated>::connect(&name);
    let took = start.elapsed();
    helper.join().unwrap();
    echo(&mut server, &mut client.unwrap(), 1);
    assert!(
        took < Duration::from_secs(3),
        "a stranger has held the server up for {took:?}"
    );
}

#[test]
fn a_lingering_descriptor_instead_of_memory_holds_nobody_up() {
    guarded(|| {
        is_held_up(|name, _, lingering| {
            let hello = RawClient::hello::<Isolated>(4).message().0;
            let socket = RawClient::dial(name);
            peer::send(&socket, &hello, &[lingering.as_fd()]).unwrap();
        });
    });
}

#[test]
fn a_lingering_descriptor_among_too_many_holds_nobody_up() {
    guarded(|| {
        is_held_up(|name, _, lingering| {
            let hello = RawClient::hello::<Isolated>(4).message().0;
            let socket = RawClient::dial(name);
            let null = std::fs::File::open("/dev/null").unwrap();
            let null = null.as_fd();
            peer::send(
                &socket,
                &hello,
                &[null, null, null, null, lingering.as_fd()],
            )
            .unwrap();
        });
    });
}

#[test]
fn a_lingering_descriptor_that_is_not_received_holds_nobody_up() {
    guarded(|| {
        is_held_up(|name, _, lingering| {
            let socket = RawClient::dial(name);
            peer::send(&socket, b"rubbish", &[]).unwrap();
            peer::send(&socket, &[0], &[lingering.as_fd()]).unwrap();
        });
    });
}

#[test]
fn a_lingering_descriptor_on_a_message_holds_nobody_up() {
    guarded(|| {
        is_held_up(|_, raw, lingering| {
            // Where the kernel can be told to take none, it says so.
            if peer::send(&raw.socket, &[0], &[lingering.as_fd()]).is_err() {
                // Then it is closed here, and at once.
                set_socket_linger(&lingering, None).unwrap();
            }
        });
    });
}

#[test]
fn strangers_who_say_nothing_keep_no_user_out() {
    guarded(|| {
        let (name, mut server) = honest_server::<Isolated>(4);
        let dial = {
            let name = name.clone();
            move || {
                (0..100)
                    .filter_map(|_| RawClient::try_dial(&name).ok())
                    .collect::<Vec<_>>()
            }
        };
        let stalled = if geteuid().is_root() {
            // Only this thread becomes somebody else.
            let stranger = thread::spawn(move || {
                let nobody = rustix::process::Uid::from_raw(65_534);
                set_thread_res_uid(nobody, nobody, nobody).unwrap();
                dial()
            });
            stranger.join().unwrap()
        } else {
            // Without a second user there is one for all, who is told why and may try again.
            dial()
        };
        thread::sleep(Duration::from_millis(100));
        let client = Caller::<Isolated>::connect(&name);
        match client {
            Ok(mut client) => echo(&mut server, &mut client, 1),
            Err(error) => {
                assert!(
                    !geteuid().is_root(),
                    "another user keeps this one out: {error:?}"
                );
                assert!(error.to_string().contains("try again"), "{error:?}");
            }
        }
        drop(stalled);
    });
}

#[test]
fn a_refusal_arrives_even_if_it_comes_before_the_question() {
    guarded(|| {
        let (name, _server) = honest_server::<Isolated>(4);
        for _ in 0..3 {
            let stalled: Vec<_> = (0..64)
                .filter_map(|_| RawClient::try_dial(&name).ok())
                .collect();
            for _ in 0..100 {
                // Whether it is let in or not is not the point here.
                if let Err(AttachError::Refused { why, .. }) = Caller::<Isolated>::connect(&name) {
                    assert!(!why.contains("without an answer"), "{why}");
                }
            }
            drop(stalled);
        }
    });
}

/// Counts how often it was woken, and panics the first few times.
struct Counts {
    panics: usize,
    woken: AtomicUsize,
}

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        let before = self.woken.fetch_add(1, Ordering::AcqRel);
        assert!(before >= self.panics, "told to panic");
    }
}

fn counting(panics: usize) -> (Arc<Counts>, Waker) {
    let woken = AtomicUsize::new(0);
    let counts = Arc::new(Counts { panics, woken });
    (Arc::clone(&counts), Waker::from(counts))
}

#[test]
fn a_panicking_waker_does_not_end_the_watching_of_a_client() {
    guarded(|| {
        let (name, mut server) = honest_server::<Isolated>(1);
        let raw = RawClient::attach::<Isolated>(&name, 4);
        until("it has its seat", || {
            server.poll(&mut Echo, 1).unwrap();
            server.clients().len() == 1
        });
        let (counts, waker) = counting(1);
        server.transport().register(&waker);
        raw.ring();
        until("the waker has panicked", || {
            counts.woken.load(Ordering::Acquire) == 1
        });
        // The client dies without a word.
        drop(raw);
        until("its end is seen", || {
            server.poll(&mut Echo, 1).unwrap();
            server.clients().is_empty()
        });
    });
}

#[test]
fn a_panicking_waker_keeps_no_client_out() {
    guarded(|| {
        let (name, mut server) = honest_server::<Isolated>(4);
        // A server that was a thread until now looks once more.
        server.transport().register(Waker::noop());
        server.poll(&mut Echo, 1).unwrap();
        let (counts, waker) = counting(1);
        server.transport().register(&waker);
        let mut client = Caller::<Isolated>::connect(&name).unwrap();
        assert_eq!(counts.woken.load(Ordering::Acquire), 1);
        echo(&mut server, &mut client, 1);
    });
}

/// Processor time of the thread that watches, in the ticks of the kernel, of which there are 100 a second.
fn watching_time() -> u64 {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        if name.trim() == "rpcidl-watcher" {
            let stat = std::fs::read_to_string(path.join("stat")).unwrap();
            let (_, numbers) = stat.rsplit_once(") ").unwrap();
            let numbers: Vec<&str> = numbers.split(' ').collect();
            return numbers[11].parse::<u64>().unwrap() + numbers[12].parse::<u64>().unwrap();
        }
    }
    panic!("nobody watches");
}

/// The numbers of this process's sockets, in their order.
fn sockets() -> Vec<i32> {
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let is_socket = |fd: &i32| {
        let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
        target.to_string_lossy().starts_with("socket:")
    };
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut all: Vec<i32> = entries.filter_map(|entry| number(entry.ok()?)).collect();
    all.retain(is_socket);
    all.sort_unstable();
    all
}

#[test]
fn a_connection_that_lives_on_in_a_child_is_watched_no_more() {
    guarded(|| {
        let (name, mut server) = honest_server::<SameUser>(4);
        let before = sockets();
        let mut client = Caller::<SameUser>::connect(&name).unwrap();
        echo(&mut server, &mut client, 1);
        // A process that forks leaves the child a copy of every descriptor. Here the copy, of the client's end, stays in the process: it
        // was made before the server's.
        let mut made = sockets();
        made.retain(|fd| !before.contains(fd));
        let this = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        let none = PidfdGetfdFlags::empty();
        let copy = pidfd_getfd(&this, made[0], none).unwrap();
        drop(client);
        drop(server);
        thread::sleep(Duration::from_millis(200));
        let before = watching_time();
        thread::sleep(Duration::from_secs(2));
        let spent = watching_time() - before;
        drop(copy);
        assert!(
            spent < 20,
            "with nothing to watch {spent} of 200 ticks are spent on it"
        );
    });
}

fn a_slow_ring_reaches_a_server_that_has_become_a_task<T: Trust>() {
    let (name, mut server) = honest_server::<T>(4);
    let mut raw = RawClient::attach::<T>(&name, 4);
    let mut honest = Caller::<T>::connect(&name).unwrap();
    let asleep = |raw: &RawClient| raw.server_side().load(Ordering::Acquire) & 1 != 0;
    let mut polls = 0;
    until("the lane is no longer polled", || {
        for _ in 0..2000 {
            server.poll(&mut Echo, 1).unwrap();
        }
        polls += 1;
        echo(&mut server, &mut honest, polls);
        asleep(&raw)
    });
    // An honest client that calls, and is interrupted between taking the announcement and ringing.
    let identity = raw.echo_quietly(5);
    let announced = raw.server_side().fetch_and(!9, Ordering::AcqRel);
    let (counts, waker) = counting(0);
    server.transport().register(&waker);
    // Now it goes on.
    if announced & 8 == 0 {
        let bells = Map::of(&raw.given[1], true).unwrap();
        bells.word(128).fetch_or(1 << raw.bell, Ordering::AcqRel);
        bells.half(0).store(1, Ordering::Release);
    } else {
        raw.ring();
    }
    until("the task is woken", || {
        counts.woken.load(Ordering::Acquire) != 0
    });
    until("the call is served", || {
        server.poll(&mut Echo, 1).unwrap();
        raw.reply(0) == reply_word(identity, 0, 8)
    });
}

#[test]
fn a_slow_ring_reaches_a_server_that_has_become_a_task_same_user() {
    guarded(a_slow_ring_reaches_a_server_that_has_become_a_task::<SameUser>);
}

#[test]
fn a_slow_ring_reaches_a_server_that_has_become_a_task_isolated() {
    guarded(a_slow_ring_reaches_a_server_that_has_become_a_task::<Isolated>);
}
