//! The contract on the shared-memory backend.
#![cfg(target_os = "linux")]

mod same_user {
    conformance::suite! { conformance::shm::Shm }
}

mod isolated {
    conformance::suite! { conformance::shm::IsolatedShm }
}

#[test]
fn a_deadline_passes_while_others_are_answered() {
    conformance::guarded(
        "shm: a_deadline_passes_while_others_are_answered",
        conformance::rules::time::a_deadline_passes_while_others_are_answered::<
            conformance::shm::Shm,
        >,
    );
}
