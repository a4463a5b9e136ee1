//! The program as a whole: its second process, and the workloads that need one. Nothing here depends on how fast it is.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpc-bench"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Waits for the end, and for no longer than anything may take; what it has printed.
fn finish(mut child: Child) -> (bool, String) {
    drop(child.stdin.take());
    let mut stdout = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is a child") {
            let text = reader.join().expect("reading does not panic");
            return (status.success(), text.expect("it prints text"));
        }
        if start.elapsed() > PATIENCE {
            child.kill().expect("it has not been waited for");
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run(arguments: &[&str]) -> (bool, String) {
    finish(program().args(arguments).spawn().expect("it was built"))
}

#[test]
fn a_server_that_is_killed_or_stopped_ends_its_calls() {
    let (succeeded, text) = run(&["--quick", "B8"]);
    assert!(succeeded, "{text}");
    assert!(
        text.contains("bound again 5 times (must be at least 5: holds)"),
        "{text}"
    );
    assert!(
        text.contains("timeouts 5 (must be at least 5: holds)"),
        "{text}"
    );
}

#[test]
fn clients_that_come_and_go_leave_no_descriptor() {
    let (succeeded, text) = run(&["--quick", "B9"]);
    assert!(succeeded, "{text}");
    for side in ["client", "server"] {
        let line = format!("{side} descriptors more 0 (must be at most 0: holds)");
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn calls_between_processes_are_compared() {
    let (succeeded, text) = run(&["--quick", "--backend", "shm", "B1", "B4", "B7"]);
    assert!(succeeded, "{text}");
    for row in [
        "B1  shm       56 B  depth  1  rpcidl shm / bare ping-pong, two lines, processes",
        "B4  shm       64 B  depth  1  rpcidl shm, sleeping / bare futex ping-pong, sleeping, processes",
        "B7  shm       56 B  depth  1  rpcidl shm isolated / rpcidl shm",
    ] {
        assert!(text.contains(row), "{text}");
    }
    // On this machine they may be inconclusive, but measured they are.
    assert!(!text.contains("could not be measured"), "{text}");
}

#[test]
fn a_machine_without_a_device_is_no_failure() {
    let (succeeded, text) = run(&["--quick", "--backend", "rdma", "B1", "B10"]);
    assert!(succeeded, "{text}");
    let rows = [
        "B1  rdma      64 B  depth  1  rpcidl rdma / bare verbs ping-pong",
        "B10 rdma   3200 calls of 64 B, depth 32: client doorbells",
    ];
    let has_rows = rows.iter().all(|row| text.contains(row));
    let says_why = text.contains("nothing is measured over a device: ");
    assert!(has_rows != says_why, "{text}");
    // Nobody who has not asked for one hears of it.
    let (succeeded, text) = run(&["--quick", "--backend", "inproc", "B9"]);
    assert!(succeeded && !text.contains("device"), "{text}");
}

/// The second process by itself; its shared memory is what it finds behind the descriptor.
fn answerer(fd: &str) -> Child {
    program()
        .args(["answer", fd, "-"])
        .spawn()
        .expect("it was built")
}

#[test]
fn the_second_process_wants_shared_memory() {
    // Its standard input: no memory of the length that it needs.
    let (succeeded, text) = finish(answerer("0"));
    assert!(!succeeded && text.is_empty(), "{text}");
}

#[test]
fn the_second_process_refuses_what_is_no_order_and_ends_with_its_orders() {
    use std::os::fd::AsRawFd as _;
    let memory = rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::empty()).unwrap();
    rustix::fs::ftruncate(&memory, 8 << 20).unwrap();
    let mut child = answerer(&memory.as_raw_fd().to_string());
    let mut orders = child.stdin.take().unwrap();
    for order in [
        "dance",
        "ping-pong 2 false 64 8",
        "futex 99999999999",
        "shm 9 same-user spinning nobody",
    ] {
        writeln!(orders, "{order}").unwrap();
    }
    drop(orders);
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines: Vec<_> = answers.by_ref().map(Result::unwrap).collect();
    assert_eq!(lines[0], "ready");
    assert_eq!(lines[1], "`dance` is no order");
    assert_eq!(lines[2], "there is no place at 8 for 256 bytes");
    assert_eq!(lines[3], "there is no place at 99999999999");
    assert_eq!(lines[4], "there is no echo of 9 bytes");
    assert_eq!(lines.len(), 5);
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn the_second_process_dies_with_the_first() {
    let mut first = program()
        .args(["--quick", "--backend", "shm", "B7", "B8", "B3"])
        .spawn()
        .unwrap();
    let start = Instant::now();
    let children = format!("/proc/{0}/task/{0}/children", first.id());
    let second = loop {
        assert!(start.elapsed() < PATIENCE, "it starts no second process");
        let text = std::fs::read_to_string(&children).unwrap();
        if let Some(id) = text.split_whitespace().next() {
            break id.to_string();
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    first.kill().unwrap();
    first.wait().unwrap();
    // Gone, or dead and not yet waited for by whoever has inherited it.
    let lives = || {
        let stat = std::fs::read_to_string(format!("/proc/{second}/stat")).unwrap_or_default();
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        state.is_some_and(|state| state != 'Z' && state != 'X')
    };
    while lives() {
        assert!(start.elapsed() < PATIENCE, "process {second} lives on");
        std::thread::sleep(Duration::from_millis(1));
    }
}
