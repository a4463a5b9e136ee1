//! The ratio protocol: baseline and subject in alternating slices of one run.
//!
//! Each pair of slices runs in the order ABBA, with fresh memory for every slice, since the address of a line alone moves a
//! round trip by up to a third. A probe right before and right after names the mode that the machine is in. A pair is
//! thrown away if its two probes disagree, the host took time from the machine, a thread was switched out, or its two
//! baseline slices differ by more than a tenth, and replaced, as long as there is time. Too few pairs in a mode give
//! "inconclusive", which is not a pass. The result of a mode is the median of its pairs' ratios with a bootstrap interval.
//! (Over a device there are neither probes nor modes.)

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::mode::Mode;
use crate::pair::{Length, Pair, Subject};
use crate::stats::{self, Estimate, Random};
use crate::subjects::raw::PingPong;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Pairs of slices wanted in some mode of two cores.
    pub pairs: usize,
    /// Fewer make a mode's result inconclusive.
    pub least: usize,
    /// Of a slice.
    pub length: Length,
    /// When to stop however few there are.
    pub limit: Duration,
    /// Whether both sides meet at a device, so that there is but one mode.
    pub over_device: bool,
}

/// What the mode is told by.
const PROBE: PingPong = PingPong {
    lines: 2,
    bytes: 8,
    processes: false,
    read_only: false,
};

/// Calls of a probe: enough for a median that tells the modes apart, few enough that the machine is still in it.
const PROBE_LENGTH: Length = Length {
    warm: 200,
    calls: 300,
    group: 10,
};

/// Baseline slices of one pair may differ by this part.
const APART: f64 = 0.1;

/// The same over a device. Soft-RoCE's packets are handled by threads of the kernel, which take turns with those that spin on the same
/// cores: no slice of baseline or subject is without switches, so that these say nothing, and times differ more.
const APART_OVER_DEVICE: f64 = 0.25;

/// What a comparison found.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    /// The baseline's name.
    pub baseline: String,
    /// The subject's name.
    pub subject: String,
    /// What was found in each mode that has enough pairs.
    pub found: Vec<Found>,
    /// Pairs in modes that have too few.
    pub too_few: usize,
    /// Pairs thrown away.
    pub discarded: usize,
}

/// What was found in one mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Which.
    pub mode: Mode,
    /// Pairs that count.
    pub pairs: usize,
    /// Median nanoseconds of the baseline, for orientation.
    pub baseline_ns: f64,
    /// Median nanoseconds of the subject, for orientation.
    pub subject_ns: f64,
    /// The ratio.
    pub ratio: Estimate,
    /// 99th percentile of the subject's groups.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
}

/// Compares a subject with a baseline.
pub(crate) fn compare(
    pair: &Pair,
    baseline: &dyn Subject,
    subject: &dyn Subject,
    effort: Effort,
) -> Result<Comparison, String> {
    let start = Instant::now();
    let mut random = Random(effort.length.calls as u64);
    let mut tally = Tally::default();
    let probe = || {
        if effort.over_device {
            return Ok(Mode::Device);
        }
        let mut times = Vec::new();
        pair.slice(&PROBE, PROBE_LENGTH, &mut times)?;
        Ok::<_, String>(Mode::of(stats::median(&mut times)))
    };
    while tally.most() < effort.pairs && start.elapsed() < effort.limit {
        let before = probe()?;
        let (mut base, mut ours) = (Vec::new(), Vec::new());
        let (mut ignored, mut times) = (Vec::new(), Vec::new());
        let mut undisturbed = true;
        // ABBA or BAAB, by chance.
        let first = random.below(2) == 0;
        for is_baseline in [first, !first, !first, first] {
            let (of, medians, into) = if is_baseline {
                (baseline, &mut base, &mut ignored)
            } else {
                (subject, &mut ours, &mut times)
            };
            let from = into.len();
            undisturbed &= pair.slice(of, effort.length, into)? || effort.over_device;
            medians.push(stats::median(&mut into[from..]));
        }
        tally.add(&Slices {
            modes: [before, probe()?],
            undisturbed,
            base: [base[0], base[1]],
            ours: [ours[0], ours[1]],
            times,
        });
    }
    Ok(tally.result(baseline.name(), subject.name(), effort.least))
}

/// One pair of slices.
struct Slices {
    /// The mode before and after.
    modes: [Mode; 2],
    /// Whether neither the host nor the scheduler came between.
    undisturbed: bool,
    /// Medians of the baseline's slices.
    base: [f64; 2],
    /// Medians of the subject's.
    ours: [f64; 2],
    /// The subject's groups.
    times: Vec<f64>,
}

impl Slices {
    /// The mode of the pair, if the pair counts.
    fn mode(&self) -> Option<Mode> {
        let [before, after] = self.modes;
        let [first, second] = self.base;
        let apart = match before {
            Mode::Device => APART_OVER_DEVICE,
            _ => APART,
        };
        let alike = (first - second).abs() <= apart * first.min(second);
        // A slice whose calls failed has no median.
        let is_whole = self.ours.iter().all(|median| median.is_finite());
        (before == after && self.undisturbed && alike && is_whole).then_some(before)
    }
}

/// The pairs so far.
#[derive(Default)]
struct Tally {
    modes: BTreeMap<Mode, Kept>,
    discarded: usize,
}

/// The pairs of one mode.
#[derive(Default)]
struct Kept {
    ratios: Vec<f64>,
    base: Vec<f64>,
    times: Vec<f64>,
}

impl Tally {
    fn add(&mut self, slices: &Slices) {
        let Some(mode) = slices.mode() else {
            self.discarded += 1;
            return;
        };
        let kept = self.modes.entry(mode).or_default();
        let [base, ours] = [slices.base, slices.ours].map(|[first, second]| first + second);
        kept.ratios.push(ours / base);
        kept.base.extend(slices.base);
        kept.times.extend(&slices.times);
    }

    /// Pairs of the mode that has most, among those that promises are about.
    fn most(&self) -> usize {
        let judged = self.modes.iter().filter(|(mode, _)| mode.is_judged());
        judged.map(|(_, kept)| kept.ratios.len()).max().unwrap_or(0)
    }

    fn result(self, baseline: String, subject: String, least: usize) -> Comparison {
        let mut too_few = 0;
        let mut found = Vec::new();
        for (mode, mut kept) in self.modes {
            let pairs = kept.ratios.len();
            match stats::bootstrap(&kept.ratios) {
                Some(ratio) if pairs >= least && !kept.times.is_empty() => {
                    kept.times.sort_unstable_by(f64::total_cmp);
                    found.push(Found {
                        mode,
                        pairs,
                        baseline_ns: stats::median(&mut kept.base),
                        subject_ns: stats::quantile(&kept.times, 0.5),
                        ratio,
                        p99: stats::quantile(&kept.times, 0.99),
                        p999: stats::quantile(&kept.times, 0.999),
                    });
                }
                _ => too_few += pairs,
            }
        }
        Comparison {
            baseline,
            subject,
            found,
            too_few,
            discarded: self.discarded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(modes: [Mode; 2], base: [f64; 2], ours: f64) -> Slices {
        Slices {
            modes,
            undisturbed: true,
            base,
            ours: [ours, ours],
            times: vec![ours; 4],
        }
    }

    fn result(tally: Tally, least: usize) -> Comparison {
        tally.result("base".into(), "ours".into(), least)
    }

    #[test]
    fn modes_are_kept_apart() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.add(&slices([Mode::Near; 2], [100.0, 100.0], 120.0));
        }
        for _ in 0..5 {
            tally.add(&slices([Mode::Far; 2], [400.0, 400.0], 360.0));
        }
        assert_eq!(tally.most(), 5);
        let found = result(tally, 3).found;
        let ratios: Vec<_> = found
            .iter()
            .map(|of| (of.mode, of.pairs, of.baseline_ns, of.ratio.median))
            .collect();
        assert_eq!(
            ratios,
            [(Mode::Near, 3, 100.0, 1.2), (Mode::Far, 5, 400.0, 0.9)]
        );
    }

    #[test]
    fn pairs_that_say_nothing_are_thrown_away() {
        let mut tally = Tally::default();
        tally.add(&slices([Mode::Near, Mode::Far], [100.0, 100.0], 100.0));
        tally.add(&slices([Mode::Far; 2], [300.0, 331.0], 300.0));
        tally.add(&Slices {
            undisturbed: false,
            ..slices([Mode::Far; 2], [300.0, 300.0], 300.0)
        });
        // A slice that timed nothing has no median.
        tally.add(&slices([Mode::Far; 2], [f64::NAN, 300.0], 300.0));
        // One whose calls failed has none either.
        tally.add(&slices([Mode::Far; 2], [300.0, 300.0], f64::NAN));
        let found = result(tally, 1);
        assert_eq!((found.found.len(), found.discarded), (0, 5));
    }

    #[test]
    fn over_a_device_times_may_differ_more() {
        let mut tally = Tally::default();
        tally.add(&slices([Mode::Device; 2], [300.0, 374.0], 300.0));
        tally.add(&slices([Mode::Device; 2], [300.0, 376.0], 300.0));
        assert_eq!((tally.most(), tally.discarded), (1, 1));
    }

    #[test]
    fn one_core_does_not_end_a_row() {
        let mut tally = Tally::default();
        for _ in 0..9 {
            tally.add(&slices([Mode::OneCore; 2], [50.0, 50.0], 60.0));
        }
        assert_eq!(tally.most(), 0);
        assert_eq!(result(tally, 9).found.len(), 1);
    }

    #[test]
    fn too_few_pairs_are_no_result() {
        let mut tally = Tally::default();
        tally.add(&slices([Mode::Far; 2], [300.0, 300.0], 300.0));
        let found = result(tally, 2);
        assert!(found.found.is_empty());
        assert_eq!(found.too_few, 1);
    }
}
