//! The 8 bytes at the start of an area that hand it from one side to the other.

use runtime_core::ReplyStatus;

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
/// | 0..2 | state 1 | state 2 |
/// | 2 | flip | flip of the request |
/// | 3..16 | generation: one more than that of the lane's request before | generation of the request |
/// | 16..32 | method | status |
/// | 32..46 | slot of the next request | value (32..64): length, error number or packed finding |
/// | 46 | alone in flight: the next request may come to this slot again | |
/// | 47..64 | length of the body in bytes | |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(pub u64);

#[expect(
    clippy::len_without_is_empty,
    reason = "it is the length of a message, which is never the question"
)]
impl Word {
    /// In an identity: set where the word that lies in the slot would have the same without, a full turn of generations ago.
    pub(crate) const FLIP: u16 = 1 << 2;

    /// Generations there are; they wrap. More than slots, so no two requests in flight share one.
    pub const GENERATIONS: u16 = 1 << 13;
    /// Slots that `next` can name.
    pub const MAX_SLOTS: usize = 1 << 14;

    const REQUEST: u64 = 1;
    const REPLY: u64 = 2;

    /// The identity of the request before a lane's first one.
    pub(crate) const FIRST: u16 = Self::REQUEST as u16;

    /// The identity of the request after the one with this identity: the next generation. Generations fill the upper bits, so they
    /// wrap by themselves.
    #[inline(always)]
    pub(crate) const fn next_request(request: u16) -> u16 {
        request.wrapping_add(1 << 3)
    }

    const AGAIN: u64 = 1 << 46;

    /// The word of a request or an event with this identity. `again` says that it is alone in flight, and that the next one may come to
    /// this slot, too.
    #[inline(always)]
    pub const fn request(identity: u16, method: u16, len: usize, next: u16, again: bool) -> Self {
        debug_assert!(len < 1 << 17);
        Self(
            (if again { Self::AGAIN } else { 0 })
                | identity as u64
                | (method as u64) << 16
                | (next as u64) << 32
                | (len as u64) << 47,
        )
    }

    /// The word of a reply to the request with this identity.
    #[inline(always)]
    pub const fn reply(request: u16, status: u16, value: u32) -> Self {
        Self(Self::reply_identity(request) as u64 | (status as u64) << 16 | (value as u64) << 32)
    }

    /// Who owns the area.
    #[inline(always)]
    pub const fn state(self) -> State {
        match self.0 & 3 {
            Self::REQUEST => State::Request,
            Self::REPLY => State::Reply,
            _ => State::Empty,
        }
    }

    /// State, flip and generation: what tells a request or reply from all that went before it.
    #[inline(always)]
    pub const fn identity(self) -> u16 {
        self.0 as u16
    }

    /// The identity of a request or event of that generation; a request's is else the one after the last, see `next_request`.
    #[inline(always)]
    pub const fn request_identity(generation: u16) -> u16 {
        Self::REQUEST as u16 | generation << 3
    }

    /// The identity of the reply to the request with this identity.
    #[inline(always)]
    pub const fn reply_identity(request: u16) -> u16 {
        request ^ (Self::REQUEST ^ Self::REPLY) as u16
    }

    /// The method of a request, the status of a reply.
    #[inline(always)]
    pub const fn method(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The length of a request's body.
    #[inline(always)]
    pub const fn len(self) -> u32 {
        (self.0 >> 47) as u32
    }

    /// True if the request was alone in flight, so that the next one may come to this slot again.
    #[inline(always)]
    pub(crate) const fn again(self) -> bool {
        self.0 & Self::AGAIN != 0
    }

    /// The slot of the next request.
    #[inline(always)]
    pub const fn next(self) -> u16 {
        (self.0 >> 32) as u16 & (Self::MAX_SLOTS as u16 - 1)
    }

    /// The value of a reply.
    #[inline(always)]
    pub const fn value(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The length of the response that comes with a reply, as the peer says.
    #[inline(always)]
    pub(crate) const fn response_len(self) -> usize {
        if self.method() == ReplyStatus::Ok as u16 {
            self.value() as usize
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_apart_as_it_was_put_together() {
        let identity = Word::request_identity(Word::GENERATIONS - 1);
        let word = Word::request(identity, u16::MAX, 65_536, 4096, true);
        assert_eq!(word.state(), State::Request);
        assert_eq!(
            (word.identity(), word.method(), word.len(), word.next()),
            (identity, u16::MAX, 65_536, 4096)
        );
        assert_ne!(word.identity(), Word::reply_identity(identity));
    }

    #[test]
    fn a_reply_comes_apart_as_it_was_put_together() {
        let request = Word::request_identity(77);
        let word = Word::reply(request, 3, u32::MAX);
        assert_eq!(
            (word.state(), word.method(), word.value()),
            (State::Reply, 3, u32::MAX)
        );
        assert_eq!(word.identity(), Word::reply_identity(request));
        assert_ne!(
            word.identity(),
            Word::reply_identity(Word::next_request(request))
        );
    }

    #[test]
    fn generations_wrap() {
        let mut identity = Word::FIRST;
        for generation in 1..=Word::GENERATIONS {
            identity = Word::next_request(identity);
            assert_eq!(
                Word::request(identity, 0, 0, 0, false).state(),
                State::Request
            );
            assert_eq!(
                identity,
                Word::request_identity(generation % Word::GENERATIONS)
            );
        }
        assert_eq!(identity, Word::FIRST);
    }

    #[test]
    fn fresh_memory_is_nobodys() {
        assert_eq!(Word(0).state(), State::Empty);
        assert_eq!(Word(u64::MAX).state(), State::Empty);
        assert_ne!(Word(0).identity(), Word::next_request(Word::FIRST));
    }
}
