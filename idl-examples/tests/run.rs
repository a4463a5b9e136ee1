//! Runs every example as its readers do, and looks at how it ends and at what it prints.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// An example that takes longer than this has hung.
const WATCHDOG: Duration = Duration::from_secs(30);

fn finish(mut child: Child) -> Output {
    let start = Instant::now();
    while start.elapsed() < WATCHDOG {
        if child.try_wait().expect("a child can be asked").is_some() {
            return child.wait_with_output().expect("its output was captured");
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("a child can be killed");
    let output = child.wait_with_output().expect("its output was captured");
    panic!("it did not end; so far it printed: {output:?}");
}

/// A program whose output is captured. It ends with its input, if it is a server, and by itself, if it is not.
fn start(program: &str, arguments: &[&str]) -> Child {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example was built")
}

/// What a program printed that ended well.
fn printed(child: Child) -> String {
    let output = finish(child);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "it failed: {errors}\n{printed}");
    assert_eq!(errors, "", "nothing is wrong, so nothing is said of it");
    printed
}

/// Looks for a line that begins like this, and for one that says how fast it was: so many of each.
fn check(printed: &str, line: &str, times: usize) {
    let found = printed.lines().filter(|found| found.starts_with(line));
    assert_eq!(
        found.count(),
        times,
        "lines that begin with `{line}` in: {printed}"
    );
    let found = printed.lines().filter(|found| found.contains("ns a call"));
    assert_eq!(found.count(), times, "times in: {printed}");
}

/// Runs an example as its readers do: on threads, then as two processes.
fn run_both(program: &str, line: &str) {
    let printed = printed(start(program, &[]));
    check(&printed, line, 2);
    assert!(printed.contains(", on threads of one process:\n"));
    assert!(printed.contains(", as two processes over shared memory: server "));
}

/// Runs both sides as processes that know only a name of each other; a client comes too early, and a second server too late.
fn run_apart(program: &str, line: &str) {
    let stem = program.rsplit('/').next().expect("a program has a name");
    let name = format!("examples.{stem}.test.{}", std::process::id());
    let side = |role| {
        start(
            program,
            &["--backend", "shm", "--role", role, "--name", &name],
        )
    };

    let early = finish(side("client"));
    assert!(!early.status.success());
    let errors = String::from_utf8_lossy(&early.stderr);
    // Who serves several services has a name for each, which begins with this one.
    assert!(
        errors.starts_with(&format!("{stem}: nobody serves `{name}"))
            && errors.ends_with("`; start its server first\n"),
        "{errors}"
    );

    let mut server = side("server");
    let output = server.stdout.take().expect("it was captured");
    let (sender, said) = channel();
    thread::spawn(move || {
        // To the end: a server may say more when it ends.
        for line in BufReader::new(output).lines() {
            let _ = sender.send(line);
        }
    });
    let ready = said.recv_timeout(WATCHDOG).expect("it says something");
    let ready = ready.expect("what it says is text");
    assert_eq!(ready, format!("serving `{name}`"));
    let second = finish(side("server"));
    let errors = String::from_utf8_lossy(&second.stderr);
    assert!(
        !second.status.success() && errors.contains("is served already"),
        "{errors}"
    );

    let mut said_by_both = printed(side("client"));

    // The end of its input is the end of the server, if it has not ended before.
    drop(server.stdin.take());
    printed(server);
    while let Ok(line) = said.recv_timeout(WATCHDOG) {
        said_by_both.push_str(&line.expect("what it says is text"));
        said_by_both.push('\n');
    }
    check(&said_by_both, line, 1);
}

macro_rules! examples {
    ($($run:ident $name:ident: $line:literal;)*) => {$(
        #[test]
        fn $name() {
            $run(env!(concat!("CARGO_BIN_EXE_", stringify!($name))), $line);
        }
    )*};
}

examples! {
    run_both allreduce: "allreduce: 4 workers agree after 50 steps on ";
    run_both dfs: "dfs: 9 requests for names, a file of 98304 bytes in 24 chunks";
    run_both hello: "hello: the server answered \"hello, world!\"";
    run_both hotel: "hotel: 7 offers, the best is Hotel 6 for 5200 cents";
    run_both image: "image: 16 tiles of 12288 bytes brightened in place";
    run_both kv: "kv: 100 records put, 36 evicted, 32 even and 32 odd ones left";
    run_both lock: "lock: 402 leases, 1 too late, 2 abandoned; nobody was overtaken";
    run_both orderbook: "orderbook: 20000 actions, 5703 reports, now 1001 bid and 1002 asked";
    run_both resolver: "resolver: 20 hosts, each found although every third request got lost";
    run_both sensors: "sensors: the slow one was told of ";
}

mod apart {
    use super::run_apart;

    examples! {
        run_apart allreduce: "allreduce: 4 workers agree after 50 steps on ";
        run_apart dfs: "dfs: 9 requests for names, a file of 98304 bytes in 24 chunks";
        run_apart hello: "hello: the server answered \"hello, world!\"";
        run_apart hotel: "hotel: 7 offers, the best is Hotel 6 for 5200 cents";
        run_apart image: "image: 16 tiles of 12288 bytes brightened in place";
        run_apart kv: "kv: 100 records put, 36 evicted, 32 even and 32 odd ones left";
        run_apart lock: "lock: 402 leases, 1 too late, 2 abandoned; nobody was overtaken";
        run_apart orderbook: "orderbook: 20000 actions, 5703 reports, now 1001 bid and 1002 asked";
        run_apart resolver: "resolver: 20 hosts, each found although every third request got lost";
        run_apart sensors: "sensors: the slow one was told of ";
    }
}

/// Every schema has a program, and a test above.
#[test]
fn every_schema_is_run() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/idl");
    for entry in std::fs::read_dir(folder).expect("the schemas are there") {
        let path = entry.expect("the folder can be read").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("names are ASCII");
        if name != "common" {
            let tested = include_str!("run.rs").contains(&format!(" {name}: \""));
            assert!(tested, "`{name}.idl` has no program that is tested");
        }
    }
}
