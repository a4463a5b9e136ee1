//! What the rules share: the watchdog, a handler, executors.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::probe::{Blob, Image, MathError, Mode, probe::Handler};

/// A test that takes longer than this has hung.
const WATCHDOG: Duration = Duration::from_secs(60);

/// How often a test that does the same thing again and again does it: as often as it says, or a part of that where every call takes a
/// hundred times as long, as on a processor that is emulated. `RPCIDL_HURRY` says which part: 20 for a twentieth.
///
/// # Panics
/// If that is no number.
pub fn rounds(usual: u64) -> u64 {
    match std::env::var("RPCIDL_HURRY") {
        Ok(part) => usual / part.parse::<u64>().expect("RPCIDL_HURRY is a number"),
        Err(_) => usual,
    }
}

/// Runs a test on its own thread and fails it if it hangs.
///
/// # Panics
/// If the test panics or does not end.
pub fn guarded(name: &str, test: fn()) {
    let (done, wait) = channel();
    let thread = std::thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            test();
            let _ = done.send(());
        })
        .expect("a thread for the test");
    match wait.recv_timeout(WATCHDOG) {
        Ok(()) => thread.join().expect("the test has ended"),
        Err(RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Err(RecvTimeoutError::Timeout) => {
            panic!("`{name}` did not end within {} s", WATCHDOG.as_secs())
        }
    }
}

/// How often `lookup` is to fail before it answers.
pub type Lookups = u32;

/// The probe service.
#[derive(Debug, Default)]
pub struct Probe {
    /// Values given to `note`.
    pub notes: Vec<u64>,
    /// Calls of `lookup`.
    pub lookups: Lookups,
    /// `echo` panics at this value.
    pub panic_at: Option<u64>,
}

impl Handler for Probe {
    fn echo(&mut self, value: u64) -> u64 {
        assert!(self.panic_at != Some(value), "told to panic");
        value
    }

    fn mirror(&mut self, blob: &Blob) -> Blob {
        let mut mirrored = *blob;
        mirrored.words.reverse();
        mirrored
    }

    fn brighten(&mut self, image: &mut Image, by: u8) {
        for pixel in &mut image.pixels {
            *pixel = pixel.saturating_add(by);
        }
    }

    fn divide(&mut self, dividend: u64, divisor: u64) -> Result<u64, MathError> {
        dividend.checked_div(divisor).ok_or(MathError::BY_ZERO)
    }

    fn lookup(&mut self, key: u64) -> u64 {
        self.lookups += 1;
        key + 1
    }

    fn toggle(&mut self, mode: Mode) -> Mode {
        if mode == Mode::ON {
            Mode::OFF
        } else {
            Mode::ON
        }
    }

    fn split(&mut self, value: u64, high: &mut u32, low: &mut u32) -> bool {
        *high = (value >> 32) as u32;
        *low = value as u32;
        *high != 0
    }

    fn note(&mut self, value: u64) {
        self.notes.push(value);
    }
}
