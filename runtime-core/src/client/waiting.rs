//! How a client waits: it spins, gives way, and sleeps.

use core::time::Duration;

use super::{Client, Core, IDLE_POLLS_PER_CHECK, nanoseconds};
use crate::counters::count;
use crate::error::WaitError;
use crate::service::Service;
use crate::spin::SPIN_ALONE;
use crate::transport::ClientTransport;

impl<S: Service, T: ClientTransport, U> Client<S, T, U> {
    /// Waits until there is something to poll: a reply, an event, or a call whose deadline has passed. Spins first, then
    /// sleeps. Returns false when `timeout` passes first.
    ///
    /// An event is there until [`poll_events`](Self::poll_events) takes it: a client that never asks for its events finds this true at once.
    ///
    /// # Errors
    /// [`WaitError::Disconnected`] when the server is gone and nothing is left to poll.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool, WaitError> {
        let core = self.core.get_mut();
        let mut now = core.transport.now();
        let until = now.saturating_add(nanoseconds(timeout));
        core.calls.stamp(now);
        loop {
            let due = core.calls.earliest_at(now);
            // What is due comes before replies, of which there may always be one: a transport that falls idle, and is not asked for them
            // here, finds nothing at the next poll.
            let ready = now < due
                && core.sleep_until(now, None, until.min(due), |core| core.transport.ready());
            if core.transport.peer_gone() {
                // The next poll looks at it, too, and hands back what is left.
                core.calls.ask_for_look();
                return if core.calls.has_callbacks() || core.transport.poll_arrived().is_some() {
                    Ok(true)
                } else {
                    Err(WaitError::Disconnected)
                };
            }
            if ready && (core.calls.unwanted == 0 || core.is_wanted_ready()) {
                return Ok(true);
            }
            now = core.transport.now();
            let is_due = now >= core.calls.earliest_at(now);
            if is_due || now >= until {
                // Found by the clock: the next poll has to look at it, too.
                core.calls.ask_for_look();
                return Ok(is_due);
            }
        }
    }
}

impl<T: ClientTransport, U> Core<T, U> {
    /// True if there is something to poll besides what ended without anybody waiting for it.
    #[cold]
    fn is_wanted_ready(&mut self) -> bool {
        self.collect();
        self.transport.ready()
    }

    /// Waits for `ready` from `start`, which is now: spins for the budget, then sleeps until there is anything, or the reply in `slot`. False if
    /// `until` comes first.
    pub(super) fn sleep_until(
        &mut self,
        start: u64,
        slot: Option<u16>,
        until: u64,
        ready: impl Fn(&Self) -> bool,
    ) -> bool {
        let mut now = start;
        let spin = self.spin.budget();
        let spin_until = until.min(now.saturating_add(spin));
        let yield_from = now.saturating_add(SPIN_ALONE);
        let looks = if spin == 0 { 1 } else { IDLE_POLLS_PER_CHECK };
        loop {
            for _ in 0..looks {
                if ready(self) {
                    // As old as the last look at the clock, which is soon enough: short is short.
                    self.spin.ended(now - start);
                    return true;
                }
                core::hint::spin_loop();
            }
            now = self.transport.now();
            if now >= until {
                self.spin.timed_out(now - start);
                return ready(self);
            }
            if self.transport.peer_gone() {
                return true;
            }
            if now >= spin_until {
                count(&self.tally.sleeps);
                self.transport.park(slot, until);
                now = self.transport.now();
            } else if now >= yield_from {
                self.transport.yield_now();
            }
        }
    }
}
