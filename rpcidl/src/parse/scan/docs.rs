//! Tells documentation from ordinary comments and takes it apart into lines.

use crate::ast::Doc;
use crate::source::{SourceId, Span};

/// A documentation comment.
#[derive(Clone, Debug)]
pub(crate) struct DocComment {
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
    /// `//!` and `/*! */`, which document the file.
    pub(crate) inner: bool,
    /// Where the next token begins; what stands there is documented.
    pub(crate) before: usize,
    /// A line that stands after a token on the same line.
    pub(crate) trailing: bool,
}

/// Whether a comment documents, and if so whether it documents what it stands in.
pub(crate) fn kind(text: &str) -> Option<bool> {
    let inner = |plain: &str| plain.starts_with('!');
    if let Some(rest) = text.strip_prefix("//") {
        if inner(rest) {
            return Some(true);
        }
        return (rest.starts_with('/') && !rest.starts_with("//")).then_some(false);
    }
    let rest = text.strip_prefix("/*")?;
    if inner(rest) {
        return Some(true);
    }
    // `/**/` is empty and `/***` begins a box of stars.
    (rest.starts_with('*') && rest.len() > 3 && !rest.starts_with("**")).then_some(false)
}

/// The comment without the sign that makes it documentation.
pub(crate) fn plain_comment(text: &str) -> String {
    match kind(text) {
        None => text.to_owned(),
        Some(_) => {
            let (marker, body) = text.split_at(3.min(text.len()));
            let marker = marker.get(..2).unwrap_or_default();
            let plain = format!("{marker}{body}");
            // What is left of `///!` would be documentation again.
            if kind(&plain).is_some() {
                format!("{marker} {body}")
            } else {
                plain
            }
        }
    }
}

/// The lines of a documentation comment that begins at `start`.
pub(crate) fn lines(source: SourceId, text: &str, start: usize) -> Vec<Doc> {
    let doc = |text: &str, from: usize, to: usize| Doc {
        text: text.trim_end().to_owned(),
        span: Span::new(source, start + from, start + to),
    };
    if text.starts_with("//") {
        let body = text.get(3..).unwrap_or_default();
        return vec![doc(
            body.strip_prefix(' ').unwrap_or(body),
            0,
            text.trim_end().len(),
        )];
    }
    let body_end = if text.len() >= 5 && text.ends_with("*/") {
        text.len() - 2
    } else {
        text.len()
    };
    let mut found: Vec<(&str, usize, usize)> = Vec::new();
    let mut at = 0;
    for line in text.get(..body_end).unwrap_or_default().split('\n') {
        let end = at + line.len();
        let marker = if at == 0 {
            line.get(3..).unwrap_or_default()
        } else {
            line.trim_start()
        };
        let body = if at == 0 {
            marker
        } else {
            marker.strip_prefix('*').unwrap_or(marker)
        };
        let from = if at == 0 { 0 } else { end - marker.len() };
        found.push((body.strip_prefix(' ').unwrap_or(body), from, end));
        at = end + 1;
    }
    let blank = |line: &&(&str, usize, usize)| line.0.trim().is_empty();
    let skip = found.iter().take_while(blank).count();
    let keep = found.len() - found.iter().rev().take_while(blank).count();
    if skip >= keep {
        return vec![doc("", 0, text.len())];
    }
    found
        .get(skip..keep)
        .unwrap_or_default()
        .iter()
        .map(|&(body, from, to)| doc(body, from, to))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{kind, lines, plain_comment};
    use crate::source::SourceMap;

    fn texts(text: &str) -> Vec<String> {
        let id = SourceMap::default().add("t", text);
        lines(id, text, 0).into_iter().map(|doc| doc.text).collect()
    }

    #[test]
    fn kinds() {
        assert_eq!(kind("/// a"), Some(false));
        assert_eq!(kind("//// a"), None);
        assert_eq!(kind("// a"), None);
        assert_eq!(kind("//! a"), Some(true));
        assert_eq!(kind("/** a */"), Some(false));
        assert_eq!(kind("/**/"), None);
        assert_eq!(kind("/***/"), None);
        assert_eq!(kind("/* a */"), None);
    }

    #[test]
    fn plain_comments_document_nothing() {
        let cases = [
            ("/// a", "// a"),
            ("///! a", "// ! a"),
            ("//!/ a", "// / a"),
            ("/** a */", "/* a */"),
            ("/**! a */", "/* ! a */"),
            ("/*!* a */", "/* * a */"),
            ("/*!*/", "/**/"),
            ("// a", "// a"),
        ];
        for (text, plain) in cases {
            assert_eq!(plain_comment(text), plain, "{text}");
            assert_eq!(kind(plain), None, "{plain}");
        }
    }

    #[test]
    fn line_texts() {
        assert_eq!(texts("///  a "), [" a"]);
        assert_eq!(texts("/** one */"), ["one"]);
        assert_eq!(
            texts("/**\n * one\n *\n *   two\n */"),
            ["one", "", "  two"]
        );
        assert_eq!(texts("/** one\r\n    two */"), ["one", "two"]);
        assert_eq!(texts("/** */"), [""]);
    }
}
