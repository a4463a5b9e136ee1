//! The thread that watches the descriptors of this process, so that no thread that makes or serves calls has to.
//!
//! It accepts clients, sees peers die, and passes on messages for sides that do not sleep on memory. It is started by the first that
//! watches something. A process that forks has it only in the parent: there servers and clients stay.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{process, thread};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

/// Something to watch.
///
/// One thread asks everything that the process watches, so nothing here may wait. Only [`look`](Self::look) may panic, for it alone may
/// run the code of others: the thread goes on. A panic elsewhere, or in the `drop` of what is watched, ends the thread.
pub trait Watched: Send + Sync {
    /// Looks at its descriptors, of which one is readable or hung up. It is called again and again for as long as that is so: it has to
    /// take away what is there. False: it needs to be watched no more.
    ///
    /// One that panics goes on being watched. It may be called without anything to see, and once more while its [`Watch`] is dropped by
    /// another thread.
    fn look(&self) -> bool;

    /// Takes its descriptors out of the watching, with [`unwatch`]: `look` has said that nothing more is to be seen there.
    fn stop(&self);

    /// Called a few times a second while [`is_pending`](Self::is_pending): false if its time is over. It is then dropped, without
    /// [`stop`](Self::stop).
    ///
    /// It must not start or drop a [`Watch`].
    fn is_in_time(&self) -> bool {
        true
    }

    /// True if its time may run out. The answer has to be the same for as long as it is watched.
    ///
    /// It must not start or drop a [`Watch`].
    fn is_pending(&self) -> bool {
        false
    }
}

/// How often those whose time may run out are asked.
const SWEEP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// How long a thread that cannot go on waits before it tries again.
const PAUSE: Duration = Duration::from_millis(10);

/// The watching of one descriptor, which ends when this is dropped.
///
/// The descriptor has to live until then. One that lives on, here or in a child that was forked, has to be taken out with [`unwatch`] too:
/// the kernel would go on telling of it, which takes a processor.
#[derive(Debug)]
pub struct Watch {
    key: u64,
}

impl Watch {
    /// Starts the thread that watches, if this process has none yet. [`start`](Self::start) does so too; this is for who has to know which
    /// of the two went wrong.
    ///
    /// # Errors
    /// There are no more descriptors or threads. Once there are, a later call succeeds.
    pub fn prepare() -> io::Result<()> {
        Watcher::get().map(|_| ())
    }

    /// Watches a descriptor.
    ///
    /// # Errors
    /// As for [`prepare`](Self::prepare); or the descriptor is none that epoll(7) takes, or is watched already.
    pub fn start(fd: BorrowedFd<'_>, watched: Arc<dyn Watched>) -> io::Result<Self> {
        let watcher = Watcher::get()?;
        let key = {
            let mut entries = watcher.entries();
            entries.next += 1;
            let key = entries.next;
            entries.pending += usize::from(watched.is_pending());
            entries.watched.insert(key, watched);
            key
        };
        // From here on its drop tidies up.
        let watch = Self { key };
        epoll::add(
            &watcher.epoll,
            fd,
            epoll::EventData::new_u64(key),
            epoll::EventFlags::IN | epoll::EventFlags::RDHUP,
        )?;
        // The thread may wait without a time-out, and the descriptor's first event may never come.
        watcher.interrupt();
        Ok(watch)
    }

    /// Watches a second descriptor for the same. What is said of the first is true of it too.
    ///
    /// # Errors
    /// The descriptor is none that epoll(7) takes, or is watched already, or what is watched wanted no more.
    pub fn also(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let watcher = Watcher::get()?;
        // Locked, so that it is not forgotten meanwhile: nobody would take the descriptor out again.
        let entries = watcher.entries();
        if !entries.watched.contains_key(&self.key) {
            return Err(io::ErrorKind::NotFound.into());
        }
        epoll::add(
            &watcher.epoll,
            fd,
            epoll::EventData::new_u64(self.key),
            epoll::EventFlags::IN,
        )?;
        Ok(())
    }

    /// Leaves the watching to what is watched: it goes on until that wants no more, or its time is over.
    pub fn leave(self) {
        std::mem::forget(self);
    }
}

/// Stops watching a descriptor that lives on. One that is closed everywhere the kernel forgets by itself.
pub fn unwatch(fd: impl AsFd) {
    if let Ok(watcher) = Watcher::get() {
        let _ = epoll::delete(&watcher.epoll, fd);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Ok(watcher) = Watcher::get() {
            watcher.forget(self.key);
        }
    }
}

struct Watcher {
    /// The process that has its thread.
    process: u32,
    epoll: OwnedFd,
    /// Readable once, when the thread has to look at its time-out again.
    interruption: OwnedFd,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    next: u64,
    watched: BTreeMap<u64, Arc<dyn Watched>>,
    /// How many of them are pending.
    pending: usize,
}

impl Watcher {
    /// The watcher of this process.
    fn get() -> io::Result<&'static Self> {
        static WATCHER: OnceLock<Watcher> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        if let Some(watcher) = WATCHER.get() {
            return watcher.unless_forked();
        }
        // What cannot be started now may be later, when there are descriptors again.
        let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watcher) = WATCHER.get() {
            return watcher.unless_forked();
        }
        let made = Self::make()?;
        let (ready, begin) = std::sync::mpsc::channel();
        crate::spawn("rpcidl-watcher", move || {
            if begin.recv().is_ok()
                && let Some(watcher) = WATCHER.get()
            {
                watcher.run();
            }
        })?;
        let watcher = WATCHER.get_or_init(|| made);
        // The thread waits for this.
        let _ = ready.send(());
        Ok(watcher)
    }

    /// This, where its thread is. A child that was forked shares the kernel's table of what is watched with its parent, and has no thread.
    fn unless_forked(&self) -> io::Result<&Self> {
        if self.process == process::id() {
            Ok(self)
        } else {
            Err(io::Error::other(
                "this process was forked from one that has servers or clients, and execve(2) was not called; make them in one of the two",
            ))
        }
    }

    fn make() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK;
        let interruption = rustix::event::eventfd(0, flags)?;
        epoll::add(
            &epoll,
            &interruption,
            epoll::EventData::new_u64(0),
            epoll::EventFlags::IN,
        )?;
        Ok(Self {
            process: process::id(),
            epoll,
            interruption,
            entries: Mutex::default(),
        })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn interrupt(&self) {
        // The counter is full only if it is readable already, which is all that is wanted.
        let _ = rustix::io::write(&self.interruption, &1_u64.to_ne_bytes());
    }

    fn forget(&self, key: u64) {
        let forgotten = {
            let mut entries = self.entries();
            let forgotten = entries.watched.remove(&key);
            let was_pending = forgotten
                .as_ref()
                .is_some_and(|watched| watched.is_pending());
            entries.pending -= usize::from(was_pending);
            forgotten
        };
        // Unlocked: dropping it may come back here.
        drop(forgotten);
    }

    fn run(&self) {
        let mut room = [std::mem::MaybeUninit::<epoll::Event>::uninit(); 64];
        loop {
            let is_pending = self.entries().pending != 0;
            let events = match epoll::wait(&self.epoll, &mut room, is_pending.then_some(&SWEEP)) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => continue,
                Err(_) => {
                    // There is nobody to tell; a pause keeps it from taking a processor.
                    thread::sleep(PAUSE);
                    continue;
                }
            };
            for event in events {
                let key = event.data.u64();
                if key == 0 {
                    let _ = rustix::io::read(&self.interruption, &mut [0; 8]);
                    continue;
                }
                let Some(watched) = self.entries().watched.get(&key).cloned() else {
                    continue;
                };
                if !guarded(|| watched.look()) {
                    // First, so that no further descriptor is added to what is stopped.
                    self.forget(key);
                    watched.stop();
                }
            }
            if is_pending {
                self.sweep();
            }
        }
    }

    fn sweep(&self) {
        let late: Vec<u64> = {
            let entries = self.entries();
            let pending = entries.watched.iter().filter(|(_, it)| it.is_pending());
            pending
                .filter(|(_, it)| !it.is_in_time())
                .map(|(key, _)| *key)
                .collect()
        };
        for key in late {
            self.forget(key);
        }
    }
}

/// Runs code that may wake another's waker: if that panics, which the panic's hook has reported, it must not end this thread, on which
/// everybody's life depends.
fn guarded(look: impl FnOnce() -> bool) -> bool {
    catch_unwind(AssertUnwindSafe(look)).unwrap_or(true)
}
