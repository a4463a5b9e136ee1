//! `rpcgen` without a subcommand: from schemas to Rust.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use rpcidl::Loader as _;
use rpcidl::build::{
    Backend, FilePlan, FileState, compare, plan_directory, plan_file, rust_path, unknown_extern,
    write_all,
};
use rpcidl::emit::{self, Options, Output};
use rpcidl::fs::FsLoader;

use crate::cli::Search;
use crate::compile;
use crate::console::Console;
use crate::input::is_stdin;
use crate::stop::Stop;

/// Arguments of compiling.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files to compile; `-` is the standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[arg(
        long = "backend",
        value_name = "BACKEND",
        value_delimiter = ',',
        help = "Emit stubs for this backend, and of those that `@Backends` names for no other; may be given several times",
        value_parser = PossibleValuesParser::new(Backend::ALL.map(rpcidl::backend_name))
            .try_map(|name| rpcidl::backend(&name).map_err(|error| error.message)),
    )]
    backends: Vec<Backend>,
    /// Where the output goes: a file, a folder (one that exists, or with `/` at its end), or `-`
    #[arg(
        short,
        long,
        value_name = "PATH",
        long_help = "Where the output goes: a file; a folder (one that exists, or with `/` at its end), which gets one file \
                     a package and a `mod.rs`; or `-` for the standard output, which is the default. A file that would not \
                     change is left alone, and no file is ever left half-written"
    )]
    output: Option<PathBuf>,
    #[command(flatten)]
    search: Search,
    /// Write nothing, but fail if a file of the output is missing or stale
    #[arg(long, requires = "output")]
    check: bool,
    /// Do not derive zerocopy's traits for declared types
    #[arg(long)]
    no_zerocopy: bool,
    /// Refer to the module at this Rust path for a package that is generated elsewhere
    #[arg(long = "extern", value_name = "PKG=RUSTPATH", value_parser = parse_extern)]
    externs: Vec<(String, String)>,
    /// The Rust path of the crate runtime-core, if it is not `::runtime_core`
    #[arg(long, value_name = "RUSTPATH", value_parser = rust_path)]
    runtime_core: Option<String>,
    /// The Rust path of a backend's crate, if it is not the usual one
    #[arg(long = "runtime", value_name = "BACKEND=RUSTPATH", value_parser = parse_runtime)]
    runtimes: Vec<(Backend, String)>,
}

/// Runs it.
pub(crate) fn run(args: &Arguments, console: &Console) -> Result<(), Stop> {
    let destination = Destination::of(args.output.as_deref());
    if args.check && matches!(destination, Destination::Stdout) {
        return Err(Stop::trouble(
            "`--check` compares files, so `-o` must name a file or a folder",
        ));
    }
    let options = options(args)?;
    let compiled = compile::compile(&args.files, &args.search, console)?;
    if let Some(wrong) = unknown_extern(&compiled.model, &options.externs) {
        return Err(Stop::trouble(wrong));
    }
    let output = match emit::emit(&compiled.model, &options) {
        Ok(output) => output,
        Err(errors) => {
            console.diagnostics(&compiled.compilation.sources, &errors);
            return Err(compile::stop(&errors));
        }
    };
    console.diagnostics(
        &compiled.compilation.sources,
        &emit::advise(&compiled.model, &options),
    );
    let Some(files) = destination.plan(&output) else {
        return console.result(&output.to_single_file());
    };
    refuse_to_overwrite(&files, &compiled.compilation.loaded)?;
    if args.check {
        return compare_all(&files, console);
    }
    write_all(&files)?;
    Ok(())
}

/// Where the output goes.
#[derive(Debug)]
enum Destination<'a> {
    Stdout,
    File(&'a Path),
    Folder(&'a Path),
}

impl<'a> Destination<'a> {
    fn of(path: Option<&'a Path>) -> Self {
        let Some(path) = path.filter(|path| !is_stdin(path)) else {
            return Self::Stdout;
        };
        let ends_open = path
            .as_os_str()
            .to_string_lossy()
            .ends_with(std::path::is_separator);
        if ends_open || path.is_dir() {
            Self::Folder(path)
        } else {
            Self::File(path)
        }
    }

    fn plan(&self, output: &Output<'_>) -> Option<Vec<FilePlan>> {
        match self {
            Self::Stdout => None,
            Self::File(path) => Some(plan_file(output, path)),
            Self::Folder(path) => Some(plan_directory(output, path)),
        }
    }
}

fn options(args: &Arguments) -> Result<Options, Stop> {
    let mut options = Options {
        zerocopy: !args.no_zerocopy,
        ..Options::default()
    };
    for &backend in &args.backends {
        if !options.backends.contains(&backend) {
            options.backends.push(backend);
        }
    }
    options.externs = unique("extern", &args.externs)?;
    options.runtimes = unique("runtime", &args.runtimes)?;
    if let Some(path) = &args.runtime_core {
        options.runtime_core.clone_from(path);
    }
    Ok(options)
}

/// The pairs as a map; two for one key contradict each other.
fn unique<K: Ord + Clone>(
    option: &str,
    pairs: &[(K, String)],
) -> Result<BTreeMap<K, String>, Stop> {
    let mut map = BTreeMap::new();
    for (key, path) in pairs {
        if let Some(other) = map
            .insert(key.clone(), path.clone())
            .filter(|other| other != path)
        {
            return Err(Stop::trouble(format!(
                "`--{option}` is given twice for one name, with `{other}` and `{path}`"
            )));
        }
    }
    Ok(map)
}

/// A slip of the pen must not cost anyone a schema.
fn refuse_to_overwrite(files: &[FilePlan], loaded: &[String]) -> Result<(), Stop> {
    let sources: Vec<String> = loaded.iter().map(|path| FsLoader.identity(path)).collect();
    for file in files {
        let path = file.path.to_string_lossy();
        if sources.contains(&FsLoader.identity(&path)) {
            return Err(Stop::advised(
                format!("the output would overwrite `{path}`, which it is made from"),
                "give another path with `-o`",
            ));
        }
    }
    Ok(())
}

/// Tells every file that is not as it should be.
fn compare_all(files: &[FilePlan], console: &Console) -> Result<(), Stop> {
    let mut fine = true;
    for file in files {
        let path = file.path.display();
        let state = compare(&file.path, &file.text);
        let state =
            state.map_err(|error| Stop::trouble(format!("cannot read `{path}`: {error}")))?;
        let (message, help) = match state {
            FileState::Same => continue,
            FileState::Missing => (
                format!("`{path}` is missing"),
                "run the same command without `--check`",
            ),
            FileState::Differs => (
                format!("`{path}` is stale"),
                "run the same command without `--check`",
            ),
            FileState::LineEndings => (
                format!("`{path}` differs only in its line endings"),
                "something converts them, such as git's `core.autocrlf`; `*.rs text eol=lf` in `.gitattributes` stops it",
            ),
        };
        console.complaint(&message, Some(help));
        fine = false;
    }
    if fine { Ok(()) } else { Err(Stop::Findings) }
}

fn parse_extern(text: &str) -> Result<(String, String), String> {
    let (package, path) = text
        .split_once('=')
        .ok_or("write it like `acme.common=crate::acme_common`")?;
    let is_name = |part: &str| {
        part.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
            && part.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
    };
    if !package.split('.').all(is_name) {
        return Err(format!(
            "`{package}` is no package; write it like `acme.common`, without a version"
        ));
    }
    Ok((package.to_owned(), rust_path(path)?))
}

fn parse_runtime(text: &str) -> Result<(Backend, String), String> {
    let (backend, path) = text
        .split_once('=')
        .ok_or("write it like `inproc=::my_inproc`")?;
    let backend = rpcidl::backend(backend).map_err(|error| error.message)?;
    Ok((backend, rust_path(path)?))
}
