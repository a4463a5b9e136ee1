//! From server to client.

use runtime_core::{Audience, ClientConfig, EmitError, ServerConfig};

use super::serve;
use crate::probe::probe::Event;
use crate::{Backend, Client, Probe, Server, pair_with};

fn with_event_window<B: Backend>(event_window: usize) -> (Client<B>, Server<B>) {
    pair_with::<B, u64>(
        &ClientConfig::default(),
        &ServerConfig {
            event_window,
            ..ServerConfig::default()
        },
    )
}

fn poll<B: Backend>(client: &mut Client<B>) -> Vec<u64> {
    let mut counts = Vec::new();
    client
        .poll_events(|event| {
            let Event::Ticked(ticked) = event;
            counts.push(ticked.count);
        })
        .unwrap();
    counts
}

pub fn events_arrive_in_order<B: Backend>() {
    let (mut client, mut server) = with_event_window::<B>(8);
    serve::<B>(&mut server, &mut Probe::default());
    let mut expected = 0;
    for count in 0..10_000 {
        assert_eq!(server.ticked(Audience::All, count), Ok(1));
        if count % 5 == 0 {
            for got in poll::<B>(&mut client) {
                assert_eq!(got, expected);
                expected += 1;
            }
        }
    }
    expected += poll::<B>(&mut client).len() as u64;
    assert_eq!(expected, 10_000);
}

pub fn a_full_event_window_refuses<B: Backend>() {
    let (mut client, mut server) = with_event_window::<B>(4);
    serve::<B>(&mut server, &mut Probe::default());
    for count in 0..4 {
        server.ticked(Audience::All, count).unwrap();
    }
    assert_eq!(
        server.ticked(Audience::All, 4),
        Err(EmitError::WouldBlock {
            delivered: 0,
            full: 1
        })
    );
    assert_eq!(poll::<B>(&mut client), [0, 1, 2, 3]);
    server.ticked(Audience::All, 4).unwrap();
    assert_eq!(poll::<B>(&mut client), [4]);
}

pub fn events_of_a_gone_client_are_refused<B: Backend>() {
    let (client, mut server) = with_event_window::<B>(4);
    serve::<B>(&mut server, &mut Probe::default());
    let id = server.clients()[0];
    server.ticked(id.into(), 0).unwrap();
    drop(client);
    while server.ticked(id.into(), 1) != Err(EmitError::Disconnected) {
        std::thread::yield_now();
    }
    assert_eq!(server.ticked(Audience::All, 2), Ok(0));
}
