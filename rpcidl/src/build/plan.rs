//! Which file gets which text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::emit::Output;
use crate::ir::Model;
use crate::suggest::nearest;

/// A file that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlan {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub text: String,
}

/// Everything as one self-contained file.
pub fn plan_file(output: &Output<'_>, path: &Path) -> Vec<FilePlan> {
    vec![FilePlan {
        path: path.to_owned(),
        text: output.to_single_file(),
    }]
}

/// One file a package in a folder, and a `mod.rs` that declares them.
pub fn plan_directory(output: &Output<'_>, folder: &Path) -> Vec<FilePlan> {
    let files = output.to_directory();
    files
        .into_iter()
        .map(|(name, text)| FilePlan {
            path: folder.join(name),
            text,
        })
        .collect()
}

/// The path, if it is one that Rust takes, such as `::runtime_core` or `crate::gen::acme_common`.
///
/// It goes into the output as it is, so nothing else may pass: neither what is no path, nor one that is relative, which
/// would mean something else in each module of the output.
///
/// # Errors
/// Says what is wrong with it.
pub fn rust_path(text: &str) -> Result<String, String> {
    let parts = text.strip_prefix("::").unwrap_or(text);
    let is_name = |part: &str| {
        let name = part.strip_prefix("r#").unwrap_or(part);
        let mut chars = name.chars();
        chars
            .next()
            .is_some_and(|first| first == '_' || first.is_alphabetic())
            && chars.all(|next| next == '_' || next.is_alphanumeric())
    };
    if !parts.split("::").all(is_name) {
        return Err(format!(
            "`{text}` is no path of Rust; write it like `::runtime_core` or `crate::acme_common`"
        ));
    }
    let is_root = |(index, part): (usize, &str)| {
        matches!(part, "self" | "super" | "Self")
            || (part == "crate" && (index > 0 || parts != text))
    };
    if parts.split("::").enumerate().any(is_root) {
        return Err(format!(
            "`{text}` would mean something else in each module of the output; begin it with `crate::`, `::` or the \
             name of a crate, as in `crate::acme_common`"
        ));
    }
    Ok(text.to_owned())
}

/// What is wrong with the packages that are said to be generated elsewhere, if one of them is not among those compiled.
pub fn unknown_extern(model: &Model, externs: &BTreeMap<String, String>) -> Option<String> {
    let is_known = |name: &str| model.packages.iter().any(|package| package.name == name);
    let name = externs.keys().find(|name| !is_known(name))?;
    let names: Vec<&str> = model
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let near =
        nearest(name, names.iter().copied()).map_or(String::new(), |near| format!("; `{near}` is"));
    Some(format!(
        "package `{name}` is said to be generated elsewhere, but no input imports it{near}"
    ))
}
