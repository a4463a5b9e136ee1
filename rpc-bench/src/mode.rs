//! What the machine does with the two threads' cores at a moment.

/// Virtual CPUs move: a host runs them on one core, on two that share a cache, or far apart, for seconds at a time. A
/// round trip between them takes several times as long in one mode as in another, and not every payload by the same
/// factor, so figures of different modes are never put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// Two threads of one core: nothing travels, and the threads slow each other.
    OneCore,
    /// Two cores that share a cache: two compute loops do not slow each other, and a line travels quickly.
    Near,
    /// Anything farther.
    Far,
    /// Messages go by way of a device, and how far apart the cores are hardly matters: there is but this mode.
    Device,
}

/// Below this, a bare round trip of 8 bytes did not leave the core.
const ONE_CORE_NS: f64 = 80.0;

/// Below this, it did not leave the cache that two cores share.
const NEAR_NS: f64 = 190.0;

impl Mode {
    /// The mode by the nanoseconds of a bare two-line ping-pong of 8 bytes. A larger payload would not do: its time
    /// depends on more than the distance.
    pub(crate) fn of(nanoseconds: f64) -> Self {
        if nanoseconds < ONE_CORE_NS {
            Self::OneCore
        } else if nanoseconds < NEAR_NS {
            Self::Near
        } else {
            Self::Far
        }
    }

    /// Its name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneCore => "one core",
            Self::Near => "near",
            Self::Far => "far",
            Self::Device => "device",
        }
    }

    /// Whether promises are about it: they are about two cores, or a device.
    pub(crate) fn is_judged(self) -> bool {
        self != Self::OneCore
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_names_the_mode() {
        let modes = [(27.0, "one core"), (79.9, "one core"), (80.0, "near")];
        let more = [(189.9, "near"), (190.0, "far"), (5000.0, "far")];
        for (nanoseconds, name) in modes.into_iter().chain(more) {
            assert_eq!(Mode::of(nanoseconds).name(), name, "{nanoseconds}");
        }
    }

    #[test]
    fn a_probe_without_a_time_is_not_taken_for_a_fast_one() {
        assert_eq!(Mode::of(f64::NAN), Mode::Far);
    }

    #[test]
    fn promises_are_about_two_cores() {
        assert!(!Mode::OneCore.is_judged());
        assert!(Mode::Near.is_judged());
        assert!(Mode::Far.is_judged());
        assert!(Mode::Device.is_judged());
    }
}
