//! From text to tree: the scanner, the grammar, and the lowering of what it matched.
//!
//! [`parse`] never fails. What cannot be read becomes an `Invalid` node and a diagnostic, and the rest of the text
//! is read all the same.

mod diagnose;
mod grammar;
mod input;
mod lower;
mod scan;
mod words;

pub use input::{not_utf8, nothing_declared, unreadable};

use pest::Parser as _;
use pest::error::InputLocation;

use crate::ast;
use crate::diag::{Code, Diagnostic, Findings};
use crate::source::{SourceId, Span};
use grammar::{Grammar, Rule};

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
    match Grammar::parse(Rule::file, &scan.compact.text) {
        Ok(pairs) => {
            let docs = lower::Docs::new(id, text, scan.docs, scan.comments);
            lower::file(id, text, &scan.compact, docs, scan.refused, findings, pairs)
        }
        Err(error) => {
            // The catch-alls take any text, so only pest's own guard of the stack can end here.
            let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
            let at = scan.compact.place(at);
            findings.push(
                Diagnostic::error(
                    Code::E0011,
                    Span::new(id, at, at),
                    "the stack is too small to read this text",
                )
                .help("run the compiler on a thread with a larger stack"),
            );
            ast::File {
                source: id,
                docs: Vec::new(),
                edition: None,
                package: None,
                imports: Vec::new(),
                items: vec![ast::Item::Invalid(Span::new(id, 0, text.len()))],
                comments: scan.comments,
                span: Span::new(id, 0, text.len()),
            }
        }
    }
}
