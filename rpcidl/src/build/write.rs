//! Writes generated files so that nobody ever sees half of one.
//!
//! Every file is first written whole to a temporary file in the folder of its destination and then renamed. A file that
//! already holds the bytes is left alone, modification time included, so that nothing is built again for it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::FilePlan;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It held the bytes already.
    Unchanged,
    /// It was created or replaced.
    Replaced,
}

/// What a file on the disk is, beside what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// The same bytes.
    Same,
    /// It is not there.
    Missing,
    /// Other bytes.
    Differs,
    /// The same text, but with other line endings.
    LineEndings,
}

/// A path with what the system says about it.
#[derive(Debug)]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// What went wrong.
    pub source: io::Error,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write `{}`: {}", self.path.display(), self.source)
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Writes all files, or none: each is staged next to its destination before the first destination changes.
///
/// Folders that are missing are created. Links are followed, and what is no regular file, such as a pipe, is written to
/// as it is.
///
/// # Errors
/// The first file or folder that cannot be written. Every destination then still holds what it held before, unless
/// the system refuses a rename after all files were written.
pub fn write_all(files: &[FilePlan]) -> Result<Vec<Written>, WriteError> {
    let mut staged = Vec::with_capacity(files.len());
    for file in files {
        let failed = |source| WriteError {
            path: file.path.clone(),
            source,
        };
        staged.push(stage(&file.path, file.text.as_bytes()).map_err(failed)?);
    }
    let mut written = Vec::with_capacity(files.len());
    for (file, staged) in files.iter().zip(staged) {
        let failed = |source| WriteError {
            path: file.path.clone(),
            source,
        };
        written.push(staged.commit().map_err(failed)?);
    }
    Ok(written)
}

/// What the file at `path` is, beside `text`.
///
/// # Errors
/// The file is there but cannot be read.
pub fn compare(path: &Path, text: &str) -> io::Result<FileState> {
    let found = match fs::read(path) {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(FileState::Missing),
        Err(error) => return Err(error),
    };
    if found == text.as_bytes() {
        return Ok(FileState::Same);
    }
    if without_returns(&found).eq(without_returns(text.as_bytes())) {
        return Ok(FileState::LineEndings);
    }
    Ok(FileState::Differs)
}

/// The bytes with every `\r\n` as `\n`.
fn without_returns(bytes: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let followers = bytes.iter().copied().skip(1).map(Some).chain([None]);
    let pairs = bytes.iter().copied().zip(followers);
    pairs
        .filter(|pair| *pair != (b'\r', Some(b'\n')))
        .map(|(byte, _)| byte)
}

/// True if the path leads nowhere; a file in the place of a folder means just that.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// A file that is ready to take its place.
enum Staged<'a> {
    /// The destination holds the bytes already.
    Unchanged,
    /// The destination is no regular file, so it cannot be replaced by one.
    Direct { path: PathBuf, bytes: &'a [u8] },
    /// The bytes lie in a temporary file.
    Temporary {
        file: Temporary,
        destination: PathBuf,
    },
}

impl Staged<'_> {
    fn commit(self) -> io::Result<Written> {
        match self {
            Staged::Unchanged => return Ok(Written::Unchanged),
            Staged::Direct { path, bytes } => {
                let mut file = OpenOptions::new().write(true).open(path)?;
                file.write_all(bytes)?;
                file.flush()?;
            }
            Staged::Temporary {
                mut file,
                destination,
            } => {
                fs::rename(&file.path, destination)?;
                file.done = true;
            }
        }
        Ok(Written::Replaced)
    }
}

fn stage<'a>(path: &Path, bytes: &'a [u8]) -> io::Result<Staged<'a>> {
    // A rename would replace a link, not what it leads to.
    let destination = match fs::canonicalize(path) {
        Ok(destination) => destination,
        Err(error) if is_absent(&error) => path.to_owned(),
        Err(error) => return Err(error),
    };
    let existing = match fs::metadata(&destination) {
        Ok(existing) => Some(existing),
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(error),
    };
    if let Some(existing) = &existing {
        if existing.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder",
            ));
        }
        if !existing.is_file() {
            return Ok(Staged::Direct {
                path: destination,
                bytes,
            });
        }
        if existing.len() == bytes.len() as u64
            && fs::read(&destination).is_ok_and(|found| found == bytes)
        {
            return Ok(Staged::Unchanged);
        }
        if existing.permissions().readonly() {
            // A rename does not ask for leave to write the file, but whoever took that leave away meant it.
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the file is read-only",
            ));
        }
        // Nor does a rename ask whether this user may write the file, which would become the user's own.
        OpenOptions::new().write(true).open(&destination)?;
    } else if let Some(folder) = folder_of(&destination) {
        create_folder(folder)?;
    }
    let mut file = Temporary::create(&destination)?;
    file.fill(bytes)?;
    if let Some(existing) = &existing {
        fs::set_permissions(&file.path, existing.permissions())?;
    }
    Ok(Staged::Temporary { file, destination })
}

/// Creates a folder with those that it lies in. What the system says when it cannot does not say where it failed.
fn create_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder).map_err(|error| {
        let there = folder.ancestors().find(|path| path.exists());
        match there.filter(|path| !path.is_dir()) {
            Some(file) => {
                let message = format!("`{}` is a file, not a folder", file.display());
                io::Error::new(io::ErrorKind::NotADirectory, message)
            }
            None => {
                let message = format!(
                    "the folder `{}` cannot be created: {error}",
                    folder.display()
                );
                io::Error::new(error.kind(), message)
            }
        }
    })
}

/// The folder that a path names a file in, unless that is the current one.
fn folder_of(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

/// A file that is removed again unless it was renamed.
struct Temporary {
    path: PathBuf,
    handle: Option<File>,
    done: bool,
}

impl Temporary {
    /// A new file in the folder of `destination`, so that a rename need not cross file systems.
    fn create(destination: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let stem = destination
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!(".{stem}.{}-{count}.tmp", std::process::id());
            let path = destination.with_file_name(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(handle) => {
                    return Ok(Self {
                        path,
                        handle: Some(handle),
                        done: false,
                    });
                }
                // Left behind by a process that was killed and had the same id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(mut handle) = self.handle.take() else {
            return Ok(());
        };
        handle.write_all(bytes)?;
        handle.flush()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.done {
            // Nothing better can be done about a temporary file that refuses to go.
            let _ = fs::remove_file(&self.path);
        }
    }
}
