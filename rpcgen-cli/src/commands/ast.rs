//! `rpcgen ast`: the tree as it was written, for tools.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rpcidl::json;

use crate::compile;
use crate::console::Console;
use crate::stop::Stop;

/// Arguments of `rpcgen ast`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files to parse; `-` is the standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The form of the tree
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
}

/// The form of the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON.
    #[default]
    Json,
}

/// Runs it.
pub(crate) fn run(args: &Arguments, console: &Console) -> Result<(), Stop> {
    let (sources, trees) = compile::parse(&args.files, console)?;
    let files: Vec<_> = trees.iter().map(|tree| &tree.file).collect();
    match args.format {
        Format::Json => console.result(&(json::ast_to_json(&files, &sources) + "\n")),
    }
}
