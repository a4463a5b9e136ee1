//! The store-load barrier between publishing and looking whether the peer sleeps.
//!
//! A side that goes to sleep announces it, then looks once more for work; a side that publishes work then looks for the
//! announcement. Neither look may move before its own store, or both miss each other and the sleeper sleeps on. A full
//! fence on every call would close that, for some 20 cycles each. Linux's membarrier lets only the sleeper, which has time,
//! pay: it makes every running thread of the other side pass a full fence at that moment. Where membarrier is missing,
//! both sides fence, and the word that says who sleeps says so, too: see `Side` in `control.rs`.

use crate::sync::{Ordering, fence};

/// Whose threads the peer's are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierScope {
    /// Of this process.
    Process,
    /// Of any process that has prepared for this scope.
    System,
}

#[cfg(all(target_os = "linux", not(loom)))]
mod asymmetric {
    use std::sync::OnceLock;

    use rustix::thread::{MembarrierCommand, membarrier};

    use super::BarrierScope;

    static PROCESS: OnceLock<bool> = OnceLock::new();
    static SYSTEM: OnceLock<bool> = OnceLock::new();

    /// Registers this process once; false if the kernel cannot do it.
    pub(super) fn prepare(scope: BarrierScope) -> bool {
        let (cell, command) = match scope {
            BarrierScope::Process => (&PROCESS, MembarrierCommand::RegisterPrivateExpedited),
            BarrierScope::System => (&SYSTEM, MembarrierCommand::RegisterGlobalExpedited),
        };
        *cell.get_or_init(|| membarrier(command).is_ok())
    }

    pub(super) fn heavy(scope: BarrierScope) {
        let command = match scope {
            BarrierScope::Process => MembarrierCommand::PrivateExpedited,
            BarrierScope::System => MembarrierCommand::GlobalExpedited,
        };
        // It cannot fail after `prepare` succeeded with the same scope, which is when it is called.
        let _ = membarrier(command);
    }
}

/// Gets the process ready for barriers of this scope. True if the light side is then free of cost.
pub fn prepare_barrier(scope: BarrierScope) -> bool {
    #[cfg(all(target_os = "linux", not(loom)))]
    return asymmetric::prepare(scope);
    #[cfg(not(all(target_os = "linux", not(loom))))]
    {
        let _ = scope;
        false
    }
}

/// The barrier of the side that publishes, where barriers are asymmetric: the peer's `heavy` fences this thread, so only the
/// compiler has to be kept from moving the look at the announcement up.
#[inline(always)]
pub(crate) fn light() {
    #[cfg(not(loom))]
    crate::sync::compiler_fence(Ordering::SeqCst);
}

/// The barrier of the side that goes to sleep.
pub(crate) fn heavy(asymmetric: bool, scope: BarrierScope) {
    #[cfg(all(target_os = "linux", not(loom)))]
    if asymmetric {
        asymmetric::heavy(scope);
    }
    let _ = (asymmetric, scope);
    fence(Ordering::SeqCst);
}
