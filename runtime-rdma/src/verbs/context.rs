//! An open device.

use core::ffi::c_int;
use core::ptr::NonNull;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::bindings::{ibv_context, ibv_device, ibv_device_attr, ibv_port_attr};
use super::error::{check, last, text};
use super::library::Library;
use super::ops;

/// An open device. Everything else is made of one, and keeps it open.
///
/// All handles may be used by several threads at once: verbs objects are safe for that unless a program asks for the contrary
/// (ibv_alloc_td(3)).
#[derive(Debug)]
pub struct Context {
    library: &'static Library,
    raw: NonNull<ibv_context>,
    name: String,
}

// SAFETY: "By default all verbs objects are safe for multi-threaded access" (ibv_alloc_td(3)), and none is bound to a thread.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// The names of the devices, in the library's order. None, if the kernel knows nothing of RDMA.
    ///
    /// # Errors
    /// The devices cannot be listed.
    pub fn devices(library: &'static Library) -> io::Result<Vec<String>> {
        let list = DeviceList::get(library)?;
        Ok(list.iter().map(|(name, _)| name).collect())
    }

    /// Opens the device of this name.
    ///
    /// # Errors
    /// There is none of this name, the user may not open it, or its driver lacks a function.
    pub fn open(library: &'static Library, name: &str) -> io::Result<Arc<Self>> {
        // A driver's queues must not be shared with a forked child (ibv_fork_init(3)), and only a call before any memory is registered
        // arranges that. A later one gets an error that changes nothing.
        // SAFETY: it may be called at any time.
        let _ = unsafe { (library.fork_init)() };
        let list = DeviceList::get(library)?;
        let Some((_, device)) = list.iter().find(|(other, _)| other == name) else {
            let names: Vec<String> = list.iter().map(|(name, _)| name).collect();
            let known = if names.is_empty() {
                "there is none".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            };
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("no RDMA device is named `{name}`; {known}"),
            ));
        };
        // SAFETY: the device is in the list, which is freed only below; an open one outlives the list (ibv_get_device_list(3)).
        let raw = unsafe { (library.open_device)(device) };
        let raw = NonNull::new(raw).ok_or_else(last)?;
        // From here on dropping it closes the device.
        let context = Self {
            library,
            raw,
            name: name.to_owned(),
        };
        // SAFETY: it is open.
        if let Some(function) = unsafe { ops::missing(raw) } {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("the driver of `{name}` has no {function}"),
            ));
        }
        set_nonblocking(context.async_fd())?;
        Ok(Arc::new(context))
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The library that has opened it.
    pub fn library(&self) -> &'static Library {
        self.library
    }

    /// What the device can do.
    ///
    /// # Errors
    /// The device does not answer.
    pub fn attributes(&self) -> io::Result<ibv_device_attr> {
        let mut attributes = ibv_device_attr::default();
        // SAFETY: the context is open, and the structure may be written.
        check(unsafe { (self.library.query_device)(self.raw(), &raw mut attributes) })?;
        Ok(attributes)
    }

    /// The state of a port; the first is 1.
    ///
    /// # Errors
    /// There is no such port, or it does not answer.
    pub fn port(&self, port: u8) -> io::Result<ibv_port_attr> {
        // The function knows a structure that ends where ibv_port_attr once ended, and writes no more than that; what was added stays zero,
        // which is how drivers that know nothing of it leave it, too.
        let mut attributes = ibv_port_attr::default();
        // SAFETY: the context is open, and the structure may be written as far as the function knows it.
        check(unsafe { (self.library.query_port)(self.raw(), port, &raw mut attributes) })?;
        Ok(attributes)
    }

    /// Readable when [`Context::next_event`] has an event.
    pub fn async_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the context is open.
        let fd: RawFd = unsafe { (*self.raw()).async_fd };
        // SAFETY: the descriptor is open for as long as the context is, which `self` keeps open.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }

    pub(super) fn raw(&self) -> *mut ibv_context {
        self.raw.as_ptr()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: it is open, and everything made of it held it.
        let code = unsafe { (self.library.close_device)(self.raw()) };
        super::error::destroyed("a device's context", code);
    }
}

/// Makes reading what is not there an error instead of a wait.
pub(super) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = fcntl_getfl(fd)?;
    Ok(fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

/// The library's list of devices, freed when it is dropped.
struct DeviceList {
    library: &'static Library,
    /// Null, if the kernel knows nothing of RDMA.
    first: *mut *mut ibv_device,
    len: usize,
}

impl DeviceList {
    fn get(library: &'static Library) -> io::Result<Self> {
        let mut len: c_int = 0;
        // SAFETY: the number may be written.
        let first = unsafe { (library.get_device_list)(&raw mut len) };
        if first.is_null() {
            let error = last();
            // No kernel support is as good as no device.
            if error.raw_os_error() != Some(libc::ENOSYS) {
                return Err(error);
            }
            len = 0;
        }
        Ok(Self {
            library,
            first,
            len: usize::try_from(len).unwrap_or(0),
        })
    }

    /// Names and devices.
    fn iter(&self) -> impl Iterator<Item = (String, *mut ibv_device)> {
        (0..self.len).map(|index| {
            // SAFETY: the list has this many devices.
            let at = unsafe { self.first.add(index) };
            // SAFETY: as above.
            let device = unsafe { at.read() };
            // SAFETY: the device is one of the list.
            let name = unsafe { (self.library.get_device_name)(device) };
            // SAFETY: the name is the device's, which the list keeps.
            (unsafe { text(name) }, device)
        })
    }
}

impl Drop for DeviceList {
    fn drop(&mut self) {
        if !self.first.is_null() {
            // SAFETY: it came from the library, and is freed once.
            unsafe { (self.library.free_device_list)(self.first) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::library::FILE;
    use super::{Context, Library};

    #[test]
    fn an_installed_library_lists_devices_and_names_those_there_are_when_one_is_not() {
        // Without the library there is nothing to look at. It is not asked for by `get`, which another test may want to provide for.
        let library: &'static Library = match Library::load(FILE) {
            Ok(library) => Box::leak(Box::new(library)),
            Err(error) => {
                assert!(error.to_string().contains("cannot be loaded"), "{error}");
                return;
            }
        };
        let devices = Context::devices(library).expect("the devices are listed");
        let error = Context::open(library, "rpcidl-no-such-device")
            .expect_err("no device has this name")
            .to_string();
        assert!(
            error.starts_with("no RDMA device is named `rpcidl-no-such-device`; there "),
            "{error}"
        );
        for name in devices {
            assert!(error.contains(&name), "{error}");
        }
    }
}
