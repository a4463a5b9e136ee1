//! The socket over which two sides met, which stays open as the sign of life; and whether the other side is gone.

use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv, sockopt};

/// One side's hold on the other.
pub(crate) struct Link {
    socket: TcpStream,
    gone: AtomicBool,
    /// True once the device has completed the last receive of a queue pair that failed.
    completed: AtomicBool,
    why: OnceLock<String>,
    /// Told once, when the other side is gone.
    notify: Box<dyn Fn() + Send + Sync>,
}

/// A host that answers nothing is given up after one second of silence and three more that it was asked in.
const SILENCE: Duration = Duration::from_secs(1);
const PROBES: u32 = 3;

/// Sets a connected socket up as a sign of life: nothing waits on it, and it notices when the other host falls silent.
pub(crate) fn prepared(socket: TcpStream) -> std::io::Result<TcpStream> {
    socket.set_nonblocking(true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, SILENCE)?;
    sockopt::set_tcp_keepintvl(&socket, SILENCE)?;
    sockopt::set_tcp_keepcnt(&socket, PROBES)?;
    Ok(socket)
}

impl Link {
    /// Over a socket that was [`prepared`].
    pub(crate) fn new(socket: TcpStream, notify: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            socket,
            gone: AtomicBool::new(false),
            completed: AtomicBool::new(false),
            why: OnceLock::new(),
            notify,
        }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Says that the other side is gone, and why: the first reason counts.
    #[cold]
    pub(crate) fn fail(&self, why: impl FnOnce() -> String) {
        let _ = self.why.set(why());
        // Release: pairs with the Acquire in `is_gone`.
        if !self.gone.swap(true, Ordering::Release) {
            (self.notify)();
        }
    }

    /// True if the other side is gone.
    #[inline(always)]
    pub(crate) fn is_gone(&self) -> bool {
        // Acquire: what the thread that noticed has done comes before; pairs with the Release in `fail`.
        self.gone.load(Ordering::Acquire)
    }

    /// Says that the device has completed the queue pair's last receive.
    pub(crate) fn set_completed(&self) {
        // Relaxed: the completions themselves are in the device's queue.
        self.completed.store(true, Ordering::Relaxed);
    }

    /// True if it has.
    pub(crate) fn has_completed(&self) -> bool {
        self.completed.load(Ordering::Relaxed)
    }

    /// Why it is gone.
    pub(crate) fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }

    /// Looks whether the socket still stands. What is said on it now is not of the protocol, and ends it, too.
    pub(crate) fn look(&self) -> bool {
        let mut room = [0; 16];
        match recv(&self.socket, &mut room[..], RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN | Errno::INTR) => true,
            Ok((_, 0)) => {
                self.fail(|| "it ended the connection".into());
                false
            }
            Ok(_) => {
                self.fail(|| "it said something on a socket that is only a sign of life".into());
                false
            }
            Err(error) => {
                self.fail(|| format!("its socket: {error}"));
                false
            }
        }
    }

    /// Tells the other side that this one is gone. Not left to the closing: a child that was forked may have a copy of the socket.
    pub(crate) fn hang_up(&self) {
        // It may be closed already, which is what is wanted.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link(gone: {}, {:?})", self.is_gone(), self.why())
    }
}
