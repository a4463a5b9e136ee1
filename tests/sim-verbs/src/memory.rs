//! Reaching memory as a NIC does: by address and key, checked against what is registered now.

use core::ptr;

use runtime_rdma::verbs::bindings::{
    IBV_WC_LOC_PROT_ERR, IBV_WC_REM_ACCESS_ERR, ibv_sge, ibv_wc_status,
};

use crate::fabric::Fabric;

/// Pieces of memory that one request may have.
pub(crate) const MAX_SGE: usize = 16;

/// What tells a remote key from the local key of the same region: using one for the other must fail.
pub(crate) const REMOTE_KEY: u32 = 0x8000_0000;

/// Pieces of memory that were checked, to be used before the lock is given back.
#[derive(Debug)]
pub(crate) struct Pieces {
    list: [(*mut u8, usize); MAX_SGE],
    count: usize,
    /// Bytes in all of them.
    pub(crate) bytes: usize,
}

impl Pieces {
    pub(crate) const fn none() -> Self {
        Self {
            list: [(ptr::null_mut(), 0); MAX_SGE],
            count: 0,
            bytes: 0,
        }
    }

    pub(crate) fn one(start: *mut u8, len: usize) -> Self {
        let mut pieces = Self::none();
        pieces.push(start, len);
        pieces
    }

    fn push(&mut self, start: *mut u8, len: usize) {
        self.list[self.count] = (start, len);
        self.count += 1;
        self.bytes += len;
    }
}

impl Fabric {
    /// The memory at an address, if a region of this protection domain has all of it and grants `access`.
    fn reach(&self, key: u32, pd: u32, addr: u64, len: usize, access: u32) -> Option<*mut u8> {
        let region = self.mrs.get(&key)?;
        let end = addr.checked_add(len as u64)?;
        let inside = addr >= region.start && end <= region.start + region.len;
        (region.pd == pd && region.access & access == access && inside)
            .then(|| ptr::with_exposed_provenance_mut(addr as usize))
    }

    /// The local memory of a request.
    pub(crate) fn local(
        &self,
        sges: &[ibv_sge],
        pd: u32,
        access: u32,
    ) -> Result<Pieces, ibv_wc_status> {
        let mut pieces = Pieces::none();
        // An empty piece is never looked up.
        for sge in sges.iter().filter(|sge| sge.length != 0) {
            let len = sge.length as usize;
            let start = self
                .reach(sge.lkey, pd, sge.addr, len, access)
                .ok_or(IBV_WC_LOC_PROT_ERR)?;
            pieces.push(start, len);
        }
        Ok(pieces)
    }

    /// The peer's memory that a read or write names. One of no bytes is not checked, as the specification demands.
    pub(crate) fn remote(
        &self,
        rkey: u32,
        pd: u32,
        addr: u64,
        len: usize,
        access: u32,
    ) -> Result<Pieces, ibv_wc_status> {
        if len == 0 {
            return Ok(Pieces::none());
        }
        // A local key where a remote one belongs becomes a key that no region has.
        self.reach(rkey ^ REMOTE_KEY, pd, addr, len, access)
            .map(|start| Pieces::one(start, len))
            .ok_or(IBV_WC_REM_ACCESS_ERR)
    }
}

/// Copies all of `from` into `to`, piece by piece.
///
/// # Safety
/// The pieces of `from` are readable and those of `to` writable, nobody else writes the former or uses the latter meanwhile, and `to` has
/// at least as many bytes.
pub(crate) unsafe fn copy(from: &Pieces, to: &Pieces) {
    let (mut at, mut offset) = (0, 0);
    for &(mut source, mut left) in &from.list[..from.count] {
        while left != 0 {
            let (start, room) = to.list[at];
            let step = left.min(room - offset);
            // SAFETY: `offset` is at most the length of the piece.
            let target = unsafe { start.add(offset) };
            // SAFETY: both have `step` bytes left, which the caller vouches for; they may overlap.
            unsafe { ptr::copy(source, target, step) };
            // SAFETY: the source has `step` bytes left.
            source = unsafe { source.add(step) };
            left -= step;
            offset += step;
            if offset == room {
                (at, offset) = (at + 1, 0);
            }
        }
    }
}
