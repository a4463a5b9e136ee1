//! How far the two sides of a connection trust each other.

use runtime_core::{Service, SlotShape};

/// How far the two sides of a connection trust each other: [`SameUser`] or [`Isolated`].
pub trait Trust: sealed::Sealed + Send + Sync + 'static {
    /// True if each side may write only its own memory, and copies what it reads of the other's.
    const ISOLATED: bool;
}

/// Both sides belong to one user, share one memory and read in place.
#[derive(Debug)]
pub enum SameUser {}

/// The sides may belong to different users: `@Shm(isolated)`.
#[derive(Debug)]
pub enum Isolated {}

impl Trust for SameUser {
    const ISOLATED: bool = false;
}

impl Trust for Isolated {
    const ISOLATED: bool = true;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::SameUser {}
    impl Sealed for super::Isolated {}
}

/// The slots of a service under this trust.
pub(crate) const fn shape<S: Service, T: Trust>() -> SlotShape {
    let shape = if T::ISOLATED {
        SlotShape::split_of_service::<S>()
    } else {
        SlotShape::of_service::<S>()
    };
    shape.at_least(S::TUNING.shm_slot)
}
