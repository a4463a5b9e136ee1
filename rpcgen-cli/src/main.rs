//! The command `rpcgen`. Everything about the language is in the library; this is arguments, files and exit codes.

#![forbid(unsafe_code)]

mod cli;
mod commands;
mod compile;
mod console;
mod input;
mod stop;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use cli::{Cli, Command};
use console::Console;
use stop::Stop;

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.format(&mut Cli::command()).exit(),
    };
    if let Some(error) = cli::misplaced(&matches) {
        error.exit();
    }
    let console = Console::new(cli.messages);
    match run(cli, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Findings) => ExitCode::from(1),
        Err(Stop::Unusable) => ExitCode::from(2),
        Err(Stop::Trouble(trouble)) => {
            console.trouble(&trouble);
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli, console: &Console) -> Result<(), Stop> {
    match cli.command {
        None => commands::generate::run(&cli.generate, console),
        Some(Command::Check(args)) => commands::check::run(&args, console),
        Some(Command::Fmt(args)) => commands::fmt::run(&args, console),
        Some(Command::Layout(args)) => commands::layout::run(&args, console),
        Some(Command::Ast(args)) => commands::ast::run(&args, console),
        Some(Command::Explain(args)) => commands::explain::run(&args, console),
        Some(Command::New(args)) => commands::new::run(&args, console),
        Some(Command::Idl(args)) => commands::idl::run(&args, console),
        #[cfg(target_os = "linux")]
        Some(Command::Stat(args)) => commands::stat::run(&args, console),
        Some(Command::Completions(args)) => commands::completions::run(&args, console),
    }
}
