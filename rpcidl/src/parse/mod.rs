//! From text to tree: the scanner, the grammar, and the lowering of what it matched.
//!
//! [`parse`] never fails. What cannot be read becomes an `Invalid` node and a diagnostic, and the rest of the text
//! is read all the same, until there are more findings than are kept.

mod diagnose;
mod grammar;
mod input;
mod lower;
mod scan;
mod words;

pub use input::{not_utf8, nothing_declared, unreadable};

use crate::ast;
use crate::diag::{Diagnostic, Findings};
use crate::source::SourceId;

/// A comment that documents nothing, whatever marker it was written with.
pub(crate) fn plain_comment(text: &str) -> String {
    scan::plain_comment(text)
}

/// The place of the next `{` after `from` that is not in a comment or a string.
pub(crate) fn find_brace(text: &str, from: usize) -> Option<usize> {
    let brace = scan::TokenKind::Punct(b'{');
    scan::Tokens::new(text, from)
        .find(|token| token.kind == brace)
        .map(|token| token.start)
}

/// Reads a text. The diagnostics come in the order of the text.
pub fn parse(id: SourceId, text: &str) -> (ast::File, Vec<Diagnostic>) {
    let mut findings = Findings::default();
    let file = parse_into(id, text, &mut findings);
    (file, findings.finish())
}

/// Reads a text and adds what is found in it.
pub fn parse_into(id: SourceId, text: &str, findings: &mut Findings) -> ast::File {
    let scan = scan::scan(id, text, findings);
    let docs = lower::Docs::new(id, text, scan.docs, scan.comments);
    lower::file(id, text, &scan.compact, docs, scan.refused, findings)
}
