//! Memory that the peer shares: made in every wrong way, and mapped as numbers.

use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mprotect, munmap};

/// The seals without which no memory is touched.
pub const SIZED: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

/// Memory of that length with its pages there if `is_there`, and with seals.
pub fn memfd(len: usize, is_there: bool, seals: SealFlags) -> OwnedFd {
    let fd = memfd_create("a peer's", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    if is_there {
        let none = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&fd, none, 0, len as u64).unwrap();
    } else {
        ftruncate(&fd, len as u64).unwrap();
    }
    fcntl_add_seals(&fd, seals).unwrap();
    fd
}

/// Memory of that length as an isolated side has to make it, mapped for writing before it is sealed against that.
pub fn own_memfd(len: usize) -> (Map, OwnedFd) {
    let fd = memfd(len, true, SIZED);
    let map = Map::of(&fd, true).unwrap();
    fcntl_add_seals(&fd, SealFlags::SEAL | SealFlags::FUTURE_WRITE).unwrap();
    (map, fd)
}

/// Shared memory, mapped.
#[derive(Debug)]
pub struct Map {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: what is mapped is reached only as atomics.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// All that a descriptor stands for.
    pub fn of(fd: impl AsFd, writable: bool) -> Result<Self, Errno> {
        let len = fstat(&fd)?.st_size as usize;
        let mut access = ProtFlags::READ;
        access.set(ProtFlags::WRITE, writable);
        // SAFETY: the kernel chooses the address.
        let base = unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, fd, 0) }?;
        let base = NonNull::new(base.cast()).unwrap();
        Ok(Self { base, len })
    }

    /// Asks the kernel to let this mapping be written after all.
    pub fn make_writable(&self) -> Result<(), Errno> {
        let access = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: more may be done with the mapping afterwards, and nothing less.
        unsafe { mprotect(self.base.as_ptr().cast(), self.len, access) }
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The eight bytes at an offset.
    pub fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.len, "offset {at}");
        // SAFETY: in the mapping, by the assertion.
        let place = unsafe { self.base.add(at) };
        // SAFETY: aligned by the assertion, mapped for as long as `self` lives; an atomic may have any value.
        unsafe { place.cast().as_ref() }
    }

    /// The four bytes at an offset.
    pub fn half(&self, at: usize) -> &AtomicU32 {
        assert!(at.is_multiple_of(4) && at + 4 <= self.len, "offset {at}");
        // SAFETY: in the mapping, by the assertion.
        let place = unsafe { self.base.add(at) };
        // SAFETY: aligned by the assertion, mapped for as long as `self` lives; an atomic may have any value.
        unsafe { place.cast().as_ref() }
    }

    /// Writes the eight bytes at an offset.
    pub fn put(&self, at: usize, number: u64) {
        self.word(at).store(number, Ordering::Release);
    }

    /// Reads the eight bytes at an offset.
    pub fn get(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Acquire)
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
    }
}
