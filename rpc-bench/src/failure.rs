//! B8: how long it takes until the calls of a server that is killed, or stopped, have ended.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use runtime_core::ClientConfig;
use rustix::process::Signal;

use crate::figure::{Figure, Must, Value};
use crate::order::{Order, fresh_name};
use crate::remote::Remote;
use crate::services::{P8, echo8};
use crate::stats;
use crate::watchdog;

type Client = echo8::ClientOver<runtime_shm::Client<echo8::Service>, u64>;
type Server = echo8::ServerOver<runtime_shm::Server<echo8::Service>>;

/// Calls in flight when the server goes.
const CALLS: u64 = 32;

/// How long anything may take before it counts as a hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the calls of a stopped server are given.
const DEADLINE: Duration = Duration::from_millis(50);

/// Both rows.
pub(crate) fn run(quick: bool, core: Option<usize>) -> Result<Vec<Figure>, String> {
    let times = if quick { 5 } else { 20 };
    Ok(vec![killed(times, core)?, stopped(times, core)?])
}

fn milliseconds(times: &mut [f64]) -> [f64; 2] {
    let median = stats::median(times);
    [median, stats::quantile(times, 1.0)]
}

fn killed(times: usize, core: Option<usize>) -> Result<Figure, String> {
    let (mut all, mut free) = (Vec::new(), 0);
    for _ in 0..times {
        let name = fresh_name();
        let config = ClientConfig {
            deadline: PATIENCE,
            ..ClientConfig::default()
        };
        let (remote, mut client) = held(&name, &config, CALLS, core)?;
        let start = Instant::now();
        remote.signal(Signal::KILL);
        let mut ended = 0;
        while ended < CALLS {
            if start.elapsed() > PATIENCE {
                return Err(format!("{} calls have not ended", CALLS - ended));
            }
            // However it ends, the next poll says what there is.
            let _ = client.wait(PATIENCE);
            let _ = client.poll(|_, _| ended += 1);
        }
        all.push(start.elapsed().as_secs_f64() * 1e3);
        free += usize::from(Server::bind(&name).is_ok());
    }
    let [median, worst] = milliseconds(&mut all);
    Ok(Figure {
        workload: "B8",
        backend: "shm",
        subject: format!("SIGKILL of the server with {CALLS} calls in flight, {times} times"),
        baseline: String::new(),
        values: vec![
            Value::new("median", median, "ms"),
            Value::new("worst", worst, "ms").must(Must::AtMost(100.0)),
            Value::new("bound_again", free as f64, "times").must(Must::AtLeast(times as f64)),
        ],
    })
}

fn stopped(times: usize, core: Option<usize>) -> Result<Figure, String> {
    let mut all = Vec::new();
    let mut timeouts = 0;
    for _ in 0..times {
        let config = ClientConfig {
            deadline: DEADLINE,
            ..ClientConfig::default()
        };
        let (remote, mut client) = held(&fresh_name(), &config, 0, core)?;
        remote.signal(Signal::STOP);
        let start = Instant::now();
        let result = client.blocking().echo(&P8::default());
        let excess = start.elapsed().as_secs_f64() - DEADLINE.as_secs_f64();
        timeouts += usize::from(result == Err(runtime_core::CallError::Timeout));
        all.push(excess * 1e3);
    }
    let [median, worst] = milliseconds(&mut all);
    Ok(Figure {
        workload: "B8",
        backend: "shm",
        subject: format!(
            "SIGSTOP of the server, beyond a deadline of {} ms, {times} times",
            DEADLINE.as_millis()
        ),
        baseline: String::new(),
        values: vec![
            Value::new("median", median, "ms"),
            Value::new("worst", worst, "ms").must(Must::AtMost(10.0)),
            Value::new("timeouts", timeouts as f64, "").must(Must::AtLeast(times as f64)),
        ],
    })
}

/// A server that answers nothing and holds so many calls, and their client.
fn held(
    name: &str,
    config: &ClientConfig,
    calls: u64,
    core: Option<usize>,
) -> Result<(Remote, Client), String> {
    watchdog::feed();
    let mut remote = Remote::start(core)?;
    remote.answer(&Order::Hold { name: name.into() })?;
    let mut client = Client::connect_with(name, config).map_err(|error| error.to_string())?;
    for number in 0..calls {
        let sent = client.echo(&P8 { words: [number] }, number);
        sent.map_err(|refused| format!("a call is refused: {:?}", refused.why))?;
    }
    let start = Instant::now();
    // Acquire: pairs with the Release of the holder.
    while u64::from(remote.mapping().held().load(Ordering::Acquire)) < calls {
        if start.elapsed() > PATIENCE {
            return Err("the server does not take its requests".into());
        }
        std::thread::yield_now();
    }
    Ok((remote, client))
}
