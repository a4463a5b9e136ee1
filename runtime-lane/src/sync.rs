//! The atomics of this crate, which are loom's when the lane is model-checked.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{
    AtomicU16, AtomicU32, AtomicU64, Ordering, compiler_fence, fence,
};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering, fence};
