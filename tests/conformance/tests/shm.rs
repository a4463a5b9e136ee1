//! The contract on the shared-memory backend.
#![cfg(target_os = "linux")]

mod same_user {
    conformance::suite! { conformance::shm::Shm }
}

mod isolated {
    conformance::suite! { conformance::shm::IsolatedShm }
}
