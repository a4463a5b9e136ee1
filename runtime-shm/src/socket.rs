//! Unix sockets that keep messages apart (SOCK_SEQPACKET), with descriptors on them.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::given::Given;
use runtime_core::AttachError;
use runtime_os::{Watch, Watched};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg,
    sendmsg, socket_with,
};

/// Descriptors that travel with one message at most.
pub(crate) const MAX_DESCRIPTORS: usize = 2;

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

/// Bounds everything that waits on a socket.
pub(crate) fn set_patience(socket: &OwnedFd, patience: Duration) -> Result<(), AttachError> {
    for which in [Timeout::Send, Timeout::Recv] {
        set_socket_timeout(socket, which, Some(patience))
            .map_err(|error| system("setting up a socket".into(), error))?;
    }
    Ok(())
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

/// Sends one message with descriptors.
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
    // A signal may come at any time, in a program that is profiled without end.
    retry_on_intr(|| {
        sendmsg(
            &socket,
            &[IoSlice::new(message)],
            &mut control,
            SendFlags::NOSIGNAL,
        )
    })
    .map(|_| ())
}

/// What a peer sent.
#[derive(Debug)]
pub(crate) struct Received {
    /// Bytes of the message; 0 if the peer is gone.
    pub(crate) len: usize,
    /// What came with it, at most [`MAX_DESCRIPTORS`].
    pub(crate) descriptors: Vec<Given>,
    /// True if the message or its descriptors did not fit, and a part is lost.
    pub(crate) is_cut: bool,
    /// True if descriptors are lost that would have fitted: this process has as many as it may have.
    pub(crate) lacks_descriptors: bool,
}

/// Receives one message. The descriptors close when they are dropped, and when a program is executed.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<Received, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        recvmsg(
            &socket,
            &mut [IoSliceMut::new(buffer)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights.map(Given::from));
        }
    }
    let lacks_descriptors =
        received.flags.contains(ReturnFlags::CTRUNC) && descriptors.len() < MAX_DESCRIPTORS;
    Ok(Received {
        lacks_descriptors,
        len: received.bytes,
        descriptors,
        is_cut: received
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC),
    })
}

/// A message that says only "look", without waiting: if there is no room for it, others say so already.
pub(crate) fn nudge(socket: impl AsFd) {
    let _ = rustix::net::send(socket, &[0], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}

/// Takes away messages like that, some of them: a peer that sends without end must not keep the caller. False if the peer is gone.
pub(crate) fn drain(socket: impl AsFd) -> bool {
    for _ in 0..16 {
        // One byte is enough: the rest of a longer message is thrown away, and so are descriptors.
        match recv(&socket, &mut [0; 1], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return false,
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return true,
            Err(_) => return false,
        }
    }
    true
}

/// From here on the peer can send no descriptors (SO_PASSRIGHTS, Linux 6.16): closing one takes as long as it likes, also for a thread that
/// only takes messages away. Older kernels do not know that.
pub(crate) fn take_no_descriptors(socket: &OwnedFd) {
    const SO_PASSRIGHTS: libc::c_int = 83;
    let no: libc::c_int = 0;
    // SAFETY: the kernel reads a number of that length.
    let _ = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSRIGHTS,
            (&raw const no).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
}
