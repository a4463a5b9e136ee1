//! The roles of clients that lack something, or do what they should not.

use std::fs;
use std::io::BufRead;
use std::os::unix::fs::FileExt;

use process_tests::{Rude, Way, bind, descriptor_limit, echoed, try_connect};
use runtime_shm::SameUser;
use rustix::process::{Gid, Resource, Rlimit, Uid, getpid, getrlimit, setrlimit};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use crate::serve::number;
use crate::{die, end_with_the_parent, say};

/// Connects and calls, and says what came of it.
fn attempt<T: Way>(name: &str) {
    match try_connect::<T, u64>(name) {
        Ok(mut client) => say(format_args!(
            "served {}",
            client.blocking().echo(7) == Ok(echoed(7))
        )),
        Err(error) => say(format_args!("refused {error:?}")),
    }
}

/// A client that may open only so many descriptors more.
pub(crate) fn starved<T: Way>(name: &str, more: &str) {
    let limit = Rlimit {
        current: Some(descriptor_limit(getpid(), number(more))),
        ..getrlimit(Resource::Nofile)
    };
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        panic!("RLIMIT_NOFILE: {error}");
    }
    attempt::<T>(name);
}

/// Makes this process another user's.
fn become_user(user: &str) {
    let id = number(user) as u32;
    // This is the only thread so far, and later ones inherit what it is.
    let changed = set_thread_groups(&[])
        .and_then(|()| set_thread_gid(Gid::from_raw(id)))
        .and_then(|()| set_thread_uid(Uid::from_raw(id)));
    if let Err(error) = changed {
        panic!("becoming user {id}: {error}");
    }
    // Who becomes another loses what was asked for before.
    end_with_the_parent();
}

/// A client that is another user.
pub(crate) fn stranger<T: Way>(name: &str, user: &str) {
    become_user(user);
    attempt::<T>(name);
}

/// Another user who does not look whose server it is, as a client does, but waits for what that says.
pub(crate) fn stranger_raw(name: &str, user: &str) {
    become_user(user);
    let answer = Rude::connect(name).answer();
    say(format_args!("answer {answer:?}"));
}

/// Serves, as this user or another, for a moment.
pub(crate) fn binder(name: &str, user: Option<&str>) {
    if let Some(user) = user {
        become_user(user);
    }
    let bound = bind::<SameUser>(name, 1).map(drop);
    say(format_args!("bound {bound:?}"));
}

/// A client that dies, or is stopped, between marking the server's doorbells and waking it, which are two instructions and a system call
/// apart: it marks them, and goes no further. It does as it is told: `ring`, then `die`, or it is stopped.
pub(crate) fn half_ring(name: &str) {
    let client = try_connect::<SameUser, u64>(name);
    say(format_args!("connected {}", client.is_ok()));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if line == "die" {
            die();
        }
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let bells = maps
            .lines()
            .find(|line| line.contains("memfd:rpcidl bells"));
        let address = bells
            .and_then(|line| line.split('-').next())
            .and_then(|address| u64::from_str_radix(address, 16).ok());
        let Some(address) = address else {
            panic!("no doorbells are mapped:\n{maps}")
        };
        let memory = fs::OpenOptions::new().write(true).open("/proc/self/mem");
        let rung = memory.and_then(|memory| memory.write_all_at(&1_u32.to_ne_bytes(), address));
        say(format_args!("rung {}", rung.is_ok()));
    }
}
