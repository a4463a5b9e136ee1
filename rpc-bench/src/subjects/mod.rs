//! What can be measured.

#[cfg(feature = "peers")]
pub(crate) mod channels;
pub(crate) mod echo;
#[cfg(feature = "iceoryx2")]
pub(crate) mod iceoryx;
#[cfg(feature = "peers")]
pub(crate) mod ipc;
pub(crate) mod lane;
pub(crate) mod raw;
pub(crate) mod rdma;
pub(crate) mod slots;
pub(crate) mod socket;
pub(crate) mod system;
pub(crate) mod verbs;
pub(crate) mod waiting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::mapping::Mapping;
use crate::order::Order;
use crate::pair::Answerer;

/// The side of the other process that does what it was told.
pub(crate) fn answerer(order: &Order, mapping: &Arc<Mapping>) -> Result<Box<dyn Answerer>, String> {
    use raw::{Memory, Side};
    let fresh = |place: usize, bytes: usize, count: usize| {
        let size = Side::bytes(bytes, count);
        let memory = Memory::shared(mapping, place, size)?;
        memory.clear(size);
        Ok::<_, String>(memory)
    };
    Ok(match order {
        &Order::PingPong {
            lines,
            read_only,
            bytes,
            place,
        } => {
            let mut memory = fresh(place, bytes, 1)?;
            if read_only {
                memory = Memory::apart(mapping, place, Side::bytes(bytes, 1))?;
            }
            Box::new(Side::answerer(&memory, lines, bytes))
        }
        &Order::Slots {
            bytes,
            depth,
            place,
        } => {
            let memory = fresh(place, bytes, depth)?;
            Box::new(slots::Answering::over(&memory, bytes, depth))
        }
        &Order::Futex { place } => Box::new(system::Answering::at(mapping, place)?),
        Order::Shm {
            bytes,
            isolated,
            waiting,
            name,
        } => {
            let service = echo::service(*bytes)?;
            if *isolated {
                (service.answer_isolated)(name, *waiting)?
            } else {
                (service.answer)(name, *waiting)?
            }
        }
        Order::Rdma {
            bytes,
            waiting,
            host,
        } => (echo::service(*bytes)?.answer_rdma)(&Host::of(host)?.at(0), *waiting, mapping)?,
        Order::Verbs { bytes, host } => {
            Box::new(verbs::Answering::at(&Host::of(host)?, *bytes, mapping)?)
        }
        Order::Hold { name } => Box::new(waiting::Holding::at(name, mapping)?),
        Order::Socket { bytes, name } => Box::new(socket::Answering::at(name, *bytes)?),
        Order::Peer { of, bytes, name } => match of.as_str() {
            #[cfg(feature = "iceoryx2")]
            iceoryx::NAME => iceoryx::answerer(*bytes, name)?,
            #[cfg(feature = "peers")]
            ipc::NAME => ipc::answerer(*bytes, name)?,
            other => {
                return Err(format!(
                    "there is no peer `{other}` of {bytes} bytes at `{name}`: the program was built without it"
                ));
            }
        },
    })
}

/// What a gap between calls adds to a name.
fn gap_name(gap: Duration) -> String {
    match gap.as_micros() {
        0 => String::new(),
        microseconds => format!(", idle for {microseconds} us"),
    }
}

/// As [`time_groups`], but for a gap before every call, in which the caller keeps its core busy and which is not timed.
#[inline(always)]
pub(crate) fn time_gapped(
    calls: usize,
    group: usize,
    gap: Duration,
    times: &mut Vec<f64>,
    mut call: impl FnMut(u64),
) {
    if gap.is_zero() {
        return time_groups(calls, group, times, call);
    }
    for number in 1..=calls as u64 {
        let idle = Instant::now();
        while idle.elapsed() < gap {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        call(number);
        times.push(start.elapsed().as_nanos() as f64);
    }
}

/// Makes `calls` calls one after the other and notes the time per call of each group.
#[inline(always)]
pub(crate) fn time_groups(
    calls: usize,
    group: usize,
    times: &mut Vec<f64>,
    mut call: impl FnMut(u64),
) {
    let mut number = 1;
    for _ in 0..calls / group {
        let start = Instant::now();
        for _ in 0..group {
            call(number);
            number += 1;
        }
        times.push(start.elapsed().as_nanos() as f64 / group as f64);
    }
}

/// Keeps `depth` calls in flight until `calls` are answered, and notes the time per call of each group. `send` returns false
/// when there is no room, `receive` how many answers came; `None` ends it, since none will come any more.
#[inline(always)]
pub(crate) fn time_pipeline(
    calls: usize,
    group: usize,
    depth: usize,
    times: &mut Vec<f64>,
    mut send: impl FnMut(u64) -> bool,
    receive: impl FnMut() -> Option<usize>,
) {
    let refill = |first: u64, room: usize| {
        let mut sent = 0;
        while sent < room && send(first + sent as u64) {
            sent += 1;
        }
        sent
    };
    time_batches(calls, group, (depth, 1), times, refill, receive);
}

/// As [`time_pipeline`], for a side that sends several at once: `refill` gets the number of the first and how many may follow, and
/// returns how many it has sent. It is asked when so many may: the second of the numbers.
#[inline(always)]
pub(crate) fn time_batches(
    calls: usize,
    group: usize,
    (depth, together): (usize, usize),
    times: &mut Vec<f64>,
    mut refill: impl FnMut(u64, usize) -> usize,
    mut receive: impl FnMut() -> Option<usize>,
) {
    let mut in_flight = 0;
    let mut number = 1;
    for _ in 0..calls / group {
        let start = Instant::now();
        let mut answered = 0;
        while answered < group {
            if in_flight + together <= depth {
                let sent = refill(number, depth - in_flight);
                number += sent as u64;
                in_flight += sent;
            }
            let Some(got) = receive() else { return };
            in_flight -= got;
            answered += got;
            if got == 0 {
                std::hint::spin_loop();
            }
        }
        times.push(start.elapsed().as_nanos() as f64 / answered as f64);
    }
    while in_flight != 0 {
        let Some(got) = receive() else { return };
        in_flight -= got;
    }
}

/// Adds up a payload, so that it is read. Its size is known when it is compiled, as whoever calls or serves knows it.
#[inline(always)]
pub(crate) fn sum<const WORDS: usize>(words: &[u64; WORDS]) -> u64 {
    let words = std::hint::black_box(words);
    words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}

/// Writes a payload, so that it is written.
#[inline(always)]
pub(crate) fn fill(payload: &mut [u8], number: u64) {
    for word in payload.chunks_exact_mut(8) {
        word.copy_from_slice(&number.to_ne_bytes());
    }
}

/// Adds up a payload of bytes, so that it is read.
#[inline(always)]
pub(crate) fn sum_bytes(payload: &[u8]) -> u64 {
    payload.chunks_exact(8).fold(0, |sum, word| {
        word.try_into()
            .map_or(sum, |word| sum.wrapping_add(u64::from_ne_bytes(word)))
    })
}
