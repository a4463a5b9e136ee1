//! What rings a server that is about to sleep, and what lets one in who connects.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::os::fd::AsFd;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use peer::probe::probe::Service;
use peer::{Caller, Echo, Honest, guarded, honest_server};
use runtime_core::{AttachError, Audience, ClientConfig, ServerConfig};
use runtime_shm::{SameUser, Server};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

fn is_readable(fd: impl AsFd, within: Duration) -> bool {
    let within = Timespec::try_from(within).unwrap();
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&within)).unwrap() == 1
}

/// Receives until the server may sleep.
fn until_armed(server: &mut Honest<SameUser>) {
    // Without a descriptor there is nothing to arm.
    server.transport().pollable().unwrap();
    loop {
        while server.recv().unwrap().is_some() {}
        if server.transport().arm() {
            return;
        }
    }
}

/// True if a server that would sleep now is woken, or is told not to.
fn is_awake(server: &mut Honest<SameUser>) -> bool {
    let pollable = server.transport().pollable().unwrap();
    !server.transport().arm() || is_readable(&pollable, Duration::from_secs(3))
}

#[test]
fn an_event_does_not_hide_that_the_server_was_stopped() {
    guarded(|| {
        let (_name, mut server) = honest_server::<SameUser>(8);
        let stopper = server.transport().stopper();
        until_armed(&mut server);
        stopper.stop();
        let _ = server.ticked(Audience::All, 1);
        assert!(is_awake(&mut server));
    });
}

#[test]
fn an_event_does_not_hide_that_nobody_is_left() {
    guarded(|| {
        let config = ServerConfig::default();
        let server = Server::<Service, SameUser>::new(&config).unwrap();
        let mut server = Honest::<SameUser>::over(server, &config);
        let connector = server.transport().connector();
        let client = connector.connect(&ClientConfig::default()).unwrap();
        drop(connector);
        until_armed(&mut server);
        drop(client);
        thread::sleep(Duration::from_millis(100));
        let _ = server.ticked(Audience::All, 1);
        assert!(is_awake(&mut server));
    });
}

#[test]
fn an_event_does_not_hide_that_somebody_asks() {
    guarded(|| {
        let (name, mut server) = honest_server::<SameUser>(8);
        assert!(server.recv().unwrap().is_none());
        let asker = thread::spawn(move || runtime_shm::stat(&name).unwrap());
        thread::sleep(Duration::from_millis(200));
        let _ = server.ticked(Audience::All, 1);
        if server.wait(Duration::from_secs(2)).unwrap() {
            while server.recv().unwrap().is_some() {}
        }
        assert!(asker.join().unwrap().counts.is_some());
    });
}

#[test]
fn the_clients_of_one_user_may_all_start_at_once() {
    guarded(|| {
        let (name, mut server) = honest_server::<SameUser>(1024);
        let stopper = server.transport().stopper();
        let serving = thread::spawn(move || server.serve(&mut Echo));
        let barrier = Arc::new(Barrier::new(200));
        let clients: Vec<_> = (0..200)
            .map(|_| {
                let (barrier, name) = (Arc::clone(&barrier), name.clone());
                thread::spawn(move || {
                    barrier.wait();
                    let client = Caller::<SameUser>::connect(&name);
                    barrier.wait();
                    client.map(drop)
                })
            })
            .collect();
        let connected: Vec<_> = clients.into_iter().map(|it| it.join().unwrap()).collect();
        stopper.stop();
        serving.join().unwrap();
        assert!(connected.iter().all(Result::is_ok), "{connected:?}");
    });
}

#[test]
fn a_connector_asks_nobody_else_when_its_server_is_gone() {
    guarded(|| {
        let config = ServerConfig::default();
        let server = Server::<Service, SameUser>::new(&config).unwrap();
        let connector = server.connector();
        drop(server);
        let refused = connector.connect(&ClientConfig::default()).err();
        assert!(matches!(refused, Some(AttachError::NotFound { .. })));
    });
}

#[test]
fn signals_do_not_make_connecting_take_for_ever() {
    extern "C" fn nothing(_: libc::c_int) {}
    guarded(|| {
        // SAFETY: plain memory, of any contents.
        let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
        action.sa_sigaction = nothing as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the handler does nothing.
        unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, core::ptr::null_mut()) };
        // It lets nobody in.
        let listener = peer::RawListener::new();
        let (done, ended) = std::sync::mpsc::channel();
        // SAFETY: this asks for nothing.
        let this = unsafe { libc::pthread_self() };
        let signals = thread::spawn(move || {
            let end = Instant::now() + Duration::from_secs(20);
            while Instant::now() < end && ended.recv_timeout(Duration::from_millis(500)).is_err() {
                // SAFETY: that thread waits for this one.
                unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            }
        });
        let start = Instant::now();
        let refused = Caller::<SameUser>::connect(&listener.name).err();
        let took = start.elapsed();
        let _ = done.send(());
        signals.join().unwrap();
        assert!(
            matches!(refused, Some(AttachError::NoAnswer { .. })),
            "{refused:?}"
        );
        assert!(took < Duration::from_secs(8), "{took:?}");
    });
}
