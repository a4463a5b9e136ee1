//! Both ends of a connection in one thread, so that nothing spins and every step is counted once: over the in-process provider, and, over
//! a device, with all that the kernel does.

use std::hint::black_box;
use std::time::Instant;

use runtime_core::{ClientConfig, ServerConfig};

use crate::count::{Echo, fixed_over, small_over};
use crate::figure::{Figure, Must, Value};
use crate::host::Host;
use crate::plan::RDMA;
use crate::services::{P8, P64, echo8, echo64};
use crate::stats;
use crate::subjects::verbs::{End, Lost, Port};
use crate::subjects::{fill, sum_bytes};
use crate::watchdog;

/// The device of the in-process provider.
fn provider() -> Host {
    sim_verbs::install();
    Host::of("127.0.0.1").expect("it is an address")
}

/// Both ends of a service at a host.
macro_rules! ends {
    ($name:ident, $service:ident) => {
        fn $name(
            host: &Host,
        ) -> Result<
            (
                $service::ClientOver<runtime_rdma::Client<$service::Service>, u64>,
                $service::ServerOver<runtime_rdma::Server<$service::Service>>,
            ),
            String,
        > {
            let config = ServerConfig::default();
            let server = $service::ServerOver::<runtime_rdma::Server<$service::Service>>::bind_with(
                &host.at(0),
                &config,
            );
            let server = server.map_err(|error| error.to_string())?;
            let port = server.transport().local_addr().port();
            let client =
                $service::ClientOver::connect_with(&host.at(port.into()), &ClientConfig::default());
            Ok((client.map_err(|error| error.to_string())?, server))
        }
    };
}
ends! { ends8, echo8 }
ends! { ends64, echo64 }

/// Both ends of bare verbs: the first asks, the second answers.
fn bare_ends(host: &Host, bytes: usize) -> Result<(End, End), String> {
    let asking = End::new(Port::find(host)?, bytes, false)?;
    let answering = End::new(Port::find(host)?, bytes, true)?;
    asking.connect(answering.number())?;
    answering.connect(asking.number())?;
    Ok((asking, answering))
}

/// Echoes of 8 bytes over the in-process provider.
#[inline(never)]
pub(crate) fn small(calls: u64) -> u64 {
    let (client, server) = ends8(&provider()).expect("the provider has a device");
    small_over(calls, client, server)
}

/// Echoes of 64 bytes.
#[inline(never)]
pub(crate) fn fixed(calls: u64) -> u64 {
    let (client, server) = ends64(&provider()).expect("the provider has a device");
    fixed_over(calls, client, server)
}

/// The same messages by bare verbs: each posted alone, and every buffer given back alone.
#[inline(never)]
pub(crate) fn small_bare(calls: u64) -> u64 {
    bare(calls, 8)
}

/// The same of 64 bytes.
#[inline(never)]
pub(crate) fn fixed_bare(calls: u64) -> u64 {
    bare(calls, 64)
}

#[inline(always)]
fn bare(calls: u64, bytes: usize) -> u64 {
    let (mut asking, mut answering) =
        bare_ends(&provider(), bytes).expect("the provider has a device");
    let mut sum = 0;
    for number in 0..calls {
        // A word of it, as the caller of the stubs changes.
        let sent = asking.send(|payload| payload[..8].copy_from_slice(&number.to_ne_bytes()));
        let answered = answering.answer(|_| ());
        let read = asking.receive(|payload| sum_bytes(&payload[..8]));
        if let (Ok(()), Ok(Some(())), Ok(Some(word))) = (sent, answered, read) {
            sum += number + word;
        }
    }
    black_box(sum)
}

/// Rounds of which the one counts in which doorbells rang least: in others this thread may have been switched out, and then replies leave
/// that had waited for long enough.
const ROUNDS: u64 = 10;

/// How often the doorbells of both sides, the client's first, ring for each call of 64 bytes over the in-process provider, of which as many as
/// may be in flight leave together.
pub(crate) fn doorbells() -> Result<[f64; 2], String> {
    const IN_FLIGHT: u64 = 32;
    const CALLS: u64 = 10 * IN_FLIGHT;
    let (mut client, mut server) = ends64(&provider())?;
    let mut least = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        let before = [
            client.transport().doorbells(),
            server.transport().doorbells(),
        ];
        for _ in 0..CALLS / IN_FLIGHT {
            client.hold_doorbell();
            for _ in 0..IN_FLIGHT {
                let sent = client.echo(&P64::default(), 0);
                sent.map_err(|error| format!("a call was refused: {error}"))?;
            }
            client.ring_doorbell();
            let mut answered = 0;
            while answered < IN_FLIGHT {
                let polled = server
                    .poll(&mut Echo, 64)
                    .map_err(|error| error.to_string())?;
                let polled_back = client.poll(|_, _| ());
                let polled_back = polled_back.map_err(|error| error.to_string())?;
                if polled + polled_back == 0 {
                    return Err("a call was not answered".into());
                }
                answered += polled_back as u64;
            }
        }
        let after = [
            client.transport().doorbells(),
            server.transport().doorbells(),
        ];
        for side in 0..2 {
            let each = (after[side] - before[side]) as f64 / CALLS as f64;
            least[side] = least[side].min(each);
        }
    }
    Ok(least)
}

/// What the whole stack may take more than bare verbs do.
const WHOLE_STACK: f64 = 1.08;

/// Calls of a slice, of which as many again come first and are not timed.
const CALLS: u64 = 200;

/// The rows over a device.
pub(crate) fn device(quick: bool, host: &Host, mut tell: impl FnMut(Figure)) -> Result<(), String> {
    let rounds = if quick { 5 } else { 20 };
    let (mut client, mut server) = ends8(host)?;
    let small = |number: u64| {
        let payload = P8 { words: [number] };
        client.echo(&payload, number).map_err(|_| Lost)?;
        let mut sum = 0;
        loop {
            server.poll(&mut Echo, 1).map_err(|_| Lost)?;
            let polled = client.poll(|_, echo8::Reply::Echo(reply)| {
                sum += reply.map_or(0, |reply| reply.words[0]);
            });
            if polled.map_err(|_| Lost)? != 0 {
                return Ok(sum);
            }
        }
    };
    tell(compare(host, 8, rounds, small)?);
    let (mut client, mut server) = ends64(host)?;
    let fixed = |number: u64| {
        let payload = P64 { words: [number; 8] };
        client.echo(&payload, number).map_err(|_| Lost)?;
        let mut sum = 0_u64;
        loop {
            server.poll(&mut Echo, 1).map_err(|_| Lost)?;
            let polled = client.poll(|_, echo64::Reply::Echo(reply)| {
                sum += reply.map_or(0, |reply| crate::subjects::sum(&reply.back.words));
            });
            if polled.map_err(|_| Lost)? != 0 {
                return Ok(sum);
            }
        }
    };
    tell(compare(host, 64, rounds, fixed)?);
    Ok(())
}

/// Slices of calls beside slices of bare messages, in the order ABBA.
fn compare(
    host: &Host,
    bytes: usize,
    rounds: usize,
    mut call: impl FnMut(u64) -> Result<u64, Lost>,
) -> Result<Figure, String> {
    let (mut asking, mut answering) = bare_ends(host, bytes)?;
    let mut ask = |number: u64| {
        asking.send(|payload| fill(payload, number))?;
        loop {
            answering.answer(|payload| black_box(payload).len())?;
            if let Some(sum) = asking.receive(|payload| sum_bytes(black_box(payload)))? {
                return Ok(sum);
            }
        }
    };
    let (mut ratios, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let slices = (|| {
            Ok::<_, Lost>([
                slice(&mut ask, bytes)?,
                slice(&mut call, bytes)?,
                slice(&mut call, bytes)?,
                slice(&mut ask, bytes)?,
            ])
        })();
        let [first, second, third, fourth] = slices.map_err(|Lost| "a message was lost")?;
        ratios.push((second + third) / (first + fourth));
        ours.extend([second, third]);
        theirs.extend([first, fourth]);
        watchdog::feed();
    }
    let ratio = stats::bootstrap(&ratios).ok_or("nothing was measured")?;
    Ok(Figure {
        workload: "B6",
        backend: RDMA,
        subject: format!("echo of {bytes} B, both ends in one thread"),
        baseline: "bare verbs in one thread".into(),
        values: vec![
            Value::new("call", stats::median(&mut ours), "ns"),
            Value::new("bare", stats::median(&mut theirs), "ns"),
            // Where the clock counts instructions, it hardly varies; where it does, this says nothing.
            Value::new("ratio", ratio.median, "")
                .must(Must::AtMost(WHOLE_STACK))
                .decided(ratio.high - ratio.low <= 0.02),
            Value::new("low", ratio.low, ""),
            Value::new("high", ratio.high, ""),
        ],
    })
}

/// Nanoseconds of each of some round trips, after as many that are not timed.
fn slice(round_trip: &mut impl FnMut(u64) -> Result<u64, Lost>, bytes: usize) -> Result<f64, Lost> {
    let mut start = Instant::now();
    for number in 0..2 * CALLS {
        if number == CALLS {
            start = Instant::now();
        }
        let words = bytes as u64 / 8;
        if round_trip(number)? != words * number {
            return Err(Lost);
        }
    }
    Ok(start.elapsed().as_nanos() as f64 / CALLS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_flight_shares_doorbells() {
        let [client, server] = doorbells().unwrap();
        for rung in [client, server] {
            assert!(rung > 0.0 && rung <= 0.25, "{client} and {server}");
        }
    }

    #[test]
    fn the_whole_stack_is_compared() {
        let mut figures = Vec::new();
        device(true, &provider(), |figure| figures.push(figure)).unwrap();
        assert_eq!(figures.len(), 2);
        for figure in figures {
            let text = figure.text();
            assert!(
                text.contains("both ends in one thread / bare verbs"),
                "{text}"
            );
            assert!(
                figure.values.iter().all(|value| value.number > 0.0),
                "{text}"
            );
        }
    }
}
