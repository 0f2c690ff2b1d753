//! The replica router under a limit of pods: where a namespace has no room for more than so many, some
//! go before others come. Fewer serve meanwhile, by as many as the target's own rolling update may take
//! away, and by one at least.

use super::replicas::{Convergence, Move, Split};
use crate::rollout::{Seen, WorkloadSeen};

/// Pods that may be missing while pods change places.
pub fn spare(max_unavailable: u32) -> u32 {
    max_unavailable.max(1)
}

/// Next writes towards `want` with at most `total + surge` pods at any moment.
pub fn converge(
    want: Split,
    total: u32,
    surge: u32,
    stable: &WorkloadSeen,
    canary: &Seen<WorkloadSeen>,
) -> Convergence {
    let none = WorkloadSeen::default();
    let canary = match canary {
        Seen::Present(c) => c,
        Seen::Absent if want.candidate > 0 => return Convergence::Write(vec![Move::CreateCanary]),
        Seen::Absent => &none,
        Seen::Unknown(_) => return wait("canary", want.candidate),
    };
    if !stable.observed() || !canary.observed() {
        let (name, n) = match stable.observed() {
            false => (&stable.name, stable.replicas),
            true => (&canary.name, canary.replicas),
        };
        return wait(name, n);
    }
    let present = |w: &WorkloadSeen| w.replicas.max(w.pods);
    let there = present(stable).saturating_add(present(canary));
    let room = total.saturating_add(surge).saturating_sub(there);
    let more = |w: &WorkloadSeen, wanted: u32| wanted.saturating_sub(w.replicas).min(room);
    let (for_canary, for_stable) = (more(canary, want.candidate), more(stable, want.stable));
    if for_canary > 0 {
        return Convergence::Write(vec![Move::ScaleCanary(canary.replicas + for_canary)]);
    }
    if for_stable > 0 {
        return Convergence::Write(vec![Move::ScaleStable(stable.replicas + for_stable)]);
    }
    let over_canary = canary.replicas.saturating_sub(want.candidate);
    let over_stable = stable.replicas.saturating_sub(want.stable);
    if over_canary == 0 && over_stable == 0 {
        return reached(want, stable, canary);
    }
    // While the target takes another template by its own rolling update, that takes away what may be
    // missing.
    if stable.updated < stable.replicas {
        return wait(&stable.name, stable.replicas);
    }
    // Pods that do not serve are no loss.
    let least = total.saturating_sub(spare(stable.max_unavailable)).max(1);
    let ready = stable.ready.saturating_add(canary.ready);
    let loss = ready.saturating_sub(least);
    let idle = |w: &WorkloadSeen| w.replicas.saturating_sub(w.ready);
    let fewer = |w: &WorkloadSeen, over: u32| over.min(loss.saturating_add(idle(w)));
    let (canary_goes, stable_goes) = (fewer(canary, over_canary), fewer(stable, over_stable));
    if canary_goes > 0 {
        return Convergence::Write(vec![Move::ScaleCanary(canary.replicas - canary_goes)]);
    }
    if stable_goes > 0 {
        return Convergence::Write(vec![Move::ScaleStable(stable.replicas - stable_goes)]);
    }
    let slow = if canary.ready < canary.replicas {
        canary
    } else {
        stable
    };
    wait(&slow.name, slow.replicas)
}

fn reached(want: Split, stable: &WorkloadSeen, canary: &WorkloadSeen) -> Convergence {
    if !stable.settled() {
        return wait(&stable.name, want.stable);
    }
    if !canary.settled() {
        return wait(&canary.name, want.candidate);
    }
    if want.candidate == 0 && !canary.name.is_empty() {
        return Convergence::Write(vec![Move::DeleteCanary]);
    }
    Convergence::Reached
}

fn wait(deployment: &str, replicas: u32) -> Convergence {
    Convergence::WaitFor {
        deployment: deployment.to_owned(),
        replicas,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(name: &str, replicas: u32, ready: u32) -> WorkloadSeen {
        WorkloadSeen {
            name: name.into(),
            replicas,
            ready,
            pods: replicas,
            updated: replicas,
            available: ready,
            ..WorkloadSeen::default()
        }
    }

    /// Walks until nothing is written any more; pods are ready at once, or of the canary never.
    fn walk(from: (u32, u32), want: Split, total: u32, surge: u32, sick: bool) -> (u32, u32, u32) {
        let (mut stable, mut canary) = from;
        let (mut fewest, mut most) = (u32::MAX, 0);
        let mut there = true;
        for _ in 0..200 {
            let s = workload("s", stable, stable);
            let c = workload("c", canary, if sick { 0 } else { canary });
            let ready = s.ready + c.ready;
            fewest = fewest.min(ready);
            most = most.max(stable + canary);
            let seen = if there {
                Seen::Present(c)
            } else {
                Seen::Absent
            };
            match converge(want, total, surge, &s, &seen) {
                Convergence::Write(moves) => {
                    for m in moves {
                        match m {
                            Move::ScaleCanary(n) => canary = n,
                            Move::ScaleStable(n) => stable = n,
                            Move::DeleteCanary => there = false,
                            Move::CreateCanary => there = true,
                        }
                    }
                }
                Convergence::Reached | Convergence::WaitFor { .. } => break,
            }
        }
        if !sick {
            assert_eq!((stable, canary), (want.stable, want.candidate));
        }
        (fewest, most, stable)
    }

    #[test]
    fn without_surge_there_are_never_more_pods_and_one_fewer_serves() {
        for (from, to) in [
            ((10, 0), (9, 1)),
            ((9, 1), (5, 5)),
            ((5, 5), (10, 0)),
            ((1, 9), (10, 0)),
        ] {
            let want = Split {
                stable: to.0,
                candidate: to.1,
            };
            let (fewest, most, _) = walk(from, want, 10, 0, false);
            assert_eq!((fewest, most), (9, 10), "{from:?} to {to:?}");
            let (fewest, most, _) = walk(from, want, 10, 2, false);
            assert!(
                fewest >= 9 && most <= 12,
                "{from:?} to {to:?}: {fewest} {most}"
            );
        }
    }

    #[test]
    fn no_pod_goes_while_the_target_takes_another_template() {
        let want = Split {
            stable: 10,
            candidate: 0,
        };
        // Between two pods of its rolling update all of them are ready.
        let rolling = WorkloadSeen {
            updated: 3,
            ..workload("s", 5, 5)
        };
        let canary = Seen::Present(workload("c", 5, 5));
        let next = converge(want, 10, 0, &rolling, &canary);
        assert_eq!(next, wait("s", 5));
        let next = converge(want, 10, 0, &workload("s", 5, 5), &canary);
        assert_eq!(next, Convergence::Write(vec![Move::ScaleCanary(4)]));
    }

    #[test]
    fn sick_pods_make_room_at_once() {
        let want = Split {
            stable: 10,
            candidate: 0,
        };
        let (fewest, most, stable) = walk((9, 1), want, 10, 0, true);
        assert_eq!((fewest, most, stable), (9, 10, 10));
    }
}
