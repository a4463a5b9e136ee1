//! Reads what is named on the command line.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rpcidl::Input;
use rpcidl::build::read_input;
use rpcidl::diag::Diagnostic;
use rpcidl::limits;
use rpcidl::parse;
use rpcidl::source::SourceMap;

use crate::console::Console;
use crate::stop::Stop;

/// What stands for the standard input, and the name that it is shown under.
const STDIN: (&str, &str) = ("-", "<stdin>");

/// True for the path that stands for the standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN.0
}

/// Reads every file. If some cannot be read, all of those are told.
pub(crate) fn read(paths: &[PathBuf], console: &Console) -> Result<Vec<Input>, Stop> {
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Stop::advised(
            "`-` is given twice",
            "the standard input can be read only once",
        ));
    }
    let mut inputs = Vec::new();
    let mut unreadable = Vec::new();
    for path in paths {
        let result = if is_stdin(path) {
            read_stdin()
        } else {
            read_input(path).map_err(|error| Box::new(hint(*error, path)))
        };
        match result {
            Ok(input) => inputs.push(input),
            Err(error) => unreadable.push(*error),
        }
    }
    if unreadable.is_empty() {
        return Ok(inputs);
    }
    console.diagnostics(&SourceMap::default(), &unreadable);
    Err(Stop::Unusable)
}

fn read_stdin() -> Result<Input, Box<Diagnostic>> {
    let mut bytes = Vec::new();
    // One byte over the limit is enough for the compiler to refuse the text, however much would follow.
    let limit = limits::SOURCE_BYTES as u64 + 1;
    match io::stdin().lock().take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(Input::new(STDIN.1, bytes)),
        Err(error) => Err(Box::new(parse::unreadable(STDIN.1, &error.to_string()))),
    }
}

/// What compiling is called by other compilers.
const COMPILES: [&str; 6] = ["build", "codegen", "compile", "emit", "gen", "generate"];

/// A word that is no file may be a subcommand that is misspelt or in the wrong place.
fn hint(error: Diagnostic, path: &Path) -> Diagnostic {
    let is_word = |text: &&str| text.chars().all(|c| c.is_ascii_alphabetic());
    let Some(word) = path.to_str().filter(is_word).filter(|_| !path.exists()) else {
        return error;
    };
    if rpcidl::backend(word).is_ok() {
        return error.help(format!(
            "a backend belongs to an option: `--backend {word}`, or `--backend inproc,shm` for several"
        ));
    }
    if COMPILES.contains(&word) {
        return error
            .help("compiling is what `rpcgen` does without a subcommand: `rpcgen FILE.idl`");
    }
    let command = crate::cli::command();
    let names: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    let exact = names.iter().copied().find(|name| *name == word);
    match exact.or_else(|| rpcidl::suggest::nearest(word, names)) {
        Some(near) => error.help(format!(
            "there is a subcommand `{near}`; it stands first: `rpcgen {near}`"
        )),
        None => error,
    }
}
