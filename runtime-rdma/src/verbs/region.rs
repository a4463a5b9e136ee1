//! Memory that a device may read and write.

use core::ffi::c_int;
use core::ptr::{NonNull, null_mut};
use std::io;
use std::sync::Arc;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use rustix::process::{Resource, getrlimit};

use super::bindings::{ibv_access_flags, ibv_mr};
use super::error::{destroyed, last};
use super::pd::Pd;

/// Memory of its own, from the beginning of a page on, zeroed, and registered with a device.
///
/// Who reads or writes it while the device may do so, too, is the user's to arrange: the handle gives out a pointer, never a reference.
#[derive(Debug)]
pub struct Region {
    mr: NonNull<ibv_mr>,
    pd: Arc<Pd>,
    /// Last, so that it is unmapped after the device has let go of it.
    mapping: Mapping,
}

// SAFETY: the memory belongs to this value and is reached only by pointer; and verbs objects are safe for multi-threaded access
// (ibv_alloc_td(3)).
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Memory of this many bytes, for the device to read, and for what else `access` allows it: `IBV_ACCESS_` flags.
    ///
    /// # Errors
    /// There is not so much memory, or it may not be locked: [`explain_registration`] says which.
    pub fn new(pd: &Arc<Pd>, len: usize, access: ibv_access_flags) -> io::Result<Self> {
        let mapping = Mapping::new(len)?;
        let access = c_int::try_from(access).map_err(|_| io::ErrorKind::InvalidInput)?;
        let register = pd.context().library().reg_mr;
        // SAFETY: the domain is there, and the memory is mapped for longer than it is registered.
        let mr = unsafe { register(pd.raw(), mapping.start.as_ptr().cast(), len, access) };
        Ok(Self {
            mr: NonNull::new(mr).ok_or_else(last)?,
            pd: Arc::clone(pd),
            mapping,
        })
    }

    /// Where it begins.
    pub fn start(&self) -> NonNull<u8> {
        self.mapping.start
    }

    /// Its bytes.
    #[expect(
        clippy::len_without_is_empty,
        reason = "there is no mapping of no bytes"
    )]
    pub fn len(&self) -> usize {
        self.mapping.len
    }

    /// What names it in the requests of this side.
    pub fn lkey(&self) -> u32 {
        // SAFETY: it is registered, and its key never changes.
        unsafe { (*self.mr.as_ptr()).lkey }
    }

    /// What names it in the requests of a peer, if `access` lets one read or write it.
    pub fn rkey(&self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.mr.as_ptr()).rkey }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: it was registered once. A request that still names it fails, and touches no memory.
        let code = unsafe { (self.pd.context().library().dereg_mr)(self.mr.as_ptr()) };
        destroyed("a memory region", code);
    }
}

/// Pages of this process alone.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses the address, so no other mapping is touched.
        let start = unsafe { mmap_anonymous(null_mut(), len, access, MapFlags::PRIVATE) }?;
        let mapping = Self {
            start: NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?,
            len,
        };
        // A fork makes both processes' pages copies of one, on the next write. If this process writes first, it gets the new page, and the
        // device goes on with the old one. So a child gets none of these pages (ibv_fork_init(3)); it has no use for them.
        // SAFETY: the mapping just made, whole. A child that has touched it through a pointer of its parent's dies, and no other memory
        // changes.
        unsafe { madvise(start, len, Advice::LinuxDontFork) }?;
        Ok(mapping)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, which is gone. It fails for no mapping that there is.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Why memory of this size was not registered, and what to do: the usual reason is the limit of locked memory, of which the error number
/// says nothing.
pub fn explain_registration(error: &io::Error, bytes: usize) -> String {
    let mut text = format!("registering {bytes} bytes of memory: {error}");
    if error.raw_os_error() == Some(libc::ENOMEM) {
        match getrlimit(Resource::Memlock).current {
            Some(limit) => text.push_str(&format!(
                "; this process may lock {limit} bytes (RLIMIT_MEMLOCK), all its registrations together: raise that with `ulimit -l`, \
                 `memlock` in /etc/security/limits.conf, or LimitMEMLOCK= in the unit of a service"
            )),
            None => text.push_str("; locked memory (RLIMIT_MEMLOCK) is not limited, so memory itself is short, or a table of the device"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Mapping, explain_registration};

    #[test]
    fn a_mapping_begins_with_a_page_and_is_zero() {
        let mapping = Mapping::new(5000).expect("there is memory for two pages");
        assert_eq!(mapping.start.as_ptr() as usize % 4096, 0);
        // SAFETY: the last byte of the mapping.
        let last = unsafe { mapping.start.add(4999) };
        // SAFETY: as above, and nobody else has it.
        assert_eq!(unsafe { last.read() }, 0);
        assert_eq!(
            Mapping::new(0)
                .expect_err("no bytes are no mapping")
                .raw_os_error(),
            Some(libc::EINVAL)
        );
    }

    #[test]
    fn a_registration_that_fails_for_memory_names_the_limit() {
        let text = explain_registration(&io::Error::from_raw_os_error(libc::ENOMEM), 1 << 20);
        assert!(
            text.starts_with("registering 1048576 bytes of memory: "),
            "{text}"
        );
        assert!(text.contains("RLIMIT_MEMLOCK"), "{text}");
        let text = explain_registration(&io::Error::from_raw_os_error(libc::EINVAL), 1);
        assert!(!text.contains("RLIMIT_MEMLOCK"), "{text}");
    }
}
