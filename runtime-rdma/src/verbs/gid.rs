//! The addresses of a port.

use core::ffi::c_int;
use std::{fs, io};

use super::bindings::{
    IBV_GID_TYPE_IB, IBV_GID_TYPE_ROCE_V1, IBV_GID_TYPE_ROCE_V2, IBV_LINK_LAYER_ETHERNET, ibv_gid,
    ibv_gid_entry,
};
use super::context::Context;
use super::error::check;

/// An entry of a port's address table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gid {
    /// The address: for RoCE v2 that of the network interface, and an IPv4 one is mapped into IPv6.
    pub raw: [u8; 16],
    /// What packets sent with it are.
    pub kind: GidKind,
}

/// What packets sent with an address are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GidKind {
    /// InfiniBand's own.
    Ib,
    /// Ethernet frames, which no router forwards.
    RoceV1,
    /// UDP datagrams.
    RoceV2,
}

impl Context {
    /// The address at this index of the port's table; `None` if there is none. The table has `gid_tbl_len` entries
    /// ([`Context::port`]), and those in use need not be the first.
    ///
    /// # Errors
    /// The table has no such index, or the device does not answer.
    pub fn gid(&self, port: u8, index: u32) -> io::Result<Option<Gid>> {
        let found = match self.library().query_gid_ex {
            Some(_) => self.gid_with_kind(port, index),
            None => self.gid_and_kind(port, index),
        };
        match found {
            Ok(gid) if gid.raw == [0; 16] => Ok(None),
            Ok(gid) => Ok(Some(gid)),
            Err(error) if error.raw_os_error() == Some(libc::ENODATA) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As libraries since rdma-core 32 say it, in one call.
    fn gid_with_kind(&self, port: u8, index: u32) -> io::Result<Gid> {
        let Some(query) = self.library().query_gid_ex else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut entry = ibv_gid_entry::default();
        let size = size_of::<ibv_gid_entry>();
        // SAFETY: the context is open, and the entry of this size may be written.
        let code = unsafe { query(self.raw(), port.into(), index, &raw mut entry, 0, size) };
        check(code)?;
        Ok(Gid {
            raw: bytes(&entry.gid),
            kind: match entry.gid_type {
                IBV_GID_TYPE_IB => GidKind::Ib,
                IBV_GID_TYPE_ROCE_V1 => GidKind::RoceV1,
                IBV_GID_TYPE_ROCE_V2 => GidKind::RoceV2,
                other => {
                    return Err(io::Error::new(
                        io::ErrorKind::Unsupported,
                        format!("an address of the unknown kind {other}"),
                    ));
                }
            },
        })
    }

    /// As older libraries say it: the address, and the kind in a file of the kernel's.
    fn gid_and_kind(&self, port: u8, index: u32) -> io::Result<Gid> {
        let mut gid = ibv_gid::default();
        let at = c_int::try_from(index).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the context is open, and the address may be written.
        check(unsafe { (self.library().query_gid)(self.raw(), port, at, &raw mut gid) })?;
        let raw = bytes(&gid);
        let mut kind = GidKind::Ib;
        // An empty entry has no kind, and InfiniBand only one.
        if raw != [0; 16] && u32::from(self.port(port)?.link_layer) == IBV_LINK_LAYER_ETHERNET {
            let name = self.name();
            kind = ethernet(&fs::read_to_string(format!(
                "/sys/class/infiniband/{name}/ports/{port}/gid_attrs/types/{index}"
            ))?);
        }
        Ok(Gid { raw, kind })
    }
}

/// The kind that the kernel's file names, on Ethernet: where what is sent like InfiniBand's is RoCE v1.
fn ethernet(text: &str) -> GidKind {
    if text.trim() == "RoCE v2" {
        GidKind::RoceV2
    } else {
        GidKind::RoceV1
    }
}

fn bytes(gid: &ibv_gid) -> [u8; 16] {
    // SAFETY: all 16 bytes of the union are initialised, by whichever member.
    unsafe { gid.raw }
}

#[cfg(test)]
mod tests {
    use super::{GidKind, ethernet};

    #[test]
    fn the_kernels_names_of_kinds() {
        assert_eq!(ethernet("RoCE v2\n"), GidKind::RoceV2);
        assert_eq!(ethernet("IB/RoCE v1\n"), GidKind::RoceV1);
    }
}
