//! The command line as it is parsed; each subcommand keeps its own arguments.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

#[cfg(target_os = "linux")]
use crate::commands::stat;
use crate::commands::{ast, check, completions, explain, fmt, generate, idl, layout, new};

/// Compile interface definitions to zero-copy Rust.
///
/// Without a subcommand the FILEs are compiled and the Rust code is printed, or written where `-o` says. Imported packages
/// are looked for next to the importing file and in the folders given with `-I`.
#[derive(Debug, Parser)]
#[command(
    name = "rpcgen",
    version,
    subcommand_negates_reqs = true,
    override_usage = "rpcgen [OPTIONS] <FILE>...\n       rpcgen <COMMAND>",
    after_help = "Exit codes: 0 fine, 1 findings in the input, 2 wrong use or a file that cannot be read or written.",
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) generate: generate::Arguments,
    #[command(flatten)]
    pub(crate) messages: Messages,
}

/// What can be done besides compiling.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check files and print what is wrong with them
    Check(check::Arguments),
    /// Format files in place
    Fmt(fmt::Arguments),
    /// Print offset, size, padding and cache line of every field, and what every message costs
    Layout(layout::Arguments),
    /// Print the syntax tree of files
    Ast(ast::Arguments),
    /// Explain an error code
    Explain(explain::Arguments),
    /// Create a cargo project with a schema, a service and a client
    New(new::Arguments),
    /// Print the IDL of the services and messages that a Rust file defines with attributes
    Idl(idl::Arguments),
    /// Print how a running shared-memory server is: its clients, calls in flight and counters
    #[cfg(target_os = "linux")]
    Stat(stat::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
}

/// How findings are told; the same for every subcommand.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Messages {
    /// How errors and warnings are printed
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        long_help = "How errors and warnings are printed: `human` with the source text, `short` in one line each, or \
                     `json` as one object a line. They go to the standard error in every case"
    )]
    pub(crate) message_format: MessageFormat,
    /// Whether they are coloured
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        long_help = "Whether they are coloured: `auto` on a terminal, unless NO_COLOR is set; `always`; or `never`"
    )]
    pub(crate) color: Color,
}

/// The form of errors and warnings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// With the source text, over several lines.
    #[default]
    Human,
    /// One line each.
    Short,
    /// One JSON object a line.
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where imports are looked for.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Search {
    /// Look for imported packages in this folder too
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    pub(crate) include: Vec<std::path::PathBuf>,
}

/// The whole command line.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// An argument of compiling that stands before a subcommand, where it would be lost.
pub(crate) fn misplaced(matches: &ArgMatches) -> Option<clap::Error> {
    let name = matches.subcommand_name()?;
    let mut command = command();
    command.build();
    let lost = command.get_arguments().find(|arg| {
        !arg.is_global_set()
            && matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    })?;
    let message = format!(
        "`{lost}` stands before `{name}`, where it has no effect; arguments of `{name}` stand after it"
    );
    Some(command.error(ErrorKind::ArgumentConflict, message))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
