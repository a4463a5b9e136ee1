//! What the functions of libibverbs return when they fail.

use core::ffi::{CStr, c_char, c_int};
use std::io;

/// The error that a function has left in `errno`.
pub(super) fn last() -> io::Error {
    match io::Error::last_os_error() {
        // A driver that fails without a reason has failed all the same.
        error if error.raw_os_error() == Some(0) => io::Error::from_raw_os_error(libc::EIO),
        error => error,
    }
}

/// The error number in what a function has returned: most return it, some drivers return it negated, and others -1 with `errno` set.
#[cold]
pub(super) fn number(code: c_int) -> i32 {
    match code {
        -1 => last().raw_os_error().unwrap_or(libc::EIO),
        code => code.checked_abs().unwrap_or(libc::EIO),
    }
}

/// The result of a function that returns zero or an error number.
pub(super) fn check(code: c_int) -> io::Result<()> {
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(number(code)))
    }
}

/// Looks at what destroying an object has returned, when its handle is gone and nobody can be told. The kernel refuses it only while
/// another object uses the one destroyed, which the handles prevent; and it answers EIO once the device itself has gone, which is nobody's
/// mistake here.
pub(super) fn destroyed(what: &str, code: c_int) {
    debug_assert!(
        code == 0 || number(code) == libc::EIO || std::thread::panicking(),
        "{what} was not destroyed: {}",
        io::Error::from_raw_os_error(number(code))
    );
}

/// A text of the library's, as it returns them for numbers and devices.
///
/// # Safety
/// `text` is null or a C string that stays as it is during the call.
pub(super) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: it is not null, and the caller has promised the rest.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{check, number};

    #[test]
    fn every_way_to_return_an_error_gives_its_number() {
        assert!(check(0).is_ok());
        assert_eq!(number(libc::ENOMEM), libc::ENOMEM);
        assert_eq!(number(-libc::ENOMEM), libc::ENOMEM);
        // The smallest number has no positive counterpart.
        assert_eq!(number(i32::MIN), libc::EIO);
        // SAFETY: no descriptor has this number, so nothing is closed.
        let code = unsafe { libc::close(-1) };
        assert_eq!(number(code), libc::EBADF, "what errno says");
        assert_eq!(
            check(libc::ENODEV)
                .expect_err("a number is an error")
                .raw_os_error(),
            Some(libc::ENODEV)
        );
    }
}
