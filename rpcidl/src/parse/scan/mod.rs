//! The pass before the grammar: finds comments, refuses broken tokens, and makes the text safe to recurse over.
//!
//! Comments are taken out of what the grammar reads, and so is what is refused here. The ranges of the latter are
//! remembered, because a syntax error that touches one of them would only repeat the first report.

mod compact;
mod docs;
mod guard;
mod layout;
mod number;
mod token;

pub(crate) use compact::Compact;
pub(crate) use docs::{DocComment, lines as doc_lines, plain_comment};
pub(crate) use token::{Token, TokenKind, Tokens};

/// True if the scanner has reported this number.
pub(crate) fn is_broken_number(text: &str) -> bool {
    number::number(text).1.is_some()
}

use crate::ast::Comment;
use crate::diag::{Code, Diagnostic, Findings};
use crate::source::{SourceId, Span};
use guard::Guard;
use number::NumberFault;

/// What the pass leaves to the grammar and to lowering.
pub(crate) struct Scan {
    /// What the grammar reads.
    pub(crate) compact: Compact,
    /// Documentation comments in order.
    pub(crate) docs: Vec<DocComment>,
    /// All other comments in order.
    pub(crate) comments: Vec<Comment>,
    /// What was refused.
    pub(crate) refused: Refused,
}

/// Ranges that were reported and left out, in order.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    ranges: Vec<(usize, usize)>,
}

impl Refused {
    fn add(&mut self, start: usize, end: usize) {
        self.ranges.push((start, end));
    }

    /// Sorts the ranges and joins those that touch.
    fn finish(&mut self, text: &str) {
        // Blanks around a range belong to it, so that its neighbours touch it.
        for (start, end) in &mut self.ranges {
            *start = text
                .get(..*start)
                .map_or(*start, |before| before.trim_end().len());
            *end = text
                .get(*end..)
                .map_or(*end, |after| text.len() - after.trim_start().len());
        }
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, last| {
            let touches = next.0 <= last.1;
            if touches {
                last.1 = last.1.max(next.1);
            }
            touches
        });
    }

    /// True if a refused range touches `start..=end`.
    pub(crate) fn touches(&self, start: usize, end: usize) -> bool {
        // Ranges do not overlap, so their ends are in order as well.
        let first = self.ranges.partition_point(|range| range.1 < start);
        self.ranges.get(first).is_some_and(|range| range.0 <= end)
    }
}

/// Scans a whole text.
pub(crate) fn scan(source: SourceId, text: &str, findings: &mut Findings) -> Scan {
    let mut refused = Refused::default();
    let from = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    hidden_characters(source, text, findings, &mut refused);

    let mut compact = Compact::with_capacity(text.len());
    let mut guard = Guard::new(source);
    let mut docs: Vec<DocComment> = Vec::new();
    let mut comments = Vec::new();
    // Documentation that still waits for the token after it.
    let mut waiting = 0;
    let mut previous: Option<Token> = None;
    // True if a line has ended since the last token that was kept.
    let mut new_line = false;
    for token in Tokens::new(text, from) {
        let slice = text.get(token.start..token.end).unwrap_or_default();
        new_line |= token.first_on_line;
        let mut kept = slice;
        match token.kind {
            TokenKind::LineComment | TokenKind::BlockComment(true) => {
                match docs::kind(slice) {
                    Some(inner) => docs.push(DocComment {
                        start: token.start,
                        end: token.end,
                        inner,
                        before: text.len(),
                        trailing: token.kind == TokenKind::LineComment
                            && follows(&token, previous.as_ref()),
                    }),
                    None => comments.push(Comment {
                        text: slice.trim_end().to_owned(),
                        span: Span::new(source, token.start, token.end),
                    }),
                }
                continue;
            }
            TokenKind::BlockComment(false) => {
                findings.push(
                    Diagnostic::error(
                        Code::E0006,
                        Span::new(source, token.start, token.start + 2),
                        "comment is never closed",
                    )
                    .label("begins here")
                    .help("write `*/` where it ends"),
                );
                refused.add(token.start, token.end);
                guard.give_up();
                continue;
            }
            TokenKind::Control => continue,
            TokenKind::Unknown => {
                if !slice.starts_with(is_hidden) {
                    findings.push(unknown(source, &token, slice));
                }
                refused.add(token.start, token.end);
                kept = "";
            }
            TokenKind::Text(false) => {
                findings.push(
                    Diagnostic::error(
                        Code::E0007,
                        Span::new(source, token.start, token.end),
                        "string is never closed",
                    )
                    .label("the line ends before the string does")
                    .help(
                        "write `\"` where it ends; a line break inside a string is written `\\n`",
                    ),
                );
                // What probably ends the statement is left to the grammar.
                let broken = slice
                    .trim_end_matches([';', ',', ')', '}', ' ', '\t'])
                    .len()
                    .max(1);
                refused.add(token.start, token.start + broken);
                kept = slice.get(broken..).unwrap_or_default();
            }
            TokenKind::Number(Some(fault)) => {
                findings.push(bad_number(source, &token, slice, fault));
            }
            _ => {}
        }
        for doc in docs.iter_mut().skip(waiting) {
            doc.before = token.start;
        }
        waiting = docs.len();
        if guard.feed(&token, text, findings, &mut refused) && !kept.is_empty() {
            compact.push(kept, token.end - kept.len(), new_line);
            new_line = false;
        }
        previous = Some(token);
    }
    if guard.finish(text.len(), &mut refused) {
        for place in layout::missing_braces(source, text, from, guard.open_braces(), findings)
            .into_iter()
            .rev()
        {
            compact.close_brace(place);
        }
    }
    refused.finish(text);
    Scan {
        compact,
        docs,
        comments,
        refused,
    }
}

/// True if a comment stands behind something that it is likely to be about.
fn follows(comment: &Token, previous: Option<&Token>) -> bool {
    !comment.first_on_line
        && previous.is_some_and(|token| !matches!(token.kind, TokenKind::Punct(b'{' | b'(')))
}

/// True for characters that a reader cannot see, or that show text in another order than it is read.
fn is_hidden(c: char) -> bool {
    (c.is_ascii_control() && !matches!(c, '\n' | '\t' | '\r'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Reports hidden characters wherever they are, also in comments and strings.
fn hidden_characters(source: SourceId, text: &str, findings: &mut Findings, refused: &mut Refused) {
    let suspicious = |byte: u8| {
        (byte < 0x20 && !matches!(byte, b'\n' | b'\t' | b'\r')) || byte == 0x7f || byte == 0xe2
    };
    if !text.bytes().any(suspicious) {
        return;
    }
    let mut after = None;
    for (start, c) in text.char_indices().filter(|&(_, c)| is_hidden(c)) {
        let end = start + c.len_utf8();
        // One report for a run of them.
        if after != Some(start) {
            let what = if c == '\0' {
                "NUL character".to_owned()
            } else {
                format!("control character U+{:04X}", u32::from(c))
            };
            findings.push(
                Diagnostic::error(
                    Code::E0004,
                    Span::new(source, start, end),
                    format!("{what} in the text"),
                )
                .help("remove it; only blanks, tabs and line breaks may separate words"),
            );
        }
        refused.add(start, end);
        after = Some(end);
    }
}

fn unknown(source: SourceId, token: &Token, slice: &str) -> Diagnostic {
    let span = Span::new(source, token.start, token.end);
    let first = slice.chars().next().unwrap_or(' ');
    match first {
        '#' if slice.starts_with("#[") => Diagnostic::error(Code::E0005, span, "there are no attributes")
            .label("`#` has no meaning")
            .help("remove it; what can be said of a declaration are annotations, such as `@Derive(Eq)`"),
        '#' => Diagnostic::error(Code::E0005, span, "there is no preprocessor")
            .label("lines that begin with `#` have no meaning")
            .help("write `import a.b.Name;` for `#include`, `const` for `#define`, and comments with `//`"),
        '\'' if slice.len() > 2 => {
            let value = slice.trim_matches('\'');
            let error = |message: &str| {
                Diagnostic::error(Code::E0005, span, message).label("single quotes have no meaning")
            };
            if value.chars().nth(1).is_some() && !value.contains(['\\', '"']) {
                let text = format!("\"{value}\"");
                return error("strings are written in double quotes")
                    .fix(format!("write `{text}`"), span, text);
            }
            let error = error("there are no character literals");
            // Only the author knows whether a number or a text is meant.
            match value.chars().next() {
                Some(c) if value.len() == 1 && c.is_ascii_graphic() && !matches!(c, '"' | '\\') => {
                    let number = u32::from(c);
                    error.help(format!("write `{number}` for the number of the character, or `\"{c}\"` for a string"))
                }
                _ => error.help("write the number of the character, or a string in double quotes"),
            }
        }
        '“' | '”' | '„' | '\'' => Diagnostic::error(Code::E0005, span, format!("unexpected character `{first}`"))
            .help("strings are written in plain double quotes `\"`"),
        c if c.is_alphabetic() => Diagnostic::error(Code::E0005, span, format!("unexpected character `{c}`"))
            .label("not an ASCII letter")
            .help("names consist of ASCII letters, digits and `_`"),
        c => Diagnostic::error(Code::E0005, span, format!("unexpected character `{}`", c.escape_debug()))
            .help("remove it"),
    }
}

fn bad_number(source: SourceId, token: &Token, slice: &str, fault: NumberFault) -> Diagnostic {
    let span = Span::new(source, token.start, token.end);
    let error = |message: String| Diagnostic::error(Code::E0009, span, message);
    match fault {
        NumberFault::NoDigits => error(format!("number `{slice}` has no digits"))
            .help("write at least one digit after the prefix"),
        NumberFault::BadDigit(byte) => {
            let (base, digits) = match slice.as_bytes().get(1) {
                Some(b'b' | b'B') => ("a binary", "0 and 1"),
                Some(b'o' | b'O') => ("an octal", "0 to 7"),
                _ => ("a hexadecimal", "0 to 9 and a to f"),
            };
            let error = error(format!("`{}` is not {base} digit", char::from(byte)));
            if byte.is_ascii_digit() {
                error.help(format!("its digits are {digits}"))
            } else {
                error.help(format!(
                    "its digits are {digits}, and there is no suffix; the declared type gives the width"
                ))
            }
        }
        NumberFault::Suffix => {
            let digits = slice.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let message = error(format!("number `{slice}` ends in letters"));
            let help = "numbers have no suffix, and names do not begin with a digit";
            match slice.get(digits.len()..) {
                Some("u" | "U" | "l" | "L" | "ul" | "UL" | "ll" | "LL" | "ull" | "ULL")
                    if plain =>
                {
                    message.fix(
                        "numbers have no suffix; the declared type gives the width",
                        span,
                        digits,
                    )
                }
                Some(unit @ ("us" | "ms" | "s")) if plain => message.help(format!(
                    "numbers have no suffix; in `@Deadline` write `{unit} = {digits}`"
                )),
                _ => message.help(help),
            }
        }
        NumberFault::Underscore => error(format!("misplaced `_` in number `{slice}`"))
            .help("write `_` only between two digits"),
        NumberFault::LeadingZero => {
            let plain = slice.trim_start_matches(['0', '_']);
            let message = error(format!("number `{slice}` begins with a zero"))
                .note("C reads such a number as octal, other languages as decimal");
            if slice.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
                message.help(format!(
                    "write `{plain}` for the decimal number or `0o{plain}` for the octal one"
                ))
            } else {
                message.fix(format!("write `{plain}`"), span, plain)
            }
        }
    }
}
