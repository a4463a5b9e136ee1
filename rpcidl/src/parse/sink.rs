//! Collects what is found in one text.

use crate::diag::{Code, Diagnostic};
use crate::limits;
use crate::source::{SourceId, Span};

/// Findings, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    found: Vec<Diagnostic>,
    dropped: Option<Span>,
}

impl Sink {
    /// Takes a finding.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        if self.is_full() {
            self.dropped = self.dropped.or(diagnostic.primary.map(|label| label.span));
        } else {
            self.found.push(diagnostic);
        }
    }

    /// True if no more is taken; then there is no need to look closely.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= limits::FINDINGS
    }

    /// All findings in the order of the text.
    pub(crate) fn finish(mut self, source: SourceId) -> Vec<Diagnostic> {
        let place = |diagnostic: &Diagnostic| {
            diagnostic
                .primary
                .as_ref()
                .map(|label| (label.span.start, label.span.end))
        };
        // The sort is stable, so findings at one place stay in the order in which they were made.
        self.found.sort_by_key(place);
        self.found.dedup();
        if let Some(span) = self.dropped {
            let span = if span.source == source {
                span
            } else {
                Span::new(source, 0, 0)
            };
            self.found.push(
                Diagnostic::error(
                    Code::E0013,
                    span,
                    format!("more than {} errors in one file", limits::FINDINGS),
                )
                .label("the rest is not shown")
                .help("mend the first ones; is this an rpcidl file"),
            );
        }
        self.found
    }
}
