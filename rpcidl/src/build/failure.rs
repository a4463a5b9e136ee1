//! A failure that a build script shows well.

use std::fmt;
use std::io;

/// Text of several lines. `Debug` is what `unwrap` and a `main` that returns an error print, so it must not escape them.
struct Failure(String);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n\n{}\n", self.0.trim_end())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_end())
    }
}

impl std::error::Error for Failure {}

/// An error with a text that may have several lines.
pub(super) fn failure(kind: io::ErrorKind, text: impl Into<String>) -> io::Error {
    io::Error::new(kind, Failure(text.into()))
}
