//! Where an imported package is looked for.

use super::{LoadError, Probe, Reader, dotted, parse_bytes};
use crate::diag::{Code, Diagnostic, Label};
use crate::limits;
use crate::parse;
use crate::source::Span;

impl Reader<'_> {
    /// The file that declares `package`, seen from `file`.
    pub(super) fn package(&mut self, file: usize, package: &str, span: Span) -> Option<usize> {
        // An input that declares the package is it, wherever the file lies.
        if let Some(&index) = self.packages.get(package)
            && self.out.infos.get(index).is_some_and(|info| info.is_input)
        {
            return Some(index);
        }
        let folder = self
            .out
            .infos
            .get(file)
            .map_or("", |info| folder_of(&info.name))
            .to_owned();
        let key = (folder, package.to_owned());
        if let Some(&known) = self.found.get(&key) {
            return known;
        }
        let answer = self.search(&key.0, package, span);
        self.found.insert(key, answer);
        answer
    }

    /// Looks in the folder and in every include folder, and reports none or several finds.
    fn search(&mut self, folder: &str, package: &str, span: Span) -> Option<usize> {
        let mut matches: Vec<(String, String)> = Vec::new();
        let mut tried = Vec::new();
        let mut others = Vec::new();
        for path in candidates(folder, self.include_dirs, package) {
            let identity = self.loader.identity(&path);
            self.probe(&identity, &path);
            match self.probes.get(&identity) {
                None | Some(Probe::Missing) => {
                    self.searched.insert(path.clone());
                    tried.push(path);
                }
                Some(Probe::Unreadable(message)) => {
                    let mut error = parse::unreadable(&path, message);
                    error.primary = Some(Label {
                        span,
                        text: "imported here".to_owned(),
                    });
                    self.out.findings.push(error);
                    return None;
                }
                Some(probe) => {
                    let declared = match probe {
                        Probe::Parsed(parsed) => parsed.package.clone(),
                        Probe::Added(index) => self
                            .out
                            .files
                            .get(*index)
                            .and_then(|file| file.package.as_ref())
                            .map(|package| dotted(&package.path)),
                        _ => None,
                    };
                    if declared.as_deref() == Some(package) {
                        if matches.iter().all(|(known, _)| *known != identity) {
                            matches.push((identity, path));
                        }
                    } else {
                        others.push(match declared {
                            Some(other) => format!("`{path}` declares package `{other}`"),
                            None => format!("`{path}` declares no package"),
                        });
                    }
                }
            }
        }
        let mut found = matches.iter();
        let Some((identity, path)) = found.next() else {
            self.out
                .findings
                .push(not_found(package, span, &tried, others));
            return None;
        };
        if let Some((_, second)) = found.next() {
            self.out
                .findings
                .push(ambiguous(package, span, path, second));
            return None;
        }
        if let Some(&known) = self.packages.get(package) {
            // Another folder already led to this package; it must have led to the same file.
            if matches!(self.probes.get(identity), Some(Probe::Added(index)) if *index == known) {
                return Some(known);
            }
            let first = self
                .out
                .infos
                .get(known)
                .map_or("", |info| &info.name)
                .to_owned();
            self.out
                .findings
                .push(ambiguous(package, span, &first, path));
            return None;
        }
        self.admit(&identity.clone(), span)
    }

    /// Makes a file that was found part of the compilation.
    fn admit(&mut self, identity: &str, span: Span) -> Option<usize> {
        if let Some(Probe::Added(index)) = self.probes.get(identity) {
            return Some(*index);
        }
        self.imported += 1;
        if self.imported > limits::IMPORTED_FILES {
            if self.imported == limits::IMPORTED_FILES + 1 {
                self.out.findings.push(
                    Diagnostic::error(
                        Code::E0407,
                        span,
                        format!("more than {} files are imported", limits::IMPORTED_FILES),
                    )
                    .help("join packages, or compile them in several steps"),
                );
            }
            return None;
        }
        let Some(Probe::Parsed(parsed)) = self.probes.remove(identity) else {
            return None;
        };
        let index = self.add(*parsed, false);
        self.probes.insert(identity.to_owned(), Probe::Added(index));
        Some(index)
    }

    /// Reads and parses a path unless that was done before.
    fn probe(&mut self, identity: &str, path: &str) {
        if self.probes.contains_key(identity) {
            return;
        }
        let probe = match self.loader.load(path) {
            Ok(bytes) => Probe::Parsed(Box::new(parse_bytes(&mut self.out.sources, path, &bytes))),
            Err(LoadError::NotFound) => Probe::Missing,
            Err(LoadError::Other(message)) => Probe::Unreadable(message),
        };
        self.probes.insert(identity.to_owned(), probe);
    }
}

/// Every path at which a package may lie, in the order in which they are tried.
fn candidates(folder: &str, include_dirs: &[String], package: &str) -> Vec<String> {
    let last = package.rsplit('.').next().unwrap_or(package);
    let mut names = vec![
        format!("{}.idl", package.replace('.', "/")),
        format!("{package}.idl"),
        format!("{last}.idl"),
    ];
    names.dedup();
    let mut paths: Vec<String> = Vec::new();
    for folder in std::iter::once(folder).chain(include_dirs.iter().map(String::as_str)) {
        for name in &names {
            let path = join(folder, name);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}

/// The folder part of a path, without the last separator.
fn folder_of(path: &str) -> &str {
    match path.rfind(['/', '\\']) {
        Some(0) => "/",
        Some(end) => path.get(..end).unwrap_or(""),
        None => "",
    }
}

fn join(folder: &str, name: &str) -> String {
    match folder {
        "" | "." => name.to_owned(),
        _ if folder.ends_with(['/', '\\']) => format!("{folder}{name}"),
        _ => format!("{folder}/{name}"),
    }
}

fn not_found(package: &str, span: Span, tried: &[String], others: Vec<String>) -> Diagnostic {
    let mut error = Diagnostic::error(
        Code::E0207,
        span,
        format!("package `{package}` is not found"),
    )
    .label("imported here")
    .help("name its folder with `-I`, or its file among the inputs");
    if !tried.is_empty() {
        let paths: Vec<String> = tried.iter().map(|path| format!("`{path}`")).collect();
        error = error.note(format!("looked for {}", paths.join(", ")));
    }
    for other in others {
        error = error.note(other);
    }
    error
}

fn ambiguous(package: &str, span: Span, first: &str, second: &str) -> Diagnostic {
    Diagnostic::error(
        Code::E0208,
        span,
        format!("package `{package}` is found in more than one file"),
    )
    .label("imported here")
    .note(format!("`{first}` declares it"))
    .note(format!("`{second}` declares it too"))
    .help("remove one of the files, or name the one that is meant among the inputs")
}
