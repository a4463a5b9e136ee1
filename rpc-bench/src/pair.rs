//! Two pinned sides that run any number of subjects in slices, so that what is compared runs within milliseconds of each
//! other on the same two cores. The caller is a thread of this process; the answerer another, or another process.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::machine;
use crate::mapping::Mapping;
use crate::order::Order;
use crate::remote::Remote;
use crate::watchdog;

/// The calling side of a subject.
pub(crate) trait Caller {
    /// Makes `calls` calls and appends a time in nanoseconds per call, one for each group of `group` calls.
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>);
}

/// The answering side of a subject.
pub(crate) trait Answerer {
    /// Answers until `stop` says so.
    fn run(&mut self, stop: &Stop);
}

/// Makes the calling side, given the memory shared with a process that answers already.
pub(crate) type MakeCaller = Box<dyn FnOnce(&Arc<Mapping>) -> Result<Box<dyn Caller>, String>>;

/// Both sides.
pub(crate) enum Sides {
    /// Two threads of this process.
    Threads(Box<dyn Caller>, Box<dyn Answerer + Send>),
    /// Two processes: what the other one is told to answer, and who calls it.
    Processes(Order, MakeCaller),
}

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
    stopped: Stopped,
    idle: std::cell::Cell<u32>,
}

#[derive(Clone)]
enum Stopped {
    Thread(Arc<AtomicBool>),
    Process(Arc<Mapping>),
}

impl Stop {
    /// Of an answerer in this process, which stops once it is true.
    fn of_thread(stopped: &Arc<AtomicBool>) -> Self {
        Self {
            stopped: Stopped::Thread(Arc::clone(stopped)),
            idle: std::cell::Cell::new(0),
        }
    }

    /// Of an answerer in another process.
    pub(crate) fn of_process(mapping: &Arc<Mapping>) -> Self {
        Self {
            stopped: Stopped::Process(Arc::clone(mapping)),
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
        // Acquire: pairs with the Release in `Pair::slice` and in `Remote::stop`.
        match &self.stopped {
            Stopped::Thread(stopped) => stopped.load(Ordering::Acquire),
            Stopped::Process(mapping) => mapping.stop().load(Ordering::Acquire) != 0,
        }
    }
}

/// How long a slice is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    /// Calls before any is timed: they find cold memory, and an answerer that may still be waking up.
    pub warm: usize,
    /// Calls that are timed.
    pub calls: usize,
    /// Calls in a group that is timed as one.
    pub group: usize,
}

/// The two sides: the caller is the thread that made this.
pub(crate) struct Pair {
    jobs: Sender<(Box<dyn Answerer + Send>, Stop)>,
    done: Receiver<()>,
    worker: Option<JoinHandle<()>>,
    /// Where /proc tells of the worker.
    worker_path: String,
    core: Option<usize>,
    /// Started for the first subject of two processes, and again when it was lost.
    remote: RefCell<Option<Remote>>,
}

impl Pair {
    /// Pins the calling thread to the first core and the answerers to the second.
    pub(crate) fn new() -> Self {
        let cores = machine::cores_before_pinning();
        machine::pin(cores.first().copied());
        let second = cores.get(1).copied();
        let (jobs, inbox) = channel::<(Box<dyn Answerer + Send>, Stop)>();
        let (outbox, done) = channel();
        let (name, named) = channel();
        let worker = std::thread::spawn(move || {
            machine::pin(second);
            let _ = name.send(rustix::thread::gettid().as_raw_nonzero());
            for (mut answerer, stop) in inbox {
                answerer.run(&stop);
                drop(answerer);
                if outbox.send(()).is_err() {
                    return;
                }
            }
        });
        let worker_path = match named.recv() {
            Ok(id) => format!("self/task/{id}"),
            Err(_) => String::new(),
        };
        Self {
            jobs,
            done,
            worker: Some(worker),
            worker_path,
            core: second,
            remote: RefCell::new(None),
        }
    }

    /// Runs one slice of a subject with fresh memory. Returns whether neither the host nor the scheduler came between.
    pub(crate) fn slice(
        &self,
        subject: &dyn Subject,
        length: Length,
        times: &mut Vec<f64>,
    ) -> Result<bool, String> {
        let undisturbed = match subject.make() {
            Sides::Threads(caller, answerer) => self.threads(caller, answerer, length, times),
            Sides::Processes(order, make) => {
                let mut remote = self.remote.borrow_mut();
                let result = self.processes(&mut remote, &order, make, length, times);
                if result.is_err() {
                    // Whatever it does now, it is not what it was told.
                    *remote = None;
                }
                result
            }
        };
        watchdog::feed();
        undisturbed
    }

    fn threads(
        &self,
        mut caller: Box<dyn Caller>,
        answerer: Box<dyn Answerer + Send>,
        length: Length,
        times: &mut Vec<f64>,
    ) -> Result<bool, String> {
        let gone = |_| "the answering thread has ended".to_string();
        let stopped = Arc::new(AtomicBool::new(false));
        let job = (answerer, Stop::of_thread(&stopped));
        self.jobs.send(job).map_err(|_| gone(()))?;
        let undisturbed = timed(&mut *caller, &self.worker_path, length, times);
        stopped.store(true, Ordering::Release);
        // The answerer may hold what the caller's end waits for when it is dropped, and the other way round: first one, then
        // the other.
        self.done.recv().map_err(|_| gone(()))?;
        Ok(undisturbed)
    }

    fn processes(
        &self,
        remote: &mut Option<Remote>,
        order: &Order,
        make: MakeCaller,
        length: Length,
        times: &mut Vec<f64>,
    ) -> Result<bool, String> {
        let remote = match remote {
            Some(remote) => remote,
            None => remote.insert(Remote::start(self.core)?),
        };
        remote.answer(order)?;
        let mut caller = make(remote.mapping())?;
        let path = remote.id().to_string();
        let undisturbed = timed(&mut *caller, &path, length, times);
        remote.stop();
        // A server that sleeps wakes when its client goes.
        drop(caller);
        remote.stopped()?;
        Ok(undisturbed)
    }
}

/// Makes the calls of a slice. Returns whether neither side was switched out, as far as /proc tells, and the host took no time.
fn timed(caller: &mut dyn Caller, answerer: &str, length: Length, times: &mut Vec<f64>) -> bool {
    let disturbances = || {
        let switches = ["thread-self", answerer].map(machine::switches);
        (machine::steal(), switches)
    };
    caller.run(length.warm, length.group.min(length.warm), &mut Vec::new());
    let before = disturbances();
    caller.run(length.calls, length.group, times);
    disturbances() == before
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
