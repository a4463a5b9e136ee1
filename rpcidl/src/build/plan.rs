//! Which file gets which text.

use std::path::{Path, PathBuf};

use crate::backend_name;
use crate::diag::{Code, Diagnostic};
use crate::emit::{self, Output};
use crate::ir::Backend;

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
/// It goes into the output as it is, so nothing else may pass.
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
    if parts.split("::").all(is_name) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is no path of Rust; write it like `::runtime_core` or `crate::acme_common`"
    ))
}

/// Checks that there are stubs for every backend that is asked for.
///
/// # Errors
/// E0804 for the first one that is not available.
pub fn check_available(backends: &[Backend]) -> Result<(), Box<Diagnostic>> {
    let Some(&missing) = backends.iter().find(|backend| !emit::available(**backend)) else {
        return Ok(());
    };
    let message = format!(
        "backend `{}` is not available in this version",
        backend_name(missing)
    );
    let help = format!("what is available: {}", emit::available_names());
    Err(Box::new(
        Diagnostic::global(Code::E0804, message).help(help),
    ))
}
