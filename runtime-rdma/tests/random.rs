//! Random actions of several clients and their server, over devices that hold messages back and complete them late: every call ends exactly
//! once, and nothing is left behind.
//!
//! The actions are drawn from a seed, which a failure prints, all on one thread but for the dropping and answering of tokens.
//! `RPCIDL_FUZZ_CASES` asks for more cases than a quick run has, and `RPCIDL_FUZZ_SEED` for others.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use peer::probe::probe::{BrightenResponse, Request, Service, method};
use peer::probe::{Blob, Image, Mode};
use peer::{
    Draw, Echo, Honest, bind, connect, device_with, guarded, result_of, serve, until, until_clean,
};
use runtime_core::{Audience, CallError, ClientConfig, Connect as _, Refusal, ServerConfig, Token};
use runtime_rdma::{Client, Server};
use sim_verbs::{Device, Traits};

/// Cases of a quick run, and steps of each.
const CASES: u64 = 40;
const STEPS: usize = 400;

/// Clients at a time.
const CLIENTS: usize = 4;

type Transport = Server<Service>;

/// A request that is answered late.
enum Held {
    Echo(Token<method::Echo, Transport>),
    Mirror(Token<method::Mirror, Transport>),
    Brighten(Token<method::Brighten, Transport>),
}

/// A client with what it has called and not heard of.
struct Party {
    client: peer::Caller,
    pending: BTreeSet<u64>,
    holds: bool,
}

impl Party {
    /// A call has ended.
    fn end(pending: &mut BTreeSet<u64>, user_data: u64, result: &Result<u64, CallError>) {
        assert!(pending.remove(&user_data), "{user_data} ends once");
        // What a number is answered with follows from the number; the others may fail.
        if let Ok(value) = result
            && *value != u64::MAX
        {
            assert!(
                *value == user_data || *value == user_data % 200 || *value <= 1,
                "{user_data} has got {value}"
            );
        }
    }

    /// Takes what has ended: false if the server is gone, and nothing more comes.
    fn poll(&mut self) -> bool {
        let pending = &mut self.pending;
        let polled = self
            .client
            .poll(|user_data, reply| Self::end(pending, user_data, &result_of(&reply)));
        let _ = self.client.poll_events(|_| ());
        polled.is_ok()
    }

    /// Calls something.
    fn call(&mut self, draw: &mut Draw, number: u64) {
        let client = &mut self.client;
        let words = [number; 64];
        let called = match draw.below(7) {
            0 | 1 => client.echo(number, number),
            2 => client.mirror(&Blob { words }, number),
            3 => {
                let pixels = [(number % 200) as u8; 4000];
                client.brighten(&Image { pixels }, 0, number)
            }
            4 => client.divide(number, draw.below(2), number),
            5 => client.toggle(Mode::ON, number),
            _ => client.split(number, number),
        };
        match called {
            Ok(()) => assert!(self.pending.insert(number)),
            Err(refused) => {
                assert_eq!(refused.user_data, number);
                assert!(matches!(
                    refused.why,
                    Refusal::WouldBlock | Refusal::Disconnected
                ));
            }
        }
    }

    /// Closes it: what has not ended ends now.
    fn close(self) {
        let mut pending = self.pending;
        self.client.close(|user_data, reply| {
            Self::end(&mut pending, user_data, &result_of(&reply));
        });
        assert_eq!(pending, BTreeSet::new(), "these have not ended");
    }
}

/// All that there is in one case.
struct World {
    devices: [(String, Device); 2],
    server: Option<(String, Honest)>,
    parties: Vec<Party>,
    held: Vec<Held>,
    /// Where tokens are answered and dropped.
    answerer: Sender<Held>,
    next: u64,
}

impl World {
    fn server(&mut self) -> &mut (String, Honest) {
        let device = &self.devices[0].0;
        self.server.get_or_insert_with(|| {
            let config = ServerConfig {
                max_clients: 2 * CLIENTS,
                event_window: 4,
                ..ServerConfig::default()
            };
            bind(device, &config).unwrap()
        })
    }

    fn join(&mut self, draw: &mut Draw) {
        if self.parties.len() == CLIENTS {
            return;
        }
        let address = self.server().0.clone();
        let (host, _) = address.split_once('?').unwrap();
        let device = &self.devices[draw.below(2) as usize].0;
        let config = ClientConfig {
            window: Some(2 << draw.below(4)),
            // Some end by their deadlines.
            deadline: Duration::from_millis(if draw.below(3) == 0 { 3 } else { 300_000 }),
            ..ClientConfig::default()
        };
        // It may be full of clients that it has not seen to be gone.
        if let Ok(client) = Client::connect(&format!("{host}?device={device}"), &config) {
            self.parties.push(Party {
                client: peer::Caller::over(client, &config),
                pending: BTreeSet::new(),
                holds: false,
            });
        }
    }

    fn receive(&mut self, draw: &mut Draw) {
        let keeps = draw.below(2) == 0 && self.held.len() < 20;
        let Some((_, server)) = &mut self.server else {
            return;
        };
        if !keeps {
            return serve(server);
        }
        match server.recv().unwrap() {
            Some(Request::Echo(call)) => self.held.push(Held::Echo(call.into_token())),
            Some(Request::Mirror(call)) => self.held.push(Held::Mirror(call.into_token())),
            Some(Request::Brighten(call)) => self.held.push(Held::Brighten(call.into_token())),
            // Answered with Aborted.
            Some(other) => drop(other),
            None => {}
        }
    }

    fn release(&mut self, draw: &mut Draw) {
        if self.held.is_empty() {
            return;
        }
        let held = self
            .held
            .swap_remove(draw.below(self.held.len() as u64) as usize);
        let Some((_, server)) = &mut self.server else {
            // Its server is gone.
            return drop(held);
        };
        match (draw.below(3), held) {
            (0, held) => self.answerer.send(held).unwrap(),
            (_, Held::Echo(token)) => {
                let value = token.data().value;
                let _ = server.reply(token, value);
            }
            (_, Held::Mirror(token)) => {
                let blob = token.data().blob;
                let _ = server.reply(token, &blob);
            }
            (_, Held::Brighten(token)) => {
                assert_eq!(token.data().by, 0);
                let image = Image { pixels: [1; 4000] };
                let _ = server.reply(token, BrightenResponse { image });
            }
        }
    }

    /// Lets everything arrive and complete: who leaves waits for that, for a second.
    fn let_flow(&self) {
        for (_, device) in &self.devices {
            device.hold_deliveries(false);
            device.delay_completions(0);
        }
    }

    fn close(&mut self, at: usize) {
        self.let_flow();
        self.parties.swap_remove(at).close();
    }

    fn step(&mut self, draw: &mut Draw) {
        let at = draw.below(CLIENTS as u64) as usize % self.parties.len().max(1);
        let device = self.devices[draw.below(2) as usize].1;
        let kind = draw.below(100);
        match (kind, self.parties.get_mut(at)) {
            (0..35, Some(party)) => {
                self.next += 1;
                party.call(draw, self.next);
            }
            (35..40, Some(party)) => {
                let _ = party.client.note(7);
            }
            (40..55, Some(party)) => {
                let is_over = !party.poll();
                if is_over {
                    self.close(at);
                }
            }
            (55..58, Some(party)) => {
                party.holds = !party.holds;
                if party.holds {
                    party.client.hold_doorbell();
                } else {
                    party.client.ring_doorbell();
                }
            }
            (58..60, Some(_)) => self.close(at),
            (60..75, _) => self.receive(draw),
            (75..84, _) => self.release(draw),
            (84..87, _) => {
                if let Some((_, server)) = &mut self.server {
                    let _ = server.ticked(Audience::All, 1);
                }
            }
            (87..89, _) => device.delay_completions(draw.below(40)),
            (89, _) => device.hold_deliveries(true),
            (90..93, _) => device.hold_deliveries(false),
            (93, _) if draw.below(8) == 0 => {
                self.let_flow();
                self.server = None;
            }
            (94, _) if draw.below(4) == 0 => {
                let numbers = device.queue_pairs();
                if !numbers.is_empty() {
                    device.break_qp(numbers[draw.below(numbers.len() as u64) as usize]);
                }
            }
            (95, _) if draw.below(8) == 0 => {
                device.set_port(false);
                device.set_port(true);
            }
            _ => self.join(draw),
        }
    }

    /// Lets all that can end do so, and the rest be handed back.
    fn end(mut self) {
        self.let_flow();
        self.held.clear();
        for party in &mut self.parties {
            party.client.ring_doorbell();
        }
        // What was sent to a server that is there is answered, by it or by the end of the connection.
        if let Some((_, server)) = &mut self.server {
            until("every call has ended", || {
                let _ = server.wait(Duration::from_millis(1));
                while let Ok(1..) = server.poll(&mut Echo, 64) {}
                self.parties
                    .iter_mut()
                    .all(|party| !party.poll() || party.pending.is_empty())
            });
        }
        self.parties.drain(..).for_each(Party::close);
        drop(self.server);
        drop(self.answerer);
    }
}

fn case(seed: u64) {
    println!("seed {seed}");
    let mut draw = Draw(seed);
    let traits = |draw: &mut Draw| Traits {
        max_inline: [0, 64, 220][draw.below(3) as usize],
        last_wqe_event: draw.below(2) == 0,
        removes_completions: draw.below(2) == 0,
        max_qp_wr: [64, 8192][draw.below(2) as usize],
        ..Traits::default()
    };
    let devices = [(); 2].map(|()| device_with(traits(&mut draw)));
    let (answerer, tokens) = mpsc::channel::<Held>();
    let thread = thread::spawn(move || {
        for held in tokens {
            // Dropped a little later, from another thread.
            thread::yield_now();
            drop(held);
        }
    });
    let handles = [devices[0].1, devices[1].1];
    let mut world = World {
        devices,
        server: None,
        parties: Vec::new(),
        held: Vec::new(),
        answerer,
        next: 0,
    };
    for _ in 0..STEPS {
        world.step(&mut draw);
    }
    world.end();
    thread.join().unwrap();
    for device in handles {
        until_clean(device);
        assert_eq!(device.counters().rnr, 0, "a message has found no buffer");
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn every_call_ends_once_whatever_happens() {
    guarded(|| {
        let seed = number("RPCIDL_FUZZ_SEED", 1);
        for at in 0..number("RPCIDL_FUZZ_CASES", CASES) {
            case(seed + at);
        }
        // The last word of a client that is connected and alone is heard, after all of that.
        let (name, _) = peer::device();
        let (address, mut server) = peer::honest_server(&name, 2);
        let mut client = connect(&address, 4).unwrap();
        peer::echo(&mut server, &mut client, 1);
    });
}
