//! JSON forms of the syntax tree and of diagnostics.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::{Value, json};

use crate::ast::File;
use crate::diag::{Diagnostic, Label};
use crate::source::{SourceId, SourceMap, Span};

/// The trees of the files, with the names of their sources; one object for one file, an array for several. Spans are byte
/// offsets.
pub fn ast_to_json(files: &[&File], sources: &SourceMap) -> String {
    let tree = |file: &&File| {
        let mut tree = serde_json::to_value(file).unwrap_or(Value::Null);
        if let Some(object) = tree.as_object_mut() {
            object.insert("source".into(), json!(sources.get(file.source).name));
        }
        tree
    };
    let value = match files {
        [file] => tree(file),
        files => files.iter().map(tree).collect(),
    };
    serde_json::to_string_pretty(&value).unwrap_or_default()
}

/// A diagnostic as one object on one line.
pub fn diagnostic_to_json(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let span = |label: &Label, primary: bool| {
        let mut value = place(label.span, sources);
        value["label"] = json!(label.text);
        value["primary"] = json!(primary);
        value
    };
    let primary = diagnostic.primary.iter().map(|label| span(label, true));
    let secondary = diagnostic.secondary.iter().map(|label| span(label, false));
    let edit = diagnostic.edit.as_ref().map(|edit| {
        let mut value = place(edit.span, sources);
        value["replacement"] = json!(edit.replacement);
        value
    });
    json!({
        "code": diagnostic.code.name,
        "severity": match diagnostic.severity {
            crate::diag::Severity::Error => "error",
            crate::diag::Severity::Warning => "warning",
        },
        "message": diagnostic.message,
        "spans": primary.chain(secondary).collect::<Vec<_>>(),
        "notes": diagnostic.notes,
        "help": diagnostic.help,
        "edit": edit,
    })
    .to_string()
}

fn place(span: Span, sources: &SourceMap) -> Value {
    let (line, column) = sources.line_column(span);
    let end = Span {
        start: span.end,
        ..span
    };
    let (end_line, end_column) = sources.line_column(end);
    json!({
        "file": sources.get(span.source).name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "start": span.start,
        "end": span.end,
    })
}

/// Writes a 128-bit integer as text: many readers of JSON keep only 53 bits of a number.
#[expect(clippy::ref_option, reason = "serde hands the field over like this")]
pub(crate) fn int_as_text<S: Serializer>(
    value: &Option<u128>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.map(|value| value.to_string()).serialize(serializer)
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut span = serializer.serialize_struct("Span", 2)?;
        span.serialize_field("start", &self.start)?;
        span.serialize_field("end", &self.end)?;
        span.end()
    }
}

impl Serialize for SourceId {
    /// `ast_to_json` puts the source's name in its place.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}
