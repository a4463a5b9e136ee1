//! The descriptor of lent memory.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What travels for `buffer<read>` and `buffer<write>`: 24 bytes that name memory leased on one connection.
///
/// No backend carries buffers yet; the compiler refuses them (E0801). The type exists because its layout is part of
/// the ABI.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(C)]
pub struct Buffer {
    /// Offset in the region, or the address that RDMA uses.
    pub address: u64,
    /// Length in bytes.
    pub len: u32,
    /// The region, by number.
    pub region: u32,
    /// The key that grants access.
    pub key: u32,
    /// Access and state.
    pub flags: u32,
}

crate::layout! {
    Buffer: size 24, align 8 {
        0 => address: u64,
        8 => len: u32,
        12 => region: u32,
        16 => key: u32,
        20 => flags: u32,
    }
}
