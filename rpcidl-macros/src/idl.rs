//! `include_idl!`: a definition compiled where it is used.

use std::env;
use std::path::{Path, PathBuf};

use proc_macro::{Span, TokenStream};
use rpcidl::build::read_input;
use rpcidl::diag::render::{Style, human, summary};
use rpcidl::diag::{Diagnostic, Severity};
use rpcidl::fs::FsLoader;
use rpcidl::source::SourceMap;
use rpcidl::{Compilation, LoadError, Loader, compile, emit};

use crate::error::{compile_error, compile_errors};
use crate::input::Input;
use crate::options::{Options, read};
use crate::output::plain;

/// What takes the place of the call.
pub(crate) fn include(tokens: TokenStream) -> TokenStream {
    crate::begin();
    let input = Input::of(tokens);
    let options = match read(&input.text) {
        Ok(options) => options,
        Err(errors) => return compile_errors(&input, &errors),
    };
    let (first, last) = input.ends(options.file.1.clone());
    if !options.file.0.ends_with(".idl") {
        return built(&options.file.0, first);
    }
    // Without cargo the folder is the one that rustc was started in.
    let root = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    match compiled(&options, &root, crate::manifest()) {
        Ok((text, watched)) => {
            let mut all = String::new();
            for path in watched {
                // Cargo compiles the crate again when a file changes that it names.
                all += &format!(
                    "const _: &[u8] = ::core::include_bytes!({:?});\n",
                    path.to_string_lossy()
                );
            }
            // At the call and not at the name: lints then know that nobody wrote this.
            plain(&(all + &text), Span::call_site())
        }
        Err(message) => compile_error(&message, first, last),
    }
}

/// What a build script wrote.
fn built(name: &str, span: Span) -> TokenStream {
    let path = format!("/{name}.rs");
    plain(
        &format!("::core::include!(::core::concat!(::core::env!(\"OUT_DIR\"), {path:?}));"),
        span,
    )
}

/// The generated code and every file that it was made from.
fn compiled(
    options: &Options,
    root: &Path,
    manifest: Option<String>,
) -> Result<(String, Vec<PathBuf>), String> {
    let loader = Rooted { root };
    let (name, path) = (&options.file.0, root.join(&options.file.0));
    let nothing = SourceMap::default();
    let mut input =
        read_input(&path).map_err(|error| told(&nothing, &[unrooted(*error, &path, name)]))?;
    input.name.clone_from(name);
    let Compilation {
        sources,
        model,
        diagnostics,
        loaded,
        ..
    } = compile(&[input], &options.include, &loader);
    let Some(model) = model else {
        return Err(told(&sources, &diagnostics));
    };
    let options = emit::Options {
        manifest,
        ..options.emit.clone()
    };
    let output = emit::emit(&model, &options).map_err(|errors| told(&sources, &errors))?;
    Ok((
        output.to_single_file(),
        loaded.iter().map(|path| root.join(path)).collect(),
    ))
}

/// Names a file the way it was written.
fn unrooted(mut error: Diagnostic, path: &Path, name: &str) -> Diagnostic {
    error.message = error.message.replace(&*path.to_string_lossy(), name);
    error
}

/// Diagnostics the way rustc shows its own; warnings only if there is an error to show them with.
fn told(sources: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    let mut found: Vec<&Diagnostic> = diagnostics.iter().collect();
    found.sort_by_key(|found| found.severity != Severity::Error);
    let texts = found
        .iter()
        .map(|found| human(found, sources, Style::Plain).trim_end().to_owned());
    let more = summary(diagnostics, sources).map(|summary| summary.more);
    let texts: Vec<String> = texts.chain(more).collect();
    format!("the definition has errors\n\n{}", texts.join("\n\n"))
}

/// Reads files below the folder of the crate, whatever folder rustc was started in.
struct Rooted<'a> {
    root: &'a Path,
}

impl Rooted<'_> {
    fn at(&self, path: &str) -> String {
        self.root.join(path).to_string_lossy().into_owned()
    }
}

impl Loader for Rooted<'_> {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        FsLoader.load(&self.at(path))
    }

    fn identity(&self, path: &str) -> String {
        FsLoader.identity(&self.at(path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

    use super::*;

    fn asked(call: &str) -> Result<(String, Vec<PathBuf>), String> {
        crate::begin();
        let options = read(call).map_err(|errors| format!("{errors:?}"))?;
        compiled(
            &options,
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idl"),
            None,
        )
    }

    #[test]
    fn every_file_that_is_read_is_watched() {
        let (text, watched) = asked(r#""shop.idl", backend = "inproc""#).unwrap_or_default();
        assert!(
            text.contains("pub mod shop") && text.contains("pub mod acme_common"),
            "{text}"
        );
        let names: Vec<_> = watched.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["shop.idl", "common.idl"]);
    }

    #[test]
    fn errors_look_like_those_of_rustc_and_name_no_folder_of_the_machine() {
        let told = asked(r#""broken/broken.idl", include = ["."]"#).unwrap_err();
        let first = "the definition has errors\n\nerror[E0201]: unknown type `Uuidd`\n";
        assert!(told.starts_with(first), "{told}");
        assert!(told.contains("broken/broken.idl:5:5"), "{told}");
        assert!(told.contains("error[E0301]"), "{told}");
        let last = "\n\nFor more about it, try `rpcgen explain E0201`";
        assert!(told.ends_with(last), "{told}");
        assert!(!told.contains(env!("CARGO_MANIFEST_DIR")), "{told}");
        let told = asked(r#""nowhere.idl""#).unwrap_err();
        assert!(
            told.contains("E0001") && told.contains("`nowhere.idl`"),
            "{told}"
        );
        assert!(!told.contains(env!("CARGO_MANIFEST_DIR")), "{told}");
    }
}
