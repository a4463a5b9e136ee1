//! Hands documentation comments to what they document.

use crate::ast::{Comment, Doc};
use crate::diag::{Code, Diagnostic, Findings};
use crate::parse::scan::{DocComment, doc_lines};
use crate::source::{SourceId, Span};

/// What became of a documentation comment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing yet.
    Free,
    /// It is in the tree.
    Taken,
    /// It stands before something that the tree has no documentation for, and is kept as a comment.
    Plain,
}

/// The comments of one text.
pub(crate) struct Docs {
    source: SourceId,
    /// In order, each with its text and what became of it.
    docs: Vec<(DocComment, String, Fate)>,
    comments: Vec<Comment>,
}

impl Docs {
    /// Comments that nothing has taken yet.
    pub(crate) fn new(
        source: SourceId,
        text: &str,
        docs: Vec<DocComment>,
        comments: Vec<Comment>,
    ) -> Self {
        let docs = docs
            .into_iter()
            .map(|doc| {
                let slice = text.get(doc.start..doc.end).unwrap_or_default().to_owned();
                (doc, slice, Fate::Free)
            })
            .collect();
        Self {
            source,
            docs,
            comments,
        }
    }

    /// The documentation right before the token at `start`. One that stands behind something on its line is part of
    /// it only `inside` of a declaration.
    pub(super) fn before(&mut self, start: usize, inside: bool) -> Vec<Doc> {
        let first = self.docs.partition_point(|(doc, ..)| doc.before < start);
        let mut lines = Vec::new();
        for (doc, text, fate) in self
            .docs
            .iter_mut()
            .skip(first)
            .take_while(|(doc, ..)| doc.before == start)
        {
            if !doc.inner && (inside || !doc.trailing) && *fate == Fate::Free {
                *fate = Fate::Taken;
                lines.extend(doc_lines(self.source, text, doc.start));
            }
        }
        lines
    }

    /// Keeps the documentation before the token at `start` as comments. What stands behind something else on its line
    /// is not about the token.
    pub(super) fn keep_plain(&mut self, start: usize, inside: bool) {
        let first = self.docs.partition_point(|(doc, ..)| doc.before < start);
        for (doc, _, fate) in self
            .docs
            .iter_mut()
            .skip(first)
            .take_while(|(doc, ..)| doc.before == start)
        {
            if !doc.inner && (inside || !doc.trailing) && *fate == Fate::Free {
                *fate = Fate::Plain;
            }
        }
    }

    /// Where the declaration begins whose first token is at `start`: its documentation is a part of it.
    pub(super) fn beginning(&self, start: usize) -> usize {
        let first = self.docs.partition_point(|(doc, ..)| doc.before < start);
        self.docs
            .iter()
            .skip(first)
            .take_while(|(doc, ..)| doc.before == start)
            .find(|(doc, ..)| !doc.inner && !doc.trailing)
            .map_or(start, |(doc, ..)| doc.start)
    }

    /// The documentation of the file, which stands before its first declaration at `body`.
    pub(super) fn of_file(&mut self, body: usize) -> Vec<Doc> {
        let mut lines = Vec::new();
        for (doc, text, fate) in self.docs.iter_mut().take_while(|(doc, ..)| doc.end <= body) {
            if doc.inner && *fate == Fate::Free {
                *fate = Fate::Taken;
                lines.extend(doc_lines(self.source, text, doc.start));
            }
        }
        lines
    }

    /// Warns of documentation that nobody took; it is kept as ordinary comments. Gives all comments in order.
    pub(super) fn finish(self, findings: &mut Findings) -> Vec<Comment> {
        let Self {
            source,
            docs,
            mut comments,
        } = self;
        let kept = comments.len();
        for (doc, text, fate) in docs.into_iter().filter(|(.., fate)| *fate != Fate::Taken) {
            let span = Span::new(source, doc.start, doc.end);
            comments.push(Comment {
                text: text.trim_end().to_owned(),
                span,
            });
            if fate == Fate::Plain {
                continue;
            }
            let warning = Diagnostic::warning(
                Code::W0101,
                span,
                "this documentation comment documents nothing",
            );
            findings.push(if doc.inner {
                warning.help("`//!` documents the file and stands before its first declaration; write `///` or `//` here")
            } else if doc.trailing {
                warning.help("documentation stands on the line before what it documents; write `//` for a remark")
            } else {
                warning.help("write `//` for a comment that documents nothing")
            });
        }
        if comments.len() > kept {
            comments.sort_by_key(|comment| comment.span.start);
        }
        comments
    }
}
