//! The pipeline: read, parse, resolve, check, lay out.

use crate::ast;
use crate::check;
use crate::diag::{Diagnostic, Findings};
use crate::fingerprint;
use crate::ir;
use crate::layout;
use crate::load::{self, FileInfo, Input, Loaded, Loader};
use crate::resolve;
use crate::source::SourceMap;

/// What comes out.
#[derive(Debug, Default)]
pub struct Compilation {
    /// All texts that were read.
    pub sources: SourceMap,
    /// All trees: the inputs first, then what they import.
    pub files: Vec<ast::File>,
    /// The model; `None` if there are errors.
    pub model: Option<ir::Model>,
    /// Everything found, sorted by source and position. The list has an end, see [`Findings`].
    pub diagnostics: Vec<Diagnostic>,
    /// Every path that was read.
    pub loaded: Vec<String>,
    /// Every path that was looked for and not there; a build must run again if one appears.
    pub searched: Vec<String>,
}

impl Compilation {
    /// True if something is wrong.
    pub fn has_errors(&self) -> bool {
        self.model.is_none()
    }
}

/// Compiles the inputs and what they import.
///
/// Imports are looked for next to the file that names them and then in `include_dirs`, through `loader`.
pub fn compile(inputs: &[Input], include_dirs: &[String], loader: &dyn Loader) -> Compilation {
    lower(load::load(inputs, include_dirs, loader), true)
}

/// Compiles one tree that was not read from `.idl` text. It cannot import, and it needs no package.
pub fn compile_file(file: ast::File, sources: SourceMap) -> Compilation {
    let name = sources.get(file.source).name.clone();
    let mut findings = Findings::default();
    load::refuse_imports(&file, &mut findings);
    let info = FileInfo {
        name: name.clone(),
        is_input: true,
        broken: false,
        imports: vec![None; file.imports.len()],
    };
    let loaded = Loaded {
        sources,
        files: vec![file],
        infos: vec![info],
        findings,
        loaded: vec![name],
        searched: Vec::new(),
    };
    lower(loaded, false)
}

/// Everything after reading and parsing. A part with an error is poisoned and the rest goes on, so one run finds
/// every independent error.
fn lower(read: Loaded, needs_package: bool) -> Compilation {
    let Loaded {
        sources,
        files,
        infos,
        mut findings,
        loaded,
        searched,
    } = read;
    let model = model_of(&sources, &files, &infos, needs_package, &mut findings);
    Compilation {
        sources,
        files,
        model,
        diagnostics: findings.finish(),
        loaded,
        searched,
    }
}

/// The model, if there are no errors. Once some of them are left out, the phases after that have nothing to tell.
fn model_of(
    sources: &SourceMap,
    files: &[ast::File],
    infos: &[FileInfo],
    needs_package: bool,
    findings: &mut Findings,
) -> Option<ir::Model> {
    if findings.is_over() {
        return None;
    }
    let table = resolve::declare(sources, files, infos, findings);
    let order = resolve::order(&table, findings);
    if findings.is_over() {
        return None;
    }
    let mut draft = check::check(&table, &order, needs_package, findings);
    if findings.is_over() {
        return None;
    }
    layout::lay_out(&mut draft, findings);
    if findings.has_errors() {
        return None;
    }
    let mut model = draft.model;
    if let Some(found) = fingerprint::fingerprint(&mut model) {
        findings.push(found);
        return None;
    }
    Some(model)
}
