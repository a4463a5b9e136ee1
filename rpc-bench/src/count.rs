//! Instructions per call, counted by callgrind: the same whatever else the machine does.
//!
//! The program runs itself under valgrind with two numbers of calls; the difference belongs to the calls. Both ends are
//! driven by one thread, so nothing spins.

use std::hint::black_box;
use std::process::Command;

use crate::services::{P8, echo8};

/// The handler of the counted service.
struct Echo;

impl echo8::Handler for Echo {
    #[inline(always)]
    fn echo(&mut self, payload: &P8) -> P8 {
        *payload
    }
}

/// What can be counted.
pub(crate) const SUBJECTS: [&str; 2] = ["generated stub", "hand-written slot"];

/// Makes as many calls of a subject in this thread.
pub(crate) fn run(subject: &str, calls: u64) -> u64 {
    match subject {
        "generated stub" => generated(calls),
        _ => by_hand(calls),
    }
}

/// call, recv, dispatch, reply, poll through what rpcgen makes.
#[inline(never)]
fn generated(calls: u64) -> u64 {
    let (mut client, mut server) = echo8::pair::<u64>().expect("the defaults are possible");
    let mut sum = 0;
    for number in 0..calls {
        let payload = P8 {
            words: [black_box(number)],
        };
        let _ = client.echo(&payload, number);
        let _ = server.poll(&mut Echo, 1);
        let _ = client.poll(|user_data, echo8::Reply::Echo(reply)| {
            sum += user_data + reply.map_or(0, |reply| reply.words[0]);
        });
    }
    black_box(sum)
}

/// The least that a program would write by hand: a word and a payload in one slot, no window, no errors, no deadlines, one
/// method.
#[inline(never)]
fn by_hand(calls: u64) -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    struct Slot {
        word: AtomicU64,
        payload: AtomicU64,
    }
    let slot = black_box(Box::new(Slot {
        word: AtomicU64::new(0),
        payload: AtomicU64::new(0),
    }));
    let mut sum = 0;
    for number in 0..calls {
        slot.payload.store(black_box(number), Ordering::Relaxed);
        slot.word.store(2 * number + 1, Ordering::Release);
        if black_box(&slot).word.load(Ordering::Acquire) == 2 * number + 1 {
            let payload = slot.payload.load(Ordering::Relaxed);
            slot.payload.store(payload, Ordering::Relaxed);
            slot.word.store(2 * number + 2, Ordering::Release);
        }
        if black_box(&slot).word.load(Ordering::Acquire) == 2 * number + 2 {
            sum += number + slot.payload.load(Ordering::Relaxed);
        }
    }
    black_box(sum)
}

/// Instructions per call of a subject, or why they could not be counted.
pub(crate) fn instructions(subject: &str) -> Result<f64, String> {
    const FEW: u64 = 10_000;
    const MANY: u64 = 30_000;
    let count = |calls: u64| -> Result<f64, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(program)
            .args(["count", subject, &calls.to_string()])
            .output()
            .map_err(|error| {
                format!("valgrind could not be started ({error}); install it to count instructions")
            })?;
        let text = String::from_utf8_lossy(&output.stderr);
        text.lines()
            .find_map(|line| line.split_once("Collected :"))
            .and_then(|(_, number)| number.trim().parse().ok())
            .ok_or_else(|| {
                format!(
                    "valgrind did not count: {}",
                    text.lines().last().unwrap_or("no output")
                )
            })
    };
    Ok((count(MANY)? - count(FEW)?) / (MANY - FEW) as f64)
}
