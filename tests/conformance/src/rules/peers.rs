//! The other side: gone, coming and going, many.

use std::thread;
use std::time::Duration;

use runtime_core::{AttachError, CallError, ClientConfig, Refusal, ServerConfig, WaitError};

use super::{drain, replies, reply, serve};
use crate::probe::probe::{Reply, Request};
use crate::{Backend, Client, Probe, Server, pair, rounds};

pub fn calls_end_when_the_server_goes<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    for value in 0..4 {
        client.echo(value, value).unwrap();
    }
    let _ = server.recv();
    drop(server);
    let lost = Err(CallError::Disconnected {
        maybe_executed: true,
    });
    let mut got = drain::<B>(&mut client);
    got.sort_unstable_by_key(|(user_data, _)| *user_data);
    assert_eq!(got.len(), 4);
    // The request that was received and dropped may have been aborted first.
    assert!(
        got.iter()
            .all(|(_, result)| *result == lost || *result == Err(CallError::Aborted)),
        "{got:?}"
    );
    assert_eq!(got[3], (3, lost));
    let refused = loop {
        match client.echo(9, 9) {
            Err(refused) => break refused,
            // A call may still be taken before the end is noticed; it ends, too.
            Ok(()) => assert_eq!(drain::<B>(&mut client), [(9, lost)]),
        }
        assert!(client.in_flight() <= client.window());
    };
    assert!(matches!(
        refused.why,
        Refusal::Disconnected | Refusal::WouldBlock
    ));
    assert_eq!(
        client.wait(Duration::from_secs(1)),
        Err(WaitError::Disconnected)
    );
    assert!(matches!(
        client.blocking().echo(1),
        Err(CallError::Disconnected { .. } | CallError::WouldBlock)
    ));
}

pub fn replies_sent_before_the_server_went_arrive<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    for value in 0..4 {
        client.echo(value, value).unwrap();
    }
    assert_eq!(server.poll(&mut Probe::default(), 3), Ok(3));
    drop(server);
    let mut got = drain::<B>(&mut client);
    got.sort_unstable_by_key(|(user_data, _)| *user_data);
    assert_eq!(got[..3], [(0, Ok(0)), (1, Ok(1)), (2, Ok(2))]);
    assert_eq!(
        got[3],
        (
            3,
            Err(CallError::Disconnected {
                maybe_executed: true
            })
        )
    );
}

pub fn the_server_ends_when_its_clients_go<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let thread = thread::spawn(move || {
        let mut probe = Probe::default();
        server.serve(&mut probe);
        probe.notes
    });
    // What was sent before the client went is still served.
    for value in 0..20 {
        client.note(value).unwrap();
    }
    drop(client);
    assert_eq!(thread.join().unwrap(), (0..20).collect::<Vec<_>>());
}

pub fn clients_come_and_go<B: Backend>() {
    let mut transport = B::server(&ServerConfig::default());
    let connector = B::connector(&mut transport);
    let mut server = Server::<B>::over(transport, &ServerConfig::default());
    let mut probe = Probe::default();
    for value in 0..rounds(1000) {
        let config = ClientConfig::default();
        let mut client = Client::<B>::over(B::connect(&connector, &config).unwrap(), &config);
        client.echo(value, value).unwrap();
        // Every other one goes without waiting for its answer.
        if value % 2 == 0 {
            while serve::<B>(&mut server, &mut probe) == 0 {}
            assert_eq!(reply(&mut client), (value, Ok(value)));
        }
        drop(client);
        serve::<B>(&mut server, &mut probe);
    }
    serve::<B>(&mut server, &mut probe);
    assert_eq!(server.clients(), []);
    drop(connector);
    // The connector's end wakes the server, which then finds nothing left to wait for.
    while server.wait(Duration::from_secs(10)) == Ok(true) {
        serve::<B>(&mut server, &mut probe);
    }
    assert_eq!(
        server.wait(Duration::from_secs(10)),
        Err(WaitError::Disconnected)
    );
}

pub fn many_clients_are_served_fairly<B: Backend>() {
    let mut transport = B::server(&ServerConfig::default());
    let connector = B::connector(&mut transport);
    let mut server = Server::<B>::over(transport, &ServerConfig::default());
    let mut clients: Vec<Client<B>> = (0..50)
        .map(|_| {
            let config = ClientConfig {
                window: Some(8),
                ..ClientConfig::default()
            };
            Client::<B>::over(B::connect(&connector, &config).unwrap(), &config)
        })
        .collect();
    for (number, client) in clients.iter_mut().enumerate() {
        for value in 0..8 {
            client.echo(value, number as u64).unwrap();
        }
    }
    let mut probe = Probe::default();
    // One turn of the server gives every client one reply, however many calls each has waiting.
    let mut served = 0;
    while served < 50 {
        served += server.poll(&mut probe, 50 - served).unwrap();
    }
    for client in &mut clients {
        assert_eq!(replies(client, 1).len(), 1);
        assert_eq!(client.in_flight(), 7);
    }
    while serve::<B>(&mut server, &mut probe) != 0 {}
    for client in &mut clients {
        assert_eq!(replies(client, 7).len(), 7);
    }
}

pub fn too_many_clients_are_refused<B: Backend>() {
    let config = ServerConfig {
        max_clients: 2,
        ..ServerConfig::default()
    };
    let mut transport = B::server(&config);
    let connector = B::connector(&mut transport);
    let mut server = Server::<B>::over(transport, &config);
    let first = B::connect(&connector, &ClientConfig::default()).unwrap();
    let _second = B::connect(&connector, &ClientConfig::default()).unwrap();
    let refused = B::connect(&connector, &ClientConfig::default()).err();
    assert_eq!(refused, Some(AttachError::TooManyClients { limit: 2 }));
    drop(first);
    serve::<B>(&mut server, &mut Probe::default());
    assert!(B::connect(&connector, &ClientConfig::default()).is_ok());
}

/// A client that is gone counts for as long as one of its requests is held: that keeps what the client has taken up of memory and descriptors.
pub fn held_requests_keep_their_clients_place<B: Backend>() {
    let config = ServerConfig {
        max_clients: 1,
        ..ServerConfig::default()
    };
    let mut transport = B::server(&config);
    let connector = B::connector(&mut transport);
    let mut server = Server::<B>::over(transport, &config);
    let mut probe = Probe::default();
    let settings = ClientConfig::default();
    let client = B::connect(&connector, &settings).unwrap();
    let mut client = Client::<B>::over(client, &settings);
    client.echo(1, 1).unwrap();
    let held = loop {
        if let Some(request) = server.recv().unwrap() {
            let Request::Echo(call) = request else {
                panic!("unexpected {request:?}")
            };
            break call.into_token();
        }
    };
    assert!(!held.client_is_gone());
    drop(client);
    // For longer than any backend takes to see that it is gone.
    for _ in 0..200 {
        serve::<B>(&mut server, &mut probe);
        let refused = B::connect(&connector, &settings).err();
        assert_eq!(refused, Some(AttachError::TooManyClients { limit: 1 }));
        thread::sleep(Duration::from_millis(1));
    }
    assert!(held.client_is_gone());
    // On another thread, as a token may be.
    thread::spawn(move || drop(held)).join().unwrap();
    let mut tries = 0;
    while B::connect(&connector, &settings).is_err() {
        serve::<B>(&mut server, &mut probe);
        tries += 1;
        assert!(tries < 1000, "the place is not given back");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A reply that overtook an older call counts as arrived when the server goes, and when the client closes.
pub fn replies_that_overtook_are_not_lost<B: Backend>() {
    for closes in [false, true] {
        let (mut client, mut server) = pair::<B, u64>();
        client.echo(1, 1).unwrap();
        client.echo(2, 2).unwrap();
        let Some(Request::Echo(first)) = server.recv().unwrap() else {
            panic!("the first request")
        };
        let held = first.into_token();
        let Some(Request::Echo(second)) = server.recv().unwrap() else {
            panic!("the second request")
        };
        second.reply(2).unwrap();
        let mut ended = Vec::new();
        let mut note = |user_data: u64, reply: Reply<'_>| {
            let Reply::Echo(result) = reply else {
                panic!("unexpected {reply:?}")
            };
            ended.push((user_data, result.copied()));
        };
        if closes {
            client.close(&mut note);
            drop((held, server));
        } else {
            drop(server);
            while client.poll(&mut note).is_ok() {}
            drop(held);
        }
        ended.sort_by_key(|(user_data, _)| *user_data);
        let gone = CallError::Disconnected {
            maybe_executed: true,
        };
        assert_eq!(ended, [(1, Err(gone)), (2, Ok(2))]);
    }
}

/// What a client sends right before it goes is served, also if it is the last one.
pub fn requests_sent_before_the_client_went_are_served<B: Backend>() {
    for _ in 0..rounds(3_000) {
        let (mut client, mut server) = pair::<B, u64>();
        let thread = thread::spawn(move || {
            let mut probe = Probe::default();
            server.serve(&mut probe);
            probe.notes.len()
        });
        client.note(1).unwrap();
        drop(client);
        assert_eq!(thread.join().unwrap(), 1);
    }
}

/// A client that connects while another one has a full window of requests waiting is served in turn with it.
pub fn a_new_client_gets_its_turn<B: Backend>() {
    let config = ClientConfig::default();
    let mut transport = B::server(&ServerConfig::default());
    let connector = B::connector(&mut transport);
    let mut server = Server::<B>::over(transport, &ServerConfig::default());
    let connect = || Client::<B>::over(B::connect(&connector, &config).unwrap(), &config);
    let mut busy = connect();
    for value in 0..busy.window() as u64 {
        busy.echo(value, value).unwrap();
    }
    let mut probe = Probe::default();
    assert_eq!(server.poll(&mut probe, 1), Ok(1));
    let mut new = connect();
    new.echo(77, 77).unwrap();
    assert_eq!(server.poll(&mut probe, 4), Ok(4));
    assert_eq!(replies(&mut new, 1), [(77, Ok(77))]);
}

/// Whoever waits and polls until one of them says that the server is gone has been handed everything back.
pub fn waiting_ends_when_nothing_is_left<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    for value in 0..3 {
        client.echo(value, value).unwrap();
    }
    let Some(Request::Echo(call)) = server.recv().unwrap() else {
        panic!("the first request")
    };
    call.reply(0).unwrap();
    drop(server);
    let mut back = Vec::new();
    let ended = loop {
        if let Err(error) = client.wait(Duration::from_secs(10)) {
            break error;
        }
        if let Err(error) = client.poll(|user_data, _| back.push(user_data)) {
            break error;
        }
    };
    assert_eq!(ended, WaitError::Disconnected);
    back.sort_unstable();
    assert_eq!(back, [0, 1, 2]);
}

/// However many requests wait, and however many come.
pub fn a_busy_server_can_be_stopped<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    for value in 0..3 {
        client.echo(value, value).unwrap();
    }
    assert_eq!(server.wait(Duration::from_secs(10)), Ok(true));
    let stop = B::stopper(server.transport());
    thread::spawn(stop).join().unwrap();
    for _ in 0..3 {
        assert_eq!(server.recv().err(), Some(WaitError::Disconnected));
        assert_eq!(
            server.poll(&mut Probe::default(), 64),
            Err(WaitError::Disconnected)
        );
    }
    // Ends at once.
    server.serve(&mut Probe::default());
    drop(server);
    let lost = CallError::Disconnected {
        maybe_executed: true,
    };
    let mut back = drain::<B>(&mut client);
    back.sort_unstable_by_key(|(user_data, _)| *user_data);
    assert_eq!(back, [0, 1, 2].map(|value| (value, Err(lost))));
}
