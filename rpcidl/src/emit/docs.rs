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
    let mut blocks = Blocks::default();
    // A text that holds line ends would leave the comment.
    for text in docs.iter().flat_map(|text| text.split('\n')) {
        let text = printable(text.trim_end());
        let text = blocks.line(text.trim_end());
        if text.is_empty() {
            line!(w, "{marker}");
        } else {
            line!(w, "{marker} {text}");
        }
    }
    if let Some(fence) = blocks.fence.filter(|fence| fence.is_outermost()) {
        let run = fence.sign.to_string().repeat(fence.length);
        line!(w, "{marker} {run}");
    }
}

/// The lints that documentation may meet: its markup was not written for Rust.
pub(super) const LINTS: &str = "clippy::all, rustdoc::all";

/// [`LINTS`] if any of the documentation has markup that a lint looks at.
pub(super) fn lints<'a>(metas: impl IntoIterator<Item = &'a Meta>) -> &'static str {
    let mut docs = metas.into_iter().flat_map(|meta| &meta.docs);
    if docs.any(|text| has_markup(text)) {
        LINTS
    } else {
        ""
    }
}

/// `#[allow(…)]` with those of the lints that are any.
pub(super) fn allow(w: &mut Writer, lints: &[&str]) {
    let lints: Vec<&str> = lints
        .iter()
        .copied()
        .filter(|lint| !lint.is_empty())
        .collect();
    if !lints.is_empty() {
        line!(w, "#[allow({})]", lints.join(", "));
    }
}

/// True for a link, a tag, an address, a block of code, and what begins an item of a list or a quotation.
pub(super) fn has_markup(text: &str) -> bool {
    let marks = ["[", "<", "://", "```", "~~~", "\t"];
    let begins =
        |line: &str| line.trim_start().starts_with(['>', '!']) || item(line.trim_start()).is_some();
    marks.iter().any(|mark| text.contains(mark)) || text.split('\n').any(begins)
}

/// A block of code that is open.
#[derive(Clone, Copy)]
struct Fence {
    sign: char,
    length: usize,
    /// How many `>` stand before each of its lines.
    quotes: usize,
    /// The column of the list item that it belongs to, or 0.
    column: usize,
}

impl Fence {
    fn is_outermost(&self) -> bool {
        self.quotes == 0 && self.column == 0
    }
}

/// Which blocks the lines so far have opened, as far as that says what rustdoc takes for code.
#[derive(Default)]
struct Blocks {
    fence: Option<Fence>,
    /// The column at which the text of the last list item begins, or 0.
    column: usize,
    /// True behind a paragraph, which an indented line belongs to.
    in_paragraph: bool,
}

impl Blocks {
    /// A line as it may be printed.
    fn line<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        if text.trim().is_empty() {
            self.in_paragraph = false;
            return Cow::Borrowed("");
        }
        let (quotes, start) = quoted(text);
        if let Some(fence) = self.fence {
            let inside = text.get(start..).unwrap_or_default();
            let column = inside.len() - inside.trim_start_matches(' ').len();
            // A block ends with the quotation or the list item that it stands in.
            if quotes >= fence.quotes && (column >= fence.column || fence.quotes > 0) {
                if closes(&fence, inside) {
                    self.fence = None;
                }
                return Cow::Borrowed(text);
            }
            self.fence = None;
        }
        let (at, deep) = self.content(text, start);
        let (before, inner) = text.split_at(at);
        let blanks = before.get(start..).unwrap_or_default();
        let column = if blanks.len() >= self.column {
            self.column
        } else {
            0
        };
        let is_far = blanks.len() - column >= 4 || blanks.contains('\t');
        // Three blanks keep the look of what is indented by four, which would be code as well.
        let near = || format!("{}   ", before.trim_end_matches([' ', '\t']));
        if let Some((sign, length)) = fence(inner).filter(|_| deep || !is_far) {
            self.in_paragraph = false;
            self.fence = Some(Fence {
                sign,
                length,
                quotes,
                column,
            });
            let before = if is_far { near() } else { before.to_owned() };
            let (run, info) = inner.split_at(length);
            // rustdoc would compile a block without a language as Rust.
            return match info.trim() {
                "" => Cow::Owned(format!("{before}{run}text")),
                info if names_no_language(info) => Cow::Owned(format!("{before}{run}text,{info}")),
                _ => Cow::Owned(format!("{before}{inner}")),
            };
        }
        if deep {
            return Cow::Owned(near() + inner);
        }
        self.in_paragraph = true;
        Cow::Borrowed(text)
    }

    /// Where the text of a line begins that is `>`-quoted up to `start`, behind the marks of list items, and whether it is
    /// indented so far that it is code.
    fn content(&mut self, text: &str, start: usize) -> (usize, bool) {
        let mut at = start;
        let mut deep = !self.in_paragraph || start > 0;
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let inner = rest.trim_start_matches([' ', '\t']);
            let begin = at + (rest.len() - inner.len());
            deep &= indented(rest);
            match item(inner) {
                Some(mark) if !deep => {
                    at = begin + mark;
                    self.column = at + 1 - start;
                    // One blank belongs to the mark.
                    deep = indented(text.get(at + 1..).unwrap_or_default());
                    if deep {
                        let inner = text.get(at..).unwrap_or_default();
                        let blanks = inner.len() - inner.trim_start_matches([' ', '\t']).len();
                        return (at + blanks, true);
                    }
                    deep = true;
                }
                _ => {
                    if begin - start < self.column && !self.in_paragraph && at == start {
                        self.column = 0;
                    }
                    return (begin, deep);
                }
            }
        }
    }
}

/// How many `>` a line begins with, and where what they quote begins.
fn quoted(text: &str) -> (usize, usize) {
    let (mut quotes, mut start) = (0, 0);
    loop {
        let rest = text.get(start..).unwrap_or_default();
        let inner = rest.trim_start_matches(' ');
        let blanks = rest.len() - inner.len();
        if blanks > 3 || !inner.starts_with('>') {
            return (quotes, start);
        }
        quotes += 1;
        start += blanks + 1;
        if text.get(start..).is_some_and(|rest| rest.starts_with(' ')) {
            start += 1;
        }
    }
}

/// The length of the mark that a list item begins with, such as `-` or `12.`.
fn item(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mark = match text.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..10).contains(&digits) => digits + 1,
        _ => return None,
    };
    text.get(mark..)
        .is_some_and(|rest| rest.starts_with([' ', '\t']))
        .then_some(mark)
}

/// The sign and the length of the run that a block of code begins with.
fn fence(text: &str) -> Option<(char, usize)> {
    let sign = text
        .chars()
        .next()
        .filter(|sign| matches!(sign, '`' | '~'))?;
    let info = text.trim_start_matches(sign);
    let length = text.len() - info.len();
    // Otherwise it is code within a line.
    (length >= 3 && (sign == '~' || !info.contains('`'))).then_some((sign, length))
}

/// True if a line ends the block.
fn closes(open: &Fence, text: &str) -> bool {
    let inner = text.trim();
    inner.len() >= open.length && inner.chars().all(|sign| sign == open.sign)
}

/// True for what only says how Rust is to be compiled.
fn names_no_language(info: &str) -> bool {
    info.split([',', ' ', '\t']).all(|word| {
        matches!(
            word,
            "" | "ignore"
                | "should_panic"
                | "no_run"
                | "compile_fail"
                | "test_harness"
                | "standalone_crate"
        ) || word.starts_with("edition")
    })
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
        assert_eq!(
            written(&["```no_run", "x", "```"]),
            "/// ```text,no_run\n/// x\n/// ```\n"
        );
    }

    #[test]
    fn nor_are_those_in_lists_and_quotations_and_longer_ones() {
        for (docs, expected) in [
            // Longer than three, with a shorter run inside.
            (
                &["````", "```", "x", "````", "y"][..],
                &["````text", "```", "x", "````", "y"][..],
            ),
            (&["~~~~", "```", "~~~~"], &["~~~~text", "```", "~~~~"]),
            // In a list item, beside its mark and below it.
            (
                &["- a", "  ```", "  x", "  ```", "b"],
                &["- a", "  ```text", "  x", "  ```", "b"],
            ),
            (
                &["1. a", "", "    ```", "    x", "    ```"],
                &["1. a", "", "    ```text", "    x", "    ```"],
            ),
            (&["- ```", "  x", "  ```"], &["- ```text", "  x", "  ```"]),
            // One that ends with its list item.
            (
                &["- a", "  ```", "  x", "b", "```", "y", "```"],
                &["- a", "  ```text", "  x", "b", "```text", "y", "```"],
            ),
            // Quoted.
            (
                &["> ```", "> x", "> ```", "b"],
                &["> ```text", "> x", "> ```", "b"],
            ),
            (
                &["> ```", "> x", "b", "```", "```"],
                &["> ```text", "> x", "b", "```text", "```"],
            ),
            (&[">     x"], &[">   x"]),
            (&["-      x"], &["-   x"]),
            // Unfinished ones end with what they stand in.
            (&["> ```", "> x"], &["> ```text", "> x"]),
            (&["- ~~~", "  x"], &["- ~~~text", "  x"]),
            (&["````", "x"], &["````text", "x", "````"]),
            // Indented so far that it would be code itself.
            (
                &["a", "", "    ```", "    x", "    ```"],
                &["a", "", "   ```text", "    x", "    ```"],
            ),
            // Code within a line is no block.
            (&["```x``` y", "z"], &["```x``` y", "z"]),
        ] {
            let lines = |lines: &[&str]| -> String {
                lines
                    .iter()
                    .map(|line| format!("/// {line}").trim_end().to_owned() + "\n")
                    .collect()
            };
            assert_eq!(written(docs), lines(expected), "{docs:?}");
        }
    }

    #[test]
    fn markup_is_what_lints_look_at() {
        for text in [
            "see [x]",
            "Vec<u8>",
            "at https://a.b",
            "- a",
            "2) a",
            "> a",
            "a\tb",
            "```c",
        ] {
            assert!(has_markup(text), "{text}");
        }
        for text in [
            "Plain words, and `code`.",
            "a - b",
            "1.5 times",
            "-1 is none",
            "a * b",
        ] {
            assert!(!has_markup(text), "{text}");
        }
    }

    #[test]
    fn nothing_leaves_the_comment() {
        assert_eq!(
            written(&["a\nfn b() {}", "\u{202e}c\rd", "/e"]),
            "/// a\n/// fn b() {}\n/// cd\n/// /e\n"
        );
    }
}
