//! How large the buffers of a service are, and how many of them a connection takes.

use runtime_core::{MethodKind, Service};

use crate::imm::MAX_WINDOW;

/// Bytes of the buffers of a service. A message begins at the start of its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Of a request.
    pub(crate) request: usize,
    /// Of a response.
    pub(crate) response: usize,
    /// Of an event; 0 if there is none.
    pub(crate) event: usize,
    /// True if some arguments are edited where they arrived, and sent back from there: then buffers of requests and of responses change
    /// places, and are of one size.
    pub(crate) in_place: bool,
}

/// Whole cache lines: no two buffers share one, and every message is aligned.
const LINE: usize = 64;

/// Notes that a client may send beside its requests, each of which needs a buffer at the server: two that give events back, and its
/// farewell.
pub(crate) const NOTES: usize = 3;

/// Messages that a server may send beside replies and events: its farewell.
pub(crate) const FAREWELL: usize = 1;

/// Receive buffers beyond those that are promised, so that they can be given back several at a time.
pub(crate) const SLACK: usize = 16;

const fn lines(bytes: usize) -> usize {
    if bytes <= LINE {
        LINE
    } else {
        bytes.next_multiple_of(LINE)
    }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl Shape {
    /// The buffers that fit every method of a service.
    pub(crate) const fn of<S: Service>() -> Self {
        let (mut request, mut response, mut event) = (0, 0, 0);
        let (mut events, mut in_place) = (false, false);
        let mut at = 0;
        while at < S::METHODS.len() {
            let method = &S::METHODS[at];
            match method.kind {
                MethodKind::Event => {
                    events = true;
                    event = max(event, method.request);
                }
                MethodKind::Call | MethodKind::Oneway => {
                    request = max(request, method.request);
                    response = max(response, method.response);
                    in_place |= method.in_place;
                    if method.overlay.applies(false) {
                        // The response is built where the request lies.
                        request = max(request, method.response);
                    }
                }
            }
            at += 1;
        }
        let (mut request, mut response) = (lines(request), lines(response));
        if in_place {
            request = max(request, response);
            response = request;
        }
        Self {
            request,
            response,
            event: if events { lines(event) } else { 0 },
            in_place,
        }
    }

    /// Bytes of a buffer in which a client receives: replies and events come in any order.
    pub(crate) const fn arrival(&self) -> usize {
        max(self.response, self.event)
    }

    /// The event window of this service, if the server's settings say so many.
    pub(crate) const fn events(&self, configured: usize) -> usize {
        if self.event == 0 { 0 } else { configured }
    }

    /// Receive buffers that a server needs for one client.
    pub(crate) const fn server_receives(window: usize) -> usize {
        window + NOTES
    }

    /// Receive buffers of a client.
    pub(crate) const fn client_receives(window: usize, events: usize) -> usize {
        window + events + FAREWELL + SLACK
    }

    /// Registered bytes of a client.
    pub(crate) const fn client_bytes(&self, window: usize, events: usize) -> usize {
        window * self.request + Self::client_receives(window, events) * self.arrival()
    }

    /// Registered bytes that a client costs its server.
    pub(crate) const fn server_bytes(&self, window: usize, events: usize) -> usize {
        Self::server_receives(window) * self.request + window * self.response + events * self.event
    }
}

/// True if so many slots or events can be numbered.
pub(crate) const fn is_window(count: usize) -> bool {
    count.is_power_of_two() && count >= 2 && count <= MAX_WINDOW
}

/// Registered bytes that a connection takes at both ends together, with the window of the definition and the default event window.
pub const fn memory_per_connection<S: Service>() -> usize {
    let shape = Shape::of::<S>();
    let events = shape.events(runtime_core::ServerConfig::EVENT_WINDOW);
    let window = S::TUNING.rdma_window;
    shape.client_bytes(window, events) + shape.server_bytes(window, events)
}
