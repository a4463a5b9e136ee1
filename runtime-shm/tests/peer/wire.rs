//! The messages of the handshake, byte by byte.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use runtime_core::SlotShape;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Descriptors that the peer can send and receive at a time: more than the protocol knows.
const MAX_DESCRIPTORS: usize = 64;

/// The version of the protocol.
pub const VERSION: u32 = 2;

/// A message before its text: 64 bytes, little-endian.
#[derive(Clone, Debug)]
pub struct Message(pub Vec<u8>);

impl Message {
    fn new(first: u32, abi: u128, flags: u32, counts: [u32; 2], shape: SlotShape) -> Self {
        let mut bytes = b"\x7frpcidl\0".to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(first.to_le_bytes());
        bytes.extend(abi.to_le_bytes());
        let areas = [shape.request_area, shape.response_area, shape.event_area];
        let areas = areas.map(|area| area as u32);
        for number in [flags].into_iter().chain(counts).chain(areas) {
            bytes.extend(number.to_le_bytes());
        }
        bytes.resize(64, 0);
        Self(bytes)
    }

    /// Overwrites the number at an offset.
    pub fn with(mut self, at: usize, number: u32) -> Self {
        self.0[at..at + 4].copy_from_slice(&number.to_le_bytes());
        self
    }

    /// The number at an offset.
    pub fn number(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }
}

/// What a client says.
#[derive(Clone, Copy, Debug)]
pub struct Hello {
    pub abi: u128,
    pub isolated: bool,
    pub asymmetric: bool,
    pub window: u32,
    pub shape: SlotShape,
}

impl Hello {
    /// As bytes.
    pub fn message(self) -> Message {
        let flags = u32::from(self.isolated) | u32::from(self.asymmetric) << 1;
        Message::new(1, self.abi, flags, [self.window, 0], self.shape)
    }
}

/// What a server says.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub verdict: u32,
    pub abi: u128,
    pub isolated: bool,
    pub window: u32,
    pub events: u32,
    pub shape: SlotShape,
    pub bell: u32,
    pub bells: u32,
}

impl Answer {
    /// As bytes.
    pub fn message(self) -> Message {
        let flags = u32::from(self.isolated);
        let counts = [self.window, self.events];
        Message::new(self.verdict, self.abi, flags, counts, self.shape)
            .with(56, self.bell)
            .with(60, self.bells)
    }
}

/// Sends bytes with descriptors.
pub fn send(socket: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    let flags = SendFlags::NOSIGNAL;
    sendmsg(socket.as_fd(), &[IoSlice::new(bytes)], &mut control, flags).map(|_| ())
}

/// Receives bytes with descriptors; no bytes if the other side is gone.
pub fn receive(socket: &OwnedFd) -> Result<(Vec<u8>, Vec<OwnedFd>), Errno> {
    let mut room = vec![0; 128 << 10];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket.as_fd(),
        &mut [IoSliceMut::new(&mut room)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    room.truncate(received.bytes);
    Ok((room, descriptors))
}
