//! The functions of libibverbs, found in the installed library when they are first asked for, or given by a program.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::fmt;
use std::sync::OnceLock;

use super::bindings::{
    ibv_async_event, ibv_comp_channel, ibv_context, ibv_cq, ibv_device, ibv_device_attr,
    ibv_event_type, ibv_gid, ibv_gid_entry, ibv_mr, ibv_pd, ibv_port_attr, ibv_qp, ibv_qp_attr,
    ibv_qp_init_attr, ibv_srq, ibv_srq_attr, ibv_srq_init_attr, ibv_wc_status,
};

/// The library's name. The number is that of its binary interface: one that breaks these types would have another.
pub(super) const FILE: &str = "libibverbs.so.1";

/// Makes the table, its documentation, and the search for its symbols out of one list.
macro_rules! library {
    (
        required { $($field:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)* }
        optional { $($other:ident = $other_symbol:literal: fn($($other_argument:ty),*) $(-> $other_result:ty)?;)* }
    ) => {
        /// A table of the library's functions; each is what the manual page of its name says.
        ///
        /// A program may fill in one of its own, for tests without a device: see [`Library::provide`].
        #[derive(Clone, Copy, Debug)]
        pub struct Library {
            $(
                #[doc = concat!("`", $symbol, "`")]
                pub $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,
            )*
            $(
                #[doc = concat!("`", $other_symbol, "`, which old versions of the library lack")]
                pub $other: Option<unsafe extern "C" fn($($other_argument),*) $(-> $other_result)?>,
            )*
        }

        impl Library {
            /// The functions of the library in this file, which stays loaded until the process ends. Of a function in several versions this
            /// finds the default one, which a program linked today would get, too.
            pub(super) fn load(file: &'static str) -> Result<Self, Unavailable> {
                // SAFETY: libibverbs and the drivers that it loads have constructors that only register themselves.
                let library = unsafe { libloading::Library::new(file) }.map_err(|error| Unavailable {
                    file,
                    symbol: None,
                    error: error.to_string(),
                })?;
                // The functions are called for as long as the process runs, so it is never unloaded.
                let library: &'static libloading::Library = Box::leak(Box::new(library));
                Ok(Self {
                    $(
                        // SAFETY: the symbol is a function of this type in every version of the interface that the file name stands for.
                        $field: *unsafe { library.get(concat!($symbol, "\0").as_bytes()) }.map_err(
                            |error| Unavailable {
                                file,
                                symbol: Some($symbol),
                                error: error.to_string(),
                            },
                        )?,
                    )*
                    $(
                        // SAFETY: as above.
                        $other: unsafe { library.get(concat!($other_symbol, "\0").as_bytes()) }
                            .ok()
                            .map(|symbol| *symbol),
                    )*
                })
            }
        }
    };
}

library! {
    required {
        get_device_list = "ibv_get_device_list": fn(*mut c_int) -> *mut *mut ibv_device;
        free_device_list = "ibv_free_device_list": fn(*mut *mut ibv_device);
        get_device_name = "ibv_get_device_name": fn(*mut ibv_device) -> *const c_char;
        open_device = "ibv_open_device": fn(*mut ibv_device) -> *mut ibv_context;
        close_device = "ibv_close_device": fn(*mut ibv_context) -> c_int;
        query_device = "ibv_query_device": fn(*mut ibv_context, *mut ibv_device_attr) -> c_int;
        // The header has a shorter structure here, which ends after `flags`: what was added to ibv_port_attr later is not written.
        query_port = "ibv_query_port": fn(*mut ibv_context, u8, *mut ibv_port_attr) -> c_int;
        query_gid = "ibv_query_gid": fn(*mut ibv_context, u8, c_int, *mut ibv_gid) -> c_int;
        alloc_pd = "ibv_alloc_pd": fn(*mut ibv_context) -> *mut ibv_pd;
        dealloc_pd = "ibv_dealloc_pd": fn(*mut ibv_pd) -> c_int;
        reg_mr = "ibv_reg_mr": fn(*mut ibv_pd, *mut c_void, usize, c_int) -> *mut ibv_mr;
        dereg_mr = "ibv_dereg_mr": fn(*mut ibv_mr) -> c_int;
        create_comp_channel = "ibv_create_comp_channel": fn(*mut ibv_context) -> *mut ibv_comp_channel;
        destroy_comp_channel = "ibv_destroy_comp_channel": fn(*mut ibv_comp_channel) -> c_int;
        create_cq = "ibv_create_cq":
            fn(*mut ibv_context, c_int, *mut c_void, *mut ibv_comp_channel, c_int) -> *mut ibv_cq;
        destroy_cq = "ibv_destroy_cq": fn(*mut ibv_cq) -> c_int;
        get_cq_event = "ibv_get_cq_event":
            fn(*mut ibv_comp_channel, *mut *mut ibv_cq, *mut *mut c_void) -> c_int;
        ack_cq_events = "ibv_ack_cq_events": fn(*mut ibv_cq, c_uint);
        create_srq = "ibv_create_srq": fn(*mut ibv_pd, *mut ibv_srq_init_attr) -> *mut ibv_srq;
        modify_srq = "ibv_modify_srq": fn(*mut ibv_srq, *mut ibv_srq_attr, c_int) -> c_int;
        destroy_srq = "ibv_destroy_srq": fn(*mut ibv_srq) -> c_int;
        create_qp = "ibv_create_qp": fn(*mut ibv_pd, *mut ibv_qp_init_attr) -> *mut ibv_qp;
        modify_qp = "ibv_modify_qp": fn(*mut ibv_qp, *mut ibv_qp_attr, c_int) -> c_int;
        query_qp = "ibv_query_qp":
            fn(*mut ibv_qp, *mut ibv_qp_attr, c_int, *mut ibv_qp_init_attr) -> c_int;
        destroy_qp = "ibv_destroy_qp": fn(*mut ibv_qp) -> c_int;
        get_async_event = "ibv_get_async_event": fn(*mut ibv_context, *mut ibv_async_event) -> c_int;
        ack_async_event = "ibv_ack_async_event": fn(*mut ibv_async_event);
        fork_init = "ibv_fork_init": fn() -> c_int;
        wc_status_str = "ibv_wc_status_str": fn(ibv_wc_status) -> *const c_char;
        event_type_str = "ibv_event_type_str": fn(ibv_event_type) -> *const c_char;
    }
    optional {
        query_gid_ex = "_ibv_query_gid_ex":
            fn(*mut ibv_context, u32, u32, *mut ibv_gid_entry, u32, usize) -> c_int;
    }
}

/// What every handle of this process uses.
static IN_USE: OnceLock<&'static Library> = OnceLock::new();

impl Library {
    /// The library in use: the one that was provided, else the one installed.
    ///
    /// # Errors
    /// None is installed, or it lacks a function. A later attempt looks again.
    pub fn get() -> Result<&'static Self, Unavailable> {
        if let Some(library) = IN_USE.get() {
            return Ok(library);
        }
        let loaded = Self::load(FILE)?;
        Ok(IN_USE.get_or_init(|| Box::leak(Box::new(loaded))))
    }

    /// Makes every later [`Library::get`] of this process give this table, and the installed library is not looked for: a program without
    /// a device can so bring one of its own.
    ///
    /// # Errors
    /// A library is in use already.
    pub fn provide(library: &'static Self) -> Result<(), AlreadyInUse> {
        IN_USE.set(library).map_err(|_| AlreadyInUse)
    }

    /// What the status of a completion means.
    pub fn status_text(&self, status: ibv_wc_status) -> String {
        // SAFETY: it takes any number, and gives a text that is never freed.
        let text = unsafe { (self.wc_status_str)(status) };
        // SAFETY: as above.
        unsafe { super::error::text(text) }
    }
}

/// A library cannot be provided any more: see [`Library::provide`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AlreadyInUse;

impl fmt::Display for AlreadyInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a verbs library is in use already; provide one before anything else asks for it",
        )
    }
}

impl std::error::Error for AlreadyInUse {}

/// There is no usable libibverbs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unavailable {
    file: &'static str,
    symbol: Option<&'static str>,
    error: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            symbol,
            error,
        } = self;
        match symbol {
            None => write!(
                f,
                "{file} cannot be loaded: {error}; install rdma-core (Debian: `libibverbs1 ibverbs-providers`, Fedora: `libibverbs`), then \
                 `ibv_devices` lists the devices"
            ),
            Some(symbol) => write!(
                f,
                "{file} has no function `{symbol}`: {error}; install a current rdma-core (Debian: `libibverbs1 ibverbs-providers`, \
                 Fedora: `libibverbs`)"
            ),
        }
    }
}

impl std::error::Error for Unavailable {}

impl From<Unavailable> for std::io::Error {
    fn from(error: Unavailable) -> Self {
        Self::new(std::io::ErrorKind::NotFound, error)
    }
}

#[cfg(test)]
mod tests {
    use super::Library;

    #[test]
    fn an_absent_library_is_named_with_what_to_install() {
        let error = Library::load("librpcidl-no-such-verbs.so.1")
            .expect_err("there is no library of this name")
            .to_string();
        assert!(
            error.starts_with("librpcidl-no-such-verbs.so.1 cannot be loaded: "),
            "{error}"
        );
        assert!(error.contains("`libibverbs1 ibverbs-providers`"), "{error}");
        assert!(error.contains("`ibv_devices` lists the devices"), "{error}");
    }

    #[test]
    fn a_library_without_the_functions_is_named_with_the_first_that_lacks() {
        // The C library is loaded in every process, and has nothing of verbs.
        let file = if cfg!(target_env = "musl") {
            "libc.so"
        } else {
            "libc.so.6"
        };
        let error = Library::load(file)
            .expect_err("the C library has no verbs")
            .to_string();
        assert!(
            error.starts_with(&format!("{file} has no function `ibv_get_device_list`: ")),
            "{error}"
        );
    }
}
