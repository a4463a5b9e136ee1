//! The shape of numbers.

use super::token::is_word;

/// What is wrong with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberFault {
    /// Nothing after `0x`, `0b` or `0o`.
    NoDigits,
    /// A digit that the base does not have.
    BadDigit(u8),
    /// Letters after the number.
    Suffix,
    /// `_` where no digit stands beside it.
    Underscore,
    /// `010`, which C reads as 8.
    LeadingZero,
}

/// The length of the number that `text` begins with, and what is wrong with it.
///
/// It takes exactly what the grammar's rule `number` takes.
pub(crate) fn number(text: &str) -> (usize, Option<NumberFault>) {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let run = |at: usize, test: fn(u8) -> bool| {
        let rest = bytes.get(at..).unwrap_or_default();
        at + rest
            .iter()
            .position(|&byte| !test(byte))
            .unwrap_or(rest.len())
    };
    if byte(0) == b'0' {
        let base = match byte(1) {
            b'x' | b'X' => 16,
            b'b' | b'B' => 2,
            b'o' | b'O' => 8,
            _ => 0,
        };
        if base != 0 {
            let end = run(2, is_word);
            return (
                end,
                radix_fault(bytes.get(2..end).unwrap_or_default(), base),
            );
        }
    }
    let whole = run(0, is_digit);
    let mut end = whole;
    let mut float = false;
    if byte(end) == b'.' && byte(end + 1).is_ascii_digit() {
        end = run(end + 1, is_digit);
        float = true;
    }
    if matches!(byte(end), b'e' | b'E') {
        let sign = usize::from(matches!(byte(end + 1), b'+' | b'-'));
        if byte(end + 1 + sign).is_ascii_digit() {
            end = run(end + 1 + sign, is_digit);
            float = true;
        }
    }
    let all = run(end, is_word);
    let fault = if all > end {
        Some(NumberFault::Suffix)
    } else if text.get(..end).is_some_and(underscore_fault) {
        Some(NumberFault::Underscore)
    } else if !float
        && whole > 1
        && byte(0) == b'0'
        && bytes.iter().take(whole).any(|&b| matches!(b, b'1'..=b'9'))
    {
        Some(NumberFault::LeadingZero)
    } else {
        None
    };
    (all, fault)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

fn underscore_fault(text: &str) -> bool {
    text.ends_with('_') || text.contains("_.") || text.contains("_e") || text.contains("_E")
}

fn radix_fault(digits: &[u8], base: u32) -> Option<NumberFault> {
    if let Some(&bad) = digits
        .iter()
        .find(|&&byte| byte != b'_' && !char::from(byte).is_digit(base))
    {
        return Some(NumberFault::BadDigit(bad));
    }
    if !digits.iter().any(u8::is_ascii_hexdigit) {
        return Some(NumberFault::NoDigits);
    }
    if digits.last() == Some(&b'_') {
        Some(NumberFault::Underscore)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{NumberFault, number};

    #[test]
    fn lengths_and_faults() {
        let cases = [
            ("7", 1, None),
            ("1_000;", 5, None),
            ("8..15", 1, None),
            ("1.5e-3 ", 6, None),
            ("1e9", 3, None),
            ("0xFFe+1", 5, None),
            ("0x", 2, Some(NumberFault::NoDigits)),
            ("0b12", 4, Some(NumberFault::BadDigit(b'2'))),
            ("0o_", 3, Some(NumberFault::NoDigits)),
            ("12u32", 5, Some(NumberFault::Suffix)),
            ("1e", 2, Some(NumberFault::Suffix)),
            ("1_", 2, Some(NumberFault::Underscore)),
            ("010", 3, Some(NumberFault::LeadingZero)),
            ("00", 2, None),
            ("0.5", 3, None),
        ];
        for (text, length, fault) in cases {
            assert_eq!(number(text), (length, fault), "{text}");
        }
    }
}
