//! Which slot a method needs, and what a connection costs.

use crate::ir::{Interface, Method, MethodKind, Tuning};

use super::CACHE_LINE;

/// The word that goes with every message in a slot.
const WORD: u32 = 8;

/// The largest message that shares a cache line with its word.
const ONE_LINE: u32 = CACHE_LINE - WORD;

/// The largest message that a reply overwrites while several calls are in flight.
const IN_A_ROW: u32 = 1024;

/// Bytes before the slots of shared memory: the control block.
const CONTROL: u64 = 512;

/// What a segment of shared memory is rounded up to.
const PAGE: u64 = 4096;

/// In-flight window of an interface that asks for none, and the window of events.
const WINDOW: u32 = 32;

/// Receive buffers that a server over RDMA has for a client beside those for its requests: for the two notes that give events back, and
/// for its farewell.
const NOTES: u32 = 3;

/// Receive buffers that a client over RDMA has beside those for replies and events: one for the server's farewell, and 16 so that they
/// can be given back several at a time.
const ARRIVALS: u32 = 1 + 16;

/// How a method uses its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Request and response both fit the one line that they share with the word; the response replaces the request.
    OneLine,
    /// The server edits the request where it lies.
    InPlace,
    /// Request lines, then response lines; the response replaces the request while several calls are in flight.
    InARow,
    /// Request lines, then response lines.
    Split,
    /// Nothing comes back.
    OneWay,
}

/// The slot shape of a method.
pub fn shape(method: &Method) -> Shape {
    if method.kind != MethodKind::Call {
        Shape::OneWay
    } else if larger(method) <= ONE_LINE {
        Shape::OneLine
    } else if method.in_place {
        Shape::InPlace
    } else if overlays_in_a_row(method) {
        Shape::InARow
    } else {
        Shape::Split
    }
}

/// The slots of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Bytes of a slot that hold a request and its word; whole cache lines.
    pub request: u32,
    /// Bytes of a slot that hold a response and its word; 0 if every reply overlays its request.
    pub response: u32,
    /// Bytes of a slot for an event and its word; 0 if there is no event.
    pub event: u32,
    /// In-flight window of inproc.
    pub inproc_window: u32,
    /// In-flight window of shared memory.
    pub shm_window: u32,
    /// Bytes of the request area of a slot of shared memory.
    pub shm_request: u32,
    /// Bytes of its response area; `@Shm(isolated)` always has one, for there no reply overlays its request.
    pub shm_response: u32,
    /// True if each side of shared memory writes only its own: `@Shm(isolated)`.
    pub shm_isolated: bool,
    /// In-flight window of RDMA.
    pub rdma_window: u32,
    /// Its buffers.
    pub rdma: RdmaBuffers,
    /// Slots for events.
    pub event_slots: u32,
}

/// Bytes of the buffers of an interface over RDMA. There is no word in them, since it travels beside the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RdmaBuffers {
    /// Of a request.
    pub request: u32,
    /// Of a response.
    pub response: u32,
    /// Of an event; 0 if there is none.
    pub event: u32,
}

impl Lane {
    /// Slots for a window: one more than may be in flight, so that a request can always name the slot of the next one.
    pub fn slots(window: u32) -> u32 {
        window.saturating_add(1)
    }

    /// Bytes of one slot.
    pub fn slot(&self) -> u32 {
        self.request + self.response
    }

    /// Bytes of all event slots.
    pub fn event_bytes(&self) -> u64 {
        u64::from(self.event_slots) * u64::from(self.event)
    }

    /// Bytes of the slots of one inproc connection.
    pub fn inproc_bytes(&self) -> u64 {
        u64::from(Self::slots(self.inproc_window)) * u64::from(self.slot()) + self.event_bytes()
    }

    /// Bytes of one slot of shared memory.
    pub fn shm_slot(&self) -> u32 {
        self.shm_request + self.shm_response
    }

    /// Bytes of shared memory of one connection: the control block and the slots in one segment, or, isolated, in three: the control
    /// block, the requests, and what the server writes.
    pub fn shm_bytes(&self) -> u64 {
        let slots = u64::from(Self::slots(self.shm_window));
        let requests = slots * u64::from(self.shm_request);
        let rest = slots * u64::from(self.shm_response) + self.event_bytes();
        let segments = if self.shm_isolated {
            [CONTROL, requests, rest]
        } else {
            [CONTROL + requests + rest, 0, 0]
        };
        segments
            .map(|bytes| bytes.next_multiple_of(PAGE))
            .iter()
            .sum()
    }

    /// Registered bytes of a client over RDMA: requests are built in buffers of their own, replies and events arrive in any order in
    /// those of the larger of the two.
    pub fn rdma_client_bytes(&self) -> u64 {
        let RdmaBuffers {
            request,
            response,
            event,
        } = self.rdma;
        let arrivals = self.rdma_window + self.event_slots + ARRIVALS;
        bytes(self.rdma_window, request) + bytes(arrivals, response.max(event))
    }

    /// Registered bytes that a client over RDMA costs its server.
    pub fn rdma_server_bytes(&self) -> u64 {
        let RdmaBuffers {
            request,
            response,
            event,
        } = self.rdma;
        bytes(self.rdma_window + NOTES, request)
            + bytes(self.rdma_window, response)
            + bytes(self.event_slots, event)
    }

    /// Registered bytes of one connection over RDMA, at both ends together.
    pub fn rdma_bytes(&self) -> u64 {
        self.rdma_client_bytes() + self.rdma_server_bytes()
    }
}

fn bytes(count: u32, each: u32) -> u64 {
    u64::from(count) * u64::from(each)
}

/// The slots that an interface needs, by the same rules as the runtime's `SlotShape`.
pub fn lane(interface: &Interface) -> Lane {
    let (mut request, mut response, mut event) = (0, None, None);
    for method in &interface.methods {
        if method.kind == MethodKind::Event {
            event = event.max(Some(method.request.size));
            continue;
        }
        request = request.max(method.request.size);
        if overlays_in_a_row(method) {
            // What is answered where it arrived must fit there.
            request = request.max(method.response.size);
        }
        if !overlays(method) {
            response = response.max(Some(method.response.size));
        }
    }
    let (request, response, event) = (
        area(request),
        response.map_or(0, area),
        event.map_or(0, area),
    );
    let shm_isolated = interface.tuning.shm_isolated;
    let (mut shm_request, mut shm_response) = if shm_isolated {
        split(interface)
    } else {
        (request, response)
    };
    // A method that asks for more gets it for the whole connection.
    let most = |of: fn(&Tuning) -> Option<u32>| {
        let methods = interface.methods.iter().map(|method| of(&method.tuning));
        methods.chain([of(&interface.tuning)]).max().flatten()
    };
    let least = most(|tuning| tuning.shm_slot).unwrap_or(0);
    let added = least
        .next_multiple_of(CACHE_LINE)
        .saturating_sub(shm_request + shm_response);
    // A larger slot has the room at its end.
    if shm_response == 0 {
        shm_request += added;
    } else {
        shm_response += added;
    }
    Lane {
        request,
        response,
        event,
        inproc_window: most(|tuning| tuning.inproc_depth).unwrap_or(WINDOW),
        shm_window: most(|tuning| tuning.shm_slots).unwrap_or(WINDOW),
        shm_request,
        shm_response,
        shm_isolated,
        rdma_window: most(|tuning| tuning.rdma_recv_depth).unwrap_or(WINDOW),
        rdma: rdma(interface),
        event_slots: if event > 0 { WINDOW } else { 0 },
    }
}

/// The areas of a slot in which no reply takes the place of its request.
fn split(interface: &Interface) -> (u32, u32) {
    let (mut request, mut response) = (0, 0);
    let methods = interface.methods.iter();
    for method in methods.filter(|method| method.kind != MethodKind::Event) {
        request = request.max(method.request.size);
        response = response.max(method.response.size);
        if method.in_place {
            // What is edited is copied from the one to the other, and lies at the same offset in both.
            let larger = method.request.size.max(method.response.size);
            (request, response) = (request.max(larger), response.max(larger));
        }
    }
    (area(request), area(response))
}

/// The buffers of RDMA, by the same rules as the runtime's `Shape`.
fn rdma(interface: &Interface) -> RdmaBuffers {
    let (mut request, mut response, mut event) = (0, 0, None);
    for method in &interface.methods {
        if method.kind == MethodKind::Event {
            event = event.max(Some(method.request.size));
            continue;
        }
        request = request.max(method.request.size);
        response = response.max(method.response.size);
        if overlays(method) {
            request = request.max(method.response.size);
        }
    }
    let lines = |message: u32| message.max(1).next_multiple_of(CACHE_LINE);
    let (mut request, mut response) = (lines(request), lines(response));
    if interface.methods.iter().any(|method| method.in_place) {
        // What is edited where it arrived is sent back from there, so either may be in the place of the other.
        request = request.max(response);
        response = request;
    }
    RdmaBuffers {
        request,
        response,
        event: event.map_or(0, lines),
    }
}

/// True if the reply always takes the place of the request.
fn overlays(method: &Method) -> bool {
    method.in_place || larger(method) <= ONE_LINE
}

/// True if it does while several calls are in flight.
fn overlays_in_a_row(method: &Method) -> bool {
    method.in_place || larger(method) <= IN_A_ROW
}

/// Bytes of the larger of a method's two messages.
fn larger(method: &Method) -> u32 {
    method.request.size.max(method.response.size)
}

/// The line of the word, and the lines of a message that does not fit in there.
fn area(message: u32) -> u32 {
    if message <= ONE_LINE {
        CACHE_LINE
    } else {
        CACHE_LINE + message.next_multiple_of(CACHE_LINE)
    }
}
