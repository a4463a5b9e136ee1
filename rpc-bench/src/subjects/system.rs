//! What the machine itself takes: a system call, a copy, a wake-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::futex;

use super::time_groups;
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// Two threads that sleep on a futex and wake each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Futex;

struct Side {
    turn: Arc<AtomicU32>,
}

impl Subject for Futex {
    fn name(&self) -> String {
        "bare futex ping-pong, sleeping".into()
    }

    fn make(&self) -> Sides {
        let turn = Arc::new(AtomicU32::new(0));
        (
            Box::new(Side {
                turn: Arc::clone(&turn),
            }),
            Box::new(Side { turn }),
        )
    }
}

/// Sleeps while the turn is `value`, at most for a hundredth of a second.
fn sleep(turn: &AtomicU32, value: u32) {
    let limit = rustix::time::Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    // It ends early when the turn has changed already, and late when nobody wakes it; the callers look again either way.
    let _ = futex::wait(turn, futex::Flags::PRIVATE, value, Some(&limit));
}

fn wake(turn: &AtomicU32) {
    let _ = futex::wake(turn, futex::Flags::PRIVATE, 1);
}

impl Caller for Side {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        time_groups(calls, group, times, |_| {
            self.turn.store(1, Ordering::Release);
            wake(&self.turn);
            while self.turn.load(Ordering::Acquire) == 1 {
                sleep(&self.turn, 1);
            }
        });
    }
}

impl Answerer for Side {
    fn run(&mut self, stop: &Stop) {
        loop {
            while self.turn.load(Ordering::Acquire) == 0 {
                sleep(&self.turn, 0);
                if stop.now() {
                    return;
                }
            }
            self.turn.store(0, Ordering::Release);
            wake(&self.turn);
        }
    }
}

/// Nanoseconds that the cheapest system call takes: the median of 1,000 groups.
pub(crate) fn syscall() -> f64 {
    let mut times = Vec::new();
    time_groups(100_000, 100, &mut times, |_| {
        std::hint::black_box(rustix::process::getppid());
    });
    crate::stats::median(&mut times)
}

/// Bytes per nanosecond of a copy of 1 MiB: the median of 200.
pub(crate) fn copy() -> f64 {
    const BYTES: usize = 1 << 20;
    let from = vec![1_u8; BYTES];
    let mut to = vec![0_u8; BYTES];
    let mut times = Vec::new();
    time_groups(200, 1, &mut times, |_| {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
    });
    BYTES as f64 / crate::stats::median(&mut times)
}
