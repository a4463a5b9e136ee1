//! Plays one role: a server, or a client, that does what it is told and may end itself in the midst of it.

#![cfg(target_os = "linux")]

mod calls;
mod limits;
mod serve;

use std::io::Write;

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

fn main() {
    end_with_the_parent();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", "same", name, ref rest @ ..] => serve::serve::<SameUser>(name, rest),
        ["serve", "isolated", name, ref rest @ ..] => serve::serve::<Isolated>(name, rest),
        ["mute", "same", name] => serve::mute::<SameUser>(name),
        ["mute", "isolated", name] => serve::mute::<Isolated>(name),
        ["racer"] => serve::racer(),
        ["victim", "same", name, step] => calls::victim::<SameUser>(name, step),
        ["victim", "isolated", name, step] => calls::victim::<Isolated>(name, step),
        ["blocking", "same", name, count] => calls::blocking::<SameUser>(name, count, None),
        ["blocking", "isolated", name, count] => calls::blocking::<Isolated>(name, count, None),
        ["blocking", "same", name, count, core] => {
            calls::blocking::<SameUser>(name, count, Some(core));
        }
        ["blocking", "isolated", name, count, core] => {
            calls::blocking::<Isolated>(name, count, Some(core));
        }
        ["starved", "same", name, more] => limits::starved::<SameUser>(name, more),
        ["starved", "isolated", name, more] => limits::starved::<Isolated>(name, more),
        ["stranger", "same", name, user] => limits::stranger::<SameUser>(name, user),
        ["stranger", "isolated", name, user] => limits::stranger::<Isolated>(name, user),
        ["stranger-raw", name, user] => limits::stranger_raw(name, user),
        ["binder", name] => limits::binder(name, None),
        ["binder", name, user] => limits::binder(name, Some(user)),
        ["half-ring", name] => limits::half_ring(name),
        _ => panic!("there is no such role: {words:?}"),
    }
}
