//! When to ask a registry next. Pure: the caller brings the random number.

use std::time::Duration;

/// The shortest pause between two polls of one repository, whatever is configured.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// The longest pause that failures lead to. A registry that is back is noticed within this time,
/// or within the configured interval where that is longer.
pub const LONGEST_BACK_OFF: Duration = Duration::from_secs(15 * 60);

/// The pause until the next poll: the interval ±10 %, so that pipelines that were created together
/// do not ask together for ever. `unit` is a random number in `[0, 1)`; others are clamped.
#[must_use]
pub fn next_poll(interval: Duration, unit: f64) -> Duration {
    scaled(interval, 0.9 + 0.2 * clamped(unit)).max(SHORTEST)
}

/// The pause after `failures` polls in a row failed: the interval, doubled with each failure after
/// the first, up to [`LONGEST_BACK_OFF`] (or the interval itself, where that is longer), ±10 %.
#[must_use]
pub fn back_off(interval: Duration, failures: u32, unit: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let grown = interval.max(SHORTEST).saturating_mul(1 << doublings);
    next_poll(grown.min(LONGEST_BACK_OFF.max(interval)), unit)
}

/// The pause after the registry asked for one (`Retry-After`): never shorter than asked, never
/// shorter than the usual, up to 10 % longer.
#[must_use]
pub fn after_rate_limit(interval: Duration, asked: Duration, unit: f64) -> Duration {
    let patient = scaled(asked, 1.0 + 0.1 * clamped(unit)).max(asked);
    patient.max(next_poll(interval, unit))
}

fn clamped(unit: f64) -> f64 {
    if unit.is_finite() {
        unit.clamp(0.0, 1.0)
    } else {
        0.5
    }
}

/// A product that no duration can hold is as good as never.
fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_corners() {
        assert_eq!(next_poll(MINUTE, 0.0), Duration::from_secs(54));
        assert_eq!(next_poll(MINUTE, 0.5), MINUTE);
        assert_eq!(next_poll(MINUTE, 1.0), Duration::from_secs(66));
        assert_eq!(next_poll(MINUTE, f64::NAN), MINUTE);
        assert_eq!(next_poll(Duration::ZERO, 0.0), SHORTEST);
        assert_eq!(next_poll(Duration::MAX, 1.0), Duration::MAX);
    }

    #[test]
    fn failures_double_up_to_the_limit() {
        let pauses = [0, 1, 2, 3, 4, 5, 6, u32::MAX].map(|n| back_off(MINUTE, n, 0.5).as_secs());
        assert_eq!(pauses, [60, 60, 120, 240, 480, 900, 900, 900]);
        let hour = Duration::from_secs(3600);
        assert_eq!(back_off(hour, 9, 0.5), hour);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_tenth(seconds in 10_u64..1_000_000, unit in 0.0..1.0) {
            let interval = Duration::from_secs(seconds);
            let pause = next_poll(interval, unit);
            prop_assert!(pause >= interval.mul_f64(0.8999) && pause <= interval.mul_f64(1.1001));
        }

        #[test]
        fn a_rate_limit_is_never_cut_short(
            seconds in 0_u64..10_000, asked in 0_u64..10_000, unit in -1.0..2.0,
        ) {
            let (interval, asked) = (Duration::from_secs(seconds), Duration::from_secs(asked));
            let pause = after_rate_limit(interval, asked, unit);
            prop_assert!(pause >= asked && pause >= next_poll(interval, unit));
            prop_assert!(pause <= asked.mul_f64(1.1001).max(interval.mul_f64(1.1001)).max(SHORTEST));
        }

        #[test]
        fn nothing_panics_and_nothing_loops(
            nanos in any::<u64>(), failures in any::<u32>(), unit in any::<f64>(),
        ) {
            let interval = Duration::from_nanos(nanos);
            prop_assert!(back_off(interval, failures, unit) >= SHORTEST);
            prop_assert!(after_rate_limit(Duration::MAX, interval, unit) >= SHORTEST);
        }
    }
}
