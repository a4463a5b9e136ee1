//! What a client says of itself does not decide whether the server hears the others: one that has no barriers shares a server with one
//! that has.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use peer::probe::probe::Reply;
use peer::{Caller, Draw, Echo, Honest, RawClient, fresh_name, guarded, number};
use runtime_core::{ClientConfig, ServerConfig};
use runtime_shm::{Isolated, SameUser, Trust};

/// Calls of a quick run. A wake-up that can be lost is lost once in some ten thousand.
const CALLS: u64 = 20_000;

fn a_client_without_barriers_costs_no_other_a_wake_up<T: Trust>() {
    let name = fresh_name();
    let sleeps_at_once = ServerConfig {
        spin: Some(Duration::ZERO),
        ..ServerConfig::default()
    };
    let mut server = Honest::<T>::bind_with(&name, &sleeps_at_once).unwrap();
    // First, and with barriers of its own in every message that it sends: so it says.
    let mut raw = RawClient::attach::<T>(&name, 4);
    // Much longer than a call takes on any machine, so what ends at its deadline was not heard.
    let config = ClientConfig {
        deadline: Duration::from_secs(15),
        spin: Some(Duration::from_secs(1)),
        ..ClientConfig::default()
    };
    let mut client = Caller::<T>::connect_with(&name, &config).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                while let Ok(1..) = server.poll(&mut Echo, 16) {}
                // Nothing else wakes it.
                let _ = server.wait(Duration::from_secs(20));
            }
        });
        let mut draw = Draw(number("RPCIDL_FUZZ_SEED", 1));
        let mut lost = None;
        for call in 0..number("RPCIDL_FUZZ_CASES", CALLS) {
            for _ in 0..draw.below(1200) {
                std::hint::spin_loop();
            }
            client.echo(call, call).unwrap();
            let mut result = None;
            while result.is_none() {
                client
                    .poll(|_, reply| match reply {
                        Reply::Echo(echoed) => result = Some(echoed.copied()),
                        other => panic!("{other:?}"),
                    })
                    .unwrap();
            }
            if result != Some(Ok(call)) {
                lost = Some(call);
                break;
            }
            if call % 1000 == 0 {
                // Keeps its lane among those that are polled.
                raw.echo(call);
            }
        }
        is_over.store(true, Ordering::Relaxed);
        drop(client);
        assert_eq!(lost, None, "a call was not heard");
    });
}

#[test]
fn a_client_without_barriers_costs_no_other_a_wake_up_same_user() {
    guarded(a_client_without_barriers_costs_no_other_a_wake_up::<SameUser>);
}

#[test]
fn a_client_without_barriers_costs_no_other_a_wake_up_isolated() {
    guarded(a_client_without_barriers_costs_no_other_a_wake_up::<Isolated>);
}
