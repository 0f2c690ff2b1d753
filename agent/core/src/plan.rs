//! The plan of a Rollout: the steps that a traffic strategy proposed, checked and frozen.

pub mod curve;
pub mod outline;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::HumanDuration;
use crate::hash::{canonical_json, sha256_hex};
use crate::plugin::PlanStep;
use crate::policy::{EnvironmentPolicy, Share};
use crate::router::apart::capacity;
use crate::router::{ALL_TRAFFIC, percent, replicas};

/// More steps than anyone reads before signing.
const STEP_LIMIT: usize = 32;
/// Longer than this a plan is a mistake: 30 days in milliseconds.
const TOTAL_HOLD_LIMIT_MS: u64 = 30 * 24 * 3600 * 1000;
/// Longest name of a step, in bytes.
const NAME_LIMIT: usize = 63;

/// A plan that passed [`check`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The plugin that proposed it.
    pub strategy: String,
    /// Its steps; the last one has all the traffic and is the promotion.
    pub steps: Vec<PlannedStep>,
    /// Hash of all of it; part of the approval hash.
    pub hash: String,
}

/// One step, with the share that the router can really give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// The wish.
    #[serde(flatten)]
    pub step: PlanStep,
    /// Pods of the stable version in this step.
    pub stable_replicas: u32,
    /// Pods of the candidate in this step, beside the stable ones.
    pub candidate_replicas: u32,
    /// The share that this makes, in basis points.
    pub achieved_bp: u16,
}

impl PlannedStep {
    /// Whether this step is the promotion.
    pub fn promotes(&self) -> bool {
        self.step.weight_bp >= ALL_TRAFFIC
    }
}

/// Whose pods a candidate gets its share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The target's own: stable and candidate together are so many.
    Within(u32),
    /// More beside the target's, of which an autoscaler decides how many there are: now so many.
    Beside(u32),
    /// Its own, apart from the target's, which are so many; a router sends it its share.
    Apart {
        /// Pods of the target.
        target: u32,
        /// Whether the router gives all or nothing.
        switch: bool,
    },
}

impl Room {
    /// Pods of the target now.
    pub fn target(self) -> u32 {
        match self {
            Self::Within(n) | Self::Beside(n) | Self::Apart { target: n, .. } => n,
        }
    }

    fn divide(self) -> fn(u32, u16) -> replicas::Split {
        match self {
            // Apart from the target shares are exact, whatever the number of pods.
            Self::Within(_) | Self::Apart { .. } => replicas::split,
            Self::Beside(_) => replicas::beside,
        }
    }

    /// Whether the pods of a step serve nobody before the router says so.
    fn is_apart(self) -> bool {
        matches!(self, Self::Apart { .. })
    }

    /// Whether there is nothing between no traffic and all of it.
    fn switches(self) -> bool {
        matches!(self, Self::Apart { switch: true, .. })
    }
}

/// What a policy says about plans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanLimits {
    /// Largest share of the first step, in basis points.
    pub first_step_at_most_bp: Option<u16>,
    /// Largest growth from one step to the next, in basis points.
    pub max_increase_bp: Option<u16>,
    /// What all holds together may take at most: with more, the Rollout would be rolled back for its
    /// time before it is through.
    pub total_hold_at_most_ms: Option<u64>,
}

impl PlanLimits {
    /// The limits of an environment.
    pub fn of(policy: &EnvironmentPolicy) -> Self {
        Self {
            first_step_at_most_bp: policy.strategy.first_step_at_most.map(Share::basis_points),
            max_increase_bp: policy.strategy.max_step_increase.map(Share::basis_points),
            total_hold_at_most_ms: policy.limits.total_time.map(HumanDuration::as_millis),
        }
    }
}

/// Checks a proposal against the rules that hold for every plan and against the policy's limits.
/// All problems at once.
pub fn check(
    strategy: &str,
    proposal: &[PlanStep],
    room: Room,
    limits: &PlanLimits,
) -> Result<Plan, Vec<String>> {
    let mut problems = Vec::new();
    if proposal.is_empty() {
        problems.push("the plan has no steps".to_owned());
    }
    if proposal.len() > STEP_LIMIT {
        problems.push(format!(
            "the plan has {} steps; {STEP_LIMIT} is the limit",
            proposal.len()
        ));
        return Err(problems);
    }
    let mut before = 0;
    for (i, s) in proposal.iter().enumerate() {
        let n = i + 1;
        if !usable(&s.name) {
            problems.push(format!(
                "step {n} has no usable name (1 to {NAME_LIMIT} bytes)"
            ));
        }
        if s.gate.as_deref().is_some_and(|gate| !usable(gate)) {
            problems.push(format!(
                "step {n}: its gate has no usable name (1 to {NAME_LIMIT} bytes)"
            ));
        }
        if proposal.iter().take(i).any(|o| o.name == s.name) {
            problems.push(format!("step {n}: the name `{}` stands twice", s.name));
        }
        if s.weight_bp > ALL_TRAFFIC {
            problems.push(format!("step {n}: a share of {} basis points", s.weight_bp));
        }
        // Pods that serve nobody can be tested first, where a router keeps them apart.
        let dark = i == 0 && s.weight_bp == 0 && room.is_apart();
        if s.weight_bp == 0 && i == 0 && !dark {
            problems.push(
                "step 1 has no traffic: pods of the replica router always have some; use the router \
                 service, httpRoute or ingressNginx for a preview"
                    .into(),
            );
        } else if !dark && (s.weight_bp == 0 || (i > 0 && s.weight_bp <= before)) {
            problems.push(format!(
                "step {n}: {} does not grow beyond the {} before it",
                percent(s.weight_bp),
                percent(before)
            ));
        }
        if room.switches() && s.weight_bp > 0 && s.weight_bp < ALL_TRAFFIC {
            problems.push(format!(
                "step {n}: the router service gives all or nothing, and not {}; use the router \
                 httpRoute, ingressNginx or replicas for shares",
                percent(s.weight_bp)
            ));
        }
        before = s.weight_bp;
    }
    if proposal.last().is_some_and(|s| s.weight_bp != ALL_TRAFFIC) {
        problems.push("the last step is not 100 %: the release would never be promoted".into());
    }
    let hold = proposal
        .iter()
        .fold(0_u64, |sum, s| sum.saturating_add(s.hold_ms));
    if hold > TOTAL_HOLD_LIMIT_MS {
        problems.push("the holds add up to more than 30 days".into());
    }
    if let Some(gate) = proposal.first().and_then(|s| s.gate.as_deref()) {
        problems.push(format!(
            "step 1 has the gate `{gate}`, but what opens the first step is the policy's approval"
        ));
    }
    let steps: Vec<PlannedStep> = proposal.iter().map(|s| place(s, room)).collect();
    limits_kept(&steps, room, limits, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    // Over the shares and holds, not over pod counts: an autoscaler must not void a signature.
    let text = serde_json::to_value(proposal)
        .map(|v| canonical_json(&v))
        .unwrap_or_default();
    let hash = sha256_hex(format!("{strategy}\n{text}").as_bytes());
    Ok(Plan {
        strategy: strategy.to_owned(),
        steps,
        hash,
    })
}

/// Names stand in sentences, in labels and, 32 times two, in the journal.
fn usable(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || c == '"' || c == '\\';
    !name.is_empty() && name.len() <= NAME_LIMIT && !name.contains(forbidden)
}

/// A proposal small enough to be kept until it is checked, and refused then if it was larger.
pub(crate) fn bounded_proposal(proposal: &[PlanStep]) -> Vec<PlanStep> {
    let short = |text: &String| text.chars().take(NAME_LIMIT + 1).collect::<String>();
    let mut out: Vec<PlanStep> = proposal.iter().take(STEP_LIMIT + 1).cloned().collect();
    for step in &mut out {
        step.name = short(&step.name);
        step.gate = step.gate.as_ref().map(short);
    }
    out
}

fn place(step: &PlanStep, room: Room) -> PlannedStep {
    let total = room.target();
    if let Room::Apart { switch, .. } = room
        && (switch || step.weight_bp < ALL_TRAFFIC)
    {
        // A switch needs as many pods as there are behind it; a share needs its part of them.
        let usual = if switch {
            total
        } else {
            capacity(total, step.weight_bp)
        };
        let most = total.saturating_mul(2).max(1);
        return PlannedStep {
            step: step.clone(),
            stable_replicas: total,
            candidate_replicas: match step.capacity_replicas {
                Some(n) if step.weight_bp < ALL_TRAFFIC => n.clamp(1, most),
                Some(_) | None => usual,
            },
            achieved_bp: step.weight_bp.min(ALL_TRAFFIC),
        };
    }
    if step.weight_bp >= ALL_TRAFFIC {
        return PlannedStep {
            step: step.clone(),
            stable_replicas: total,
            candidate_replicas: 0,
            achieved_bp: ALL_TRAFFIC,
        };
    }
    let split = match step.capacity_replicas {
        // A strategy that names a number of pods gets it, but never all of them.
        Some(n) => {
            let candidate = n.clamp(1, total.saturating_sub(1).max(1));
            let stable = match room {
                Room::Within(_) => total.saturating_sub(n).max(1),
                Room::Beside(_) | Room::Apart { .. } => total,
            };
            replicas::Split { stable, candidate }
        }
        None => room.divide()(total, step.weight_bp),
    };
    PlannedStep {
        step: step.clone(),
        stable_replicas: split.stable,
        candidate_replicas: split.candidate,
        achieved_bp: split.achieved_bp(),
    }
}

fn limits_kept(steps: &[PlannedStep], room: Room, limits: &PlanLimits, problems: &mut Vec<String>) {
    let total = room.target();
    // A step without traffic shows nobody anything: the first that does is the first. Where there is
    // nothing between none and all, a preview is all the caution there can be.
    let first = steps.iter().find(|s| s.achieved_bp > 0 || room.switches());
    if let (Some(limit), Some(first)) = (limits.first_step_at_most_bp, first)
        && first.achieved_bp > limit
    {
        let mut text = format!(
            "the first step would give the candidate {} with {total} replicas; the policy allows \
             at most {}",
            percent(first.achieved_bp),
            percent(limit)
        );
        if first.step.weight_bp <= limit
            && !room.is_apart()
            && let Some(n) = replicas::replicas_needed(room.divide(), first.step.weight_bp, limit)
        {
            text.push_str(&format!(": {n} replicas are needed"));
        }
        problems.push(text);
    }
    let hold = steps
        .iter()
        .fold(0_u64, |sum, s| sum.saturating_add(s.step.hold_ms));
    if let Some(limit) = limits.total_hold_at_most_ms
        && hold >= limit
    {
        problems.push(format!(
            "the holds of the plan take {} in all, and the policy's limits.totalTime is {}: it would be \
             rolled back before it is through",
            HumanDuration::from_millis(hold),
            HumanDuration::from_millis(limit)
        ));
    }
    if let Some(limit) = limits.max_increase_bp {
        let mut before = 0;
        for (i, s) in steps.iter().enumerate() {
            if i > 0 && !room.switches() && s.achieved_bp.saturating_sub(before) > limit {
                problems.push(format!(
                    "step {} grows by {}; the policy allows at most {}",
                    i + 1,
                    percent(s.achieved_bp.saturating_sub(before)),
                    percent(limit)
                ));
            }
            before = s.achieved_bp;
        }
    }
}

#[cfg(test)]
mod tests;
