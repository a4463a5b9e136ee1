//! The contract on the RDMA backend, over the in-process verbs provider.
#![cfg(target_os = "linux")]

conformance::suite! { conformance::rdma::Rdma }
