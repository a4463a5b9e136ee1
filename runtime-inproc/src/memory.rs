//! A lane's memory on the heap.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use atomic_waker::AtomicWaker;
use runtime_core::{AttachError, ServerConfig, Service, SlotShape};
use runtime_lane::{Area, BarrierScope, Control, Geometry, Memory, Wake};

use crate::hub::{Hub, wake};

/// Bytes of slots that one client of a service takes, with the window of the definition and the default event window.
pub const fn memory_per_connection<S: Service>() -> usize {
    let slots = Geometry {
        window: S::TUNING.window,
        events: 0,
        shape: SlotShape::of_service::<S>(),
    }
    .slots();
    SlotShape::of_service::<S>().memory(slots, ServerConfig::EVENT_WINDOW)
}

/// A handle on the slots of a lane. Public only as part of a token's type.
pub struct HeapMemory<S: Service> {
    /// Where the request, the response and the event areas begin.
    requests: NonNull<u8>,
    responses: NonNull<u8>,
    events: NonNull<u8>,
    shared: Arc<Shared<S>>,
}

/// What the handles share.
pub(crate) struct Shared<S: Service> {
    geometry: Geometry,
    /// The request areas, then the response areas, then the event areas; owned.
    base: NonNull<u8>,
    layout: Layout,
    control: Control,
    /// Woken when the server has sent something to a client that sleeps.
    pub(crate) client: AtomicWaker,
    pub(crate) hub: Arc<Hub<S>>,
    /// How the server's mailbox names this lane.
    number: u64,
}

// SAFETY: the pointers are to memory that `shared` owns and that is reached only through `Memory`, whose users hand areas over by the
// words in them.
unsafe impl<S: Service> Send for HeapMemory<S> {}
// SAFETY: as above.
unsafe impl<S: Service> Sync for HeapMemory<S> {}
// SAFETY: `base` is owned memory that `Shared` itself only frees.
unsafe impl<S: Service> Send for Shared<S> {}
// SAFETY: as above.
unsafe impl<S: Service> Sync for Shared<S> {}

impl<S: Service> Clone for HeapMemory<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            ..*self
        }
    }
}

/// Two cache lines: processors fetch lines in pairs, so a lane begins with a pair.
const ALIGN: usize = 2 * SlotShape::LINE;

impl<S: Service> HeapMemory<S> {
    /// The areas' sizes.
    const SHAPE: SlotShape = SlotShape::of_service::<S>();

    pub(crate) fn new(
        geometry: Geometry,
        hub: Arc<Hub<S>>,
        number: u64,
    ) -> Result<Self, AttachError> {
        let bytes = geometry.request_bytes() + geometry.response_bytes() + geometry.event_bytes();
        let Ok(layout) = Layout::from_size_align(bytes, ALIGN) else {
            return Err(AttachError::Config {
                what: format!("{geometry:?} needs more memory than there is"),
            });
        };
        // SAFETY: the layout is not empty: a request area is at least a line long, and there are at least three.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else {
            handle_alloc_error(layout)
        };
        let shared = Arc::new(Shared {
            geometry,
            base,
            layout,
            control: Control::new(runtime_lane::prepare_barrier(BarrierScope::Process)),
            client: AtomicWaker::new(),
            hub,
            number,
        });
        // SAFETY: within the allocation, whose size is the sum of the three.
        let responses = unsafe { base.add(geometry.request_bytes()) };
        // SAFETY: as above.
        let events = unsafe { responses.add(geometry.response_bytes()) };
        Ok(Self {
            requests: base,
            responses,
            events,
            shared,
        })
    }

    /// Where an area begins.
    ///
    /// # Safety
    /// 1. There is such a slot.
    #[inline(always)]
    unsafe fn place(&self, area: Area, slot: usize) -> NonNull<u8> {
        let (base, size) = match area {
            Area::Request => (self.requests, Self::SHAPE.request_area),
            Area::Response => (self.responses, Self::SHAPE.response_area),
            Area::Event => (self.events, Self::SHAPE.event_area),
        };
        // SAFETY: the area of a slot that there is lies in the allocation.
        unsafe { base.add(slot * size) }
    }

    pub(crate) fn shared(&self) -> &Shared<S> {
        &self.shared
    }
}

impl<S: Service> Drop for Shared<S> {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and the last of those who share it is gone.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

// SAFETY:
// 1. `place` stays in the allocation for slots that exist; areas are whole cache lines at multiples of a line from an aligned base,
//    so a body begins 8 bytes after the start of one and is aligned to 8.
// 2. The three kinds follow each other, each slot has its own multiple; `base` is private.
// 3. `alloc_zeroed`.
// 4. Set once; its shape is that of `S`, and both ends are made for `S`.
unsafe impl<S: Service> Memory for HeapMemory<S> {
    const SCOPE: BarrierScope = BarrierScope::Process;
    const OVERLAYS: bool = true;
    const SHAPE: SlotShape = Self::SHAPE;

    #[inline(always)]
    fn geometry(&self) -> &Geometry {
        &self.shared.geometry
    }

    #[inline(always)]
    unsafe fn word(&self, area: Area, slot: usize) -> &AtomicU64 {
        // SAFETY: promise 1 of this function.
        let place = unsafe { self.place(area, slot) };
        // SAFETY: the first 8 bytes of an area, whole lines long, are its word and are reached only as an atomic.
        unsafe { place.cast().as_ref() }
    }

    #[inline(always)]
    unsafe fn body(&self, area: Area, slot: usize) -> NonNull<u8> {
        // SAFETY: promise 1 of this function.
        let place = unsafe { self.place(area, slot) };
        // SAFETY: an area is at least a line long.
        unsafe { place.add(SlotShape::WORD) }
    }

    fn control(&self) -> &Control {
        &self.shared.control
    }

    fn wake_server(&self, _: Wake) {
        self.shared.hub.lane_woke(self.shared.number);
    }

    fn wake_client(&self, _: Wake) {
        wake(&self.shared.client);
    }
}
