//! Our calls of which each waits for its reply, and a server that never replies.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime_core::{ClientConfig, ServerConfig};

use super::echo::NAP;
use super::{gap_name, sum, time_gapped};
use crate::mapping::Mapping;
use crate::order::{Order, Waiting, fresh_name};
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};
use crate::services::{P64, echo8, echo64};

/// A client of the echo of 64 bytes over shared memory.
pub(crate) type Client = echo64::ClientOver<runtime_shm::Client<echo64::Service>, u64>;

/// A client that waits so for its replies.
pub(crate) fn client(name: &str, waiting: Waiting) -> Result<Client, String> {
    let config = ClientConfig::default();
    let spin = match waiting {
        // As long as any call may take.
        Waiting::Spin => Some(config.deadline),
        Waiting::Default => config.spin,
        Waiting::Sleep => Some(Duration::ZERO),
    };
    let config = ClientConfig { spin, ..config };
    Client::connect_with(name, &config).map_err(|error| error.to_string())
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
            let client = client(&name, waiting)?;
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
    client: Client,
    gap: Duration,
    sum: u64,
}

/// One call that waits; false if it failed.
#[inline(always)]
pub(crate) fn call(client: &mut Client, number: u64, total: &mut u64) -> bool {
    let payload = P64 { words: [number; 8] };
    match client.blocking().echo(&payload) {
        Ok(reply) => {
            *total = total.wrapping_add(sum(black_box(&reply.back.words)));
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
