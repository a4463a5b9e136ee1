//! B10: what a call over a device is made of, counted: doorbells of both sides, and the device's own counters.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::Ordering;

use crate::figure::{Figure, Must, Value};
use crate::order::Waiting;
use crate::plan::RDMA;
use crate::remote::Remote;
use crate::services::{P64, echo64};
use crate::subjects::echo::at_a_time;
use crate::subjects::waiting::{Between as _, Client, OverDevice, client};
use crate::subjects::{sum, time_batches};
use crate::watchdog;

/// Calls that are counted: many windows of each depth.
const CALLS: usize = 3200;

/// Counters of messages that found no buffer or were given up. Between sides that keep the protocol there are none.
const FORBIDDEN: [&str; 4] = [
    "send_rnr_err",
    "rcvd_rnr_err",
    "retry_exceeded_err",
    "retry_rnr_exceeded_err",
];

/// What a doorbell of each side may be shared by, at the least, with 32 calls in flight.
pub(crate) const DOORBELLS: f64 = 0.25;

/// The rows.
pub(crate) fn run(
    device: &OverDevice,
    core: Option<usize>,
    mut tell: impl FnMut(Figure),
) -> Result<(), String> {
    let mut remote = Remote::start(core)?;
    for depth in [1, 32] {
        tell(row(device, &mut remote, depth)?);
        watchdog::feed();
    }
    Ok(())
}

fn row(device: &OverDevice, remote: &mut Remote, depth: usize) -> Result<Figure, String> {
    let name = device.serve(remote, Waiting::Spin)?;
    let mut client = client::<OverDevice>(&name, Waiting::Spin)?;
    let before = counters();
    let answered = calls(&mut client, depth);
    let after = counters();
    let ours = client.transport().doorbells();
    remote.stop();
    remote.stopped()?;
    // Stored before it said that it has stopped.
    let theirs = remote.mapping().doorbells().load(Ordering::Acquire);
    drop(client);
    if answered < CALLS {
        return Err("a call failed".into());
    }
    let per_call = |count: f64| count / answered as f64;
    let must = if depth == 32 {
        Must::AtMost(DOORBELLS)
    } else {
        Must::Anything
    };
    let mut values = vec![
        Value::new("client_doorbells", per_call(ours as f64), "/call").must(must),
        Value::new("server_doorbells", per_call(theirs.into()), "/call").must(must),
    ];
    for (name, count) in after {
        let moved = count.saturating_sub(before.get(&name).copied().unwrap_or(0));
        if let Some(name) = FORBIDDEN.into_iter().find(|forbidden| *forbidden == name) {
            values.push(Value::new(name, moved as f64, "").must(Must::AtMost(0.0)));
        } else if moved != 0 {
            // The few names that a device has, once for each row.
            values.push(Value::new(name.leak(), per_call(moved as f64), "/call"));
        }
    }
    Ok(Figure {
        workload: "B10",
        backend: RDMA,
        subject: format!("{answered} calls of 64 B, depth {depth}"),
        baseline: String::new(),
        values,
    })
}

/// Makes the calls, as many at a time: how many were answered.
fn calls(client: &mut Client<OverDevice>, depth: usize) -> usize {
    let (mut total, mut answered) = (0_u64, 0);
    // Two closures use the client in turn.
    let client = RefCell::new(client);
    time_batches(
        CALLS,
        CALLS,
        (depth, at_a_time(depth)),
        &mut Vec::new(),
        |first, room| {
            // The calls that are counted, and no more.
            let room = room.min((CALLS as u64 + 1).saturating_sub(first) as usize);
            let client = &mut *client.borrow_mut();
            client.hold_doorbell();
            let sent = (first..)
                .take(room)
                .take_while(|number| {
                    let payload = P64 {
                        words: [*number; 8],
                    };
                    client.echo(&payload, *number).is_ok()
                })
                .count();
            client.ring_doorbell();
            sent
        },
        || {
            let mut failed = false;
            let polled = client
                .borrow_mut()
                .poll(|_, echo64::Reply::Echo(reply)| match reply {
                    Ok(reply) => total = total.wrapping_add(sum(&reply.back.words)),
                    Err(_) => failed = true,
                });
            let polled = polled.ok().filter(|_| !failed)?;
            answered += polled;
            Some(polled)
        },
    );
    black_box(total);
    answered
}

/// What the devices of this machine have counted, all ports together.
fn counters() -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    let list = |path: String| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    for device in list("/sys/class/infiniband".into()) {
        for port in list(format!("{}/ports", device.display())) {
            for counter in list(format!("{}/hw_counters", port.display())) {
                let name = counter.file_name().unwrap_or_default().to_string_lossy();
                let text = std::fs::read_to_string(&counter).unwrap_or_default();
                // Not all that lies there is a number.
                if let Ok(count) = text.trim().parse::<u64>() {
                    *sums.entry(name.into_owned()).or_default() += count;
                }
            }
        }
    }
    sums
}
