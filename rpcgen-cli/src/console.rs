//! What is said to the user: findings on the standard error, results on the standard output.

use std::io::{self, ErrorKind, Write as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use rpcidl::diag::{Diagnostic, Severity, render};
use rpcidl::json;
use rpcidl::source::SourceMap;

use crate::cli::{Color, MessageFormat, Messages};
use crate::stop::{Stop, Trouble};

/// Says things in the way that was asked for.
#[derive(Debug)]
pub(crate) struct Console {
    format: MessageFormat,
    color: ColorChoice,
}

impl Console {
    /// A console that follows the command line.
    pub(crate) fn new(messages: Messages) -> Self {
        let color = match messages.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self {
            format: messages.message_format,
            color,
        }
    }

    /// Tells findings, and in the human form how many there were.
    pub(crate) fn diagnostics(&self, sources: &SourceMap, diagnostics: &[Diagnostic]) {
        let mut text = String::new();
        for found in diagnostics {
            text.push_str(&match self.format {
                MessageFormat::Human => {
                    render::human(found, sources, render::Style::Coloured) + "\n"
                }
                MessageFormat::Short => render::short(found, sources),
                MessageFormat::Json => json::diagnostic_to_json(found, sources),
            });
            text.push('\n');
        }
        if self.format == MessageFormat::Human {
            text.push_str(&summary(sources, diagnostics));
        }
        self.error_text(&text);
    }

    /// Tells what ended the command.
    pub(crate) fn trouble(&self, trouble: &Trouble) {
        self.complaint(&trouble.message, trouble.help.as_deref());
    }

    /// Tells an error that is about no text.
    pub(crate) fn complaint(&self, message: &str, help: Option<&str>) {
        let help_in = |start: &str, end: &str| {
            help.map_or(String::new(), |help| format!("{start}help: {help}{end}"))
        };
        self.error_text(&match self.format {
            MessageFormat::Human => {
                let help = help_in("  = ", "\n");
                format!("{ERROR}error{ERROR:#}{BOLD}: {message}{BOLD:#}\n{help}")
            }
            MessageFormat::Short => {
                let help = help_in(" (", ")");
                format!("error: {message}{help}\n")
            }
            // The form of a diagnostic, so that one reader reads both.
            MessageFormat::Json => {
                let object = serde_json::json!({
                    "code": null,
                    "severity": "error",
                    "message": message,
                    "spans": [],
                    "notes": [],
                    "help": help,
                    "edit": null,
                });
                format!("{object}\n")
            }
        });
    }

    /// Prints to the standard error. If even that fails there is nobody left to tell.
    fn error_text(&self, text: &str) {
        let mut stream = AutoStream::new(io::stderr().lock(), self.color);
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.flush();
    }

    /// Prints a result to the standard output.
    pub(crate) fn result(&self, text: &str) -> Result<(), Stop> {
        let mut stream = io::stdout().lock();
        match stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.flush())
        {
            // A reader that has seen enough, such as `head`, is no failure.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Stop::trouble(format!(
                "cannot write to the standard output: {error}"
            ))),
            Ok(()) => Ok(()),
        }
    }
}

const BOLD: Style = Style::new().bold();
const ERROR: Style = AnsiColor::BrightRed.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// The last lines, such as `error: 3 errors and 1 warning in kv.idl`.
fn summary(sources: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    let Some(summary) = render::summary(diagnostics, sources) else {
        return String::new();
    };
    let style = if summary.severity == Severity::Error {
        ERROR
    } else {
        WARNING
    };
    let word = render::severity_name(summary.severity);
    let (numbers, more) = (summary.numbers, summary.more);
    format!("{style}{word}{style:#}{BOLD}: {numbers}{BOLD:#}\n{more}\n")
}
