//! Memory that this process shares with the one that answers: the bare baselines run in it, and both sides leave word there.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::stats::Random;

/// Large enough that a slice seldom gets the lines of the one before.
const BYTES: usize = 8 << 20;

/// Where the words of the two sides end and what is measured begins.
const FIRST_PLACE: usize = 4096;

/// A mapping of such memory.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    /// The same memory, mapped for reading only.
    reading: NonNull<u8>,
}

// SAFETY: a mapping is plain memory; whoever reads and writes there says by what right.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// New memory of zeros, and the descriptor that a process started from here inherits.
    pub(crate) fn make() -> io::Result<(Self, OwnedFd)> {
        let fd = memfd_create("rpc-bench", MemfdFlags::empty())?;
        ftruncate(&fd, BYTES as u64)?;
        Ok((Self::map(&fd)?, fd))
    }

    /// The memory behind an inherited descriptor.
    pub(crate) fn inherited(fd: u32) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(format!("/proc/self/fd/{fd}"))?;
        // Touching memory beyond the end of a file kills the process.
        if file.metadata()?.len() < BYTES as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Self::map(&file)
    }

    fn map(fd: impl AsFd) -> io::Result<Self> {
        let map = |access| {
            let nowhere = std::ptr::null_mut();
            // SAFETY: the kernel chooses the address, so no other mapping is touched.
            let base = unsafe { mmap(nowhere, BYTES, access, MapFlags::SHARED, fd.as_fd(), 0) }?;
            NonNull::new(base.cast()).ok_or(io::Error::from(io::ErrorKind::OutOfMemory))
        };
        Ok(Self {
            base: map(ProtFlags::READ | ProtFlags::WRITE)?,
            reading: map(ProtFlags::READ)?,
        })
    }

    /// 0 while the answerer is to answer.
    pub(crate) fn stop(&self) -> &AtomicU32 {
        self.word(0)
    }

    /// Requests that an answerer has taken and holds.
    pub(crate) fn held(&self) -> &AtomicU32 {
        self.word(64)
    }

    /// Where the answerer is reached: a TCP port, or the number of a queue pair; 0 until it is known.
    pub(crate) fn answerer(&self) -> &AtomicU32 {
        self.word(128)
    }

    /// Where the caller is reached, until the answerer is connected to it.
    pub(crate) fn caller(&self) -> &AtomicU32 {
        self.word(192)
    }

    /// How often the answerer has rung its device's doorbell, once it has stopped.
    pub(crate) fn doorbells(&self) -> &AtomicU32 {
        self.word(256)
    }

    /// Sets what the sides say to each other to zero, before the next begin.
    pub(crate) fn clear_words(&self) {
        for word in 0..5 {
            self.word(64 * word).store(0, Ordering::Release);
        }
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        // SAFETY: the mapping is longer than that.
        let place = unsafe { self.base.add(at) };
        // SAFETY: aligned, mapped as long as `self` lives, and reached only as an atomic.
        unsafe { place.cast().as_ref() }
    }

    /// What lies at a place that [`draw`] gave; `None` if it does not lie within.
    pub(crate) fn place(&self, at: usize, bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: within the mapping, as is seen before.
        Self::fits(at, bytes).then(|| unsafe { self.base.add(at) })
    }

    /// The same, for reading only.
    pub(crate) fn reading_place(&self, at: usize, bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: as above.
        Self::fits(at, bytes).then(|| unsafe { self.reading.add(at) })
    }

    fn fits(at: usize, bytes: usize) -> bool {
        at >= FIRST_PLACE
            && at.is_multiple_of(4096)
            && at.checked_add(bytes).is_some_and(|end| end <= BYTES)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        for base in [self.base, self.reading] {
            // SAFETY: the mapping is this value's, which is gone. It fails for no mapping that there is.
            let _ = unsafe { munmap(base.as_ptr().cast(), BYTES) };
        }
    }
}

/// A place for so many bytes, at the beginning of a page: another one every time, since the address of a line alone moves a
/// round trip by up to a third.
pub(crate) fn draw(bytes: usize) -> usize {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    let mut random = Random(DRAWN.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37));
    let pages = (BYTES - FIRST_PLACE - bytes) / 4096;
    FIRST_PLACE + 4096 * random.below(pages)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn both_mappings_show_the_same() {
        let (mapping, fd) = Mapping::make().unwrap();
        let other = Mapping::inherited(fd.as_raw_fd().unsigned_abs()).unwrap();
        mapping.stop().store(7, Ordering::Release);
        assert_eq!(other.stop().load(Ordering::Acquire), 7);
        assert_eq!(other.held().load(Ordering::Acquire), 0);
    }

    #[test]
    fn places_lie_within() {
        let (mapping, _fd) = Mapping::make().unwrap();
        for _ in 0..1000 {
            let at = draw(9000);
            assert!(mapping.place(at, 9000).is_some(), "{at}");
        }
        for (at, bytes) in [(0, 8), (4097, 8), (BYTES - 4096, 4097), (4096, usize::MAX)] {
            assert!(mapping.place(at, bytes).is_none(), "{at} {bytes}");
        }
    }

    #[test]
    fn what_is_no_such_memory_is_refused() {
        let file = tempfile();
        assert!(Mapping::inherited(file.as_raw_fd().unsigned_abs()).is_err());
    }

    /// A memfd that is too small.
    fn tempfile() -> OwnedFd {
        memfd_create("small", MemfdFlags::CLOEXEC).unwrap()
    }
}
