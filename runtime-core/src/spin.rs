//! How long a side spins before it sleeps.

/// Nanoseconds of spinning after which the processor is offered to others between two looks. A peer that was woken on this very core
/// waits for it, and would else wait until the spinning ends, so that every call costs two whole spins.
pub(crate) const SPIN_ALONE: u64 = 5_000;

/// The budget of one side.
///
/// To spin for as long as a sleep and a wake-up cost, and then to sleep, costs at most twice what the best choice would (Karlin et al.,
/// "Competitive randomized algorithms for nonuniform problems", 1990); that is the configured budget. A side whose waits have all been long
/// for a while saves it: spinning has been in vain. It must not be the time that it was asleep that keeps it from spinning: two sides that
/// sleep wait for each other's wake-ups, and would do so for ever. So a wait counts as long only if it would have been long without
/// them, and the first one that does not has the side spin again.
#[derive(Debug)]
pub(crate) struct Spin {
    budget: u64,
    /// Waits in a row that were long.
    long: u32,
}

impl Spin {
    /// Waits that are long before the side stops spinning.
    const PATIENCE: u32 = 8;

    /// How many budgets a long wait lasts at least: the budget is about one wake-up, and a round trip between sides that sleep has two.
    const LONG: u64 = 4;

    /// With a budget in nanoseconds.
    pub(crate) const fn new(budget: u64) -> Self {
        Self { budget, long: 0 }
    }

    /// How long to spin now, in nanoseconds.
    #[inline]
    pub(crate) const fn budget(&self) -> u64 {
        if self.long < Self::PATIENCE {
            self.budget
        } else {
            0
        }
    }

    /// Takes into account how long a wait was that something has ended.
    #[inline]
    pub(crate) const fn ended(&mut self, waited: u64) {
        if waited <= self.budget.saturating_mul(Self::LONG) {
            self.long = 0;
        } else if self.long < Self::PATIENCE {
            self.long += 1;
        }
    }

    /// The same for a wait whose time was over first. A short one says nothing.
    #[inline]
    pub(crate) const fn timed_out(&mut self, waited: u64) {
        if waited > self.budget.saturating_mul(Self::LONG) {
            self.ended(waited);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: u64 = 50_000;
    /// Of a call between sides that both sleep: two wake-ups, on a machine that is slow at it.
    const TWO_WAKE_UPS: u64 = 150_000;

    fn after(waits: &[u64]) -> Spin {
        let mut spin = Spin::new(BUDGET);
        waits.iter().for_each(|&waited| spin.ended(waited));
        spin
    }

    #[test]
    fn long_waits_end_the_spinning() {
        assert_eq!(after(&[1_000_000; 7]).budget(), BUDGET);
        assert_eq!(after(&[1_000_000; 8]).budget(), 0);
        assert_eq!(after(&[u64::MAX; 100]).budget(), 0);
    }

    #[test]
    fn one_short_wait_begins_it_again() {
        let mut spin = after(&[1_000_000; 100]);
        spin.ended(500);
        assert_eq!(spin.budget(), BUDGET);
        // And it takes as many long ones as before to end it.
        for _ in 0..7 {
            spin.ended(1_000_000);
        }
        assert_eq!(spin.budget(), BUDGET);
    }

    #[test]
    fn two_sides_that_sleep_come_back_to_spinning() {
        let mut spin = after(&[1_000_000; 100]);
        spin.ended(TWO_WAKE_UPS);
        assert_eq!(spin.budget(), BUDGET);
    }

    #[test]
    fn a_time_out_counts_only_if_it_was_long() {
        let mut spin = Spin::new(BUDGET);
        (0..100).for_each(|_| spin.timed_out(10));
        assert_eq!(spin.budget(), BUDGET);
        (0..8).for_each(|_| spin.timed_out(1_000_000));
        assert_eq!(spin.budget(), 0);
        // A short one is no sign that anybody was there.
        spin.timed_out(10);
        assert_eq!(spin.budget(), 0);
    }

    #[test]
    fn without_a_budget_there_is_none() {
        let mut spin = Spin::new(0);
        spin.ended(0);
        assert_eq!(spin.budget(), 0);
    }
}
