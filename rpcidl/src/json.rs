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

/// True if two trees differ in nothing but places and the markers of comments: what a formatter has to keep.
pub fn same_but_for_places(one: &File, other: &File) -> bool {
    without_places(one) == without_places(other)
}

/// The tree of a file with the words of its comments, in order.
fn without_places(file: &File) -> Value {
    let mut tree = serde_json::to_value(file).unwrap_or(Value::Null);
    drop_places(&mut tree);
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    // A marker may change, since a comment that documents nothing becomes a plain one.
    let comments: Vec<_> = file
        .comments
        .iter()
        .map(|comment| words(&comment.text))
        .collect();
    tree["comments"] = json!(comments);
    tree
}

/// Forgets every span. The depth is bounded by that of the tree.
fn drop_places(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_places),
        Value::Object(fields) if is_span(fields) => *value = Value::Null,
        Value::Object(fields) => fields.values_mut().for_each(drop_places),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_span(fields: &serde_json::Map<String, Value>) -> bool {
    fields.len() == 2 && fields.contains_key("start") && fields.contains_key("end")
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

#[cfg(test)]
mod tests {
    use super::same_but_for_places;
    use crate::ast::File;
    use crate::parse::parse;
    use crate::source::SourceMap;

    fn read(text: &str) -> File {
        parse(SourceMap::default().add("t", text), text).0
    }

    #[test]
    fn only_places_and_markers_may_differ() {
        let text = "package a;\n/// Doc.\nstruct S { u8 a = 0x10; /* one two */ }\n";
        let same = [
            "package  a ;\n\n/** Doc. */ struct S{u8 a=16;// one two\n}",
            text,
        ];
        for other in same {
            assert!(same_but_for_places(&read(text), &read(other)), "{other}");
        }
        let others = [
            ("a = 0x10", "a = 0x11"),
            ("u8", "u16"),
            ("Doc.", "Docs."),
            ("one two", "one"),
            ("/* one two */", ""),
            ("struct S", "struct T"),
            ("package a", "package b"),
            ("u8 a = 0x10;", "u8 a;"),
            ("u8 a = 0x10;", "u8 a = (0x10);"),
            ("u8 a = 0x10;", "u8 a = 0x10; u8 b;"),
            ("/// Doc.", "// Doc."),
        ];
        for (from, to) in others {
            let other = text.replace(from, to);
            assert_ne!(text, other);
            assert!(!same_but_for_places(&read(text), &read(&other)), "{other}");
        }
    }
}
