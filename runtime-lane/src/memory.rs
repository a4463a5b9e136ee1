//! Where a lane's slots lie, and how its sleepers are woken: what a backend provides.

use core::ptr::NonNull;

use runtime_core::SlotShape;

use crate::barrier::BarrierScope;
use crate::control::{Control, Wake};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::word::Word;

/// A part of a lane's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The request of a slot.
    Request,
    /// The response of a slot whose reply does not overwrite the request.
    Response,
    /// An event.
    Event,
}

impl Area {
    /// Where a reply goes.
    #[inline(always)]
    pub(crate) fn of_reply<M: Memory>(overlay: bool) -> Self {
        if M::SPLITS && !(M::OVERLAYS && overlay) {
            Self::Response
        } else {
            if M::SPLITS {
                stay_a_branch();
            }
            Self::Request
        }
    }
}

/// Counts and sizes of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Calls that may be in flight: a power of two from 2 to 4,096.
    pub window: usize,
    /// Events that may wait: a power of two from 2 to 4,096, or 0.
    pub events: usize,
    /// Sizes of the areas.
    pub shape: SlotShape,
}

impl Geometry {
    /// The largest window.
    pub const MAX_WINDOW: usize = 4096;

    /// The geometry with this shape; `None` if a count is not a power of two from 2 to 4,096.
    pub fn new(shape: SlotShape, window: usize, events: usize) -> Option<Self> {
        let fits =
            |count: usize| count.is_power_of_two() && (2..=Self::MAX_WINDOW).contains(&count);
        let events = if shape.event_area == 0 { 0 } else { events };
        (fits(window) && (events == 0 || fits(events))).then_some(Self {
            window,
            events,
            shape,
        })
    }

    /// Slots there are: one more than may be in flight, so that a request can always name the slot of the next one.
    pub const fn slots(&self) -> usize {
        self.window + 1
    }

    /// Bytes of the request areas.
    pub const fn request_bytes(&self) -> usize {
        self.slots() * self.shape.request_area
    }

    /// Bytes of the response areas.
    pub const fn response_bytes(&self) -> usize {
        self.slots() * self.shape.response_area
    }

    /// Bytes of the event areas.
    pub const fn event_bytes(&self) -> usize {
        self.events * self.shape.event_area
    }
}

const _: () = assert!(Geometry::MAX_WINDOW < Word::MAX_SLOTS);

/// A handle on the memory of one lane, and the way to wake either side. Clones share the memory and keep it alive.
///
/// # Safety
/// 1. [`word`](Self::word) and [`body`](Self::body) are valid while the value or a clone lives, for each slot below
///    [`Geometry::slots`] (for [`Area::Event`]: below [`Geometry::events`]); the body for the area's size less
///    [`SlotShape::WORD`], aligned to 8.
/// 2. No two areas overlap, and nobody but the two ends of the lane accesses them.
/// 3. All of it was zero before either end was made.
/// 4. [`geometry`](Self::geometry) is always the same, and its shape is [`SHAPE`](Self::SHAPE), that of the service at both ends: where
///    there are no overlays, [`SlotShape::split_of_service`].
/// 5. [`taken_in`](Self::taken_in) is valid for reads like the body, and what was taken in is not changed by the peer.
pub unsafe trait Memory: Clone + Send + Sync + 'static {
    /// Whose threads the two sides are.
    const SCOPE: BarrierScope;

    /// False if each side may write only its own areas, so that a reply never overwrites its request.
    const OVERLAYS: bool;

    /// Sizes of the areas.
    const SHAPE: SlotShape;

    /// False if every reply overwrites its request, so that there is no response area.
    const SPLITS: bool = Self::SHAPE.response_area != 0;

    /// Counts and sizes.
    fn geometry(&self) -> &Geometry;

    /// The word of an area, its first 8 bytes.
    ///
    /// # Safety
    /// 1. There is such a slot: see promise 1.
    unsafe fn word(&self, area: Area, slot: usize) -> &AtomicU64;

    /// The body of an area, which follows its word.
    ///
    /// # Safety
    /// 1. As for [`word`](Self::word).
    unsafe fn body(&self, area: Area, slot: usize) -> NonNull<u8>;

    /// Takes in what the peer has sent in an area, `len` bytes as it says: for memory that the peer may write at any time, copies it to
    /// where only this side writes. Called once for each message, after its word was seen and before anyone reads it.
    ///
    /// # Safety
    /// 1. As for [`word`](Self::word); the area is one that the peer writes.
    /// 2. Nobody on this side borrows what was taken in from the area before.
    #[inline(always)]
    unsafe fn take_in(&self, area: Area, slot: usize, len: usize) {
        let _ = (area, slot, len);
    }

    /// Where that lies: a place like the body, which it is unless `take_in` copies.
    ///
    /// # Safety
    /// 1. As for [`take_in`](Self::take_in).
    #[inline(always)]
    unsafe fn taken_in(&self, area: Area, slot: usize) -> NonNull<u8> {
        // SAFETY: promise 1.
        unsafe { self.body(area, slot) }
    }

    /// The control block.
    fn control(&self) -> &Control;

    /// True once the client is gone. Where the peer could take back what the control block says of that, this side keeps it for itself.
    #[inline]
    fn client_is_gone(&self) -> bool {
        self.control().client_is_gone()
    }

    /// True once the server is gone; as above.
    #[inline]
    fn server_is_gone(&self) -> bool {
        self.control().server_is_gone()
    }

    /// Wakes the server, which has stopped polling this lane, in the way that it asked for.
    fn wake_server(&self, wake: Wake);

    /// Wakes the client, which sleeps, in the way that it asked for.
    fn wake_client(&self, wake: Wake);
}

/// Loads a word that the peer writes, so that the message is read after it.
#[inline(always)]
pub(crate) fn load<M: Memory>(place: &AtomicU64) -> u64 {
    if M::OVERLAYS {
        // Acquire: pairs with the Release of whoever stored the word.
        place.load(Ordering::Acquire)
    } else {
        // The peer's areas may be mapped for reading only, where Rust allows Relaxed loads and no others (`core::sync::atomic`, "Atomic
        // accesses to read-only memory").
        let word = place.load(Ordering::Relaxed);
        // Acquire: with the load before it pairs as above.
        fence(Ordering::Acquire);
        word
    }
}

/// Keeps the branch that it stands in from becoming a selection of one of two addresses. A selection waits for what it selects by, here the
/// word that has just arrived, where a branch is predicted: 64 B took 512 instead of 491 ns on far cores.
#[inline(always)]
fn stay_a_branch() {
    #[cfg(not(any(miri, loom)))]
    // SAFETY: no instruction at all.
    unsafe {
        core::arch::asm!("", options(nomem, nostack, preserves_flags));
    }
}
