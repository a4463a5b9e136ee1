//! Which subjects are compared with which baselines.

use std::time::Duration;

use crate::host::Host;
use crate::order::Waiting;
use crate::pair::Subject;
use crate::subjects::lane::{Inproc, InprocBlocking, Shm};
use crate::subjects::raw::PingPong;
use crate::subjects::rdma::Rdma;
use crate::subjects::slots::Slots;
use crate::subjects::socket::Socket;
use crate::subjects::system::Futex;
use crate::subjects::verbs::Bare;
use crate::subjects::waiting::Blocking;

/// Calls between threads of one process.
pub(crate) const INPROC: &str = "inproc";

/// Calls between two processes.
pub(crate) const SHM: &str = "shm";

/// Calls between two processes over an RDMA device.
pub(crate) const RDMA: &str = "rdma";

/// How long a slice takes, and so how many there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A millisecond or so.
    Usual,
    /// Calls take hundreds of times as long.
    Sleeps,
    /// Every message is a system call or a turn of a device, and connecting takes milliseconds.
    Device,
    /// Making the sides takes tens of milliseconds.
    #[cfg(feature = "iceoryx2")]
    StartsSlowly,
}

/// One comparison.
pub(crate) struct Case {
    /// The workload, such as `B1`.
    pub workload: &'static str,
    /// Which of our backends it is about, or would take the subject's place.
    pub backend: &'static str,
    /// Bytes of payload each way.
    pub bytes: usize,
    /// Calls in flight.
    pub depth: usize,
    /// What it is compared with.
    pub baseline: Box<dyn Subject>,
    /// What is compared.
    pub subject: Box<dyn Subject>,
    /// What the ratio must not exceed, if something is promised.
    pub must: Option<f64>,
    /// How long it takes.
    pub pace: Pace,
}

impl Case {
    /// Over the bare ping-pong of the same payload between the same two, with lines for each way.
    fn new(
        workload: &'static str,
        backend: &'static str,
        bytes: usize,
        depth: usize,
        subject: impl Subject + 'static,
    ) -> Self {
        Self {
            workload,
            backend,
            bytes,
            depth,
            baseline: Box::new(PingPong {
                lines: 2,
                bytes,
                processes: backend == SHM,
                read_only: false,
            }),
            subject: Box::new(subject),
            must: None,
            pace: Pace::Usual,
        }
    }

    /// Over something else.
    fn over(self, baseline: impl Subject + 'static) -> Self {
        Self {
            baseline: Box::new(baseline),
            ..self
        }
    }

    fn must(self, must: f64) -> Self {
        Self {
            must: Some(must),
            ..self
        }
    }

    fn sleeping(self) -> Self {
        Self {
            pace: Pace::Sleeps,
            ..self
        }
    }
}

/// What a round trip over a device must not exceed, over bare verbs.
const PROMISED_OF_DEVICE: f64 = 1.15;

/// The comparisons of a workload over a device: all over the bare ping-pong of as many bytes through the same port.
pub(crate) fn device_cases(workload: &str, quick: bool, host: &Host) -> Vec<Case> {
    let case = |workload, bytes, depth| {
        let subject = Rdma {
            bytes,
            depth,
            host: host.clone(),
        };
        let baseline = Bare {
            bytes,
            host: host.clone(),
        };
        Case {
            pace: Pace::Device,
            ..Case::new(workload, RDMA, bytes, depth, subject).over(baseline)
        }
    };
    match workload {
        "B1" => {
            let sizes: &[usize] = if quick {
                &[8, 64, 1024]
            } else {
                &[8, 64, 256, 1024, 4096]
            };
            let sizes = sizes.iter();
            sizes
                .map(|&bytes| case("B1", bytes, 1).must(PROMISED_OF_DEVICE))
                .collect()
        }
        "B2" => {
            let depths: &[usize] = if quick { &[32] } else { &[1, 2, 4, 8, 16, 32] };
            depths.iter().map(|&depth| case("B2", 64, depth)).collect()
        }
        _ => Vec::new(),
    }
}

/// The comparisons of a workload, those of each backend together.
pub(crate) fn cases(workload: &str, quick: bool) -> Vec<Case> {
    match workload {
        "B0" => machine(quick),
        "B1" => round_trips(quick),
        "B2" => pipelined(quick),
        "B4" => blocking(quick),
        "B7" => isolated(quick),
        _ => Vec::new(),
    }
}

/// Payloads of round trips.
const SIZES: [usize; 8] = [8, 32, 56, 64, 128, 256, 1024, 4096];

fn machine(quick: bool) -> Vec<Case> {
    let one_line = |backend: &'static str, bytes: usize| {
        let subject = PingPong {
            lines: 1,
            bytes,
            processes: backend == SHM,
            read_only: false,
        };
        Case::new("B0", backend, bytes, 1, subject)
    };
    let futex = |backend: &'static str| {
        let subject = Futex {
            processes: backend == SHM,
            gap: Duration::ZERO,
        };
        Case::new("B0", backend, 8, 1, subject).sleeping()
    };
    let sizes = [8, 56, 64, 1024, 4096];
    let mut cases: Vec<_> = sizes.map(|bytes| one_line(INPROC, bytes)).into();
    if quick {
        return cases;
    }
    cases.push(futex(INPROC));
    cases.extend(sizes.map(|bytes| one_line(SHM, bytes)));
    cases.push(futex(SHM));
    // Whether it matters for the bare lines that they lie in two processes.
    let two_lines = |bytes: usize, processes: bool| PingPong {
        lines: 2,
        bytes,
        processes,
        read_only: false,
    };
    for bytes in [8, 64] {
        let case = Case::new("B0", SHM, bytes, 1, two_lines(bytes, true));
        cases.push(case.over(two_lines(bytes, false)));
    }
    cases
}

/// What a round trip of so many bytes must not exceed, over the bare ping-pong.
fn promised_of(bytes: usize) -> f64 {
    match bytes {
        ..57 => 1.00,
        57..=1024 => 1.10,
        _ => 0.70,
    }
}

fn round_trips(quick: bool) -> Vec<Case> {
    let sizes: &[usize] = if quick {
        &[8, 56, 64, 1024, 4096]
    } else {
        &SIZES
    };
    let mut cases = Vec::new();
    for &bytes in sizes {
        let inproc = Inproc { bytes, depth: 1 };
        cases.push(Case::new("B1", INPROC, bytes, 1, inproc).must(promised_of(bytes)));
        cases.extend(peers("B1", bytes, 1));
        if !quick {
            // What a caller pays who waits in the call instead of polling.
            let blocking = InprocBlocking { bytes };
            cases.push(Case::new("B1", INPROC, bytes, 1, blocking).over(inproc));
        }
    }
    let sizes: &[usize] = if quick { &[56, 64] } else { &SIZES };
    for &bytes in sizes {
        let shm = Shm {
            bytes,
            depth: 1,
            isolated: false,
        };
        let case = |subject: Shm| Case::new("B1", SHM, bytes, 1, subject);
        cases.push(case(shm).must(promised_of(bytes)));
        if quick {
            continue;
        }
        cases.push(case(shm).over(Inproc { bytes, depth: 1 }).must(1.05));
        cases.push(Case::new("B1", SHM, bytes, 1, Socket { bytes }).sleeping());
        cases.extend(peer_processes(bytes, shm));
    }
    cases
}

fn pipelined(quick: bool) -> Vec<Case> {
    let sizes: &[usize] = if quick { &[64] } else { &[8, 64, 1024] };
    let depths: &[usize] = if quick { &[32] } else { &[2, 4, 8, 16, 32] };
    let mut cases = Vec::new();
    for &bytes in sizes {
        for &depth in depths {
            let is_promised = bytes == 64 && depth == 32;
            let inproc = Inproc { bytes, depth };
            let slots = |processes| Slots {
                bytes,
                depth,
                processes,
            };
            cases.push(Case {
                must: is_promised.then_some(0.18),
                ..Case::new("B2", INPROC, bytes, depth, inproc)
            });
            // What no pipeline can be faster than, over the same baseline.
            cases.push(Case::new("B2", INPROC, bytes, depth, slots(false)));
            if is_promised {
                // How far from it: measured side by side, since the two rows above may be minutes apart.
                cases.push(Case::new("B2", INPROC, bytes, depth, inproc).over(slots(false)));
            }
            cases.extend(peers("B2", bytes, depth));
        }
    }
    if quick {
        return cases;
    }
    for &bytes in sizes {
        for depth in [1, 2, 4, 8, 16, 32] {
            let shm = Shm {
                bytes,
                depth,
                isolated: false,
            };
            let is_promised = bytes == 64 && depth == 32;
            cases.push(Case {
                must: is_promised.then_some(0.18),
                ..Case::new("B2", SHM, bytes, depth, shm)
            });
            if is_promised {
                let slots = Slots {
                    bytes,
                    depth,
                    processes: true,
                };
                cases.push(Case::new("B2", SHM, bytes, depth, slots));
                cases.push(Case::new("B2", SHM, bytes, depth, shm).over(slots));
            }
        }
    }
    cases
}

fn blocking(quick: bool) -> Vec<Case> {
    let gaps: &[u64] = if quick { &[0] } else { &[0, 10, 100, 1000] };
    let mut cases = Vec::new();
    for gap in gaps.iter().copied().map(Duration::from_micros) {
        let futex = Futex {
            processes: true,
            gap,
        };
        let case = |waiting| {
            let subject = Blocking { waiting, gap };
            Case::new("B4", SHM, 64, 1, subject).over(futex).sleeping()
        };
        cases.push(case(Waiting::Sleep).must(1.25));
        cases.push(case(Waiting::Default));
    }
    cases
}

fn isolated(quick: bool) -> Vec<Case> {
    let sizes: &[usize] = if quick { &[56] } else { &SIZES };
    let mut cases = Vec::new();
    for &bytes in sizes {
        let shm = |isolated| Shm {
            bytes,
            depth: 1,
            isolated,
        };
        let case = || Case::new("B7", SHM, bytes, 1, shm(true));
        cases.push(case().over(shm(false)));
        cases.push(Case {
            must: (bytes <= 56).then_some(1.15),
            ..case()
        });
        // What the promise cannot get below: each side reads lines that it may not write.
        let read_only = || PingPong {
            lines: 2,
            bytes,
            processes: true,
            read_only: true,
        };
        cases.push(Case::new("B7", SHM, bytes, 1, read_only()));
        cases.push(case().over(read_only()));
    }
    cases
}

#[cfg(feature = "peers")]
fn peers(workload: &'static str, bytes: usize, depth: usize) -> Vec<Case> {
    use crate::subjects::channels::{Channels, Queue};
    let over = |queue| {
        let channels = Channels {
            queue,
            bytes,
            depth,
        };
        Case::new(workload, INPROC, bytes, depth, channels)
    };
    vec![over(Queue::Rtrb), over(Queue::Crossbeam)]
}

#[cfg(not(feature = "peers"))]
fn peers(_: &'static str, _: usize, _: usize) -> Vec<Case> {
    Vec::new()
}

/// Other systems between two processes.
fn peer_processes(bytes: usize, shm: Shm) -> Vec<Case> {
    let mut cases = Vec::new();
    #[cfg(feature = "peers")]
    {
        use crate::subjects::ipc::Ipc;
        cases.push(Case::new("B1", SHM, bytes, 1, Ipc { bytes }).sleeping());
    }
    #[cfg(feature = "iceoryx2")]
    {
        use crate::subjects::iceoryx::Iceoryx;
        let slow = |case: Case| Case {
            pace: Pace::StartsSlowly,
            ..case
        };
        cases.push(slow(Case::new("B1", SHM, bytes, 1, Iceoryx { bytes })));
        if bytes == 56 {
            let case = Case::new("B1", SHM, bytes, 1, shm);
            cases.push(slow(case.over(Iceoryx { bytes }).must(0.18)));
        }
    }
    #[cfg(not(any(feature = "peers", feature = "iceoryx2")))]
    let _ = (bytes, &mut cases);
    #[cfg(not(feature = "iceoryx2"))]
    let _ = shm;
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promised(workload: &str, backend: &str, quick: bool) -> Vec<(usize, usize, Option<f64>)> {
        let cases = cases(workload, quick);
        let promised = cases
            .iter()
            .filter(|case| case.must.is_some() && case.backend == backend);
        promised
            .map(|case| (case.bytes, case.depth, case.must))
            .collect()
    }

    #[test]
    fn quick_runs_leave_out_no_promised_kind() {
        assert_eq!(
            promised("B1", INPROC, true),
            [
                (8, 1, Some(1.0)),
                (56, 1, Some(1.0)),
                (64, 1, Some(1.1)),
                (1024, 1, Some(1.1)),
                (4096, 1, Some(0.7))
            ]
        );
        assert_eq!(
            promised("B1", SHM, true),
            [(56, 1, Some(1.0)), (64, 1, Some(1.1))]
        );
        assert_eq!(promised("B2", INPROC, true), [(64, 32, Some(0.18))]);
        assert_eq!(promised("B2", INPROC, false), [(64, 32, Some(0.18))]);
    }

    #[test]
    fn every_pipeline_stands_beside_the_bare_slots() {
        for case in cases("B2", false) {
            if case.backend != INPROC {
                continue;
            }
            let beside = cases("B2", false).iter().any(|other| {
                other.subject.name() == "bare slots"
                    && (other.bytes, other.depth) == (case.bytes, case.depth)
            });
            assert!(beside, "{} B, depth {}", case.bytes, case.depth);
        }
    }

    #[test]
    fn shared_memory_is_held_to_its_promises() {
        assert_eq!(promised("B2", SHM, false), [(64, 32, Some(0.18))]);
        assert_eq!(promised("B4", SHM, false), [(64, 1, Some(1.25)); 4]);
        assert_eq!(
            promised("B7", SHM, false),
            [8, 32, 56].map(|bytes| (bytes, 1, Some(1.15)))
        );
        for bytes in SIZES {
            let promises = promised("B1", SHM, false);
            for must in [promised_of(bytes), 1.05] {
                assert!(promises.contains(&(bytes, 1, Some(must))), "{bytes} B");
            }
        }
    }

    #[test]
    fn a_device_is_compared_with_bare_verbs() {
        let host = Host::of("10.0.0.1").unwrap();
        for quick in [false, true] {
            for workload in ["B1", "B2"] {
                let cases = device_cases(workload, quick, &host);
                assert!(!cases.is_empty());
                for case in cases {
                    assert_eq!(case.baseline.name(), "bare verbs ping-pong");
                    assert_eq!((case.backend, case.pace), (RDMA, Pace::Device));
                    let promised = (workload == "B1").then_some(PROMISED_OF_DEVICE);
                    assert_eq!(case.must, promised);
                }
            }
        }
    }

    #[test]
    fn what_is_between_processes_has_its_baseline_there() {
        for workload in ["B0", "B1", "B2"] {
            for case in cases(workload, false) {
                let (subject, baseline) = (case.subject.name(), case.baseline.name());
                let is_bare = baseline.starts_with("bare ping-pong");
                let between_processes = baseline.ends_with(", processes");
                if is_bare && !subject.starts_with("bare ping-pong, two lines") {
                    assert_eq!(between_processes, case.backend == SHM, "{subject}");
                }
            }
        }
    }
}
