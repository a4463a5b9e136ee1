//! Talking to a server before there is shared memory.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::time::{Duration, Instant};

use runtime_core::AttachError;
use runtime_core::handshake::MAX_TEXT;
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, connect};

use crate::given::{Connection, Given};
use crate::handshake::{Answer, Hello, LEN, Verdict};
use crate::peer::PeerProcess;
use crate::socket::{self, system};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to a server that has said nothing yet.
pub(crate) struct Dialled<'a> {
    name: &'a str,
    /// When it has to have answered.
    end: Instant,
    pub(crate) socket: Connection,
    /// Whose server it is.
    pub(crate) peer: PeerProcess,
}

/// True if an address is the path of a file that is not a socket.
fn is_another_file(address: &SocketAddrUnix) -> bool {
    address.path_bytes().is_some_and(|path| {
        let found = fs::metadata(OsStr::from_bytes(path));
        found.is_ok_and(|found| !found.file_type().is_socket())
    })
}

impl<'a> Dialled<'a> {
    /// Connects to the server at a socket's address, which goes by `name`.
    pub(crate) fn at(name: &'a str, address: &SocketAddrUnix) -> Result<Self, AttachError> {
        let socket = socket::new()?;
        let end = Instant::now() + PATIENCE;
        socket::until(&socket, end, || connect(&socket, address)).map_err(|error| match error {
            // What is no socket refuses like a socket whose server is gone.
            Errno::CONNREFUSED if is_another_file(address) => AttachError::Foreign {
                name: name.into(),
                what: "it is not a socket".into(),
            },
            Errno::CONNREFUSED | Errno::NOENT => AttachError::NotFound { name: name.into() },
            Errno::ACCESS | Errno::PERM => AttachError::Denied {
                name: name.into(),
                why: format!("its socket cannot be connected to: {error}"),
            },
            Errno::PROTOTYPE => AttachError::Foreign {
                name: name.into(),
                what: "its socket is of another kind".into(),
            },
            // The queue of those who wait to be accepted is full.
            Errno::AGAIN => no_answer(name),
            _ => system(format!("connecting to `{name}`"), error),
        })?;
        let peer = PeerProcess::of(&socket)
            .map_err(|error| system(format!("looking at who serves `{name}`"), error))?;
        Ok(Self {
            name,
            end,
            socket: Connection::new(socket, peer.is_own()),
            peer,
        })
    }

    /// Says what this side wants, and hears the answer, with the descriptors that come along. Every refusal is an error; `abi_text` is the
    /// layout that this side has.
    pub(crate) fn ask(
        &self,
        hello: &Hello,
        given: &[BorrowedFd<'_>],
        abi_text: &str,
    ) -> Result<(Answer, Vec<Given>), AttachError> {
        let name = || self.name.to_string();
        // A server that turns clients away without hearing them may have answered and gone already: what it said is still to be read.
        let message = hello.to_bytes();
        match socket::until(&self.socket, self.end, || {
            socket::send(&self.socket, &message, given)
        }) {
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(error) => return Err(self.lost(error)),
        }
        let mut room = vec![0; LEN + MAX_TEXT];
        let mut receive = || {
            socket::until(&self.socket, self.end, || {
                socket::receive(&self.socket, &mut room)
            })
        };
        let received = match receive() {
            // Told once, before the answer, by one that went without reading what this side said.
            Err(Errno::CONNRESET) => receive(),
            received => received,
        };
        let received = received.map_err(|error| self.lost(error))?;
        socket::take_no_descriptors(&self.socket);
        if received.len == 0 {
            return Err(self.lost(Errno::PIPE));
        }
        let message = room.get(..received.len).unwrap_or(&room);
        let answer = Answer::from_bytes(message).map_err(|garbled| AttachError::Foreign {
            name: name(),
            what: garbled.to_string(),
        })?;
        if received.is_cut && !received.lacks_descriptors {
            return Err(AttachError::Foreign {
                name: name(),
                what: "what it says is longer than an answer".into(),
            });
        }
        if received.lacks_descriptors {
            let what = format!("taking the memory that the server of `{}` gives", self.name);
            return Err(system(what, Errno::MFILE));
        }
        match answer.verdict {
            Verdict::Welcome => Ok((answer, received.descriptors)),
            Verdict::AbiMismatch => Err(AttachError::AbiMismatch {
                name: name(),
                ours: hello.abi,
                theirs: answer.abi,
                difference: runtime_core::first_difference(abi_text, &answer.text),
            }),
            Verdict::TooManyClients => Err(AttachError::TooManyClients {
                limit: answer.bells as usize,
            }),
            Verdict::Denied => Err(AttachError::Denied {
                name: name(),
                why: answer.text,
            }),
            Verdict::Terms | Verdict::Refused => Err(AttachError::Refused {
                name: name(),
                why: answer.text,
            }),
        }
    }

    fn lost(&self, error: Errno) -> AttachError {
        match error {
            Errno::AGAIN => no_answer(self.name),
            Errno::PIPE | Errno::CONNRESET => AttachError::Refused {
                name: self.name.into(),
                why: "it ended the connection without an answer".into(),
            },
            _ => system(format!("talking to the server of `{}`", self.name), error),
        }
    }
}

fn no_answer(name: &str) -> AttachError {
    AttachError::NoAnswer {
        name: name.into(),
        after: PATIENCE,
    }
}
