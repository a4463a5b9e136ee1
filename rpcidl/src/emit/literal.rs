//! Values as Rust literals.

use std::fmt::{self, Display, Write as _};

/// A string literal with its quotes.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        escape(f, self.0)?;
        f.write_char('"')
    }
}

/// A string literal, each line of the text on a line of the source.
pub(super) struct QuotedLines<'a> {
    /// The text.
    pub(super) text: &'a str,
    /// What each line of the source begins with.
    pub(super) indent: &'a str,
}

impl Display for QuotedLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A backslash at the end of a source line skips the white space that the next one begins with.
        f.write_str("\"\\")?;
        for line in self.text.split_inclusive('\n') {
            f.write_str("\n")?;
            f.write_str(self.indent)?;
            let rest = line.strip_prefix(' ');
            if rest.is_some() {
                f.write_str("\\x20")?;
            }
            escape(f, rest.unwrap_or(line))?;
            f.write_char('\\')?;
        }
        write!(f, "\n{}\"", self.indent)
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let special = |char: char| matches!(char, '"' | '\\') || char.is_control() || reorders(char);
    let mut rest = text;
    while let Some((at, char)) = rest.char_indices().find(|(_, char)| special(*char)) {
        let (plain, from) = rest.split_at(at);
        f.write_str(plain)?;
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\0' => f.write_str("\\0")?,
            _ => write!(f, "\\u{{{:x}}}", u32::from(char))?,
        }
        rest = from.get(char.len_utf8()..).unwrap_or_default();
    }
    f.write_str(rest)
}

/// True for the characters that change the order in which text is shown; rustc refuses them in literals and comments.
pub(super) fn reorders(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A number with underscores between groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

/// A float literal of a type, `f32` or `f64`.
pub(super) fn float(value: f64, ty: &str) -> String {
    let constant = if value.is_nan() {
        "NAN"
    } else if value == f64::INFINITY {
        "INFINITY"
    } else if value == f64::NEG_INFINITY {
        "NEG_INFINITY"
    } else if ty == "f32" {
        return format!("{:?}", value as f32);
    } else {
        return format!("{value:?}");
    };
    format!("::core::{ty}::{constant}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            Quoted("a\"b\\c\n\u{7}\u{202e}é'").to_string(),
            r#""a\"b\\c\n\u{7}\u{202e}é'""#
        );
        let lines = QuotedLines {
            text: "a\n  b\nc",
            indent: "    ",
        }
        .to_string();
        assert_eq!(lines, "\"\\\n    a\\n\\\n    \\x20 b\\n\\\n    c\\\n    \"");
    }

    #[test]
    fn numbers() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(50_000), "50_000");
        assert_eq!(grouped(1_234_567), "1_234_567");
        assert_eq!(float(1.0, "f64"), "1.0");
        assert_eq!(float(0.1, "f32"), "0.1");
        assert_eq!(float(f64::INFINITY, "f32"), "::core::f32::INFINITY");
    }
}
