//! An echo over a Unix socket, which every message enters and leaves by a system call: both sides sleep in it.

use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use super::{fill, sum_bytes, time_groups};
use crate::mapping::Mapping;
use crate::order::{Order, fresh_name};
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// A stream, as most programs use one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket {
    /// Bytes of payload.
    pub bytes: usize,
}

/// A side looks up this often if nothing comes.
const NAP: Duration = Duration::from_millis(100);

/// How long the caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Subject for Socket {
    fn name(&self) -> String {
        "Unix socket echo".into()
    }

    fn make(&self) -> Sides {
        let bytes = self.bytes;
        let name = fresh_name();
        let order = Order::Socket {
            bytes,
            name: name.clone(),
        };
        let make = move |_: &Arc<Mapping>| {
            let connect = || {
                let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(&name)?)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(stream)
            };
            let stream = connect().map_err(|error: std::io::Error| error.to_string())?;
            let caller = Calling {
                stream,
                payload: vec![0; bytes],
                sum: 0,
            };
            Ok(Box::new(caller) as Box<dyn Caller>)
        };
        Sides::Processes(order, Box::new(make))
    }
}

struct Calling {
    stream: UnixStream,
    payload: Vec<u8>,
    sum: u64,
}

impl Caller for Calling {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        let Self {
            stream,
            payload,
            sum,
        } = self;
        let mut failed = false;
        time_groups(calls, group, times, |number| {
            fill(payload, number);
            failed =
                failed || stream.write_all(payload).is_err() || stream.read_exact(payload).is_err();
            *sum = sum.wrapping_add(sum_bytes(payload));
        });
        if failed {
            // What was timed then was no call.
            times.clear();
        }
    }
}

pub(crate) struct Answering {
    listener: UnixListener,
    payload: Vec<u8>,
    sum: u64,
}

impl Answering {
    pub(crate) fn at(name: &str, bytes: usize) -> Result<Self, String> {
        let listen = || {
            let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        Ok(Self {
            listener: listen().map_err(|error: std::io::Error| error.to_string())?,
            payload: vec![0; bytes],
            sum: 0,
        })
    }

    fn accept(&self, stop: &Stop) -> Option<UnixStream> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).ok()?;
                    stream.set_read_timeout(Some(NAP)).ok()?;
                    return Some(stream);
                }
                Err(_) if stop.now() => return None,
                Err(_) => std::thread::sleep(Duration::from_micros(100)),
            }
        }
    }
}

impl Answerer for Answering {
    fn run(&mut self, stop: &Stop) {
        let Some(mut stream) = self.accept(stop) else {
            return;
        };
        loop {
            let mut read = 0;
            while read < self.payload.len() {
                match stream.read(&mut self.payload[read..]) {
                    Ok(0) => return,
                    Ok(len) => read += len,
                    Err(_) if stop.now() => return,
                    Err(_) => {}
                }
            }
            self.sum = self.sum.wrapping_add(sum_bytes(&self.payload));
            if stream.write_all(&self.payload).is_err() {
                return;
            }
        }
    }
}
