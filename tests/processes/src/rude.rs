//! A connection to a server's socket that does not keep to the protocol.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recv, sendmsg, socket_with,
};

use crate::LONG;

/// A connection to the socket of a server with an abstract name, on which anything can be said.
#[derive(Debug)]
pub struct Rude(OwnedFd);

/// What a server does with such a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It answers with a verdict, by its number, and a text.
    Verdict(u32, String),
    /// It ends the connection.
    Cut,
    /// Nothing, for so long.
    Silence(Duration),
}

impl Rude {
    /// Connects, and says nothing.
    ///
    /// # Panics
    /// If nobody listens.
    pub fn connect(name: &str) -> Self {
        let made = socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        );
        let (Ok(socket), Ok(address)) = (
            made,
            SocketAddrUnix::new_abstract_name(format!("rpcidl:{name}").as_bytes()),
        ) else {
            panic!("no socket for `{name}`")
        };
        let connected = set_socket_timeout(&socket, Timeout::Recv, Some(LONG))
            .and_then(|()| set_socket_timeout(&socket, Timeout::Send, Some(LONG)))
            .and_then(|()| connect(&socket, &address));
        assert_eq!(connected, Ok(()), "connecting to `{name}`");
        Self(socket)
    }

    /// Says something, with descriptors.
    ///
    /// # Errors
    /// The other side has gone, or the message is larger than the system allows.
    pub fn say(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            let fits = control.push(SendAncillaryMessage::ScmRights(descriptors));
            assert!(fits, "at most 64 descriptors");
        }
        let message = [IoSlice::new(message)];
        sendmsg(&self.0, &message, &mut control, SendFlags::NOSIGNAL).map(drop)
    }

    /// What comes back.
    ///
    /// # Panics
    /// If it is none of what a server says.
    pub fn answer(&self) -> Reaction {
        let mut room = vec![0; 1 << 17];
        let mut receive = || recv(&self.0, room.as_mut_slice(), RecvFlags::empty());
        let received = match receive() {
            // Told once, before the answer, if the server went without reading all that was said.
            Err(Errno::CONNRESET) => receive(),
            received => received,
        };
        match received {
            Ok((_, 0)) | Err(Errno::CONNRESET | Errno::PIPE) => Reaction::Cut,
            Ok((_, len)) => {
                // Behind the magic and the version; the text follows the fixed part.
                let verdict = room[..len].get(12..16).and_then(|it| it.try_into().ok());
                let Some(verdict) = verdict else {
                    panic!("an answer of {len} bytes")
                };
                let text = room[..len].get(64..).unwrap_or_default();
                Reaction::Verdict(
                    u32::from_le_bytes(verdict),
                    String::from_utf8_lossy(text).into_owned(),
                )
            }
            Err(Errno::AGAIN) => Reaction::Silence(LONG),
            Err(other) => panic!("{other}"),
        }
    }
}
