//! What the two sides say to each other over TCP before they are connected.
//!
//! The client says [`Hello`], and the server [`Answer`]s whether the two fit. Then the client makes its queue pair and says how it is
//! reached ([`Endpoint`]); the server connects one of its own and answers how that is reached. The client says [`READY`] once it can
//! receive, and the server repeats that once the connection may be used. Then nothing more is said, and the socket stays open as the sign
//! of life.
//!
//! Numbers are little-endian. Everything that a peer says is checked before it is used, here or, where only the service knows what is
//! possible, by whoever has it.

use runtime_core::AbiHash;
use runtime_core::handshake::{Garbled, MAX_TEXT, Protocol, Reader, Writer, cut};

use crate::shape::Shape;

/// Its version is that of the protocol, and of what the immediate data of messages says.
const PROTOCOL: Protocol<LEN> = Protocol {
    magic: *b"\x7frpcidlR",
    version: 1,
};

/// Bytes of a message, without the text that may follow an answer.
pub(crate) const LEN: usize = 128;

/// That a side is ready.
pub(crate) const READY: u8 = 0x52;

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) abi: AbiHash,
    pub(crate) window: u32,
    pub(crate) shape: Shape,
}

/// How a queue pair is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Number of the queue pair, 24 bits.
    pub(crate) qpn: u32,
    /// The first packet's sequence number, 24 bits.
    pub(crate) psn: u32,
    /// Local identifier of the port, on InfiniBand.
    pub(crate) lid: u16,
    /// The code of the path MTU: 1 to 5 for 256 to 4,096 bytes.
    pub(crate) mtu: u8,
    /// True if the GID is to be used: on Ethernet always.
    pub(crate) is_global: bool,
    pub(crate) gid: [u8; 16],
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) abi: AbiHash,
    pub(crate) endpoint: Endpoint,
    /// The event window.
    pub(crate) events: u32,
    /// How many clients the server admits.
    pub(crate) clients: u32,
    /// By verdict: the server's layout, or a reason.
    pub(crate) text: String,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Verdict {
    /// To a [`Hello`]: the two fit. To an [`Endpoint`]: the server's queue pair is connected to it.
    Welcome = 0,
    /// The definitions differ; the text is the server's layout.
    AbiMismatch = 1,
    /// The server has all its clients; `clients` says how many.
    TooManyClients = 2,
    /// Something else; the text says what.
    Refused = 3,
}

impl Endpoint {
    /// True if a queue pair can be connected to it.
    pub(crate) fn is_possible(&self) -> bool {
        const BITS_24: u32 = 1 << 24;
        self.qpn < BITS_24 && self.psn < BITS_24 && (1..=5).contains(&self.mtu)
    }

    fn write(&self, writer: &mut Writer<LEN>) {
        writer.u32(self.qpn);
        writer.u32(self.psn);
        let path = u32::from(self.lid) | u32::from(self.mtu) << 16;
        writer.u32(path | u32::from(self.is_global) << 24);
        writer.put(&self.gid);
    }

    fn read(reader: &mut Reader<'_, LEN>) -> Self {
        let (qpn, psn, path) = (reader.u32(), reader.u32(), reader.u32());
        Self {
            qpn,
            psn,
            lid: path as u16,
            mtu: (path >> 16) as u8,
            is_global: path >> 24 == 1,
            gid: reader.take(),
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; LEN] {
        let mut writer = PROTOCOL.write();
        self.write(&mut writer);
        writer.done()
    }

    pub(crate) fn from_bytes(message: &[u8; LEN]) -> Result<Self, Garbled> {
        let endpoint = Self::read(&mut PROTOCOL.read(message)?);
        if endpoint.is_possible() {
            Ok(endpoint)
        } else {
            Err(Garbled::Nonsense)
        }
    }
}

impl Hello {
    pub(crate) fn to_bytes(self) -> [u8; LEN] {
        let mut writer = PROTOCOL.write();
        writer.abi(self.abi);
        writer.u32(self.window);
        let shape = self.shape;
        for bytes in [shape.request, shape.response, shape.event] {
            // At most 64 KiB, by the limits of the language.
            writer.u32(bytes as u32);
        }
        writer.u32(u32::from(shape.in_place));
        writer.done()
    }

    pub(crate) fn from_bytes(message: &[u8; LEN]) -> Result<Self, Garbled> {
        let mut reader = PROTOCOL.read(message)?;
        let (abi, window) = (reader.abi(), reader.u32());
        let mut bytes = || reader.u32() as usize;
        let (request, response, event, in_place) = (bytes(), bytes(), bytes(), bytes());
        if in_place > 1 {
            return Err(Garbled::Nonsense);
        }
        Ok(Self {
            abi,
            window,
            shape: Shape {
                request,
                response,
                event,
                in_place: in_place == 1,
            },
        })
    }
}

impl Answer {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let text = cut(&self.text);
        let mut writer = PROTOCOL.write();
        writer.u32(self.verdict as u32);
        writer.abi(self.abi);
        self.endpoint.write(&mut writer);
        writer.u32(self.events);
        writer.u32(self.clients);
        writer.u32(text.len() as u32);
        let mut bytes = writer.done().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// The answer without its text, and how many bytes that has.
    pub(crate) fn from_bytes(message: &[u8; LEN]) -> Result<(Self, usize), Garbled> {
        let mut reader = PROTOCOL.read(message)?;
        let verdict = match reader.u32() {
            0 => Verdict::Welcome,
            1 => Verdict::AbiMismatch,
            2 => Verdict::TooManyClients,
            3 => Verdict::Refused,
            _ => return Err(Garbled::Nonsense),
        };
        let answer = Self {
            verdict,
            abi: reader.abi(),
            endpoint: Endpoint::read(&mut reader),
            events: reader.u32(),
            clients: reader.u32(),
            text: String::new(),
        };
        let text = reader.u32() as usize;
        if text > MAX_TEXT {
            return Err(Garbled::Nonsense);
        }
        Ok((answer, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint {
            qpn: 0x12_3456,
            psn: 0xff_ffff,
            lid: 0xabcd,
            mtu: 5,
            is_global: true,
            gid: *b"0123456789abcdef",
        }
    }

    fn hello() -> Hello {
        Hello {
            abi: AbiHash(u128::MAX / 7),
            window: 32,
            shape: Shape {
                request: 64,
                response: 65_536,
                event: 0,
                in_place: true,
            },
        }
    }

    fn answer(text: &str) -> Answer {
        Answer {
            verdict: Verdict::AbiMismatch,
            abi: AbiHash(3),
            endpoint: endpoint(),
            events: 4096,
            clients: 1024,
            text: text.into(),
        }
    }

    fn head(bytes: &[u8]) -> [u8; LEN] {
        bytes[..LEN].try_into().expect("it is that long")
    }

    #[test]
    fn messages_come_back_as_they_were() {
        assert_eq!(Hello::from_bytes(&hello().to_bytes()), Ok(hello()));
        assert_eq!(Endpoint::from_bytes(&endpoint().to_bytes()), Ok(endpoint()));
        let bytes = answer("u8 @0\ta").to_bytes();
        assert_eq!(Answer::from_bytes(&head(&bytes)), Ok((answer(""), 7)));
        assert_eq!(&bytes[LEN..], b"u8 @0\ta");
    }

    #[test]
    fn a_long_layout_is_cut_between_lines() {
        let line = format!("{}\n", "x".repeat(99));
        let sent = answer(&line.repeat(1000)).to_bytes();
        assert_eq!(sent.len(), LEN + 655 * 100 - 1);
    }

    #[test]
    fn garbage_is_told_apart() {
        let good = hello().to_bytes();
        let mut http = [b' '; LEN];
        http[..5].copy_from_slice(b"GET /");
        assert_eq!(Hello::from_bytes(&http), Err(Garbled::Foreign));
        let mut bad = good;
        bad[8] = 9;
        assert_eq!(
            Hello::from_bytes(&bad),
            Err(Garbled::Version { theirs: 9, ours: 1 })
        );
        // A queue pair's number of more than 24 bits, a path MTU that there is not.
        for at in [15, 22] {
            let mut bad = endpoint().to_bytes();
            bad[at] = 77;
            assert_eq!(
                Endpoint::from_bytes(&bad),
                Err(Garbled::Nonsense),
                "byte {at}"
            );
        }
    }

    #[test]
    fn no_byte_makes_it_panic() {
        for at in 0..LEN {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = hello().to_bytes();
                bytes[at] = value;
                let _ = Hello::from_bytes(&bytes);
                let mut bytes = endpoint().to_bytes();
                bytes[at] = value;
                if let Ok(endpoint) = Endpoint::from_bytes(&bytes) {
                    assert!(endpoint.is_possible());
                }
                let mut bytes = head(&answer("").to_bytes());
                bytes[at] = value;
                if let Ok((_, text)) = Answer::from_bytes(&bytes) {
                    assert!(text <= MAX_TEXT);
                }
            }
        }
    }
}
