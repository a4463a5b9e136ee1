//! A client in a container: it reaches the server's socket, and the server's process has no number where it lives.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use peer::{Caller, Echo, guarded, honest_server};
use runtime_shm::{Isolated, SameUser, Trust};
use rustix::process::geteuid;

/// Tells the second process what to connect to.
const NAME: &str = "RPCIDL_TEST_CONNECT_TO";

/// This test once more, in a process that connects; in a namespace of its own if this may make one.
fn second_process(test: &str, name: &str) -> Child {
    let this = std::env::current_exe().unwrap();
    let arguments = ["--exact", test, "--nocapture"];
    let start = |command: &mut Command| {
        command.args(arguments).env(NAME, name);
        command.stdin(Stdio::null()).spawn()
    };
    if geteuid().is_root() {
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--kill-child"]).arg(&this);
        if let Ok(child) = start(&mut unshare) {
            return child;
        }
    }
    eprintln!("not in a namespace of its own, which takes root and unshare(1)");
    start(&mut Command::new(&this)).unwrap()
}

fn is_served<T: Trust>(test: &'static str) {
    if let Ok(name) = std::env::var(NAME) {
        let mut client = Caller::<T>::connect(&name).unwrap();
        assert_eq!(client.blocking().echo(5), Ok(5));
        return;
    }
    guarded(move || {
        let (name, mut server) = honest_server::<T>(2);
        let mut child = second_process(test, &name);
        let end = Instant::now() + Duration::from_secs(20);
        let mut status = None;
        while status.is_none() && Instant::now() < end {
            server.poll(&mut Echo, 8).unwrap();
            status = child.try_wait().unwrap();
        }
        // One that hangs; one that has ended cannot be killed.
        let _ = child.kill();
        child.wait().unwrap();
        assert!(
            status.is_some_and(|it| it.success()),
            "the client: {status:?}"
        );
    });
}

#[test]
fn a_client_in_a_namespace_of_its_own_is_served_same_user() {
    is_served::<SameUser>("a_client_in_a_namespace_of_its_own_is_served_same_user");
}

#[test]
fn a_client_in_a_namespace_of_its_own_is_served_isolated() {
    is_served::<Isolated>("a_client_in_a_namespace_of_its_own_is_served_isolated");
}
