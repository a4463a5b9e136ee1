//! Descriptors that a peer has given.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};

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
        static CLOSER: OnceLock<Option<SyncSender<OwnedFd>>> = OnceLock::new();
        let closer = CLOSER.get_or_init(|| {
            let (give, given) = sync_channel::<OwnedFd>(CLOSING);
            let thread = std::thread::Builder::new().name("rpcidl-close".into());
            let (ready, started) = sync_channel(1);
            let spawned = thread.spawn(move || {
                let _ = ready.send(());
                given.iter().for_each(drop);
            });
            // Waited for: a thread that starts takes memory, and ends the process if there is none; it is to do so now, not at a bad time.
            (spawned.is_ok() && started.recv().is_ok()).then_some(give)
        });
        if let (Some(fd), Some(closer)) = (self.0.take(), closer) {
            // Where too many wait, this thread closes it: it is in what `try_send` gives back.
            let _ = closer.try_send(fd);
        }
    }
}

/// Descriptors that may wait to be closed.
const CLOSING: usize = 1024;
