//! An error that a build script shows well.

use std::fmt;
use std::io;

/// Why a build failed: diagnostics as `rpcgen` shows them, or a sentence that says what to do.
///
/// The text may have several lines, and `Debug` does not escape them, for that is what `unwrap` and a `main` that returns the error print. A
/// `main` with an [`io::Result`] takes it by `?`, too.
pub struct Error(String);

impl Error {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Below the word that whoever prints it puts in front.
        write!(f, "\n\n{self}\n")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_end())
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
