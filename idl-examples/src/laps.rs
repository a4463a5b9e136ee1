//! Times that are taken while an example runs.

use std::fmt;
use std::time::Instant;

/// How long each of many calls took.
#[derive(Clone, Debug, Default)]
pub struct Laps(Vec<u64>);

impl Laps {
    /// Runs something and takes its time.
    pub fn time<R>(&mut self, run: impl FnOnce() -> R) -> R {
        self.time_many(1, run)
    }

    /// Runs something that is `calls` calls, and notes the time of one.
    pub fn time_many<R>(&mut self, calls: u64, run: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = run();
        self.note(start.elapsed().as_nanos() as u64 / calls.max(1));
        result
    }

    /// Notes a time that was taken elsewhere.
    pub fn note(&mut self, nanoseconds: u64) {
        self.0.push(nanoseconds);
    }

    /// The middle one, in nanoseconds: unlike the mean it does not care for the few that the machine was busy with
    /// something else.
    pub fn median_ns(&self) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

impl fmt::Display for Laps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "median {} ns a call", self.median_ns())
    }
}
