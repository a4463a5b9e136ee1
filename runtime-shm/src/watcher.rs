//! The thread that watches the sockets of this process, so that no thread that makes or serves calls has to.
//!
//! It accepts clients, sees peers die, and passes on messages for sides that do not sleep on shared memory. It is started by the first
//! server or client of the process. A process that forks has it only in the parent: there servers and clients stay.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use runtime_core::AttachError;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::socket::system;

/// Something to watch.
pub(crate) trait Watched: Send + Sync {
    /// Looks at its descriptor, which is readable or hung up. False: it needs to be watched no more.
    fn look(&self) -> bool;

    /// Takes its descriptors out of the watching, with [`unwatch`]: `look` has said that nothing more is to be seen there.
    fn stop(&self);

    /// Called a few times a second while [`is_pending`](Self::is_pending): false if its time is over.
    fn is_in_time(&self) -> bool {
        true
    }

    /// True if its time may run out.
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

/// The watching of one descriptor, which ends when this is dropped. The descriptor has to live until then.
#[derive(Debug)]
pub(crate) struct Watch {
    key: u64,
}

impl Watch {
    /// Watches a descriptor.
    pub(crate) fn start(
        fd: BorrowedFd<'_>,
        watched: Arc<dyn Watched>,
    ) -> Result<Self, AttachError> {
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
        )
        .map_err(|error| system("watching a socket".into(), error))?;
        // The thread may wait without a time-out, and the descriptor's first event may never come.
        watcher.interrupt();
        Ok(watch)
    }

    /// Watches a second descriptor for the same.
    pub(crate) fn also(&self, fd: BorrowedFd<'_>) -> Result<(), AttachError> {
        epoll::add(
            &Watcher::get()?.epoll,
            fd,
            epoll::EventData::new_u64(self.key),
            epoll::EventFlags::IN,
        )
        .map_err(|error| system("watching a process".into(), error))
    }

    /// Leaves the watching to what is watched: it goes on until that wants no more.
    pub(crate) fn leave(self) {
        std::mem::forget(self);
    }
}

/// Stops watching a descriptor that lives on. One that is closed everywhere the kernel forgets by itself.
pub(crate) fn unwatch(fd: impl AsFd) {
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
    fn get() -> Result<&'static Self, AttachError> {
        static WATCHER: OnceLock<Watcher> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        if let Some(watcher) = WATCHER.get() {
            return Ok(watcher);
        }
        // What cannot be started now may be later, when there are descriptors again.
        let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watcher) = WATCHER.get() {
            return Ok(watcher);
        }
        let fault = |error| system("starting the thread that watches sockets".into(), error);
        let made = Self::make().map_err(fault)?;
        let (ready, begin) = std::sync::mpsc::channel();
        thread::Builder::new()
            .name("rpcidl-shm".into())
            .spawn(move || {
                if begin.recv().is_ok()
                    && let Some(watcher) = WATCHER.get()
                {
                    watcher.run();
                }
            })
            .map_err(fault)?;
        let watcher = WATCHER.get_or_init(|| made);
        // The thread waits for this.
        let _ = ready.send(());
        Ok(watcher)
    }

    fn make() -> std::io::Result<Self> {
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
                    watched.stop();
                    self.forget(key);
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
