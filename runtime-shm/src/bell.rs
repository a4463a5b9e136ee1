//! The doorbells of a server: which lanes have something for it that it does not poll, and the word that it sleeps on.
//!
//! It is one segment. Clients of the same user map it and ring it themselves; on behalf of the others the server's own process does.
//! Nothing in it is trusted: a bit too many makes the server look at a lane in vain, and one too few is its owner's loss.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use runtime_core::AttachError;
use runtime_os::clock;
use rustix::thread::futex::{self, Timespec};

use crate::segment::{Segment, Writer};

/// Where the bits begin: the word has two cache lines, which are fetched in pairs, to itself.
const BITS: usize = 128;

/// The doorbells, one bit a lane.
#[derive(Clone, Debug)]
pub(crate) struct Bell {
    segment: Arc<Segment>,
    /// Lanes there are at most.
    lanes: u32,
}

impl Bell {
    /// Bytes of a segment with so many.
    pub(crate) const fn bytes(lanes: u32) -> usize {
        BITS + (lanes as usize).div_ceil(64) * 8
    }

    /// New doorbells, and the descriptor with which others map them.
    pub(crate) fn make(lanes: u32) -> Result<(Self, std::os::fd::OwnedFd), AttachError> {
        let (segment, fd) = Segment::make("rpcidl bells", Self::bytes(lanes), Writer::All)?;
        Ok((Self::of(segment, lanes), fd))
    }

    /// The doorbells in a segment of at least [`bytes`](Self::bytes).
    pub(crate) fn of(segment: Segment, lanes: u32) -> Self {
        Self {
            segment: Arc::new(segment),
            lanes,
        }
    }

    /// True if the server has to look. Also the word that it sleeps on.
    #[inline(always)]
    fn attention(&self) -> &AtomicU32 {
        // SAFETY: the segment, which `self` keeps, is at least `BITS` long and begins at a page; the word is reached only as an atomic.
        unsafe { self.segment.base().cast().as_ref() }
    }

    fn bits(&self) -> &[AtomicU64] {
        // SAFETY: the segment is longer than `BITS`.
        let bits = unsafe { self.segment.base().add(BITS) };
        // SAFETY: the segment has so many words from there, aligned to 8; they are reached only as atomics.
        unsafe {
            core::slice::from_raw_parts(bits.as_ptr().cast(), (self.lanes as usize).div_ceil(64))
        }
    }

    /// Makes the server look at a lane.
    pub(crate) fn ring(&self, lane: u32) {
        if let Some(bits) = self.bits().get(lane as usize / 64) {
            // Release: what the lane has for the server comes before; pairs with the Acquire in `take`.
            bits.fetch_or(1 << (lane % 64), Ordering::Release);
        }
        self.ring_all();
    }

    /// Makes the server look, at whatever there is.
    pub(crate) fn ring_all(&self) {
        // Release: what there is to see comes before; pairs with the Acquire in `take`.
        self.attention().store(1, Ordering::Release);
        // Also if it was set: who set it may have been stopped or killed before it came to this.
        wake_on(self.attention());
    }

    /// True if somebody has rung.
    #[inline(always)]
    pub(crate) fn has_rung(&self) -> bool {
        // Relaxed: `take` orders.
        self.attention().load(Ordering::Relaxed) != 0
    }

    /// Ends the ringing, and calls `look` for every lane that has rung.
    pub(crate) fn take(&self, mut look: impl FnMut(u32)) {
        // AcqRel: pairs with the Release in `ring_all`. Before the bits are looked at: a lane that rings from here on has the server look
        // again.
        self.attention().swap(0, Ordering::AcqRel);
        for (at, bits) in self.bits().iter().enumerate() {
            // Relaxed: only a hint that the next line is worth its while.
            if bits.load(Ordering::Relaxed) == 0 {
                continue;
            }
            // Acquire: pairs with the Release in `ring`.
            let mut rung = bits.swap(0, Ordering::Acquire);
            while rung != 0 {
                look(at as u32 * 64 + rung.trailing_zeros());
                rung &= rung - 1;
            }
        }
    }

    /// Sleeps until somebody rings or has rung, or the time has come; may wake early.
    pub(crate) fn wait(&self, until: u64) {
        sleep_on(self.attention(), 0, until);
    }
}

/// Sleeps for as long as a word that processes share has a value, until it is woken or the time has come; may wake early.
pub(crate) fn sleep_on(word: &AtomicU32, value: u32, until: u64) {
    let Some(rest) = clock::until(until) else {
        return;
    };
    let Ok(rest) = Timespec::try_from(rest) else {
        return;
    };
    // Every error is a reason to look again: another value, a signal, the end of the time.
    let _ = futex::wait(word, futex::Flags::empty(), value, Some(&rest));
}

/// Wakes who sleeps on a word that processes share.
pub(crate) fn wake_on(word: &AtomicU32) {
    // It fails for no address that is mapped.
    let _ = futex::wake(word, futex::Flags::empty(), u32::MAX);
}
