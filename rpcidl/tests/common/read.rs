//! Text to tree, and what was found on the way.

use rpcidl::ast::File;
use rpcidl::diag::Diagnostic;
use rpcidl::parse::parse;
use rpcidl::source::{SourceMap, Span};

pub(crate) fn read(text: &str) -> (File, Vec<Diagnostic>) {
    let id = SourceMap::default().add("test.idl", text);
    parse(id, text)
}

/// Each finding as `E0102@3:7 message`.
pub(crate) fn found(text: &str) -> Vec<String> {
    let mut sources = SourceMap::default();
    let id = sources.add("test.idl", text);
    let place = |found: &Diagnostic| {
        let (line, column) = sources.line_column(found.primary.as_ref().unwrap().span);
        format!("{}@{line}:{column} {}", found.code, found.message)
    };
    parse(id, text).1.iter().map(place).collect()
}

/// The text after the edits of all findings.
pub(crate) fn mended(text: &str) -> String {
    let mut edits: Vec<_> = read(text)
        .1
        .into_iter()
        .filter_map(|found| found.edit)
        .collect();
    edits.sort_by_key(|edit| edit.span.start);
    let mut mended = text.to_owned();
    for edit in edits.into_iter().rev() {
        mended.replace_range(edit.span.range(), &edit.replacement);
    }
    mended
}

pub(crate) fn at(text: &str, span: Span) -> &str {
    &text[span.range()]
}
