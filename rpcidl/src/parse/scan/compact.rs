//! The text as the grammar reads it: tokens with single blanks between them.
//!
//! Comments and refused pieces are left out and runs of blanks are cut to one, so the grammar, which looks at
//! blanks again for every alternative, has little to look at. Places are translated back by a table.

use std::ops::Range;

/// A compacted text with the place of each of its bytes in the original.
#[derive(Debug, Default)]
pub(crate) struct Compact {
    /// What the grammar reads.
    pub(crate) text: String,
    /// The place of each byte of `text`.
    places: Vec<u32>,
    /// One past the last byte of the original that is in `text`.
    end: usize,
}

impl Compact {
    pub(super) fn with_capacity(length: usize) -> Self {
        Self {
            text: String::with_capacity(length),
            places: Vec::with_capacity(length),
            end: 0,
        }
    }

    /// Appends a token that begins at `start` of the original, after a blank if it does not touch the one before.
    pub(super) fn push(&mut self, token: &str, start: usize, new_line: bool) {
        if !self.text.is_empty() && (new_line || start != self.end) {
            self.text.push(if new_line { '\n' } else { ' ' });
            self.places.push(self.end as u32);
        }
        self.text.push_str(token);
        self.places
            .extend((start..start + token.len()).map(|place| place as u32));
        self.end = start + token.len();
    }

    /// Puts a closing brace before the token at `place` of the original.
    pub(super) fn close_brace(&mut self, place: usize) {
        let at = self
            .places
            .partition_point(|&other| (other as usize) < place);
        if self.text.is_char_boundary(at) {
            self.text.insert(at, '}');
            self.places.insert(at, place as u32);
        }
    }

    /// The place of the byte at `at`; at the end, that of the end.
    pub(crate) fn place(&self, at: usize) -> usize {
        self.places
            .get(at)
            .map_or(self.end, |&place| place as usize)
    }

    /// One past the place of the byte before `at`.
    pub(crate) fn end_place(&self, at: usize) -> usize {
        at.checked_sub(1)
            .and_then(|last| self.places.get(last))
            .map_or(0, |&place| place as usize + 1)
    }

    /// The range of the original from the first to the last byte of a range.
    pub(crate) fn range(&self, range: Range<usize>) -> Range<usize> {
        let start = self.place(range.start);
        if range.is_empty() {
            start..start
        } else {
            start..self.end_place(range.end)
        }
    }
}
