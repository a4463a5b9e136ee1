//! `rpcgen layout`: where every byte goes.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rpcidl::report;

use crate::cli::Search;
use crate::compile;
use crate::console::Console;
use crate::stop::Stop;

/// Columns of the tables where no terminal says how wide it is.
const WIDTH: usize = 100;

/// Arguments of `rpcgen layout`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files to lay out; `-` is the standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    search: Search,
    /// Tables for people, or JSON for tools
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
    /// Print instead, for each struct that another order of its fields would make smaller, that order
    #[arg(long)]
    suggest_order: bool,
}

/// The form of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables.
    #[default]
    Text,
    /// JSON.
    Json,
}

/// Runs it.
pub(crate) fn run(args: &Arguments, console: &Console) -> Result<(), Stop> {
    if args.suggest_order && args.format == Format::Json {
        return Err(Stop::trouble(
            "`--suggest-order` prints text only, so it cannot be used with `--format json`",
        ));
    }
    let compiled = compile::compile(&args.files, &args.search, console)?;
    let model = &compiled.model;
    if args.suggest_order {
        let text = report::suggest_order(model);
        let none = "no struct would be smaller in another order\n";
        return console.result(if text.is_empty() { none } else { &text });
    }
    match args.format {
        Format::Text => console.result(&report::text(model, width())),
        Format::Json => console.result(&report::json(model)),
    }
}

fn width() -> usize {
    let terminal = if io::stdout().is_terminal() {
        terminal_size::terminal_size()
    } else {
        None
    };
    terminal.map_or(WIDTH, |(width, _)| usize::from(width.0))
}
