//! What the two ends of a lane tell each other outside the slots: who sleeps, who is gone.

use crate::barrier::{BarrierScope, heavy, light, prepare_barrier};
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// A flag or counter in cache lines of its own: it is written seldom and read by every call, so the reader's copy stays
/// in its cache. Two lines, because processors fetch lines in pairs.
#[repr(C, align(128))]
#[derive(Debug)]
struct OwnLine<T>(T);

/// How a side that sleeps wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A thread waits for this: in the nearest way that there is.
    Thread,
    /// Something else does, such as a task: by a message to whoever listens for that side.
    Message,
}

/// The control block of a lane.
#[repr(C)]
#[derive(Debug)]
pub struct Control {
    server: OwnLine<Side>,
    client: OwnLine<Side>,
    /// Events that the client has released. Written by the client.
    events_taken: OwnLine<AtomicU64>,
}

/// What there is to know of one side. The other looks at it after all that it sends, and finds 0 as a rule: so a call asks one
/// question for three answers.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Side(AtomicU32);

impl Side {
    /// It sleeps, or has stopped polling the lane: what is sent to it has to wake it. Set by that side, cleared by whichever ends it.
    const ASLEEP: u32 = 1;
    /// It is gone. Set by that side, or by whoever sees it die.
    const GONE: u32 = 2;
    /// What is sent to it needs a fence before the look at this: there are no asymmetric barriers. Never changes.
    const FENCES: u32 = 4;
    /// With `ASLEEP`: it is to be woken by a message, see [`Wake`].
    const MESSAGE: u32 = 8;

    fn new(asymmetric: bool) -> Self {
        Self(AtomicU32::new(if asymmetric { 0 } else { Self::FENCES }))
    }

    /// True if there is nothing to know of this side. Called after something was published for it; `call` comes next if it is false.
    #[inline(always)]
    pub(crate) fn is_quiet(&self) -> bool {
        // The peer's heavy barrier makes this thread pass a fence here; where it cannot, FENCES is set, and `call` has one.
        light();
        // Relaxed: whoever finds it set goes on to an operation that orders (the swap in `wake`, the load in `is_gone`).
        self.0.load(Ordering::Relaxed) == 0
    }

    /// After `is_quiet` was false: how to wake this side, if it slept and has to be woken by the caller.
    #[cold]
    pub(crate) fn call(&self) -> Option<Wake> {
        if self.fences() {
            fence(Ordering::SeqCst);
        }
        // Relaxed: as in `is_quiet`.
        if self.0.load(Ordering::Relaxed) & Self::ASLEEP == 0 {
            return None;
        }
        self.wake()
    }

    /// Announces that this side stops looking. What the other sends after this wakes it; what it sent before is seen by looking once
    /// more.
    pub(crate) fn announce_sleep(&self, wake: Wake, scope: BarrierScope) {
        self.announce_without_barrier(wake);
        self.barrier(scope);
    }

    /// The announcement without its barrier, for those who make many.
    pub(crate) fn announce_without_barrier(&self, wake: Wake) {
        // Relaxed, both: the barrier orders them. Between the two this side counts as awake, or is woken by a message that it no longer
        // needs; nobody is missed, since it looks once more after the barrier.
        match wake {
            Wake::Thread => {
                self.0.fetch_and(!Self::MESSAGE, Ordering::Relaxed);
                self.0.fetch_or(Self::ASLEEP, Ordering::Relaxed);
            }
            Wake::Message => {
                self.0
                    .fetch_or(Self::ASLEEP | Self::MESSAGE, Ordering::Relaxed);
            }
        }
    }

    /// The barrier after an announcement.
    pub(crate) fn barrier(&self, scope: BarrierScope) {
        // Not by the word: the peer could have changed it, and this side makes one barrier for many lanes.
        heavy(prepare_barrier(scope), scope);
    }

    fn fences(&self) -> bool {
        // Relaxed: set before anyone shares it.
        self.0.load(Ordering::Relaxed) & Self::FENCES != 0
    }

    /// Ends the announcement; something for the one that did, which then has to wake the sleeper.
    pub(crate) fn wake(&self) -> Option<Wake> {
        // AcqRel: pairs with the same operation of the other side, so that just one of them goes on.
        let before = self
            .0
            .fetch_and(!(Self::ASLEEP | Self::MESSAGE), Ordering::AcqRel);
        if before & Self::ASLEEP == 0 {
            None
        } else if before & Self::MESSAGE == 0 {
            Some(Wake::Thread)
        } else {
            Some(Wake::Message)
        }
    }

    /// True once this side is gone; all that it sent before is then visible.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        // Acquire: pairs with the Release in `set_gone`.
        self.0.load(Ordering::Acquire) & Self::GONE != 0
    }

    pub(crate) fn set_gone(&self) {
        // Release: pairs with the Acquire in `is_gone`.
        self.0.fetch_or(Self::GONE, Ordering::Release);
    }
}

impl Control {
    /// A control block; `asymmetric` is what [`prepare_barrier`](crate::prepare_barrier) said on both sides.
    pub fn new(asymmetric: bool) -> Self {
        Self {
            server: OwnLine(Side::new(asymmetric)),
            client: OwnLine(Side::new(asymmetric)),
            events_taken: OwnLine(AtomicU64::new(0)),
        }
    }

    #[inline(always)]
    pub(crate) fn server(&self) -> &Side {
        &self.server.0
    }

    #[inline(always)]
    pub(crate) fn client(&self) -> &Side {
        &self.client.0
    }

    /// True once the server is gone; every reply it sent before is then visible.
    #[inline]
    pub fn server_is_gone(&self) -> bool {
        self.server().is_gone()
    }

    /// True once the client is gone; every request it sent before is then visible.
    #[inline]
    pub fn client_is_gone(&self) -> bool {
        self.client().is_gone()
    }

    /// For a backend whose clients sleep on a futex: the word that changes when the client is woken, with its value if the client still
    /// sleeps. Nothing else is to be done with it.
    #[cfg(not(loom))]
    pub fn sleeping_client(&self) -> Option<(&AtomicU32, u32)> {
        let word = &self.client().0;
        // Relaxed: only compared, by the kernel, with what is there when the sleep begins.
        let value = word.load(Ordering::Relaxed);
        (value & (Side::ASLEEP | Side::GONE) == Side::ASLEEP).then_some((word, value))
    }

    /// That word, for waking.
    #[cfg(not(loom))]
    pub fn client_word(&self) -> &AtomicU32 {
        &self.client().0
    }

    /// For a backend that sees the client die: marks it as gone.
    pub fn set_client_gone(&self) {
        self.client().set_gone();
    }

    /// For a backend that sees the server die: marks it as gone, and says how the client is to be woken if it sleeps.
    pub fn set_server_gone(&self) -> Option<Wake> {
        self.server().set_gone();
        // SeqCst: a client that does not sleep looks at the flag; one that does is woken. Pairs with the barrier of its announcement.
        fence(Ordering::SeqCst);
        self.client().wake()
    }

    /// Events that the client has released; the server may overwrite their slots.
    pub(crate) fn events_taken(&self) -> u64 {
        // Acquire: pairs with the Release in `set_events_taken`.
        self.events_taken.0.load(Ordering::Acquire)
    }

    pub(crate) fn set_events_taken(&self, taken: u64) {
        // Release: the client's reads of the event come before the server's next write; pairs with `events_taken`.
        self.events_taken.0.store(taken, Ordering::Release);
    }
}
