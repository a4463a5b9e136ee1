//! Our own stubs between two processes over an RDMA device.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::echo;
use crate::host::Host;
use crate::mapping::Mapping;
use crate::order::{Order, Waiting};
use crate::pair::{Sides, Subject};

/// Calls kept in flight.
#[derive(Clone, Debug)]
pub(crate) struct Rdma {
    /// Bytes of payload.
    pub bytes: usize,
    /// Calls in flight.
    pub depth: usize,
    /// Where the device is.
    pub host: Host,
}

impl Subject for Rdma {
    fn name(&self) -> String {
        "rpcidl rdma".into()
    }

    fn make(&self) -> Sides {
        let Self { bytes, depth, host } = self.clone();
        let order = Order::Rdma {
            bytes,
            waiting: Waiting::Spin,
            host: host.to_string(),
        };
        let make = move |mapping: &Arc<Mapping>| {
            let port = mapping.answerer().load(Ordering::Acquire);
            (echo::service(bytes)?.call_rdma)(&host.at(port), depth)
        };
        Sides::Processes(order, Box::new(make))
    }
}
