//! `rpcgen completions`: a script that completes its arguments in a shell.

use clap::Args;
use clap_complete::Shell;

use crate::cli;
use crate::console::Console;
use crate::stop::Stop;

/// Arguments of `rpcgen completions`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Runs it.
pub(crate) fn run(args: &Arguments, console: &Console) -> Result<(), Stop> {
    let mut command = cli::command();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "rpcgen", &mut script);
    console.result(&String::from_utf8_lossy(&script))
}
