//! The rules, a module for each group of the contract's table.

#![expect(missing_docs, reason = "the name of a rule says what it demands")]
#![expect(clippy::unwrap_used, reason = "a rule fails by panicking")]

pub mod calls;
pub mod copies;
pub mod counts;
pub mod events;
pub mod handles;
pub mod peers;
pub mod threads;
pub mod time;
pub mod window;

use runtime_core::{CallError, ClientTransport, WaitError};

use crate::probe::probe::{ClientOver, Reply};
use crate::{Backend, Client, Probe, Server};

/// Serves what has arrived.
pub(crate) fn serve<B: Backend>(server: &mut Server<B>, probe: &mut Probe) -> usize {
    let mut served = 0;
    while let Ok(count @ 1..) = server.poll(probe, 64) {
        served += count;
    }
    served
}

/// Polls until as many replies have come, and returns the results of `echo` and `lookup` with their user data.
pub(crate) fn replies<T: ClientTransport>(
    client: &mut ClientOver<T, u64>,
    count: usize,
) -> Vec<(u64, Result<u64, CallError>)> {
    let mut got = Vec::new();
    while got.len() < count {
        client
            .poll(|user_data, reply| match reply {
                Reply::Echo(result) | Reply::Lookup(result) => {
                    got.push((user_data, result.copied()));
                }
                other => panic!("unexpected reply {other:?}"),
            })
            .expect("the server lives");
        std::thread::yield_now();
    }
    got
}

/// The reply to a single `echo`.
pub(crate) fn reply<T: ClientTransport>(
    client: &mut ClientOver<T, u64>,
) -> (u64, Result<u64, CallError>) {
    replies(client, 1).remove(0)
}

/// Polls until the server is seen to be gone; returns what was handed back.
pub(crate) fn drain<B: Backend>(client: &mut Client<B>) -> Vec<(u64, Result<u64, CallError>)> {
    let mut got = Vec::new();
    loop {
        let polled = client.poll(|user_data, reply| match reply {
            Reply::Echo(result) | Reply::Lookup(result) => got.push((user_data, result.copied())),
            other => panic!("unexpected reply {other:?}"),
        });
        match polled {
            Ok(_) => std::thread::yield_now(),
            Err(WaitError::Disconnected) => return got,
            Err(other) => panic!("unexpected error {other:?}"),
        }
    }
}
