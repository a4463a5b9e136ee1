//! The thread that watches descriptors. Every wait is for something that is told over a channel, and has a bound.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use runtime_os::{Pollable, Watch, Watched, unwatch};

/// What takes longer than this never comes.
const WATCHDOG: Duration = Duration::from_secs(20);

/// What happened to something that is watched.
#[derive(Debug, PartialEq)]
enum Told {
    Looked,
    AskedIfInTime,
    Stopped,
    Dropped,
}

/// What a look does once it is told of.
#[derive(Clone, Copy)]
enum Then {
    GoOn,
    End,
    Panic,
}

/// A descriptor to watch, and what the test makes of it.
struct Probe {
    signal: Pollable,
    told: Sender<Told>,
    then: Then,
    is_pending: bool,
    is_late: AtomicBool,
}

impl Probe {
    fn new(then: Then, is_pending: bool) -> (Arc<Self>, Receiver<Told>) {
        let (told, hears) = channel();
        let signal = Pollable::new().expect("an eventfd");
        let is_late = AtomicBool::new(false);
        let probe = Self {
            signal,
            told,
            then,
            is_pending,
            is_late,
        };
        (Arc::new(probe), hears)
    }

    fn watch(self: &Arc<Self>) -> Watch {
        let watched = Arc::clone(self) as Arc<dyn Watched>;
        Watch::start(self.signal.as_fd(), watched).expect("it can be watched")
    }

    fn tell(&self, what: Told) {
        // A test that has failed listens no more.
        let _ = self.told.send(what);
    }
}

impl Watched for Probe {
    fn look(&self) -> bool {
        assert_eq!(thread::current().name(), Some("rpcidl-watcher"));
        // Before the test hears of it, which may make it readable again. At the end it stays so: nothing but the end of the watching
        // keeps it from being looked at again.
        if !matches!(self.then, Then::End) {
            self.signal.clear();
        }
        self.tell(Told::Looked);
        match self.then {
            Then::GoOn => true,
            Then::End => false,
            // Without the hook, which would print it.
            Then::Panic => std::panic::resume_unwind(Box::new("a waker's panic")),
        }
    }

    fn stop(&self) {
        unwatch(&self.signal);
        self.tell(Told::Stopped);
    }

    fn is_in_time(&self) -> bool {
        self.tell(Told::AskedIfInTime);
        !self.is_late.load(Ordering::Acquire)
    }

    fn is_pending(&self) -> bool {
        self.is_pending
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.tell(Told::Dropped);
    }
}

/// The tests take turns: they share the thread, and each is to find it idle.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next thing that happens.
fn next(hears: &Receiver<Told>) -> Told {
    hears.recv_timeout(WATCHDOG).expect("something happens")
}

/// Waits for something that is told of after questions at most.
fn after_questions(hears: &Receiver<Told>, what: Told) {
    let end = Instant::now() + WATCHDOG;
    loop {
        let told = next(hears);
        if told == what {
            return;
        }
        assert_eq!(told, Told::AskedIfInTime);
        assert!(Instant::now() < end, "it never came to this: {what:?}");
    }
}

/// Returns when the thread has come to everything that was readable before: it takes descriptors in the order in which they became so, a
/// batch at a time, and a second look is of a later batch than the first.
fn catch_up() {
    let (probe, hears) = Probe::new(Then::GoOn, false);
    let watch = probe.watch();
    for _ in 0..2 {
        probe.signal.waker().wake_by_ref();
        assert_eq!(next(&hears), Told::Looked);
    }
    unwatch(&probe.signal);
    drop(watch);
}

#[test]
fn what_becomes_readable_is_looked_at_each_time() {
    let _turn = turn();
    let (probe, hears) = Probe::new(Then::GoOn, false);
    let _watch = probe.watch();
    catch_up();
    assert!(hears.try_recv().is_err(), "there was nothing to see");
    for _ in 0..3 {
        probe.signal.waker().wake_by_ref();
        assert_eq!(next(&hears), Told::Looked);
    }
    unwatch(&probe.signal);
}

#[test]
fn a_second_descriptor_is_for_the_same() {
    let _turn = turn();
    let (probe, hears) = Probe::new(Then::End, false);
    let second = Pollable::new().expect("an eventfd");
    let watch = probe.watch();
    watch.also(second.as_fd()).expect("it can be watched too");
    second.waker().wake_by_ref();
    assert_eq!(next(&hears), Told::Looked);
    assert_eq!(next(&hears), Told::Stopped);
    unwatch(&second);
}

#[test]
fn a_look_that_says_so_ends_the_watching() {
    let _turn = turn();
    let (probe, hears) = Probe::new(Then::End, false);
    let signal = probe.signal.clone();
    let watch = probe.watch();
    drop(probe);
    signal.waker().wake_by_ref();
    assert_eq!(next(&hears), Told::Looked);
    assert_eq!(next(&hears), Told::Stopped);
    assert_eq!(next(&hears), Told::Dropped);
    // The descriptor, which is still readable, is out of the watching: it can be watched by another.
    let (other, hears) = Probe::new(Then::GoOn, false);
    let another = Watch::start(signal.as_fd(), Arc::clone(&other) as Arc<dyn Watched>);
    let another = another.expect("nobody watches it");
    assert_eq!(next(&hears), Told::Looked);
    unwatch(&signal);
    drop(another);
    // What has ended can be dropped at any time.
    drop(watch);
}

#[test]
fn one_whose_time_is_over_is_dropped_and_not_before() {
    let _turn = turn();
    let (probe, hears) = Probe::new(Then::GoOn, true);
    // It is late too, but its time cannot run out.
    let (steady, steady_hears) = Probe::new(Then::GoOn, false);
    steady.is_late.store(true, Ordering::Release);
    let _steady_watch = steady.watch();
    probe.watch().leave();
    assert_eq!(next(&hears), Told::AskedIfInTime);
    assert_eq!(next(&hears), Told::AskedIfInTime);
    probe.signal.waker().wake_by_ref();
    after_questions(&hears, Told::Looked);
    probe.is_late.store(true, Ordering::Release);
    unwatch(&probe.signal);
    drop(probe);
    after_questions(&hears, Told::Dropped);
    steady.signal.waker().wake_by_ref();
    assert_eq!(next(&steady_hears), Told::Looked);
    unwatch(&steady.signal);
}

#[test]
fn nothing_is_looked_at_once_its_watch_is_dropped() {
    let _turn = turn();
    let (probe, hears) = Probe::new(Then::GoOn, false);
    let watch = probe.watch();
    probe.signal.waker().wake_by_ref();
    assert_eq!(next(&hears), Told::Looked);
    catch_up();
    drop(watch);
    // The kernel still tells of it, which must reach nobody.
    probe.signal.waker().wake_by_ref();
    catch_up();
    unwatch(&probe.signal);
    assert!(hears.try_recv().is_err(), "it was looked at");
    // The thread has let go of it.
    drop(probe);
    assert_eq!(next(&hears), Told::Dropped);
}

#[test]
fn a_look_that_panics_ends_neither_the_thread_nor_the_watching() {
    let _turn = turn();
    let (probe, hears) = Probe::new(Then::Panic, false);
    let _watch = probe.watch();
    for _ in 0..3 {
        probe.signal.waker().wake_by_ref();
        assert_eq!(next(&hears), Told::Looked);
    }
    catch_up();
    unwatch(&probe.signal);
}

#[test]
fn what_cannot_be_watched_is_an_error_and_forgotten() {
    let _turn = turn();
    Watch::prepare().expect("a thread");
    let (probe, hears) = Probe::new(Then::GoOn, true);
    // epoll(7) takes no descriptor that is always ready.
    let file = File::open("/proc/self/exe").expect("a file");
    let watch = Watch::start(file.as_fd(), probe);
    let error = watch.expect_err("a file cannot be watched");
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(error.raw_os_error().is_some());
    after_questions(&hears, Told::Dropped);
}
