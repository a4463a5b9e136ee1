//! The messages of the handshake and the immediate data, written out: a mistake on one side of the transport shows here.

use runtime_core::Service as _;

use super::probe::probe::Service;

/// That a side is ready.
pub const READY: u8 = 0x52;

/// Bytes of a buffer for a request or a response of the probe service: 4,001 and 4,000, in whole lines, and of one size because some are
/// edited in place.
pub const REQUEST: u32 = 4_032;

/// Bytes of a buffer for an event: a line.
pub const EVENT: u32 = 64;

/// A message of 128 bytes, and the text that may follow.
#[derive(Clone, Debug)]
pub struct Message(pub Vec<u8>);

/// How a queue pair is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub qpn: u32,
    pub psn: u32,
    pub lid: u16,
    pub mtu: u8,
    pub is_global: u8,
    pub gid: [u8; 16],
}

impl Message {
    /// Magic and version, and zeros.
    fn new() -> Self {
        let mut bytes = vec![0; 128];
        bytes[..8].copy_from_slice(b"\x7frpcidlR");
        bytes[8] = 1;
        Self(bytes)
    }

    /// With other bytes from a place on.
    pub fn with_bytes(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// With another number at a place.
    pub fn with(self, at: usize, number: u32) -> Self {
        self.with_bytes(at, &number.to_le_bytes())
    }

    /// The number at a place.
    pub fn number(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    /// What an honest client of the probe service says first.
    pub fn hello(window: u32) -> Self {
        Self::new()
            .with_bytes(12, &Service::ABI_HASH.0.to_le_bytes())
            .with(28, window)
            .with(32, REQUEST)
            .with(36, REQUEST)
            .with(40, EVENT)
            .with(44, 1)
    }

    /// How a client's queue pair is reached.
    pub fn endpoint(point: &Point) -> Self {
        Self::new().with_point(12, point)
    }

    /// A server's answer.
    pub fn answer(verdict: u32, events: u32, point: &Point) -> Self {
        Self::new()
            .with(12, verdict)
            .with_bytes(16, &Service::ABI_HASH.0.to_le_bytes())
            .with_point(32, point)
            .with(60, events)
            .with(64, 1024)
    }

    /// An answer with a text behind it.
    pub fn with_text(self, text: &str) -> Self {
        let mut message = self.with(68, text.len() as u32);
        message.0.extend_from_slice(text.as_bytes());
        message
    }

    fn with_point(self, at: usize, point: &Point) -> Self {
        let path =
            u32::from(point.lid) | u32::from(point.mtu) << 16 | u32::from(point.is_global) << 24;
        self.with(at, point.qpn)
            .with(at + 4, point.psn)
            .with(at + 8, path)
            .with_bytes(at + 12, &point.gid)
    }

    /// What is said there of a queue pair.
    pub fn point(&self, at: usize) -> Point {
        let path = self.number(at + 8);
        Point {
            qpn: self.number(at),
            psn: self.number(at + 4),
            lid: path as u16,
            mtu: (path >> 16) as u8,
            is_global: (path >> 24) as u8,
            gid: self.0[at + 12..at + 28].try_into().unwrap(),
        }
    }

    /// The verdict of an answer.
    pub fn verdict(&self) -> u32 {
        self.number(12)
    }

    /// The text of an answer.
    pub fn text(&self) -> String {
        String::from_utf8(self.0[128..].to_vec()).unwrap()
    }
}

/// What a reply is: its value in bits 29 to 31.
pub const OK: u32 = 0;
pub const SERVICE: u32 = 1;
pub const ABORTED: u32 = 2;
pub const UNIMPLEMENTED: u32 = 3;
pub const INVALID: u32 = 4;
pub const FREED: u32 = 5 << 29;
pub const LEAVES: u32 = 7 << 29;

/// The immediate data of a request.
pub fn request_imm(slot: u16, generation: u8, method: u16) -> u32 {
    u32::from(generation & 7) << 28 | u32::from(slot & 0xfff) << 16 | u32::from(method)
}

/// The immediate data of a note.
pub fn note_imm(taken: u16, leaves: bool) -> u32 {
    1 << 31 | u32::from(leaves) << 30 | u32::from(taken)
}

/// The immediate data of a reply.
pub fn reply_imm(slot: u16, generation: u8, kind: u32) -> u32 {
    kind << 29 | u32::from(generation & 7) << 26 | u32::from(slot & 0xfff) << 14
}

/// The immediate data of an event.
pub fn event_imm(method: u16) -> u32 {
    6 << 29 | u32::from(method)
}

/// What a server's message is.
pub fn kind_of(imm: u32) -> u32 {
    imm >> 29
}

/// Slot and generation of a reply.
pub fn tag_of(imm: u32) -> (u16, u8) {
    ((imm >> 14 & 0xfff) as u16, (imm >> 26 & 7) as u8)
}
