//! Diagnostics as a build script shows them.

use crate::diag::Diagnostic;
use crate::diag::render::{self, Style};
use crate::source::SourceMap;

/// All of them, one after the other, with their text.
pub(super) fn rendered(sources: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    // Cargo passes this on as it is, also into files, so there is no colour in it.
    let texts = diagnostics
        .iter()
        .map(|found| render::human(found, sources, Style::Plain));
    texts.collect::<Vec<_>>().join("\n\n")
}

/// One in one line.
pub(super) fn line(sources: &SourceMap, found: &Diagnostic) -> String {
    render::short(found, sources)
}
