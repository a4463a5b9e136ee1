//! Real runs of `rpcgen` over temporary folders.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may panic, in its helpers too"
)]

mod bad_input;
mod book;
mod dependencies;
mod explain;
mod format;
mod generate;
mod help;
mod layout;
mod messages;
mod new;
mod rust;
#[cfg(target_os = "linux")]
mod stat;
mod stdin;
mod writing;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A schema without imports or warnings.
pub(crate) const LONE: &str = "package acme.lone;\n\nstruct Point {\n    i32 x;\n    i32 y;\n}\n";

/// A schema with an interface.
pub(crate) const KV: &str = "\
package acme.kv@1.2;

error KvError : u32 { NOT_FOUND = 1 }

struct Record {
    u8  kind;
    u64 value;
    u8  level;
}

@Backends({inproc})
interface IKvStore {
    Record get(in u64 key) throws KvError;
    oneway void touch(in u64 key);
}
";

/// A folder to run in.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// The names in a folder, in order.
    pub(crate) fn list(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The command, not yet started, in an environment that does not reach into the output.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rpcgen"));
        command
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        for name in [
            "COLUMNS",
            "CLICOLOR",
            "CLICOLOR_FORCE",
            "NO_COLOR",
            "RUST_BACKTRACE",
        ] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().unwrap())
    }

    /// A run that reads `text`.
    pub(crate) fn feed(&self, args: &[&str], text: impl AsRef<[u8]>) -> Run {
        let mut command = self.command(args);
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that fails before it reads closes the pipe early.
        let _ = child.stdin.take().unwrap().write_all(text.as_ref());
        Run::of(child.wait_with_output().unwrap())
    }
}

/// What came out of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let run = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        run
    }

    /// The run, if it ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// The run, if it said this on the standard error.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "{text:?} is not in\n{}",
            self.stderr
        );
        self
    }

    /// The run, if it said nothing on the standard error.
    #[track_caller]
    pub(crate) fn silent(self) -> Self {
        assert_eq!(self.stderr, "");
        self
    }
}
