//! A loader over the disk, the only part of the compiler that touches it.

use std::io::ErrorKind;

use crate::limits;
use crate::load::{LoadError, Loader, normalize};

/// Reads imported files from the disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct FsLoader;

impl Loader for FsLoader {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        let failed = |error: std::io::Error| match error.kind() {
            // A file in the place of a folder means that the path leads nowhere.
            ErrorKind::NotFound | ErrorKind::NotADirectory => LoadError::NotFound,
            _ => LoadError::Other(error.to_string()),
        };
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            // A folder of that name is no package, and another path may still lead to one.
            return Err(LoadError::NotFound);
        }
        if metadata.len() > limits::SOURCE_BYTES as u64 {
            let message = format!(
                "it has {} bytes, more than the {} of a source",
                metadata.len(),
                limits::SOURCE_BYTES
            );
            return Err(LoadError::Other(message));
        }
        std::fs::read(path).map_err(failed)
    }

    fn identity(&self, path: &str) -> String {
        // Links are followed, so one file under two names is one file.
        match std::fs::canonicalize(path) {
            Ok(full) => full.to_string_lossy().into_owned(),
            Err(_) => normalize(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_missing_from_what_cannot_be_read() {
        let folder = std::env::temp_dir().join(format!("rpcidl-fs-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        std::fs::write(folder.join("a.idl"), "package a;").unwrap();
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        assert_eq!(FsLoader.load(&path("a.idl")), Ok(b"package a;".to_vec()));
        for missing in ["b.idl", "sub", "a.idl/b.idl"] {
            assert_eq!(
                FsLoader.load(&path(missing)),
                Err(LoadError::NotFound),
                "{missing}"
            );
        }
        assert_eq!(
            FsLoader.identity(&path("sub/../a.idl")),
            FsLoader.identity(&path("./a.idl"))
        );
        assert_ne!(
            FsLoader.identity(&path("a.idl")),
            FsLoader.identity(&path("b.idl"))
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
