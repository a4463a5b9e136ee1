//! Ends a run that makes no progress, with a message, instead of letting it hang.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// No slice, no count and no trial takes this long.
const LIMIT: Duration = Duration::from_secs(60);

static PROGRESS: AtomicU64 = AtomicU64::new(0);

/// Says that there is progress.
pub(crate) fn feed() {
    PROGRESS.fetch_add(1, Ordering::Relaxed);
}

/// Watches from now on.
pub(crate) fn start() {
    std::thread::spawn(|| {
        let mut last = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = PROGRESS.load(Ordering::Relaxed);
            if now != last.0 {
                last = (now, Instant::now());
            } else if last.1.elapsed() > LIMIT {
                eprintln!(
                    "rpc-bench: nothing has been measured for {} s; giving up",
                    LIMIT.as_secs()
                );
                std::process::exit(3);
            }
        }
    });
}
