//! Our own stubs over in-process lanes.

use std::hint::black_box;

use super::{sum, time_groups, time_pipeline};
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};
use crate::services;

/// Calls kept in flight, and nothing else: the size is the type's.
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
        match self.bytes {
            8 => small8::make(self.depth),
            32 => small32::make(self.depth),
            56 => small56::make(self.depth),
            64 => large64::make(self.depth),
            128 => large128::make(self.depth),
            256 => large256::make(self.depth),
            1024 => large1024::make(self.depth),
            4096 => large4096::make(self.depth),
            other => panic!("there is no echo of {other} bytes"),
        }
    }
}

macro_rules! echo {
    ($module:ident, $service:ident, $payload:ident, $words:literal, $handler:item, |$reply:ident| $words_of:expr) => {
        mod $module {
            use super::*;
            use services::$service::{Client, Handler, Reply, Server, pair};
            use services::$payload;

            struct Calling {
                client: Client<u64>,
                depth: usize,
                sum: u64,
            }

            struct Answering {
                server: Server,
                echo: Echo,
            }

            #[derive(Default)]
            struct Echo {
                sum: u64,
            }

            impl Handler for Echo {
                $handler
            }

            pub(super) fn make(depth: usize) -> Sides {
                let (client, server) = pair().expect("the defaults are possible");
                (Box::new(Calling { client, depth, sum: 0 }), Box::new(Answering { server, echo: Echo::default() }))
            }

            impl Calling {
                #[inline(always)]
                fn receive(client: &mut Client<u64>, total: &mut u64) -> usize {
                    let polled = client.poll(|user_data, Reply::Echo($reply)| {
                        if let Ok($reply) = $reply {
                            *total = total.wrapping_add(user_data ^ sum(black_box($words_of)));
                        }
                    });
                    polled.unwrap_or(usize::MAX)
                }
            }

            impl Caller for Calling {
                fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
                    let Self { client, depth, sum } = self;
                    if *depth == 1 {
                        time_groups(calls, group, times, |number| {
                            let payload = $payload { words: [number; $words] };
                            if client.echo(&payload, number).is_ok() {
                                while Self::receive(client, sum) == 0 {
                                    std::hint::spin_loop();
                                }
                            }
                        });
                    } else {
                        // Two closures use the client in turn.
                        let client = std::cell::RefCell::new(client);
                        time_pipeline(
                            calls,
                            group,
                            *depth,
                            times,
                            |number| {
                                let payload = $payload { words: [number; $words] };
                                client.borrow_mut().echo(&payload, number).is_ok()
                            },
                            || Self::receive(&mut client.borrow_mut(), sum),
                        );
                    }
                }
            }

            impl Answerer for Answering {
                fn run(&mut self, stop: &Stop) {
                    loop {
                        match self.server.poll(&mut self.echo, 64) {
                            Ok(0) => {
                                if stop.idle() {
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
                self.sum = self.sum.wrapping_add(sum(black_box(&payload.words)));
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
                self.sum = self.sum.wrapping_add(sum(black_box(&payload.words)));
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
