//! One file a subcommand.

pub(crate) mod ast;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod generate;
pub(crate) mod idl;
pub(crate) mod layout;
pub(crate) mod new;
#[cfg(target_os = "linux")]
pub(crate) mod stat;
