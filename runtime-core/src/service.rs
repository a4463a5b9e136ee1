//! What the compiler tells the runtime of a service.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::time::Duration;

use crate::abi::AbiHash;
use crate::counters::{Tally, count};
use crate::error::{CallError, ServiceError};
use crate::info::{Invalid, InvalidKind};
use crate::prefetch::prefetch;
use crate::server::{Arrived, Incoming, Opened};
use crate::transport::{Failure, ReplyHead, ReplyStatus, ServerTransport};
use crate::wire::Wire;

/// A service: implemented by generated code for a type without values.
pub trait Service: Sized + 'static {
    /// Package and name, such as `acme.kv.IKvStore`.
    const NAME: &'static str;
    /// The fingerprint of the layout.
    const ABI_HASH: AbiHash;
    /// The text that the fingerprint is made of, for finding the first difference.
    const ABI_TEXT: &'static str;
    /// Every method and event, in the order of [`Method::INDEX`].
    const METHODS: &'static [MethodInfo];
    /// What the annotations say.
    const TUNING: Tuning;
    /// One variant a method, holding its [`Call`](crate::Call).
    type Request<'a, T: ServerTransport>
    where
        T: 'a;
    /// One variant a method, holding its result.
    type Reply<'a>;
    /// One variant an event, holding its arguments.
    type Event<'a>;

    /// Types an incoming request by its method, or answers it if it has none or is not valid.
    fn request<'a, T: ServerTransport>(
        incoming: Incoming<'a, Self, T>,
    ) -> Opened<Self::Request<'a, T>>;

    /// Types what became of a call by its method.
    fn reply(method: u16, outcome: Outcome<'_, Self>) -> Option<Self::Reply<'_>>;

    /// Types an event by its number; `None` if it is not known or not valid.
    fn event(arrived: Arrived<'_, Self>) -> Option<Self::Event<'_>>;
}

/// A method or event: implemented by generated code for a type without values.
pub trait Method: 'static {
    /// The service that it belongs to.
    type Service: Service;
    /// Arguments of a call, or of an event.
    type Request: Wire;
    /// What comes back; `()` for nothing.
    type Response: Wire;
    /// The response as the blocking and async stubs return it: `bool` for [`Bool8`](crate::Bool8), else the response.
    type Output: From<Self::Response>;
    /// The error of `throws`, or [`NoError`](crate::NoError).
    type Error: ServiceError;

    /// Its name in the definition.
    const NAME: &'static str;
    /// Its number on the wire.
    const ID: u16;
    /// Its place in [`Service::METHODS`].
    const INDEX: usize;
    /// How it talks.
    const KIND: MethodKind = MethodKind::Call;
    /// True if it has `throws`.
    const THROWS: bool = false;
    /// True if the `inout` arguments are edited where they arrived.
    const IN_PLACE: bool = false;
    /// True if it may be repeated when it is not known whether it was executed.
    const IDEMPOTENT: bool = false;
    /// The deadline in the definition.
    const DEADLINE: Option<Duration> = None;
    /// When the reply may overwrite the request in the slot: always if both fit one cache line or the method edits in place.
    const OVERLAY: Overlay = {
        let (request, response) = (size_of::<Self::Request>(), size_of::<Self::Response>());
        let larger = max(request, response);
        if Self::IN_PLACE || larger <= SlotShape::ONE_LINE {
            Overlay::Always
        } else if larger <= SlotShape::IN_A_ROW {
            Overlay::InARow
        } else {
            Overlay::Never
        }
    };
}

/// How a method talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// Request and reply.
    Call,
    /// Request without reply.
    Oneway,
    /// From server to client, without reply.
    Event,
}

/// When a reply overwrites its request in the slot.
///
/// With one line it always pays. With more of them the line that the reply is written to would come to the server with the request, and
/// only then go back, one after the other; so a call that is alone has lines of its own for the reply. While several calls are
/// in flight nobody waits for that, and half as many lines travel: 64 B with 32 in flight takes 13 ns a call on near cores, where bare slots with
/// lines for either way take 18 (`docs/adr/0016-replies-in-a-row-overwrite-their-requests.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Overlay {
    /// It has lines of its own.
    Never,
    /// It does if other calls were in flight when the request was sent.
    InARow,
    /// It does.
    Always,
}

impl Overlay {
    /// Whether a reply overwrites its request; `in_a_row` says if that joined others in flight.
    #[inline(always)]
    pub const fn applies(self, in_a_row: bool) -> bool {
        match self {
            Self::Never => false,
            Self::InARow => in_a_row,
            Self::Always => true,
        }
    }
}

/// A method as data.
#[derive(Clone, Copy, Debug)]
pub struct MethodInfo {
    /// Its name in the definition.
    pub name: &'static str,
    /// Its number on the wire.
    pub id: u16,
    /// How it talks.
    pub kind: MethodKind,
    /// Size of the request, or of an event's arguments, in bytes.
    pub request: usize,
    /// Size of the response in bytes.
    pub response: usize,
    /// When the reply may overwrite the request in the slot.
    pub overlay: Overlay,
    /// True if the `inout` arguments are edited where they arrived.
    pub in_place: bool,
    /// The deadline in the definition.
    pub deadline: Option<Duration>,
}

impl MethodInfo {
    /// The data of a method.
    pub const fn of<M: Method>() -> Self {
        Self {
            name: M::NAME,
            id: M::ID,
            kind: M::KIND,
            request: size_of::<M::Request>(),
            response: size_of::<M::Response>(),
            overlay: M::OVERLAY,
            in_place: M::IN_PLACE,
            deadline: M::DEADLINE,
        }
    }
}

/// How large the slots of a service are.
///
/// A slot has a request area and, unless every method always lets its reply overwrite the request, a response area. Each is a whole
/// number of cache lines and begins with the 8-byte word that hands it over. A small message shares the word's line; a larger one
/// has the lines after it to itself. So whoever fills it never touches the line that the reader watches, no store of 16 or more
/// bytes crosses from one line into the next, and the lines follow each other in the order in which processors prefetch.
/// (Measured at 64 B over the bare ping-pong: 1.13 with the word at either end of the message, 1.03 with lines of its own,
/// 1.00 with `prefetch`, too.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotShape {
    /// Bytes of the request area.
    pub request_area: usize,
    /// Bytes of the response area; 0 if every reply overwrites its request.
    pub response_area: usize,
    /// Bytes of an event slot; 0 if there is no event.
    pub event_area: usize,
}

impl SlotShape {
    /// Bytes in a cache line.
    pub const LINE: usize = 64;
    /// Bytes of the word at the start of an area.
    pub const WORD: usize = 8;
    /// The largest message that shares a cache line with its word.
    pub const ONE_LINE: usize = Self::LINE - Self::WORD;
    /// The largest message that a reply overwrites while several calls are in flight. Where request and response are built side by side the
    /// request is copied first, and more than this would take longer than it saves.
    pub const IN_A_ROW: usize = 1024;
    /// How far a message begins after its place where it has lines of its own: those after the word's.
    pub const APART: usize = Self::LINE - Self::WORD;

    /// The slot that fits every method of a service.
    pub const fn of_service<S: Service>() -> Self {
        Self::of(S::METHODS)
    }

    /// The slot that fits every method of a service over a transport on which no reply overwrites its request: every response has room in
    /// the response area, and arguments that are edited in place lie at the same offset in either.
    pub const fn split_of_service<S: Service>() -> Self {
        Self::with(S::METHODS, false)
    }

    /// The slot that fits every one of these methods.
    pub const fn of(methods: &[MethodInfo]) -> Self {
        Self::with(methods, true)
    }

    const fn with(methods: &[MethodInfo], overlays: bool) -> Self {
        let (mut request, mut response, mut event) = (0, 0, 0);
        let mut split = !overlays;
        let mut events = false;
        let mut at = 0;
        while at < methods.len() {
            let method = &methods[at];
            match method.kind {
                MethodKind::Event => {
                    events = true;
                    event = max(event, method.request);
                }
                MethodKind::Call | MethodKind::Oneway => {
                    request = max(request, method.request);
                    let overlay = if overlays {
                        method.overlay
                    } else {
                        Overlay::Never
                    };
                    if method.in_place || overlay.applies(true) {
                        request = max(request, method.response);
                    }
                    if !overlay.applies(false) {
                        split = true;
                        response = max(response, method.response);
                    }
                    if !overlays && method.in_place {
                        response = max(response, method.request);
                    }
                }
            }
            at += 1;
        }
        Self {
            request_area: Self::area(request),
            response_area: if split { Self::area(response) } else { 0 },
            event_area: if events { Self::area(event) } else { 0 },
        }
    }

    /// The word's line, and the lines of a message that does not fit in there.
    const fn area(message: usize) -> usize {
        if message <= Self::ONE_LINE {
            Self::LINE
        } else {
            Self::LINE + message.next_multiple_of(Self::LINE)
        }
    }

    /// The same with slots of at least so many bytes, whole lines; what is added is at the end of a slot.
    #[must_use]
    pub const fn at_least(mut self, slot: usize) -> Self {
        let slot = slot.next_multiple_of(Self::LINE);
        let added = slot.saturating_sub(self.request_area + self.response_area);
        if self.response_area == 0 {
            self.request_area += added;
        } else {
            self.response_area += added;
        }
        self
    }

    /// Bytes of the areas of so many slots and events.
    pub const fn memory(&self, slots: usize, event_window: usize) -> usize {
        slots * (self.request_area + self.response_area) + event_window * self.event_area
    }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

/// Asserts, when the user's crate is compiled, that a method is one of those that its service lists, and that its messages fit the slots
/// that are made from the list, where the typed layer puts them: `Service` and `Method` can be implemented by hand, in safe code.
pub(crate) const fn assert_fits<M: Method>() {
    const fn fits(area: usize, apart: bool, message: usize) -> bool {
        SlotShape::WORD + if apart { SlotShape::APART } else { 0 } + message <= area
    }
    let methods = M::Service::METHODS;
    assert!(M::INDEX < methods.len(), "`INDEX` is a place in `METHODS`");
    let info = &methods[M::INDEX];
    let listed = info.id == M::ID
        && info.kind as u8 == M::KIND as u8
        && info.request == size_of::<M::Request>()
        && info.response == size_of::<M::Response>()
        && info.overlay as u8 == M::OVERLAY as u8
        && info.in_place == M::IN_PLACE;
    assert!(listed, "`METHODS` lists the method at its `INDEX`");
    assert!(
        M::OVERLAY.applies(false) || !M::IN_PLACE,
        "what is edited in place overlays"
    );
    let shape = SlotShape::of_service::<M::Service>();
    let (request_area, response_area) = match M::KIND {
        MethodKind::Event => (shape.event_area, shape.event_area),
        MethodKind::Call | MethodKind::Oneway => match M::OVERLAY {
            Overlay::Always => (shape.request_area, shape.request_area),
            Overlay::InARow => (
                shape.request_area,
                min(shape.request_area, shape.response_area),
            ),
            Overlay::Never => (shape.request_area, shape.response_area),
        },
    };
    let request = fits(request_area, request_apart::<M>(), size_of::<M::Request>());
    assert!(request, "the request fits its slot");
    let response = fits(
        response_area,
        response_apart::<M>(),
        size_of::<M::Response>(),
    );
    assert!(
        response || matches!(M::KIND, MethodKind::Event),
        "the response fits its slot"
    );
}

/// Asserts that a method is a call.
pub(crate) const fn assert_call<M: Method>() {
    assert_fits::<M>();
    assert!(
        matches!(M::KIND, MethodKind::Call),
        "only a call has a reply: a oneway method is told, an event emitted"
    );
}

/// Asserts that a method is no event.
pub(crate) const fn assert_request<M: Method>() {
    assert_fits::<M>();
    assert!(
        !matches!(M::KIND, MethodKind::Event),
        "an event is emitted by the server"
    );
}

/// Asserts that a method is an event.
pub(crate) const fn assert_event<M: Method>() {
    assert_fits::<M>();
    assert!(
        matches!(M::KIND, MethodKind::Event),
        "only an event is emitted by the server"
    );
}

/// What the annotations of an interface say; none of it is part of the ABI.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// In-flight window between threads.
    pub window: usize,
    /// In-flight window through shared memory.
    pub shm_window: usize,
    /// In-flight window over RDMA.
    pub rdma_window: usize,
    /// Bytes of a message that travels in its work request at most, over RDMA.
    pub rdma_inline: u32,
    /// Bytes of a slot of shared memory at the least.
    pub shm_slot: usize,
    /// How long to spin before sleeping, if the definition says.
    pub spin: Option<Duration>,
}

impl Tuning {
    /// Without annotations.
    pub const DEFAULT: Self = Self {
        window: 32,
        shm_window: 32,
        rdma_window: 32,
        // What a 64-byte work queue entry building block takes with ConnectX in four of them.
        rdma_inline: 220,
        shm_slot: 0,
        spin: None,
    };
}

/// True if the request of a method begins apart from its place. Where request and response are one memory edited in place, both
/// begin where the longer one does.
pub(crate) const fn request_apart<M: Method>() -> bool {
    size_of::<M::Request>() > SlotShape::ONE_LINE
        || (M::IN_PLACE && size_of::<M::Response>() > SlotShape::ONE_LINE)
}

/// The same for the response.
pub(crate) const fn response_apart<M: Method>() -> bool {
    if M::IN_PLACE {
        request_apart::<M>()
    } else {
        size_of::<M::Response>() > SlotShape::ONE_LINE
    }
}

/// What became of a call to a service, before its method is known.
pub struct Outcome<'a, S> {
    ended: Ended<'a>,
    service: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for Outcome<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ended.fmt(f)
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended<'a> {
    /// With a reply.
    Arrived {
        head: ReplyHead,
        lies: Lies<'a>,
        /// Of which method it is.
        method: u16,
        /// Where it counts if it is no response, and in which place.
        tally: &'a Tally,
        index: usize,
    },
    /// Without.
    Failed(Failure),
}

/// A message that lies at `place` or `apart` bytes after it, lent for `'a`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lies<'a> {
    place: NonNull<u8>,
    apart: usize,
    lent: PhantomData<&'a [u8]>,
}

impl<'a> Lies<'a> {
    /// # Safety
    /// 1. `place` is aligned to 8, `apart` a multiple of 8.
    /// 2. Every message that `read` is asked for has as many bytes from `place`, or from `apart` bytes after it if `read` is told so,
    ///    which are readable and unchanged for `'a`. Who asks is bound to methods of the service that the transport is for, and has
    ///    checked them with [`assert_fits`].
    #[inline(always)]
    pub(crate) const unsafe fn new(place: NonNull<u8>, apart: usize) -> Self {
        Self {
            place,
            apart,
            lent: PhantomData,
        }
    }

    /// The message as a `W`.
    #[inline(always)]
    pub(crate) fn read<W: Wire>(self, apart: bool) -> &'a W {
        // SAFETY: promise 2 of `new`.
        let start = unsafe { self.place.add(if apart { self.apart } else { 0 }) }.cast::<W>();
        prefetch(start);
        // SAFETY: promises 1 and 2 of `new`: aligned; any bytes are a `W`.
        unsafe { start.as_ref() }
    }
}

impl<'a, S: Service> Outcome<'a, S> {
    #[inline(always)]
    pub(crate) fn new(ended: Ended<'a>) -> Self {
        Self {
            ended,
            service: PhantomData,
        }
    }

    /// As the result of a method: the response where it lies, checked.
    #[inline(always)]
    pub fn of<M: Method<Service = S>>(self) -> Result<&'a M::Response, CallError<M::Error>> {
        const { assert_call::<M>() };
        match self.ended {
            Ended::Arrived {
                head,
                lies,
                method,
                tally,
                index,
            } => {
                // That it is of this method is known where generated code asks; one written by hand may ask for another's, which may
                // lie elsewhere.
                if method != M::ID || !head.is_ok(size_of::<M::Response>()) {
                    return Err(refused::<M>(head, tally, index));
                }
                let response = lies.read::<M::Response>(const { response_apart::<M>() });
                if !M::Response::PLAIN
                    && let Err(invalid) = response.validate()
                {
                    return Err(invalid_response(invalid, tally, index));
                }
                Ok(response)
            }
            Ended::Failed(failure) => Err(failure.as_error::<M>()),
        }
    }
}

/// The error of a response that must not reach the caller.
#[cold]
fn invalid_response<E>(invalid: Invalid, tally: &Tally, index: usize) -> CallError<E> {
    if let Some(method) = tally.at(index) {
        count(&method.failures);
    }
    CallError::InvalidData(invalid)
}

/// The error that a reply without the response says. Takes its arguments apart, so that they stay in registers until it is called.
#[cold]
fn refused<M: Method>(head: ReplyHead, tally: &Tally, index: usize) -> CallError<M::Error> {
    if let Some(method) = tally.at(index) {
        count(&method.failures);
    }
    if head.status() == ReplyStatus::Ok as u16 {
        CallError::InvalidData(Invalid::new(InvalidKind::Size, M::Response::INFO))
    } else {
        Failure::Refused(head).as_error::<M>()
    }
}
