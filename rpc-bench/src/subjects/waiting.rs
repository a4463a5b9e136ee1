//! Our calls of which each waits for its reply, and a server that never replies.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime_core::{ClientConfig, ClientTransport, Connect, ServerConfig};

use super::echo::NAP;
use super::{gap_name, sum, time_gapped};
use crate::host::Host;
use crate::mapping::Mapping;
use crate::order::{Order, Waiting, fresh_name};
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};
use crate::plan::{RDMA, SHM};
use crate::remote::Remote;
use crate::services::{P64, echo8, echo64};

/// A backend between processes, for what is measured of clients that come and go.
pub(crate) trait Between {
    /// A client's transport.
    type Transport: Connect<Service = echo64::Service> + Send + 'static;

    /// Its name in the report.
    const NAME: &'static str;

    /// Has another process serve the echo of 64 bytes: the address.
    fn serve(&self, remote: &mut Remote, waiting: Waiting) -> Result<String, String>;
}

/// Shared memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverMemory;

/// A device.
#[derive(Clone, Debug)]
pub(crate) struct OverDevice(pub Host);

impl Between for OverMemory {
    type Transport = runtime_shm::Client<echo64::Service>;

    const NAME: &'static str = SHM;

    fn serve(&self, remote: &mut Remote, waiting: Waiting) -> Result<String, String> {
        let name = fresh_name();
        remote.answer(&Order::Shm {
            bytes: 64,
            isolated: false,
            waiting,
            name: name.clone(),
        })?;
        Ok(name)
    }
}

impl Between for OverDevice {
    type Transport = runtime_rdma::Client<echo64::Service>;

    const NAME: &'static str = RDMA;

    fn serve(&self, remote: &mut Remote, waiting: Waiting) -> Result<String, String> {
        remote.answer(&Order::Rdma {
            bytes: 64,
            waiting,
            host: self.0.to_string(),
        })?;
        let port = remote.mapping().answerer().load(Ordering::Acquire);
        Ok(self.0.at(port))
    }
}

/// A client of the echo of 64 bytes.
pub(crate) type Client<B> = echo64::ClientOver<<B as Between>::Transport, u64>;

/// A client that waits so for its replies.
pub(crate) fn client<B: Between>(name: &str, waiting: Waiting) -> Result<Client<B>, String> {
    let config = ClientConfig::default();
    let spin = match waiting {
        // As long as any call may take.
        Waiting::Spin => Some(config.deadline),
        Waiting::Default => config.spin,
        Waiting::Sleep => Some(Duration::ZERO),
    };
    let config = ClientConfig { spin, ..config };
    Client::<B>::connect_with(name, &config).map_err(|error| error.to_string())
}

/// Blocking calls of 64 bytes between two processes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocking {
    /// How both sides wait.
    pub waiting: Waiting,
    /// How long the caller is idle before each call.
    pub gap: Duration,
}

impl Subject for Blocking {
    fn name(&self) -> String {
        let gap = gap_name(self.gap);
        format!("rpcidl shm, {}{gap}", self.waiting.name())
    }

    fn make(&self) -> Sides {
        let Self { waiting, gap } = *self;
        let name = fresh_name();
        let order = Order::Shm {
            bytes: 64,
            isolated: false,
            waiting,
            name: name.clone(),
        };
        let make = move |_: &Arc<Mapping>| {
            let client = client::<OverMemory>(&name, waiting)?;
            let caller = Calling {
                client,
                gap,
                sum: 0,
            };
            Ok(Box::new(caller) as Box<dyn Caller>)
        };
        Sides::Processes(order, Box::new(make))
    }
}

struct Calling {
    client: Client<OverMemory>,
    gap: Duration,
    sum: u64,
}

/// One call that waits; false if it failed.
#[inline(always)]
pub(crate) fn call<T>(client: &mut echo64::ClientOver<T, u64>, number: u64, total: &mut u64) -> bool
where
    T: ClientTransport<Service = echo64::Service>,
{
    let payload = P64 { words: [number; 8] };
    match client.blocking().echo(&payload) {
        Ok(reply) => {
            *total = total.wrapping_add(sum(&reply.back.words));
            true
        }
        Err(_) => false,
    }
}

impl Caller for Calling {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        let Self { client, gap, sum } = self;
        let mut failed = false;
        time_gapped(calls, group, *gap, times, |number| {
            failed = failed || !call(client, number, sum);
        });
        if failed {
            // What was timed then was no call.
            times.clear();
        }
    }
}

/// Takes every request and answers none.
pub(crate) struct Holding {
    server: echo8::ServerOver<runtime_shm::Server<echo8::Service>>,
    mapping: Arc<Mapping>,
}

impl Holding {
    /// Tells in the shared memory how many it has.
    pub(crate) fn at(name: &str, mapping: &Arc<Mapping>) -> Result<Self, String> {
        let config = ServerConfig::default();
        let server = echo8::ServerOver::bind_with(name, &config);
        Ok(Self {
            server: server.map_err(|error| error.to_string())?,
            mapping: Arc::clone(mapping),
        })
    }
}

impl Answerer for Holding {
    fn run(&mut self, stop: &Stop) {
        let mut held = Vec::new();
        loop {
            let has_taken = match self.server.recv() {
                Ok(Some(echo8::Request::Echo(call))) => {
                    held.push(call.into_token());
                    // Release: pairs with the Acquire of the one who waits for it.
                    self.mapping.held().fetch_add(1, Ordering::Release);
                    true
                }
                Ok(None) => false,
                Err(_) => return,
            };
            if !has_taken && (self.server.wait(NAP).is_err() || stop.now()) {
                return;
            }
        }
    }
}
