//! The contract on the in-process backend.

use conformance::inproc::Inproc;

conformance::suite! { Inproc }

#[test]
fn a_deadline_passes_while_others_are_answered() {
    conformance::guarded(
        "inproc: a_deadline_passes_while_others_are_answered",
        conformance::rules::time::a_deadline_passes_while_others_are_answered::<Inproc>,
    );
}
