//! What the two ends of a lane tell each other outside the slots: who sleeps, who is gone.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// A flag or counter in cache lines of its own: it is written seldom and read by every call, so the reader's copy stays
/// in its cache. Two lines, because processors fetch lines in pairs.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub(crate) struct OwnLine<T>(pub(crate) T);

/// The control block of a lane.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Control {
    /// 1 while the server does not poll this lane. Set by the server, cleared by whichever side ends it; the client looks at it after
    /// every send.
    server_asleep: OwnLine<AtomicU32>,
    /// 1 while the client sleeps or wants its waker woken. Set by the client; the server looks at it after every reply.
    client_asleep: OwnLine<AtomicU32>,
    /// 1 once the server is gone. Set by the server or by whoever sees it die.
    server_gone: OwnLine<AtomicU32>,
    /// 1 once the client is gone.
    client_gone: OwnLine<AtomicU32>,
    /// Events that the client has released. Written by the client.
    events_taken: OwnLine<AtomicU64>,
}

macro_rules! flag {
    ($(#[$doc:meta])* $field:ident: $is:ident $set:ident $clear:ident) => {
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $is(&self) -> bool {
            // Relaxed: whoever finds it set goes on to an operation that orders (the swap below, or the peer's word).
            self.$field.0.load(Ordering::Relaxed) != 0
        }

        /// Announces it; the caller puts a heavy barrier after it.
        pub(crate) fn $set(&self) {
            self.$field.0.store(1, Ordering::Relaxed);
        }

        /// Ends it; true for the one that did, which then has to wake the sleeper.
        pub(crate) fn $clear(&self) -> bool {
            // AcqRel: pairs with the same swap by the other side, so that just one of them goes on.
            self.$field.0.swap(0, Ordering::AcqRel) != 0
        }
    };
}

impl Control {
    flag! {
        /// True while the server does not poll this lane.
        server_asleep: server_sleeps set_server_sleeps wake_server
    }

    flag! {
        /// True while the client wants its waker woken.
        client_asleep: client_sleeps set_client_sleeps wake_client
    }

    /// True once the server is gone; every reply it sent before is then visible.
    #[inline]
    pub fn server_is_gone(&self) -> bool {
        // Acquire: pairs with the Release in `set_server_gone`.
        self.server_gone.0.load(Ordering::Acquire) != 0
    }

    /// Says that the server is gone.
    pub fn set_server_gone(&self) {
        // Release: pairs with the Acquire in `server_is_gone`.
        self.server_gone.0.store(1, Ordering::Release);
    }

    /// True once the client is gone; every request it sent before is then visible.
    #[inline]
    pub fn client_is_gone(&self) -> bool {
        // Acquire: pairs with the Release in `set_client_gone`.
        self.client_gone.0.load(Ordering::Acquire) != 0
    }

    /// Says that the client is gone.
    pub fn set_client_gone(&self) {
        // Release: pairs with the Acquire in `client_is_gone`.
        self.client_gone.0.store(1, Ordering::Release);
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
