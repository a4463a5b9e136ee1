//! Splits a text into tokens, just well enough to find comments, brackets and broken literals.

use super::number::{self, NumberFault};

/// A token or a comment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
    /// True if only blanks stand before it on its line.
    pub(crate) first_on_line: bool,
}

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A name or a keyword.
    Word,
    /// A number, with what is wrong with it.
    Number(Option<NumberFault>),
    /// A string in double quotes; false if the line ends before it does.
    Text(bool),
    /// One of the operators of expressions. `<` and `>` are `Punct`, because they are also brackets.
    Operator,
    /// Any other sign of the language.
    Punct(u8),
    /// `// …`
    LineComment,
    /// `/* … */`; false if it is never closed.
    BlockComment(bool),
    /// A control character.
    Control,
    /// Something that the language has no use for.
    Unknown,
}

/// Walks over a text.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'t> {
    text: &'t str,
    at: usize,
    first_on_line: bool,
}

impl<'t> Tokens<'t> {
    /// Tokens of `text` from byte `at` on.
    pub(crate) fn new(text: &'t str, at: usize) -> Self {
        Self {
            text,
            at,
            first_on_line: true,
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    /// One past the last byte from `at` on for which `test` holds.
    fn run(&self, at: usize, test: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        at + rest
            .iter()
            .position(|&byte| !test(byte))
            .unwrap_or(rest.len())
    }

    /// One past the last byte of the character at `at`.
    fn character_end(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.chars().next().map_or(1, char::len_utf8)
    }

    fn line_end(&self, at: usize) -> usize {
        let end = self.run(at, |byte| byte != b'\n');
        if end > at && self.byte(end - 1) == b'\r' {
            end - 1
        } else {
            end
        }
    }

    fn text_literal(&self, start: usize) -> (TokenKind, usize) {
        let mut at = start + 1;
        loop {
            at = self.run(at, |byte| !matches!(byte, b'"' | b'\\' | b'\n'));
            match self.byte(at) {
                b'"' => return (TokenKind::Text(true), at + 1),
                b'\\' if at + 1 < self.text.len() && self.byte(at + 1) != b'\n' => {
                    at = self.character_end(at + 1);
                }
                _ => return (TokenKind::Text(false), self.line_end(start)),
            }
        }
    }

    fn slash(&self, start: usize) -> (TokenKind, usize) {
        match self.byte(start + 1) {
            b'/' => (TokenKind::LineComment, self.line_end(start)),
            b'*' => match self.text.get(start + 2..).and_then(|rest| rest.find("*/")) {
                Some(length) => (TokenKind::BlockComment(true), start + 2 + length + 2),
                None => (TokenKind::BlockComment(false), self.text.len()),
            },
            _ => (TokenKind::Operator, start + 1),
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            match self.byte(self.at) {
                b'\n' => self.first_on_line = true,
                b' ' | b'\t' | b'\r' => {}
                _ => break,
            }
            self.at += 1;
        }
        if self.at >= self.text.len() {
            return None;
        }
        let start = self.at;
        let byte = self.byte(start);
        let next = self.byte(start + 1);
        let (kind, end) = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => (TokenKind::Word, self.run(start, is_word)),
            b'0'..=b'9' => {
                let (length, fault) = number::number(self.text.get(start..).unwrap_or_default());
                (TokenKind::Number(fault), start + length)
            }
            b'"' => self.text_literal(start),
            b'/' => self.slash(start),
            b'<' | b'&' | b'|' if next == byte => (TokenKind::Operator, start + 2),
            b'<' | b'>' | b'=' | b'!' if next == b'=' => (TokenKind::Operator, start + 2),
            b'+' | b'-' | b'*' | b'%' | b'&' | b'|' | b'^' | b'~' | b'!' => {
                (TokenKind::Operator, start + 1)
            }
            b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b';' | b',' | b':' | b'='
            | b'.' | b'@' | b'?' => (TokenKind::Punct(byte), start + 1),
            0..=0x1f | 0x7f => (TokenKind::Control, self.run(start, is_control)),
            b'\'' => (TokenKind::Unknown, self.quoted(start)),
            b'#' => (TokenKind::Unknown, self.directive(start)),
            0x80.. => {
                let end = self.run(start, |byte| byte >= 0x80);
                (TokenKind::Unknown, end)
            }
            _ => (TokenKind::Unknown, start + 1),
        };
        // Every arm above takes at least one byte; a text that ends inside a token must not stop the walk.
        let end = end.max(start + 1).min(self.text.len());
        self.at = end;
        let first_on_line = std::mem::replace(&mut self.first_on_line, false);
        Some(Token {
            kind,
            start,
            end,
            first_on_line,
        })
    }
}

impl Tokens<'_> {
    /// The end of `#[…]`, so that what follows it on its line is read, or of the line.
    fn directive(&self, start: usize) -> usize {
        let end = self.line_end(start);
        if self.byte(start + 1) != b'[' {
            return end;
        }
        let (mut depth, mut at) = (0_usize, start + 1);
        while at < end {
            match self.byte(at) {
                b'[' => depth += 1,
                b']' if depth == 1 => return at + 1,
                b']' => depth -= 1,
                // A string may hold brackets.
                b'"' => at = self.text_literal(at).1 - 1,
                _ => {}
            }
            at += 1;
        }
        end
    }

    /// The end of `'x'` or `'text'`, or of the quote alone.
    fn quoted(&self, start: usize) -> usize {
        let inner = if self.byte(start + 1) == b'\\' {
            start + 2
        } else {
            start + 1
        };
        let end = self.character_end(inner);
        if self.byte(inner) != b'\n' && self.byte(end) == b'\'' {
            return end + 1;
        }
        let end = self.run(start + 1, |byte| !matches!(byte, b'\'' | b'\n'));
        if self.byte(end) == b'\'' {
            end + 1
        } else {
            start + 1
        }
    }
}

/// True inside a name or a number.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// True for control characters that are not blanks.
fn is_control(byte: u8) -> bool {
    (byte < 0x20 && !matches!(byte, b'\n' | b'\t' | b'\r')) || byte == 0x7f
}
