//! Reads the files that are asked for.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::diag::Diagnostic;
use crate::limits;
use crate::load::Input;
use crate::parse;

/// Reads a file that is asked for. Its name in diagnostics is the path as it was given.
///
/// # Errors
/// E0001 if it is not there, is a folder, or cannot be read; E0409 if it is over the size limit.
pub fn read_input(path: &Path) -> Result<Input, Box<Diagnostic>> {
    let name = path.to_string_lossy().into_owned();
    let refused = |reason: &str| Box::new(parse::unreadable(&name, reason));
    let metadata = fs::metadata(path).map_err(|error| refused(&reason(&error)))?;
    if metadata.is_dir() {
        return Err(Box::new(
            parse::unreadable(&name, "it is a folder").help("name the files in it"),
        ));
    }
    if metadata.len() > limits::SOURCE_BYTES as u64 {
        // The loader would refuse it as well, but only after reading it whole.
        let size = format!(
            "it has {} bytes, more than the {} of a source",
            metadata.len(),
            limits::SOURCE_BYTES
        );
        return Err(Box::new(
            parse::unreadable(&name, &size).help("split it into files, one a package"),
        ));
    }
    let mut bytes = Vec::new();
    // A device may have no end, and no size either. One byte over the limit is enough for the compiler to refuse the text.
    let limit = limits::SOURCE_BYTES as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| refused(&reason(&error)))?;
    Ok(Input::new(name, bytes))
}

/// A folder to look for imports in, as the compiler takes it.
///
/// # Errors
/// E0001 if there is no such folder.
pub fn include_dir(path: &Path) -> Result<String, Box<Diagnostic>> {
    let name = path.to_string_lossy().into_owned();
    let refused = |reason: &str| Box::new(parse::unreadable(&name, reason));
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(name),
        Ok(_) => Err(refused(
            "it is no folder, and imports are looked for in folders",
        )),
        Err(error) => Err(refused(&reason(&error))),
    }
}

/// The text of the `Cargo.toml` of the package that cargo builds, for [`Options::manifest`](crate::emit::Options). `None`
/// where it is not cargo that builds, or the text cannot be read.
pub fn manifest(env: &dyn Fn(&str) -> Option<OsString>) -> Option<String> {
    // The folder alone would not do: the package of a script has its manifest in the script.
    fs::read_to_string(env("CARGO_MANIFEST_PATH")?).ok()
}

/// The words of the system, without its numbers.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotADirectory => "a part of the path is no folder".to_owned(),
        _ => error.to_string(),
    }
}
