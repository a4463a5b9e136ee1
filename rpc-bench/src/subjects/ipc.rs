//! ipc-channel: a channel of bytes for each way, between two processes that sleep in it.

use std::sync::Arc;

use ipc_channel::ipc::{
    IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender, bytes_channel,
};

use super::{fill, sum_bytes, time_groups};
use crate::mapping::Mapping;
use crate::order::Order;
use crate::pair::{Answerer, Caller, Sides, Stop, Subject};

/// Its name in an order.
pub(crate) const NAME: &str = "ipc-channel";

/// What the side that answers hands over: where requests go, and where replies come from.
type Ends = (IpcBytesSender, IpcBytesReceiver);

/// Bytes by reference, which is how it is quickest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipc {
    /// Bytes of payload.
    pub bytes: usize,
}

impl Subject for Ipc {
    fn name(&self) -> String {
        NAME.into()
    }

    fn make(&self) -> Sides {
        let bytes = self.bytes;
        let (server, name) = match IpcOneShotServer::<Ends>::new() {
            Ok((server, name)) => (Some(server), name),
            // The other side finds no server of that name and says so.
            Err(_) => (None, "/nowhere".into()),
        };
        let order = Order::Peer {
            of: NAME.into(),
            bytes,
            name,
        };
        let make = move |_: &Arc<Mapping>| {
            let server = server.ok_or("ipc-channel has no server")?;
            // It was connected to before the other side said that it answers.
            let (_, (requests, replies)) = server.accept().map_err(|error| error.to_string())?;
            let caller = Calling {
                requests,
                replies,
                payload: vec![0; bytes],
                sum: 0,
            };
            Ok(Box::new(caller) as Box<dyn Caller>)
        };
        Sides::Processes(order, Box::new(make))
    }
}

struct Calling {
    requests: IpcBytesSender,
    replies: IpcBytesReceiver,
    payload: Vec<u8>,
    sum: u64,
}

impl Caller for Calling {
    fn run(&mut self, calls: usize, group: usize, times: &mut Vec<f64>) {
        let mut failed = false;
        time_groups(calls, group, times, |number| {
            fill(&mut self.payload, number);
            failed = failed || self.requests.send(&self.payload).is_err();
            // It ends with an error when the other process does.
            match self.replies.recv() {
                Ok(reply) if !failed => self.sum = self.sum.wrapping_add(sum_bytes(&reply)),
                _ => failed = true,
            }
        });
        if failed {
            // What was timed then was no call.
            times.clear();
        }
    }
}

struct Answering {
    requests: IpcBytesReceiver,
    replies: IpcBytesSender,
    sum: u64,
}

/// The side that answers.
pub(crate) fn answerer(_: usize, name: &str) -> Result<Box<dyn Answerer>, String> {
    let connect = || {
        let (theirs, requests) = bytes_channel()?;
        let (replies, back) = bytes_channel()?;
        let ends = IpcSender::<Ends>::connect(name.into())?;
        ends.send((theirs, back)).map_err(std::io::Error::other)?;
        Ok(Answering {
            requests,
            replies,
            sum: 0,
        })
    };
    let answering = connect().map_err(|error: std::io::Error| format!("ipc-channel: {error}"))?;
    Ok(Box::new(answering))
}

impl Answerer for Answering {
    fn run(&mut self, _: &Stop) {
        // Ends when the caller's end of the channel is gone, which it is right after the slice.
        while let Ok(request) = self.requests.recv() {
            self.sum = self.sum.wrapping_add(sum_bytes(&request));
            if self.replies.send(&request).is_err() {
                return;
            }
        }
    }
}
