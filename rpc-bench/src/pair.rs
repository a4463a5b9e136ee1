//! Two pinned threads that run any number of subjects in slices, so that what is compared runs within milliseconds of
//! each other on the same two cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The calling side of a subject.
pub(crate) trait Caller {
    /// Makes `calls` calls and appends a time in nanoseconds per call, one for each group of `group` calls.
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>);
}

/// The answering side of a subject; handed to the other thread.
pub(crate) trait Answerer: Send {
    /// Answers until `stop` says so.
    fn run(&mut self, stop: &Stop);
}

/// Both sides.
pub(crate) type Sides = (Box<dyn Caller>, Box<dyn Answerer>);

/// What is measured: makes fresh sides, with fresh memory, for every slice.
pub(crate) trait Subject {
    /// Its name in the report.
    fn name(&self) -> String;
    /// New sides.
    fn make(&self) -> Sides;
}

/// Tells an answerer to stop. Looked at only when there is nothing to answer.
#[derive(Clone)]
pub(crate) struct Stop {
    stopped: Arc<AtomicBool>,
    idle: std::cell::Cell<u32>,
}

impl Stop {
    fn new() -> Self {
        Self {
            stopped: Arc::new(AtomicBool::new(false)),
            idle: std::cell::Cell::new(0),
        }
    }

    /// True if the slice is over; call it when a poll has found nothing.
    #[inline(always)]
    pub(crate) fn idle(&self) -> bool {
        let idle = self.idle.get().wrapping_add(1);
        self.idle.set(idle);
        std::hint::spin_loop();
        idle & 63 == 0 && self.now()
    }

    /// True if the slice is over; for an answerer that sleeps.
    pub(crate) fn now(&self) -> bool {
        // Acquire: pairs with the Release in `Pair::slice`.
        self.stopped.load(Ordering::Acquire)
    }
}

/// The two threads: the caller is the thread that made this.
pub(crate) struct Pair {
    jobs: Sender<(Box<dyn Answerer>, Stop)>,
    done: Receiver<()>,
    worker: Option<JoinHandle<()>>,
    progress: Arc<AtomicU64>,
}

/// A run that makes no progress for this long is ended, with a message, instead of hanging.
const WATCHDOG: Duration = Duration::from_secs(60);

impl Pair {
    /// Pins the calling thread to the first core and a new one to the second.
    pub(crate) fn new() -> Self {
        let cores = crate::machine::cores();
        crate::machine::pin(cores.first().copied());
        let second = cores.get(1).copied();
        let (jobs, inbox) = channel::<(Box<dyn Answerer>, Stop)>();
        let (outbox, done) = channel();
        let worker = std::thread::spawn(move || {
            crate::machine::pin(second);
            for (mut answerer, stop) in inbox {
                answerer.run(&stop);
                drop(answerer);
                if outbox.send(()).is_err() {
                    return;
                }
            }
        });
        let progress = Arc::new(AtomicU64::new(0));
        watch(Arc::clone(&progress));
        Self {
            jobs,
            done,
            worker: Some(worker),
            progress,
        }
    }

    /// Runs one slice of a subject with fresh memory.
    pub(crate) fn slice(
        &self,
        subject: &dyn Subject,
        calls: usize,
        group: usize,
        times: &mut Vec<f64>,
    ) {
        let (mut caller, answerer) = subject.make();
        let stop = Stop::new();
        if self.jobs.send((answerer, stop.clone())).is_err() {
            return;
        }
        // The first calls find cold memory and an answerer that may still be waking up.
        let mut warm = Vec::new();
        caller.run(calls.div_ceil(10).max(200), group, &mut warm);
        caller.run(calls, group, times);
        stop.stopped.store(true, Ordering::Release);
        // The answerer may hold what the caller's end waits for when it is dropped, and the other way round: first one, then the other.
        let _ = self.done.recv();
        self.progress.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let (nowhere, _) = channel();
        self.jobs = nowhere;
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

/// Ends the process when a slice takes longer than any slice may.
fn watch(progress: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let mut last = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = progress.load(Ordering::Relaxed);
            if now != last.0 {
                last = (now, Instant::now());
            } else if last.1.elapsed() > WATCHDOG {
                eprintln!(
                    "rpc-bench: no slice has ended for {} s; giving up",
                    WATCHDOG.as_secs()
                );
                std::process::exit(3);
            }
        }
    });
}
