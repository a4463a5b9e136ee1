//! Findings about files whose text never reaches the parser. The caller reads them, so it reports them.

use crate::diag::{Code, Diagnostic};
use crate::source::{SourceId, Span};

/// `name` could not be read, for `reason`.
pub fn unreadable(name: &str, reason: &str) -> Diagnostic {
    Diagnostic::global(Code::E0001, format!("cannot read `{name}`: {reason}"))
        .help("check the path and its permissions")
}

/// `name` has a byte at `offset` that is no UTF-8.
pub fn not_utf8(name: &str, offset: usize) -> Diagnostic {
    Diagnostic::global(
        Code::E0002,
        format!("`{name}` is not UTF-8: the byte at offset {offset} belongs to no character"),
    )
    .help("save the file as UTF-8")
}

/// A file that holds no declaration.
pub fn nothing_declared(source: SourceId, name: &str) -> Diagnostic {
    Diagnostic::error(
        Code::E0003,
        Span::new(source, 0, 0),
        format!("`{name}` declares nothing"),
    )
    .help("declare at least one type, constant or interface")
}
