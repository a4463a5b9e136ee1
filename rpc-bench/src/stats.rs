//! Medians, quantiles and bootstrap intervals.

/// The value at a part (0 to 1) of sorted values; NaN if there is none.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let rank = (part * (sorted.len() - 1) as f64).round() as usize;
    sorted[rank.min(sorted.len() - 1)]
}

/// The median; sorts in place.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    quantile(values, 0.5)
}

/// A median with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// The median.
    pub median: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The median of the values and its percentile-bootstrap interval over 1,000 resamples.
pub(crate) fn bootstrap(values: &[f64]) -> Option<Estimate> {
    if values.is_empty() {
        return None;
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut sample = vec![0.0; values.len()];
    let mut medians: Vec<f64> = (0..1000)
        .map(|_| {
            for place in &mut sample {
                *place = values[random.below(values.len())];
            }
            median(&mut sample)
        })
        .collect();
    medians.sort_unstable_by(f64::total_cmp);
    let mut all = values.to_vec();
    Some(Estimate {
        median: median(&mut all),
        low: quantile(&medians, 0.025),
        high: quantile(&medians, 0.975),
    })
}

/// A small generator (splitmix64) with a fixed seed, so that a run's order and resampling can be repeated.
pub(crate) struct Random(pub u64);

impl Random {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_median() {
        let values: Vec<f64> = (0..501).map(f64::from).collect();
        let estimate = bootstrap(&values).unwrap();
        assert_eq!(estimate.median, 250.0);
        assert!(estimate.low > 215.0 && estimate.low < 250.0);
        assert!(estimate.high < 285.0 && estimate.high > 250.0);
    }
}
