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
    /// How many buffers may circulate.
    capacity: usize,
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
    /// `completions` is how many of them the completion queue has room for.
    pub(crate) fn new(srq: Arc<Srq>, completions: u32, pd: &Arc<Pd>, shape: Shape) -> Self {
        Self {
            capacity: srq.capacity().min(completions) as usize,
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
        let (receives, responses) = {
            let mut state = self.state();
            let promised = state.promised + Shape::server_receives(window);
            let capacity = self.capacity;
            if promised + SLACK > capacity {
                return Err(format!(
                    "the device's shared receive queue holds {capacity} buffers, and its clients have {} of them",
                    state.promised
                ));
            }
            // From here on they are this client's: whoever comes meanwhile sees them taken.
            state.promised = promised;
            let circulating = state.circulating + state.retired.len();
            (
                (promised + SLACK).saturating_sub(circulating),
                window.saturating_sub(state.idle.len()),
            )
        };
        let made = self.make(receives, responses);
        let mut state = self.state();
        let reserved = made.and_then(|()| state.reserve(self, window));
        if reserved.is_err() {
            state.promised -= Shape::server_receives(window);
        }
        reserved
    }

    /// Makes more buffers. Unlocked, since registering memory takes long, and other threads drop connections.
    fn make(&self, receives: usize, responses: usize) -> Result<(), String> {
        let sorts = [
            (receives, self.shape.request, true),
            (responses, self.shape.response, false),
        ];
        for (count, bytes, receive) in sorts {
            if count == 0 {
                continue;
            }
            let made = Buffers::new(&self.pd, count, bytes)?;
            // SAFETY: they were made just now.
            let held: Vec<_> = unsafe { made.hold() }.collect();
            let mut state = self.state();
            state.all.push(made);
            if receive {
                state.retired.extend(held);
            } else {
                state.idle.extend(held);
            }
        }
        Ok(())
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

    /// Gives the device buffers that it has refused, if they are missed.
    pub(crate) fn refill(&self) {
        let mut state = self.state();
        while state.circulating < state.promised + SLACK
            && let Some(held) = state.retired.pop()
        {
            if let Err((_, held)) = self.post_alone(held) {
                state.retired.push(held);
                break;
            }
            state.circulating += 1;
        }
    }

    /// How many buffers may circulate.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Gives buffers back to the device, from the server's thread.
    #[inline]
    pub(crate) fn post(&self, chain: &Chain) -> Result<(), i32> {
        // SAFETY: a chain is a list of requests whose buffers nobody else has, and this pool keeps their memory until the queue is gone.
        chain.post(|first| unsafe { self.srq.post(first) })
    }

    fn post_alone(&self, held: Held) -> Result<(), (i32, Held)> {
        // SAFETY: the request is that of a buffer that nobody else has, and this pool keeps its memory until the queue is gone.
        held.post_alone(|request| unsafe { self.srq.post(request) })
    }

    /// Gives one buffer back, from any thread.
    pub(crate) fn give_back(&self, held: Held) {
        // The queue has room for every buffer there is. One that is refused all the same is tried again by `refill`.
        if let Err((_, held)) = self.post_alone(held) {
            let mut state = self.state();
            state.circulating -= 1;
            state.retired.push(held);
        }
    }
}

impl State {
    /// Gives the device what is missed of what was promised, and a client the buffers that its responses are built in.
    fn reserve(&mut self, pool: &Pool, window: usize) -> Result<Vec<Held>, String> {
        let missing = (self.promised + SLACK).saturating_sub(self.circulating);
        for _ in 0..missing {
            // Another client, which came meanwhile, may have had some of them: it has made as many.
            let Some(held) = self.retired.pop() else {
                return Err("its receive buffers went to somebody else; try again".into());
            };
            if let Err((errno, held)) = pool.post_alone(held) {
                self.retired.push(held);
                return Err(format!(
                    "giving the device {missing} receive buffers: {}",
                    std::io::Error::from_raw_os_error(errno)
                ));
            }
            self.circulating += 1;
        }
        let Some(rest) = self.idle.len().checked_sub(window) else {
            return Err("the buffers of its responses went to somebody else; try again".into());
        };
        Ok(self.idle.split_off(rest))
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
