//! Collects what is found, up to a limit.

use super::{Code, Diagnostic, Severity};
use crate::limits;
use crate::source::Span;

/// Findings of any phase. A text of another language has an error in every line, so only the first
/// [`limits::FINDINGS`] are kept; what was left out is still known to have been there.
#[derive(Debug, Default)]
pub struct Findings {
    errors: Vec<Diagnostic>,
    /// Apart from the errors, so that a thousand warnings leave room for the error after them.
    warnings: Vec<Diagnostic>,
    /// True if an error was left out.
    more_errors: bool,
    /// The place of the first error that was left out, if it has one.
    next_error: Option<Span>,
    /// Number of warnings that were left out.
    more_warnings: usize,
}

impl Findings {
    /// Takes a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        match diagnostic.severity {
            Severity::Error if self.is_full() => {
                self.leave_out(diagnostic.primary.map(|label| label.span));
            }
            Severity::Error => self.errors.push(diagnostic),
            Severity::Warning if self.warnings.len() < limits::FINDINGS => {
                self.warnings.push(diagnostic);
            }
            Severity::Warning => self.more_warnings += 1,
        }
    }

    /// Takes what another part has found.
    pub fn append(&mut self, other: Self) {
        let Self {
            errors,
            warnings,
            more_errors,
            next_error,
            more_warnings,
        } = other;
        self.extend(errors);
        self.extend(warnings);
        if more_errors {
            self.leave_out(next_error);
        }
        self.more_warnings += more_warnings;
    }

    /// True if no further error is kept; then there is no need to look closely at one.
    pub fn is_full(&self) -> bool {
        self.errors.len() >= limits::FINDINGS
    }

    /// True if an error was left out. Whatever is found from here on changes nothing of what is told.
    pub fn is_over(&self) -> bool {
        self.more_errors
    }

    /// Notes that there was an error at `span` which nobody looked at closely.
    pub fn leave_out(&mut self, span: Option<Span>) {
        self.more_errors = true;
        self.next_error = self.next_error.or(span);
    }

    /// True if something is wrong, whether it was kept or not.
    pub fn has_errors(&self) -> bool {
        self.more_errors || !self.errors.is_empty()
    }

    /// True if there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        !self.has_errors() && self.warnings.is_empty()
    }

    /// Everything that was kept, by source and position, and at the end that something was left out. What has no
    /// place comes first.
    pub fn finish(self) -> Vec<Diagnostic> {
        let Self {
            errors: mut found,
            mut warnings,
            more_errors,
            next_error,
            mut more_warnings,
        } = self;
        sort(&mut warnings);
        let room = limits::FINDINGS.saturating_sub(found.len());
        more_warnings += warnings.len().saturating_sub(room);
        warnings.truncate(room);
        found.append(&mut warnings);
        sort(&mut found);
        if more_errors {
            found.push(too_many(next_error));
        } else if more_warnings > 0
            && let Some(last) = found.last_mut()
        {
            last.notes
                .push(format!("{more_warnings} more warnings are not shown"));
        }
        found
    }
}

impl Extend<Diagnostic> for Findings {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, found: T) {
        for diagnostic in found {
            self.push(diagnostic);
        }
    }
}

fn too_many(next: Option<Span>) -> Diagnostic {
    let message = format!("more than {} errors", limits::FINDINGS);
    let error = match next {
        Some(span) => Diagnostic::error(Code::E0013, span, message)
            .label("this is the first one that is not shown"),
        None => Diagnostic::global(Code::E0013, message),
    };
    error.help("mend the first ones; is this an rpcidl file")
}

/// The sort is stable, so findings at one place stay in the order in which they were made.
fn sort(found: &mut Vec<Diagnostic>) {
    found.sort_by_key(|found| {
        let span = found.primary.as_ref().map(|label| label.span);
        (span, found.severity)
    });
    found.dedup();
}

#[cfg(test)]
mod tests {
    use super::Findings;
    use crate::diag::{Code, Diagnostic, Severity};
    use crate::limits::FINDINGS;
    use crate::source::{SourceMap, Span};

    fn error(at: usize) -> Diagnostic {
        let id = SourceMap::default().add("t", "");
        Diagnostic::error(Code::E0101, Span::new(id, at, at), "wrong")
    }

    fn warning(at: usize) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            code: Code::W0201,
            ..error(at)
        }
    }

    #[test]
    fn a_full_list_says_so() {
        let mut findings = Findings::default();
        findings.extend((0..FINDINGS).rev().map(error));
        assert!(findings.is_full());
        let mut more = Findings::default();
        more.push(error(7000));
        more.push(error(6000));
        findings.append(more);
        let found = findings.finish();
        assert_eq!(found.len(), FINDINGS + 1);
        assert_eq!(found[0], error(0));
        let last = &found[FINDINGS];
        assert_eq!((last.code, last.severity), (Code::E0013, Severity::Error));
        assert_eq!(
            last.primary.as_ref().map(|label| label.span.start),
            Some(7000)
        );
    }

    #[test]
    fn exactly_full_is_not_too_many() {
        let mut findings = Findings::default();
        findings.extend((0..FINDINGS).map(error));
        let found = findings.finish();
        assert_eq!(found.len(), FINDINGS);
        assert!(found.iter().all(|found| found.code != Code::E0013));
    }

    #[test]
    fn warnings_never_hide_an_error() {
        let mut findings = Findings::default();
        findings.extend((0..FINDINGS + 5).map(warning));
        assert!(!findings.has_errors() && !findings.is_empty());
        findings.push(error(9));
        assert!(findings.has_errors());
        let found = findings.finish();
        assert_eq!(found.len(), FINDINGS);
        assert_eq!(found.iter().filter(|found| **found == error(9)).count(), 1);
        let last = found.last().map(|found| found.notes.as_slice());
        assert_eq!(
            last,
            Some(["6 more warnings are not shown".to_owned()].as_slice())
        );
    }

    #[test]
    fn what_is_left_out_is_wrong_all_the_same() {
        let mut findings = Findings::default();
        findings.leave_out(None);
        assert!(findings.has_errors() && !findings.is_empty());
        assert_eq!(findings.finish()[0].code, Code::E0013);
    }
}
