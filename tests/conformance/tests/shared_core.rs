//! Both sides on one core, with nothing else in the program.

use conformance::inproc::Inproc;
use conformance::rules::threads;

#[test]
fn sides_that_share_a_core_take_turns() {
    conformance::guarded(
        "shared core",
        threads::sides_that_share_a_core_take_turns::<Inproc>,
    );
}
