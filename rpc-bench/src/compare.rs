//! The ratio protocol: baseline and subject in alternating slices of one run.
//!
//! Each pair of slices runs in the order ABBA, with fresh memory for every slice, since the address of a line alone moves a
//! round trip by up to a third. A pair is thrown away if the host took time from the machine, a thread was switched out, or its two baseline slices
//! differ by more than a tenth, and replaced, as long as there is time. Too few pairs give "inconclusive", which is not a
//! pass. The result is the median of the pairs' ratios with a bootstrap interval.

use std::time::{Duration, Instant};

use crate::machine;
use crate::pair::{Pair, Subject};
use crate::stats::{self, Estimate, Random};

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Pairs of slices wanted.
    pub pairs: usize,
    /// Fewer make the result inconclusive.
    pub least: usize,
    /// Calls in a slice.
    pub calls: usize,
    /// Calls in a group that is timed as one.
    pub group: usize,
    /// When to stop however few there are.
    pub limit: Duration,
}

/// A baseline slice faster than this runs on one core's two threads; such pairs are set apart.
const ONE_CORE_NS: f64 = 80.0;

/// What a comparison found.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    /// The baseline's name.
    pub baseline: String,
    /// The subject's name.
    pub subject: String,
    /// Median nanoseconds of the baseline and of the subject, for orientation.
    pub nanoseconds: (f64, f64),
    /// 99th percentile of the subject's groups.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// The ratio; `None` is inconclusive.
    pub ratio: Option<Estimate>,
    /// Pairs that count.
    pub pairs: usize,
    /// Pairs thrown away.
    pub discarded: usize,
    /// Pairs in which both threads ran on one core, and their ratio.
    pub one_core: (usize, Option<f64>),
}

/// Compares a subject with a baseline.
pub(crate) fn compare(
    pair: &Pair,
    baseline: &dyn Subject,
    subject: &dyn Subject,
    effort: Effort,
) -> Comparison {
    let start = Instant::now();
    let mut random = Random(effort.calls as u64);
    let (mut ratios, mut one_core) = (Vec::new(), Vec::new());
    let (mut base_times, mut all_times) = (Vec::new(), Vec::new());
    let mut discarded = 0;
    let slice = |of: &dyn Subject, all: &mut Vec<f64>| {
        let mut times = Vec::new();
        pair.slice(of, effort.calls, effort.group, &mut times);
        let median = stats::median(&mut times);
        all.append(&mut times);
        median
    };
    while ratios.len() < effort.pairs && start.elapsed() < effort.limit {
        let disturbed = (machine::steal(), machine::switches());
        let mut ignored = Vec::new();
        // ABBA or BAAB, by chance.
        let (base, ours) = if random.below(2) == 0 {
            let first = slice(baseline, &mut ignored);
            let ours = [
                slice(subject, &mut all_times),
                slice(subject, &mut all_times),
            ];
            ([first, slice(baseline, &mut ignored)], ours)
        } else {
            let first = slice(subject, &mut all_times);
            let base = [slice(baseline, &mut ignored), slice(baseline, &mut ignored)];
            (base, [first, slice(subject, &mut all_times)])
        };
        let ratio = (ours[0] + ours[1]) / (base[0] + base[1]);
        let apart = (base[0] - base[1]).abs() > 0.1 * base[0].min(base[1]);
        if (machine::steal(), machine::switches()) != disturbed || apart {
            discarded += 1;
        } else if base[0] < ONE_CORE_NS {
            one_core.push(ratio);
        } else {
            ratios.push(ratio);
            base_times.extend(base);
        }
    }
    all_times.sort_unstable_by(f64::total_cmp);
    let quantile = |part| {
        if all_times.is_empty() {
            f64::NAN
        } else {
            stats::quantile(&all_times, part)
        }
    };
    let base = if base_times.is_empty() {
        f64::NAN
    } else {
        stats::median(&mut base_times)
    };
    Comparison {
        baseline: baseline.name(),
        subject: subject.name(),
        nanoseconds: (base, quantile(0.5)),
        p99: quantile(0.99),
        p999: quantile(0.999),
        pairs: ratios.len(),
        discarded,
        ratio: if ratios.len() < effort.least {
            None
        } else {
            stats::bootstrap(&ratios)
        },
        one_core: (
            one_core.len(),
            (!one_core.is_empty()).then(|| stats::median(&mut one_core)),
        ),
    }
}
