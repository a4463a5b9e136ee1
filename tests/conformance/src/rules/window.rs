//! The window is the credit, and user data is never lost.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use runtime_core::{CallError, ClientConfig, Refusal, ServerConfig};

use super::{replies, serve};
use crate::probe::probe::{Reply, Request, method};
use crate::{Backend, Probe, pair, pair_with};

/// Counts how often it is dropped.
struct Counted(Rc<Cell<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

pub fn a_full_window_refuses_and_hands_back<B: Backend>() {
    let config = ClientConfig {
        window: Some(8),
        ..ClientConfig::default()
    };
    let (mut client, mut server) = pair_with::<B, u64>(&config, &ServerConfig::default());
    assert_eq!(client.window(), 8);
    for value in 0..8 {
        client.echo(value, value).unwrap();
    }
    let refused = client.echo(8, 88).unwrap_err();
    assert_eq!((refused.why, refused.user_data), (Refusal::WouldBlock, 88));
    assert!(client.loan::<method::Echo>().is_err());
    assert_eq!(client.blocking().echo(8), Err(CallError::WouldBlock));
    serve::<B>(&mut server, &mut Probe::default());
    assert_eq!(replies(&mut client, 8).len(), 8);
    client.echo(9, 9).unwrap();
}

pub fn the_window_counts_what_the_server_holds<B: Backend>() {
    let config = ClientConfig {
        window: Some(4),
        deadline: Duration::from_millis(5),
        ..ClientConfig::default()
    };
    let (mut client, mut server) = pair_with::<B, u64>(&config, &ServerConfig::default());
    for value in 0..4 {
        client.echo(value, value).unwrap();
    }
    let mut held = Vec::new();
    while let Some(Request::Echo(call)) = server.recv().unwrap() {
        held.push(call.into_token());
    }
    for (_, result) in replies(&mut client, 4) {
        assert_eq!(result, Err(CallError::Timeout));
    }
    // The calls have ended, but the server still reads their slots.
    assert_eq!(client.echo(5, 5).unwrap_err().why, Refusal::WouldBlock);
    assert_eq!(client.in_flight(), 4);
    let token = held.pop().unwrap();
    server.reply::<method::Echo>(token, 0).unwrap();
    client.echo(6, 6).unwrap();
}

pub fn user_data_comes_back_exactly_once<B: Backend>() {
    let dropped = Rc::new(Cell::new(0));
    let config = ClientConfig {
        window: Some(4),
        deadline: Duration::from_millis(5),
        ..ClientConfig::default()
    };
    let (mut client, mut server) = pair_with::<B, Counted>(&config, &ServerConfig::default());
    let mut made = 0;
    let mut delivered = 0;
    for value in 0..500 {
        made += 1;
        if let Err(refused) = client.echo(value, Counted(Rc::clone(&dropped))) {
            assert_eq!(refused.why, Refusal::WouldBlock);
            drop(refused.user_data);
            delivered += 1;
        }
        // Some are answered, some aborted, some never looked at until their deadline.
        if value % 7 != 0
            && let Some(Request::Echo(call)) = server.recv().unwrap()
            && value % 3 != 0
        {
            call.reply(value).unwrap();
        }
        client.poll(|_, _| delivered += 1).unwrap();
        assert_eq!(dropped.get(), delivered);
    }
    client.close(|_, _| delivered += 1);
    assert_eq!((made, dropped.get()), (delivered, delivered));

    // A client that is dropped drops what is in flight with it.
    let (mut client, _server) = pair::<B, Counted>();
    dropped.set(0);
    client.echo(1, Counted(Rc::clone(&dropped))).unwrap();
    drop(client);
    assert_eq!(dropped.get(), 1);
}

pub fn close_hands_everything_back<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    client.echo(1, 1).unwrap();
    serve::<B>(&mut server, &mut Probe::default());
    client.echo(2, 2).unwrap();
    let mut got = Vec::new();
    client.close(|user_data, reply| {
        let Reply::Echo(result) = reply else {
            panic!("unexpected {reply:?}")
        };
        got.push((user_data, result.copied()));
    });
    assert_eq!(
        got,
        [
            (1, Ok(1)),
            (
                2,
                Err(CallError::Disconnected {
                    maybe_executed: true
                })
            )
        ]
    );
}
