//! How a client waits: it spins, gives way, and sleeps.

use super::{Core, IDLE_POLLS_PER_CHECK};
use crate::counters::count;
use crate::spin::SPIN_ALONE;
use crate::transport::ClientTransport;

impl<T: ClientTransport, U> Core<T, U> {
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
