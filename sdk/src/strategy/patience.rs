//! The opinion between two steps that needs no numbers: whether the newest look was healthy.

use crate::settings::issue;
use crate::{Issue, Judgement, Observation, Step};

/// How long to wait before looking again, in milliseconds.
pub const LOOK_AGAIN_MS: u64 = 1_000;

/// Longest `maxUnhealthyMs`: an hour of failing users is no rollout.
pub const MAX_UNHEALTHY_MS: u64 = 3_600_000;

/// Proceeds when the newest look is healthy, holds otherwise, and rolls back when the step has been
/// unhealthy without a break for `max_unhealthy_ms`. Without that it holds, and the policy's deadline
/// decides.
#[must_use]
pub fn opinion(step: &Step, seen: &[Observation], max_unhealthy_ms: Option<u64>) -> Judgement {
    let Some(last) = seen.last() else {
        return Judgement::Hold(LOOK_AGAIN_MS);
    };
    if last.healthy {
        return Judgement::Proceed;
    }
    // The unhealthy stretch that lasts until now; a healthy look in between ends it.
    let since = seen
        .iter()
        .rev()
        .take_while(|look| !look.healthy)
        .last()
        .map_or(last.elapsed_ms, |first| first.elapsed_ms);
    let unhealthy_ms = last.elapsed_ms.saturating_sub(since);
    match max_unhealthy_ms {
        Some(limit) if unhealthy_ms >= limit => Judgement::Rollback(format!(
            "step {} has been unhealthy for {unhealthy_ms} ms; the settings allow {limit} ms \
             (maxUnhealthyMs)",
            step.name
        )),
        Some(limit) => Judgement::Hold(LOOK_AGAIN_MS.min(limit.saturating_sub(unhealthy_ms))),
        None => Judgement::Hold(LOOK_AGAIN_MS),
    }
}

/// What is wrong with a `maxUnhealthyMs`.
#[must_use]
pub fn impatience(max_unhealthy_ms: Option<u64>) -> Option<Issue> {
    let ms = max_unhealthy_ms?;
    (ms == 0 || ms > MAX_UNHEALTHY_MS).then(|| {
        issue(
            "/maxUnhealthyMs",
            "out of range",
            &format!("from 1 to {MAX_UNHEALTHY_MS}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(limit: Option<u64>, looks: &[(u64, bool)]) -> Judgement {
        let step = Step {
            name: "10%".into(),
            weight_bp: 1_000,
            capacity_replicas: None,
            hold_ms: 0,
            checks: true,
            gate: None,
        };
        let seen: Vec<Observation> = looks
            .iter()
            .map(|&(elapsed_ms, healthy)| Observation {
                elapsed_ms,
                weight_bp: 1_000,
                healthy,
                samples: vec![],
            })
            .collect();
        opinion(&step, &seen, limit)
    }

    #[test]
    fn healthy_proceeds_and_unhealthy_holds() {
        let looks = [(0, false), (1_000, true)];
        assert_eq!(judged(None, &looks), Judgement::Proceed);
        let hold = Judgement::Hold(LOOK_AGAIN_MS);
        assert_eq!(judged(None, &[(0, true), (900_000, false)]), hold);
        assert_eq!(judged(None, &[]), hold);
    }

    #[test]
    fn too_long_unhealthy_rolls_back() {
        let looks = [(0, true), (1_000, false), (4_000, false), (6_000, false)];
        let Judgement::Rollback(reason) = judged(Some(5_000), &looks) else {
            panic!("no rollback")
        };
        let want = "step 10% has been unhealthy for 5000 ms";
        assert!(reason.contains(want), "{reason}");
        // One millisecond less holds, and looks again exactly when it would be too long.
        let looks = [(1_001, false), (6_000, false)];
        assert_eq!(judged(Some(5_000), &looks), Judgement::Hold(1));
        // A healthy look in between starts the count anew.
        let looks = [(0, false), (5_000, true), (5_500, false), (6_000, false)];
        let hold = Judgement::Hold(LOOK_AGAIN_MS);
        assert_eq!(judged(Some(5_000), &looks), hold);
        assert_eq!(judged(Some(5_000), &[(9_000, false)]), hold);
    }

    #[test]
    fn patience_is_from_a_millisecond_to_an_hour() {
        for good in [None, Some(1), Some(MAX_UNHEALTHY_MS)] {
            assert_eq!(impatience(good), None);
        }
        for bad in [Some(0), Some(MAX_UNHEALTHY_MS + 1)] {
            assert_eq!(impatience(bad).unwrap().pointer, "/maxUnhealthyMs");
        }
    }
}
