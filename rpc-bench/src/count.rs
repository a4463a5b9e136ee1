//! Instructions per call, counted by callgrind: the same whatever else the machine does.
//!
//! The program runs itself under valgrind with two numbers of calls; the difference belongs to the calls. Both ends are
//! driven by one thread, so nothing spins. What every loop does besides calling is counted too, as a subject of its own.
//!
//! Of calls over a device only what this project adds is counted: they go through the in-process provider, and what that does inside its own
//! functions, where a NIC would do it, is taken off.

use std::hint::black_box;
use std::process::Command;

use runtime_core::{ClientConfig, ClientTransport, List, ServerConfig, ServerTransport};
use runtime_shm::{Isolated, SameUser, Trust};

use crate::by_hand::{
    fixed_by_hand, list_by_hand, nested_by_hand, sixteen_by_hand, small_by_hand, small_on_slots,
    small_on_slots_shm, small_promising, small_promising_shm,
};
use crate::plan::{INPROC, RDMA, SHM};
use crate::report::Counted;
use crate::services::{Nested, P8, P64, Sixteen, echo8, echo64, typed};
use crate::together;

/// A message that is counted.
pub(crate) struct Shape {
    /// Which lanes its calls take.
    pub backend: &'static str,
    /// Its name in the report.
    pub name: &'static str,
    /// Instructions that the generated stubs may take for a call.
    pub limit: Option<f64>,
    /// call, recv, dispatch, reply, poll through what rpcgen makes.
    generated: fn(u64) -> u64,
    /// The same message through a slot written by hand.
    by_hand: fn(u64) -> u64,
    /// The same through the slots that the stubs use, by hand, where that is counted.
    on_slots: Option<fn(u64) -> u64>,
    /// The same with what the stubs promise, by hand, where that is counted.
    promising: Option<fn(u64) -> u64>,
}

/// What is counted, and how much it may be.
pub(crate) const SHAPES: [Shape; 10] = [
    Shape {
        backend: INPROC,
        name: "echo of 8 B",
        limit: Some(160.0),
        generated: small,
        by_hand: small_by_hand,
        on_slots: Some(small_on_slots),
        promising: Some(small_promising),
    },
    Shape {
        backend: SHM,
        name: "echo of 8 B",
        limit: Some(163.0),
        generated: small_shm::<SameUser>,
        by_hand: small_by_hand,
        on_slots: Some(small_on_slots_shm),
        promising: Some(small_promising_shm),
    },
    Shape {
        backend: RDMA,
        name: "echo of 8 B",
        limit: Some(350.0),
        generated: together::small,
        by_hand: together::small_bare,
        on_slots: None,
        promising: None,
    },
    Shape {
        backend: RDMA,
        name: "fixed struct, 64 B",
        // What it takes now and 2 % more, so that it does not grow.
        limit: Some(405.0),
        generated: together::fixed,
        by_hand: together::fixed_bare,
        on_slots: None,
        promising: None,
    },
    Shape {
        backend: SHM,
        name: "echo of 8 B, isolated",
        limit: None,
        generated: small_shm::<Isolated>,
        by_hand: small_by_hand,
        on_slots: None,
        promising: None,
    },
    Shape {
        backend: INPROC,
        name: "fixed struct, 64 B",
        limit: None,
        generated: fixed,
        by_hand: fixed_by_hand,
        on_slots: None,
        promising: None,
    },
    Shape {
        backend: INPROC,
        name: "fixed struct, 64 B, in a row",
        limit: None,
        generated: fixed_in_a_row,
        by_hand: fixed_by_hand,
        on_slots: None,
        promising: None,
    },
    Shape {
        backend: INPROC,
        name: "16 fields, 72 B",
        limit: None,
        generated: sixteen,
        by_hand: sixteen_by_hand,
        on_slots: None,
        promising: None,
    },
    Shape {
        backend: INPROC,
        name: "nested structs, 80 B",
        limit: None,
        generated: nested,
        by_hand: nested_by_hand,
        on_slots: None,
        promising: None,
    },
    Shape {
        backend: INPROC,
        name: "list of 1000 bytes",
        limit: None,
        generated: list,
        by_hand: list_by_hand,
        on_slots: None,
        promising: None,
    },
];

/// Makes as many calls of a subject in this thread; `None` if there is no such subject.
pub(crate) fn run(subject: &str, calls: u64) -> Option<u64> {
    if subject == LOOP {
        return Some(empty(calls));
    }
    SHAPES.iter().find_map(|shape| {
        let (name, how) = subject.rsplit_once('/')?;
        match how {
            _ if name != shape.subject() => None,
            GENERATED => Some((shape.generated)(calls)),
            BY_HAND => Some((shape.by_hand)(calls)),
            ON_SLOTS => Some(shape.on_slots?(calls)),
            PROMISING => Some(shape.promising?(calls)),
            _ => None,
        }
    })
}

const LOOP: &str = "loop";
const GENERATED: &str = "generated";
const BY_HAND: &str = "by hand";
const ON_SLOTS: &str = "on its slots";
const PROMISING: &str = "promising the same";

/// Why nothing was counted.
#[derive(Debug)]
pub(crate) struct NotCounted(String);

impl std::fmt::Display for NotCounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Shape {
    /// Instructions a call of the generated stubs, both sides.
    pub(crate) fn generated(&self) -> Result<f64, NotCounted> {
        instructions(&format!("{}/{GENERATED}", self.subject()))
    }

    /// What names it.
    pub(crate) fn subject(&self) -> String {
        format!("{}/{}", self.backend, self.name)
    }

    /// All ways to do it.
    pub(crate) fn count(&self) -> Result<Counted, NotCounted> {
        let how = |how: &str| instructions(&format!("{}/{how}", self.subject()));
        Ok(Counted {
            backend: self.backend,
            shape: self.name,
            generated: self.generated()?,
            by_hand: how(BY_HAND)?,
            on_slots: self.on_slots.map(|_| how(ON_SLOTS)).transpose()?,
            promising: self.promising.map(|_| how(PROMISING)).transpose()?,
        })
    }
}

/// Instructions that each turn of the loops takes besides the call.
pub(crate) fn counting_loop() -> Result<f64, NotCounted> {
    instructions(LOOP)
}

/// Where the in-process provider is entered.
const PROVIDER: [&str; 4] = ["post_send", "post_recv", "post_srq_recv", "poll_cq"];

fn instructions(subject: &str) -> Result<f64, NotCounted> {
    let all = collected(subject, &[])?;
    if !subject.starts_with(RDMA) {
        return Ok(all);
    }
    let inside = PROVIDER.map(|name| format!("--toggle-collect=sim_verbs::table::data::{name}"));
    let inside = collected(subject, &inside)?;
    // Each call is received, and its buffers are given back: a provider in which nothing happened was not found by its names.
    if inside < 100.0 {
        let what = "the in-process provider's functions were not found in the program";
        return Err(NotCounted(what.into()));
    }
    Ok(all - inside)
}

/// Instructions a call that callgrind collects, with these options.
fn collected(subject: &str, options: &[String]) -> Result<f64, NotCounted> {
    // Starting the program takes 4000 instructions more in one run of eight, whatever it then counts: with this many calls that is a
    // tenth of an instruction a call.
    const FEW: u64 = 10_000;
    const MANY: u64 = 60_000;
    let count = |calls: u64| -> Result<f64, NotCounted> {
        let program =
            std::env::current_exe().map_err(|error| NotCounted(format!("no program: {error}")))?;
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .args(options)
            .arg(program)
            // Both numbers have as many digits, so that reading them takes the same.
            .args(["count", subject, &calls.to_string()])
            .output()
            .map_err(|error| {
                NotCounted(format!(
                    "valgrind could not be started ({error}); install it to count instructions"
                ))
            })?;
        let text = String::from_utf8_lossy(&output.stderr);
        text.lines()
            .find_map(|line| line.split_once("Collected :"))
            .filter(|_| output.status.success())
            .and_then(|(_, number)| number.trim().parse().ok())
            .ok_or_else(|| {
                let last = text.lines().last().unwrap_or("no output");
                NotCounted(format!("valgrind did not count: {last}"))
            })
    };
    Ok((count(MANY)? - count(FEW)?) / (MANY - FEW) as f64)
}

/// The loop that all others have around their calls: a number goes into memory, comes back and is added up.
#[inline(never)]
fn empty(calls: u64) -> u64 {
    let mut sum = 0;
    for number in 0..calls {
        sum += black_box(number);
    }
    black_box(sum)
}

/// The handler of the counted services: it sends back what came.
pub(crate) struct Echo;

impl echo8::Handler for Echo {
    #[inline(always)]
    fn echo(&mut self, payload: &P8) -> P8 {
        *payload
    }
}

impl echo64::Handler for Echo {
    #[inline(always)]
    fn echo(&mut self, payload: &P64, back: &mut P64) {
        *back = *payload;
    }
}

impl typed::Handler for Echo {
    #[inline(always)]
    fn sixteen(&mut self, value: &Sixteen) -> Sixteen {
        *value
    }

    #[inline(always)]
    fn nested(&mut self, value: &Nested) -> Nested {
        *value
    }

    #[inline(always)]
    fn list(&mut self, value: &List<u8, 1000>) -> u32 {
        length_and_first(value)
    }

    #[inline(always)]
    fn number(&mut self, value: u64) -> u64 {
        value
    }
}

#[inline(always)]
pub(crate) fn length_and_first(value: &List<u8, 1000>) -> u32 {
    value.len() as u32 + value.first().map_or(0, |&first| u32::from(first))
}

#[inline(never)]
fn small(calls: u64) -> u64 {
    let (client, server) = echo8::pair::<u64>().expect("the defaults are possible");
    small_over(calls, client, server)
}

/// Over shared memory, both ends in this process, each with its own mapping.
#[inline(never)]
fn small_shm<T: Trust>(calls: u64) -> u64 {
    let (client, server) = (ClientConfig::default(), ServerConfig::default());
    let transport = runtime_shm::Server::<echo8::Service, T>::new(&server)
        .expect("shared memory and a socket can be had");
    let ends = transport.connector().connect(&client);
    let ends = ends.expect("a fresh server admits a client");
    small_over(
        calls,
        echo8::ClientOver::over(ends, &client),
        echo8::ServerOver::over(transport, &server),
    )
}

#[inline(always)]
pub(crate) fn small_over<C, S>(
    calls: u64,
    mut client: echo8::ClientOver<C, u64>,
    mut server: echo8::ServerOver<S>,
) -> u64
where
    C: ClientTransport<Service = echo8::Service>,
    S: ServerTransport<Service = echo8::Service>,
{
    let mut sum = 0;
    for number in 0..calls {
        let payload = P8 { words: [number] };
        let _ = client.echo(&payload, number);
        let _ = server.poll(&mut Echo, 1);
        let _ = client.poll(|user_data, echo8::Reply::Echo(reply)| {
            sum += user_data + reply.map_or(0, |reply| reply.words[0]);
        });
    }
    black_box(sum)
}

#[inline(never)]
fn fixed(calls: u64) -> u64 {
    let (client, server) = echo64::pair::<u64>().expect("the defaults are possible");
    fixed_over(calls, client, server)
}

#[inline(always)]
pub(crate) fn fixed_over<C, S>(
    calls: u64,
    mut client: echo64::ClientOver<C, u64>,
    mut server: echo64::ServerOver<S>,
) -> u64
where
    C: ClientTransport<Service = echo64::Service>,
    S: ServerTransport<Service = echo64::Service>,
{
    let (mut sum, mut payload) = (0, P64::default());
    for number in 0..calls {
        let payload = black_box(&mut payload);
        payload.words[0] = number;
        let _ = client.echo(payload, number);
        let _ = server.poll(&mut Echo, 1);
        let _ = client.poll(|user_data, echo64::Reply::Echo(reply)| {
            sum += user_data + reply.map_or(0, |reply| reply.back.words[0]);
        });
    }
    black_box(sum)
}

/// As many in flight as the window has room for, each side in turn.
#[inline(never)]
fn fixed_in_a_row(calls: u64) -> u64 {
    let (mut client, mut server) = echo64::pair::<u64>().expect("the defaults are possible");
    let window = client.window() as u64;
    let (mut sum, mut payload) = (0, P64::default());
    let mut sent = 0;
    while sent < calls {
        let until = calls.min(sent + window);
        while sent < until {
            let payload = black_box(&mut payload);
            payload.words[0] = sent;
            let _ = client.echo(payload, sent);
            sent += 1;
        }
        let _ = server.poll(&mut Echo, window as usize);
        let _ = client.poll(|user_data, echo64::Reply::Echo(reply)| {
            sum += user_data + reply.map_or(0, |reply| reply.back.words[0]);
        });
    }
    black_box(sum)
}

/// Calls of one method of `ITyped`.
#[inline(always)]
fn typed(calls: u64, mut send: impl FnMut(&mut typed::Client<u64>, u64)) -> u64 {
    let (mut client, mut server) = typed::pair().expect("the defaults are possible");
    let mut sum = 0;
    for number in 0..calls {
        send(&mut client, number);
        let _ = server.poll(&mut Echo, 1);
        let _ = client.poll(|user_data, reply| {
            let word = match reply {
                typed::Reply::Sixteen(reply) => reply.map_or(0, |reply| reply.a),
                typed::Reply::Nested(reply) => reply.map_or(0, |reply| reply.first.words[0]),
                typed::Reply::List(reply) => reply.map_or(0, |&reply| u64::from(reply)),
                typed::Reply::Number(reply) => reply.map_or(0, |&reply| reply),
            };
            sum += user_data + word;
        });
    }
    black_box(sum)
}

#[inline(never)]
fn sixteen(calls: u64) -> u64 {
    let mut value = Sixteen::default();
    typed(calls, |client, number| {
        let value = black_box(&mut value);
        value.a = number;
        let _ = client.sixteen(value, number);
    })
}

#[inline(never)]
fn nested(calls: u64) -> u64 {
    let mut value = Nested::default();
    typed(calls, |client, number| {
        let value = black_box(&mut value);
        value.first.words[0] = number;
        let _ = client.nested(value, number);
    })
}

#[inline(never)]
fn list(calls: u64) -> u64 {
    let mut value = full_list();
    typed(calls, |client, number| {
        let value = black_box(&mut value);
        value[0] = number as u8;
        let _ = client.list(value, number);
    })
}

pub(crate) fn full_list() -> List<u8, 1000> {
    let mut value = List::new();
    value.set(&[1; 1000]).expect("it is as long as it may be");
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_do_the_same_work() {
        for shape in &SHAPES {
            let generated = run(&format!("{}/{GENERATED}", shape.subject()), 300);
            assert!(generated.is_some_and(|sum| sum > 300), "{}", shape.name);
            let by_hand = run(&format!("{}/{BY_HAND}", shape.subject()), 300);
            assert_eq!(generated, by_hand, "{}", shape.subject());
            if shape.on_slots.is_some() {
                let on_slots = run(&format!("{}/{ON_SLOTS}", shape.subject()), 300);
                assert_eq!(generated, on_slots, "{}", shape.subject());
            }
            if shape.promising.is_some() {
                let promising = run(&format!("{}/{PROMISING}", shape.subject()), 300);
                assert_eq!(generated, promising, "{}", shape.subject());
            }
        }
    }

    #[test]
    fn there_are_no_other_subjects() {
        for subject in [
            "",
            "echo of 8 B",
            "inproc/echo of 8 B/",
            "inproc/echo of 9 B/generated",
            "rdma/echo of 9 B/generated",
        ] {
            assert_eq!(run(subject, 1), None, "{subject}");
        }
        assert!(run(LOOP, 1).is_some());
    }
}
