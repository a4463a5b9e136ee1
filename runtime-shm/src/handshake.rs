//! What the two sides say to each other before they share memory: one message there, one back.
//!
//! Numbers are little-endian. Everything that a peer says is checked before it is used, here or, where only the service knows what is
//! possible, by whoever has it.

use runtime_core::{AbiHash, SlotShape};

/// The first bytes of every message.
const MAGIC: [u8; 8] = *b"\x7frpcidl\0";

/// Version of the protocol, and of what lies in shared memory: of words, control blocks and their places.
pub(crate) const VERSION: u32 = 1;

/// Bytes of a message, without the text that may follow an answer.
pub(crate) const LEN: usize = 64;

/// Bytes of that text at most.
pub(crate) const MAX_TEXT: usize = 64 << 10;

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

/// Why a message is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Garbled {
    /// Not of this protocol at all.
    Foreign,
    /// Of this protocol, but another version.
    Version(u32),
    /// Of this version, and nonsense.
    Nonsense,
}

impl core::fmt::Display for Garbled {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Foreign => f.write_str("what it says is of another protocol"),
            Self::Version(version) => write!(
                f,
                "it speaks version {version} of the protocol, and this side {VERSION}; use one version of rpcidl on both"
            ),
            Self::Nonsense => f.write_str("what it says makes no sense"),
        }
    }
}

/// Lets numbers be put and taken one after the other.
struct Fields<B>(B, usize);

impl Fields<[u8; LEN]> {
    fn new() -> Self {
        let mut fields = Self([0; LEN], 0);
        fields.put(&MAGIC);
        fields.u32(VERSION);
        fields
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.1 + bytes.len();
        self.0[self.1..end].copy_from_slice(bytes);
        self.1 = end;
    }

    fn u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    fn terms(&mut self, terms: &Terms) {
        self.u32(u32::from(terms.isolated) | u32::from(terms.asymmetric) << 1);
        self.u32(terms.window);
        self.u32(terms.events);
        let shape = terms.shape;
        for area in [shape.request_area, shape.response_area, shape.event_area] {
            // At most 64 KiB and some lines, by the limits of the language.
            self.u32(area as u32);
        }
    }
}

impl<'a> Fields<&'a [u8]> {
    /// Behind magic and version.
    fn of(message: &'a [u8]) -> Result<Self, Garbled> {
        let mut fields = Self(message, 0);
        if message.len() < LEN || fields.take::<8>() != MAGIC {
            return Err(Garbled::Foreign);
        }
        match fields.u32() {
            VERSION => Ok(fields),
            version => Err(Garbled::Version(version)),
        }
    }

    /// The next bytes; those behind the end are zeros.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        if let Some(found) = self.0.get(self.1..self.1 + N) {
            bytes.copy_from_slice(found);
        }
        self.1 += N;
        bytes
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn abi(&mut self) -> AbiHash {
        AbiHash(u128::from_le_bytes(self.take()))
    }

    fn terms(&mut self) -> Result<Terms, Garbled> {
        let flags = self.u32();
        let (window, events) = (self.u32(), self.u32());
        let mut area = || self.u32() as usize;
        let shape = SlotShape {
            request_area: area(),
            response_area: area(),
            event_area: area(),
        };
        if flags > 3 {
            return Err(Garbled::Nonsense);
        }
        Ok(Terms {
            isolated: flags & 1 != 0,
            asymmetric: flags & 2 != 0,
            window,
            events,
            shape,
        })
    }
}

/// As many lines of a text as fit a message.
pub(crate) fn cut(text: &str) -> &str {
    let mut text = text;
    while text.len() > MAX_TEXT {
        text = text.rsplit_once('\n').map_or("", |(before, _)| before);
    }
    text
}

impl Hello {
    pub(crate) fn to_bytes(self) -> [u8; LEN] {
        let mut fields = Fields::new();
        fields.u32(match self.purpose {
            Purpose::Attach => 1,
            Purpose::Stat => 2,
        });
        fields.put(&self.abi.0.to_le_bytes());
        fields.terms(&self.terms);
        fields.0
    }

    pub(crate) fn from_bytes(message: &[u8]) -> Result<Self, Garbled> {
        let mut fields = Fields::of(message)?;
        let purpose = match fields.u32() {
            1 => Purpose::Attach,
            2 => Purpose::Stat,
            _ => return Err(Garbled::Nonsense),
        };
        let hello = Self {
            purpose,
            abi: fields.abi(),
            terms: fields.terms()?,
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
        let mut fields = Fields::new();
        fields.u32(self.verdict as u32);
        fields.put(&self.abi.0.to_le_bytes());
        fields.terms(&self.terms);
        fields.u32(self.bell);
        fields.u32(self.bells);
        let mut bytes = fields.0.to_vec();
        bytes.extend_from_slice(cut(&self.text).as_bytes());
        bytes
    }

    pub(crate) fn from_bytes(message: &[u8]) -> Result<Self, Garbled> {
        let mut fields = Fields::of(message)?;
        let verdict = match fields.u32() {
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
            abi: fields.abi(),
            terms: fields.terms()?,
            bell: fields.u32(),
            bells: fields.u32(),
            text: String::from_utf8_lossy(&message[LEN..]).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(Hello::from_bytes(&bad), Err(Garbled::Version(9)));
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
