//! Our own stubs over the lanes of our backends.

use std::sync::Arc;

use super::echo;
use crate::mapping::Mapping;
use crate::order::{Order, Waiting, fresh_name};
use crate::pair::{Sides, Subject};

/// Between threads: calls kept in flight, and nothing else: the size is the type's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inproc {
    /// Bytes of payload.
    pub bytes: usize,
    /// Calls in flight.
    pub depth: usize,
}

impl Subject for Inproc {
    fn name(&self) -> String {
        "rpcidl inproc".into()
    }

    fn make(&self) -> Sides {
        match echo::service(self.bytes) {
            Ok(service) => (service.inproc)(self.depth),
            Err(why) => panic!("{why}"),
        }
    }
}

/// Between threads, with a client that waits in each call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InprocBlocking {
    /// Bytes of payload.
    pub bytes: usize,
}

impl Subject for InprocBlocking {
    fn name(&self) -> String {
        "rpcidl inproc, blocking".into()
    }

    fn make(&self) -> Sides {
        match echo::service(self.bytes) {
            Ok(service) => (service.inproc_blocking)(),
            Err(why) => panic!("{why}"),
        }
    }
}

/// Between processes, over shared memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shm {
    /// Bytes of payload.
    pub bytes: usize,
    /// Calls in flight.
    pub depth: usize,
    /// Whether the processes do not trust each other.
    pub isolated: bool,
}

impl Subject for Shm {
    fn name(&self) -> String {
        if self.isolated {
            "rpcidl shm isolated".into()
        } else {
            "rpcidl shm".into()
        }
    }

    fn make(&self) -> Sides {
        let Self {
            bytes,
            depth,
            isolated,
        } = *self;
        let name = fresh_name();
        let order = Order::Shm {
            bytes,
            isolated,
            waiting: Waiting::Spin,
            name: name.clone(),
        };
        let make = move |_: &Arc<Mapping>| {
            let service = echo::service(bytes)?;
            if isolated {
                (service.call_isolated)(&name, depth)
            } else {
                (service.call)(&name, depth)
            }
        };
        Sides::Processes(order, Box::new(make))
    }
}
