//! The schemas under `idl/`, and the code that the compiler makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rpcidl::diag::Diagnostic;
use rpcidl::emit::{Options, Output, emit};
use rpcidl::ir::Backend;
use rpcidl::{Compilation, Input, LoadError, Loader, compile};

/// The folder `tests/golden`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One schema of the corpus.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file's name without its ending, which is also the name of the generated module.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Case {
    /// True unless the schema says in a comment that it is for the backends that it names itself, if any.
    pub fn is_for_inproc(&self) -> bool {
        !self.text.contains("// golden: backends as named")
    }

    /// Compiles the schema; imports are looked for in `idl/`.
    pub fn compile(&self) -> Compilation {
        let name = format!("idl/{}.idl", self.name);
        compile(
            &[Input::new(name, self.text.clone())],
            &[],
            &CorpusLoader(folder()),
        )
    }
}

/// Every schema that stands directly in `idl/`, by name.
///
/// # Panics
/// If the folder cannot be read.
pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = fs::read_dir(folder().join("idl"))
        .expect("the corpus is there")
        .filter_map(|entry| {
            let path = entry.expect("an entry of the corpus").path();
            let name = path.file_name()?.to_str()?.strip_suffix(".idl")?.to_owned();
            let text = fs::read_to_string(&path).expect("a readable schema");
            Some(Case { name, text })
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// What the goldens are generated with.
pub fn options(case: &Case) -> Options {
    Options {
        backends: if case.is_for_inproc() {
            vec![Backend::Inproc]
        } else {
            Vec::new()
        },
        ..Options::default()
    }
}

/// The generated file of a schema.
///
/// # Panics
/// If the schema has an error, with every finding.
pub fn generate(case: &Case, options: &Options) -> String {
    print(case, options, |output| output.to_single_file())
}

/// The generated files of a schema, one a package.
///
/// # Panics
/// If the schema has an error, with every finding.
pub fn generate_directory(case: &Case, options: &Options) -> BTreeMap<String, String> {
    print(case, options, |output| output.to_directory())
}

fn print<T>(case: &Case, options: &Options, print: impl FnOnce(&Output<'_>) -> T) -> T {
    let compilation = case.compile();
    let Some(model) = &compilation.model else {
        panic!(
            "`{}.idl` is refused:\n{}",
            case.name,
            refused(&compilation, &compilation.diagnostics)
        );
    };
    match emit(model, options) {
        Ok(output) => print(&output),
        Err(found) => panic!(
            "`{}.idl` cannot be emitted:\n{}",
            case.name,
            refused(&compilation, &found)
        ),
    }
}

/// The findings, one a line.
pub fn refused(compilation: &Compilation, found: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in found {
        let place = diagnostic.primary.as_ref().map(|label| {
            let (line, column) = compilation.sources.line_column(label.span);
            format!(
                "{}:{line}:{column}: ",
                compilation.sources.get(label.span.source).name
            )
        });
        text += &format!(
            "{}{}: {}\n",
            place.unwrap_or_default(),
            diagnostic.code,
            diagnostic.message
        );
    }
    text
}

/// Reads imported files below a folder, so that no path of the machine reaches the compiler.
#[derive(Clone, Debug)]
pub struct CorpusLoader(pub PathBuf);

impl Loader for CorpusLoader {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        match fs::read(self.0.join(path)) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(LoadError::NotFound),
            Err(error) => Err(LoadError::Other(error.kind().to_string())),
        }
    }
}
