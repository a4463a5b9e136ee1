//! What the immediate data of a message says: which slot it is about, and what it is.
//!
//! A call needs no header: slot, generation and method ride in the 32 bits that a SEND carries beside its payload, and the completion
//! tells the length. The body is the struct.
//!
//! | from the client | |
//! | --- | --- |
//! | 31 | 0: a request |
//! | 28..31 | generation of the slot |
//! | 16..28 | slot |
//! | 0..16 | number of the method |
//!
//! | from the client | |
//! | --- | --- |
//! | 31 | 1: a note |
//! | 30 | the client is leaving |
//! | 0..16 | events whose buffers are free again |
//!
//! | from the server | |
//! | --- | --- |
//! | 29..32 | what it is: 0 to 4 a reply, by its [`ReplyStatus`]; 5 to 7 the others of [`FromServer`] |
//! | 26..29 | a reply: generation of the slot |
//! | 14..26 | a reply: slot |
//! | 0..16 | an event: number of the method |
//!
//! A slot is not used again before its reply, so a generation only tells a reply from one that was sent twice, by a server that does not
//! keep the protocol.

use runtime_core::ReplyStatus;

/// One more than the greatest slot number.
pub(crate) const MAX_WINDOW: usize = 1 << 12;

/// Generations before they begin anew.
const GENERATIONS: u16 = 8;

/// A slot in one of its generations: 12 bits of the one, 3 of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u16);

impl Tag {
    const SLOT: u16 = MAX_WINDOW as u16 - 1;
    const GENERATION: u16 = MAX_WINDOW as u16;
    const ALL: u16 = GENERATIONS * Self::GENERATION - 1;

    /// The first of a slot.
    pub(crate) const fn first(slot: u16) -> Self {
        Self(slot & Self::SLOT)
    }

    #[inline(always)]
    pub(crate) const fn slot(self) -> usize {
        (self.0 & Self::SLOT) as usize
    }

    /// Which request a message is, if it is one.
    #[inline(always)]
    pub(crate) const fn of_request(imm: u32) -> Self {
        Self::from_bits((imm >> 16) as u16)
    }

    /// Which request a message is the reply to, if it is a reply.
    #[inline(always)]
    pub(crate) const fn of_reply(imm: u32) -> Self {
        Self::from_bits((imm >> 14) as u16)
    }

    /// As a number of 15 bits.
    #[inline(always)]
    pub(crate) const fn to_bits(self) -> u16 {
        self.0
    }

    /// From such a number.
    #[inline(always)]
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL)
    }
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromClient {
    /// A request; the body is its arguments.
    Request { tag: Tag, method: u16 },
    /// So many events were taken, and whether the client is leaving.
    Note { taken: u16, leaves: bool },
}

impl FromClient {
    const NOTE: u32 = 1 << 31;
    const LEAVES: u32 = 1 << 30;

    /// True if a message is a request.
    #[inline(always)]
    pub(crate) const fn is_request(imm: u32) -> bool {
        imm & Self::NOTE == 0
    }

    /// Of which method, if it is one.
    #[inline(always)]
    pub(crate) const fn method(imm: u32) -> u16 {
        imm as u16
    }

    #[inline(always)]
    pub(crate) const fn to_bits(self) -> u32 {
        match self {
            Self::Request { tag, method } => (tag.to_bits() as u32) << 16 | method as u32,
            Self::Note { taken, leaves } => {
                Self::NOTE | if leaves { Self::LEAVES } else { 0 } | taken as u32
            }
        }
    }

    #[inline(always)]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        if Self::is_request(bits) {
            Self::Request {
                tag: Tag::of_request(bits),
                method: Self::method(bits),
            }
        } else {
            Self::Note {
                taken: bits as u16,
                leaves: bits & Self::LEAVES != 0,
            }
        }
    }
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromServer {
    /// A reply; the body is the response, or, if it is none, the value as a `u32`.
    Reply { tag: Tag, status: ReplyStatus },
    /// Slots of oneway requests that are free again; the body is their tags, a `u16` each.
    Freed,
    /// An event; the body is its arguments.
    Event { method: u16 },
    /// The server is leaving.
    Leaves,
}

impl FromServer {
    #[inline(always)]
    pub(crate) const fn to_bits(self) -> u32 {
        match self {
            Self::Reply { tag, status } => (status as u32) << 29 | (tag.to_bits() as u32) << 14,
            Self::Freed => 5 << 29,
            Self::Event { method } => 6 << 29 | method as u32,
            Self::Leaves => 7 << 29,
        }
    }

    #[inline(always)]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        let status = match bits >> 29 {
            0 => ReplyStatus::Ok,
            1 => ReplyStatus::Service,
            2 => ReplyStatus::Aborted,
            3 => ReplyStatus::Unimplemented,
            4 => ReplyStatus::Invalid,
            5 => return Self::Freed,
            6 => {
                return Self::Event {
                    method: bits as u16,
                };
            }
            _ => return Self::Leaves,
        };
        Self::Reply {
            tag: Tag::of_reply(bits),
            status,
        }
    }
}

/// The immediate data of the reply to the next request in a slot, from that of a reply to the last one; both without an error.
#[inline(always)]
pub(crate) const fn next_reply(imm: u32) -> u32 {
    // Where it lies: it would only be moved to and fro.
    const GENERATION: u32 = (Tag::GENERATION as u32) << 14;
    const ALL: u32 = (Tag::ALL as u32) << 14;
    (imm + GENERATION) & ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of the slot's next request.
    fn next(tag: Tag) -> Tag {
        Tag::from_bits(tag.to_bits() + Tag::GENERATION)
    }

    #[test]
    fn every_message_comes_back_as_it_was() {
        for slot in [0, 1, 31, 4095] {
            for generation in 0..GENERATIONS {
                let tag = (0..generation).fold(Tag::first(slot), |tag, _| next(tag));
                assert_eq!(tag.slot(), usize::from(slot));
                assert_eq!(Tag::from_bits(tag.to_bits()), tag);
                for method in [0, 9, u16::MAX] {
                    let said = FromClient::Request { tag, method };
                    assert_eq!(FromClient::from_bits(said.to_bits()), said);
                }
                for status in [
                    ReplyStatus::Ok,
                    ReplyStatus::Service,
                    ReplyStatus::Aborted,
                    ReplyStatus::Unimplemented,
                    ReplyStatus::Invalid,
                ] {
                    let said = FromServer::Reply { tag, status };
                    assert_eq!(FromServer::from_bits(said.to_bits()), said);
                }
            }
        }
        for said in [
            FromClient::Note {
                taken: 0,
                leaves: true,
            },
            FromClient::Note {
                taken: 4096,
                leaves: false,
            },
        ] {
            assert_eq!(FromClient::from_bits(said.to_bits()), said);
        }
        for said in [
            FromServer::Freed,
            FromServer::Event { method: 65_535 },
            FromServer::Leaves,
        ] {
            assert_eq!(FromServer::from_bits(said.to_bits()), said);
        }
    }

    #[test]
    fn whatever_a_peer_says_names_a_slot_within_bounds() {
        for bits in (0..=u32::MAX).step_by(9973) {
            if let FromClient::Request { tag, .. } = FromClient::from_bits(bits) {
                assert!(tag.slot() < MAX_WINDOW && tag.to_bits() < 1 << 15);
            }
            if let FromServer::Reply { tag, .. } = FromServer::from_bits(bits) {
                assert!(tag.slot() < MAX_WINDOW && tag.to_bits() < 1 << 15);
            }
        }
    }

    #[test]
    fn the_next_reply_is_to_the_next_tag() {
        let imm = |tag| {
            let status = ReplyStatus::Ok;
            FromServer::Reply { tag, status }.to_bits()
        };
        for slot in [0, 1, 31, 4095] {
            let mut tag = Tag::first(slot);
            for _ in 0..2 * GENERATIONS {
                assert_eq!(next_reply(imm(tag)), imm(next(tag)));
                tag = next(tag);
            }
        }
    }

    #[test]
    fn generations_begin_anew() {
        let tag = Tag::first(4095);
        assert_ne!(next(tag), tag);
        assert_eq!((0..8).fold(tag, |it, _| next(it)), tag);
        assert_eq!(next(tag).slot(), 4095);
    }
}
