//! `rpcgen fmt`: one way to write a schema.

use std::path::PathBuf;

use clap::Args;
use rpcidl::ast::File;
use rpcidl::build::{FilePlan, write_all};
use rpcidl::diag::Severity;
use rpcidl::source::SourceMap;
use rpcidl::{fmt, json, parse};

use crate::compile;
use crate::console::Console;
use crate::input::is_stdin;
use crate::stop::Stop;

/// Arguments of `rpcgen fmt`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files to format in place; `-` formats the standard input to the standard output
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write nothing, but fail if a file is not formatted
    #[arg(long)]
    check: bool,
}

/// Runs it.
pub(crate) fn run(args: &Arguments, console: &Console) -> Result<(), Stop> {
    let (sources, trees) = compile::parse(&args.files, console)?;
    let mut files = Vec::new();
    let mut printed = None;
    let mut fine = true;
    for (path, tree) in args.files.iter().zip(&trees) {
        let source = sources.get(tree.source);
        let mut text = fmt::format(&tree.file, &source.text);
        let name = &source.name;
        if !still_says_the_same(name, &text, &tree.file) {
            return Err(Stop::advised(
                format!("the formatted `{name}` would not say the same, so it is left alone"),
                "this is a defect of rpcgen; please report the file",
            ));
        }
        if has_carriage_returns(&source.text) {
            text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        }
        if args.check {
            if let Some(line) = first_difference(&source.text, &text) {
                console.complaint(
                    &format!("`{name}` is not formatted: line {line} differs"),
                    Some("run `rpcgen fmt`"),
                );
                fine = false;
            }
        } else if is_stdin(path) {
            printed = Some(text);
        } else {
            files.push(FilePlan {
                path: path.clone(),
                text,
            });
        }
    }
    if !fine {
        return Err(Stop::Findings);
    }
    write_all(&files)?;
    printed.map_or(Ok(()), |text| console.result(&text))
}

/// A formatter must never change what anyone's schema says, so what it wrote is read once more and compared with what
/// was there before it is kept.
fn still_says_the_same(name: &str, text: &str, before: &File) -> bool {
    let mut sources = SourceMap::default();
    let source = sources.add(name, text);
    let (after, found) = parse::parse(source, text);
    found.iter().all(|found| found.severity != Severity::Error)
        && json::same_but_for_places(before, &after)
}

/// True if lines end as on Windows, which the first one decides; then they are left so.
fn has_carriage_returns(text: &str) -> bool {
    text.find('\n')
        .is_some_and(|end| text[..end].ends_with('\r'))
}

/// The first line in which two texts differ, from 1.
fn first_difference(old: &str, new: &str) -> Option<usize> {
    if old == new {
        return None;
    }
    let same = old
        .split_inclusive('\n')
        .zip(new.split_inclusive('\n'))
        .take_while(|(old, new)| old == new);
    Some(same.count() + 1)
}
