//! Diagnostics as rustc shows them, or as one line each.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};

use super::{Code, Diagnostic, Label, Severity};
use crate::source::{SourceId, SourceMap, Span};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone, the same everywhere.
    Plain,
    /// With the escape codes of a terminal.
    Coloured,
}

/// The diagnostic with the text it is about, the places that matter, notes, and the edit that mends it.
pub fn human(diagnostic: &Diagnostic, sources: &SourceMap, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    renderer
        .decor_style(DecorStyle::Ascii)
        .render(&groups(diagnostic, sources))
}

/// `kv.idl:3:7: error[E0201]: message`, with the help behind it.
pub fn short(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let severity = severity_name(diagnostic.severity);
    let place = diagnostic.primary.as_ref().map_or(String::new(), |label| {
        let (line, column) = sources.line_column(label.span);
        format!("{}:{line}:{column}: ", sources.get(label.span.source).name)
    });
    let help = diagnostic
        .help
        .as_ref()
        .map_or(String::new(), |help| format!(" (help: {help})"));
    format!(
        "{place}{severity}[{}]: {}{help}",
        diagnostic.code, diagnostic.message
    )
}

/// `error` or `warning`.
pub fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// What stands below all findings, such as `error: 3 errors and 1 warning in kv.idl` and where there is more to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The severity of the worst.
    pub severity: Severity,
    /// How many there are, and where.
    pub numbers: String,
    /// How to learn more.
    pub more: String,
}

/// What stands below these findings. `None` if there are none, and of those that are about no text, which name their file
/// themselves.
pub fn summary(diagnostics: &[Diagnostic], sources: &SourceMap) -> Option<Summary> {
    // Errors sort before warnings.
    let worst = diagnostics.iter().min_by_key(|found| found.severity)?;
    let number = |severity| {
        diagnostics
            .iter()
            .filter(|found| found.severity == severity)
            .count()
    };
    let cut = diagnostics.iter().any(|found| found.code == Code::E0013);
    let numbers = match (number(Severity::Error), number(Severity::Warning)) {
        // The last error says that there are more.
        (errors, _) if cut => format!("more than {}", count(errors - 1, "error")),
        (errors, 0) => count(errors, "error"),
        (0, warnings) => count(warnings, "warning"),
        (errors, warnings) => format!(
            "{} and {}",
            count(errors, "error"),
            count(warnings, "warning")
        ),
    };
    let mut names: Vec<&str> = Vec::new();
    for label in diagnostics
        .iter()
        .filter_map(|found| found.primary.as_ref())
    {
        let name = sources.get(label.span.source).name.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let place = match names.as_slice() {
        [] => return None,
        [name] => format!(" in {name}"),
        names => format!(" in {} files", names.len()),
    };
    Some(Summary {
        severity: worst.severity,
        numbers: numbers + &place,
        more: format!("For more about it, try `rpcgen explain {}`", worst.code),
    })
}

fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.name);
    let mut group = Group::with_title(title);
    for part in parts(diagnostic, sources) {
        group = match part {
            Part::Text(snippet) => group.element(snippet),
            Part::Place(origin) => group.element(origin),
        };
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    match (&diagnostic.help, &diagnostic.edit) {
        (Some(help), Some(edit)) => {
            let source = sources.get(edit.span.source);
            let span = within(edit.span, &source.text);
            let (line, lines) = shown_lines(sources, edit.span.source, span.clone());
            if lines.len() > SHOWN_BYTES {
                return vec![group.element(Level::HELP.message(help.as_str()))];
            }
            let patch = Patch::new(inside(&span, &lines), edit.replacement.as_str());
            let mended = Snippet::source(source.text.get(lines).unwrap_or_default())
                .line_start(line)
                .path(source.name.as_str())
                .patch(patch);
            vec![
                group,
                Group::with_title(Level::HELP.secondary_title(help.as_str())).element(mended),
            ]
        }
        (Some(help), None) => vec![group.element(Level::HELP.message(help.as_str()))],
        (None, _) => vec![group],
    }
}

/// Greatest distance in lines between two places that are shown in one piece of text. The renderer looks at every
/// line between them, for each finding again.
const SHOWN_GAP: usize = 1000;

/// Greatest length of a piece of text that is shown. A line that no person has written, such as that of a file
/// without line breaks, is named by its number alone.
const SHOWN_BYTES: usize = 64 * 1024;

/// A part of what a diagnostic points at.
enum Part<'a> {
    /// Lines with marks below them.
    Text(Snippet<'a, annotate_snippets::Annotation<'a>>),
    /// A place in lines that are too long to show.
    Place(Origin<'a>),
}

/// A label with the range and the lines that it covers.
struct Mark<'a> {
    kind: AnnotationKind,
    label: &'a Label,
    range: Range<usize>,
    line: usize,
    lines: Range<usize>,
}

/// The texts that a diagnostic points into, the one of the primary label first. Only the lines from the first to the
/// last mark are handed to the renderer, since it walks over all that it is given.
fn parts<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Part<'a>> {
    let primary = diagnostic
        .primary
        .iter()
        .map(|label| (AnnotationKind::Primary, label));
    let secondary = diagnostic
        .secondary
        .iter()
        .map(|label| (AnnotationKind::Context, label));
    let mut pieces: Vec<Vec<Mark<'a>>> = Vec::new();
    for (kind, label) in primary.chain(secondary) {
        let source = label.span.source;
        let range = within(label.span, &sources.get(source).text);
        let (line, lines) = shown_lines(sources, source, range.clone());
        let mark = Mark {
            kind,
            label,
            range,
            line,
            lines,
        };
        let near = |other: &Mark<'_>| {
            other.label.span.source == source && other.line.abs_diff(line) <= SHOWN_GAP
        };
        match pieces.iter_mut().find(|piece| piece.iter().any(near)) {
            Some(piece) => piece.push(mark),
            None => pieces.push(vec![mark]),
        }
    }
    pieces
        .into_iter()
        .map(|piece| part(piece, sources))
        .collect()
}

/// Marks that lie close together, in one text.
fn part<'a>(piece: Vec<Mark<'a>>, sources: &'a SourceMap) -> Part<'a> {
    // A piece is never empty, so there are a first and a last line.
    let line = piece.iter().map(|mark| mark.line).min().unwrap_or(1);
    let start = piece.iter().map(|mark| mark.lines.start).min();
    let end = piece.iter().map(|mark| mark.lines.end).max();
    let lines = start.unwrap_or(0)..end.unwrap_or(0);
    let source = piece
        .first()
        .map(|mark| sources.get(mark.label.span.source));
    let (name, text) = source.map_or(("", ""), |source| (&*source.name, &*source.text));
    if lines.len() > SHOWN_BYTES {
        let (line, column) = piece
            .first()
            .map_or((1, 1), |mark| sources.line_column(mark.label.span));
        return Part::Place(Origin::path(name).line(line).char_column(column));
    }
    let annotations = piece.into_iter().map(|mark| {
        let annotation = mark.kind.span(inside(&mark.range, &lines));
        if mark.label.text.is_empty() {
            annotation
        } else {
            annotation.label(mark.label.text.as_str())
        }
    });
    let annotations: Vec<_> = annotations.collect();
    Part::Text(
        Snippet::source(text.get(lines).unwrap_or_default())
            .line_start(line)
            .path(name)
            .annotations(annotations),
    )
}

/// The lines around a range, with the number of the first. Behind the last line break there is no text to show, so
/// the line before comes along.
fn shown_lines(
    sources: &SourceMap,
    source: SourceId,
    range: Range<usize>,
) -> (usize, Range<usize>) {
    let (line, lines) = sources.lines_around(source, range.clone());
    if lines.is_empty() && line > 1 {
        let before = range.start.saturating_sub(1);
        return sources.lines_around(source, before..range.end);
    }
    (line, lines)
}

/// A range of the whole text as one of a part of it.
fn inside(range: &Range<usize>, part: &Range<usize>) -> Range<usize> {
    range.start - part.start..range.end - part.start
}

/// The range of a span, cut to the text and to whole characters, which the renderer insists on.
fn within(span: Span, text: &str) -> Range<usize> {
    let whole = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = whole(span.start as usize);
    start..whole(span.end as usize).max(start)
}

#[cfg(test)]
mod tests {
    use super::{SHOWN_BYTES, SHOWN_GAP, Style, human, short};
    use crate::diag::{Code, Diagnostic};
    use crate::source::{SourceMap, Span};

    /// A finding about the last `b`, which also points at the first `a`.
    fn shown(text: &str) -> String {
        let mut sources = SourceMap::default();
        let id = sources.add("t.idl", text);
        let (b, a) = (text.rfind('b').unwrap_or(0), text.find('a').unwrap_or(0));
        let found = Diagnostic::error(Code::E0203, Span::new(id, b, b + 1), "again")
            .also(Span::new(id, a, a + 1), "first")
            .fix("remove it", Span::new(id, b, b + 1), "");
        assert!(short(&found, &sources).starts_with("t.idl:"));
        human(&found, &sources, Style::Plain)
    }

    #[test]
    fn places_far_apart_are_shown_each_for_itself() {
        let near = shown(&format!("a;\n{}b;\n", "\n".repeat(SHOWN_GAP - 1)));
        assert!(
            near.contains("t.idl:1001:1") && !near.contains(":::"),
            "{near}"
        );
        let far = shown(&format!("a;\n{}b;\n", "\n".repeat(SHOWN_GAP)));
        for part in [
            "--> t.idl:1002:1",
            "::: t.idl:1:1",
            "1 | a;",
            "1002 | b;",
            "- first",
        ] {
            assert!(far.contains(part), "{part} in\n{far}");
        }
    }

    #[test]
    fn a_line_that_nobody_wrote_is_only_named() {
        let text = shown(&format!("a;\n{}b;\n", " ".repeat(SHOWN_BYTES)));
        for part in [
            "error[E0203]: again",
            &format!("--> t.idl:2:{}", SHOWN_BYTES + 1),
            "help: remove it",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(text.len() < 1000, "{}", text.len());
    }

    #[test]
    fn the_end_of_a_text_is_shown_with_its_last_line() {
        let mut sources = SourceMap::default();
        let id = sources.add("t.idl", "one\ntwo\n");
        let found = Diagnostic::error(Code::E0107, Span::new(id, 8, 8), "ends");
        let text = human(&found, &sources, Style::Plain);
        assert!(text.contains("2 | two") && !text.contains("one"), "{text}");
    }
}
