//! Memory that two processes map: made, sealed, checked and mapped.
//!
//! A segment is a memfd (memfd_create(2)): it has no name, and the kernel frees it with the last descriptor and mapping of it, however
//! their owners end. All of its pages are there before anyone maps it, and its size is sealed, so touching it never raises SIGBUS; who
//! is handed one checks both before mapping it.

use core::ptr::NonNull;
use std::os::fd::{AsFd, OwnedFd};

use runtime_core::AttachError;
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat,
    fstatfs, memfd_create,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use crate::socket::system;

/// Who writes a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Everybody who has it.
    All,
    /// Its maker alone.
    Maker,
}

/// Seals without which a segment is not touched: its size stays.
const SIZED: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

/// The file system of memfds (statfs(2)).
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// With this many bytes huge pages are worth asking for.
const HUGE: usize = 2 << 20;

/// A mapped segment.
#[derive(Debug)]
pub(crate) struct Segment {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a segment only owns the mapping; who reads and writes there says by what right.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    /// A new segment of zeros, and the descriptor with which others map it.
    pub(crate) fn make(
        name: &str,
        len: usize,
        writer: Writer,
    ) -> Result<(Self, OwnedFd), AttachError> {
        let what = |tried: &str| format!("{tried} {len} bytes of shared memory for {name}");
        let made = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL);
        let made = match made {
            // Linux before 6.3 does not know the flag.
            Err(Errno::INVAL) => {
                memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            }
            made => made,
        };
        let fd = made.map_err(|error| system(what("making"), error))?;
        // Interrupted by any signal on some kernels, and then begun anew.
        retry_on_intr(|| fallocate(&fd, FallocateFlags::empty(), 0, len as u64))
            .map_err(|error| system(what("allocating"), error))?;
        fcntl_add_seals(&fd, SIZED).map_err(|error| system(what("sealing"), error))?;
        // Before the seal against writing, which later mappings fall under and this one does not.
        let segment = Self::map(&fd, len, true).map_err(|error| system(what("mapping"), error))?;
        let last = match writer {
            Writer::All => SealFlags::SEAL,
            Writer::Maker => SealFlags::SEAL | SealFlags::FUTURE_WRITE,
        };
        fcntl_add_seals(&fd, last).map_err(|error| system(what("sealing"), error))?;
        Ok((segment, fd))
    }

    /// Maps a segment of at least `len` bytes that a peer has made.
    pub(crate) fn attach(fd: impl AsFd, len: usize, writer: Writer) -> Result<Self, AttachFault> {
        let fd = fd.as_fd();
        // What is no memfd has no seals.
        let seals = fcntl_get_seals(fd).map_err(|_| AttachFault::NoMemfd)?;
        let wanted = match writer {
            Writer::All => SIZED,
            // Sealed against its maker's later mappings, too: so nobody can punch holes into it.
            Writer::Maker => SIZED | SealFlags::FUTURE_WRITE,
        };
        // Nor is it one of huge pages, of which no part can be unmapped.
        let system = fstatfs(fd).map_err(AttachFault::System)?;
        if system.f_type != TMPFS {
            return Err(AttachFault::NoMemfd);
        }
        if !seals.contains(wanted) {
            return Err(AttachFault::Unsealed);
        }
        // After the seals: now neither can change any more.
        let stat = fstat(fd).map_err(AttachFault::System)?;
        let is_large_enough = usize::try_from(stat.st_size).is_ok_and(|size| size >= len);
        // A block has 512 bytes (stat(2)). Memory that is not there yet would be allocated, or not be had, when it is touched; so it has to
        // be there as far as the file goes.
        let is_there = stat.st_blocks.saturating_mul(512) >= stat.st_size;
        if !is_large_enough || !is_there {
            return Err(AttachFault::TooSmall);
        }
        Self::map(fd, len, writer == Writer::All).map_err(AttachFault::System)
    }

    fn map(fd: impl AsFd, len: usize, writable: bool) -> Result<Self, Errno> {
        let mut access = ProtFlags::READ;
        access.set(ProtFlags::WRITE, writable);
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: the kernel chooses the address, so no other mapping is touched.
        let base = unsafe { mmap(core::ptr::null_mut(), len, access, flags, fd, 0) }?;
        if len >= HUGE {
            // SAFETY: the mapping just made. An advice changes no contents; that it is not followed costs only time.
            let _ = unsafe { madvise(base, len, Advice::LinuxHugepage) };
        }
        match NonNull::new(base.cast()) {
            Some(base) => Ok(Self { base, len }),
            None => Err(Errno::NOMEM),
        }
    }

    /// Where it begins, on this side: aligned to a page.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, which is gone. It fails for no mapping that there is.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// Why a peer's segment is not mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttachFault {
    NoMemfd,
    Unsealed,
    TooSmall,
    System(Errno),
}

impl core::fmt::Display for AttachFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoMemfd => f.write_str("the descriptor is no shared memory"),
            Self::Unsealed => f.write_str("the memory is not sealed"),
            Self::TooSmall => f.write_str("the memory is smaller than agreed, or not all there"),
            Self::System(error) => write!(f, "mapping the memory: {error}"),
        }
    }
}
