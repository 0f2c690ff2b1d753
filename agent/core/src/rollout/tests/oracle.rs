//! What must hold at every decision and every write, told independently of the engine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::world::World;
use crate::pipeline::OutcomeKind;
use crate::plugin::PluginKind;
use crate::rollout::fixture::UID;
use crate::rollout::*;
use crate::template::template_hash;

/// What a vote is for: everything that must not change between the vote and the first write.
type Subject = (String, String, usize, Vec<String>);

#[derive(Clone, Debug)]
pub(super) struct Oracle {
    /// Ready pods behind the Service may not be fewer, as long as pods only fall by the engine.
    pub(super) floor: usize,
    /// Calls of checks that were answered by a pass.
    pub(super) passes: BTreeSet<String>,
    /// What each approval hash stood for when it was first seen.
    subjects: BTreeMap<String, Subject>,
    /// The template from before somebody changed it.
    pub(super) drifted: Option<Value>,
    /// Writes to the target so far.
    pub(super) writes: u32,
    /// The revision to put back, once it is journalled.
    pub(super) stable: Option<String>,
}

impl Oracle {
    pub(super) fn new(replicas: usize) -> Self {
        Self {
            floor: replicas,
            passes: BTreeSet::new(),
            subjects: BTreeMap::new(),
            drifted: None,
            writes: 0,
            stable: None,
        }
    }
}

impl World {
    /// Holds the number of ready pods to the floor.
    pub(super) fn count_ready(&mut self) {
        let Some(d) = &self.target else {
            self.oracle.floor = 0;
            return;
        };
        let unavailable = usize::try_from(d.max_unavailable).unwrap();
        let least = self.oracle.floor.saturating_sub(unavailable).max(1);
        if self.steady && self.oracle.floor > 0 {
            let ready = self.ready();
            assert!(
                ready >= least,
                "seed {}: {ready} ready pods, floor {least}",
                self.seed
            );
        }
    }

    fn subject(&self, journal: &Journal, seen: &Observation) -> Option<Subject> {
        let target = seen.target.present()?;
        let plan = journal.plan.as_ref()?;
        let plugins = seen
            .plugins
            .iter()
            .filter(|p| p.kind != PluginKind::MetricProvider || self.measures())
            .map(|p| format!("{} {}", p.name, p.digest))
            .collect();
        let hash = template_hash(target.template());
        Some((hash, plan.hash.clone(), self.in_force, plugins))
    }

    /// Looks at a decision before it is carried out.
    pub(super) fn judge(&mut self, before: &Journal, seen: &Observation, d: &Decision) {
        let seed = self.seed;
        let after = &d.journal;
        if let Some(a) = &after.approval
            && !self.oracle.subjects.contains_key(&a.hash)
            && let Some(subject) = self.subject(after, seen)
        {
            self.oracle.subjects.insert(a.hash.clone(), subject);
        }
        if let (Some(s), State::Progressing(_) | State::Promoting(_) | State::Watching(_)) =
            (&after.stable, &after.state)
        {
            self.oracle.stable = Some(s.template_hash.clone());
        }
        self.left_step_was_passed(before, after);
        let rolling_back = matches!(after.state, State::RollingBack(_));
        for effect in &d.effects {
            if let Effect::RecordOutcome {
                promoted: Some(r), ..
            } = effect
            {
                let serves = seen.target.present().map(|t| template_hash(t.template()));
                assert_eq!(
                    serves,
                    Some(self.candidate_hash()),
                    "seed {seed}: what is promoted"
                );
                assert_eq!(r.template_hash, self.candidate_hash(), "seed {seed}");
            }
            if !crate::invariants::changes_target(effect) {
                continue;
            }
            self.oracle.writes += 1;
            let elsewhere = seen.siblings.iter().any(|s| {
                self.target
                    .as_ref()
                    .is_some_and(|t| t.claimed_by.as_ref() == Some(&s.uid))
            });
            let own_canary = matches!(effect, Effect::Delete { .. })
                || matches!(effect, Effect::Scale { deployment, replicas: 0, .. }
                    if deployment.name != "storefront");
            assert!(
                !elsewhere || own_canary,
                "seed {seed}: touches what another holds: {effect:?}"
            );
            if !rolling_back && self.grows(effect, before, seen) && !self.returns() {
                let hash = after
                    .approval
                    .as_ref()
                    .map(|a| a.hash.as_str())
                    .unwrap_or_default();
                let by = self.view.spec.cause.requester.as_ref();
                let by = by.and_then(|r| r.username.strip_suffix("@example.com"));
                let open = self.rules[self.in_force].open(&seen.votes, hash, by, self.now);
                assert!(
                    open,
                    "seed {seed}: the gate is closed: {effect:?}\n{:?}",
                    after.why
                );
                if matches!(effect, Effect::Claim { .. }) {
                    let now = self.subject(after, seen);
                    let then = self.oracle.subjects.get(hash).cloned();
                    assert_eq!(now, then, "seed {seed}: not what was signed");
                }
            }
        }
    }

    fn grows(&self, effect: &Effect, before: &Journal, seen: &Observation) -> bool {
        match effect {
            // A claim that somebody took off in the middle is not the first write.
            Effect::Claim { .. } => !before.claimed,
            Effect::Create { .. } | Effect::SetTemplate { .. } => true,
            Effect::Scale {
                deployment,
                replicas,
                ..
            } => seen
                .canary
                .present()
                .is_some_and(|c| c.uid == deployment.uid && *replicas > c.replicas),
            Effect::Delete { .. }
            | Effect::Patch { .. }
            | Effect::CopyConfig { .. }
            | Effect::SaveRevision { .. }
            | Effect::RecordOutcome { .. }
            | Effect::Ask { .. } => false,
        }
    }

    /// Every check of a step that is left forward has been answered by a pass since the pods last
    /// stood (an optional one may have been skipped, which the record shows).
    fn left_step_was_passed(&self, before: &Journal, after: &Journal) {
        let Some(left) = before.state.step() else {
            return;
        };
        let watched = matches!(before.state, State::Watching(_));
        let on = match &after.state {
            State::Progressing(s) | State::Promoting(s) => s.index > left.index,
            State::Watching(_) => !watched,
            State::Finishing(_) => true,
            State::Recording(e) => e.kind == OutcomeKind::Succeeded,
            State::Ended(e) => e.kind == OutcomeKind::Succeeded,
            State::Queued
            | State::Planning { .. }
            | State::AwaitingApproval
            | State::Preparing(_)
            | State::RollingBack(_) => false,
        };
        // Where pods have not fallen in the watch, the checks were those of the last step.
        if !on || (watched && left.relapses == 0) {
            return;
        }
        let place = if watched {
            "watch".to_owned()
        } else {
            left.index.to_string()
        };
        for check in self.view.spec.checks.iter().filter(|c| !c.optional) {
            let key = format!("{UID}/check-{}-{}-{}-", place, left.relapses, check.label());
            let passed = self.passes().iter().any(|p| {
                p.strip_prefix(&key)
                    .is_some_and(|rest| rest.parse::<u32>().is_ok())
            });
            assert!(
                passed,
                "seed {}: left step {} without {key}",
                self.seed, left.index
            );
        }
    }
}
