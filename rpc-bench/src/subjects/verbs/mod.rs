//! The least that two processes do to exchange messages over an RDMA device, by bare verbs: what our calls over one are compared with.

mod end;
mod port;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(crate) use end::{End, Lost};
pub(crate) use port::Port;

use super::{fill, sum_bytes, time_groups};
use crate::host::Host;
use crate::mapping::Mapping;
use crate::order::Order;
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// How long the two sides may take to connect.
const PATIENCE: Duration = Duration::from_secs(10);

/// A ping-pong between two processes: a message with immediate data each way, into a shared receive queue at the side that answers.
#[derive(Clone, Debug)]
pub(crate) struct Bare {
    /// Bytes of payload.
    pub bytes: usize,
    /// Where the device is.
    pub host: Host,
}

impl Subject for Bare {
    fn name(&self) -> String {
        "bare verbs ping-pong".into()
    }

    fn make(&self) -> Sides {
        let Self { bytes, host } = self.clone();
        let order = Order::Verbs {
            bytes,
            host: host.to_string(),
        };
        let make = move |mapping: &Arc<Mapping>| {
            let end = End::new(Port::find(&host)?, bytes, false)?;
            end.connect(mapping.answerer().load(Ordering::Acquire))?;
            // Release: the other side may connect to it from now on.
            mapping.caller().store(end.number(), Ordering::Release);
            let until = Instant::now() + PATIENCE;
            while mapping.caller().load(Ordering::Acquire) != 0 {
                if Instant::now() > until {
                    return Err("the answering queue pair was not connected".into());
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            Ok(Box::new(Calling { end, sum: 0 }) as Box<dyn Caller>)
        };
        Sides::Processes(order, Box::new(make))
    }
}

struct Calling {
    end: End,
    sum: u64,
}

impl Caller for Calling {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        let Self { end, sum } = self;
        let mut failed = false;
        time_groups(calls, group, times, |number| {
            failed = failed || end.send(|payload| fill(payload, number)).is_err();
            while !failed {
                match end.receive(|payload| sum_bytes(black_box(payload))) {
                    Ok(Some(read)) => {
                        *sum = sum.wrapping_add(read);
                        return;
                    }
                    Ok(None) => std::hint::spin_loop(),
                    Err(_) => failed = true,
                }
            }
        });
        if failed {
            // What was timed then was no message.
            times.clear();
        }
    }
}

/// The side that answers.
pub(crate) struct Answering {
    end: End,
    mapping: Arc<Mapping>,
    sum: u64,
}

impl Answering {
    /// Says in the shared memory how it is reached.
    pub(crate) fn at(host: &Host, bytes: usize, mapping: &Arc<Mapping>) -> Result<Self, String> {
        let end = End::new(Port::find(host)?, bytes, true)?;
        mapping.answerer().store(end.number(), Ordering::Release);
        Ok(Self {
            end,
            mapping: Arc::clone(mapping),
            sum: 0,
        })
    }
}

impl Answerer for Answering {
    fn run(&mut self, stop: &Stop) {
        let caller = loop {
            match self.mapping.caller().load(Ordering::Acquire) {
                0 if stop.idle() => return,
                0 => {}
                caller => break caller,
            }
        };
        if let Err(why) = self.end.connect(caller) {
            eprintln!("rpc-bench: {why}");
            return;
        }
        // Release: messages are received from now on.
        self.mapping.caller().store(0, Ordering::Release);
        loop {
            match self.end.answer(|payload| sum_bytes(black_box(payload))) {
                Ok(Some(read)) => self.sum = self.sum.wrapping_add(read),
                Ok(None) if stop.idle() => return,
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }
}
