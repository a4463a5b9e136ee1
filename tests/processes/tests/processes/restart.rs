//! A server is killed and started again under its name, with the same definition or another.

use std::time::Duration;

use conformance::probe::probe::{Reply, Request, Service, method};
use process_tests::{
    Client, PARKED, Role, Way, bind, bind_when_free, connect, echoed, patient, try_connect,
};
use runtime_core::{
    AttachError, Bind, CallError, ServerConfig, Service as _, TokenError, WaitError,
};
use rustix::process::Signal;

use crate::{PROGRAM, for_both};

for_both! { a_killed_server_starts_again, an_old_token_does_no_harm, another_definition }

/// What the probe service might become.
#[allow(unreachable_pub, reason = "a service is as visible as its trait")]
mod newer {
    /// Like the probe, with another kind of number.
    #[rpcidl_macros::rpc_service(package = "rpcidl.conformance@1.0")]
    pub trait IProbe {
        /// Takes half of what it took.
        fn echo(&mut self, value: u32) -> u64;
    }
}

/// Polls until the server is seen to be gone; returns what became of each call.
fn drain<T: Way>(client: &mut Client<T>) -> Vec<(u64, Result<u64, CallError>)> {
    let mut got = Vec::new();
    loop {
        let polled = client.poll(|call, reply| match reply {
            Reply::Echo(result) => got.push((call, result.copied())),
            other => panic!("unexpected {other:?}"),
        });
        match polled {
            Ok(_) => drop(client.wait(Duration::from_secs(10))),
            Err(WaitError::Disconnected) => return got,
            Err(other) => panic!("unexpected {other:?}"),
        }
    }
}

fn a_killed_server_starts_again<T: Way>() {
    let name = T::name("restart");
    let mut old = Vec::new();
    for epoch in 0..5 {
        let mut server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
        server.expect("bound");
        let mut client = connect::<T, u64>(&name);
        assert_eq!(client.blocking().echo(epoch), Ok(echoed(epoch)));
        client.echo(PARKED, epoch).expect("the window is free");
        server.expect("parked");
        // Those of earlier servers have ended, stay so, and keep nothing from this one.
        for client in &mut old {
            let client: &mut Client<T> = client;
            assert_eq!(client.wait(Duration::ZERO), Err(WaitError::Disconnected));
            let ended = client.blocking().echo(1);
            assert!(
                matches!(ended, Err(CallError::Disconnected { .. })),
                "{ended:?}"
            );
        }
        assert_eq!(client.blocking().echo(7), Ok(echoed(7)));
        server.signal(Signal::KILL);
        let lost = Err(CallError::Disconnected {
            maybe_executed: true,
        });
        assert_eq!(drain::<T>(&mut client), [(epoch, lost)]);
        server.died_of();
        old.push(client);
    }
}

fn an_old_token_does_no_harm<T: Way>() {
    let name = T::name("old-token");
    let mut first = bind::<T>(&name, 2).expect("the name is free");
    let mut client = connect::<T, u64>(&name);
    let mut tokens = Vec::new();
    for call in 0..2 {
        client.echo(call, call).expect("the window is free");
        let request = loop {
            if let Some(request) = first.recv().expect("it serves") {
                break request;
            }
        };
        let Request::Echo(call) = request else {
            panic!("unexpected {request:?}")
        };
        tokens.push(call.into_token());
    }
    drop(first);
    let mut second = bind_when_free::<T>(&name, 2);
    let lost = Err(CallError::Disconnected {
        maybe_executed: true,
    });
    assert_eq!(drain::<T>(&mut client), [(0, lost), (1, lost)]);
    let mut later = connect::<T, u64>(&name);
    later.echo(5, 5).expect("the window is free");
    // The same slot, of another epoch: the token is of no use there, and comes back.
    let token = tokens.pop().expect("two were kept");
    let Err(TokenError::Foreign(token)) = second.reply::<method::Echo>(token, 99_u64) else {
        panic!("the token of another server was taken")
    };
    drop((token, tokens));
    while second.poll(&mut conformance::Probe::default(), 1) != Ok(1) {}
    let mut got = Vec::new();
    while got.is_empty() {
        let polled = later.poll(|call, reply| {
            let Reply::Echo(result) = reply else {
                panic!("unexpected {reply:?}")
            };
            got.push((call, result.copied()));
        });
        assert!(polled.is_ok());
    }
    assert_eq!(got, [(5, Ok(5))]);
}

fn another_definition<T: Way>() {
    type Newer = newer::probe::Service;
    let name = T::name("another");
    let mut server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    assert_eq!(connect::<T, u64>(&name).blocking().echo(1), Ok(echoed(1)));
    let newer = runtime_core::Client::<Newer, T::Client<Newer>>::connect(&name, &patient());
    assert_mismatch(&name, newer.err(), Newer::ABI_HASH, Service::ABI_HASH);
    server.signal(Signal::KILL);
    server.died_of();
    let _server =
        T::Server::<Newer>::bind(&name, &ServerConfig::default()).expect("the name is free");
    let older = try_connect::<T, u64>(&name).err();
    assert_mismatch(&name, older, Service::ABI_HASH, Newer::ABI_HASH);
}

fn assert_mismatch(
    asked: &str,
    error: Option<AttachError>,
    our_hash: runtime_core::AbiHash,
    their_hash: runtime_core::AbiHash,
) {
    let Some(AttachError::AbiMismatch {
        name,
        ours,
        theirs,
        difference: Some(difference),
    }) = &error
    else {
        panic!("unexpected {error:?}")
    };
    assert_eq!(
        (name.as_str(), *ours, *theirs),
        (asked, our_hash, their_hash)
    );
    assert_ne!(ours, theirs);
    println!("{difference}");
    // The first method is where they part.
    assert!(difference.contains("echo"), "{difference}");
}
