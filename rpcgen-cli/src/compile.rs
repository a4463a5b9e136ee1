//! Runs the compiler over the files of a command line, or only its parser, and tells what it finds.

use std::path::PathBuf;

use rpcidl::build::include_dir;
use rpcidl::diag::{Code, Diagnostic, Findings};
use rpcidl::fs::FsLoader;
use rpcidl::ir::Model;
use rpcidl::source::{SourceId, SourceMap};
use rpcidl::{Compilation, parse};

use crate::cli::Search;
use crate::console::Console;
use crate::input;
use crate::stop::Stop;

/// What was compiled without errors.
pub(crate) struct Compiled {
    /// Everything that came out.
    pub(crate) compilation: Compilation,
    /// The model; taken out of the above, where it might be missing.
    pub(crate) model: Model,
}

/// Compiles the files and tells every finding.
pub(crate) fn compile(
    files: &[PathBuf],
    search: &Search,
    console: &Console,
) -> Result<Compiled, Stop> {
    let inputs = input::read(files, console)?;
    let mut include = Vec::new();
    let mut unreadable = Vec::new();
    for folder in &search.include {
        match include_dir(folder) {
            Ok(folder) => include.push(folder),
            Err(error) => unreadable.push(*error),
        }
    }
    if !unreadable.is_empty() {
        console.diagnostics(&SourceMap::default(), &unreadable);
        return Err(Stop::Unusable);
    }
    let mut compilation = rpcidl::compile(&inputs, &include, &FsLoader);
    console.diagnostics(&compilation.sources, &compilation.diagnostics);
    match compilation.model.take() {
        Some(model) => Ok(Compiled { compilation, model }),
        None => Err(stop(&compilation.diagnostics)),
    }
}

/// How a command ends that told these.
pub(crate) fn stop(diagnostics: &[Diagnostic]) -> Stop {
    // An import that cannot be read is a matter of the system, as an input is.
    if diagnostics.iter().any(|found| found.code == Code::E0001) {
        Stop::Unusable
    } else {
        Stop::Findings
    }
}

/// One file as it was written.
pub(crate) struct Parsed {
    /// Its text.
    pub(crate) source: SourceId,
    /// Its tree.
    pub(crate) file: rpcidl::ast::File,
}

/// Reads and parses each file for itself, and tells every finding. Nothing is resolved, so imports need not be there.
pub(crate) fn parse(
    files: &[PathBuf],
    console: &Console,
) -> Result<(SourceMap, Vec<Parsed>), Stop> {
    let mut sources = SourceMap::default();
    let mut trees = Vec::new();
    let mut findings = Findings::default();
    for input in input::read(files, console)? {
        match String::from_utf8(input.bytes) {
            Ok(text) => {
                let source = sources.add(input.name, text);
                let text = sources.get(source).text.clone();
                let file = parse::parse_into(source, &text, &mut findings);
                trees.push(Parsed { source, file });
            }
            Err(error) => findings.push(parse::not_utf8(
                &input.name,
                error.utf8_error().valid_up_to(),
            )),
        }
    }
    let broken = findings.has_errors();
    console.diagnostics(&sources, &findings.finish());
    if broken {
        return Err(Stop::Findings);
    }
    Ok((sources, trees))
}
