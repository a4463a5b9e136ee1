//! A queue pair of a connection: how large it is, and how it is brought up.

use std::sync::Arc;

use runtime_core::AttachError;

use crate::address::Options;
use crate::device::{Port, path_mtu, system};
use crate::handshake::Endpoint;
use crate::verbs::bindings::ibv_qp_cap;
use crate::verbs::{Channel, Cq, Path, Qp, Remote, Srq};

/// How long a sender waits that met a receiver without a buffer: code 12 is 0.64 ms (InfiniBand Architecture Specification, volume 1,
/// table 45). It never happens between sides that keep the protocol.
const RNR_TIMER: u8 = 12;

/// Routers that a packet may pass.
const HOPS: u8 = 64;

/// Messages that a side may have outstanding: two windows' worth, since a completion is read for many at a time.
pub(crate) fn send_depth(window: usize, events: usize, limit: i32) -> u32 {
    let wanted = (2 * window + events + 16).next_power_of_two();
    // What a device cannot take waits on this side.
    (wanted as u32).min(limit.max(16) as u32)
}

/// A queue pair that is not connected yet.
pub(crate) struct Made {
    pub(crate) qp: Qp,
    pub(crate) send_cq: Arc<Cq>,
    pub(crate) depth: u32,
    /// Bytes of a message that is sent inline at most.
    pub(crate) inline: u32,
    /// What the other side has to know.
    pub(crate) endpoint: Endpoint,
}

/// Makes a queue pair that can receive, but is not connected yet. It sends messages of up to `inline` bytes inline, if the device can.
pub(crate) fn make(
    port: &Port,
    depth: u32,
    receives: u32,
    inline: u32,
    recv_cq: &Arc<Cq>,
    srq: Option<&Arc<Srq>>,
) -> Result<Made, AttachError> {
    let device = &port.device;
    // One for each connection: on an error every message outstanding completes, and no other connection's completions are lost by that.
    let send_cq = Cq::new(&device.context, depth + 1, None::<&Arc<Channel>>)
        .map_err(|error| system("making the completion queue of a connection", error))?;
    let mut inline = inline;
    let qp = loop {
        let caps = ibv_qp_cap {
            max_send_wr: depth,
            max_recv_wr: if srq.is_some() { 0 } else { receives },
            max_send_sge: 1,
            max_recv_sge: u32::from(srq.is_none()),
            max_inline_data: inline,
        };
        match Qp::new(&device.pd, &send_cq, recv_cq, srq, caps) {
            Ok(qp) => break qp,
            // There is no way to ask for a device's limit but to try.
            Err(error) if inline != 0 && error.raw_os_error() == Some(libc::EINVAL) => {
                inline = if inline > 64 { 64 } else { 0 };
            }
            Err(error) => {
                return Err(system(
                    format!(
                        "making a queue pair of {depth} sends and {receives} receives on `{}`",
                        device.context.name()
                    ),
                    error,
                ));
            }
        }
    };
    qp.to_init(port.number, 0)
        .map_err(|error| system("bringing up a queue pair", error))?;
    let endpoint = Endpoint {
        qpn: qp.number(),
        // A number that earlier packets of another connection, which may still be on their way, hardly have.
        psn: random() & 0xff_ffff,
        ..port.endpoint
    };
    Ok(Made {
        // A device may have room for more than it was asked for.
        inline: inline.min(qp.max_inline()),
        qp,
        send_cq,
        depth,
        endpoint,
    })
}

/// Connects a queue pair to another.
pub(crate) fn connect(
    made: &Made,
    port: &Port,
    theirs: &Endpoint,
    options: &Options,
) -> Result<(), AttachError> {
    let fault = |step: &str| {
        let what = format!("connecting a queue pair ({step})");
        move |error| system(what, error)
    };
    if theirs.is_global != made.endpoint.is_global {
        return Err(system(
            "connecting a queue pair",
            "one side is on Ethernet and the other on InfiniBand",
        ));
    }
    let remote = Remote {
        qpn: theirs.qpn,
        psn: theirs.psn,
        lid: theirs.lid,
        gid: theirs.gid,
        is_global: theirs.is_global,
    };
    let path = Path {
        port: port.number,
        gid_index: port.gid_index,
        mtu: path_mtu(&made.endpoint, theirs).into(),
        min_rnr_timer: RNR_TIMER,
        hop_limit: HOPS,
        traffic_class: 0,
        sl: 0,
    };
    made.qp
        .to_rtr(&remote, &path)
        .map_err(fault("to receive"))?;
    made.qp
        .to_rts(
            made.endpoint.psn,
            options.timeout,
            options.retry,
            options.rnr_retry,
        )
        .map_err(fault("to send"))
}

/// A number that nobody has to be kept from guessing.
fn random() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) as u32
}

/// Room in a device for completions: at most what it can.
pub(crate) fn completions(wanted: usize, limit: i32) -> u32 {
    wanted.min(limit.max(1) as usize) as u32
}
