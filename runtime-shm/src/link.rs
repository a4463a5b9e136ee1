//! The way to the other side besides the memory, and what tells that it is still there.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use atomic_waker::AtomicWaker;
use runtime_core::AttachError;
use runtime_os::{Watched, unwatch};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bell::Bell;
use crate::given::Connection;
use crate::memory::Shared;
use crate::socket;

/// The way to the other side, besides the memory.
pub(crate) struct Link {
    /// The sign of life of both, and the carrier of messages.
    pub(crate) socket: Connection,
    /// The number of the process at the other end, when it connected.
    pub(crate) pid: u32,
    /// A hold on that process, where the kernel gives one.
    pub(crate) process: Option<OwnedFd>,
    pub(crate) role: Role,
}

/// Which side this is.
pub(crate) enum Role {
    /// The client's.
    Client {
        /// The doorbells of a server that trusts this side, and which of them is its own.
        bell: Option<(Bell, u32)>,
        /// Woken when a message came, or the server died.
        waker: AtomicWaker,
    },
    /// The server's.
    Server,
}

/// Watches both signs of life of a link, for as long as its memory is kept.
pub(crate) fn watch_link(
    shared: &Arc<Shared>,
    watched: Arc<dyn Watched>,
) -> Result<(), AttachError> {
    let watch = socket::watch(shared.link().socket.as_fd(), watched)?;
    if let Some(process) = &shared.link().process {
        // The socket is enough as a rule; a process that has forked may live on in it.
        let _ = watch.also(process.as_fd());
    }
    shared.keep_watch(watch);
    Ok(())
}

impl Link {
    /// Takes away the messages that say only "look": false if the other side is gone.
    pub(crate) fn is_alive(&self) -> bool {
        socket::drain(&self.socket) && !self.has_ended()
    }

    /// True if the process at the other end has ended.
    fn has_ended(&self) -> bool {
        let Some(process) = &self.process else {
            return false;
        };
        let mut fds = [PollFd::new(process, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready != 0)
    }

    /// Ends the watching of both signs of life. Not left to the closing: a child that was forked may have copies, and the kernel would go
    /// on telling of them.
    pub(crate) fn unwatch(&self) {
        unwatch(&self.socket);
        if let Some(process) = &self.process {
            unwatch(process);
        }
    }
}
