//! What cargo must watch, so that the build script runs again exactly when its output may change.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Every path to watch: the files that were read, and the folders in which a file could appear that the compiler looked
/// for in vain.
///
/// Cargo runs a script always if a watched path is missing, so a missing file is watched by the closest folder that is
/// there. Cargo watches a folder with everything below it: one that holds the package itself, and with it `target`, or
/// one that holds the generated files would run the script on every build, and is left out.
pub(super) fn watched(
    loaded: &[String],
    searched: &[String],
    package: &Path,
    written: &Path,
) -> BTreeSet<PathBuf> {
    let mut paths: BTreeSet<PathBuf> = loaded.iter().map(PathBuf::from).collect();
    let kept_out = [clean(package, package), clean(package, written)];
    for path in searched {
        let existing = Path::new(path)
            .ancestors()
            .skip(1)
            .find(|folder| package.join(folder).is_dir());
        let Some(folder) = existing else { continue };
        let full = clean(package, folder);
        if kept_out.iter().all(|inner| !inner.starts_with(&full)) {
            paths.insert(folder.to_owned());
        }
    }
    paths
}

/// A path from the root, without `.` and `..`; links are followed as far as the path is there.
fn clean(base: &Path, path: &Path) -> PathBuf {
    let full = base.join(path);
    if let Ok(full) = full.canonicalize() {
        return full;
    }
    // What is not there yet has no links: only the part that is there can have some.
    let mut out = PathBuf::new();
    for part in full.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => {
                out.push(part);
                if let Ok(followed) = out.canonicalize() {
                    out = followed;
                }
            }
        }
    }
    out
}
