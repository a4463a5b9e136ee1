//! What a name stands for, and getting hold of it.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runtime_core::AttachError;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, bind, connect, listen};

use crate::socket::{self, system};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 256;

/// How long another server may take to start in the same directory.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// How long the end of a process may take.
const END_PATIENCE: Duration = Duration::from_millis(50);

/// Before an abstract name, so that it meets no other program's.
const PREFIX: &str = "rpcidl:";

/// A name taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    name: String,
    path: Option<PathBuf>,
    socket: SocketAddrUnix,
}

impl Address {
    /// The address of a name: a path if there is a `/` in it, else an abstract name.
    pub(crate) fn of(name: &str) -> Result<Self, AttachError> {
        let config = |what: String| AttachError::Config { what };
        if name.is_empty() {
            return Err(config(
                "the name is empty: a client has to ask for something".into(),
            ));
        }
        if name.contains('\0') {
            return Err(config(format!("`{}` has a NUL in it", name.escape_debug())));
        }
        let path = name.contains('/').then(|| PathBuf::from(name));
        let socket = match &path {
            Some(path) => SocketAddrUnix::new(path),
            None => SocketAddrUnix::new_abstract_name(format!("{PREFIX}{name}").as_bytes()),
        };
        let socket = socket.map_err(|_| {
            config(format!(
                "`{name}` is too long for the name of a socket, which has at most {} bytes",
                if path.is_some() {
                    108
                } else {
                    107 - PREFIX.len()
                }
            ))
        })?;
        Ok(Self {
            name: name.into(),
            path,
            socket,
        })
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The socket's address.
    pub(crate) fn socket(&self) -> &SocketAddrUnix {
        &self.socket
    }
}

/// A socket that clients connect to; with it goes its path.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: OwnedFd,
    /// Its path, with device and inode.
    path: Option<(PathBuf, u64, u64)>,
}

impl Listener {
    /// Listens at an address, which nobody else does.
    pub(crate) fn at(address: &Address) -> Result<Self, AttachError> {
        let in_use = || AttachError::InUse {
            name: address.name.clone(),
        };
        let Some(path) = &address.path else {
            let socket = socket::new_nonblocking()?;
            return match bind_patiently(&socket, &address.socket) {
                Ok(()) => Self::listening(socket, address, None),
                Err(Errno::ADDRINUSE) => Err(in_use()),
                Err(error) => Err(cannot_bind(address, error)),
            };
        };
        // From here to the end of this: binding and listening are two steps, and a socket between them looks like one that was left.
        let _lock = lock_parent(address, path)?;
        let mut socket = socket::new_nonblocking()?;
        let mut bound = bind(&socket, &address.socket);
        if bound == Err(Errno::ADDRINUSE) {
            // Its server may be just taking it away.
            let found = match fs::symlink_metadata(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                found => Some(
                    found
                        .map_err(|error| system(format!("looking at `{}`", address.name), error))?,
                ),
            };
            if found.is_some_and(|found| !found.file_type().is_socket()) {
                return Err(AttachError::Config {
                    what: format!(
                        "`{}` exists and is not a socket; choose another name or remove it",
                        address.name
                    ),
                });
            }
            // A socket whose listener is gone refuses. Any other answer comes from somebody who is there.
            match connect(socket::new_nonblocking()?, &address.socket) {
                Err(Errno::NOENT) => {}
                Err(Errno::CONNREFUSED) => match fs::remove_file(path) {
                    // Its server took it away and closed it while the kernel went from the path to the socket, which is refused as well.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    removed => removed.map_err(|error| {
                        system(
                            format!("removing the socket that was left at `{}`", address.name),
                            error,
                        )
                    })?,
                },
                _ => return Err(in_use()),
            }
            socket = socket::new_nonblocking()?;
            bound = bind(&socket, &address.socket);
        }
        bound.map_err(|error| cannot_bind(address, error))?;
        let made = fs::symlink_metadata(path)
            .map_err(|error| system(format!("looking at `{}`", address.name), error))?;
        Self::listening(
            socket,
            address,
            Some((path.clone(), made.dev(), made.ino())),
        )
    }

    /// Listens at an abstract name that the kernel chooses.
    pub(crate) fn anywhere() -> Result<(Self, SocketAddrUnix), AttachError> {
        let fault = |error| system("listening for clients".into(), error);
        let socket = socket::new_nonblocking()?;
        bind(&socket, &SocketAddrUnix::new_unnamed()).map_err(fault)?;
        listen(&socket, BACKLOG).map_err(fault)?;
        let address = rustix::net::getsockname(&socket).map_err(fault)?;
        let address = SocketAddrUnix::try_from(address).map_err(fault)?;
        Ok((Self { socket, path: None }, address))
    }

    fn listening(
        socket: OwnedFd,
        address: &Address,
        path: Option<(PathBuf, u64, u64)>,
    ) -> Result<Self, AttachError> {
        // Made first: if listening fails, it takes the path away again.
        let listener = Self { socket, path };
        listen(&listener.socket, BACKLOG).map_err(|error| cannot_bind(address, error))?;
        Ok(listener)
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &OwnedFd {
        &self.socket
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some((path, device, inode)) = &self.path else {
            return;
        };
        // Another server may have taken the path over, if somebody removed ours. Not between this look and the removal: the socket listens until
        // it is dropped after this, so nobody takes it for one that was left.
        let is_ours = fs::symlink_metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (*device, *inode));
        if is_ours {
            // What stays is taken over by the next server.
            let _ = fs::remove_file(path);
        }
    }
}

/// Binds an abstract name. One that is in use may be that of a process that is ending: its clients learn of the end before the kernel has
/// come to this socket.
fn bind_patiently(socket: &OwnedFd, address: &SocketAddrUnix) -> Result<(), Errno> {
    let patience = Instant::now() + END_PATIENCE;
    loop {
        match bind(socket, address) {
            Err(Errno::ADDRINUSE) if Instant::now() < patience => {
                std::thread::sleep(Duration::from_millis(1));
            }
            bound => return bound,
        }
    }
}

fn cannot_bind(address: &Address, error: Errno) -> AttachError {
    match error {
        Errno::ACCESS | Errno::PERM | Errno::ROFS => AttachError::Denied {
            name: address.name.clone(),
            why: format!("no socket can be made there: {error}"),
        },
        _ => system(format!("serving at `{}`", address.name), error),
    }
}

/// Locks the directory of a path against other servers that start there. The lock goes with the descriptor, and with the process.
fn lock_parent(address: &Address, path: &Path) -> Result<OwnedFd, AttachError> {
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(parent, flags, Mode::empty()).map_err(|error| match error {
        Errno::ACCESS | Errno::PERM => AttachError::Denied {
            name: address.name.clone(),
            why: format!(
                "the directory `{}` cannot be opened: {error}",
                parent.display()
            ),
        },
        _ => system(
            format!("opening the directory `{}`", parent.display()),
            error,
        ),
    })?;
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(directory),
            Err(Errno::WOULDBLOCK) if Instant::now() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => {
                return Err(system(
                    format!(
                        "locking the directory `{}`, where another server starts",
                        parent.display()
                    ),
                    error,
                ));
            }
        }
    }
}
