//! `rpcgen idl`: the IDL of what a Rust file defines with attributes.

use std::path::PathBuf;

use clap::Args;
use rpcidl::source::SourceMap;
use rpcidl::{fmt, parse, rust};

use crate::console::Console;
use crate::input;
use crate::stop::Stop;

/// Arguments of `rpcgen idl`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The Rust file; `-` is the standard input
    #[arg(
        value_name = "FILE",
        required_unless_present = "from_rust",
        conflicts_with = "from_rust"
    )]
    file: Option<PathBuf>,
    /// The same, spelled out
    #[arg(long, value_name = "FILE")]
    from_rust: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Arguments, console: &Console) -> Result<(), Stop> {
    let path = args.file.as_ref().or(args.from_rust.as_ref());
    for input in input::read(path.map_or(&[], std::slice::from_ref), console)? {
        let text = match String::from_utf8(input.bytes) {
            Ok(text) => text,
            Err(error) => {
                let found = parse::not_utf8(&input.name, error.utf8_error().valid_up_to());
                console.diagnostics(&SourceMap::default(), &[found]);
                return Err(Stop::Findings);
            }
        };
        match rust::to_idl(&text, &input.name) {
            Ok(idl) => console.result(&formatted(idl))?,
            Err((sources, found)) => {
                console.diagnostics(&sources, &found);
                return Err(Stop::Findings);
            }
        }
    }
    Ok(())
}

/// The schema as `rpcgen fmt` leaves it.
fn formatted(idl: String) -> String {
    let mut sources = SourceMap::default();
    let source = sources.add("", idl.as_str());
    let (file, found) = parse::parse(source, &idl);
    if found.is_empty() {
        fmt::format(&file, &idl)
    } else {
        idl
    }
}
