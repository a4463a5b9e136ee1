//! What can be set when a connection is made.

use core::time::Duration;

use crate::service::Service;

/// How long a side of a service spins, given what its settings say.
pub(crate) fn spin_of<S: Service>(configured: Option<Duration>) -> Duration {
    configured
        .or(S::TUNING.spin)
        .unwrap_or(Duration::from_micros(50))
}

/// Settings of a client. Where the definition tunes the same thing, `None` keeps the definition's value.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Deadline of calls whose method has none in the definition; it runs from the first time that a poll finds nothing.
    pub deadline: Duration,
    /// How long `wait` and the blocking calls spin before they sleep; if neither this nor the definition says, 50 us. After some waits
    /// that were much longer they sleep at once, until one is short again.
    pub spin: Option<Duration>,
    /// In-flight window: a power of two from 2 to 4,096.
    pub window: Option<usize>,
    /// Record the round-trip time of every call; costs two readings of the clock a call.
    pub histogram: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            spin: None,
            window: None,
            histogram: false,
        }
    }
}

/// Settings of a server; `None` as for those of a client.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Clients admitted at a time. One that is gone counts until the last of its requests is answered or dropped: for so long the server keeps
    /// memory for it.
    pub max_clients: usize,
    /// How long `wait` and `serve` spin before they sleep; if neither this nor the definition says, 50 us. As for a client's, it is saved
    /// after some waits that were much longer.
    pub spin: Option<Duration>,
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
            spin: None,
            event_window: Self::EVENT_WINDOW,
        }
    }
}
