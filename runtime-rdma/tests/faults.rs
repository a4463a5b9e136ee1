//! Devices that fail: what was pending ends with an error, who is at fault is named, and the others go on.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::thread;
use std::time::{Duration, Instant};

use peer::probe::Image;
use peer::probe::probe::{Request, method};
use peer::{
    Caller, Honest, LOST, connect, descriptors, device, drain, echo, guarded, honest_server, serve,
    settle, take, until, until_clean,
};
use runtime_core::{AttachError, Audience, CallError, TokenError};
use sim_verbs::{Call, Device};

/// A server, an honest client of it over another device, and a client whose device fails.
struct Scene {
    /// The device of the server and of the honest client.
    there: Device,
    /// The device of the other client.
    here: Device,
    here_name: String,
    address: String,
    server: Honest,
    honest: Caller,
    client: Caller,
}

impl Scene {
    fn new(window: usize) -> Self {
        let (name, there) = device();
        let (here_name, here) = device();
        let (address, mut server) = honest_server(&name, 4);
        let honest = connect(&address, 8).unwrap();
        let client = connect(&over(&address, &here_name), window).unwrap();
        settle(&mut server, 2);
        Self {
            there,
            here,
            here_name,
            address,
            server,
            honest,
            client,
        }
    }

    /// Shows that all calls of the client end once, that the honest one is served, and that nothing is left of all of it.
    fn ends(mut self, pending: u64) {
        let lost: Vec<_> = (0..pending).map(|it| (it, LOST)).collect();
        assert_eq!(drain(&mut self.client), lost);
        assert!(self.client.transport().why_gone().is_some());
        drop(self.client);
        settle(&mut self.server, 1);
        echo(&mut self.server, &mut self.honest, 5);
        until_clean(self.here);
        drop((self.server, self.honest));
        until_clean(self.there);
    }
}

/// The same server, over another device.
fn over(address: &str, device: &str) -> String {
    let (host, _) = address.split_once('?').unwrap();
    format!("{host}?device={device}")
}

/// The queue pair of the client's side.
fn queue_pair(device: Device) -> u32 {
    device.queue_pairs()[0]
}

#[test]
fn a_queue_pair_of_a_client_that_breaks_ends_its_calls_at_every_step() {
    guarded(|| {
        for step in 0..4 {
            let mut scene = Scene::new(8);
            for value in 0..4 {
                if step == 0 {
                    break;
                }
                scene.client.echo(value, value).unwrap();
            }
            let mut tokens = Vec::new();
            if step >= 2 {
                until("they are received", || {
                    if let Some(Request::Echo(call)) = scene.server.recv().unwrap() {
                        tokens.push(call.into_token());
                    }
                    tokens.len() == 4
                });
            }
            scene.here.break_qp(queue_pair(scene.here));
            if step == 3 {
                // Answered after it broke: nobody hears it.
                for token in tokens.drain(..) {
                    let replied = scene.server.reply(token, 1);
                    assert!(matches!(replied, Ok(()) | Err(TokenError::Disconnected)));
                }
            }
            drop(tokens);
            scene.ends(if step == 0 { 0 } else { 4 });
        }
    });
}

#[test]
fn a_queue_pair_of_a_server_that_breaks_ends_one_client_at_every_step() {
    guarded(|| {
        for step in 0..3 {
            let mut scene = Scene::new(8);
            // Made in this order: the honest client's, its server's, the other client's server's.
            let broken = scene.there.queue_pairs()[2];
            for value in 0..4 {
                if step == 0 {
                    break;
                }
                scene.client.echo(value, value).unwrap();
            }
            let mut tokens = Vec::new();
            if step == 2 {
                until("they are received", || {
                    if let Some(Request::Echo(call)) = scene.server.recv().unwrap() {
                        tokens.push(call.into_token());
                    }
                    tokens.len() == 4
                });
            }
            scene.there.break_qp(broken);
            if step == 1 {
                // What had arrived is served, and what it is answered is not heard.
                serve(&mut scene.server);
            }
            until("the server sees it", || {
                let _ = scene.server.wait(Duration::from_millis(5));
                serve(&mut scene.server);
                scene.server.clients().len() == 1
            });
            for token in tokens {
                let replied = scene.server.reply(token, 1);
                assert!(matches!(replied, Err(TokenError::Disconnected)));
            }
            scene.ends(if step == 0 { 0 } else { 4 });
        }
    });
}

#[test]
fn a_port_that_goes_down_ends_its_calls() {
    guarded(|| {
        let mut scene = Scene::new(8);
        for value in 0..4 {
            scene.client.echo(value, value).unwrap();
        }
        scene.here.set_port(false);
        let error = connect(&over(&scene.address, &scene.here_name), 8).err();
        let Some(AttachError::System { what, error }) = error else {
            panic!("{error:?}");
        };
        assert_eq!(what, "finding the RDMA port of the address 127.0.0.1");
        let name = &scene.here_name;
        assert_eq!(
            error,
            format!(
                "port 1 of `{name}` is not active (`ibv_devinfo -d {name}` tells its state, `rdma link` its network interface)"
            )
        );
        scene.ends(4);
    });
}

#[test]
fn a_port_that_comes_back_is_used_again() {
    guarded(|| {
        let mut scene = Scene::new(8);
        for _ in 0..5 {
            scene.here.set_port(false);
            assert_eq!(drain(&mut scene.client), []);
            scene.here.set_port(true);
            scene.client = connect(&over(&scene.address, &scene.here_name), 8).unwrap();
            settle(&mut scene.server, 2);
            echo(&mut scene.server, &mut scene.client, 3);
        }
        scene.here.set_port(false);
        scene.ends(0);
    });
}

#[test]
fn a_port_of_a_server_that_goes_down_ends_all_its_clients() {
    guarded(|| {
        let mut scene = Scene::new(8);
        scene.client.echo(0, 0).unwrap();
        scene.there.set_port(false);
        settle(&mut scene.server, 0);
        assert_eq!(drain(&mut scene.client), [(0, LOST)]);
        assert_eq!(drain(&mut scene.honest), []);
        scene.there.set_port(true);
        scene.honest = connect(&scene.address, 8).unwrap();
        scene.client = connect(&over(&scene.address, &scene.here_name), 8).unwrap();
        settle(&mut scene.server, 2);
        echo(&mut scene.server, &mut scene.client, 1);
        scene.here.set_port(false);
        scene.ends(0);
    });
}

#[test]
fn a_device_that_breaks_ends_its_calls() {
    guarded(|| {
        let mut scene = Scene::new(8);
        for value in 0..4 {
            scene.client.echo(value, value).unwrap();
        }
        scene.here.fatal();
        scene.ends(4);
    });
}

#[test]
fn a_device_of_a_server_that_breaks_ends_all_its_clients() {
    guarded(|| {
        let mut scene = Scene::new(8);
        scene.client.echo(0, 0).unwrap();
        scene.honest.echo(1, 1).unwrap();
        scene.there.fatal();
        settle(&mut scene.server, 0);
        let got = drain(&mut scene.client);
        assert!(got == [(0, LOST)] || got == [(0, Ok(0))], "{got:?}");
        assert_eq!(drain(&mut scene.honest).len(), 1);
        let error = connect(&over(&scene.address, &scene.here_name), 8).err();
        let Some(AttachError::Refused { why, .. }) = error else {
            panic!("{error:?}");
        };
        assert!(why.contains("os error 5"), "{why}");
        drop((scene.client, scene.honest, scene.server));
        until_clean(scene.here);
        until_clean(scene.there);
    });
}

#[test]
fn a_completion_queue_that_fails_ends_the_calls_of_its_side() {
    guarded(|| {
        let mut scene = Scene::new(8);
        for value in 0..4 {
            scene.client.echo(value, value).unwrap();
        }
        scene.here.fail_next(Call::PollCq, libc::EIO);
        scene.ends(4);

        let mut scene = Scene::new(8);
        scene.there.fail_next(Call::PollCq, libc::EIO);
        serve(&mut scene.server);
        settle(&mut scene.server, 0);
        assert_eq!(drain(&mut scene.client), []);
        assert_eq!(drain(&mut scene.honest), []);
    });
}

#[test]
fn a_message_that_the_device_does_not_take_ends_the_connection() {
    guarded(|| {
        let mut scene = Scene::new(8);
        scene.client.echo(0, 0).unwrap();
        scene.here.fail_next(Call::PostSend, libc::EIO);
        scene.client.echo(1, 1).unwrap();
        let got = drain(&mut scene.client);
        assert_eq!(got, [(0, LOST), (1, LOST)]);
        let why = scene.client.transport().why_gone().unwrap().to_string();
        assert!(
            why.starts_with("the device takes no message to it: "),
            "{why}"
        );
        scene.ends(0);

        // The same of a reply.
        let mut scene = Scene::new(8);
        scene.client.echo(0, 0).unwrap();
        scene.there.fail_next(Call::PostSend, libc::EIO);
        settle(&mut scene.server, 1);
        scene.ends(1);
    });
}

#[test]
fn nobody_waits_for_a_receive_buffer() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 4);
        let address = format!("{address}&rnr_retry=0");
        let mut clients: Vec<_> = (0..3).map(|_| connect(&address, 8).unwrap()).collect();
        settle(&mut server, 3);
        let (mut calls, mut tokens) = (0_u64, Vec::new());
        let mut ended = 0;
        while calls < 10_000 {
            for client in &mut clients {
                for value in 0..4 {
                    calls += u64::from(client.echo(value, value).is_ok());
                    let image = Image { pixels: [1; 4000] };
                    calls += u64::from(client.brighten(&image, 1, value).is_ok());
                    calls += u64::from(client.note(value).is_ok());
                }
            }
            let _ = server.ticked(Audience::All, calls);
            for _ in 0..3 {
                if let Some(Request::Echo(call)) = server.recv().unwrap() {
                    tokens.push(call.into_token());
                }
            }
            if tokens.len() > 6 {
                for token in tokens.drain(..) {
                    server.reply(token, 1).unwrap();
                }
            }
            serve(&mut server);
            for client in &mut clients {
                client.poll(|_, _| ended += 1).unwrap();
                client.poll_events(|_| ()).unwrap();
            }
        }
        assert!(ended > 1000);
        assert_eq!(device.counters().rnr, 0);
        // A message that had found none would have ended its connection.
        drop(tokens);
        for client in &mut clients {
            until("all have ended", || {
                serve(&mut server);
                client.poll(|_, _| ()).unwrap();
                client.in_flight() == 0
            });
            echo(&mut server, client, 1);
        }
    });
}

#[test]
fn connecting_again_and_again_leaves_nothing_behind() {
    guarded(|| {
        let (name, device) = device();
        // One that calls, up to four that are gone and whose requests are held, and some that the device is not done with.
        let (address, mut server) = honest_server(&name, 8);
        let mut held = Vec::new();
        let mut first = None;
        for round in 0..1000 {
            let mut client = connect(&address, 4).unwrap();
            match round % 5 {
                // It goes with a request unanswered, which is held for a while.
                0 => {
                    client.echo(round, round).unwrap();
                    until("it is received", || {
                        if let Some(Request::Echo(call)) = server.recv().unwrap() {
                            held.push(call.into_token());
                            return true;
                        }
                        false
                    });
                }
                // It goes with requests that nobody has received.
                1 => {
                    client.note(1).unwrap();
                    client.echo(round, round).unwrap();
                }
                2 if round % 3 == 0 => device.break_qp(device.queue_pairs()[0]),
                _ => echo(&mut server, &mut client, round),
            }
            drop(client);
            settle(&mut server, 0);
            if held.len() == 4 {
                held.clear();
            }
            if round % 100 == 99 {
                held.clear();
                until("the queue pairs are gone", || {
                    serve(&mut server);
                    device.leaks().qps == 0
                });
                let now = (device.leaks(), descriptors());
                let (leaks, open) = *first.get_or_insert(now);
                assert_eq!(now.0.cqs, leaks.cqs, "round {round}");
                assert!(
                    now.0.mrs <= leaks.mrs + 4,
                    "round {round}: memory grows: {now:?}, {leaks:?}"
                );
                assert!(now.1 <= open + 2, "round {round}: descriptors grow");
            }
        }
        assert_eq!(device.counters().rnr, 0);
        drop(server);
        until_clean(device);
    });
}

#[test]
fn servers_come_and_go_and_leave_nothing_behind() {
    guarded(|| {
        let (name, device) = device();
        let mut first = None;
        for round in 0..200 {
            let (address, mut server) = honest_server(&name, 2);
            let mut client = connect(&address, 4).unwrap();
            echo(&mut server, &mut client, round);
            client.echo(1, 1).unwrap();
            let mut token = None;
            if round % 2 == 0 {
                until("it is received", || {
                    if let Some(Request::Echo(call)) = server.recv().unwrap() {
                        token = Some(call.into_token());
                    }
                    token.is_some()
                });
            }
            if round % 4 < 2 {
                drop(server);
                assert_eq!(drain(&mut client), [(1, LOST)]);
                drop((token, client));
            } else {
                drop((client, server, token));
            }
            until_clean(device);
            let open = descriptors();
            let most = *first.get_or_insert(open) + 2;
            assert!(open <= most, "round {round}: {open} descriptors of {most}");
        }
    });
}

#[test]
fn a_peer_that_does_not_receive_is_a_matter_of_the_deadline() {
    guarded(|| {
        let mut scene = Scene::new(8);
        // What the client sends stays on the way.
        scene.here.hold_deliveries(true);
        let begun = Instant::now();
        let mut blocking = scene.client.blocking();
        let ended = blocking.within(Duration::from_millis(100)).echo(1);
        assert_eq!(ended, Err(CallError::Timeout));
        assert!(begun.elapsed() < Duration::from_secs(10));
        echo(&mut scene.server, &mut scene.honest, 1);
        scene.here.hold_deliveries(false);
        serve(&mut scene.server);
        until("the late reply is counted", || {
            let _ = take(&mut scene.client, &mut Vec::new());
            scene.client.counters().late_replies == 1
        });
        echo(&mut scene.server, &mut scene.client, 2);
        scene.here.set_port(false);
        scene.ends(0);
    });
}

/// As many calls at once as there may be.
fn whole_window(server: &mut Honest, client: &mut Caller) {
    let mut got = Vec::new();
    for value in 0..8 {
        client.echo(value, value).unwrap();
    }
    until("a whole window is answered", || {
        serve(server);
        take(client, &mut got).unwrap();
        got.len() == 8
    });
}

/// The device takes a buffer back only the second time: nothing of it is lost, and nobody panics.
#[test]
fn a_shared_receive_queue_that_refuses_once_loses_nothing() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut client = connect(&format!("{address}&rnr_retry=0"), 8).unwrap();
        settle(&mut server, 1);
        for round in 0..50 {
            device.fail_next(Call::PostSrqRecv, libc::ENOMEM);
            for value in 0..30 {
                echo(&mut server, &mut client, round * 100 + value);
            }
            whole_window(&mut server, &mut client);
        }
        assert_eq!(device.counters().rnr, 0);
    });
}

/// A token gives its buffer back from another thread, and the device refuses it once: it goes with those of the next client.
#[test]
fn a_token_whose_buffer_is_refused_once_loses_nothing() {
    guarded(|| {
        let (name, device) = device();
        let (address, mut server) = honest_server(&name, 4);
        let address = format!("{address}&rnr_retry=0");
        let mut client = connect(&address, 8).unwrap();
        settle(&mut server, 1);
        for round in 0..100 {
            client.echo(round, round).unwrap();
            let mut token = None;
            until("it is received", || {
                if let Some(Request::Echo(call)) = server.recv().unwrap() {
                    token = Some(call.into_token());
                }
                token.is_some()
            });
            device.fail_next(Call::PostSrqRecv, libc::ENOMEM);
            let token = token.unwrap();
            let dropped = thread::spawn(move || drop(token)).join();
            assert!(dropped.is_ok(), "dropping a token has panicked");
            let mut got = Vec::new();
            until("it ends", || {
                take(&mut client, &mut got).unwrap();
                !got.is_empty()
            });
            whole_window(&mut server, &mut client);
            let mut next = connect(&address, 8).unwrap();
            settle(&mut server, 2);
            whole_window(&mut server, &mut next);
            drop(next);
            settle(&mut server, 1);
        }
        assert_eq!(device.counters().rnr, 0);
    });
}

/// A reply that was edited in place looks whether the slot's last one was received. A fault that it comes across then is told like any other,
/// and the reply does not leave after it.
#[test]
fn a_fault_that_a_reply_in_place_comes_across_is_told() {
    guarded(|| {
        let Scene {
            there,
            mut server,
            mut client,
            honest: _honest,
            ..
        } = Scene::new(8);
        let mut got = Vec::new();
        edit(&mut client, &mut server, 1, || ());
        until("the first is answered", || {
            take(&mut client, &mut got).unwrap();
            got.len() == 1
        });
        edit(&mut client, &mut server, 2, || {
            there.fail_next(Call::PollCq, libc::EIO);
        });
        assert_eq!(server.clients().len(), 1, "the other is still there");
        until("the call has ended", || {
            serve(&mut server);
            let _ = take(&mut client, &mut got);
            got.len() == 2
        });
        assert_eq!(got[1], (2, LOST));
    });
}

/// Makes a call whose argument is edited in place, and answers it; `before` comes before the answer.
fn edit(client: &mut Caller, server: &mut Honest, user_data: u64, before: impl FnOnce()) {
    client.loan::<method::Brighten>().unwrap().send(user_data);
    let Some(Request::Brighten(call)) = server.recv().unwrap() else {
        panic!("it has arrived")
    };
    let reply = call.edit();
    before();
    reply.send().unwrap();
}
