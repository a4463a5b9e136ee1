//! Unix sockets that keep messages apart (SOCK_SEQPACKET), with descriptors on them.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::given::Given;
use runtime_core::AttachError;
use runtime_os::{Watch, Watched};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socket_with,
};

/// Descriptors that travel with one message at most.
const MAX_DESCRIPTORS: usize = 2;

/// Those that a peer can send with one message (SCM_MAX_FD, unix(7)): there is room for all of them, for the kernel would close the rest on the
/// thread that receives.
const MOST_DESCRIPTORS: usize = 253;

/// An error of the operating system, with what was tried.
pub(crate) fn system(what: String, error: impl ToString) -> AttachError {
    AttachError::System {
        what,
        error: error.to_string(),
    }
}

/// A socket.
pub(crate) fn new() -> Result<OwnedFd, AttachError> {
    with(SocketFlags::CLOEXEC)
}

/// A socket on which nothing waits.
pub(crate) fn new_nonblocking() -> Result<OwnedFd, AttachError> {
    with(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

fn with(flags: SocketFlags) -> Result<OwnedFd, AttachError> {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(|error| system("making a socket".into(), error))
}

/// Does what waits on a socket until `end`, also where signals interrupt it again and again, in a program that is profiled without end.
pub(crate) fn until<R>(
    socket: impl AsFd,
    end: Instant,
    mut wait: impl FnMut() -> Result<R, Errno>,
) -> Result<R, Errno> {
    loop {
        // None at all would be for ever.
        let left = end.saturating_duration_since(Instant::now());
        for which in [Timeout::Send, Timeout::Recv] {
            set_socket_timeout(&socket, which, Some(left.max(Duration::from_micros(1))))?;
        }
        match wait() {
            Err(Errno::INTR) if Instant::now() < end => {}
            Err(Errno::INTR) => return Err(Errno::AGAIN),
            done => return done,
        }
    }
}

/// Watches a socket.
pub(crate) fn watch(
    socket: BorrowedFd<'_>,
    watched: Arc<dyn Watched>,
) -> Result<Watch, AttachError> {
    // On its own, so that the error says which of the two went wrong.
    Watch::prepare()
        .map_err(|error| system("starting the thread that watches sockets".into(), error))?;
    Watch::start(socket, watched).map_err(|error| system("watching a socket".into(), error))
}

/// Sends one message with descriptors. Interrupted by signals where it may wait; see [`until`].
pub(crate) fn send(
    socket: impl AsFd,
    message: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOMANYREFS);
    }
    sendmsg(
        &socket,
        &[IoSlice::new(message)],
        &mut control,
        SendFlags::NOSIGNAL,
    )
    .map(|_| ())
}

/// What a peer sent.
#[derive(Debug)]
pub(crate) struct Received {
    /// Bytes of the message; 0 if the peer is gone.
    pub(crate) len: usize,
    /// What came with it.
    pub(crate) descriptors: Vec<Given>,
    /// True if a part of the message or of its descriptors is lost, or there are more of these than any message has.
    pub(crate) is_cut: bool,
    /// True if descriptors are lost: this process has as many as it may have.
    pub(crate) lacks_descriptors: bool,
}

/// Receives one message, interrupted like [`send`]. The descriptors close when they are dropped, and when a program is executed.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<Received, Errno> {
    receive_with(socket, buffer, RecvFlags::empty())
}

fn receive_with(socket: impl AsFd, buffer: &mut [u8], flags: RecvFlags) -> Result<Received, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        &socket,
        &mut [IoSliceMut::new(buffer)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC | flags,
    )?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights.map(Given::from));
        }
    }
    let is_short = received.flags.contains(ReturnFlags::CTRUNC);
    let has_too_many = descriptors.len() > MAX_DESCRIPTORS;
    Ok(Received {
        lacks_descriptors: is_short && !has_too_many,
        len: received.bytes,
        descriptors,
        is_cut: received.flags.contains(ReturnFlags::TRUNC) || is_short || has_too_many,
    })
}

/// A message that says only "look", without waiting: if there is no room for it, others say so already.
pub(crate) fn nudge(socket: impl AsFd) {
    let _ = rustix::net::send(socket, &[0], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}

/// Takes away messages like that, some of them: a peer that sends without end must not keep the caller. False if the peer is gone.
pub(crate) fn drain(socket: impl AsFd) -> bool {
    for _ in 0..16 {
        // One byte is enough: the rest of a longer message is thrown away.
        match receive_with(&socket, &mut [0; 1], RecvFlags::DONTWAIT) {
            Ok(Received { len: 0, .. }) => return false,
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return true,
            Err(_) => return false,
        }
    }
    true
}

/// From here on the peer can send no descriptors (SO_PASSRIGHTS, Linux 6.16): closing one takes as long as it likes, also for a thread that
/// only takes messages away. Older kernels do not know that.
pub(crate) fn take_no_descriptors(socket: impl AsFd) {
    const SO_PASSRIGHTS: libc::c_int = 83;
    let no: libc::c_int = 0;
    // SAFETY: the kernel reads a number of that length.
    let _ = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSRIGHTS,
            (&raw const no).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
}
