//! The settings of a build, and the build itself.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::Error;
use super::{FilePlan, FileState, compare, include_dir, plan_directory, plan_file};
use super::{manifest, read_input, rerun, rust_path, told, unknown_extern, write_all};
use crate::diag::{Diagnostic, Severity};
use crate::emit::{self, Options};
use crate::fs::FsLoader;
use crate::ir::Backend;
use crate::load::Input;
use crate::source::SourceMap;

/// Compiles schemas into `OUT_DIR` with the usual settings.
///
/// # Errors
/// As [`Config::compile`].
pub fn compile<P: AsRef<Path>>(inputs: &[P]) -> Result<(), Error> {
    Config::new().compile(inputs)
}

/// How a build script compiles schemas.
///
/// ```no_run
/// use rpcidl::build::{Backend, Config, Error};
///
/// fn main() -> Result<(), Error> {
///     Config::new().include("idl").backend(Backend::Inproc).compile(&["idl/kv.idl"])
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    include: Vec<PathBuf>,
    backends: Vec<Backend>,
    externs: BTreeMap<String, String>,
    runtimes: BTreeMap<Backend, String>,
    runtime_core: Option<String>,
    zerocopy: bool,
    emit_rerun: bool,
    expect_backends: bool,
    out_dir: Option<PathBuf>,
    commit_to: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The usual settings: output into `OUT_DIR`, for the backends that `@Backends` names.
    pub fn new() -> Self {
        Self {
            include: Vec::new(),
            backends: Vec::new(),
            externs: BTreeMap::new(),
            runtimes: BTreeMap::new(),
            runtime_core: None,
            zerocopy: true,
            emit_rerun: true,
            expect_backends: true,
            out_dir: None,
            commit_to: None,
        }
    }

    /// Looks for imports in this folder too, after the folder of the importing file.
    #[must_use]
    pub fn include(mut self, folder: impl Into<PathBuf>) -> Self {
        self.include.push(folder.into());
        self
    }

    /// Emits stubs for this backend instead of those that `@Backends` names. May be called several times; the first
    /// one is re-exported by each interface's module.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backends.push(backend);
        self
    }

    /// Writes into this folder instead of `OUT_DIR`.
    #[must_use]
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Writes into this folder of the source tree, for those who commit generated files.
    ///
    /// Where the environment variable `RPCIDL_CHECK` is `1`, and in continuous integration (`CI` is set) unless it is
    /// `0`, nothing is written: the build fails and names every file that is missing or stale.
    #[must_use]
    pub fn commit_to(mut self, folder: impl Into<PathBuf>) -> Self {
        self.commit_to = Some(folder.into());
        self
    }

    /// Derives zerocopy's traits for declared types, which is the default.
    #[must_use]
    pub fn zerocopy(mut self, derive: bool) -> Self {
        self.zerocopy = derive;
        self
    }

    /// Refers to the module at a Rust path for a package that is generated elsewhere, instead of emitting it again.
    #[must_use]
    pub fn extern_package(mut self, package: impl Into<String>, path: impl Into<String>) -> Self {
        self.externs.insert(package.into(), path.into());
        self
    }

    /// Names the crate `runtime-core` by another path than `::runtime_core`.
    #[must_use]
    pub fn runtime_core(mut self, path: impl Into<String>) -> Self {
        self.runtime_core = Some(path.into());
        self
    }

    /// Names the crate of a backend by another path than the usual one.
    #[must_use]
    pub fn runtime(mut self, backend: Backend, path: impl Into<String>) -> Self {
        self.runtimes.insert(backend, path.into());
        self
    }

    /// Prints the `cargo:` lines that say when to run again, which is the default. Without them cargo runs the script
    /// whenever any file of the package changes.
    #[must_use]
    pub fn emit_rerun(mut self, emit: bool) -> Self {
        self.emit_rerun = emit;
        self
    }

    /// Warns of interfaces that are compiled for no backend, which is the default. Their stubs are generic over the
    /// transport, for those who bring one along.
    #[must_use]
    pub fn expect_backends(mut self, expect: bool) -> Self {
        self.expect_backends = expect;
        self
    }

    /// Compiles the inputs and what they import.
    ///
    /// One input gives one file with its name, such as `kv.rs` for `kv.idl`; several give one file a package and a
    /// `mod.rs`. A file that would not change is not written, so what depends on it is not built again.
    ///
    /// # Errors
    /// An input has errors or cannot be read, a setting makes no sense, or the output cannot be written. The message
    /// shows the diagnostics as `rpcgen` does, over several lines, also when it is printed by `unwrap`.
    pub fn compile<P: AsRef<Path>>(&self, inputs: &[P]) -> Result<(), Error> {
        let inputs: Vec<&Path> = inputs.iter().map(AsRef::as_ref).collect();
        self.run(&inputs, &|name| env::var_os(name), &mut io::stdout().lock())
    }

    /// The build, over an environment and a place for cargo's lines.
    pub(super) fn run(
        &self,
        inputs: &[&Path],
        env: &Environment<'_>,
        cargo: &mut dyn Write,
    ) -> Result<(), Error> {
        let mut options = self.options()?;
        if self.out_dir.is_none() && self.commit_to.is_none() {
            // What is written elsewhere may be for another package.
            options.manifest = manifest(env);
        }
        let folder = self.folder(env)?;
        let [first, ..] = inputs else {
            return Err(Error::new(
                "no input is given; name at least one `.idl` file",
            ));
        };
        let include = self.include.iter().map(|folder| include_dir(folder));
        let include = all(include)?;
        let texts: Vec<Input> = all(inputs.iter().map(|path| read_input(path)))?;

        let found = crate::compile(&texts, &include, &FsLoader);
        if self.emit_rerun {
            let package =
                env("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
            for path in rerun::watched(&found.loaded, &found.searched, &package, &folder) {
                cargo_line(cargo, "rerun-if-changed", &path.to_string_lossy())?;
            }
            if self.commit_to.is_some() {
                cargo_line(cargo, "rerun-if-env-changed", CHECK)?;
                cargo_line(cargo, "rerun-if-env-changed", CI)?;
            }
        }
        let Some(model) = &found.model else {
            return Err(Error::new(told::rendered(
                &found.sources,
                &found.diagnostics,
            )));
        };
        if let Some(wrong) = unknown_extern(model, &self.externs) {
            return Err(Error::new(wrong));
        }
        let advice = if self.expect_backends {
            emit::advise(model, &options)
        } else {
            Vec::new()
        };
        for warning in found
            .diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Warning)
            .chain(&advice)
        {
            cargo_line(cargo, "warning", &told::line(&found.sources, warning))?;
        }
        let output = emit::emit(model, &options)
            .map_err(|errors| Error::new(told::rendered(&found.sources, &errors)))?;
        let files = match inputs {
            [_] => plan_file(
                &output,
                &folder.join(first.with_extension("rs").file_name().unwrap_or_default()),
            ),
            _ => plan_directory(&output, &folder),
        };
        if self.commit_to.is_some() && only_compares(env) {
            return compare_all(&files);
        }
        write_all(&files)
            .map(|_| ())
            .map_err(|error| Error::new(error.to_string()))
    }

    /// What the emitter needs to know, once it is clear that it makes sense.
    fn options(&self) -> Result<Options, Error> {
        let paths = self
            .externs
            .values()
            .chain(self.runtimes.values())
            .chain(&self.runtime_core);
        for path in paths {
            rust_path(path).map_err(Error::new)?;
        }
        let mut options = Options {
            backends: self.backends.clone(),
            runtimes: self.runtimes.clone(),
            zerocopy: self.zerocopy,
            externs: self.externs.clone(),
            ..Options::default()
        };
        if let Some(path) = &self.runtime_core {
            options.runtime_core.clone_from(path);
        }
        Ok(options)
    }

    /// Where the output goes.
    fn folder(&self, env: &Environment<'_>) -> Result<PathBuf, Error> {
        match (&self.out_dir, &self.commit_to) {
            (Some(_), Some(_)) => Err(Error::new(
                "`out_dir` and `commit_to` are both set; keep one of them",
            )),
            (Some(folder), None) | (None, Some(folder)) => Ok(folder.clone()),
            (None, None) => env("OUT_DIR").map(PathBuf::from).ok_or_else(|| {
                Error::new(
                    "`OUT_DIR` is not set: run this from a build script, or set `Config::out_dir`",
                )
            }),
        }
    }
}

/// Reads an environment variable.
pub(super) type Environment<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

const CHECK: &str = "RPCIDL_CHECK";
const CI: &str = "CI";

/// True if committed files are to be compared instead of written.
fn only_compares(env: &Environment<'_>) -> bool {
    let says_yes =
        |value: OsString| !matches!(value.to_string_lossy().as_ref(), "" | "0" | "false");
    match env(CHECK) {
        Some(value) => says_yes(value),
        None => env(CI).is_some_and(says_yes),
    }
}

/// Compares every file, and names each that is not as it should be.
fn compare_all(files: &[FilePlan]) -> Result<(), Error> {
    let mut stale = String::new();
    for file in files {
        let path = file.path.display();
        let state = compare(&file.path, &file.text)
            .map_err(|error| Error::new(format!("cannot read `{path}`: {error}")))?;
        // Writing to a string cannot fail.
        let _ = match state {
            FileState::Same => Ok(()),
            FileState::Missing => writeln!(stale, "error: `{path}` is missing"),
            FileState::Differs => writeln!(stale, "error: `{path}` is stale"),
            FileState::LineEndings => {
                writeln!(stale, "error: `{path}` differs only in its line endings")
            }
        };
    }
    if stale.is_empty() {
        return Ok(());
    }
    stale.push_str("  = help: build once with `RPCIDL_CHECK=0`, and commit what it writes");
    Err(Error::new(stale))
}

/// Everything, or all of what is wrong.
fn all<T>(results: impl Iterator<Item = Result<T, Box<Diagnostic>>>) -> Result<Vec<T>, Error> {
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(error) => bad.push(*error),
        }
    }
    if bad.is_empty() {
        return Ok(good);
    }
    Err(Error::new(told::rendered(&SourceMap::default(), &bad)))
}

/// One line for cargo. A line break in a path would begin another one.
fn cargo_line(cargo: &mut dyn Write, key: &str, value: &str) -> Result<(), Error> {
    if value.contains(['\n', '\r']) {
        let message =
            format!("cargo cannot be told of {value:?}: there is a line break in the name");
        return Err(Error::new(message));
    }
    writeln!(cargo, "cargo:{key}={value}")
        .map_err(|error| Error::new(format!("cannot write to cargo: {error}")))
}
