//! Diagnostics as rustc shows them, or as one line each.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use super::{Diagnostic, Severity};
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

fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.name);
    let mut group = Group::with_title(title);
    for id in places(diagnostic) {
        group = group.element(snippet(diagnostic, sources, id));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    match (&diagnostic.help, &diagnostic.edit) {
        (Some(help), Some(edit)) => {
            let source = sources.get(edit.span.source);
            let patch = Patch::new(within(edit.span, &source.text), edit.replacement.as_str());
            let mended = Snippet::source(&*source.text)
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

/// The sources that a diagnostic points into, the primary one first.
fn places(diagnostic: &Diagnostic) -> Vec<SourceId> {
    let mut places: Vec<SourceId> = Vec::new();
    for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
        if !places.contains(&label.span.source) {
            places.push(label.span.source);
        }
    }
    places
}

fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a SourceMap,
    id: SourceId,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let source = sources.get(id);
    let primary = diagnostic
        .primary
        .iter()
        .map(|label| (AnnotationKind::Primary, label));
    let secondary = diagnostic
        .secondary
        .iter()
        .map(|label| (AnnotationKind::Context, label));
    let annotations = primary
        .chain(secondary)
        .filter(|(_, label)| label.span.source == id)
        .map(|(kind, label)| {
            let annotation = kind.span(within(label.span, &source.text));
            if label.text.is_empty() {
                annotation
            } else {
                annotation.label(label.text.as_str())
            }
        });
    Snippet::source(&*source.text)
        .path(source.name.as_str())
        .annotations(annotations)
}

/// The range of a span, cut to the text and to whole characters, which the renderer insists on.
fn within(span: Span, text: &str) -> std::ops::Range<usize> {
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
