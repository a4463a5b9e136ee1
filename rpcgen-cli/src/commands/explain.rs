//! `rpcgen explain`: the page of an error code.

use std::fmt::Write as _;

use clap::Args;
use rpcidl::diag::{Code, ERROR_INDEX};

use crate::console::Console;
use crate::stop::Stop;

/// Arguments of `rpcgen explain`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The code, such as E0201
    #[arg(value_name = "CODE", required_unless_present = "list")]
    code: Option<String>,
    /// List every code with its title
    #[arg(long, conflicts_with = "code")]
    list: bool,
}

/// Runs it.
pub(crate) fn run(args: &Arguments, console: &Console) -> Result<(), Stop> {
    let Some(name) = &args.code else {
        let mut text = String::new();
        for code in ERROR_INDEX {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}  {}", code.name, code.title);
        }
        return console.result(&text);
    };
    // What is copied from a message may still have its brackets.
    let bare = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    match Code::find(bare) {
        Some(code) => console.result(code.page),
        None => Err(Stop::advised(
            format!("there is no code `{name}`"),
            "`rpcgen explain --list` lists every code",
        )),
    }
}
