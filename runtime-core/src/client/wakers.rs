//! Who waits for the replies of a client's futures.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::task::Waker;

use atomic_waker::AtomicWaker;

/// One waker a slot. As a waker itself it is what the transport knows, which knows but one: it wakes them all, and each looks for itself.
/// So no future depends on another one's being polled.
#[derive(Debug)]
pub(super) struct Wakers(Box<[AtomicWaker]>);

impl Wakers {
    pub(super) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self((0..slots).map(|_| AtomicWaker::new()).collect()))
    }

    /// Whom to wake for this slot; the last one counts.
    pub(super) fn register(&self, slot: u16, waker: &Waker) {
        if let Some(place) = self.0.get(usize::from(slot)) {
            place.register(waker);
        }
    }

    /// Wakes whoever waits for this slot.
    pub(super) fn wake_slot(&self, slot: u16) {
        if let Some(place) = self.0.get(usize::from(slot)) {
            place.wake();
        }
    }

    /// Nobody waits for this slot any more.
    pub(super) fn forget(&self, slot: u16) {
        if let Some(place) = self.0.get(usize::from(slot)) {
            drop(place.take());
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for waker in &self.0 {
            waker.wake();
        }
    }
}
