//! B3: many clients of one server, each a thread of this process with a lane of its own; and what those cost that are idle.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::figure::{Figure, Must, Value};
use crate::machine;
use crate::order::Waiting;
use crate::remote::Remote;
use crate::services::{P64, echo64};
use crate::stats;
use crate::subjects::waiting::{Between, Client, OverDevice, OverMemory, call, client};
use crate::subjects::{sum, time_groups};
use crate::watchdog;

/// What is measured of a number of clients.
#[derive(Clone, Copy, Debug)]
struct Load {
    clients: usize,
    depth: usize,
    waiting: Waiting,
}

impl Load {
    /// True for what is promised of calls that block: of many clients with default settings on few cores.
    fn is_promised(self) -> bool {
        self.clients == 16 && self.depth == 1 && self.waiting == Waiting::Default
    }

    /// How often it is measured beside one client. What the scheduler and the host give to one client and not to another evens out in time
    /// only, so what is promised takes longer.
    fn rounds(self) -> usize {
        if self.is_promised() { 8 } else { 1 }
    }

    /// How long each time. On one core each client has to have had several turns.
    fn length(self, quick: bool) -> Duration {
        let least = Duration::from_millis(if quick { 200 } else { 400 });
        least.max(Duration::from_millis(100) * self.clients as u32)
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
struct Found {
    /// Calls a second, of all clients together.
    rate: f64,
    /// Calls of each client, and the seconds that it had on a processor meanwhile.
    calls: Vec<f64>,
    spent: Vec<f64>,
    /// Nanoseconds of a call; a sample.
    times: Vec<f64>,
    /// The least part of two cores that the two processes had.
    share: f64,
}

impl Found {
    /// Adds what was found the next time of the same clients.
    fn add(&mut self, found: Self) {
        for (sum, calls) in self.calls.iter_mut().zip(found.calls) {
            *sum += calls;
        }
        for (sum, spent) in self.spent.iter_mut().zip(found.spent) {
            *sum += spent;
        }
        self.times.extend(found.times);
    }
}

/// With less of two cores than this somebody else took part: what clients that spin had of each other says little then.
const UNDISTURBED: f64 = 0.95;

/// The rows of a device; each is handed over when it is there.
pub(crate) fn run_device(
    quick: bool,
    device: &OverDevice,
    core: Option<usize>,
    mut tell: impl FnMut(Figure),
) -> Result<(), String> {
    let mut remote = Remote::start(core)?;
    let numbers: &[usize] = if quick { &[8] } else { &[2, 4, 8] };
    for depth in [1, 8] {
        for &clients in numbers {
            let load = Load {
                clients,
                depth,
                waiting: Waiting::Default,
            };
            compare(device, &mut remote, load, quick, &mut tell)?;
        }
    }
    Ok(())
}

/// The rows of shared memory.
pub(crate) fn run(
    quick: bool,
    core: Option<usize>,
    mut tell: impl FnMut(Figure),
) -> Result<(), String> {
    let mut remote = Remote::start(core)?;
    let numbers: &[usize] = if quick { &[16] } else { &[2, 4, 8, 16, 64] };
    let depths: &[usize] = if quick { &[1] } else { &[1, 8] };
    for waiting in [Waiting::Spin, Waiting::Default, Waiting::Sleep] {
        // Clients that sleep at once differ from the others where many wait together.
        let numbers = match waiting {
            Waiting::Sleep => &[16],
            _ => numbers,
        };
        for &depth in depths {
            for &clients in numbers {
                let load = Load {
                    clients,
                    depth,
                    waiting,
                };
                compare(&OverMemory, &mut remote, load, quick, &mut tell)?;
            }
        }
    }
    drop(remote);
    tell(crowd(quick, core)?);
    Ok(())
}

/// So many clients beside one alone, in the order ABBA, as often as it takes.
fn compare<B: Between>(
    between: &B,
    remote: &mut Remote,
    load: Load,
    quick: bool,
    tell: &mut impl FnMut(Figure),
) -> Result<(), String> {
    let alone = Load { clients: 1, ..load };
    let (mut ones, mut rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut thrown_away: u32 = 0;
    // Of all the times that they are measured together.
    let mut all = Found {
        calls: vec![0.0; load.clients],
        spent: vec![0.0; load.clients],
        share: 1.0,
        ..Found::default()
    };
    for _ in 0..load.rounds() {
        let before = measure(between, remote, alone, quick)?;
        let first = measure(between, remote, load, quick)?;
        let second = measure(between, remote, load, quick)?;
        let after = measure(between, remote, alone, quick)?;
        let shares = [&before, &first, &second, &after].map(|found| found.share);
        let share = shares.into_iter().fold(1.0, f64::min);
        // Up to half of the rounds may be disturbed; one more counts, and then nothing is decided.
        if share < UNDISTURBED && 2 * (thrown_away as usize + 1) <= load.rounds() {
            thrown_away += 1;
            continue;
        }
        let one = f64::midpoint(before.rate, after.rate);
        let rate = f64::midpoint(first.rate, second.rate);
        ones.push(one);
        rates.push(rate);
        ratios.push(rate / one);
        all.share = all.share.min(share);
        for found in [first, second] {
            all.add(found);
        }
    }
    let share = all.share;
    let median = stats::median(&mut all.times);
    let must = |at_least| {
        if load.is_promised() {
            Must::AtLeast(at_least)
        } else {
            Must::Anything
        }
    };
    let of_server = all
        .calls
        .iter()
        .zip(&all.spent)
        .map(|(calls, spent)| calls / spent);
    tell(Figure {
        workload: "B3",
        backend: B::NAME,
        subject: format!(
            "{} clients, depth {}, {}",
            load.clients,
            load.depth,
            load.waiting.name()
        ),
        baseline: "one client".into(),
        values: vec![
            Value::new("rate", stats::median(&mut rates) / 1e3, "k/s"),
            Value::new("rate_of_one", stats::median(&mut ones) / 1e3, "k/s"),
            Value::new("ratio", stats::median(&mut ratios), "")
                .must(must(0.7))
                .decided(share >= UNDISTURBED),
            Value::new("fairness", fairness(all.calls.iter().copied()), "")
                .must(must(0.8))
                .decided(share >= UNDISTURBED),
            Value::new("fairness_of_server", fairness(of_server), ""),
            Value::new("least_of_two_cores", 100.0 * share, "%"),
            Value::new("thrown_away", f64::from(thrown_away), "rounds"),
            Value::new("median", median / 1e3, "us"),
            Value::new("p99", stats::quantile(&all.times, 0.99) / 1e3, "us"),
        ],
    });
    Ok(())
}

/// What the client with the least has over what the one with the most has. By calls it tells what clients got; by calls for the time on a
/// processor that each had, what the scheduler gave to whom is left out.
fn fairness(of: impl Iterator<Item = f64>) -> f64 {
    let (least, most) = of.fold((f64::INFINITY, 0.0_f64), |(least, most), one| {
        (least.min(one), most.max(one))
    });
    least / most
}

/// Times that one client keeps at most.
const SAMPLES: usize = 20_000;

fn measure<B: Between>(
    between: &B,
    remote: &mut Remote,
    load: Load,
    quick: bool,
) -> Result<Found, String> {
    let name = between.serve(remote, load.waiting)?;
    let connected: Result<Vec<_>, _> = (0..load.clients)
        .map(|_| client::<B>(&name, load.waiting))
        .collect();
    let result = match connected {
        Ok(clients) => together::<B>(clients, load.depth, load.length(quick), remote.id()),
        Err(why) => Err(why),
    };
    remote.stop();
    // Its clients have gone by now, and one that comes wakes it once more.
    drop(client::<B>(&name, Waiting::Default));
    remote.stopped()?;
    watchdog::feed();
    result
}

/// All clients call for as long, each on a thread of its own on the caller's core.
fn together<B: Between>(
    clients: Vec<Client<B>>,
    depth: usize,
    length: Duration,
    server: u32,
) -> Result<Found, String> {
    let server = server.to_string();
    let spent = || machine::cpu_time(&server) + machine::cpu_time("self");
    let number = clients.len();
    let (barrier, over) = (Barrier::new(number + 1), AtomicBool::new(false));
    let (done, took, share) = std::thread::scope(|scope| {
        let threads: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let (barrier, over) = (&barrier, &over);
                scope.spawn(move || {
                    barrier.wait();
                    let before = clock_gettime(ClockId::ThreadCPUTime);
                    let (calls, times) = calls::<B>(&mut client, depth, over)?;
                    let spent = clock_gettime(ClockId::ThreadCPUTime) - before;
                    let spent = spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9;
                    Some((calls as f64, spent, times))
                })
            })
            .collect();
        barrier.wait();
        let (start, before) = (Instant::now(), spent());
        std::thread::sleep(length);
        over.store(true, Ordering::Relaxed);
        let took = start.elapsed();
        let share = (spent() - before).as_secs_f64() / (2.0 * took.as_secs_f64());
        let done: Option<Vec<_>> = threads
            .into_iter()
            .map(|thread| thread.join().ok().flatten())
            .collect();
        (done, took, share)
    });
    let done = done.ok_or("a call failed")?;
    let mut found = Found {
        share,
        ..Found::default()
    };
    for (calls, spent, times) in done {
        found.rate += calls / took.as_secs_f64();
        found.calls.push(calls);
        found.spent.push(spent);
        found.times.extend(times);
    }
    Ok(found)
}

/// Calls until it is over: how many, and how long some of them took. `None` if one failed.
fn calls<B: Between>(
    client: &mut Client<B>,
    depth: usize,
    over: &AtomicBool,
) -> Option<(u64, Vec<f64>)> {
    let (mut calls, mut total, mut failed) = (0, 0, false);
    let mut times = Vec::with_capacity(SAMPLES);
    let start = Instant::now();
    let now = || start.elapsed().as_nanos() as u64;
    let mut keep = |number: u64, time: u64| {
        // The latest of them: which ones has nothing to do with how long they took.
        if times.len() < SAMPLES {
            times.push(time as f64);
        } else {
            times[number as usize % SAMPLES] = time as f64;
        }
    };
    if depth == 1 {
        while !over.load(Ordering::Relaxed) {
            let sent = now();
            if !call(client, calls, &mut total) {
                return None;
            }
            keep(calls, now() - sent);
            calls += 1;
        }
        return Some((calls, times));
    }
    let mut in_flight = 0;
    // What is in flight at the end is received, too, but does not count.
    while in_flight > 0 || !over.load(Ordering::Relaxed) {
        let ends = over.load(Ordering::Relaxed);
        while !ends && in_flight < depth {
            let payload = P64 { words: [calls; 8] };
            client.echo(&payload, now()).ok()?;
            in_flight += 1;
        }
        if in_flight == 0 {
            break;
        }
        client.wait(PATIENCE).ok()?;
        let arrived = client.poll(|sent, echo64::Reply::Echo(reply)| match reply {
            Ok(reply) => {
                total = total.wrapping_add(sum(&reply.back.words));
                if !ends {
                    keep(calls, now() - sent);
                    calls += 1;
                }
            }
            Err(_) => failed = true,
        });
        in_flight -= arrived.ok()?;
        if failed {
            return None;
        }
    }
    std::hint::black_box(total);
    Some((calls, times))
}

/// How long a wait for replies may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One active client among many idle ones, beside one alone: two servers of which each sleeps while the other has calls.
fn crowd(quick: bool, core: Option<usize>) -> Result<Figure, String> {
    let (idle, rounds) = if quick { (200, 10) } else { (1000, 60) };
    let serve = || {
        let mut remote = Remote::start(core)?;
        let name = OverMemory.serve(&mut remote, Waiting::Default)?;
        let active = client::<OverMemory>(&name, Waiting::Default)?;
        Ok::<_, String>((remote, name, active))
    };
    let (_quiet, _, mut alone) = serve()?;
    let (busy, name, mut among) = serve()?;
    let crowd: Result<Vec<_>, _> = (0..idle)
        .map(|_| client::<OverMemory>(&name, Waiting::Default))
        .collect();
    let crowd = crowd?;
    watchdog::feed();
    let mut ratios = Vec::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut medians = [0.0; 4];
        for (median, is_among) in medians.iter_mut().zip([false, true, true, false]) {
            let active = if is_among { &mut among } else { &mut alone };
            *median = active_median(active)?;
        }
        let [first, second, third, fourth] = medians;
        ratios.push((second + third) / (first + fourth));
        theirs.extend([first, fourth]);
        ours.extend([second, third]);
    }
    let ratio = stats::bootstrap(&ratios).map_or(f64::NAN, |ratio| ratio.median);
    let [server, client] = idle_shares(&busy);
    drop(crowd);
    Ok(Figure {
        workload: "B3",
        backend: "shm",
        subject: format!("one active client among {idle} idle ones"),
        baseline: "one client alone".into(),
        values: vec![
            Value::new("median", stats::median(&mut ours), "ns"),
            Value::new("median_alone", stats::median(&mut theirs), "ns"),
            Value::new("ratio", ratio, "").must(Must::AtMost(1.5)),
            Value::new("server_idle", server, "%"),
            Value::new("client_idle", client, "%"),
        ],
    })
}

fn active_median(client: &mut Client<OverMemory>) -> Result<f64, String> {
    let (mut times, mut total, mut failed) = (Vec::new(), 0, false);
    // The first group wakes the server.
    time_groups(2050, 50, &mut times, |number| {
        failed = failed || !call(client, number, &mut total);
    });
    if failed {
        return Err("a call failed".into());
    }
    Ok(stats::median(&mut times[1..]))
}

/// Which part of a core the server's process and this one take while nobody calls.
fn idle_shares(server: &Remote) -> [f64; 2] {
    // Both have stopped spinning.
    std::thread::sleep(Duration::from_millis(50));
    let server = server.id().to_string();
    let look = || [server.as_str(), "self"].map(machine::cpu_time);
    let (start, before) = (Instant::now(), look());
    std::thread::sleep(Duration::from_secs(1));
    let after = look();
    let took = start.elapsed();
    [0, 1].map(|of| {
        let spent = after[of].saturating_sub(before[of]);
        100.0 * spent.as_secs_f64() / took.as_secs_f64()
    })
}

/// B4's row that is no comparison: what a connection costs that is not used.
pub(crate) fn idle(core: Option<usize>) -> Result<Figure, String> {
    let mut remote = Remote::start(core)?;
    let name = OverMemory.serve(&mut remote, Waiting::Default)?;
    let mut client = client::<OverMemory>(&name, Waiting::Default)?;
    if !call(&mut client, 1, &mut 0) {
        return Err("a call failed".into());
    }
    let [server, own] = idle_shares(&remote);
    Ok(Figure {
        workload: "B4",
        backend: "shm",
        subject: "one idle client, part of a core".into(),
        baseline: String::new(),
        values: vec![
            Value::new("server", server, "%"),
            Value::new("client", own, "%"),
        ],
    })
}
