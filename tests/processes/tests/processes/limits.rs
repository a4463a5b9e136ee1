//! What there is too little of: seats, slots, descriptors, memory. Each is a clear error, and the server serves on.

use std::fs;
use std::process::Command;
use std::time::Instant;

use process_tests::{
    Client, LONG, Role, Way, connect, connect_when_seated, descriptor_limit, echoed, patient,
    try_connect,
};
use runtime_core::{AttachError, ClientConfig};
use runtime_shm::Trust;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::{PROGRAM, for_both};

for_both! {
    seats,
    windows,
    descriptors_of_the_server,
    descriptors_of_the_client,
    address_space_of_the_server,
    file_size_of_the_server,
}

fn serve<T: Way>(name: &str, settings: &[&str]) -> Role {
    let args = [&["serve", T::WORD, name], settings].concat();
    let server = Role::start(PROGRAM, &args);
    server.expect("bound");
    server
}

fn seats<T: Way>() {
    let name = T::name("seats");
    let _server = serve::<T>(&name, &["clients=3"]);
    let mut clients: Vec<_> = (0..3).map(|_| connect::<T, u64>(&name)).collect();
    for round in 0..20 {
        let full = try_connect::<T, u64>(&name).map(drop);
        assert_eq!(full, Err(AttachError::TooManyClients { limit: 3 }));
        for client in &mut clients {
            assert_eq!(client.blocking().echo(round), Ok(echoed(round)));
        }
        drop(clients.swap_remove(round as usize % 3));
        clients.push(connect_when_seated::<T, u64>(&name));
    }
}

fn windows<T: Way + Trust>() {
    let name = T::name("windows");
    let _server = serve::<T>(&name, &[]);
    let with_window = |window| {
        let config = ClientConfig {
            window: Some(window),
            ..patient()
        };
        Client::<T>::connect_with(&name, &config)
    };
    for window in [0, 1, 3, 33, 8192, usize::MAX] {
        let Err(AttachError::Config { what }) = with_window(window) else {
            panic!("a window of {window} is not possible")
        };
        assert!(what.contains(&format!("window` is {window}:")), "{what}");
        assert!(what.contains("power of two from 2 to 4096"), "{what}");
    }
    for window in [2, 32, 4096] {
        match with_window(window) {
            Ok(mut client) => {
                assert_eq!(client.window(), window);
                assert_eq!(client.blocking().echo(1), Ok(echoed(1)));
            }
            Err(AttachError::Refused { why, .. }) if T::ISOLATED && window > 32 => {
                assert!(why.contains("a window of 4096"), "{why}");
                assert!(why.contains("at most the 32"), "{why}");
            }
            Err(other) => panic!("{window}: unexpected {other:?}"),
        }
    }
}

fn limit(server: &Role, what: Resource, current: u64) {
    let maximum = getrlimit(what).maximum;
    let new = Rlimit {
        current: Some(current),
        maximum,
    };
    prlimit(Some(server.pid()), what, new).expect("a limit below the hard one");
}

fn unlimit(server: &Role, what: Resource) {
    let limit = getrlimit(what);
    prlimit(Some(server.pid()), what, limit).expect("the limit that it had");
}

fn descriptors_of_the_server<T: Way>() {
    let name = T::name("descriptors");
    let server = serve::<T>(&name, &[]);
    let mut first = connect::<T, u64>(&name);
    assert_eq!(first.blocking().echo(0), Ok(echoed(0)));
    let before = server.settled();
    for more in 0..12 {
        let most = descriptor_limit(server.pid(), more);
        limit(&server, Resource::Nofile, most);
        let mut clients = Vec::new();
        let why = loop {
            match try_connect::<T, u64>(&name) {
                Ok(client) => clients.push(client),
                Err(AttachError::Refused { why, .. }) => break why,
                Err(other) => panic!("{more} more: unexpected {other:?}"),
            }
            assert!(clients.len() as u64 <= more, "the limit limits nothing");
        };
        assert!(why.contains("Too many open files"), "{more} more: {why}");
        // Those who are in are served, and again somebody gets in when somebody leaves.
        for client in clients.iter_mut().chain([&mut first]) {
            assert_eq!(client.blocking().echo(more), Ok(echoed(more)));
        }
        drop(clients);
        unlimit(&server, Resource::Nofile);
        let mut next = connect::<T, u64>(&name);
        assert_eq!(next.blocking().echo(more), Ok(echoed(more)));
        drop(next);
        assert_eq!(server.settled(), before, "{more} more");
    }
}

fn descriptors_of_the_client<T: Way>() {
    let name = T::name("starved");
    let _server = serve::<T>(&name, &["clients=1"]);
    let mut served = Vec::new();
    for more in 0..16 {
        // One seat for all of them: none that fails keeps it.
        drop(connect_when_seated::<T, u64>(&name));
        let start = Instant::now();
        let said = loop {
            let starved = Role::start(PROGRAM, &["starved", T::WORD, &name, &more.to_string()]);
            let said = starved.expect("");
            // The seat is free a moment later.
            if !said.contains("has them all") {
                break said;
            }
            assert!(start.elapsed() < LONG, "{more} more: {said}");
        };
        let is_served = said == "served true";
        if !is_served {
            assert!(said.contains("Too many open files"), "{more} more: {said}");
        }
        served.push(is_served);
    }
    // In between it depends on how soon the descriptors that the server gave are closed, which a thread of its own does.
    assert!(!served[0], "no descriptor is not enough: {served:?}");
    assert_eq!(served[12..], [true; 4], "enough are: {served:?}");
    println!("served with so many more descriptors: {served:?}");
}

/// Bytes of address space that a process has.
fn address_space(server: &Role) -> u64 {
    let statm = format!("/proc/{}/statm", server.pid().as_raw_nonzero());
    let statm = fs::read_to_string(statm).expect("it lives");
    let pages: u64 = statm
        .split(' ')
        .next()
        .and_then(|pages| pages.parse().ok())
        .expect("the first number is the size");
    pages * 4096
}

fn address_space_of_the_server<T: Way>() {
    for step in 0..24 {
        // A fresh one, whose allocator has nothing in store that would hide a shortage.
        let name = T::name("memory");
        let server = serve::<T>(&name, &[]);
        let mut first = connect::<T, u64>(&name);
        assert_eq!(first.blocking().echo(step), Ok(echoed(step)));
        // So that each of the pieces that a lane needs is once the one that does not fit.
        let most = address_space(&server) + step * (16 << 10);
        limit(&server, Resource::As, most);
        let mut clients = Vec::new();
        let why = loop {
            match try_connect::<T, u64>(&name) {
                Ok(client) => clients.push(client),
                Err(AttachError::Refused { why, .. }) => break why,
                Err(other) => panic!("{step}: unexpected {other:?}"),
            }
            assert!(clients.len() < 500, "the limit limits nothing");
        };
        assert!(why.contains("memory"), "{step}: {why}");
        for client in clients.iter_mut().chain([&mut first]) {
            assert_eq!(client.blocking().echo(step), Ok(echoed(step)));
        }
        drop(clients);
        unlimit(&server, Resource::As);
        assert_eq!(connect::<T, u64>(&name).blocking().echo(1), Ok(echoed(1)));
    }
}

fn file_size_of_the_server<T: Way>() {
    let name = T::name("file-size");
    // Who sets such a limit is sent a signal when it is reached, which kills by default; a program that goes on ignores it.
    let mut shell = Command::new("sh");
    let line = "trap '' XFSZ; exec \"$0\" \"$@\"";
    shell.args(["-c", line, PROGRAM, "serve", T::WORD, &name]);
    let server = Role::run(shell, "serve, ignoring XFSZ".into());
    server.expect("bound");
    let mut first = connect::<T, u64>(&name);
    limit(&server, Resource::Fsize, 1024);
    let refused = try_connect::<T, u64>(&name).map(drop);
    let Err(AttachError::Refused { why, .. }) = &refused else {
        panic!("unexpected {refused:?}")
    };
    assert!(why.contains("allocating"), "{why}");
    assert!(why.contains("File too large"), "{why}");
    assert_eq!(first.blocking().echo(1), Ok(echoed(1)));
    unlimit(&server, Resource::Fsize);
    assert_eq!(connect::<T, u64>(&name).blocking().echo(1), Ok(echoed(1)));
}
