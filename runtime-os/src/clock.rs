//! Nanoseconds since the process first asked.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

static START: OnceLock<Instant> = OnceLock::new();

/// Now.
pub fn now() -> u64 {
    // 584 years fit.
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// How long it is until a time; `None` if that has passed. A time at the end of all times is capped, so that it can be
/// waited for.
pub fn until(time: u64) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(3600);
    time.checked_sub(now())
        .filter(|&rest| rest != 0)
        .map(|rest| Duration::from_nanos(rest).min(LONGEST))
}
