//! Shares in whole pods, and moving from any counts to a share without losing ready pods.

use proptest::prelude::*;

use super::*;
use crate::rollout::fixture::{mk_canary, mk_workload};

#[test]
fn usual_shares() {
    let cases = [
        ((10, 1000), (9, 1)),
        ((10, 5000), (5, 5)),
        ((10, 2500), (8, 2)), // 2.5 pods: halves round down
        ((10, 2600), (7, 3)),
        ((3, 1000), (2, 1)),
        ((3, 9900), (1, 2)),
        ((1, 1000), (1, 1)),
        ((2, 9999), (1, 1)),
        ((100, 100), (99, 1)),
        ((10, 10_000), (10, 0)),
        ((10, 0), (10, 0)),
    ];
    for ((total, weight), (stable, candidate)) in cases {
        assert_eq!(
            split(total, weight),
            Split { stable, candidate },
            "{weight} of {total}"
        );
    }
    assert_eq!(split(10, 1000).achieved_bp(), 1000);
    assert_eq!(split(3, 1000).achieved_bp(), 3333);
}

#[test]
fn the_replicas_that_a_share_needs() {
    assert_eq!(replicas_needed(split, 1000, 1000), Some(10));
    assert_eq!(replicas_needed(split, 500, 500), Some(20));
    assert_eq!(replicas_needed(split, 100, 1000), Some(10));
    assert_eq!(replicas_needed(split, 5000, 1000), None);
}

#[test]
fn the_floor_is_what_a_rolling_update_would_leave() {
    assert_eq!(floor(10, 2, 10), 8);
    assert_eq!(floor(10, 2, 5), 5, "a sick target may still be mended");
    assert_eq!(floor(3, 3, 3), 1, "never nobody");
    assert_eq!(floor(0, 0, 7), 1);
}

/// Two Deployments and their pods. Every pod is one of: ready, or not yet.
#[derive(Clone, Debug)]
struct Pair {
    stable: WorkloadSeen,
    canary: Seen<WorkloadSeen>,
}

impl Pair {
    fn ready(&self) -> u32 {
        self.stable.ready + self.canary.present().map_or(0, |c| c.ready)
    }

    fn apply(&mut self, m: Move) {
        let scale = |w: &mut WorkloadSeen, n: u32| {
            w.replicas = n;
            w.generation += 1;
        };
        match (m, &mut self.canary) {
            (Move::CreateCanary, _) => {
                let mut c = mk_canary('b', 0);
                c.observed_generation = 0;
                self.canary = Seen::Present(c);
            }
            (Move::ScaleCanary(n), Seen::Present(c)) => scale(c, n),
            (Move::ScaleStable(n), _) => scale(&mut self.stable, n),
            (Move::DeleteCanary, Seen::Present(c)) => {
                assert_eq!(
                    (c.replicas, c.pods),
                    (0, 0),
                    "only an empty canary is removed"
                );
                self.canary = Seen::Absent;
            }
            (Move::ScaleCanary(_) | Move::DeleteCanary, _) => panic!("{m:?} without a canary"),
        }
    }

    /// The Deployment controller does its work; `pods` more become ready.
    fn settle(&mut self, mut pods: u32) {
        let canary = match &mut self.canary {
            Seen::Present(c) => Some(c),
            Seen::Absent | Seen::Unknown(_) => None,
        };
        for w in std::iter::once(&mut self.stable).chain(canary) {
            w.observed_generation = w.generation;
            // Pods that go are those that are not ready first.
            w.pods = w.replicas;
            w.updated = w.replicas;
            w.ready = w.ready.min(w.replicas);
            let more = pods.min(w.replicas - w.ready);
            w.ready += more;
            pods -= more;
            w.available = w.ready;
        }
    }
}

fn mk_pair(stable: (u32, u32), canary: Option<(u32, u32)>, max_unavailable: u32) -> Pair {
    let workload = |mut w: WorkloadSeen, unready: u32| {
        w.ready = w.replicas.saturating_sub(unready);
        w.available = w.ready;
        w.max_unavailable = max_unavailable;
        w
    };
    Pair {
        stable: workload(
            mk_workload("storefront", "target-1", 'a', stable.0),
            stable.1,
        ),
        canary: canary.map_or(Seen::Absent, |(n, unready)| {
            Seen::Present(workload(mk_canary('b', n), unready))
        }),
    }
}

/// Runs to the end. Ready pods never fall below the floor that was held when it began.
fn run(
    mut pair: Pair,
    total: u32,
    next: impl Fn(&Pair) -> Convergence,
    readies: &[u32],
) -> Result<Pair, TestCaseError> {
    let least = floor(total, pair.stable.max_unavailable, pair.ready());
    for round in 0..400 {
        match next(&pair) {
            Convergence::Reached => return Ok(pair),
            Convergence::WaitFor { .. } => {}
            Convergence::Write(moves) => {
                prop_assert!(!moves.is_empty());
                for m in moves {
                    pair.apply(m);
                }
            }
        }
        // Some readiness must come; how fast is up to the nodes.
        pair.settle(
            readies
                .get(round % readies.len())
                .copied()
                .unwrap_or(1)
                .max(1),
        );
        prop_assert!(
            pair.ready() >= least,
            "{} ready, floor {least}: {pair:?}",
            pair.ready()
        );
    }
    Err(TestCaseError::fail(format!("never reached: {pair:?}")))
}

fn counts(most: u32) -> impl Strategy<Value = (u32, u32)> {
    (1..=most).prop_flat_map(|n| (Just(n), 0..=n))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_side_keeps_a_pod_and_the_sum_is_right(total in 1..2000_u32, weight in 1..10_000_u16) {
        let s = split(total, weight);
        prop_assert!(s.stable >= 1 && s.candidate >= 1);
        prop_assert_eq!(s.stable + s.candidate, total.max(2));
        // As near as whole pods allow.
        let wish = f64::from(total) * f64::from(weight) / 10_000.0;
        let off = (f64::from(s.candidate) - wish).abs();
        prop_assert!(off <= 0.5 || s.candidate == 1 || s.stable == 1, "{s:?} for {wish}");
    }

    #[test]
    fn more_weight_is_never_less_share(total in 1..500_u32, a in 1..10_000_u16, b in 1..10_000_u16) {
        let (a, b) = (a.min(b), a.max(b));
        prop_assert!(split(total, a).achieved_bp() <= split(total, b).achieved_bp());
    }

    #[test]
    fn needed_replicas_are_the_fewest(weight in 1..3000_u16, limit in 1..3000_u16) {
        match replicas_needed(split, weight, limit) {
            Some(n) => {
                prop_assert!(split(n, weight).achieved_bp() <= limit);
                for fewer in 1..n {
                    prop_assert!(split(fewer, weight).achieved_bp() > limit, "{fewer} would do");
                }
            }
            None => prop_assert!(weight > limit, "{weight} within {limit} is possible with enough"),
        }
    }

    #[test]
    fn any_counts_converge_to_a_share_above_the_floor(
        total in 1..30_u32,
        weight in 1..10_000_u16,
        stable in counts(30),
        canary in prop::option::of(counts(30)),
        max_unavailable in 0..4_u32,
        readies in prop::collection::vec(0..4_u32, 1..5),
    ) {
        let want = split(total, weight);
        let pair = mk_pair(stable, canary, max_unavailable);
        let end = run(pair, total, |p| converge(want, total, &p.stable, &p.canary), &readies)?;
        prop_assert_eq!(end.stable.ready, want.stable);
        prop_assert_eq!(end.canary.present().map(|c| c.ready), Some(want.candidate));
    }

    #[test]
    fn any_counts_end_with_the_stable_version_alone(
        total in 1..30_u32,
        stable in counts(30),
        canary in prop::option::of(counts(30)),
        max_unavailable in 0..4_u32,
        readies in prop::collection::vec(0..4_u32, 1..5),
    ) {
        let pair = mk_pair(stable, canary, max_unavailable);
        let end = run(pair, total, |p| withdraw_canary(total, &p.stable, &p.canary), &readies)?;
        prop_assert_eq!(end.canary, Seen::Absent);
        prop_assert_eq!(end.stable.ready, total.max(stable.0));
    }
}
