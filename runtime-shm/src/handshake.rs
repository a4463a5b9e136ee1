//! What the two sides say to each other before they share memory: one message there, one back.
//!
//! Numbers are little-endian. Everything that a peer says is checked before it is used, here or, where only the service knows what is
//! possible, by whoever has it.

use runtime_core::handshake::{Garbled, Protocol, Reader, Writer, cut, text_of};
use runtime_core::{AbiHash, SlotShape};

/// Its version is that of the protocol, and of what lies in shared memory: of words, control blocks and their places.
const PROTOCOL: Protocol<LEN> = Protocol {
    magic: *b"\x7frpcidl\0",
    version: 2,
};

/// Bytes of a message, without the text that may follow an answer.
pub(crate) const LEN: usize = 64;

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) purpose: Purpose,
    pub(crate) abi: AbiHash,
    pub(crate) terms: Terms,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Calls.
    Attach,
    /// To see how the server is. The layout and the terms do not matter.
    Stat,
}

/// What both sides have to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) isolated: bool,
    /// True if barriers are free of cost for this side.
    pub(crate) asymmetric: bool,
    pub(crate) window: u32,
    pub(crate) events: u32,
    pub(crate) shape: SlotShape,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) abi: AbiHash,
    pub(crate) terms: Terms,
    /// The client's place among the doorbells, and how many there are.
    pub(crate) bell: u32,
    pub(crate) bells: u32,
    /// By verdict: the server's layout, or a reason.
    pub(crate) text: String,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Verdict {
    /// The descriptors of the shared memory come along; or the text says how the server is.
    Welcome = 0,
    /// The definitions differ; the text is the server's layout.
    AbiMismatch = 1,
    /// The server has all its clients; `bells` says how many.
    TooManyClients = 2,
    /// The terms are not possible; the text says why.
    Terms = 3,
    /// This user may not; the text says why.
    Denied = 4,
    /// Something else; the text says what.
    Refused = 5,
}

impl Terms {
    fn write(&self, writer: &mut Writer<LEN>) {
        writer.u32(u32::from(self.isolated) | u32::from(self.asymmetric) << 1);
        writer.u32(self.window);
        writer.u32(self.events);
        let shape = self.shape;
        for area in [shape.request_area, shape.response_area, shape.event_area] {
            // At most 64 KiB and some lines, by the limits of the language.
            writer.u32(area as u32);
        }
    }

    fn read(reader: &mut Reader<'_, LEN>) -> Result<Self, Garbled> {
        let flags = reader.u32();
        let (window, events) = (reader.u32(), reader.u32());
        let mut area = || reader.u32() as usize;
        let shape = SlotShape {
            request_area: area(),
            response_area: area(),
            event_area: area(),
        };
        if flags > 3 {
            return Err(Garbled::Nonsense);
        }
        Ok(Self {
            isolated: flags & 1 != 0,
            asymmetric: flags & 2 != 0,
            window,
            events,
            shape,
        })
    }
}

impl Hello {
    pub(crate) fn to_bytes(self) -> [u8; LEN] {
        let mut writer = PROTOCOL.write();
        writer.u32(match self.purpose {
            Purpose::Attach => 1,
            Purpose::Stat => 2,
        });
        writer.abi(self.abi);
        self.terms.write(&mut writer);
        writer.done()
    }

    pub(crate) fn from_bytes(message: &[u8]) -> Result<Self, Garbled> {
        let mut reader = PROTOCOL.read(message)?;
        let purpose = match reader.u32() {
            1 => Purpose::Attach,
            2 => Purpose::Stat,
            _ => return Err(Garbled::Nonsense),
        };
        let hello = Self {
            purpose,
            abi: reader.abi(),
            terms: Terms::read(&mut reader)?,
        };
        if message.len() == LEN {
            Ok(hello)
        } else {
            Err(Garbled::Nonsense)
        }
    }
}

impl Answer {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = PROTOCOL.write();
        writer.u32(self.verdict as u32);
        writer.abi(self.abi);
        self.terms.write(&mut writer);
        writer.u32(self.bell);
        writer.u32(self.bells);
        let mut bytes = writer.done().to_vec();
        bytes.extend_from_slice(cut(&self.text).as_bytes());
        bytes
    }

    pub(crate) fn from_bytes(message: &[u8]) -> Result<Self, Garbled> {
        let mut reader = PROTOCOL.read(message)?;
        let verdict = match reader.u32() {
            0 => Verdict::Welcome,
            1 => Verdict::AbiMismatch,
            2 => Verdict::TooManyClients,
            3 => Verdict::Terms,
            4 => Verdict::Denied,
            5 => Verdict::Refused,
            _ => return Err(Garbled::Nonsense),
        };
        Ok(Self {
            verdict,
            abi: reader.abi(),
            terms: Terms::read(&mut reader)?,
            bell: reader.u32(),
            bells: reader.u32(),
            text: text_of(&message[LEN..]),
        })
    }
}

#[cfg(test)]
mod tests {
    use runtime_core::handshake::MAX_TEXT;

    use super::*;

    fn terms() -> Terms {
        Terms {
            isolated: true,
            asymmetric: false,
            window: 32,
            events: 4096,
            shape: SlotShape {
                request_area: 64,
                response_area: 65_600,
                event_area: 0,
            },
        }
    }

    fn hello() -> Hello {
        Hello {
            purpose: Purpose::Attach,
            abi: AbiHash(u128::MAX / 7),
            terms: terms(),
        }
    }

    fn answer(text: &str) -> Answer {
        Answer {
            verdict: Verdict::AbiMismatch,
            abi: AbiHash(3),
            terms: terms(),
            bell: 17,
            bells: 1024,
            text: text.into(),
        }
    }

    #[test]
    fn messages_come_back_as_they_were() {
        assert_eq!(Hello::from_bytes(&hello().to_bytes()), Ok(hello()));
        let answer = answer("u8 @0\ta\nu16 @2\tb");
        assert_eq!(Answer::from_bytes(&answer.to_bytes()), Ok(answer));
    }

    #[test]
    fn a_long_layout_is_cut_between_lines() {
        let line = format!("{}\n", "x".repeat(99));
        let sent = answer(&line.repeat(1000)).to_bytes();
        assert!(sent.len() <= LEN + MAX_TEXT);
        let text = Answer::from_bytes(&sent).map(|answer| answer.text);
        assert_eq!(text, Ok(line.repeat(655).trim_end().to_string()));
    }

    #[test]
    fn garbage_is_told_apart() {
        let good = hello().to_bytes();
        assert_eq!(Hello::from_bytes(b"GET / HTTP/1.1"), Err(Garbled::Foreign));
        assert_eq!(Hello::from_bytes(&good[..63]), Err(Garbled::Foreign));
        let mut bad = good;
        bad[8] = 9;
        assert_eq!(
            Hello::from_bytes(&bad),
            Err(Garbled::Version { theirs: 9, ours: 2 })
        );
        // Purpose, flags, and a byte too many.
        for at in [12, 32] {
            let mut bad = good;
            bad[at] = 77;
            assert_eq!(Hello::from_bytes(&bad), Err(Garbled::Nonsense), "byte {at}");
        }
        let long = [good.as_slice(), &[0]].concat();
        assert_eq!(Hello::from_bytes(&long), Err(Garbled::Nonsense));
    }

    #[test]
    fn no_byte_makes_it_panic() {
        for at in 0..LEN {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = hello().to_bytes();
                bytes[at] = value;
                let _ = Hello::from_bytes(&bytes);
                let mut bytes = answer("").to_bytes();
                bytes[at] = value;
                let _ = Answer::from_bytes(&bytes);
            }
        }
    }
}
