//! Calls, replies and events make no system call while neither side sleeps.
//!
//! The proof is the kernel's: a thread in strict mode (seccomp(2)) is killed at its first system call other than `read`, `write` and
//! leaving. So each case runs in a process of its own, which says on its output that it is through; it cannot end in any other way than
//! being killed, since ending is such a call.

use std::io::Read as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use conformance::inproc::Inproc;
use conformance::probe::probe::{Event, Reply, method};
use conformance::probe::{Blob, Image};
use conformance::shm::{IsolatedShm, Shm};
use conformance::{Backend, Probe, pair};
use runtime_core::Audience;
use rustix::thread::{SecureComputingMode, set_secure_computing_mode};

const ROUNDS: u64 = 10_000;
const THROUGH: &[u8] = b"through\n";
const WATCHDOG: Duration = Duration::from_secs(60);

/// With whether the case gets through. The last one shows that another would not.
const CASES: [(&str, fn(), bool); 4] = [
    ("inproc", rounds::<Inproc>, true),
    ("shm", rounds::<Shm>, true),
    ("isolated", rounds::<IsolatedShm>, true),
    ("a system call", system_call, false),
];

pub(crate) fn main() -> ExitCode {
    if let Ok(wanted) = std::env::var("NO_SYSCALL_CASE") {
        for (name, case, _) in CASES {
            if name == wanted {
                case();
            }
        }
        return ExitCode::FAILURE;
    }
    let mut failed = 0;
    for (name, _, expected) in CASES {
        let holds = gets_through(name) == expected;
        println!("{name}: {}", if holds { "ok" } else { "FAILED" });
        failed += usize::from(!holds);
    }
    println!("{} passed, {failed} failed", CASES.len() - failed);
    ExitCode::from(u8::from(failed != 0))
}

/// Runs a case in a process of its own; true if it got through.
fn gets_through(name: &str) -> bool {
    let itself = std::env::current_exe().expect("the path of this program");
    let mut child = Command::new(itself)
        .env("NO_SYSCALL_CASE", name)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process for the case");
    let Some(mut output) = child.stdout.take() else {
        unreachable!("it is piped")
    };
    let (said, heard) = channel();
    std::thread::spawn(move || {
        let mut text = [0; THROUGH.len()];
        let is_through = output.read_exact(&mut text).is_ok() && text == *THROUGH;
        let _ = said.send(is_through);
    });
    let is_through = heard.recv_timeout(WATCHDOG).unwrap_or(false);
    // Its other threads may live on.
    let _ = child.kill();
    let _ = child.wait();
    is_through
}

/// Makes calls of every kind in strict mode, says so, and is killed.
fn rounds<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let mut handler = Probe {
        notes: Vec::with_capacity(2 * ROUNDS as usize),
        ..Probe::default()
    };
    let (blob, image) = (Blob::default(), Image { pixels: [3; 4000] });
    let mut round = |value: u64| {
        client.echo(value, value).expect("there is room");
        client.mirror(&blob, value).expect("there is room");
        client.brighten(&image, 1, value).expect("there is room");
        client.divide(value, 0, value).expect("there is room");
        client.note(value).expect("there is room");
        client
            .loan::<method::Mirror>()
            .expect("there is room")
            .send(value);
        while let Ok(1..) = server.poll(&mut handler, 64) {}
        server.ticked(Audience::All, value).expect("there is room");
        let mut answered = 0;
        while answered < 5 {
            answered += client
                .poll(|_, reply: Reply<'_>| {
                    std::hint::black_box(reply);
                })
                .expect("the server lives");
        }
        client
            .poll_events(|event: Event<'_>| {
                std::hint::black_box(event);
            })
            .expect("the server lives");
    };
    // The first rounds let vectors reach their size.
    (0..10).for_each(&mut round);
    be_strict();
    (0..ROUNDS).for_each(&mut round);
    say_through();
}

/// Makes the cheapest system call.
fn system_call() {
    be_strict();
    std::hint::black_box(rustix::thread::gettid());
    say_through();
}

fn be_strict() {
    set_secure_computing_mode(SecureComputingMode::Strict).expect("strict mode");
}

/// One system call that is allowed, without what is around it in the standard library.
fn say_through() {
    let _ = rustix::io::write(rustix::stdio::stdout(), THROUGH);
}
