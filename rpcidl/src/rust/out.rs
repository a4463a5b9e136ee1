//! Rust text that is made of generated parts and of parts of the user's, with the way back to what the user wrote.

use std::ops::Range;

use crate::source::Span;

/// A part of the output that stands for a part of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Bytes of the output.
    pub out: Range<usize>,
    /// The byte of the input that the first of them comes from.
    pub source: usize,
    /// True if every token in it stands for the one token at `source`; otherwise the bytes correspond one by one.
    pub whole: bool,
}

/// The output as it grows.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub(super) text: String,
    pub(super) marks: Vec<Mark>,
}

impl Out {
    /// Generated text.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Text of the input.
    pub(super) fn copy(&mut self, input: &str, span: Span) {
        let range = span.range();
        if let Some(text) = input.get(range.clone()) {
            let start = self.text.len();
            self.text.push_str(text);
            self.marks.push(Mark {
                out: start..self.text.len(),
                source: range.start,
                whole: false,
            });
        }
    }

    /// Generated text that stands for a token of the input.
    pub(super) fn push_for(&mut self, text: &str, span: Span) {
        let start = self.text.len();
        self.text.push_str(text);
        self.marks.push(Mark {
            out: start..self.text.len(),
            source: span.range().start,
            whole: true,
        });
    }

    /// Other output, behind this.
    pub(super) fn append(&mut self, other: Self) {
        let start = self.text.len();
        self.text.push_str(&other.text);
        let marks = other.marks.into_iter();
        self.marks.extend(marks.map(|mark| Mark {
            out: mark.out.start + start..mark.out.end + start,
            ..mark
        }));
    }
}

/// Changes to a generated text, applied together.
#[derive(Debug, Default)]
pub(super) struct Patch {
    edits: Vec<(Range<usize>, Out)>,
}

impl Patch {
    /// Puts `out` in the place of `range`.
    pub(super) fn replace(&mut self, range: Range<usize>, out: Out) {
        self.edits.push((range, out));
    }

    /// Says that a name stands for one of the input.
    pub(super) fn mark(&mut self, text: &str, range: Range<usize>, span: Span) {
        let mut out = Out::default();
        out.push_for(text.get(range.clone()).unwrap_or(""), span);
        self.replace(range, out);
    }

    /// The text with all changes.
    pub(super) fn apply(mut self, text: &str) -> Out {
        // Insertions at one place keep their order, because the sort is stable.
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut result = Out::default();
        let mut done = 0;
        for (range, out) in self.edits {
            if range.start < done {
                continue;
            }
            result.push(text.get(done..range.start).unwrap_or(""));
            result.append(out);
            done = range.end;
        }
        result.push(text.get(done..).unwrap_or(""));
        result
    }
}
