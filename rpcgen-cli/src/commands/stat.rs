//! `rpcgen stat`: how a running server is.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use runtime_shm::{MethodStat, Stat};
use serde_json::{Value, json};

use crate::console::Console;
use crate::stop::Stop;

/// Arguments of `rpcgen stat`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The name that the server is bound to; one with a `/` is a path
    #[arg(value_name = "NAME")]
    name: String,
    /// Tables for people, or JSON for tools
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
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
    let stat = runtime_shm::stat(&args.name).map_err(|error| {
        let mut text = error.to_string();
        if args.name.contains(':') && !args.name.contains('/') {
            text.push_str(
                "; if this is the address of a server between nodes: stat looks at shared memory only",
            );
        }
        Stop::trouble(text)
    })?;
    match args.format {
        Format::Text => console.result(&text(&stat)),
        Format::Json => console.result(&format!("{:#}\n", json(&stat))),
    }
}

fn text(stat: &Stat) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} in process {}, ABI {}{}",
        stat.service,
        stat.process,
        stat.abi,
        if stat.isolated { ", isolated" } else { "" }
    );
    let _ = writeln!(
        text,
        "\n{} of {} clients",
        stat.client_count, stat.max_clients
    );
    if !stat.clients.is_empty() {
        let rows = stat.clients.iter().map(|client| {
            [
                client.number.to_string(),
                client.process.to_string(),
                client.in_flight.to_string(),
                client.window.to_string(),
            ]
        });
        table(
            &mut text,
            ["client", "process", "in flight", "window"],
            rows,
        );
    }
    let left_out = stat.client_count as usize - stat.clients.len().min(stat.client_count as usize);
    if left_out != 0 {
        let _ = writeln!(text, "  and {left_out} more");
    }
    let Some(counts) = &stat.counts else {
        text.push_str(
            "\nThe server's thread has not answered: it is in a long call, does not look for requests, or hangs.\n",
        );
        return text;
    };
    let _ = writeln!(text, "\nIt went to sleep {} times.", counts.sleeps);
    let rows = counts.methods.iter().map(|method| {
        // What cannot be is no number.
        let cell = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
        let answers = method.answers();
        [
            format!("{} ({})", method.name, method.kind),
            method.counters.calls.to_string(),
            cell(answers.map(|(replies, _)| replies)),
            cell(answers.map(|(_, failures)| failures)),
            cell(method.bytes_in()),
            cell(method.bytes_out()),
        ]
    });
    let heads = [
        "method",
        "calls",
        "replies",
        "failures",
        "bytes in",
        "bytes out",
    ];
    table(&mut text, heads, rows);
    text
}

/// Writes a table, whose first column is aligned to the left.
fn table<const N: usize>(
    text: &mut String,
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]> + Clone,
) {
    let widths: [usize; N] = core::array::from_fn(|column| {
        let longest = rows.clone().map(|row| row[column].len()).max();
        heads[column].len().max(longest.unwrap_or(0))
    });
    for row in std::iter::once(heads.map(str::to_owned)).chain(rows) {
        let _ = write!(text, "  {:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
}

fn json(stat: &Stat) -> Value {
    let method = |method: &MethodStat| {
        let answers = method.answers();
        json!({
            "name": method.name,
            "kind": method.kind,
            "calls": method.counters.calls,
            "replies": answers.map(|(replies, _)| replies),
            "failures": answers.map(|(_, failures)| failures),
            "bytes_in": method.bytes_in(),
            "bytes_out": method.bytes_out(),
        })
    };
    let clients: Vec<Value> = stat
        .clients
        .iter()
        .map(|client| {
            json!({
                "number": client.number,
                "process": client.process,
                "window": client.window,
                "in_flight": client.in_flight,
            })
        })
        .collect();
    json!({
        "service": stat.service,
        "abi_hash": stat.abi.to_string(),
        "process": stat.process,
        "isolated": stat.isolated,
        "max_clients": stat.max_clients,
        "client_count": stat.client_count,
        "clients": clients,
        "counts": stat.counts.as_ref().map(|counts| json!({
            "sleeps": counts.sleeps,
            "methods": counts.methods.iter().map(method).collect::<Vec<_>>(),
        })),
    })
}
