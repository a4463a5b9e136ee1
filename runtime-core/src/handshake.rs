//! How the messages of a handshake are written and read: what the transports that have one have in common.
//!
//! A message has a fixed length. It begins with the protocol's name and version; numbers are little-endian; text may follow it.

use alloc::string::String;
use core::fmt;

use crate::abi::AbiHash;

/// Bytes of the text that follows a message, at most.
pub const MAX_TEXT: usize = 64 << 10;

/// A protocol of messages of `LEN` bytes.
#[derive(Clone, Copy, Debug)]
pub struct Protocol<const LEN: usize> {
    /// The first bytes of every message.
    pub magic: [u8; 8],
    /// Its version, which follows them.
    pub version: u32,
}

/// Why a message is none of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbled {
    /// Not of this protocol at all.
    Foreign,
    /// Of this protocol, but another version.
    Version {
        /// The one that it is of.
        theirs: u32,
        /// The one that this side speaks.
        ours: u32,
    },
    /// Of this version, and nonsense.
    Nonsense,
}

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("what it says is of another protocol"),
            Self::Version { theirs, ours } => write!(
                f,
                "it speaks version {theirs} of the protocol, and this side {ours}; use one version of rpcidl on both"
            ),
            Self::Nonsense => f.write_str("what it says makes no sense"),
        }
    }
}

impl<const LEN: usize> Protocol<LEN> {
    /// Begins a message.
    pub fn write(&self) -> Writer<LEN> {
        let mut writer = Writer {
            bytes: [0; LEN],
            at: 0,
        };
        writer.put(&self.magic);
        writer.u32(self.version);
        writer
    }

    /// Reads a message, behind name and version.
    ///
    /// # Errors
    /// It is shorter than a message, of another protocol, or of another version.
    pub fn read<'a>(&self, message: &'a [u8]) -> Result<Reader<'a, LEN>, Garbled> {
        let bytes = message.first_chunk().ok_or(Garbled::Foreign)?;
        let mut reader = Reader { bytes, at: 0 };
        if reader.take() != self.magic {
            return Err(Garbled::Foreign);
        }
        match reader.u32() {
            theirs if theirs == self.version => Ok(reader),
            theirs => Err(Garbled::Version {
                theirs,
                ours: self.version,
            }),
        }
    }
}

/// A message that is written, one field after the other.
#[derive(Clone, Copy, Debug)]
pub struct Writer<const LEN: usize> {
    bytes: [u8; LEN],
    at: usize,
}

impl<const LEN: usize> Writer<LEN> {
    /// Adds bytes.
    ///
    /// # Panics
    /// The message has no room for them: what is written has the same length each time, so the first test finds it.
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        self.bytes[self.at..end].copy_from_slice(bytes);
        self.at = end;
    }

    /// Adds a number.
    pub fn u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    /// Adds a fingerprint.
    pub fn abi(&mut self, abi: AbiHash) {
        self.put(&abi.0.to_le_bytes());
    }

    /// The message; what was not written is zero.
    pub fn done(self) -> [u8; LEN] {
        self.bytes
    }
}

/// A message that is read, one field after the other. Whether the fields make sense the reader's user asks.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a, const LEN: usize> {
    bytes: &'a [u8; LEN],
    at: usize,
}

impl<const LEN: usize> Reader<'_, LEN> {
    /// The next bytes.
    ///
    /// # Panics
    /// The message is not that long: what is read has the same length each time, so the first test finds it.
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        bytes
    }

    /// The next number.
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    /// The next fingerprint.
    pub fn abi(&mut self) -> AbiHash {
        AbiHash(u128::from_le_bytes(self.take()))
    }
}

/// A text that followed a message, for people to read: what would do more on a terminal than stand there is replaced.
pub fn text_of(bytes: &[u8]) -> String {
    let shown = |character: char| match character {
        // The parts of a layout's text.
        '\n' | '\t' => character,
        other if other.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    String::from_utf8_lossy(bytes).chars().map(shown).collect()
}

/// As many lines of a text as may follow a message.
pub fn cut(text: &str) -> &str {
    let mut text = text;
    while text.len() > MAX_TEXT {
        text = text.rsplit_once('\n').map_or("", |(before, _)| before);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOCOL: Protocol<40> = Protocol {
        magic: *b"a name \0",
        version: 3,
    };

    #[test]
    fn what_was_written_is_read() {
        let mut writer = PROTOCOL.write();
        writer.u32(7);
        writer.abi(AbiHash(u128::MAX / 7));
        let bytes = writer.done();
        let mut reader = PROTOCOL.read(&bytes).expect("it was written just now");
        assert_eq!((reader.u32(), reader.abi()), (7, AbiHash(u128::MAX / 7)));
        assert_eq!(reader.u32(), 0, "the rest");
    }

    #[test]
    fn what_is_none_is_told_apart() {
        let good = PROTOCOL.write().done();
        assert_eq!(PROTOCOL.read(&good[..39]).err(), Some(Garbled::Foreign));
        for at in 0..8 {
            let mut bad = good;
            bad[at] ^= 1;
            assert_eq!(PROTOCOL.read(&bad).err(), Some(Garbled::Foreign));
        }
        let mut bad = good;
        bad[8] = 9;
        let garbled = Garbled::Version { theirs: 9, ours: 3 };
        assert_eq!(PROTOCOL.read(&bad).err(), Some(garbled));
    }

    #[test]
    fn a_text_is_only_text() {
        assert_eq!(
            text_of(b"a\x1b[2Jb\nc\xff\x07"),
            "a\u{fffd}[2Jb\nc\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn a_long_text_is_cut_between_lines() {
        let line = alloc::format!("{}\n", "x".repeat(99));
        assert_eq!(cut(&line), line);
        assert_eq!(cut(&line.repeat(1000)).len(), 655 * 100 - 1);
        assert_eq!(cut(&"x".repeat(MAX_TEXT + 1)), "");
    }
}
