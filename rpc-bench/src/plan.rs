//! Which subjects are compared with which baselines.

use crate::pair::Subject;
use crate::subjects::lane::Inproc;
use crate::subjects::raw::PingPong;
use crate::subjects::slots::Slots;
use crate::subjects::system::Futex;

/// One comparison.
pub(crate) struct Case {
    /// The workload, such as `B1`.
    pub workload: &'static str,
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
    /// Whether it sleeps, which takes hundreds of times as long as spinning.
    pub sleeps: bool,
}

impl Case {
    /// Over the bare ping-pong of the same payload, with lines for each way.
    fn new(
        workload: &'static str,
        bytes: usize,
        depth: usize,
        subject: impl Subject + 'static,
    ) -> Self {
        Self {
            workload,
            bytes,
            depth,
            baseline: Box::new(PingPong { lines: 2, bytes }),
            subject: Box::new(subject),
            must: None,
            sleeps: false,
        }
    }
}

/// The comparisons of a workload.
pub(crate) fn cases(workload: &str, quick: bool) -> Vec<Case> {
    match workload {
        "B0" => machine(quick),
        "B1" => round_trips(quick),
        "B2" => pipelined(quick),
        _ => Vec::new(),
    }
}

fn machine(quick: bool) -> Vec<Case> {
    let one_line = |bytes: usize| Case::new("B0", bytes, 1, PingPong { lines: 1, bytes });
    let mut cases: Vec<_> = [8, 56, 64, 1024, 4096].map(one_line).into();
    if !quick {
        cases.push(Case {
            sleeps: true,
            ..Case::new("B0", 8, 1, Futex)
        });
    }
    cases
}

fn round_trips(quick: bool) -> Vec<Case> {
    let sizes: &[usize] = if quick {
        &[8, 56, 64, 1024, 4096]
    } else {
        &[8, 32, 56, 64, 128, 256, 1024, 4096]
    };
    let mut cases = Vec::new();
    for &bytes in sizes {
        let must = match bytes {
            ..57 => 1.00,
            57..=1024 => 1.10,
            _ => 0.70,
        };
        cases.push(Case {
            must: Some(must),
            ..Case::new("B1", bytes, 1, Inproc { bytes, depth: 1 })
        });
        cases.extend(peers("B1", bytes, 1));
    }
    cases
}

fn pipelined(quick: bool) -> Vec<Case> {
    let sizes: &[usize] = if quick { &[64] } else { &[8, 64, 1024] };
    let depths: &[usize] = if quick { &[32] } else { &[2, 4, 8, 16, 32] };
    let mut cases = Vec::new();
    for &bytes in sizes {
        for &depth in depths {
            let promised = bytes == 64 && depth == 32;
            cases.push(Case {
                must: promised.then_some(0.18),
                ..Case::new("B2", bytes, depth, Inproc { bytes, depth })
            });
            // What no pipeline can be faster than, over the same baseline.
            cases.push(Case::new("B2", bytes, depth, Slots { bytes, depth }));
            if promised {
                // How far from it: measured side by side, since the two rows above may be minutes apart.
                cases.push(Case {
                    baseline: Box::new(Slots { bytes, depth }),
                    ..Case::new("B2", bytes, depth, Inproc { bytes, depth })
                });
            }
            cases.extend(peers("B2", bytes, depth));
        }
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
        Case::new(workload, bytes, depth, channels)
    };
    vec![over(Queue::Rtrb), over(Queue::Crossbeam)]
}

#[cfg(not(feature = "peers"))]
fn peers(_: &'static str, _: usize, _: usize) -> Vec<Case> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promised(workload: &str, quick: bool) -> Vec<(usize, usize, Option<f64>)> {
        let cases = cases(workload, quick);
        let promised = cases.iter().filter(|case| case.must.is_some());
        promised
            .map(|case| (case.bytes, case.depth, case.must))
            .collect()
    }

    #[test]
    fn quick_runs_leave_out_no_promised_kind() {
        assert_eq!(
            promised("B1", true),
            [
                (8, 1, Some(1.0)),
                (56, 1, Some(1.0)),
                (64, 1, Some(1.1)),
                (1024, 1, Some(1.1)),
                (4096, 1, Some(0.7))
            ]
        );
        assert_eq!(promised("B2", true), [(64, 32, Some(0.18))]);
        assert_eq!(promised("B2", false), [(64, 32, Some(0.18))]);
    }

    #[test]
    fn every_pipeline_stands_beside_the_bare_slots() {
        for case in cases("B2", false) {
            let beside = cases("B2", false).iter().any(|other| {
                other.subject.name() == "bare slots"
                    && (other.bytes, other.depth) == (case.bytes, case.depth)
            });
            assert!(beside, "{} B, depth {}", case.bytes, case.depth);
        }
    }
}
