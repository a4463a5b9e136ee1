//! Descriptors that a peer has given, and connections that bring them: who closes them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// A descriptor that a peer has given. Whatever it is, closing it may take as long as the peer likes (a socket that lingers, a file of a
/// file system in a process), so a thread that does nothing else closes it.
#[derive(Debug)]
pub(crate) struct Given(Option<OwnedFd>);

impl From<OwnedFd> for Given {
    fn from(fd: OwnedFd) -> Self {
        Self(Some(fd))
    }
}

impl AsFd for Given {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Some(fd) => fd.as_fd(),
            None => unreachable!("it is taken out when it is dropped"),
        }
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Some(fd) = self.0.take() {
            close_elsewhere(fd);
        }
    }
}

/// A connection to a peer. A message that was not received may bring descriptors, which are closed with the socket; so that of one who
/// is not trusted is closed as they are. It ends at once all the same.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Option<OwnedFd>,
    is_trusted: bool,
}

impl Connection {
    /// That of a peer, which is trusted or not.
    pub(crate) fn new(socket: OwnedFd, is_trusted: bool) -> Self {
        Self {
            socket: Some(socket),
            is_trusted,
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Some(socket) => socket.as_fd(),
            None => unreachable!("it is taken out when it is dropped"),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take()
            && !self.is_trusted
        {
            let _ = rustix::net::shutdown(&socket, rustix::net::Shutdown::Both);
            close_elsewhere(socket);
        }
    }
}

/// Descriptors that may wait to be closed.
const CLOSING: usize = 1024;

/// Has a thread that does nothing else close a descriptor.
fn close_elsewhere(fd: OwnedFd) {
    static CLOSER: Mutex<Option<SyncSender<OwnedFd>>> = Mutex::new(None);
    let closer = {
        let mut closer = CLOSER.lock().unwrap_or_else(PoisonError::into_inner);
        if closer.is_none() {
            *closer = start();
        }
        closer.clone()
    };
    // Unlocked: where too many wait, or there is no thread, this one closes it, for it is in what `try_send` gives back.
    if let Some(closer) = closer {
        let _ = closer.try_send(fd);
    }
}

/// Starts that thread; `None` if there is none to be had.
fn start() -> Option<SyncSender<OwnedFd>> {
    let (give, given) = sync_channel::<OwnedFd>(CLOSING);
    let (ready, started) = sync_channel(1);
    let spawned = runtime_os::spawn("rpcidl-close", move || {
        let _ = ready.send(());
        for fd in given {
            // One that lingers would keep all others from being closed for as long as its other end likes. What is no socket has no such option.
            let _ = set_socket_linger(&fd, Some(Duration::ZERO));
            drop(fd);
        }
    });
    // Waited for: a thread that starts takes memory, and ends the process if there is none; it is to do so now, not at a bad time.
    (spawned.is_ok() && started.recv().is_ok()).then_some(give)
}
