//! What people are told about each frequent mistake, as rustc would show it, as one line, and as JSON.
//!
//! `errors/NAME.idl` is one input. `errors/NAME/` with a `main.idl` is one input whose folders are the include folders;
//! without one, every `.idl` in it is an input. A file `x.idl.unreadable` stands for an `x.idl` that cannot be read.

use std::fs;
use std::path::Path;

use golden_runner::{CorpusLoader, Goldens, folder};
use rpcidl::diag::render::{Style, human, short};
use rpcidl::diag::{Diagnostic, Severity};
use rpcidl::json::diagnostic_to_json;
use rpcidl::{Compilation, Input, LoadError, Loader, compile};

/// Cases that are shown as one line each and as JSON, too.
const ALL_FORMS: &[&str] = &[
    "foreign_type_names",
    "duplicate_name",
    "import_not_found",
    "warnings",
    "not_utf8",
    "two_files_one_package",
];

struct ErrorsLoader(CorpusLoader);

impl Loader for ErrorsLoader {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if self.0.0.join(format!("{path}.unreadable")).exists() {
            return Err(LoadError::Other("permission denied".to_owned()));
        }
        self.0.load(path)
    }
}

fn entries(folder: &Path) -> Vec<(String, bool)> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("a folder of cases")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| {
            (
                entry.file_name().into_string().expect("a name in UTF-8"),
                entry.path().is_dir(),
            )
        })
        .collect();
    entries.sort();
    entries
}

/// Every case with its compilation.
fn cases() -> Vec<(String, Compilation)> {
    let root = folder().join("errors");
    let loader = ErrorsLoader(CorpusLoader(root.clone()));
    let input = |name: &str| Input::new(name, fs::read(root.join(name)).expect("a case"));
    let mut cases = Vec::new();
    for (name, is_folder) in entries(&root) {
        if is_folder {
            let inner = entries(&root.join(&name));
            let path = |(file, _): &(String, bool)| format!("{name}/{file}");
            let (inputs, include) = match inner.iter().find(|(file, _)| file == "main.idl") {
                Some(main) => (
                    vec![input(&path(main))],
                    inner
                        .iter()
                        .filter(|(_, is_folder)| *is_folder)
                        .map(path)
                        .collect(),
                ),
                None => (
                    inner.iter().map(|entry| input(&path(entry))).collect(),
                    Vec::new(),
                ),
            };
            cases.push((name.clone(), compile(&inputs, &include, &loader)));
        } else if let Some(stem) = name.strip_suffix(".idl") {
            cases.push((stem.to_owned(), compile(&[input(&name)], &[], &loader)));
        }
    }
    cases
}

fn all(compilation: &Compilation, show: impl Fn(&Diagnostic) -> String) -> String {
    compilation
        .diagnostics
        .iter()
        .map(|found| show(found) + "\n")
        .collect()
}

#[test]
fn diagnostics_are_shown_as_expected() {
    let mut goldens = Goldens::new(&folder().join("errors"));
    for (name, compilation) in cases() {
        let sources = &compilation.sources;
        let text = all(&compilation, |found| {
            human(found, sources, Style::Plain) + "\n"
        });
        goldens.expect(&format!("{name}.stderr"), &text);
        if ALL_FORMS.contains(&name.as_str()) {
            goldens.expect(
                &format!("{name}.short"),
                &all(&compilation, |found| short(found, sources)),
            );
            goldens.expect(
                &format!("{name}.json"),
                &all(&compilation, |found| diagnostic_to_json(found, sources)),
            );
        }
    }
    goldens.finish(&[".stderr", ".short", ".json"]);
}

#[test]
fn every_mistake_is_refused_at_its_place() {
    let mut wrong = Vec::new();
    for (name, compilation) in cases() {
        let expected = if name == "warnings" {
            Severity::Warning
        } else {
            Severity::Error
        };
        if !compilation
            .diagnostics
            .iter()
            .any(|found| found.severity == expected)
        {
            wrong.push(format!("{name}: nothing is found"));
        }
        if (expected == Severity::Error) == compilation.model.is_some() {
            wrong.push(format!(
                "{name}: a model comes with errors, or none without"
            ));
        }
        for found in &compilation.diagnostics {
            let text = found.message.as_str();
            // A message begins like a sentence goes on: with a name, a number, an acronym, or a word in lower case.
            let capital = |at: usize| text.chars().nth(at).is_some_and(char::is_uppercase);
            if text.is_empty()
                || capital(0) && !capital(1)
                || text.ends_with('.')
                || text.contains('\n')
            {
                wrong.push(format!(
                    "{name}: {text:?} is not one line in lower case without a full stop"
                ));
            }
            for label in found.primary.iter().chain(&found.secondary) {
                let source = &sources_text(&compilation, label.span.source);
                let range = label.span.range();
                if range.end > source.len()
                    || !source.is_char_boundary(range.start)
                    || !source.is_char_boundary(range.end)
                {
                    wrong.push(format!("{name}: {} points outside of its text", found.code));
                }
            }
            let json: Result<serde_json::Value, _> =
                serde_json::from_str(&diagnostic_to_json(found, &compilation.sources));
            if json.is_err() {
                wrong.push(format!("{name}: the JSON of {} is none", found.code));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sources_text(compilation: &Compilation, id: rpcidl::source::SourceId) -> String {
    compilation.sources.get(id).text.to_string()
}

#[test]
fn edits_mend_what_they_are_for() {
    let mut wrong = Vec::new();
    for (name, compilation) in cases() {
        for found in &compilation.diagnostics {
            let Some(edit) = &found.edit else { continue };
            let source = compilation.sources.get(edit.span.source);
            if source.name.contains('/') {
                continue;
            }
            let mut mended = source.text.to_string();
            mended.replace_range(edit.span.range(), &edit.replacement);
            let again = compile(
                &[Input::new(source.name.as_str(), mended)],
                &[],
                &CorpusLoader(folder().join("errors")),
            );
            let same =
                |other: &&Diagnostic| other.code == found.code && other.message == found.message;
            let (before, after) = (
                compilation.diagnostics.iter().filter(same).count(),
                again.diagnostics.iter().filter(same).count(),
            );
            if after >= before {
                wrong.push(format!(
                    "{name}: {}: {} -> {:?} changes nothing",
                    found.code, found.message, edit.replacement
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
