//! Finds a checkout of rpcidl for a project to depend on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::stop::Stop;

/// The crates that a project depends on.
const CRATES: [&str; 3] = ["rpcidl", "runtime-core", "runtime-inproc"];

/// The root folder of a checkout, without links.
#[derive(Debug)]
pub(super) struct Checkout(PathBuf);

impl Checkout {
    /// The checkout at a path, which may be its root or the folder of its crate `rpcidl`.
    pub(super) fn at(path: &Path) -> Result<Self, Stop> {
        let shown = path.display();
        let full = path
            .canonicalize()
            .map_err(|error| Stop::trouble(format!("cannot read `{shown}`: {error}")))?;
        let found = [Some(full.as_path()), full.parent()]
            .into_iter()
            .flatten()
            .find(|root| missing(root).is_none());
        if let Some(root) = found {
            return Ok(Self(root.to_owned()));
        }
        let manifest = format!("{}/Cargo.toml", missing(&full).unwrap_or_default());
        Err(Stop::advised(
            format!("`{shown}` is no checkout of rpcidl: `{manifest}` is not in it"),
            "name the folder that holds the workspace of rpcidl",
        ))
    }

    /// A checkout that holds the current folder, the new one or the running program, or that the program was built from.
    pub(super) fn around(folder: &Path) -> Option<Self> {
        let starts = [
            env::current_dir().ok(),
            existing(folder),
            env::current_exe().ok(),
            Some(PathBuf::from(env!("CARGO_MANIFEST_DIR"))),
        ];
        starts.into_iter().flatten().find_map(|start| {
            let start = start.canonicalize().ok()?;
            start
                .ancestors()
                .find(|root| missing(root).is_none())
                .map(|root| Self(root.to_owned()))
        })
    }

    /// The path of a crate as TOML, as seen from `folder`. Inside of the checkout it is a relative one, so that the checkout
    /// can be moved with everything in it.
    pub(super) fn crate_path(&self, name: &str, folder: &Path) -> String {
        let full = self.0.join(name);
        let shown = match from_inside(&self.0, folder) {
            Some(up) => up.join(name),
            None => full,
        };
        // A JSON string is a TOML string as well.
        serde_json::Value::from(shown.to_string_lossy()).to_string()
    }
}

/// The first crate that a folder would need, to be a checkout, and does not have.
fn missing(root: &Path) -> Option<&'static str> {
    CRATES
        .into_iter()
        .find(|name| !root.join(name).join("Cargo.toml").is_file())
}

/// `../..` and so on, from a folder up to the root that it is in.
fn from_inside(root: &Path, folder: &Path) -> Option<PathBuf> {
    let full = full(folder)?;
    let below = full.strip_prefix(root).ok()?;
    Some(below.components().map(|_| "..").collect())
}

/// True if a manifest above the folder is that of a workspace.
pub(super) fn is_inside_workspace(folder: &Path) -> bool {
    let Some(full) = full(folder) else {
        return false;
    };
    full.ancestors().skip(1).any(|above| {
        let manifest = fs::read_to_string(above.join("Cargo.toml")).unwrap_or_default();
        manifest
            .lines()
            .any(|line| line.trim_start().starts_with("[workspace"))
    })
}

/// A path from the root, without links, of a folder that need not be there yet.
fn full(folder: &Path) -> Option<PathBuf> {
    let existing = existing(folder)?;
    let rest = folder.strip_prefix(&existing).unwrap_or(folder).to_owned();
    let base = if existing.as_os_str().is_empty() {
        Path::new(".")
    } else {
        existing.as_path()
    };
    Some(base.canonicalize().ok()?.join(rest))
}

/// The closest folder above, or itself, that is there; empty for the current one.
fn existing(folder: &Path) -> Option<PathBuf> {
    let found = folder
        .ancestors()
        .find(|above| above.as_os_str().is_empty() || above.is_dir())?;
    Some(if found.as_os_str().is_empty() {
        PathBuf::new()
    } else {
        found.to_owned()
    })
}
