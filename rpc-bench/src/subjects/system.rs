//! What the machine itself takes: a system call, a copy, a wake-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::thread::futex;

use super::{time_gapped, time_groups};
use crate::mapping::{Mapping, draw};
use crate::order::Order;
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// Two sides that sleep on a futex and wake each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Futex {
    /// Whether the sides are two processes.
    pub processes: bool,
    /// How long the caller waits between two calls.
    pub gap: Duration,
}

/// What both sides look at: 1 while the answerer is to do something.
#[derive(Clone)]
enum Turn {
    Thread(Arc<AtomicU32>),
    Process(Arc<Mapping>, usize),
}

impl Turn {
    fn word(&self) -> &AtomicU32 {
        match self {
            Self::Thread(word) => word,
            Self::Process(mapping, place) => match mapping.place(*place, 4) {
                // SAFETY: within the mapping, which `self` keeps, at the beginning of a page; reached only as an atomic.
                Some(word) => unsafe { word.cast().as_ref() },
                None => unreachable!("the place was looked at when the side was made"),
            },
        }
    }

    fn flags(&self) -> futex::Flags {
        match self {
            Self::Thread(_) => futex::Flags::PRIVATE,
            Self::Process(..) => futex::Flags::empty(),
        }
    }

    /// Sleeps while the turn is `value`, at most for a hundredth of a second.
    fn sleep(&self, value: u32) {
        let limit = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 10_000_000,
        };
        // It ends early when the turn has changed already, and late when nobody wakes it; the callers look again either way.
        let _ = futex::wait(self.word(), self.flags(), value, Some(&limit));
    }

    /// Gives the turn to the other side and wakes it.
    fn give(&self, value: u32) {
        self.word().store(value, Ordering::Release);
        let _ = futex::wake(self.word(), self.flags(), 1);
    }

    fn is(&self, value: u32) -> bool {
        self.word().load(Ordering::Acquire) == value
    }
}

struct Calling {
    turn: Turn,
    gap: Duration,
}

pub(crate) struct Answering {
    turn: Turn,
}

impl Answering {
    /// Answers at a place of the memory that two processes share.
    pub(crate) fn at(mapping: &Arc<Mapping>, place: usize) -> Result<Self, String> {
        let turn = at(mapping, place)?;
        turn.word().store(0, Ordering::Release);
        Ok(Self { turn })
    }
}

fn at(mapping: &Arc<Mapping>, place: usize) -> Result<Turn, String> {
    match mapping.place(place, 4) {
        Some(_) => Ok(Turn::Process(Arc::clone(mapping), place)),
        None => Err(format!("there is no place at {place}")),
    }
}

impl Subject for Futex {
    fn name(&self) -> String {
        let processes = if self.processes { ", processes" } else { "" };
        let gap = super::gap_name(self.gap);
        format!("bare futex ping-pong, sleeping{processes}{gap}")
    }

    fn make(&self) -> Sides {
        let gap = self.gap;
        if !self.processes {
            let turn = Turn::Thread(Arc::new(AtomicU32::new(0)));
            let answering = Answering { turn: turn.clone() };
            return Sides::Threads(Box::new(Calling { turn, gap }), Box::new(answering));
        }
        let place = draw(4);
        let make = move |mapping: &Arc<Mapping>| {
            let turn = at(mapping, place)?;
            Ok(Box::new(Calling { turn, gap }) as Box<dyn Caller>)
        };
        Sides::Processes(Order::Futex { place }, Box::new(make))
    }
}

impl Caller for Calling {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        let end = std::time::Instant::now() + PATIENCE;
        let turn = &self.turn;
        time_gapped(calls, group, self.gap, times, |_| {
            turn.give(1);
            while turn.is(1) {
                turn.sleep(1);
                // The other process may be gone.
                if std::time::Instant::now() > end {
                    return;
                }
            }
        });
    }
}

/// How long a slice may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Answerer for Answering {
    fn run(&mut self, stop: &Stop) {
        loop {
            while self.turn.is(0) {
                self.turn.sleep(0);
                if stop.now() {
                    return;
                }
            }
            self.turn.give(0);
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
