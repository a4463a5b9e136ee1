//! From the model to Rust: one file an emitted construct.
//!
//! [`emit`] checks what depends on the options and names everything; the [`Output`] it gives prints itself as one file, as
//! a directory with one file a package, or as tokens for a macro.
//!
//! The text is written in its final form. Built as tokens and then read and printed by a parser and a pretty printer of
//! Rust, the same text takes about a hundred times as long, many times what the rest of the compiler takes; and no
//! printer would leave the empty lines where they help. A test holds the text against rustfmt, which changes nothing.

mod adapter;
mod backend;
mod casing;
mod client;
mod consts;
mod crates;
mod docs;
mod enums;
mod interface;
mod literal;
mod messages;
mod method;
mod names;
mod output;
mod server;
mod service;
mod structs;
mod types;
mod unions;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use adapter::{HandlerMethod, HandlerValue, RustNames, handler};
pub use output::Output;

use self::names::Names;
use crate::diag::Diagnostic;
use crate::ir::{Backend, Model, PackageId};

/// What the output is made for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The backends to emit stubs for, the first one re-exported; empty for those that `@Backends` of each interface names.
    pub backends: Vec<Backend>,
    /// Path of the crate `runtime-core`.
    pub runtime_core: String,
    /// Path of each backend's crate, where it is not the usual one.
    pub runtimes: BTreeMap<Backend, String>,
    /// Derive zerocopy's traits for declared types.
    pub zerocopy: bool,
    /// Packages that are generated elsewhere, with the Rust path of their module.
    pub externs: BTreeMap<String, String>,
    /// Types of the input that are generated elsewhere, by the name in the model, each with its Rust path as seen from where
    /// the output stands.
    pub elsewhere: BTreeMap<String, String>,
    /// The text of the `Cargo.toml` of the package that the output becomes part of, if that is known.
    pub manifest: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backends: Vec::new(),
            runtime_core: "::runtime_core".to_owned(),
            runtimes: BTreeMap::new(),
            zerocopy: true,
            externs: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            manifest: None,
        }
    }
}

/// Prepares the output for a model.
///
/// # Errors
/// E0801 if a backend cannot carry a `buffer` of its interface, E0802 if `options` asks for a backend that an interface
/// does not allow, E0805 if the manifest does not name a crate that the output needs.
pub fn emit<'a>(model: &'a Model, options: &'a Options) -> Result<Output<'a>, Vec<Diagnostic>> {
    let mut found = backend::check(model, options);
    found.extend(crates::check(model, options));
    if found.is_empty() {
        Ok(Output::new(model, options))
    } else {
        Err(found)
    }
}

/// Warnings about an output that is legal and hardly of use: W0801 if interfaces are emitted for no backend.
pub fn advise(model: &Model, options: &Options) -> Vec<Diagnostic> {
    backend::advise(model, options)
}

/// Where an item is printed, and what it needs to know to name others.
#[derive(Clone, Copy, Debug)]
struct Scope<'a> {
    model: &'a Model,
    options: &'a Options,
    names: &'a Names,
    /// The package whose items stand outside of any module for it, if there is one.
    flat: Option<PackageId>,
    /// The package that the item belongs to.
    package: PackageId,
    /// Modules between the item and the items of its package.
    depth: usize,
    /// What `runtime-core` is called there.
    rt: &'a str,
}

impl<'a> Scope<'a> {
    /// The scope of a module in this one, where the runtime is called `rt`.
    fn inner(&self) -> Self {
        Self {
            depth: self.depth + 1,
            rt: "rt",
            ..*self
        }
    }

    /// The path of a package that is generated elsewhere.
    fn external(&self, package: PackageId) -> Option<&'a str> {
        let name = &self.model.packages.get(package.0 as usize)?.name;
        self.options.externs.get(name).map(String::as_str)
    }

    /// True if the items of a package stand in a module for it.
    fn is_module(&self, package: PackageId) -> bool {
        self.flat != Some(package)
    }
}
