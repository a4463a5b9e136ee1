//! B9: connecting and disconnecting.

use std::time::{Duration, Instant};

use crate::figure::{Figure, Must, Value};
use crate::machine;
use crate::order::Waiting;
use crate::remote::Remote;
use crate::stats;
use crate::subjects::waiting::{Between, call, client};
use crate::watchdog;

/// How long the server may take to forget its last client.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a process has that a leak would add to: descriptors and mappings.
fn holdings(process: &str) -> [usize; 2] {
    [machine::descriptors(process), machine::mappings(process)]
}

/// The row of so many clients.
pub(crate) fn run<B: Between>(
    between: &B,
    times: usize,
    core: Option<usize>,
) -> Result<Figure, String> {
    let mut remote = Remote::start(core)?;
    let name = between.serve(&mut remote, Waiting::Default)?;
    let server = remote.id().to_string();
    let (mut connects, mut ends, mut sum) = (Vec::new(), Vec::new(), 0);
    let mut round = || {
        let start = Instant::now();
        let mut client = client::<B>(&name, Waiting::Default)?;
        connects.push(start.elapsed().as_secs_f64() * 1e3);
        if !call(&mut client, 1, &mut sum) {
            return Err("a call of a new client failed".to_string());
        }
        let start = Instant::now();
        drop(client);
        ends.push(start.elapsed().as_secs_f64() * 1e3);
        watchdog::feed();
        Ok(())
    };
    // The first clients start threads and what else lasts as long as the process.
    for _ in 0..20 {
        round()?;
    }
    let before = settled(&server, None);
    for _ in 0..times {
        round()?;
    }
    let after = settled(&server, Some(before));
    let grown = |of: usize, what: usize| after[of][what] as f64 - before[of][what] as f64;
    Ok(Figure {
        workload: "B9",
        backend: B::NAME,
        subject: format!("{times} clients, one after the other, with a call each"),
        baseline: String::new(),
        values: vec![
            Value::new("connect", stats::median(&mut connects), "ms"),
            Value::new("connect_p99", stats::quantile(&connects, 0.99), "ms"),
            Value::new("disconnect", stats::median(&mut ends), "ms"),
            Value::new("client_descriptors", after[0][0] as f64, ""),
            Value::new("client_descriptors_more", grown(0, 0), "").must(Must::AtMost(0.0)),
            Value::new("server_descriptors", after[1][0] as f64, ""),
            Value::new("server_descriptors_more", grown(1, 0), "").must(Must::AtMost(0.0)),
            Value::new("client_mappings_more", grown(0, 1), ""),
            Value::new("server_mappings_more", grown(1, 1), ""),
        ],
    })
}

/// What both processes have, once that has stopped to become less or is what it was `before`.
fn settled(server: &str, before: Option<[[usize; 2]; 2]>) -> [[usize; 2]; 2] {
    let look = || ["self", server].map(holdings);
    let end = Instant::now() + PATIENCE;
    let mut last = look();
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = look();
        if before == Some(now) || (before.is_none() && now == last) || Instant::now() > end {
            return now;
        }
        last = now;
    }
}
