//! Users that a user namespace has no numbers for: all of them look the same there. Alone in its program, since it forks.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use peer::{Echo, Honest, RawClient, fresh_name};
use runtime_shm::SameUser;
use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_res_uid;

const DENIED: u32 = 4;

/// Serves for some seconds, as a user that has no number where it lives. Nothing is said if that cannot be had.
fn serve_without_number(name: &str, mut ready: UnixStream) {
    // SAFETY: this changes who this process is.
    let is_other = unsafe { libc::setresuid(1000, 1000, 1000) } == 0;
    // SAFETY: this changes where it lives.
    if is_other && unsafe { libc::unshare(libc::CLONE_NEWUSER) } == 0 {
        let mut server = Honest::<SameUser>::bind(name).unwrap();
        ready.write_all(b"x").unwrap();
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            let _ = server.poll(&mut Echo, 8);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn users_without_a_number_are_not_the_same() {
    if !geteuid().is_root() {
        return eprintln!("it takes root to be two other users");
    }
    let name = fresh_name();
    let (mut there, ready) = UnixStream::pair().unwrap();
    // SAFETY: the child goes on with what it has, and ends without coming back.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(there);
        serve_without_number(&name, ready);
        // SAFETY: nothing of the parent's is to be done twice.
        unsafe { libc::_exit(0) };
    }
    drop(ready);
    there
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let answer = there.read_exact(&mut [0]);
    let is_there = match answer.map_err(|error| error.kind()) {
        Ok(()) => true,
        Err(ErrorKind::UnexpectedEof) => {
            eprintln!("not in a user namespace of its own, which the kernel does not allow here");
            false
        }
        Err(error) => panic!("the server says nothing: {error}"),
    };
    if is_there {
        // Only this thread becomes somebody else.
        let asks = move || {
            let other = Uid::from_raw(1001);
            set_thread_res_uid(other, other, other).unwrap();
            let hello = RawClient::hello::<SameUser>(4).message().0;
            let (_socket, answer, given) = RawClient::ask(&name, &hello, &[]);
            (answer.number(12), given.len())
        };
        assert_eq!(thread::spawn(asks).join().unwrap(), (DENIED, 0));
    }
    // One that hangs; one that has ended cannot be killed.
    // SAFETY: it is this process's child, and nobody has waited for it.
    unsafe { libc::kill(child, libc::SIGKILL) };
    // SAFETY: as above, and nothing is written.
    unsafe { libc::waitpid(child, core::ptr::null_mut(), 0) };
}
