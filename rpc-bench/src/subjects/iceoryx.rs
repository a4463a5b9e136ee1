//! iceoryx2's request and response: a whole call, between two processes that poll.

use std::sync::Arc;

use iceoryx2::port::{client::Client, server::Server};
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::request_response::PortFactory;

use super::{sum, time_groups};
use crate::mapping::Mapping;
use crate::order::{Order, fresh_name};
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// Its name in an order.
pub(crate) const NAME: &str = "iceoryx2";

/// A message of so many words, by value as all subjects have it, built and read where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Iceoryx {
    /// Bytes of payload.
    pub bytes: usize,
}

impl Subject for Iceoryx {
    fn name(&self) -> String {
        "iceoryx2 request-response".into()
    }

    fn make(&self) -> Sides {
        let bytes = self.bytes;
        let name = fresh_name();
        let order = Order::Peer {
            of: NAME.into(),
            bytes,
            name: name.clone(),
        };
        let make = move |_: &Arc<Mapping>| match bytes {
            8 => calling::<1>(&name),
            32 => calling::<4>(&name),
            56 => calling::<7>(&name),
            64 => calling::<8>(&name),
            128 => calling::<16>(&name),
            256 => calling::<32>(&name),
            1024 => calling::<128>(&name),
            4096 => calling::<512>(&name),
            other => Err(format!("there is no payload of {other} bytes")),
        };
        Sides::Processes(order, Box::new(make))
    }
}

/// The side that answers.
pub(crate) fn answerer(bytes: usize, name: &str) -> Result<Box<dyn Answerer>, String> {
    match bytes {
        8 => answering::<1>(name),
        32 => answering::<4>(name),
        56 => answering::<7>(name),
        64 => answering::<8>(name),
        128 => answering::<16>(name),
        256 => answering::<32>(name),
        1024 => answering::<128>(name),
        4096 => answering::<512>(name),
        other => Err(format!("there is no payload of {other} bytes")),
    }
}

type Words<const W: usize> = [u64; W];

type Factory<const W: usize> = PortFactory<ipc::Service, Words<W>, (), Words<W>, ()>;

fn open<const W: usize>(name: &str) -> Result<(Node<ipc::Service>, Factory<W>), String> {
    set_log_level(LogLevel::Fatal);
    let text = |error: &dyn std::fmt::Debug| format!("iceoryx2: {error:?}");
    let node = NodeBuilder::new()
        .create::<ipc::Service>()
        .map_err(|error| text(&error))?;
    let name = ServiceName::new(name).map_err(|error| text(&error))?;
    let service = node
        .service_builder(&name)
        .request_response::<Words<W>, Words<W>>()
        .open_or_create()
        .map_err(|error| text(&error))?;
    Ok((node, service))
}

struct Calling<const W: usize> {
    client: Client<ipc::Service, Words<W>, (), Words<W>, ()>,
    sum: u64,
    _service: Factory<W>,
    _node: Node<ipc::Service>,
}

fn calling<const W: usize>(name: &str) -> Result<Box<dyn Caller>, String> {
    let (node, service) = open::<W>(name)?;
    let client = service.client_builder().create();
    Ok(Box::new(Calling {
        client: client.map_err(|error| format!("iceoryx2: {error:?}"))?,
        sum: 0,
        _service: service,
        _node: node,
    }))
}

impl<const W: usize> Calling<W> {
    fn call(&mut self, number: u64) -> Option<()> {
        let request = self.client.loan_uninit().ok()?;
        let pending = request.write_payload([number; W]).send().ok()?;
        let start = std::time::Instant::now();
        let mut polls = 0_u32;
        loop {
            if let Some(response) = pending.receive().ok()? {
                self.sum = self.sum.wrapping_add(sum(response.payload()));
                return Some(());
            }
            std::hint::spin_loop();
            polls = polls.wrapping_add(1);
            if polls & 0xffff == 0 && start.elapsed().as_secs() > 10 {
                return None;
            }
        }
    }
}

impl<const W: usize> Caller for Calling<W> {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        let mut failed = false;
        time_groups(calls, group, times, |number| {
            failed = failed || self.call(number).is_none();
        });
        if failed {
            // What was timed then was no call.
            times.clear();
        }
    }
}

struct Answering<const W: usize> {
    server: Server<ipc::Service, Words<W>, (), Words<W>, ()>,
    sum: u64,
    _service: Factory<W>,
    _node: Node<ipc::Service>,
}

fn answering<const W: usize>(name: &str) -> Result<Box<dyn Answerer>, String> {
    let (node, service) = open::<W>(name)?;
    let server = service.server_builder().create();
    Ok(Box::new(Answering {
        server: server.map_err(|error| format!("iceoryx2: {error:?}"))?,
        sum: 0,
        _service: service,
        _node: node,
    }))
}

impl<const W: usize> Answerer for Answering<W> {
    fn run(&mut self, stop: &Stop) {
        loop {
            match self.server.receive() {
                Ok(Some(request)) => {
                    self.sum = self.sum.wrapping_add(sum(request.payload()));
                    let Ok(response) = request.loan_uninit() else {
                        return;
                    };
                    if response.write_payload(*request.payload()).send().is_err() {
                        return;
                    }
                }
                Ok(None) => {
                    if stop.idle() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }
}
