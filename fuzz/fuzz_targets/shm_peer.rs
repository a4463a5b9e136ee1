//! A peer on shared memory that does what the fuzzer says, to an honest server or an honest client, of either trust.
#![no_main]

#[path = "../../runtime-shm/tests/peer/mod.rs"]
mod peer;
#[path = "../../runtime-shm/tests/steps/mod.rs"]
mod steps;

use libfuzzer_sys::fuzz_target;
use runtime_shm::{Isolated, SameUser};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, script)) = bytes.split_first() else {
        return;
    };
    match first % 4 {
        0 => steps::client::<SameUser>(script),
        1 => steps::client::<Isolated>(script),
        2 => steps::server::<SameUser>(script),
        _ => steps::server::<Isolated>(script),
    };
});
