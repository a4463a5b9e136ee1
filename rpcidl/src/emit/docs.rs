//! Documentation and deprecation of generated items.

use std::borrow::Cow;
use std::fmt::Arguments;

use super::literal::{Quoted, reorders};
use super::writer::{Writer, line};
use crate::ir::Meta;

/// The documentation of an item, or `fallback` where the definition has none, so that nothing is undocumented.
pub(super) fn docs(w: &mut Writer, meta: &Meta, fallback: Arguments<'_>) {
    if meta.docs.iter().all(|text| text.trim().is_empty()) {
        line!(w, "/// {fallback}");
    } else {
        lines(w, "///", &meta.docs);
    }
    if let Some(since) = meta.since {
        line!(w, "///");
        line!(w, "/// Since version {}.{}.", since.major, since.minor);
    }
}

/// The documentation of an item and its `#[deprecated]`, if it is.
pub(super) fn docs_and_deprecation(w: &mut Writer, meta: &Meta, fallback: Arguments<'_>) {
    docs(w, meta, fallback);
    deprecation(w, meta);
}

/// `#[deprecated]`, if the item is.
pub(super) fn deprecation(w: &mut Writer, meta: &Meta) {
    if let Some(why) = &meta.deprecated {
        w.attribute("deprecated", format_args!("note = {}", Quoted(why)));
    }
}

/// Lines of documentation behind `marker`, made harmless: what stands in a definition may not become code.
pub(super) fn lines(w: &mut Writer, marker: &str, docs: &[String]) {
    let mut fenced = false;
    let mut may_be_code = true;
    // A text that holds line ends would leave the comment.
    for text in docs.iter().flat_map(|text| text.split('\n')) {
        let text = text.trim_end();
        if text.is_empty() {
            line!(w, "{marker}");
            may_be_code = true;
            continue;
        }
        let mut text = printable(text);
        let inner = text.trim_start();
        if let Some(info) = inner
            .strip_prefix("```")
            .or_else(|| inner.strip_prefix("~~~"))
        {
            // rustdoc would compile a block without a language as Rust.
            if !fenced && info.trim().is_empty() {
                text = Cow::Owned(format!("{text}text"));
            }
            fenced = !fenced;
        } else if !fenced && may_be_code && indented(&text) {
            // Likewise text that is indented by four after an empty line; three keep the look.
            text = Cow::Owned(format!("   {inner}"));
        } else {
            may_be_code = false;
        }
        line!(w, "{marker} {text}");
    }
    if fenced {
        line!(w, "{marker} ```");
    }
}

fn indented(text: &str) -> bool {
    text.starts_with("    ") || text.trim_start_matches(' ').starts_with('\t')
}

/// Without the characters that rustc refuses in comments.
fn printable(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .filter(|&char| char != '\r' && !reorders(char))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(docs: &[&str]) -> String {
        let mut w = Writer::new(0);
        let docs: Vec<String> = docs.iter().map(|&text| text.to_owned()).collect();
        lines(&mut w, "///", &docs);
        w.finish()
    }

    #[test]
    fn code_blocks_are_not_doctests() {
        assert_eq!(
            written(&["```", "x", "```"]),
            "/// ```text\n/// x\n/// ```\n"
        );
        assert_eq!(written(&["```c", "x", "```"]), "/// ```c\n/// x\n/// ```\n");
        assert_eq!(
            written(&["a", "", "    x = 1", "    y"]),
            "/// a\n///\n///    x = 1\n///    y\n"
        );
        assert_eq!(written(&["a", "    b"]), "/// a\n///     b\n");
        assert_eq!(written(&["```"]), "/// ```text\n/// ```\n");
    }

    #[test]
    fn nothing_leaves_the_comment() {
        assert_eq!(
            written(&["a\nfn b() {}", "\u{202e}c\rd", "/e"]),
            "/// a\n/// fn b() {}\n/// cd\n/// /e\n"
        );
    }
}
