//! The receive buffers of a server, which all its connections share by one shared receive queue.
//!
//! Slots are credits: a client may have as many requests on their way as its window has slots, and there are at least that many buffers
//! for every client, and a few more. So a request always finds a buffer, whoever sends it; a receiver that is not ready (RNR) there is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::buffer::{Buffers, Chain, Held};
use crate::shape::{SLACK, Shape};
use crate::verbs::{Pd, Srq};

/// Receive buffers, and buffers that responses are sent from, of all connections of a server.
pub(crate) struct Pool {
    /// First: destroyed before the buffers that are posted to it are freed.
    srq: Arc<Srq>,
    pd: Arc<Pd>,
    pub(crate) shape: Shape,
    state: Mutex<State>,
}

struct State {
    /// Buffers that circulate between the queue and those who hold requests.
    circulating: usize,
    /// How many of them are promised to clients.
    promised: usize,
    /// Buffers for responses that no connection has.
    idle: Vec<Held>,
    /// Receive buffers that do not circulate: they held requests of clients that were gone.
    retired: Vec<Held>,
    /// All memory.
    all: Vec<Buffers>,
}

impl Pool {
    pub(crate) fn new(srq: Arc<Srq>, pd: &Arc<Pd>, shape: Shape) -> Self {
        Self {
            srq,
            pd: Arc::clone(pd),
            shape,
            state: Mutex::new(State {
                circulating: 0,
                promised: 0,
                idle: Vec::new(),
                retired: Vec::new(),
                all: Vec::new(),
            }),
        }
    }

    pub(crate) fn srq(&self) -> &Arc<Srq> {
        &self.srq
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that there are buffers for one more client, and gives the buffers that its responses are built in.
    ///
    /// # Errors
    /// There is no memory, or not that much may be registered, or the queue is too short for so many.
    pub(crate) fn reserve(&self, window: usize) -> Result<Vec<Held>, String> {
        let mut state = self.state();
        let promised = state.promised + Shape::server_receives(window);
        let capacity = self.srq.capacity() as usize;
        if promised + SLACK > capacity {
            return Err(format!(
                "the device's shared receive queue holds {capacity} buffers, and its clients have {} of them",
                state.promised
            ));
        }
        let missing = (promised + SLACK).saturating_sub(state.circulating);
        if missing != 0 {
            let mut chain = Chain::new();
            let used_again = state.retired.len().min(missing);
            let rest = state.retired.len() - used_again;
            if used_again < missing {
                let made = Buffers::new(&self.pd, missing - used_again, self.shape.request)?;
                // SAFETY: they were made just now.
                unsafe { made.hold() }.for_each(|held| chain.push(held));
                // Kept in any case: the device may have taken some of them.
                state.all.push(made);
            }
            for held in state.retired.drain(rest..) {
                chain.push(held);
            }
            self.post(&mut chain).map_err(|errno| {
                format!(
                    "giving the device {missing} receive buffers: {}",
                    std::io::Error::from_raw_os_error(errno)
                )
            })?;
            state.circulating += missing;
        }
        let missing = window.saturating_sub(state.idle.len());
        if missing != 0 {
            let made = Buffers::new(&self.pd, missing, self.shape.response)?;
            // SAFETY: as above.
            let held: Vec<_> = unsafe { made.hold() }.collect();
            state.all.push(made);
            state.idle.extend(held);
        }
        state.promised = promised;
        let rest = state.idle.len() - window;
        Ok(state.idle.split_off(rest))
    }

    /// Takes back what was promised to a client that is gone, of whose requests so many are still held. The other receive buffers stay in
    /// the queue, for the next client; those come back by [`retire`](Self::retire), and until then others take their place.
    pub(crate) fn release(&self, window: usize, held: usize) {
        let mut state = self.state();
        state.promised -= Shape::server_receives(window);
        state.circulating -= held;
    }

    /// Takes back the buffers that a client's responses were built in.
    pub(crate) fn take_back(&self, responses: impl Iterator<Item = Held>) {
        self.state().idle.extend(responses);
    }

    /// Takes back the buffer of a request that was held for longer than its client was there.
    pub(crate) fn retire(&self, held: Held) {
        self.state().retired.push(held);
    }

    /// Gives buffers back to the device.
    #[inline]
    pub(crate) fn post(&self, chain: &mut Chain) -> Result<(), i32> {
        // SAFETY: a chain is a list of requests whose buffers nobody else has, and this pool keeps their memory until the queue is gone.
        chain.post(|first| unsafe { self.srq.post(first) })
    }

    /// Gives one buffer back from any thread.
    pub(crate) fn give_back(&self, held: Held) {
        let mut chain = Chain::new();
        chain.push(held);
        // The queue has room for every buffer there is. One that cannot be posted all the same is lost, and with it a credit: the senders'
        // retry timers cover for that.
        let posted = self.post(&mut chain);
        debug_assert!(posted.is_ok(), "the queue has room for every buffer");
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        write!(
            f,
            "Pool({} of {} buffers promised)",
            state.promised, state.circulating
        )
    }
}
