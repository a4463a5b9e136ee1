//! What goes wrong when work is posted to a queue.

use core::ffi::c_int;
use core::fmt;
use std::io;

use super::error::number;

/// A queue did not take all of a list. The requests before `bad` are posted, it and what follows are not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PostError<W> {
    /// The error number: `ENOMEM` for a queue that is full.
    pub errno: i32,
    /// The first request that was not taken.
    pub bad: *mut W,
}

/// What a function that posts has returned, where nobody asks which requests were not taken.
#[inline(always)]
pub(super) fn taken(code: c_int) -> Result<(), i32> {
    if code == 0 { Ok(()) } else { Err(number(code)) }
}

/// What a function that posts has returned.
#[inline(always)]
pub(super) fn posted<W>(code: c_int, bad: *mut W) -> Result<(), PostError<W>> {
    if code == 0 {
        Ok(())
    } else {
        Err(PostError {
            errno: number(code),
            bad,
        })
    }
}

impl<W> fmt::Display for PostError<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = io::Error::from_raw_os_error(self.errno);
        write!(f, "the queue did not take the work: {error}")
    }
}

impl<W: fmt::Debug> std::error::Error for PostError<W> {}

impl<W> From<PostError<W>> for io::Error {
    fn from(error: PostError<W>) -> Self {
        Self::from_raw_os_error(error.errno)
    }
}
