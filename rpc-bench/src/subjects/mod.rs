//! What can be measured.

#[cfg(feature = "peers")]
pub(crate) mod channels;
pub(crate) mod lane;
pub(crate) mod raw;
pub(crate) mod slots;
pub(crate) mod system;

use std::time::Instant;

/// Makes `calls` calls one after the other and notes the time per call of each group.
#[inline(always)]
pub(crate) fn time_groups(
    calls: usize,
    group: usize,
    times: &mut Vec<f64>,
    mut call: impl FnMut(u64),
) {
    let mut number = 1;
    for _ in 0..calls / group {
        let start = Instant::now();
        for _ in 0..group {
            call(number);
            number += 1;
        }
        times.push(start.elapsed().as_nanos() as f64 / group as f64);
    }
}

/// Keeps `depth` calls in flight until `calls` are answered, and notes the time per call of each group. `send` returns false
/// when there is no room, `receive` how many answers came.
#[inline(always)]
pub(crate) fn time_pipeline(
    calls: usize,
    group: usize,
    depth: usize,
    times: &mut Vec<f64>,
    mut send: impl FnMut(u64) -> bool,
    mut receive: impl FnMut() -> usize,
) {
    let mut in_flight = 0;
    let mut number = 1;
    for _ in 0..calls / group {
        let start = Instant::now();
        let mut answered = 0;
        while answered < group {
            while in_flight < depth && send(number) {
                number += 1;
                in_flight += 1;
            }
            let got = receive();
            in_flight -= got;
            answered += got;
            if got == 0 {
                std::hint::spin_loop();
            }
        }
        times.push(start.elapsed().as_nanos() as f64 / answered as f64);
    }
    while in_flight != 0 {
        in_flight -= receive();
    }
}

/// Adds up a payload, so that it is read.
#[inline(always)]
pub(crate) fn sum(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}
