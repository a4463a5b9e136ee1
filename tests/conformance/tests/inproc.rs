//! The contract on the in-process backend.

use conformance::inproc::Inproc;

conformance::suite! { Inproc }
