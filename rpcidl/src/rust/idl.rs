//! The definition that the annotated items of a Rust file stand for.

use super::item::{Lowered, attributes_of, main_attribute};
use super::lower::{Lower, Names};
use super::read;
use super::words::in_rust;
use crate::ast;
use crate::compile::compile_file;
use crate::diag::{Code, Diagnostic, Severity};
use crate::print;
use crate::source::{SourceMap, Span};

/// A Rust file as a definition.
#[derive(Debug)]
pub struct Modelled {
    /// The tree, with a package statement.
    pub file: ast::File,
    /// The text that the spans point into.
    pub sources: SourceMap,
    /// What is wrong with it, with spans of the Rust text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the annotated items of a Rust file, those in its inline modules included. `name` is the file's name, which gives the
/// package its name if no `#[rpc_service]` says one.
pub fn model_of(text: &str, name: &str) -> Modelled {
    let mut sources = SourceMap::default();
    let source = sources.add(name, text);
    let span = Span::new(source, 0, text.len());
    let mut file = ast::File {
        source,
        docs: Vec::new(),
        edition: None,
        package: None,
        imports: Vec::new(),
        items: Vec::new(),
        comments: Vec::new(),
        span,
    };
    // Neither a mark at the start nor the line of an interpreter is Rust; places stay what they are.
    let blank = blanked(text);
    let parsed = match read::file(&blank, source) {
        Ok(parsed) => parsed,
        Err(error) => {
            return Modelled {
                file,
                sources,
                diagnostics: vec![*error],
            };
        }
    };
    let mut lower = Lower::new(&blank, source, Names::LastSegment);
    file.docs = lower.attributes(&parsed.attrs, &[]).attrs.docs;
    let mut lowered = Vec::new();
    walk(&mut lower, &parsed.items, &mut lowered);
    let mut findings = std::mem::take(&mut lower.findings);
    file.package = lowered
        .iter()
        .find_map(|item| item.settings.package.clone());
    if file.package.is_none() {
        file.package = Some(package_of(name, Span::new(source, 0, 0)));
    }
    for item in &lowered {
        let other = item.settings.package.as_ref();
        if let (Some(package), Some(first)) = (other, file.package.as_ref())
            && dotted(&package.path) != dotted(&first.path)
        {
            findings.push(
                Diagnostic::error(Code::E0210, package.span, "one file cannot be two packages")
                    .also(first.span, "the first package is named here")
                    .help("move the services of one package to a file of their own"),
            );
        }
    }
    if lowered.is_empty() && findings.is_empty() {
        findings.push(
            Diagnostic::global(
                Code::E0003,
                format!("`{name}` has no item with `#[rpc_message]` or `#[rpc_service]`"),
            )
            .help("put one of the attributes on a struct, an enum or a trait"),
        );
    }
    file.items = lowered.into_iter().map(|item| item.item).collect();
    Modelled {
        file,
        sources,
        diagnostics: findings.finish(),
    }
}

/// Prints the definition that the annotated items of a Rust file stand for. It is checked first, like one that is read from
/// an `.idl` file.
///
/// # Errors
/// What is wrong with the items, with the text that the places point into.
pub fn to_idl(text: &str, name: &str) -> Result<String, (SourceMap, Vec<Diagnostic>)> {
    // A parser of Rust goes down a level for each bracket, and the stack of a thread that is not the first may be small.
    const STACK: usize = 64 << 20;
    std::thread::scope(|scope| {
        let work = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || checked(text, name));
        match work.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // Without another thread this one must do.
            Err(_) => checked(text, name),
        }
    })
}

fn checked(text: &str, name: &str) -> Result<String, (SourceMap, Vec<Diagnostic>)> {
    let Modelled {
        file,
        sources,
        mut diagnostics,
    } = model_of(text, name);
    if diagnostics.is_empty() {
        let found = compile_file(file.clone(), sources.clone()).diagnostics;
        let errors = found
            .into_iter()
            .filter(|found| found.severity == Severity::Error);
        diagnostics = errors.map(in_rust).collect();
    }
    if diagnostics.is_empty() {
        Ok(print::file(&file))
    } else {
        Err((sources, diagnostics))
    }
}

/// Reads the annotated items of a list and of the modules in it.
fn walk(lower: &mut Lower<'_>, items: &[syn::Item], lowered: &mut Vec<Lowered>) {
    for item in items {
        if let syn::Item::Mod(module) = item
            && let Some((_, items)) = &module.content
        {
            walk(lower, items, lowered);
        } else if main_attribute(attributes_of(item)).is_some() {
            lower.own.clear();
            lowered.extend(lower.item(item));
        }
    }
}

/// The package that a file is without saying so: its name without folders and ending.
fn package_of(name: &str, span: Span) -> ast::Package {
    let stem = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = stem.split('.').next().unwrap_or(stem);
    let mut text: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        text.insert_str(0, "rust_");
    }
    let segments = vec![ast::Name { text, span }];
    ast::Package {
        path: ast::Path { segments, span },
        version: None,
        span,
    }
}

fn dotted(path: &ast::Path) -> String {
    path.segments
        .iter()
        .map(|name| name.text.as_str())
        .collect::<Vec<_>>()
        .join(".")
}

fn blanked(text: &str) -> String {
    let mut blank = text.to_owned();
    for (start, end) in [
        ("\u{feff}", "\u{feff}".len()),
        ("#!", text.find('\n').unwrap_or(text.len())),
    ] {
        let is_there = blank.starts_with(start) && !blank.starts_with("#![");
        if is_there && let Some(head) = text.get(..end) {
            blank.replace_range(..head.len(), &" ".repeat(head.len()));
        }
    }
    blank
}
