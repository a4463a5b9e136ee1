//! What somebody who only looks can tell of a lane.

use crate::memory::{Area, Memory};
use crate::sync::Ordering;
use crate::word::{State, Word};

/// How many requests lie in a lane without a reply: a snapshot, and of words that the peer may have forged.
pub fn in_flight<M: Memory>(memory: &M) -> usize {
    let word = |area, slot| {
        // SAFETY: the slot is below their number, and there are response areas where this asks for them.
        let place = unsafe { memory.word(area, slot) };
        // Relaxed: only counted, and nothing is read after it.
        Word(place.load(Ordering::Relaxed))
    };
    let is_in_flight = |slot: &usize| {
        let request = word(Area::Request, *slot);
        let is_answered_elsewhere = || {
            M::SPLITS
                && word(Area::Response, *slot).identity()
                    == Word::reply_identity(request.identity())
        };
        request.state() == State::Request && !is_answered_elsewhere()
    };
    (0..memory.geometry().slots()).filter(is_in_flight).count()
}
