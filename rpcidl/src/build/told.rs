//! Diagnostics as a build script shows them.

use crate::diag::Diagnostic;
use crate::diag::render::{self, Style};
use crate::source::SourceMap;

/// All of them, one after the other, with their text, and what `rpcgen` says below them.
pub(super) fn rendered(sources: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    // Cargo passes this on as it is, also into files, so there is no colour in it.
    let texts = diagnostics
        .iter()
        .map(|found| render::human(found, sources, Style::Plain));
    let summary = render::summary(diagnostics, sources).map(|summary| {
        let word = render::severity_name(summary.severity);
        format!("{word}: {}\n{}", summary.numbers, summary.more)
    });
    texts.chain(summary).collect::<Vec<_>>().join("\n\n")
}

/// One in one line.
pub(super) fn line(sources: &SourceMap, found: &Diagnostic) -> String {
    render::short(found, sources)
}
