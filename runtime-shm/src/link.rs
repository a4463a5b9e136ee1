//! The way to the other side besides the memory, and what tells that it is still there.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use atomic_waker::AtomicWaker;
use runtime_core::AttachError;

use crate::bell::Bell;
use crate::memory::Shared;
use crate::watcher::{Watch, Watched};

/// The way to the other side, besides the memory.
pub(crate) struct Link {
    /// The sign of life of both, and the carrier of messages.
    pub(crate) socket: OwnedFd,
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
    let watch = Watch::start(shared.link().socket.as_fd(), watched)?;
    if let Some(process) = &shared.link().process {
        // The socket is enough as a rule; a process that has forked may live on in it.
        let _ = watch.also(process.as_fd());
    }
    shared.keep_watch(watch);
    Ok(())
}

/// True if the process at the other end has ended.
pub(crate) fn has_ended(process: Option<&OwnedFd>) -> bool {
    let Some(process) = process else {
        return false;
    };
    let mut fds = [rustix::event::PollFd::new(
        process,
        rustix::event::PollFlags::IN,
    )];
    let now = rustix::event::Timespec::default();
    rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready != 0)
}
