//! The 8 bytes at the end of an area that hand it from one side to the other.

/// Who owns an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was ever written, or a value that no honest peer writes.
    Empty,
    /// A request, or an event, is in it: the reader owns it.
    Request,
    /// A reply is in it: the client owns it.
    Reply,
}

/// The word, taken apart only through these methods: each masks what it returns, so a peer that writes nonsense gets
/// nonsense of the right range.
///
/// | bits | request or event | reply |
/// | --- | --- | --- |
/// | 0..3 | state 1 | state 2 |
/// | 3..16 | generation of the slot | generation of the request |
/// | 16..32 | method | status |
/// | 32..50 | length of the body in bytes | value: length, error number or packed finding (32..64) |
/// | 50..64 | slot of the next request | |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(pub u64);

#[expect(
    clippy::len_without_is_empty,
    reason = "it is the length of a message, which is never the question"
)]
impl Word {
    /// Generations there are; they wrap.
    pub const GENERATIONS: u16 = 1 << 13;
    /// Slots that `next` can name.
    pub const MAX_SLOTS: usize = 1 << 14;

    const REQUEST: u64 = 1;
    const REPLY: u64 = 2;

    /// The word of a request.
    #[inline(always)]
    pub const fn request(generation: u16, method: u16, len: usize, next: u16) -> Self {
        Self(
            Self::REQUEST
                | (generation as u64) << 3
                | (method as u64) << 16
                | ((len & 0x3_ffff) as u64) << 32
                | (next as u64) << 50,
        )
    }

    /// The word of a reply.
    #[inline(always)]
    pub const fn reply(generation: u16, status: u16, value: u32) -> Self {
        Self(Self::REPLY | (generation as u64) << 3 | (status as u64) << 16 | (value as u64) << 32)
    }

    /// Who owns the area.
    #[inline(always)]
    pub const fn state(self) -> State {
        match self.0 & 7 {
            Self::REQUEST => State::Request,
            Self::REPLY => State::Reply,
            _ => State::Empty,
        }
    }

    /// True if this is the reply to the request of that generation.
    #[inline(always)]
    pub const fn answers(self, generation: u16) -> bool {
        self.0 & 0xffff == Self::REPLY | (generation as u64) << 3
    }

    /// State and generation: what tells one request in a slot from the one before it.
    #[inline(always)]
    pub const fn identity(self) -> u16 {
        self.0 as u16
    }

    /// The identity of a request of that generation.
    #[inline(always)]
    pub const fn request_identity(generation: u16) -> u16 {
        Self::request(generation, 0, 0, 0).identity()
    }

    /// The generation.
    #[inline(always)]
    pub const fn generation(self) -> u16 {
        (self.0 >> 3) as u16 & (Self::GENERATIONS - 1)
    }

    /// The method of a request, the status of a reply.
    #[inline(always)]
    pub const fn method(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The length of a request's body.
    #[inline(always)]
    pub const fn len(self) -> u32 {
        (self.0 >> 32) as u32 & 0x3_ffff
    }

    /// The slot of the next request.
    #[inline(always)]
    pub const fn next(self) -> u16 {
        (self.0 >> 50) as u16
    }

    /// The same with another slot in the place of the next request's.
    #[inline(always)]
    pub(crate) const fn with_next(self, slot: u16) -> Self {
        Self(self.0 & ((1 << 50) - 1) | (slot as u64) << 50)
    }

    /// The value of a reply.
    #[inline(always)]
    pub const fn value(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_apart_as_it_was_put_together() {
        let word = Word::request(Word::GENERATIONS - 1, u16::MAX, 65_536, 4096);
        assert_eq!(word.state(), State::Request);
        assert_eq!(
            (word.generation(), word.method(), word.len(), word.next()),
            (Word::GENERATIONS - 1, u16::MAX, 65_536, 4096)
        );
        assert!(!word.answers(Word::GENERATIONS - 1));
    }

    #[test]
    fn a_reply_comes_apart_as_it_was_put_together() {
        let word = Word::reply(77, 3, u32::MAX);
        assert_eq!(
            (word.state(), word.method(), word.value()),
            (State::Reply, 3, u32::MAX)
        );
        assert!(word.answers(77));
        assert!(!word.answers(78));
    }

    #[test]
    fn fresh_memory_is_nobodys() {
        assert_eq!(Word(0).state(), State::Empty);
        assert_eq!(Word(u64::MAX).state(), State::Empty);
    }
}
