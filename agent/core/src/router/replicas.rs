//! The replica router: two Deployments behind one Service, the share is a ratio of pods.
//!
//! ```text
//!   Service ──selects──► stable pods (9)      Deployment `storefront`
//!              └───────► canary pods (1)      Deployment `storefront-canary-…`, made by Sluice
//! ```
//! New pods are ready before old ones go (grow, then shrink), so that the Service never has fewer
//! ready pods than the target's own rolling update would leave it (reliability.md W7).

use super::ALL_TRAFFIC;
use crate::rollout::{Seen, WorkloadSeen};

/// How many pods each version gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Pods of the stable version.
    pub stable: u32,
    /// Pods of the candidate.
    pub candidate: u32,
}

impl Split {
    /// The share that the candidate really gets, in basis points.
    pub fn achieved_bp(self) -> u16 {
        let all = u64::from(self.stable) + u64::from(self.candidate);
        if all == 0 {
            return 0;
        }
        u16::try_from(u64::from(self.candidate) * u64::from(ALL_TRAFFIC) / all)
            .unwrap_or(ALL_TRAFFIC)
    }
}

/// Divides `total` pods so that the candidate gets `weight_bp`, as near as whole pods allow.
///
/// Below all traffic each side keeps at least one pod: a candidate with none cannot be tested, and
/// a stable version with none cannot take the traffic back. Halves round down, towards less exposure.
pub fn split(total: u32, weight_bp: u16) -> Split {
    if weight_bp >= ALL_TRAFFIC {
        return Split {
            stable: total,
            candidate: 0,
        };
    }
    if weight_bp == 0 {
        return Split {
            stable: total,
            candidate: 0,
        };
    }
    let all = u64::from(ALL_TRAFFIC);
    let exact = u64::from(total) * u64::from(weight_bp);
    let nearest = (exact / all) + u64::from((exact % all) * 2 > all);
    let most = u64::from(total.saturating_sub(1)).max(1);
    let candidate = u32::try_from(nearest.clamp(1, most)).unwrap_or(1);
    Split {
        stable: total.saturating_sub(candidate).max(1),
        candidate,
    }
}

/// The smallest number of pods of the target with which a share of `weight_bp`, divided so, stays
/// within `limit_bp`.
pub fn replicas_needed(
    divide: fn(u32, u16) -> Split,
    weight_bp: u16,
    limit_bp: u16,
) -> Option<u32> {
    (1..=10_000).find(|n| divide(*n, weight_bp).achieved_bp() <= limit_bp)
}

/// Pods for the candidate beside `stable` ones that are not to be touched, because an autoscaler owns
/// their number. At most `weight_bp` of all, but at least one pod.
pub fn beside(stable: u32, weight_bp: u16) -> Split {
    let (all, weight) = (u64::from(ALL_TRAFFIC), u64::from(weight_bp));
    let rest = all.saturating_sub(weight);
    let most = (u64::from(stable) * weight).checked_div(rest).unwrap_or(0);
    Split {
        stable,
        candidate: u32::try_from(most).unwrap_or(u32::MAX).max(1),
    }
}

/// What has to be written next, in the order in which it may be done. Empty: nothing to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The canary does not exist: create it, with no pods.
    CreateCanary,
    /// More or fewer canary pods.
    ScaleCanary(u32),
    /// More or fewer stable pods.
    ScaleStable(u32),
    /// Remove the empty canary.
    DeleteCanary,
}

impl Move {
    /// Whether pods may go away by it: such a move is decided on a live read (reliability.md R4).
    pub fn takes_pods_away(self, stable: &WorkloadSeen, canary: Option<&WorkloadSeen>) -> bool {
        match self {
            Self::CreateCanary => false,
            Self::ScaleCanary(n) => canary.is_some_and(|c| n < c.replicas),
            Self::ScaleStable(n) => n < stable.replicas,
            Self::DeleteCanary => true,
        }
    }
}

/// How far two Deployments are from a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Convergence {
    /// These writes bring it nearer.
    Write(Vec<Move>),
    /// Written; pods of the named Deployment are not all ready yet.
    WaitFor {
        /// Name of the Deployment.
        deployment: String,
        /// Ready pods wanted.
        replicas: u32,
    },
    /// Every pod of the split is ready and none is left over.
    Reached,
}

/// The fewest ready pods that may stand behind the Service: what the target's own rolling update
/// would leave, or what was ready anyway, if that is less (a sick target may still be mended).
pub fn floor(total: u32, max_unavailable: u32, ready_now: u32) -> u32 {
    total.saturating_sub(max_unavailable).max(1).min(ready_now)
}

/// Next writes towards `want` while both versions serve.
pub fn converge(
    want: Split,
    total: u32,
    stable: &WorkloadSeen,
    canary: &Seen<WorkloadSeen>,
) -> Convergence {
    let canary = match canary {
        Seen::Present(c) => c,
        Seen::Absent if want.candidate > 0 => return Convergence::Write(vec![Move::CreateCanary]),
        Seen::Absent => return converge_stable(want, stable),
        // The caller holds on what it cannot see; saying "wait" here keeps this function total.
        Seen::Unknown(_) => {
            return Convergence::WaitFor {
                deployment: "canary".into(),
                replicas: want.candidate,
            };
        }
    };
    let mut moves = Vec::new();
    if canary.replicas < want.candidate {
        moves.push(Move::ScaleCanary(want.candidate));
    }
    if stable.replicas < want.stable {
        moves.push(Move::ScaleStable(want.stable));
    }
    if !moves.is_empty() {
        return Convergence::Write(moves);
    }
    for (side, n) in [(canary, want.candidate), (stable, want.stable)] {
        if side.ready < n || !side.observed() {
            return Convergence::WaitFor {
                deployment: side.name.clone(),
                replicas: n,
            };
        }
    }
    // Both sides have at least what they shall have: now the surplus may go.
    let ready = stable.ready.saturating_add(canary.ready);
    let floor = floor(total, stable.max_unavailable, ready);
    if want.stable.saturating_add(want.candidate) >= floor {
        if canary.replicas > want.candidate {
            moves.push(Move::ScaleCanary(want.candidate));
        }
        if stable.replicas > want.stable {
            moves.push(Move::ScaleStable(want.stable));
        }
    }
    if !moves.is_empty() {
        return Convergence::Write(moves);
    }
    for side in [canary, stable] {
        if !side.settled() {
            let (deployment, replicas) = (side.name.clone(), side.replicas);
            return Convergence::WaitFor {
                deployment,
                replicas,
            };
        }
    }
    Convergence::Reached
}

/// Next writes towards `candidate` pods beside a stable version whose number of pods is another's.
/// How far the stable pods are is not looked at: an autoscaler moves them all the time.
pub fn converge_beside(candidate: u32, canary: &Seen<WorkloadSeen>) -> Convergence {
    let canary = match canary {
        Seen::Present(c) => c,
        Seen::Absent => return Convergence::Write(vec![Move::CreateCanary]),
        Seen::Unknown(_) => {
            return Convergence::WaitFor {
                deployment: "canary".into(),
                replicas: candidate,
            };
        }
    };
    if canary.replicas != candidate {
        Convergence::Write(vec![Move::ScaleCanary(candidate)])
    } else if canary.ready < candidate || !canary.observed() {
        Convergence::WaitFor {
            deployment: canary.name.clone(),
            replicas: candidate,
        }
    } else {
        Convergence::Reached
    }
}

fn converge_stable(want: Split, stable: &WorkloadSeen) -> Convergence {
    if stable.replicas != want.stable {
        Convergence::Write(vec![Move::ScaleStable(want.stable)])
    } else if !stable.settled() {
        Convergence::WaitFor {
            deployment: stable.name.clone(),
            replicas: want.stable,
        }
    } else {
        Convergence::Reached
    }
}

/// Next writes towards a stable version that serves alone, whose template is already right: the
/// end of a promotion and of every rollback. The canary shrinks as fast as `floor` lets it, not only
/// when the stable version is whole: a bad canary that can be spared goes at once.
pub fn withdraw_canary(
    total: u32,
    stable: &WorkloadSeen,
    canary: &Seen<WorkloadSeen>,
) -> Convergence {
    let mut moves = Vec::new();
    if stable.replicas < total {
        moves.push(Move::ScaleStable(total));
    }
    if let Seen::Present(c) = canary {
        let ready = stable.ready.saturating_add(c.ready);
        let floor = floor(total, stable.max_unavailable, ready);
        let whole = stable.settled() && stable.replicas >= total;
        let spare = if whole {
            0
        } else {
            floor.saturating_sub(stable.ready)
        };
        if c.replicas > spare {
            moves.push(Move::ScaleCanary(spare));
        } else if c.replicas == 0 && c.pods == 0 && c.observed() {
            moves.push(Move::DeleteCanary);
        }
    }
    if !moves.is_empty() {
        return Convergence::Write(moves);
    }
    match canary {
        Seen::Absent if stable.settled() && stable.replicas >= total => Convergence::Reached,
        Seen::Absent => Convergence::WaitFor {
            deployment: stable.name.clone(),
            replicas: total,
        },
        Seen::Present(c) if c.replicas > 0 => Convergence::WaitFor {
            deployment: stable.name.clone(),
            replicas: total,
        },
        Seen::Present(c) => Convergence::WaitFor {
            deployment: c.name.clone(),
            replicas: 0,
        },
        Seen::Unknown(_) => Convergence::WaitFor {
            deployment: "canary".into(),
            replicas: 0,
        },
    }
}

#[cfg(test)]
mod tests;
