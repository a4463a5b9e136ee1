//! Reads the inputs and everything they import, and parses each file once.

mod memory;
mod search;

pub use memory::MemoryLoader;

use std::collections::{BTreeMap, BTreeSet};

use crate::ast;
use crate::diag::{Code, Diagnostic, Findings, Label};
use crate::limits;
use crate::parse;
use crate::source::{SourceId, SourceMap, Span};

/// One file that is asked for.
#[derive(Clone, Debug)]
pub struct Input {
    /// The name shown to people; imports are searched next to it.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl Input {
    /// An input from its name and contents.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }
}

/// Where imported files come from.
pub trait Loader {
    /// The contents of the file at `path`.
    ///
    /// # Errors
    /// [`LoadError::NotFound`] if there is no such file, and [`LoadError::Other`] if it cannot be read.
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError>;

    /// A text that is the same for two paths that lead to one file.
    fn identity(&self, path: &str) -> String {
        normalize(path)
    }
}

/// Why a file was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// There is no such file.
    NotFound,
    /// It is there but cannot be read; in the words of the system.
    Other(String),
}

/// What is known of a file besides its tree.
#[derive(Clone, Debug)]
pub(crate) struct FileInfo {
    /// The name shown to people.
    pub(crate) name: String,
    /// True for a file that was asked for.
    pub(crate) is_input: bool,
    /// True if a part of it could not be read, so that names may be missing from its tree.
    pub(crate) broken: bool,
    /// The file that each of its imports leads to, if it was found.
    pub(crate) imports: Vec<Option<usize>>,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// All texts.
    pub(crate) sources: SourceMap,
    /// All trees: the inputs first, in the order given, then what they import.
    pub(crate) files: Vec<ast::File>,
    /// Parallel to `files`.
    pub(crate) infos: Vec<FileInfo>,
    /// What the parser and the search for imports found.
    pub(crate) findings: Findings,
    /// Every path that was read.
    pub(crate) loaded: Vec<String>,
    /// Every path that was looked for and not there.
    pub(crate) searched: Vec<String>,
}

/// Reads and parses the inputs and all that they import.
pub(crate) fn load(inputs: &[Input], include_dirs: &[String], loader: &dyn Loader) -> Loaded {
    let mut reader = Reader {
        out: Loaded::default(),
        loader,
        include_dirs,
        probes: BTreeMap::new(),
        packages: BTreeMap::new(),
        found: BTreeMap::new(),
        searched: BTreeSet::new(),
        imported: 0,
    };
    for input in inputs {
        reader.add_input(input);
    }
    // The list grows while it is walked: an imported file may import others.
    let mut file = 0;
    while file < reader.out.files.len() {
        reader.follow_imports(file);
        file += 1;
    }
    reader.out.searched = reader.searched.into_iter().collect();
    reader.out
}

/// The state of one walk over the imports.
struct Reader<'a> {
    out: Loaded,
    loader: &'a dyn Loader,
    include_dirs: &'a [String],
    /// What is known of each path by its identity.
    probes: BTreeMap<String, Probe>,
    /// The file of each package that is part of the compilation.
    packages: BTreeMap<String, usize>,
    /// Answers of earlier searches, by folder and package.
    found: BTreeMap<(String, String), Option<usize>>,
    searched: BTreeSet<String>,
    imported: usize,
}

/// What is known of one path.
enum Probe {
    /// It is not there.
    Missing,
    /// It cannot be read.
    Unreadable(String),
    /// It was read and parsed, but is not (yet) part of the compilation.
    Parsed(Box<Parsed>),
    /// It is part of the compilation.
    Added(usize),
}

/// A file that was read and parsed.
struct Parsed {
    path: String,
    file: ast::File,
    package: Option<String>,
    broken: bool,
    findings: Findings,
}

impl Reader<'_> {
    fn add_input(&mut self, input: &Input) {
        let identity = self.loader.identity(&input.name);
        if matches!(self.probes.get(&identity), Some(Probe::Added(_))) {
            // One file named twice on a command line is still one file.
            return;
        }
        let parsed = parse_bytes(&mut self.out.sources, &input.name, &input.bytes);
        let index = self.add(parsed, true);
        self.probes.insert(identity, Probe::Added(index));
    }

    /// Makes a parsed file part of the compilation.
    fn add(&mut self, parsed: Parsed, is_input: bool) -> usize {
        let index = self.out.files.len();
        if let (Some(name), Some(package)) = (&parsed.package, &parsed.file.package) {
            match self.packages.get(name) {
                None => {
                    self.packages.insert(name.clone(), index);
                }
                Some(&first) => {
                    let mut error = Diagnostic::error(
                        Code::E0210,
                        package.path.span,
                        format!("package `{name}` is declared by two files"),
                    )
                    .help("give one of them another package name; a package is one file");
                    if let Some(place) = self
                        .out
                        .files
                        .get(first)
                        .and_then(|file| file.package.as_ref())
                    {
                        error = error.also(place.path.span, "first declared here");
                    }
                    self.out.findings.push(error);
                }
            }
        }
        self.out.infos.push(FileInfo {
            name: parsed.path.clone(),
            is_input,
            broken: parsed.broken,
            imports: Vec::new(),
        });
        self.out.loaded.push(parsed.path);
        self.out.findings.append(parsed.findings);
        self.out.files.push(parsed.file);
        index
    }

    fn follow_imports(&mut self, file: usize) {
        let Some(tree) = self.out.files.get(file) else {
            return;
        };
        let wanted: Vec<(String, Span)> = tree
            .imports
            .iter()
            .map(|import| (package_of(import), import.path.span))
            .collect();
        let own = tree.package.as_ref().map(|package| dotted(&package.path));
        let mut targets = Vec::with_capacity(wanted.len());
        for (package, span) in wanted {
            // What is not found would not be told, and each search asks the disk.
            if self.out.findings.is_over() {
                targets.push(None);
                continue;
            }
            if package.is_empty() || own.as_ref() == Some(&package) {
                self.out
                    .findings
                    .push(useless_import(span, &package, self.out.sources.text(span)));
                targets.push(None);
                continue;
            }
            targets.push(self.package(file, &package, span));
        }
        if let Some(info) = self.out.infos.get_mut(file) {
            info.imports = targets;
        }
    }
}

/// An import without a package, or one of the file's own package.
fn useless_import(span: Span, package: &str, text: &str) -> Diagnostic {
    if package.is_empty() {
        return Diagnostic::error(
            Code::E0212,
            span,
            format!("import `{text}` names no package"),
        )
        .help("write the package and the name, such as `import acme.common.Uuid;`");
    }
    Diagnostic::error(
        Code::E0212,
        span,
        format!("package `{package}` imports from itself"),
    )
    .help("remove the import; names of the same file are visible without it")
}

/// Decodes and parses one text.
fn parse_bytes(sources: &mut SourceMap, name: &str, bytes: &[u8]) -> Parsed {
    if bytes.len() > limits::SOURCE_BYTES {
        let error = Diagnostic::global(
            Code::E0409,
            format!(
                "`{name}` has {} bytes, more than the {} that a source may have",
                bytes.len(),
                limits::SOURCE_BYTES
            ),
        )
        .help("split it into several packages");
        return unread(sources.add(name, ""), name, error);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let source = sources.add(name, text);
            let mut findings = Findings::default();
            let file = parse::parse_into(source, text, &mut findings);
            let package = file.package.as_ref().map(|package| dotted(&package.path));
            Parsed {
                path: name.to_owned(),
                file,
                package,
                broken: findings.has_errors(),
                findings,
            }
        }
        Err(error) => {
            // Everything before the first bad byte is unchanged, so the place can be shown.
            let start = error.valid_up_to();
            let text = String::from_utf8_lossy(bytes).into_owned();
            let bad = bytes.get(start).copied().unwrap_or(0);
            let source = sources.add(name, text);
            let span = Span::new(
                source,
                start,
                start + char::REPLACEMENT_CHARACTER.len_utf8(),
            );
            let mut error = parse::not_utf8(name, start);
            error.primary = Some(Label {
                span,
                text: format!("byte 0x{bad:02x}"),
            });
            unread(source, name, error)
        }
    }
}

/// Stands for a file that could not be parsed at all.
fn unread(source: SourceId, name: &str, error: Diagnostic) -> Parsed {
    let mut findings = Findings::default();
    findings.push(error);
    Parsed {
        path: name.to_owned(),
        file: empty_file(source),
        package: None,
        broken: true,
        findings,
    }
}

/// A tree of nothing.
fn empty_file(source: SourceId) -> ast::File {
    ast::File {
        source,
        docs: Vec::new(),
        edition: None,
        package: None,
        imports: Vec::new(),
        items: Vec::new(),
        comments: Vec::new(),
        span: Span::new(source, 0, 0),
    }
}

/// The package that an import names: all but its last segment.
pub(crate) fn package_of(import: &ast::Import) -> String {
    let segments = &import.path.segments;
    let names: Vec<&str> = segments
        .iter()
        .take(segments.len().saturating_sub(1))
        .map(|name| name.text.as_str())
        .collect();
    names.join(".")
}

/// A path as text.
pub(crate) fn dotted(path: &ast::Path) -> String {
    let names: Vec<&str> = path
        .segments
        .iter()
        .map(|name| name.text.as_str())
        .collect();
    names.join(".")
}

/// A path without `.` and `name/..` parts, as far as text alone can tell.
pub fn normalize(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|&last| last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute {
        format!("/{joined}")
    } else {
        joined
    }
}

/// A tree that stands alone cannot import anything.
pub(crate) fn refuse_imports(file: &ast::File, findings: &mut Findings) {
    let refused = file.imports.iter().map(|import| {
        Diagnostic::error(Code::E0207, import.span, "nothing can be imported here")
            .help("write the types next to each other, or compile an `.idl` file")
    });
    findings.extend(refused);
}
