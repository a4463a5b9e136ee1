//! What the compiler tells the runtime of a service.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::time::Duration;

use crate::abi::AbiHash;
use crate::error::{CallError, ServiceError};
use crate::info::{Invalid, InvalidKind};
use crate::server::{Arrived, Incoming, Opened};
use crate::transport::{Failure, ServerTransport};
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
    /// Slot sizes, worked out from [`METHODS`](Self::METHODS).
    const SHAPE: SlotShape = SlotShape::of(Self::METHODS);

    /// One variant a method, holding its [`Call`](crate::Call).
    type Request<'a, T: ServerTransport>
    where
        T: 'a;
    /// One variant a method, holding its result.
    type Reply<'a>;
    /// One variant an event, holding its arguments.
    type Event<'a>;

    /// Types an incoming request by its method, or answers it if it has none or is not valid.
    fn request<'a, T: ServerTransport>(incoming: Incoming<'a, T>) -> Opened<Self::Request<'a, T>>;

    /// Types what became of a call by its method.
    fn reply(method: u16, outcome: Outcome<'_>) -> Option<Self::Reply<'_>>;

    /// Types an event by its number; `None` if it is not known or not valid.
    fn event(arrived: Arrived<'_>) -> Option<Self::Event<'_>>;
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
    /// True if the reply may overwrite the request in the slot: both fit one cache line, or the method edits in place.
    const OVERLAY: bool = Self::IN_PLACE
        || (size_of::<Self::Request>() <= SlotShape::ONE_LINE
            && size_of::<Self::Response>() <= SlotShape::ONE_LINE);
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
    /// True if the reply may overwrite the request in the slot.
    pub overlay: bool,
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
        }
    }
}

/// How large the slots of a service are.
///
/// A slot has a request area and, unless every method lets its reply overwrite the request, a response area. Each ends
/// with the 8-byte word that hands it over, is a whole number of cache lines, and holds its message right before the word: so
/// a small message shares a line with the word, and of a large one the line with the word is written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotShape {
    /// Bytes of the request area.
    pub request_area: usize,
    /// Bytes of the response area; 0 if every method overlays.
    pub response_area: usize,
    /// Bytes of an event slot; 0 if there is no event.
    pub event_area: usize,
}

impl SlotShape {
    /// Bytes in a cache line.
    pub const LINE: usize = 64;
    /// Bytes of the word at the end of an area.
    pub const WORD: usize = 8;
    /// The largest message that shares a cache line with its word.
    pub const ONE_LINE: usize = Self::LINE - Self::WORD;

    /// The slot that fits every method.
    pub const fn of(methods: &[MethodInfo]) -> Self {
        let (mut request, mut response, mut event) = (0, 0, 0);
        let mut split = false;
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
                    if method.overlay {
                        request = max(request, method.response);
                    } else {
                        split = true;
                        response = max(response, method.response);
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

    /// Word and message in whole lines.
    const fn area(message: usize) -> usize {
        (message.next_multiple_of(Self::WORD) + Self::WORD).next_multiple_of(Self::LINE)
    }

    /// Bytes of the areas of so many slots and events.
    pub const fn memory(&self, slots: usize, event_window: usize) -> usize {
        slots * (self.request_area + self.response_area) + event_window * self.event_area
    }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// What the annotations of an interface say; none of it is part of the ABI.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// In-flight window.
    pub window: usize,
    /// How long to spin before sleeping, if the definition says.
    pub spin: Option<Duration>,
}

impl Tuning {
    /// Without annotations.
    pub const DEFAULT: Self = Self {
        window: 32,
        spin: None,
    };
}

/// How far before its end the request of a method begins: its size, in whole words. Where request and response are one
/// memory edited in place, both begin where the longer one does.
pub(crate) const fn request_room<M: Method>() -> usize {
    let size = if M::IN_PLACE {
        max(size_of::<M::Request>(), size_of::<M::Response>())
    } else {
        size_of::<M::Request>()
    };
    size.next_multiple_of(8)
}

/// The same for the response.
pub(crate) const fn response_room<M: Method>() -> usize {
    if M::IN_PLACE {
        request_room::<M>()
    } else {
        size_of::<M::Response>().next_multiple_of(8)
    }
}

/// What became of a call, before its type is known.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    pub(crate) result: Result<Lies<'a>, Failure>,
}

/// A message that lies before `end`, lent for `'a`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lies<'a> {
    end: NonNull<u8>,
    len: usize,
    lent: PhantomData<&'a [u8]>,
}

impl<'a> Lies<'a> {
    /// # Safety
    /// 1. `end` is aligned to 8.
    /// 2. For every `size` that `read` is asked for and that is `len`, the `room` before `end` is readable and unchanged for `'a`.
    pub(crate) const unsafe fn new(end: NonNull<u8>, len: usize) -> Self {
        Self {
            end,
            len,
            lent: PhantomData,
        }
    }

    /// The message as a `W` that begins `room` before the end; `None` if it has another size.
    #[inline(always)]
    pub(crate) fn read<W: Wire>(self, room: usize) -> Option<&'a W> {
        if self.len != size_of::<W>() {
            return None;
        }
        // SAFETY: promise 2 of `new`, which the size was just checked against.
        let start = unsafe { self.end.sub(room) };
        // SAFETY: promises 1 and 2 of `new`: `room` is whole words, so the start is aligned; any bytes are a `W`.
        Some(unsafe { start.cast().as_ref() })
    }
}

impl<'a> Outcome<'a> {
    /// As the result of a method: the response where it lies, checked.
    #[inline(always)]
    pub fn of<M: Method>(self) -> Result<&'a M::Response, CallError<M::Error>> {
        match self.result {
            Ok(lies) => {
                let Some(response) = lies.read::<M::Response>(const { response_room::<M>() })
                else {
                    return Err(CallError::InvalidData(Invalid::new(
                        InvalidKind::Size,
                        M::Response::INFO,
                    )));
                };
                if !M::Response::PLAIN {
                    response.validate().map_err(CallError::InvalidData)?;
                }
                Ok(response)
            }
            Err(failure) => Err(failure.as_error::<M>()),
        }
    }
}
