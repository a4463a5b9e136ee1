//! A lane's memory between two processes: the only module that touches what a peer writes.
//!
//! For one user both sides map one segment for reading and writing, with the control block, then the request, response and event areas.
//! For an isolated service there are three segments: the control block, which both sides write; the requests, which only the client
//! writes; the responses and events, which only the server writes. (docs/adr/0010 says why the control block is no danger there.)
//!
//! What a peer has written in memory of its own may change while it is looked at. So an isolated side reads it only here: words as atomics,
//! each once, and messages by one copy, word by word, into memory of this process, before anyone checks them.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use runtime_core::{AttachError, ServerConfig, Service, SlotShape};
use runtime_lane::{Area, BarrierScope, Control, Geometry, Memory, Wake};
use runtime_os::Watch;
use rustix::io::Errno;

use crate::bell::wake_on;
use crate::link::{Link, Role};
use crate::segment::{AttachFault, Segment, Writer};
use crate::socket::{self, system};
use crate::trust::{Trust, shape};

/// Bytes of the control block, with what is left to the next pair of cache lines.
const CONTROL: usize = size_of::<Control>().next_multiple_of(ALIGN);

/// Two cache lines: processors fetch lines in pairs, so areas begin with a pair.
const ALIGN: usize = 128;

/// Bytes of a page. Where pages are larger, the kernel rounds up further.
const PAGE: usize = 4096;

/// Bytes of shared memory that one client of a service takes, with the window of the definition and the default event window.
pub const fn memory_per_connection<S: Service, T: Trust>() -> usize {
    let geometry = Geometry {
        window: S::TUNING.shm_window,
        events: if shape::<S, T>().event_area == 0 {
            0
        } else {
            ServerConfig::EVENT_WINDOW
        },
        shape: shape::<S, T>(),
    };
    let (requests, rest) = (
        geometry.request_bytes(),
        geometry.response_bytes() + geometry.event_bytes(),
    );
    if T::ISOLATED {
        CONTROL.next_multiple_of(PAGE)
            + requests.next_multiple_of(PAGE)
            + rest.next_multiple_of(PAGE)
    } else {
        (CONTROL + requests + rest).next_multiple_of(PAGE)
    }
}

/// A handle on the slots of a lane. Public only as part of a token's type.
pub struct ShmMemory<S: Service, T: Trust> {
    requests: NonNull<u8>,
    responses: NonNull<u8>,
    events: NonNull<u8>,
    control: NonNull<Control>,
    /// Where what the peer sent is copied to, in the order of the areas that it writes; unused between sides that trust each other.
    copies: NonNull<u8>,
    shared: Arc<Shared>,
    kind: PhantomData<fn() -> (S, T)>,
}

/// What the handles share.
pub(crate) struct Shared {
    geometry: Geometry,
    /// Where the control block is: in the first of the segments.
    control: NonNull<Control>,
    /// True once the peer was seen to be gone: it writes the control block, and this not.
    peer_is_gone: AtomicBool,
    /// First, so that nothing is watched any more when the socket goes.
    watch: OnceLock<Watch>,
    link: Link,
    /// What the pointers point to.
    _segments: Vec<Segment>,
    _copies: Option<Copies>,
}

// SAFETY: the pointers are to memory that `shared` owns and that is reached only through `Memory`, whose users hand areas over by the
// words in them.
unsafe impl<S: Service, T: Trust> Send for ShmMemory<S, T> {}
// SAFETY: as above.
unsafe impl<S: Service, T: Trust> Sync for ShmMemory<S, T> {}
// SAFETY: `control` points into a segment that `Shared` owns, to atomics.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl<S: Service, T: Trust> Clone for ShmMemory<S, T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            ..*self
        }
    }
}

/// The segments of a lane, made or mapped, and what the other side has to be given to map them, too.
pub(crate) struct Parts {
    /// The control block, and with it everything else, or not.
    pub(crate) control: Segment,
    /// The requests, and the responses with the events, if they are apart.
    pub(crate) apart: Option<(Segment, Segment)>,
}

/// Bytes of the segments that a lane has, apart or in one.
pub(crate) struct Sizes {
    /// Of the segment with the control block.
    pub(crate) control: usize,
    /// Of the requests', if they are apart.
    pub(crate) requests: usize,
    /// Of the responses' and events', if they are apart.
    pub(crate) responses: usize,
}

impl Sizes {
    pub(crate) fn of<T: Trust>(geometry: &Geometry) -> Self {
        let requests = geometry.request_bytes();
        let responses = geometry.response_bytes() + geometry.event_bytes();
        if T::ISOLATED {
            Self {
                control: CONTROL,
                requests,
                responses,
            }
        } else {
            Self {
                control: CONTROL + requests + responses,
                requests: 0,
                responses: 0,
            }
        }
    }
}

/// A lane for a peer of the same user: one segment, with the control block written.
pub(crate) fn make_shared<T: Trust>(
    geometry: &Geometry,
    asymmetric: bool,
) -> Result<(Segment, OwnedFd), AttachError> {
    let (segment, fd) = Segment::make(
        "an rpcidl lane",
        Sizes::of::<T>(geometry).control,
        Writer::All,
    )?;
    let control = segment.base().cast::<Control>();
    // SAFETY: the segment begins at a page, is longer than a control block, and nobody else has it yet.
    unsafe { control.write(Control::new(asymmetric)) };
    Ok((segment, fd))
}

/// Memory of an isolated lane that only this side writes.
pub(crate) fn make_own(len: usize) -> Result<(Segment, OwnedFd), AttachError> {
    Segment::make("an rpcidl lane", len, Writer::Maker)
}

/// A peer's segment.
pub(crate) fn attach(fd: impl AsFd, len: usize, writer: Writer) -> Result<Segment, AttachFault> {
    Segment::attach(fd, len, writer)
}

impl<S: Service, T: Trust> ShmMemory<S, T> {
    /// The areas' sizes.
    const SHAPE: SlotShape = shape::<S, T>();

    /// The lane in segments that are as long as [`Sizes`] says.
    pub(crate) fn new(
        geometry: Geometry,
        parts: Parts,
        copies: Option<Copies>,
        link: Link,
    ) -> Self {
        let control = parts.control.base().cast();
        let (requests, responses, segments);
        match parts.apart {
            Some((own, others)) => {
                requests = own.base();
                responses = others.base();
                segments = vec![parts.control, own, others];
            }
            None => {
                // SAFETY: the segment has the control block, then the areas in this order.
                requests = unsafe { parts.control.base().add(CONTROL) };
                // SAFETY: as above.
                responses = unsafe { requests.add(geometry.request_bytes()) };
                segments = vec![parts.control];
            }
        }
        // SAFETY: the events follow the responses in their segment.
        let events = unsafe { responses.add(geometry.response_bytes()) };
        Self {
            requests,
            responses,
            events,
            control,
            copies: copies.as_ref().map_or(NonNull::dangling(), |it| it.base),
            shared: Arc::new(Shared {
                geometry,
                control,
                peer_is_gone: AtomicBool::new(false),
                watch: OnceLock::new(),
                link,
                _segments: segments,
                _copies: copies,
            }),
            kind: PhantomData,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Size of an area.
    const fn size(area: Area) -> usize {
        match area {
            Area::Request => Self::SHAPE.request_area,
            Area::Response => Self::SHAPE.response_area,
            Area::Event => Self::SHAPE.event_area,
        }
    }

    /// Where an area begins.
    ///
    /// # Safety
    /// 1. There is such a slot.
    #[inline(always)]
    unsafe fn place(&self, area: Area, slot: usize) -> NonNull<u8> {
        let base = match area {
            Area::Request => self.requests,
            Area::Response => self.responses,
            Area::Event => self.events,
        };
        // SAFETY: the area of a slot that there is lies in its segment.
        unsafe { base.add(slot * Self::size(area)) }
    }

    /// Where an area that the peer writes is copied to.
    ///
    /// # Safety
    /// 1. There is such a slot, and this side has copies.
    unsafe fn copy(&self, area: Area, slot: usize) -> NonNull<u8> {
        let before = match area {
            // The server's copies are of requests, and the client's of responses and then events.
            Area::Request | Area::Response => 0,
            Area::Event => self.shared.geometry.response_bytes(),
        };
        // SAFETY: the copies are as long as the areas that they are of.
        unsafe { self.copies.add(before + slot * Self::size(area)) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.link.unwatch();
    }
}

impl Shared {
    /// The control block.
    pub(crate) fn control(&self) -> &Control {
        // SAFETY: in a segment that `self` keeps, aligned to a page, written by its maker before anyone else had it. It holds atomics
        // alone, so any bytes that a peer writes are one.
        unsafe { self.control.as_ref() }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Notes that the peer is gone, for good.
    pub(crate) fn set_peer_gone(&self) {
        // Release: pairs with the Acquire in `peer_is_gone`.
        self.peer_is_gone.store(true, Ordering::Release);
        match self.link.role {
            Role::Server => self.control().set_client_gone(),
            Role::Client { .. } => {
                self.control().set_server_gone();
                self.wake_client_thread();
            }
        }
    }

    fn peer_is_gone(&self) -> bool {
        // Acquire: what the peer sent before comes before.
        self.peer_is_gone.load(Ordering::Acquire)
    }

    /// Keeps a watch for as long as the memory is kept.
    pub(crate) fn keep_watch(&self, watch: Watch) {
        // There is one watch to a link.
        let _ = self.watch.set(watch);
    }

    /// Wakes the client that sleeps in its wait.
    pub(crate) fn wake_client_thread(&self) {
        wake_on(self.control().client_word());
    }
}

// SAFETY:
// 1. `place` stays in the segments for slots that exist, whose sizes `Sizes` has; areas are whole cache lines at multiples of a line from
//    an aligned base, so a body begins 8 bytes after the start of one and is aligned to 8.
// 2. The kinds follow each other, each slot has its own multiple. That the other side's process accesses them only as a lane's end does is
//    the exception of the design for one user; isolated, what it writes is mapped for reading here, and read by `word` and `take_in` alone.
// 3. A memfd is made of zeros, and mapped by both sides before either end is made.
// 4. Set once; its shape is that of `S` and `T`, which the handshake compares.
// 5. Without isolation as for the body; with it `copies` is memory of this process, which `take_in` alone writes.
unsafe impl<S: Service, T: Trust> Memory for ShmMemory<S, T> {
    const SCOPE: BarrierScope = BarrierScope::System;
    const OVERLAYS: bool = !T::ISOLATED;
    const SHAPE: SlotShape = Self::SHAPE;

    #[inline(always)]
    fn geometry(&self) -> &Geometry {
        &self.shared.geometry
    }

    #[inline(always)]
    unsafe fn word(&self, area: Area, slot: usize) -> &AtomicU64 {
        // SAFETY: promise 1 of this function.
        let place = unsafe { self.place(area, slot) };
        // SAFETY: the first 8 bytes of an area, whole lines long, are its word and are reached only as an atomic; one that is mapped for
        // reading is the peer's, which the lane only loads, Relaxed.
        unsafe { place.cast().as_ref() }
    }

    #[inline(always)]
    unsafe fn body(&self, area: Area, slot: usize) -> NonNull<u8> {
        // SAFETY: promise 1 of this function.
        let place = unsafe { self.place(area, slot) };
        // SAFETY: an area is at least a line long.
        unsafe { place.add(SlotShape::WORD) }
    }

    #[inline(always)]
    unsafe fn take_in(&self, area: Area, slot: usize, len: usize) {
        if !T::ISOLATED {
            return;
        }
        // SAFETY: promise 1 of this function.
        let from = unsafe { self.place(area, slot) };
        // SAFETY: as above; an isolated side has copies of what the peer writes.
        let to = unsafe { self.copy(area, slot) };
        // What does not fit is longer than any message, and refused by who compares the length with the method's.
        let lines = Self::size(area) - SlotShape::LINE;
        if len <= SlotShape::ONE_LINE {
            // SAFETY: both areas have a line; by promise 2 nobody borrows the copy.
            unsafe { copy_words(from, to, SlotShape::WORD, len) };
        }
        // A short one lies here, too, if it is edited in place and comes back longer.
        let len = if len < lines { len } else { lines };
        // SAFETY: both areas have so much behind the first line; as above.
        unsafe { copy_words(from, to, SlotShape::LINE, len) };
    }

    #[inline(always)]
    unsafe fn taken_in(&self, area: Area, slot: usize) -> NonNull<u8> {
        if T::ISOLATED {
            // SAFETY: promise 1 of this function; an isolated side has copies of what the peer writes.
            let copy = unsafe { self.copy(area, slot) };
            // SAFETY: an area is at least a line long.
            unsafe { copy.add(SlotShape::WORD) }
        } else {
            // SAFETY: promise 1 of this function.
            unsafe { self.body(area, slot) }
        }
    }

    #[inline(always)]
    fn control(&self) -> &Control {
        // SAFETY: as in `Shared::control`.
        unsafe { self.control.as_ref() }
    }

    fn client_is_gone(&self) -> bool {
        self.shared.peer_is_gone() || self.control().client_is_gone()
    }

    fn server_is_gone(&self) -> bool {
        self.shared.peer_is_gone() || self.control().server_is_gone()
    }

    fn wake_server(&self, wake: Wake) {
        match (&self.shared.link.role, wake) {
            (
                Role::Client {
                    bell: Some((bell, number)),
                    ..
                },
                Wake::Thread,
            ) => bell.ring(*number),
            _ => socket::nudge(&self.shared.link.socket),
        }
    }

    fn wake_client(&self, wake: Wake) {
        match wake {
            Wake::Thread => self.shared.wake_client_thread(),
            Wake::Message => socket::nudge(&self.shared.link.socket),
        }
    }
}

/// Copies `len` bytes, rounded up to words, at the same offset of two areas, out of memory that a peer may write meanwhile.
///
/// # Safety
/// 1. Both areas have so many bytes from `offset`, a multiple of 8, and begin at multiples of 8.
/// 2. `from` is mapped and reached only as atomics; nobody else accesses `to`.
#[inline(always)]
unsafe fn copy_words(from: NonNull<u8>, to: NonNull<u8>, offset: usize, len: usize) {
    // SAFETY: promise 1.
    let from = unsafe { from.add(offset) }.cast::<AtomicU64>();
    // SAFETY: promise 1.
    let to = unsafe { to.add(offset) }.cast::<u64>();
    for at in 0..len.div_ceil(8) {
        // SAFETY: promise 1.
        let word = unsafe { from.add(at) };
        // Relaxed: the load of the area's word came before it, with Acquire. A peer that writes now gets a mixture, which is checked like
        // anything else that it could have sent.
        // SAFETY: promise 2.
        let word = unsafe { word.as_ref() }.load(Ordering::Relaxed);
        // SAFETY: promise 1.
        let place = unsafe { to.add(at) };
        // SAFETY: promise 2.
        unsafe { place.write(word) };
    }
}

/// Memory of this process for what a peer has sent.
pub(crate) struct Copies {
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it only owns the memory.
unsafe impl Send for Copies {}
// SAFETY: as above.
unsafe impl Sync for Copies {}

impl Copies {
    /// Those that a side needs, if it needs any.
    ///
    /// # Errors
    /// There is no memory for them.
    pub(crate) fn of<T: Trust>(
        geometry: &Geometry,
        is_server: bool,
    ) -> Result<Option<Self>, AttachError> {
        if !T::ISOLATED {
            return Ok(None);
        }
        Self::new(if is_server {
            geometry.request_bytes()
        } else {
            geometry.response_bytes() + geometry.event_bytes()
        })
        .map(Some)
    }

    fn new(len: usize) -> Result<Self, AttachError> {
        // An event area may be missing, and a response area of no isolated service is.
        let len = len.max(ALIGN);
        let what = || format!("allocating {len} bytes for copies of what a peer sends");
        let layout = Layout::from_size_align(len, ALIGN).map_err(|error| system(what(), error))?;
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc_zeroed(layout) };
        match NonNull::new(base) {
            Some(base) => Ok(Self { base, layout }),
            None => Err(system(what(), Errno::NOMEM)),
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout; nobody has it any more.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}
