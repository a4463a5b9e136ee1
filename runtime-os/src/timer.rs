//! Wakers that are woken at a time: what gives the futures their deadlines on any executor.
//!
//! One thread for the process, started by the first future that has to wait. It keeps what each client has asked for, and forgets it
//! with the client.
//!
//! Nobody says when a call is over, so what its future asked for stays. Its time may be hours ahead, so that is no bound. But a client
//! has only so many calls in flight: once more wakers are kept than it can have twice over, most belong to calls that are over, and
//! all of them are woken. Whoever still waits looks again and asks again, as a future does that is woken early.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::task::Waker;

use crate::clock;

/// What one client asks of the timer, which is forgotten when this is dropped.
pub struct Alarm {
    /// Wakers that are kept at most.
    most: usize,
    /// How the timer knows the client, once it asked for something.
    number: OnceLock<u64>,
}

impl Alarm {
    /// For a client with that many slots.
    pub fn new(slots: usize) -> Self {
        Self {
            most: 2 * slots,
            number: OnceLock::new(),
        }
    }

    /// Wakes `waker` at `time`, or before, if so much else is asked for that this may be out of date.
    pub fn wake_at(&self, time: u64, waker: &Waker) {
        // The end of all times does not come.
        if time == u64::MAX {
            return;
        }
        let Some(timer) = Timer::get() else {
            // Without a thread for the timer the future is polled again at once: it spins, but it ends.
            waker.wake_by_ref();
            return;
        };
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = *self
            .number
            .get_or_init(|| NEXT.fetch_add(1, Ordering::Relaxed));
        // Cloned before the lock is taken: a waker's clone may run code that comes back here.
        let waker = waker.clone();
        let unneeded = timer.lock().ask(number, self.most, time, waker, || {
            timer.changed.notify_one();
        });
        drop(unneeded);
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let (Some(&number), Some(timer)) = (self.number.get(), Timer::get()) else {
            return;
        };
        let asked = timer.lock().forget(number);
        // Unlocked: dropping a waker may run code that comes back here.
        drop(asked);
    }
}

struct Timer {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// What each client has asked for, by its number.
    clients: BTreeMap<u64, Asked>,
    /// The earliest time of each, with its number.
    earliest: BTreeSet<(u64, u64)>,
    /// Those that are to be woken whatever the time is.
    early: Vec<Waker>,
}

/// What a client has asked for: never nothing.
struct Asked {
    earliest: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Queue {
    /// Notes what a client asks for; `notify` tells the timer's thread if it has to do something sooner for it. Gives the waker back
    /// if it is not needed.
    fn ask(
        &mut self,
        number: u64,
        most: usize,
        time: u64,
        waker: Waker,
        notify: impl FnOnce(),
    ) -> Option<Waker> {
        let before = self.earliest.first().copied();
        let asked = self.clients.entry(number).or_insert_with(|| Asked {
            earliest: u64::MAX,
            wakers: Vec::new(),
        });
        let is_same = |(other, known): &(u64, Waker)| *other == time && known.will_wake(&waker);
        if asked.wakers.iter().any(is_same) {
            return Some(waker);
        }
        let crowded = asked.wakers.len() >= most;
        if crowded {
            self.earliest.remove(&(asked.earliest, number));
            asked.earliest = u64::MAX;
            self.early
                .extend(asked.wakers.drain(..).map(|(_, waker)| waker));
        }
        asked.wakers.push((time, waker));
        if time < asked.earliest {
            self.earliest.remove(&(asked.earliest, number));
            asked.earliest = time;
            self.earliest.insert((time, number));
        }
        // As a rule a later call ends later, and the thread goes on sleeping.
        if crowded || before.is_none_or(|(first, _)| time < first) {
            notify();
        }
        None
    }

    /// Forgets a client.
    fn forget(&mut self, number: u64) -> Option<Asked> {
        let asked = self.clients.remove(&number)?;
        self.earliest.remove(&(asked.earliest, number));
        Some(asked)
    }

    /// Takes out what a client has asked for up to `now`.
    fn take_due(&mut self, number: u64, now: u64) -> Vec<Waker> {
        let Some(mut asked) = self.forget(number) else {
            return Vec::new();
        };
        let is_due = |entry: &mut (u64, Waker)| entry.0 <= now;
        let due = asked.wakers.extract_if(.., is_due);
        let due = due.map(|(_, waker)| waker).collect();
        if let Some(earliest) = asked.wakers.iter().map(|(time, _)| *time).min() {
            asked.earliest = earliest;
            self.earliest.insert((earliest, number));
            self.clients.insert(number, asked);
        }
        due
    }
}

impl Timer {
    /// The timer; `None` if there is no thread for it.
    fn get() -> Option<&'static Self> {
        static TIMER: OnceLock<Timer> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        if let Some(timer) = TIMER.get() {
            return Some(timer);
        }
        // A thread that cannot be started now may be later.
        let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if TIMER.get().is_none() {
            let (ready, begin) = std::sync::mpsc::channel();
            crate::spawn("rpcidl-timer", move || {
                if begin.recv().is_ok()
                    && let Some(timer) = TIMER.get()
                {
                    timer.run();
                }
            })
            .ok()?;
            let _ = TIMER.set(Self {
                queue: Mutex::new(Queue::default()),
                changed: Condvar::new(),
            });
            // The thread waits for this.
            let _ = ready.send(());
        }
        TIMER.get()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut queue = self.lock();
        loop {
            let early = std::mem::take(&mut queue.early);
            if !early.is_empty() {
                drop(queue);
                wake(early);
                queue = self.lock();
                continue;
            }
            let Some(&(time, number)) = queue.earliest.first() else {
                queue = self
                    .changed
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if let Some(rest) = clock::until(time) {
                queue = self
                    .changed
                    .wait_timeout(queue, rest)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
                continue;
            }
            let due = queue.take_due(number, clock::now());
            drop(queue);
            wake(due);
            queue = self.lock();
        }
    }
}

/// Wakes them all. The queue is not locked: a waker may run code that comes back here.
fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        // Every client of the process has its deadlines from this thread: one whose waker panics, which the panic's hook has reported, is
        // not to end it.
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}
