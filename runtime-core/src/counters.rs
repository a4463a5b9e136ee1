//! Counters of a client or a server, and a histogram of round-trip times.

use alloc::boxed::Box;
use core::cell::Cell;
use core::fmt;

use crate::service::{Method, MethodInfo, MethodKind, Service};

/// What one side has counted since it was made: a snapshot.
#[derive(Clone, Debug)]
pub struct Counters {
    methods: Box<[MethodCounters]>,
    /// Replies that came after their call had ended.
    pub late_replies: u64,
    /// Events that were not known or not valid.
    pub invalid_events: u64,
    /// Times this side went to sleep.
    pub sleeps: u64,
}

/// What was counted for one method or event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MethodCounters {
    /// Requests sent by a client, received by a server; events likewise the other way round.
    pub calls: u64,
    /// Replies received by a client, sent by a server.
    pub replies: u64,
    /// Replies among these that brought an error.
    pub failures: u64,
    /// Calls that ended at their deadline.
    pub timeouts: u64,
    /// Bytes of requests.
    pub request_bytes: u64,
    /// Bytes of responses.
    pub response_bytes: u64,
}

impl Counters {
    /// The counters of each method, in the order of [`Service::METHODS`](crate::Service::METHODS).
    pub fn methods(&self) -> &[MethodCounters] {
        &self.methods
    }

    /// All methods together.
    pub fn total(&self) -> MethodCounters {
        self.methods
            .iter()
            .fold(MethodCounters::default(), |mut sum, method| {
                sum.calls += method.calls;
                sum.replies += method.replies;
                sum.failures += method.failures;
                sum.timeouts += method.timeouts;
                sum.request_bytes += method.request_bytes;
                sum.response_bytes += method.response_bytes;
                sum
            })
    }
}

/// The counters while they count: of one thread, so without atomics. Bytes are worked out from the sizes when asked for.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    methods: Box<[MethodTally]>,
    pub(crate) late_replies: Cell<u64>,
    pub(crate) invalid_events: Cell<u64>,
    pub(crate) sleeps: Cell<u64>,
}

/// One method's.
#[derive(Debug, Default)]
pub(crate) struct MethodTally {
    pub(crate) calls: Cell<u64>,
    pub(crate) failures: Cell<u64>,
    pub(crate) timeouts: Cell<u64>,
    /// Calls without an answer: at a client those that ended because the server was gone or nobody wanted the reply any more, at a
    /// server those that were made tokens and not answered yet.
    pub(crate) unanswered: Cell<u64>,
}

/// Adds one.
#[inline(always)]
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl Tally {
    pub(crate) fn new<S: Service>() -> Self {
        Self {
            methods: S::METHODS.iter().map(|_| MethodTally::default()).collect(),
            ..Self::default()
        }
    }

    /// The counters of a method.
    ///
    /// # Safety
    /// 1. `new` was called for `M::Service`.
    #[inline(always)]
    pub(crate) unsafe fn of<M: Method>(&self) -> &MethodTally {
        const {
            assert!(
                M::INDEX < M::Service::METHODS.len(),
                "`Method::INDEX` is a place in `Service::METHODS`"
            );
        };
        debug_assert_eq!(self.methods.len(), M::Service::METHODS.len());
        // SAFETY: `new` made as many as there are `METHODS`, by promise 1, and the index is below that.
        unsafe { self.methods.get_unchecked(M::INDEX) }
    }

    /// The counters of the method at `index`; a number that there is not counts nowhere.
    #[inline(always)]
    pub(crate) fn at(&self, index: usize) -> Option<&MethodTally> {
        self.methods.get(index)
    }

    /// What has been counted; `pending` says how many calls of a method are unanswered, so that replies need not be counted.
    pub(crate) fn snapshot(
        &self,
        methods: &[MethodInfo],
        pending: impl Fn(usize) -> u64,
    ) -> Counters {
        let method = |(index, (tally, info)): (usize, (&MethodTally, &MethodInfo))| {
            let (calls, failures, timeouts) = (
                tally.calls.get(),
                tally.failures.get(),
                tally.timeouts.get(),
            );
            let replies = match info.kind {
                MethodKind::Call => calls - timeouts - tally.unanswered.get() - pending(index),
                MethodKind::Oneway | MethodKind::Event => 0,
            };
            MethodCounters {
                calls,
                replies,
                failures,
                timeouts,
                request_bytes: calls * info.request as u64,
                response_bytes: replies.saturating_sub(failures) * info.response as u64,
            }
        };
        Counters {
            methods: self
                .methods
                .iter()
                .zip(methods)
                .enumerate()
                .map(method)
                .collect(),
            late_replies: self.late_replies.get(),
            invalid_events: self.invalid_events.get(),
            sleeps: self.sleeps.get(),
        }
    }
}

/// A histogram of round-trip times in nanoseconds, with 8 buckets to every doubling (at most 12.5 % off).
#[derive(Clone)]
pub struct Histogram {
    buckets: Box<[u64; Self::BUCKETS]>,
}

impl Histogram {
    const STEPS: u32 = 8;
    const BUCKETS: usize = 64 * Self::STEPS as usize;

    pub(crate) fn new() -> Self {
        Self {
            buckets: Box::new([0; Self::BUCKETS]),
        }
    }

    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.buckets[Self::bucket(nanoseconds)] += 1;
    }

    /// The bucket of a value: its leading bit and the three bits after it.
    fn bucket(value: u64) -> usize {
        if value < u64::from(Self::STEPS) {
            return value as usize;
        }
        let log = value.ilog2();
        let step = (value >> (log - 3)) as u32 & (Self::STEPS - 1);
        ((log - 2) * Self::STEPS + step) as usize
    }

    /// The least value that falls into a bucket.
    fn floor(bucket: usize) -> u64 {
        let steps = Self::STEPS as usize;
        if bucket < steps {
            return bucket as u64;
        }
        ((steps + bucket % steps) as u64) << (bucket / steps - 1)
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The value that this part (0 to 1) of all values does not exceed by more than a bucket; `None` without values.
    pub fn quantile(&self, part: f64) -> Option<u64> {
        let count = self.count();
        // A part out of range is taken as the nearest one in it.
        let rank = ((part.clamp(0.0, 1.0) * count as f64) as u64).min(count.checked_sub(1)?);
        let mut seen = 0;
        self.buckets
            .iter()
            .position(|&bucket| {
                seen += bucket;
                seen > rank
            })
            .map(Self::floor)
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("p999", &self.quantile(0.999))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        let mut last = 0;
        for value in 0..100_000_u64 {
            let bucket = Histogram::bucket(value);
            assert!(
                bucket == last || bucket == last + 1,
                "value {value} jumps from bucket {last} to {bucket}"
            );
            assert!(Histogram::floor(bucket) <= value && value < Histogram::floor(bucket + 1));
            last = bucket;
        }
        assert!(Histogram::bucket(u64::MAX) < Histogram::BUCKETS);
    }

    #[test]
    fn quantiles_of_known_values() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), None);
        for _ in 0..99 {
            histogram.record(4);
        }
        histogram.record(1_000);
        assert_eq!(histogram.quantile(0.5), Some(4));
        assert_eq!(histogram.quantile(1.0), Some(960));
        assert_eq!(histogram.count(), 100);
    }
}
