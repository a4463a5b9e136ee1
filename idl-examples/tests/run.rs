//! Runs every example as its readers do, and looks at how it ends and at what it prints.

use std::process::{Child, Command, Output, Stdio};
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

/// Runs a program and looks for a line that begins like this, and for one that says how fast it was.
fn run(program: &str, line: &str) {
    let child = Command::new(program)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example was built");
    let output = finish(child);
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} failed: {errors}\n{printed}"
    );
    assert!(
        printed.lines().any(|found| found.starts_with(line)),
        "no line begins with `{line}` in: {printed}"
    );
    assert!(printed.contains("ns a call"), "no time in: {printed}");
    assert_eq!(errors, "", "nothing is wrong, so nothing is said of it");
}

macro_rules! examples {
    ($($name:ident: $line:literal;)*) => {$(
        #[test]
        fn $name() {
            run(env!(concat!("CARGO_BIN_EXE_", stringify!($name))), $line);
        }
    )*};
}

examples! {
    allreduce: "allreduce: 4 workers agree after 50 steps on ";
    dfs: "dfs: 9 requests for names, a file of 98304 bytes in 24 chunks";
    hello: "hello: the server answered \"hello, world!\"";
    hotel: "hotel: 7 offers, the best is Hotel 6 for 5200 cents";
    image: "image: 16 tiles of 12288 bytes brightened in place";
    kv: "kv: 100 records put, 36 evicted, 32 even and 32 odd ones left";
    lock: "lock: 403 leases, 1 too late, 2 abandoned; nobody was overtaken";
    orderbook: "orderbook: 20000 actions, 5703 reports, now 1001 bid and 1002 asked";
    resolver: "resolver: 20 hosts, each found although every third request got lost";
    sensors: "sensors: the slow one was told of ";
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
            let tested = include_str!("run.rs").contains(&format!("\n    {name}: \""));
            assert!(tested, "`{name}.idl` has no program that is tested");
        }
    }
}
