//! Lowers numbers and strings.

use super::{Lower, Node};
use crate::ast::{Expr, ExprKind};
use crate::diag::{Code, Diagnostic};
use crate::parse::scan;

impl Lower<'_> {
    pub(super) fn number(&mut self, node: &Node<'_>) -> Expr {
        let span = self.node_span(node);
        let text = node.as_str();
        if scan::is_broken_number(text) {
            // The scanner has said so.
            return Expr {
                kind: ExprKind::Invalid,
                span,
            };
        }
        let digits: String = text.chars().filter(|&c| c != '_').collect();
        let (base, rest) = match digits.get(..2) {
            Some("0x" | "0X") => (16, digits.get(2..)),
            Some("0b" | "0B") => (2, digits.get(2..)),
            Some("0o" | "0O") => (8, digits.get(2..)),
            _ => (10, Some(digits.as_str())),
        };
        let rest = rest.unwrap_or_default();
        if base == 10 && rest.contains(['.', 'e', 'E']) {
            return match rest.parse::<f64>() {
                Ok(value) if value.is_finite() => Expr {
                    kind: ExprKind::Float(value),
                    span,
                },
                _ => {
                    self.report(
                        span,
                        Diagnostic::error(Code::E0010, span, "number is too large for `f64`")
                            .help("the greatest is about 1.8e308"),
                    );
                    Expr {
                        kind: ExprKind::Invalid,
                        span,
                    }
                }
            };
        }
        let value = u128::from_str_radix(rest, base).ok();
        if value.is_none() {
            self.report(
                span,
                Diagnostic::error(Code::E0010, span, "number is too large")
                    .label("does not fit in 128 bits")
                    .help("the widest type is `u64`"),
            );
        }
        Expr {
            kind: ExprKind::Int(value),
            span,
        }
    }

    pub(super) fn string(&mut self, node: &Node<'_>) -> Expr {
        let span = self.node_span(node);
        let start = span.start as usize + 1;
        let inner = node.as_str();
        let inner = inner
            .get(1..inner.len().saturating_sub(1))
            .unwrap_or_default();
        let mut value = String::with_capacity(inner.len());
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            if c != '\\' {
                value.push(c);
                continue;
            }
            let escape = inner.get(at + 1..).unwrap_or_default();
            let (length, decoded) = unescape(escape);
            for _ in escape.get(..length).unwrap_or_default().chars() {
                chars.next();
            }
            match decoded {
                Some(c) => value.push(c),
                None => {
                    let shown = escape.get(..length).unwrap_or_default();
                    let place = self.span(start + at, start + at + 1 + length);
                    let backslash = self.span(start + at, start + at + 1);
                    let error = Diagnostic::error(Code::E0008, place, format!("unknown escape `\\{shown}`"))
                        .note("known are `\\n`, `\\r`, `\\t`, `\\0`, `\\\\`, `\\\"`, `\\'`, `\\x41` and `\\u{1f600}`");
                    self.report(
                        place,
                        error.fix("write `\\\\` for a backslash", backslash, "\\\\"),
                    );
                }
            }
        }
        Expr {
            kind: ExprKind::Str(value),
            span,
        }
    }
}

/// The length of the escape that follows a backslash, and its character if it is known.
fn unescape(text: &str) -> (usize, Option<char>) {
    let simple = |c: char| (1, Some(c));
    match text.as_bytes().first() {
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(b'0') => simple('\0'),
        Some(&byte @ (b'\\' | b'"' | b'\'')) => simple(char::from(byte)),
        Some(b'x') => {
            let code = text
                .get(1..3)
                .filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
            match code
                .and_then(|hex| u8::from_str_radix(hex, 16).ok())
                .filter(u8::is_ascii)
            {
                Some(byte) => (3, Some(char::from(byte))),
                None => (1, None),
            }
        }
        Some(b'u') => {
            let Some(close) = text.get(..text.len().min(10)).unwrap_or(text).find('}') else {
                return (1, None);
            };
            let hex = text
                .get(1..close)
                .and_then(|code| code.strip_prefix('{'))
                .unwrap_or_default();
            let valid = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            let c = if valid {
                u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
            } else {
                None
            };
            if c.is_some() {
                (close + 1, c)
            } else {
                (1, None)
            }
        }
        _ => (text.chars().next().map_or(0, char::len_utf8), None),
    }
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes() {
        assert_eq!(unescape("n;"), (1, Some('\n')));
        assert_eq!(unescape("x41;"), (3, Some('A')));
        assert_eq!(unescape("xff"), (1, None));
        assert_eq!(unescape("u{1f600}"), (8, Some('😀')));
        assert_eq!(unescape("u{d800}"), (1, None));
        assert_eq!(unescape("é"), (2, None));
        assert_eq!(unescape(""), (0, None));
    }
}
