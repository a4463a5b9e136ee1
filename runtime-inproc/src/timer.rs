//! Wakers that are woken at a time: what gives the futures their deadlines on any executor.
//!
//! One thread for the process, started by the first future that has to wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::thread;

use crate::clock;

struct Timer {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// By time, then by number; the number finds the waker.
    times: BinaryHeap<Reverse<(u64, u64)>>,
    wakers: std::collections::BTreeMap<u64, Waker>,
    last: u64,
}

/// Wakes `waker` at `time`.
pub(crate) fn wake_at(time: u64, waker: &Waker) {
    static TIMER: OnceLock<Option<&'static Timer>> = OnceLock::new();
    let timer = TIMER.get_or_init(|| {
        let timer: &'static Timer = Box::leak(Box::new(Timer {
            queue: Mutex::new(Queue::default()),
            changed: Condvar::new(),
        }));
        thread::Builder::new()
            .name("rpcidl-timer".into())
            .spawn(|| timer.run())
            .is_ok()
            .then_some(timer)
    });
    match timer {
        Some(timer) => timer.add(time, waker.clone()),
        // Without a thread for the timer the future is polled again at once: it spins, but it ends.
        None => waker.wake_by_ref(),
    }
}

impl Timer {
    fn add(&self, time: u64, waker: Waker) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.last += 1;
        let number = queue.last;
        queue.times.push(Reverse((time, number)));
        queue.wakers.insert(number, waker);
        self.changed.notify_one();
    }

    fn run(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(&Reverse((time, number))) = queue.times.peek() else {
                queue = self
                    .changed
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            match clock::until(time) {
                Some(rest) => {
                    queue = self
                        .changed
                        .wait_timeout(queue, rest)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
                None => {
                    queue.times.pop();
                    let waker = queue.wakers.remove(&number);
                    // Unlocked: a waker may run code that comes back here.
                    drop(queue);
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                    queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}
