//! `rpcgen check`: the compiler without its output.

use std::path::PathBuf;

use clap::Args;
use rpcidl::emit::{self, Options};

use crate::cli::Search;
use crate::compile;
use crate::console::Console;
use crate::stop::Stop;

/// Arguments of `rpcgen check`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files to check; `-` is the standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    search: Search,
}

/// Runs it.
pub(crate) fn run(args: &Arguments, console: &Console) -> Result<(), Stop> {
    let compiled = compile::compile(&args.files, &args.search, console)?;
    // What the backends of `@Backends` cannot carry.
    match emit::emit(&compiled.model, &Options::default()) {
        Ok(_) => Ok(()),
        Err(errors) => {
            console.diagnostics(&compiled.compilation.sources, &errors);
            Err(compile::stop(&errors))
        }
    }
}
