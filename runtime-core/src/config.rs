//! What can be set when a connection is made.

use core::time::Duration;

/// Settings of a client. Where the definition tunes the same thing, `None` keeps the definition's value.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Deadline of calls whose method has none in the definition; it runs from the first time that a poll finds nothing.
    pub deadline: Duration,
    /// How long `wait` and the blocking calls spin before they sleep.
    pub spin: Duration,
    /// In-flight window: a power of two from 2 to 4,096.
    pub window: Option<usize>,
    /// Record the round-trip time of every call; costs two readings of the clock a call.
    pub histogram: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            spin: Duration::from_micros(50),
            window: None,
            histogram: false,
        }
    }
}

/// Settings of a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Clients admitted at a time.
    pub max_clients: usize,
    /// How long `wait` and `serve` spin before they sleep.
    pub spin: Duration,
    /// Events that may wait at each client; a power of two from 2 to 4,096. Without effect if the service has no event.
    pub event_window: usize,
}

impl ServerConfig {
    /// Events that may wait at each client, unless set otherwise.
    pub const EVENT_WINDOW: usize = 32;
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_clients: 1024,
            spin: Duration::from_micros(50),
            event_window: Self::EVENT_WINDOW,
        }
    }
}
