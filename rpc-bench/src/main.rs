//! Benchmarks of rpcidl's backends: every time is a ratio to a baseline interleaved in the same run, and what can be counted
//! is counted. `rpc-bench --help` says how to run them. Built with the feature `peers` it runs other queues beside.

/// Prints a line; ends the program if whoever reads wants no more, as with `| head`.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::print_line(format_args!($($text)*))
    };
}

mod by_hand;
mod compare;
mod count;
mod device;
mod failure;
mod figure;
mod hand_service;
mod host;
mod life;
mod machine;
mod many;
mod mapping;
mod mode;
mod order;
mod pair;
mod plan;
mod remote;
mod report;
#[rustfmt::skip]
#[allow(dead_code, missing_docs, unreachable_pub)]
mod services;
mod stats;
mod subjects;
mod together;
mod traffic;
mod watchdog;

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use compare::{Effort, compare};
use count::NotCounted;
use figure::Figure;
use pair::{Length, Pair};
use plan::{Case, INPROC, Pace, RDMA, SHM};
use report::Row;
use subjects::system;
use subjects::waiting::OverMemory;

const USAGE: &str = "\
usage: rpc-bench [--quick] [--json FILE] [--backend NAME] [--address HOST] [WORKLOAD]...
       rpc-bench gate

Workloads, all of them if none is named (B0, B1, B2 and B6 with --quick):
  B0  the machine itself: a system call, a copy, bare ping-pongs, a futex
  B1  a round trip, one call at a time
  B2  calls in flight together
  B3  many clients of one server (shm, rdma); one active client among idle ones (shm)
  B4  calls that sleep, after the caller was idle for a while; what idle clients cost (shm)
  B6  instructions a call (needs valgrind); both ends in one thread over a device (rdma)
  B7  sides that do not trust each other (shm)
  B8  a server that is killed or stopped (shm)
  B9  connecting and disconnecting (shm, rdma)
  B10 doorbells and the device's counters for each call (rdma)

Options:
  --quick         fewer rows and pairs, in less than 20 s
  --backend NAME  the rows of one backend: inproc (two threads), shm (two processes) or rdma (two processes over an RDMA device;
                  without this, if there is one)
  --address HOST  where that device is, as in 10.0.0.1 or 10.0.0.1?device=rxe0&gid=1; without this, the first that can be used
  --json FILE     writes the rows to FILE as well, one JSON object a line
  -h, --help      prints this

`rpc-bench gate` counts instructions and doorbells and exits with 1 if a figure is over its limit, with 2 if it could not count.
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Help,
    Gate,
    /// Makes calls, for valgrind to count.
    Count {
        subject: String,
        calls: u64,
    },
    /// Is the second process, with memory behind a descriptor, on a core.
    Answer {
        fd: u32,
        core: Option<usize>,
    },
    Run(Options),
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    quick: bool,
    json: Option<String>,
    backend: Option<String>,
    address: Option<String>,
    workloads: Vec<String>,
}

/// See `say`.
fn print_line(line: std::fmt::Arguments<'_>) {
    use std::io::{ErrorKind, Write as _};
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => panic!("the standard output: {error}"),
        Ok(()) => {}
    }
}

fn main() -> ExitCode {
    let done = match parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::Gate) => gate(),
        Ok(Command::Count { subject, calls }) => match count::run(&subject, calls) {
            Some(sum) => {
                say!("{sum}");
                Ok(ExitCode::SUCCESS)
            }
            None => Err(format!("there is nothing to count called `{subject}`")),
        },
        Ok(Command::Answer { fd, core }) => remote::serve(fd, core),
        Ok(Command::Run(options)) => run(&options),
        Err(message) => Err(format!("{message}; `rpc-bench --help` says what there is")),
    };
    done.unwrap_or_else(|message| {
        eprintln!("rpc-bench: {message}");
        ExitCode::from(2)
    })
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let arguments: Vec<_> = arguments.collect();
    if arguments
        .iter()
        .any(|word| word == "-h" || word == "--help")
    {
        return Ok(Command::Help);
    }
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["gate"] => return Ok(Command::Gate),
        ["gate", other, ..] => return Err(format!("`gate` takes no `{other}`")),
        ["count", subject, calls] => {
            return Ok(Command::Count {
                subject: subject.into(),
                calls: calls
                    .parse()
                    .map_err(|_| format!("`{calls}` is no number of calls"))?,
            });
        }
        ["answer", fd, core] => {
            let fd = fd.parse().map_err(|_| format!("`{fd}` is no descriptor"))?;
            // Any core, if it is no number.
            let core = core.parse().ok();
            return Ok(Command::Answer { fd, core });
        }
        _ => {}
    }
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--json" => {
                options.json = Some(arguments.next().ok_or("`--json` needs a file")?);
            }
            "--backend" => {
                let name = arguments.next();
                let name = name.filter(|name| [INPROC, SHM, RDMA].contains(&name.as_str()));
                options.backend = Some(name.ok_or("`--backend` needs `inproc`, `shm` or `rdma`")?);
            }
            "--address" => {
                options.address = Some(arguments.next().ok_or("`--address` needs a host")?);
            }
            name if WORKLOADS.contains(&name) => options.workloads.push(argument),
            other => return Err(format!("there is no workload or option `{other}`")),
        }
    }
    Ok(Command::Run(options))
}

/// What there is to measure.
const WORKLOADS: [&str; 10] = ["B0", "B1", "B2", "B3", "B4", "B6", "B7", "B8", "B9", "B10"];

/// What a quick run measures unless it is told.
const QUICK: [&str; 4] = ["B0", "B1", "B2", "B6"];

impl Options {
    fn wants(&self, workload: &str) -> bool {
        if self.workloads.is_empty() {
            !self.quick || QUICK.contains(&workload)
        } else {
            self.workloads.iter().any(|name| name == workload)
        }
    }

    fn wants_backend(&self, backend: &str) -> bool {
        self.backend.as_ref().is_none_or(|name| name == backend)
    }
}

/// Counts what has a limit.
fn gate() -> Result<ExitCode, String> {
    if cfg!(debug_assertions) {
        return Err("the limits are those of an optimised build; run it with `--release`".into());
    }
    let mut held = true;
    for shape in &count::SHAPES {
        let Some(limit) = shape.limit else { continue };
        let count = shape.generated().map_err(|why| why.to_string())?;
        say!("{}", judge(&shape.subject(), count, limit));
        held &= count <= limit;
    }
    for (side, rung) in ["client", "server"].iter().zip(together::doorbells()?) {
        let limit = traffic::DOORBELLS;
        say!(
            "rdma/{side}, 32 calls in flight: {rung:.4} doorbells a call, at most {limit}: {}",
            if rung <= limit { "holds" } else { "OVER" }
        );
        held &= rung <= limit;
    }
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A line of the gate.
fn judge(name: &str, count: f64, limit: f64) -> String {
    let said = if count <= limit { "holds" } else { "OVER" };
    format!("{name}: {count:.2} instructions a call, at most {limit:.0}: {said}")
}

fn run(options: &Options) -> Result<ExitCode, String> {
    let mut json = Json::open(options.json.as_deref())?;
    machine::raise_descriptor_limit();
    watchdog::start();
    say!("{}", machine::describe());
    let wanted = WORKLOADS.iter().filter(|workload| options.wants(workload));
    let mut cases: Vec<_> = wanted
        .flat_map(|workload| plan::cases(workload, options.quick))
        .collect();
    cases.retain(|case| options.wants_backend(case.backend));
    let host = device::find(options)?;
    if let Some(host) = &host {
        let wanted = WORKLOADS.iter().filter(|workload| options.wants(workload));
        cases.extend(wanted.flat_map(|workload| plan::device_cases(workload, options.quick, host)));
    }
    if options.wants("B0") {
        say!(
            "B0  system call {:.1} ns, copy of 1 MiB {:.1} GB/s",
            system::syscall(),
            system::copy()
        );
    }
    time(&cases, options.quick, &mut json);
    if options.wants_backend(SHM) {
        processes(options, &mut json);
    }
    if let Some(host) = &host {
        device::run(options, host, |figure| json.tell(&figure));
    }
    if options.wants("B6")
        && let Err(why) = instructions(options, &mut json)
    {
        say!("B6  {why}");
    }
    Ok(ExitCode::SUCCESS)
}

/// What is measured of two processes other than by comparing slices.
fn processes(options: &Options, json: &mut Json) {
    let quick = options.quick;
    let core = machine::cores_before_pinning().get(1).copied();
    let mut tell = |figure: Figure| json.tell(&figure);
    let failed = |workload: &str, why: String| {
        say!("{workload}  shm    could not be measured: {why}");
    };
    if options.wants("B3")
        && let Err(why) = many::run(quick, core, &mut tell)
    {
        failed("B3", why);
    }
    if options.wants("B4") {
        match many::idle(core) {
            Ok(figure) => tell(figure),
            Err(why) => failed("B4", why),
        }
    }
    if options.wants("B8") {
        match failure::run(quick, core) {
            Ok(figures) => figures.into_iter().for_each(&mut tell),
            Err(why) => failed("B8", why),
        }
    }
    if options.wants("B9") {
        match life::run(&OverMemory, if quick { 100 } else { 1000 }, core) {
            Ok(figure) => tell(figure),
            Err(why) => failed("B9", why),
        }
    }
}

/// Measures row after row, and never longer than a run may take, however the machine behaves.
fn time(cases: &[Case], quick: bool, json: &mut Json) {
    let budget = Duration::from_secs(if quick { 15 } else { 480 });
    let end = Instant::now() + budget;
    let pair = Pair::new();
    for (done, case) in cases.iter().enumerate() {
        let rows_left = u32::try_from(cases.len() - done).unwrap_or(u32::MAX);
        let left = end.saturating_duration_since(Instant::now());
        let effort = effort(case, quick, left / rows_left);
        let comparison = match compare(&pair, &*case.baseline, &*case.subject, effort) {
            Ok(comparison) => comparison,
            Err(why) => {
                say!(
                    "{}  {:<6} {} B, {}: could not be measured: {why}",
                    case.workload,
                    case.backend,
                    case.bytes,
                    case.subject.name()
                );
                continue;
            }
        };
        let row = Row {
            workload: case.workload,
            backend: case.backend,
            bytes: case.bytes,
            depth: case.depth,
            comparison,
            must: case.must,
        };
        for line in row.text() {
            say!("{line}");
        }
        for line in row.json() {
            json.line(&line);
        }
    }
}

/// Calls that are timed as one, at least.
///
/// Reading the clock breaks the rhythm in which two near cores poll: in groups of 10 a round trip of 64 bytes takes a
/// quarter longer than in groups of 50, and longer groups change little.
const GROUP: usize = 50;

/// How much to measure of a case when so much time is left for it.
fn effort(case: &Case, quick: bool, share: Duration) -> Effort {
    // A group has to be longer than the pipeline is deep, or it times the filling of the window.
    let group = match case.pace {
        Pace::Sleeps => 10,
        // A message takes long enough to be timed alone, and a longer group does not end before somebody was switched out.
        Pace::Device if case.depth == 1 => 1,
        Pace::Device => 4 * case.depth,
        _ => GROUP.max(10 * case.depth),
    };
    let over_device = case.pace == Pace::Device;
    let (pairs, least, calls) = match (case.pace, quick) {
        (Pace::Sleeps, _) => (5, 3, 200),
        #[cfg(feature = "iceoryx2")]
        (Pace::StartsSlowly, _) => (40, 10, 2000),
        (Pace::Device, true) => (10, 5, 300),
        (Pace::Device, false) => (60, 10, 400),
        // Long messages move long enough in fewer calls, and a longer slice is seldom undisturbed.
        (Pace::Usual, true) if case.bytes > 1024 => (60, 20, 400),
        (Pace::Usual, true) => (60, 20, 1000),
        (Pace::Usual, false) if case.bytes > 1024 => (400, 100, 400),
        (Pace::Usual, false) => (400, 100, 2000),
    };
    Effort {
        pairs,
        least,
        length: Length {
            warm: match case.pace {
                Pace::Sleeps => 20,
                Pace::Device => 50,
                _ => 200,
            },
            calls: calls.max(4 * group),
            group,
        },
        limit: share.min(Duration::from_secs(if over_device { 25 } else { 12 })),
        over_device,
    }
}

/// Counts instructions: in a quick run of the few shapes that have a limit, since every count starts valgrind twice.
fn instructions(options: &Options, json: &mut Json) -> Result<(), NotCounted> {
    for shape in &count::SHAPES {
        // Those over a device take twice as many counts: a quick run has them only if it is about them.
        let is_asked_for = options.backend.as_deref() == Some(shape.backend);
        let is_quick = shape.limit.is_some() && (shape.backend != RDMA || is_asked_for);
        if !options.wants_backend(shape.backend) || (options.quick && !is_quick) {
            continue;
        }
        let counted = shape.count()?;
        watchdog::feed();
        say!("{}", counted.text());
        json.line(&counted.json());
    }
    say!(
        "B6  of each, {:.1} are the counting loop's own",
        count::counting_loop()?
    );
    Ok(())
}

/// The JSON lines, if they are wanted.
struct Json(Option<File>);

impl Json {
    fn open(path: Option<&str>) -> Result<Self, String> {
        let create = |path: &str| {
            File::create(path).map_err(|error| format!("cannot write `{path}`: {error}"))
        };
        path.map(create).transpose().map(Self)
    }

    /// Prints a figure, and writes it as well.
    fn tell(&mut self, figure: &Figure) {
        say!("{}", figure.text());
        self.line(&figure.json());
    }

    fn line(&mut self, line: &str) {
        if let Some(file) = &mut self.0
            && let Err(error) = writeln!(file, "{line}")
        {
            eprintln!("rpc-bench: cannot write the JSON lines: {error}");
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;

    fn parsed(words: &str) -> Result<Command, String> {
        parse(words.split_whitespace().map(String::from))
    }

    #[test]
    fn what_is_asked_for() {
        assert_eq!(parsed(""), Ok(Command::Run(Options::default())));
        let options = Options {
            quick: true,
            json: Some("rows".into()),
            backend: Some("rdma".into()),
            address: Some("10.0.0.1?device=rxe0".into()),
            workloads: vec!["B1".into(), "B6".into()],
        };
        assert_eq!(
            parsed("--quick B1 --json rows --backend rdma B6 --address 10.0.0.1?device=rxe0"),
            Ok(Command::Run(options))
        );
        assert_eq!(parsed("gate"), Ok(Command::Gate));
        for help in ["-h", "--help", "B1 --help", "gate -h"] {
            assert_eq!(parsed(help), Ok(Command::Help), "{help}");
        }
    }

    #[test]
    fn what_is_not_understood() {
        for words in [
            "B5",
            "--fast",
            "--backend",
            "--backend tcp",
            "--address",
            "answer",
            "answer x -",
            "--json",
            "gate now",
            "count",
            "count loop x",
            "B1 gate",
        ] {
            assert!(parsed(words).is_err(), "{words}");
        }
    }

    #[test]
    fn the_gate_says_what_is_over() {
        assert_eq!(
            judge("echo", 165.0, 165.0),
            "echo: 165.00 instructions a call, at most 165: holds"
        );
        assert!(judge("echo", 165.1, 165.0).ends_with(": OVER"));
    }

    #[test]
    fn groups_are_longer_than_pipelines_are_deep() {
        for workload in ["B0", "B1", "B2"] {
            for case in plan::cases(workload, true) {
                let effort = effort(&case, true, Duration::from_secs(1));
                let Length { calls, group, .. } = effort.length;
                assert!(group >= 10 * case.depth && calls >= 4 * group);
                assert!(effort.limit <= Duration::from_secs(1));
            }
        }
        let host = Host::of("10.0.0.1").unwrap();
        for case in plan::device_cases("B2", false, &host) {
            let Length { calls, group, .. } = effort(&case, false, Duration::MAX).length;
            assert!(case.depth == 1 || group >= 4 * case.depth);
            assert!(calls >= 4 * group);
        }
    }

    #[test]
    fn a_quick_run_is_short_unless_it_is_told_otherwise() {
        let quick = |words: &str| match parsed(words) {
            Ok(Command::Run(options)) => options,
            other => panic!("{other:?}"),
        };
        assert!(!quick("--quick").wants("B3") && quick("--quick").wants("B1"));
        assert!(quick("--quick B3").wants("B3") && !quick("--quick B3").wants("B1"));
        assert!(quick("").wants("B9"));
        assert!(!quick("--backend shm").wants_backend(INPROC));
        assert!(quick("").wants_backend(INPROC) && quick("").wants_backend(SHM));
    }

    #[test]
    fn help_names_every_workload() {
        for workload in WORKLOADS {
            assert!(USAGE.contains(&format!("\n  {workload:<3} ")), "{workload}");
        }
    }
}
