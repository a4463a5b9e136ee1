//! Lines, indentation, blank lines, and the comments in between.

use crate::ast::Comment;
use crate::parse::plain_comment;

/// Builds the output while it follows the positions of the original.
pub(super) struct Writer<'a> {
    out: String,
    /// The original, for the line breaks between two parts.
    text: &'a str,
    /// Comments that are not written yet.
    comments: &'a [Comment],
    /// End of the part of the original that was written last.
    last: u32,
    depth: usize,
    /// True right after an opening brace or at the start, where no blank line belongs.
    fresh: bool,
    /// True if the line ends in a `//` comment, so that nothing more fits on it.
    full: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(text: &'a str, comments: &'a [Comment]) -> Self {
        Self {
            out: String::with_capacity(text.len()),
            text,
            comments,
            last: 0,
            depth: 0,
            fresh: true,
            full: false,
        }
    }

    /// Begins a part that was written at `start`: first the comments before it, then a new line.
    pub(super) fn begin(&mut self, start: u32) {
        self.comments_before(start);
        self.line(start);
    }

    /// Like [`Self::begin`], but on the same line if the original had it there.
    pub(super) fn follow(&mut self, start: u32) {
        self.comments_before(start);
        if self.breaks(start) == 0 && !self.full {
            self.out.push(' ');
            self.fresh = false;
        } else {
            self.line(start);
        }
    }

    /// Ends a part. Comments from its middle come behind it.
    pub(super) fn end(&mut self, end: u32) {
        while let Some((comment, rest)) = self.comments.split_first() {
            if comment.span.start >= end {
                break;
            }
            self.comments = rest;
            let text = self.comment_text(comment);
            if self.full {
                self.new_line();
            } else {
                self.out.push(' ');
            }
            self.put(&text);
        }
        self.last = self.last.max(end);
    }

    /// Goes on behind a place; comments before it stay for what comes next.
    pub(super) fn pass(&mut self, end: u32) {
        self.last = self.last.max(end);
    }

    /// Opens a body whose head ends at `end` in the original.
    pub(super) fn open(&mut self, end: u32, bracket: &str) {
        self.out.push_str(bracket);
        self.last = self.last.max(end);
        self.depth += 1;
        self.fresh = true;
        self.full = false;
    }

    /// Closes a body that ends at `end`, which is the place after its closing bracket.
    pub(super) fn close(&mut self, end: u32, bracket: &str) {
        self.comments_before(end.saturating_sub(1));
        self.depth = self.depth.saturating_sub(1);
        self.new_line();
        self.out.push_str(bracket);
        self.last = self.last.max(end);
        self.fresh = false;
        self.full = false;
    }

    /// Closes a bracket whose place is not known; comments before it stay for whatever comes next.
    pub(super) fn close_without_comments(&mut self, bracket: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.new_line();
        self.out.push_str(bracket);
        self.fresh = false;
        self.full = false;
    }

    /// Continues the line.
    pub(super) fn word(&mut self, text: &str) {
        self.out.push_str(text);
        self.fresh = false;
    }

    /// A line of documentation.
    pub(super) fn doc(&mut self, marker: &str, text: &str) {
        self.out.push_str(marker);
        if !text.is_empty() {
            self.out.push(' ');
            self.out.push_str(text);
        }
        self.fresh = false;
        self.full = true;
    }

    /// A line break with indentation and nothing in between.
    pub(super) fn new_line(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("    ", self.depth));
        }
        self.full = false;
    }

    /// Width that is left at the current depth.
    pub(super) fn room(&self) -> usize {
        super::WIDTH.saturating_sub(self.depth * 4)
    }

    /// Characters on the current line.
    pub(super) fn column(&self) -> usize {
        self.out
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
    }

    /// True if a comment that is not written yet begins in the range.
    pub(super) fn has_comment(&self, start: u32, end: u32) -> bool {
        let first = self
            .comments
            .partition_point(|comment| comment.span.start < start);
        self.comments
            .get(first)
            .is_some_and(|comment| comment.span.start < end)
    }

    /// True if nothing but blanks and one line break will stand between a part at `start..end` and one at `next`,
    /// apart from comments that end the first line.
    pub(super) fn adjacent(&self, start: u32, end: u32, next: u32) -> bool {
        let mut last = end;
        let first = self
            .comments
            .partition_point(|comment| comment.span.start < start);
        let mut full = false;
        for comment in self
            .comments
            .iter()
            .skip(first)
            .take_while(|comment| comment.span.start < next)
        {
            let apart =
                comment.span.start >= end && self.breaks_between(last, comment.span.start) > 0;
            if full || apart || comment.text.contains('\n') {
                return false;
            }
            full = comment.text.starts_with("//");
            last = last.max(comment.span.end);
        }
        self.breaks_between(last, next) <= 1
    }

    /// The whole output.
    pub(super) fn finish(mut self) -> String {
        self.comments_before(u32::MAX);
        let end = self.out.trim_end().len();
        self.out.truncate(end);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    fn comments_before(&mut self, place: u32) {
        while let Some((comment, rest)) = self.comments.split_first() {
            if comment.span.start >= place {
                break;
            }
            self.comments = rest;
            let text = self.comment_text(comment);
            // Right behind an opening brace only a remark about the head stays on its line.
            let opens = self.fresh && !text.starts_with("//");
            if self.breaks(comment.span.start) == 0 && !self.full && !opens && !self.out.is_empty()
            {
                self.out.push(' ');
            } else {
                self.line(comment.span.start);
            }
            self.put(&text);
            self.fresh = false;
            self.last = self.last.max(comment.span.end);
        }
    }

    fn put(&mut self, comment: &str) {
        self.out.push_str(comment);
        self.full = comment.starts_with("//");
    }

    /// A new line, after a blank one if the original has one before `start`.
    fn line(&mut self, start: u32) {
        if !self.out.is_empty() {
            if self.breaks(start) > 1 && !self.fresh {
                self.out.push('\n');
            }
            self.new_line();
        }
        self.fresh = false;
        self.full = false;
    }

    /// Line breaks of the original between the last part and `start`.
    fn breaks(&self, start: u32) -> usize {
        self.breaks_between(self.last, start)
    }

    fn breaks_between(&self, start: u32, end: u32) -> usize {
        let between = self.text.get(start as usize..end as usize).unwrap_or("\n");
        between.bytes().filter(|&byte| byte == b'\n').count()
    }

    /// A comment as it is written at the current depth.
    fn comment_text(&self, comment: &Comment) -> String {
        let text = plain_comment(&comment.text);
        let mut lines = text.lines().map(str::trim_end);
        let first = lines.next().unwrap_or_default().to_owned();
        let rest: Vec<&str> = lines.collect();
        // A comment with a star before each line moves as a whole; any other keeps its own layout.
        let starred = rest.iter().all(|line| line.trim_start().starts_with('*'));
        let indent = "    ".repeat(self.depth);
        rest.iter().fold(first, |mut all, line| {
            all.push('\n');
            if starred {
                all.push_str(&indent);
                all.push(' ');
                all.push_str(line.trim_start());
            } else {
                all.push_str(line);
            }
            all
        })
    }
}
