//! What the tests of the compiler share.
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub(crate) mod generate;
pub(crate) mod read;

use rpcidl::diag::Severity;
use rpcidl::{Compilation, Input, MemoryLoader, compile};

/// Compiles one text.
pub(crate) fn compile_text(text: &str) -> Compilation {
    compile(&[Input::new("test.idl", text)], &[], &MemoryLoader::new())
}

/// Compiles the first of several files; the others can be imported.
pub(crate) fn compile_files(files: &[(&str, &str)]) -> Compilation {
    let mut loader = MemoryLoader::new();
    for (name, text) in files {
        loader.add(name, *text);
    }
    let first: Vec<Input> = files
        .iter()
        .take(1)
        .map(|(name, text)| Input::new(*name, *text))
        .collect();
    compile(&first, &[], &loader)
}

/// The diagnostics as `E0201@12:5 message` lines.
pub(crate) fn lines(compilation: &Compilation) -> Vec<String> {
    compilation
        .diagnostics
        .iter()
        .map(|found| {
            let place = match &found.primary {
                Some(label) => {
                    let (line, column) = compilation.sources.line_column(label.span);
                    format!("{line}:{column}")
                }
                None => "-".to_owned(),
            };
            format!("{}@{place} {}", found.code, found.message)
        })
        .collect()
}

/// The names of the codes that were found.
pub(crate) fn codes(compilation: &Compilation) -> Vec<&'static str> {
    compilation
        .diagnostics
        .iter()
        .map(|found| found.code.name)
        .collect()
}

/// Only the errors.
pub(crate) fn errors(compilation: &Compilation) -> Vec<String> {
    let errors = compilation
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error);
    errors
        .map(|found| format!("{} {}", found.code, found.message))
        .collect()
}

/// The model of a text that must be free of errors.
pub(crate) fn model(text: &str) -> rpcidl::ir::Model {
    let compilation = compile_text(text);
    assert!(compilation.model.is_some(), "{:#?}", lines(&compilation));
    compilation.model.unwrap()
}

/// The text after its machine-applicable edits were applied, last first.
pub(crate) fn mended(text: &str) -> String {
    let compilation = compile_text(text);
    let mut edits: Vec<_> = compilation
        .diagnostics
        .iter()
        .filter_map(|found| found.edit.as_ref())
        .collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
    let mut text = text.to_owned();
    for edit in edits {
        text.replace_range(edit.span.range(), &edit.replacement);
    }
    text
}

/// What is wrong with the style of a compilation's messages.
pub(crate) fn style(compilation: &Compilation) -> Vec<String> {
    let mut wrong = Vec::new();
    for found in &compilation.diagnostics {
        let message = &found.message;
        let first = message.chars().next().unwrap();
        // What a syntax error expects is in its message.
        let says_what_to_do = found.help.is_some() || found.code.name < "E02";
        if message.ends_with('.') || message.contains('\n') || first.is_uppercase() {
            wrong.push(format!("{}: not the house style: {message}", found.code));
        }
        if message.matches('`').count() % 2 != 0 {
            wrong.push(format!("{}: odd backticks: {message}", found.code));
        }
        if !says_what_to_do {
            wrong.push(format!("{}: no help: {message}", found.code));
        }
    }
    wrong
}
