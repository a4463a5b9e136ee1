//! Benchmarks of rpcidl's backends: every time is a ratio to a baseline interleaved in the same run.
//!
//! `rpc-bench [--quick] [--json FILE] [WORKLOAD…]`, with the workloads B0 (the machine), B1 (round trip), B2 (pipelined)
//! and B6 (instructions). Built with the feature `peers` it runs other queues beside.

mod compare;
mod count;
mod machine;
mod pair;
mod report;
#[rustfmt::skip]
#[allow(dead_code, missing_docs, unreachable_pub)]
mod services;
mod stats;
mod subjects;

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use compare::{Effort, compare};
use pair::{Pair, Subject};
use report::Row;
use subjects::lane::Inproc;
use subjects::raw::PingPong;
use subjects::system;

const USAGE: &str = "usage: rpc-bench [--quick] [--json FILE] [B0|B1|B2|B6]...";

struct Options {
    quick: bool,
    json: Option<File>,
    workloads: Vec<String>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "count") {
        let subject = arguments.nth(1).unwrap_or_default();
        let calls = arguments
            .next()
            .and_then(|calls| calls.parse().ok())
            .unwrap_or(0);
        println!("{}", count::run(&subject, calls));
        return ExitCode::SUCCESS;
    }
    match parse(arguments) {
        Ok(options) => {
            run(options);
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("rpc-bench: {message}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        quick: false,
        json: None,
        workloads: Vec::new(),
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--json" => {
                let path = arguments.next().ok_or("`--json` needs a file")?;
                options.json = Some(
                    File::create(&path)
                        .map_err(|error| format!("cannot write `{path}`: {error}"))?,
                );
            }
            "B0" | "B1" | "B2" | "B6" => options.workloads.push(argument),
            other => return Err(format!("there is no workload or option `{other}`")),
        }
    }
    Ok(options)
}

fn run(mut options: Options) {
    println!("{}", machine::describe());
    let wants = |workload: &str| {
        options.workloads.is_empty() || options.workloads.iter().any(|name| name == workload)
    };
    let (b0, b1, b2, b6) = (wants("B0"), wants("B1"), wants("B2"), wants("B6"));
    let mut rows = Rows {
        pair: Pair::new(),
        effort: effort(options.quick),
        json: options.json.take(),
    };
    if b0 {
        println!(
            "B0  system call {:.1} ns, copy of 1 MiB {:.1} GB/s",
            system::syscall(),
            system::copy()
        );
        for bytes in [8, 56, 64, 1024, 4096] {
            rows.add(
                "B0",
                bytes,
                1,
                &PingPong { lines: 2, bytes },
                &PingPong { lines: 1, bytes },
                None,
            );
        }
        if !options.quick {
            let effort = rows.effort;
            rows.effort = Effort {
                pairs: 5,
                least: 3,
                calls: 200,
                ..effort
            };
            rows.add(
                "B0",
                8,
                1,
                &PingPong { lines: 2, bytes: 8 },
                &system::Futex,
                None,
            );
            rows.effort = effort;
        }
    }
    if b1 {
        let sizes: &[usize] = if options.quick {
            &[8, 56, 64, 1024, 4096]
        } else {
            &[8, 32, 56, 64, 128, 256, 1024, 4096]
        };
        for &bytes in sizes {
            let must = match bytes {
                ..57 => 1.00,
                57..=1024 => 1.10,
                _ => 0.70,
            };
            let baseline = PingPong { lines: 2, bytes };
            rows.add(
                "B1",
                bytes,
                1,
                &baseline,
                &Inproc { bytes, depth: 1 },
                Some(must),
            );
            rows.peers("B1", bytes, 1, &baseline);
        }
    }
    if b2 {
        let sizes: &[usize] = if options.quick { &[64] } else { &[8, 64, 1024] };
        let depths: &[usize] = if options.quick {
            &[32]
        } else {
            &[2, 4, 8, 16, 32]
        };
        for &bytes in sizes {
            for &depth in depths {
                let must = (bytes == 64 && depth == 32).then_some(0.18);
                let baseline = PingPong { lines: 2, bytes };
                rows.add(
                    "B2",
                    bytes,
                    depth,
                    &baseline,
                    &Inproc { bytes, depth },
                    must,
                );
                rows.peers("B2", bytes, depth, &baseline);
            }
        }
    }
    if b6 {
        for subject in count::SUBJECTS {
            match count::instructions(subject) {
                Ok(count) => {
                    println!("B6  {subject:<18} {count:.1} instructions a call, both sides");
                }
                Err(why) => println!("B6  {subject:<18} not counted: {why}"),
            }
        }
    }
}

/// Quick runs fit in 20 s.
fn effort(quick: bool) -> Effort {
    if quick {
        Effort {
            pairs: 60,
            least: 20,
            calls: 1000,
            group: 10,
            limit: Duration::from_millis(1400),
        }
    } else {
        Effort {
            pairs: 400,
            least: 100,
            calls: 2000,
            group: 10,
            limit: Duration::from_secs(12),
        }
    }
}

/// Measures row after row.
struct Rows {
    pair: Pair,
    effort: Effort,
    json: Option<File>,
}

impl Rows {
    fn add(
        &mut self,
        workload: &'static str,
        bytes: usize,
        depth: usize,
        baseline: &dyn Subject,
        subject: &dyn Subject,
        must: Option<f64>,
    ) {
        // A group has to be longer than the pipeline is deep, or it times the filling of the window.
        let group = if depth == 1 {
            self.effort.group
        } else {
            10 * depth
        };
        let effort = Effort {
            group,
            calls: self.effort.calls.max(4 * group),
            ..self.effort
        };
        let row = Row {
            workload,
            bytes,
            depth,
            found: compare(&self.pair, baseline, subject, effort),
            must,
        };
        println!("{}", row.text());
        if let Some(json) = &mut self.json
            && let Err(error) = writeln!(json, "{}", row.json())
        {
            eprintln!("rpc-bench: cannot write the JSON lines: {error}");
            self.json = None;
        }
    }

    #[cfg(feature = "peers")]
    fn peers(
        &mut self,
        workload: &'static str,
        bytes: usize,
        depth: usize,
        baseline: &dyn Subject,
    ) {
        use subjects::channels::{Channels, Queue};
        for queue in [Queue::Rtrb, Queue::Crossbeam] {
            self.add(
                workload,
                bytes,
                depth,
                baseline,
                &Channels {
                    queue,
                    bytes,
                    depth,
                },
                None,
            );
        }
    }

    #[cfg(not(feature = "peers"))]
    fn peers(&mut self, _: &'static str, _: usize, _: usize, _: &dyn Subject) {}
}
