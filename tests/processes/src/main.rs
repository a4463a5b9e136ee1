//! Plays one role: a server, or a client, that does what it is told and may end itself in the midst of it.

#![cfg(target_os = "linux")]

mod calls;
mod limits;
mod serve;

use std::io::Write;

use process_tests::{Rdma, Way};
use runtime_shm::{Isolated, SameUser};
use rustix::process::{Signal, getpid, kill_process, set_parent_process_death_signal};

/// Says a line to the test that started this.
fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    // A test that no longer listens has ended, and this process will.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Ends this process as a crash does: nothing is run any more, nothing is tidied up. What is said before is when.
fn die() -> ! {
    say(format_args!("dying {}", process_tests::now()));
    let _ = kill_process(getpid(), Signal::KILL);
    // Not reached, but by the first process of a namespace, which cannot kill itself.
    std::process::abort()
}

/// Makes this process end with the one that started it.
fn end_with_the_parent() {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        panic!("PDEATHSIG: {error}");
    }
}

/// Plays a role that there is on every backend.
fn play<T: Way>(role: &str, name: &str, rest: &[&str]) {
    match (role, rest) {
        ("serve", settings) => serve::serve::<T>(name, settings),
        ("mute", []) => serve::mute::<T>(name),
        ("victim", [step]) => calls::victim::<T>(name, step),
        ("blocking", [count]) => calls::blocking::<T>(name, count, None),
        ("blocking", [count, core]) => calls::blocking::<T>(name, count, Some(core)),
        ("cut", []) => calls::cut::<T>(name),
        ("starved", [more]) => limits::starved::<T>(name, more),
        ("stranger", [user]) => limits::stranger::<T>(name, user),
        _ => panic!("there is no such role: {role} {rest:?}"),
    }
}

fn main() {
    end_with_the_parent();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        [role, "same", name, ref rest @ ..] => play::<SameUser>(role, name, rest),
        [role, "isolated", name, ref rest @ ..] => play::<Isolated>(role, name, rest),
        [role, "rdma", name, ref rest @ ..] => play::<Rdma>(role, name, rest),
        ["racer"] => serve::racer(),
        ["stranger-raw", name, user] => limits::stranger_raw(name, user),
        ["binder", name] => limits::binder(name, None),
        ["binder", name, user] => limits::binder(name, Some(user)),
        ["half-ring", name] => limits::half_ring(name),
        _ => panic!("there is no such role: {words:?}"),
    }
}
