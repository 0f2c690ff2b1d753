//! How long to wait after a failure.

use std::time::Duration;

/// First wait after a failure: an API server that restarts answers within seconds.
const FIRST: Duration = Duration::from_millis(250);
/// Longest wait: the period at which everything is looked at anyway (reliability.md R5).
const LONGEST: Duration = Duration::from_secs(30);

/// The wait before try number `failures` + 1: doubles from [`FIRST`] to [`LONGEST`].
pub(crate) fn wait(failures: u32) -> Duration {
    let factor = 1_u32
        .checked_shl(failures.saturating_sub(1).min(16))
        .unwrap_or(u32::MAX);
    FIRST.saturating_mul(factor).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        assert_eq!(wait(1), FIRST);
        assert_eq!(wait(2), FIRST * 2);
        assert_eq!(wait(40), LONGEST);
        assert_eq!(wait(u32::MAX), LONGEST);
    }
}
