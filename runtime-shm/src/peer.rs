//! Who is at the other end of a socket.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, geteuid, pidfd_open};

/// The process at the other end, when it connected or began to listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerProcess {
    /// Its number; 0 if it has none here, since it lives in a PID namespace that this process does not see.
    pub(crate) pid: u32,
    /// Its user.
    pub(crate) uid: u32,
}

impl PeerProcess {
    /// Who is at the other end.
    pub(crate) fn of(socket: impl AsFd) -> Result<Self, Errno> {
        // With libc: rustix's `UCred` has a process number that cannot be 0, and the kernel's can.
        let mut peer = libc::ucred {
            pid: 0,
            uid: 0,
            gid: 0,
        };
        let mut len = size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes to `peer`, which has so many, and their number to `len`; any bytes are a `ucred`.
        let failed = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut peer).cast(),
                &raw mut len,
            )
        };
        if failed != 0 {
            let error = std::io::Error::last_os_error();
            return Err(Errno::from_io_error(&error).unwrap_or(Errno::INVAL));
        }
        Ok(Self {
            pid: u32::try_from(peer.pid).unwrap_or(0),
            uid: peer.uid,
        })
    }

    /// True if it runs as the same user as this one. In a user namespace that has no number for this user (user_namespaces(7)), and so calls it
    /// by the one that all such users have, nobody is known to be the same.
    pub(crate) fn is_own(self) -> bool {
        self.uid == own_user() && !is_anybody(self.uid)
    }

    /// Its user, for people to read, where it is not the same.
    pub(crate) fn user(self) -> String {
        if self.uid == own_user() {
            format!(
                "{} (which here stands for every user that the user namespace has no number for)",
                self.uid
            )
        } else {
            self.uid.to_string()
        }
    }

    /// A hold on it, where there is one to be had: it may have ended, and then the socket says so, too.
    pub(crate) fn hold(self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(self.pid.try_into().ok()?)?;
        pidfd_open(pid, PidfdFlags::empty()).ok()
    }
}

/// True if a number may stand for users that this user namespace has no numbers for. Where all users have one it is a user like others.
fn is_anybody(uid: u32) -> bool {
    const USUAL: u32 = 65_534;
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let overflow = read("/proc/sys/kernel/overflowuid");
    if uid != overflow.trim().parse().unwrap_or(USUAL) {
        return false;
    }
    let map = read("/proc/self/uid_map");
    let mut words = map.split_whitespace();
    words.next() != Some("0") || words.next() != Some("0") || words.next() != Some("4294967295")
}

/// The user that this process runs as.
pub(crate) fn own_user() -> u32 {
    geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let (socket, _other) = UnixStream::pair().expect("sockets");
        let peer = PeerProcess::of(&socket).expect("it is a Unix socket");
        assert_eq!((peer.pid, peer.uid), (std::process::id(), own_user()));
        assert!(peer.is_own());
        assert!(peer.hold().is_some());
        let nobody = PeerProcess {
            pid: 0,
            uid: own_user() + 1,
        };
        assert!(!nobody.is_own());
        assert!(nobody.hold().is_none());
    }

    #[test]
    fn what_is_no_socket_is_an_error() {
        let file = std::fs::File::open("/dev/null").expect("it is always there");
        assert_eq!(PeerProcess::of(&file).err(), Some(Errno::NOTSOCK));
    }
}
