//! Source texts and the places in them that everything else points at.

use std::sync::{Arc, OnceLock};

/// Names one source of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A half-open range of bytes in one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The source that the range lies in.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end` of `source`.
    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        // Sources over 4 GiB are refused when they are added, so nothing is cut off here.
        Self {
            source,
            start: start as u32,
            end: end as u32,
        }
    }

    /// The smallest span that covers both; spans of two sources give the first.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.source != other.source {
            return self;
        }
        Self {
            source: self.source,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// The range as byte indices.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One text with the name it is shown under.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name shown in diagnostics and in generated files, usually a relative path.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
    /// Where each line begins; found when the first place is asked for, because most texts have nothing wrong.
    lines: OnceLock<Vec<u32>>,
}

impl Source {
    /// Where each line begins.
    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let breaks = self
                .text
                .bytes()
                .zip(1..)
                .filter(|&(byte, _)| byte == b'\n');
            std::iter::once(0)
                .chain(breaks.map(|(_, after)| after))
                .collect()
        })
    }

    /// The line that a byte lies in, from 0.
    fn line_of(&self, at: usize) -> usize {
        let after = self.lines().partition_point(|&start| start as usize <= at);
        after.saturating_sub(1)
    }

    /// The byte at which a line begins; behind the last one, the end of the text.
    fn line_start(&self, line: usize) -> usize {
        self.lines()
            .get(line)
            .map_or(self.text.len(), |&start| start as usize)
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    fn line_column(&self, at: usize) -> (usize, usize) {
        let at = at.min(self.text.len());
        let line = self.line_of(at);
        let before = self.text.get(self.line_start(line)..at).unwrap_or_default();
        (line + 1, before.chars().count() + 1)
    }
}

/// All sources of one compilation.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// Adds a text and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        self.sources.push(Source {
            name: name.into(),
            text: text.into(),
            lines: OnceLock::new(),
        });
        SourceId(self.sources.len() as u32 - 1)
    }

    /// The source behind an id.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// The text that a span covers.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.source).text.get(span.range()).unwrap_or("")
    }

    /// Line and column of a span's start, both from 1; the column counts characters.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        self.get(span.source).line_column(span.start as usize)
    }

    /// The whole lines from the first to the last byte of a range, as a range of bytes, with the number of the first
    /// one, from 1.
    pub fn lines_around(
        &self,
        source: SourceId,
        range: std::ops::Range<usize>,
    ) -> (usize, std::ops::Range<usize>) {
        let source = self.get(source);
        let (first, last) = (source.line_of(range.start), source.line_of(range.end));
        (
            first + 1,
            source.line_start(first)..source.line_start(last + 1),
        )
    }

    /// All sources in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.sources
            .iter()
            .enumerate()
            .map(|(index, source)| (SourceId(index as u32), source))
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceMap, Span};

    /// What the table of lines must agree with.
    fn counted(text: &str, at: usize) -> (usize, usize) {
        let before = &text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }

    #[test]
    fn places_are_those_that_counting_gives() {
        for text in [
            "",
            "a",
            "\n",
            "a\n",
            "\r\n\u{e9}b\n\nc",
            "\u{1f600}\n\u{e9}\n",
        ] {
            let mut sources = SourceMap::default();
            let id = sources.add("t", text);
            for at in (0..=text.len()).filter(|&at| text.is_char_boundary(at)) {
                let span = Span::new(id, at, at);
                assert_eq!(
                    sources.line_column(span),
                    counted(text, at),
                    "{text:?} {at}"
                );
                let (line, lines) = sources.lines_around(id, at..at);
                assert_eq!(line, counted(text, at).0, "{text:?} {at}");
                assert_eq!(counted(text, lines.start), (line, 1), "{text:?} {at}");
                assert!(
                    lines.end == text.len() || text[..lines.end].ends_with('\n'),
                    "{text:?} {at}"
                );
            }
        }
    }

    #[test]
    fn a_place_behind_the_text_is_its_end() {
        let mut sources = SourceMap::default();
        let id = sources.add("t", "a\nb");
        assert_eq!(sources.line_column(Span::new(id, 99, 99)), (2, 2));
        assert_eq!(sources.lines_around(id, 99..200), (2, 2..3));
    }
}
