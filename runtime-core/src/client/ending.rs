//! Calls that end without their reply: at the deadline, or with the server.

use super::Core;
use super::calls::State;
use crate::counters::count;
use crate::error::WaitError;
use crate::service::{Ended, Outcome, Service};
use crate::transport::{ClientTransport, Completion, Failure};

/// Looks for the reply to a call over one line after the clock was read. Between cores that share a cache the reading takes about as long as
/// the call, so the reply is there now or in a moment, and who has called is going to pause before the next poll, for as long again: 27 ns on a
/// Zen 5, where a call of 8 B took 89 ns without these looks and 61 with them, one of 56 B 95 and 61. A reply of several lines comes later, and
/// they would only be in its way (64 B: 100 and 106 ns).
const LOOKS_AFTER_CLOCK: u32 = 8;

impl<T: ClientTransport, U> Core<T, U> {
    /// Looks at the clock and at the peer: expires calls, fails all of them if the server is gone.
    #[cold]
    pub(super) fn check<S: Service>(
        &mut self,
        mut deliver: impl FnMut(U, S::Reply<'_>),
    ) -> Result<usize, WaitError> {
        if self.transport.peer_gone() {
            self.calls.idle_polls = 0;
            // The server may have answered before it went: what has arrived by now is all there will be.
            let delivered = self.deliver::<S>(&mut deliver) + self.fail_all::<S>(&mut deliver);
            return if delivered == 0 {
                Err(WaitError::Disconnected)
            } else {
                Ok(delivered)
            };
        }
        let looks = if T::OVERLAYS && self.calls.has_sent_one_line() {
            LOOKS_AFTER_CLOCK
        } else {
            0
        };
        // First what is due: where a reply came in at each look, it would never be.
        let expired = self.look_at_clock::<S>(0, &mut deliver);
        if expired != 0 {
            return Ok(expired);
        }
        for _ in 0..looks {
            let delivered = self.deliver::<S>(&mut deliver);
            if delivered != 0 {
                return Ok(delivered);
            }
        }
        Ok(0)
    }

    /// Lets the deadlines of new calls run, and ends those whose time has come. Returns how many.
    #[cold]
    #[inline(never)]
    pub(super) fn look_at_clock<S: Service>(
        &mut self,
        delivered: usize,
        mut deliver: impl FnMut(U, S::Reply<'_>),
    ) -> usize {
        self.calls.idle_polls = 0;
        let now = self.transport.now();
        self.calls.stamp(now);
        if now < self.calls.earliest() {
            return delivered;
        }
        let expired = self.expire::<S>(now, &mut deliver);
        // Nothing more is due, and nobody has to look for it.
        self.calls.stamp(now);
        delivered + expired
    }

    /// Ends the calls whose deadline has passed. Their slots stay taken until the server gives them up. An awaited call is ended by whoever
    /// waits for it, who has the client borrowed; one that is found here belongs to a future that was forgotten, not dropped.
    pub(super) fn expire<S: Service>(
        &mut self,
        now: u64,
        deliver: &mut impl FnMut(U, S::Reply<'_>),
    ) -> usize {
        let mut expired = 0;
        for slot in 0..self.transport.slots() as u16 {
            if !self.calls.is_due(slot, now) {
                continue;
            }
            // Its reply may have arrived since the poll; then it is not late.
            if let Some(completion) = self.transport.poll_slot(slot) {
                expired += self.deliver_one::<S>(completion, deliver);
            } else if self.calls.take_arrived(slot).is_some() {
                self.discard(slot);
            } else {
                let user_data = self.time_out(slot);
                if user_data.is_some() {
                    self.hand_back::<S>(slot, user_data, Failure::Timeout, deliver);
                    expired += 1;
                }
            }
        }
        self.calls.refresh_earliest();
        expired
    }

    /// Delivers a completion, of whatever call it is. Returns how many the callback got: 1 or 0.
    fn deliver_one<S: Service>(
        &mut self,
        completion: Completion,
        deliver: &mut impl FnMut(U, S::Reply<'_>),
    ) -> usize {
        let Completion { slot, head, place } = completion;
        if !self.is_for_callback(slot, head, place) {
            return 0;
        }
        // SAFETY: `is_for_callback` says that it is a callback call.
        let (kind, user_data) = unsafe { self.calls.finish_callback(slot) };
        self.finish::<S>(completion, kind, user_data, deliver);
        1
    }

    /// Marks a call as given up.
    pub(super) fn time_out(&mut self, slot: u16) -> Option<U> {
        if let Some(tally) = self.tally.at(self.calls.index(slot)) {
            count(&tally.timeouts);
        }
        self.calls.abandon(slot)
    }

    /// Hands a call back that has ended without its reply.
    pub(super) fn hand_back<S: Service>(
        &mut self,
        slot: u16,
        user_data: Option<U>,
        failure: Failure,
        deliver: &mut impl FnMut(U, S::Reply<'_>),
    ) {
        let outcome = Outcome::new(Ended::Failed(failure));
        if let (Some(user_data), Some(reply)) =
            (user_data, S::reply(self.calls.method(slot), outcome))
        {
            deliver(user_data, reply);
        }
    }

    /// Marks a call as lost with its server.
    pub(super) fn lose(&mut self, slot: u16) -> Option<U> {
        if let Some(tally) = self.tally.at(self.calls.index(slot)) {
            count(&tally.unanswered);
        }
        self.calls.abandon(slot)
    }

    /// Hands every call back with `Disconnected`.
    pub(super) fn fail_all<S: Service>(
        &mut self,
        deliver: &mut impl FnMut(U, S::Reply<'_>),
    ) -> usize {
        let mut failed = 0;
        for slot in 0..self.transport.slots() as u16 {
            if self.calls.state(slot) != State::Callback {
                continue;
            }
            // A reply that came before those of older calls has not been delivered yet.
            if let Some(completion) = self.transport.poll_slot(slot) {
                failed += self.deliver_one::<S>(completion, deliver);
            } else {
                let user_data = self.lose(slot);
                self.hand_back::<S>(slot, user_data, Failure::Disconnected, deliver);
                failed += 1;
            }
        }
        failed
    }
}
