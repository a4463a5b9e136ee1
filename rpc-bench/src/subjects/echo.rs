//! The echo services, a module for each size since each has types of its own, over any transport.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime_core::{Bind, ClientConfig, ClientTransport, Connect, ServerConfig, ServerTransport};
use runtime_shm::Isolated;

use super::{sum, time_batches, time_groups};
use crate::mapping::Mapping;
use crate::order::Waiting;
use crate::pair::{Answerer, Caller, Sides, Stop};
use crate::services;

/// Makes a caller of a server of that name, with so many calls in flight.
type Call = fn(&str, usize) -> Result<Box<dyn Caller>, String>;

/// Makes a server of that name.
type Answer = fn(&str, Waiting) -> Result<Box<dyn Answerer>, String>;

/// Makes a server at that address over a device, which leaves word of itself in the shared memory.
type AnswerRdma = fn(&str, Waiting, &Arc<Mapping>) -> Result<Box<dyn Answerer>, String>;

/// What makes the sides of one size.
pub(crate) struct Service {
    bytes: usize,
    /// Two threads, with so many calls in flight.
    pub inproc: fn(usize) -> Sides,
    /// Two threads, of which the caller waits in each call.
    pub inproc_blocking: fn() -> Sides,
    /// Between processes of one user.
    pub call: Call,
    pub answer: Answer,
    /// Between processes that do not trust each other.
    pub call_isolated: Call,
    pub answer_isolated: Answer,
    /// Over a device.
    pub call_rdma: Call,
    pub answer_rdma: AnswerRdma,
}

/// The service of that size.
pub(crate) fn service(bytes: usize) -> Result<&'static Service, String> {
    SERVICES
        .iter()
        .find(|service| service.bytes == bytes)
        .ok_or_else(|| format!("there is no echo of {bytes} bytes"))
}

/// What a server that waits so is set to.
pub(crate) fn server_config(waiting: Waiting) -> ServerConfig {
    let config = ServerConfig::default();
    match waiting {
        Waiting::Sleep => ServerConfig {
            spin: Some(Duration::ZERO),
            ..config
        },
        Waiting::Spin | Waiting::Default => config,
    }
}

/// A server that sleeps looks up this often even if nobody wakes it.
pub(crate) const NAP: Duration = Duration::from_secs(1);

/// Calls that are made together over a device, if so many may be in flight.
pub(crate) fn at_a_time(depth: usize) -> usize {
    depth.div_ceil(4)
}

macro_rules! echo {
    ($module:ident, $service:ident, $payload:ident, $words:literal, $handler:item, |$reply:ident| $words_of:expr) => {
        mod $module {
            use super::*;
            use services::$service::{ClientOver, Handler, Reply, ServerOver, Service, pair};
            use services::$payload;

            struct Calling<T: ClientTransport> {
                client: ClientOver<T, u64>,
                depth: usize,
                /// How many calls are made together at least.
                together: usize,
                sum: u64,
            }

            struct Answering<T: ServerTransport> {
                server: ServerOver<T>,
                waiting: Waiting,
                echo: Echo,
            }

            #[derive(Default)]
            struct Echo {
                sum: u64,
            }

            impl Handler for Echo {
                $handler
            }

            pub(super) fn inproc(depth: usize) -> Sides {
                let (client, server) = pair().expect("the defaults are possible");
                let calling = Calling { client, depth, together: 1, sum: 0 };
                let answering = Answering { server, waiting: Waiting::Spin, echo: Echo::default() };
                Sides::Threads(Box::new(calling), Box::new(answering))
            }

            /// Each call waits for its reply.
            struct Blocking {
                client: ClientOver<runtime_inproc::Client<Service>, u64>,
                sum: u64,
            }

            pub(super) fn inproc_blocking() -> Sides {
                let (client, server) = pair().expect("the defaults are possible");
                let answering = Answering { server, waiting: Waiting::Spin, echo: Echo::default() };
                Sides::Threads(Box::new(Blocking { client, sum: 0 }), Box::new(answering))
            }

            impl Caller for Blocking {
                fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
                    let Self { client, sum: total } = self;
                    let mut failed = false;
                    time_groups(calls, group, times, |number| {
                        let payload = $payload { words: [number; $words] };
                        match client.blocking().echo(&payload) {
                            Ok($reply) => *total = total.wrapping_add(sum($words_of)),
                            Err(_) => failed = true,
                        }
                    });
                    if failed {
                        // What was timed then was no call.
                        times.clear();
                    }
                }
            }

            pub(super) fn call<T>(name: &str, depth: usize) -> Result<Box<dyn Caller>, String>
            where
                T: Connect<Service = Service> + 'static,
            {
                call_together::<T>(name, depth, 1)
            }

            /// A doorbell of a device costs more than a store, so there calls are made a few at a time.
            pub(super) fn call_rdma(name: &str, depth: usize) -> Result<Box<dyn Caller>, String> {
                let together = at_a_time(depth);
                call_together::<runtime_rdma::Client<Service>>(name, depth, together)
            }

            fn call_together<T>(
                name: &str,
                depth: usize,
                together: usize,
            ) -> Result<Box<dyn Caller>, String>
            where
                T: Connect<Service = Service> + 'static,
            {
                let client = ClientOver::<T, u64>::connect_with(name, &ClientConfig::default());
                let client = client.map_err(|error| error.to_string())?;
                Ok(Box::new(Calling { client, depth, together, sum: 0 }))
            }

            pub(super) fn answer<T>(name: &str, waiting: Waiting) -> Result<Box<dyn Answerer>, String>
            where
                T: Bind<Service = Service> + 'static,
            {
                let server = ServerOver::<T>::bind_with(name, &server_config(waiting));
                let server = server.map_err(|error| error.to_string())?;
                Ok(Box::new(Answering { server, waiting, echo: Echo::default() }))
            }

            /// A server over a device.
            struct OverDevice {
                answering: Answering<runtime_rdma::Server<Service>>,
                mapping: Arc<Mapping>,
            }

            pub(super) fn answer_rdma(
                address: &str,
                waiting: Waiting,
                mapping: &Arc<Mapping>,
            ) -> Result<Box<dyn Answerer>, String> {
                let server = ServerOver::<runtime_rdma::Server<Service>>::bind_with(
                    address,
                    &server_config(waiting),
                );
                let server = server.map_err(|error| error.to_string())?;
                let port = server.transport().local_addr().port();
                mapping.answerer().store(port.into(), Ordering::Release);
                Ok(Box::new(OverDevice {
                    answering: Answering { server, waiting, echo: Echo::default() },
                    mapping: Arc::clone(mapping),
                }))
            }

            impl Answerer for OverDevice {
                fn run(&mut self, stop: &Stop) {
                    self.answering.run(stop);
                    let doorbells = self.answering.server.transport().doorbells();
                    self.mapping.doorbells().store(doorbells as u32, Ordering::Release);
                }
            }

            impl<T: ClientTransport<Service = Service>> Calling<T> {
                /// How many replies came; `None` if none will come any more.
                #[inline(always)]
                fn receive(client: &mut ClientOver<T, u64>, total: &mut u64) -> Option<usize> {
                    let mut failed = false;
                    let polled = client.poll(|user_data, Reply::Echo($reply)| match $reply {
                        Ok($reply) => {
                            *total = total.wrapping_add(user_data ^ sum($words_of));
                        }
                        Err(_) => failed = true,
                    });
                    polled.ok().filter(|_| !failed)
                }
            }

            impl<T: ClientTransport<Service = Service>> Caller for Calling<T> {
                fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
                    let Self { client, depth, together, sum } = self;
                    if *depth == 1 {
                        let mut failed = false;
                        time_groups(calls, group, times, |number| {
                            let payload = $payload { words: [number; $words] };
                            failed = failed || client.echo(&payload, number).is_err();
                            while !failed {
                                match Self::receive(client, sum) {
                                    Some(0) => std::hint::spin_loop(),
                                    Some(_) => return,
                                    None => failed = true,
                                }
                            }
                        });
                        if failed {
                            // What was timed then was no call.
                            times.clear();
                        }
                    } else {
                        // Two closures use the client in turn.
                        let client = std::cell::RefCell::new(client);
                        time_batches(
                            calls,
                            group,
                            (*depth, *together),
                            times,
                            |first, room| {
                                let client = &mut *client.borrow_mut();
                                // Of these calls all leave together, where that is cheaper.
                                client.hold_doorbell();
                                let mut sent = 0;
                                while sent < room {
                                    let number = first + sent as u64;
                                    let payload = $payload { words: [number; $words] };
                                    if client.echo(&payload, number).is_err() {
                                        break;
                                    }
                                    sent += 1;
                                }
                                client.ring_doorbell();
                                sent
                            },
                            || Self::receive(&mut client.borrow_mut(), sum),
                        );
                    }
                }
            }

            impl<T: ServerTransport<Service = Service>> Answerer for Answering<T> {
                fn run(&mut self, stop: &Stop) {
                    loop {
                        match self.server.poll(&mut self.echo, 64) {
                            Ok(0) if self.waiting == Waiting::Spin => {
                                if stop.idle() {
                                    return;
                                }
                            }
                            Ok(0) => {
                                if self.server.wait(NAP).is_err() || stop.now() {
                                    return;
                                }
                            }
                            Ok(_) => {}
                            Err(_) => return,
                        }
                    }
                }
            }
        }
    };
}

macro_rules! small {
    ($module:ident, $service:ident, $payload:ident, $words:literal) => {
        echo! {
            $module, $service, $payload, $words,
            #[inline(always)]
            fn echo(&mut self, payload: &$payload) -> $payload {
                self.sum = self.sum.wrapping_add(sum(&payload.words));
                *payload
            },
            |reply| &reply.words
        }
    };
}

macro_rules! large {
    ($module:ident, $service:ident, $payload:ident, $words:literal) => {
        echo! {
            $module, $service, $payload, $words,
            #[inline(always)]
            fn echo(&mut self, payload: &$payload, back: &mut $payload) {
                self.sum = self.sum.wrapping_add(sum(&payload.words));
                *back = *payload;
            },
            |reply| &reply.back.words
        }
    };
}

small! { small8, echo8, P8, 1 }
small! { small32, echo32, P32, 4 }
small! { small56, echo56, P56, 7 }
large! { large64, echo64, P64, 8 }
large! { large128, echo128, P128, 16 }
large! { large256, echo256, P256, 32 }
large! { large1024, echo1024, P1024, 128 }
large! { large4096, echo4096, P4096, 512 }

macro_rules! service {
    ($module:ident, $service:ident, $bytes:literal) => {
        Service {
            bytes: $bytes,
            inproc: $module::inproc,
            inproc_blocking: $module::inproc_blocking,
            call: $module::call::<runtime_shm::Client<services::$service::Service>>,
            answer: $module::answer::<runtime_shm::Server<services::$service::Service>>,
            call_isolated: $module::call::<
                runtime_shm::Client<services::$service::Service, Isolated>,
            >,
            answer_isolated: $module::answer::<
                runtime_shm::Server<services::$service::Service, Isolated>,
            >,
            call_rdma: $module::call_rdma,
            answer_rdma: $module::answer_rdma,
        }
    };
}

static SERVICES: [Service; 8] = [
    service!(small8, echo8, 8),
    service!(small32, echo32, 32),
    service!(small56, echo56, 56),
    service!(large64, echo64, 64),
    service!(large128, echo128, 128),
    service!(large256, echo256, 256),
    service!(large1024, echo1024, 1024),
    service!(large4096, echo4096, 4096),
];
