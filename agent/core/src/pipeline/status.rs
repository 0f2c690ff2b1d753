//! What a Pipeline remembers of each environment. Bounded; full means hold, never forget silently.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigSource;
use crate::workload::MemberRevision;

/// Outcomes kept per environment. Old ones fall out: the archive has them all.
pub const HISTORY_LIMIT: usize = 50;
/// Digests that may be quarantined at once. Full: new candidates hold until a person lifts one.
pub const QUARANTINE_LIMIT: usize = 50;
/// Promoted revisions that can be deployed again with their whole template.
pub const REVISION_LIMIT: usize = 10;

/// The status of a Pipeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PipelineStatus {
    /// Per environment name.
    pub environments: BTreeMap<String, EnvironmentStatus>,
    /// What is wrong with the spec, one line each. Empty: usable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// Epoch of the leader that wrote this. A write of an older one is refused by the API server.
    #[serde(skip_serializing_if = "crate::lease::unfenced")]
    pub epoch: u64,
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What is remembered of one environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentStatus {
    /// The revision that serves: promoted by Sluice, or adopted as healthy at first sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable: Option<Revision>,
    /// Earlier ones, newest first: where `rollback` can go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Revision>,
    /// How Rollouts ended, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Outcome>,
    /// Digests that no trigger may propose until a person lifts them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<Quarantine>,
    /// Digests that ended otherwise than well: no trigger proposes them again, a person may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<String>,
    /// Part of the names of triggered Rollouts; a retry raises it, so that a digest can be tried
    /// again (reliability.md W5).
    pub attempt: u32,
    /// The last instant of a schedule that was looked at, by schedule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ticks: BTreeMap<String, Timestamp>,
    /// The newest candidate that was not let in, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// Why this environment waits as a whole: no baseline, registry unreachable, closed by policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
}

/// A pod template that served well, kept whole as a ControllerRevision beside the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Image digest.
    pub digest: String,
    /// The tag it came by, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// sha256 of the canonical JSON of the pod template.
    pub template_hash: String,
    /// Name of the ControllerRevision in the target's namespace.
    pub name: String,
    /// uid of the Deployment it belongs to.
    pub target_uid: String,
    /// Since when.
    pub since: Timestamp,
    /// The Rollout that promoted it. None: it served healthily when the Pipeline first saw its
    /// target. Nothing else can be a rollback target (reliability.md W6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_by: Option<String>,
    /// Copies of configuration that the template refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<ConfigSource>,
    /// The templates of the workloads that went with it in lockstep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberRevision>,
}

/// How a Rollout ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Name of the Rollout.
    pub rollout: String,
    /// Its digest.
    pub digest: String,
    /// Its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// How it ended.
    pub kind: OutcomeKind,
    /// Whether it was an exercise. Its end says nothing about the digest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// When.
    pub at: Timestamp,
}

/// The ends of a Rollout that are worth remembering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OutcomeKind {
    /// Promoted, and every check passed.
    Succeeded,
    /// The stable revision was put back.
    RolledBack,
    /// Never began: policy, plan or strategy.
    Refused,
    /// Never began: a person said no.
    Rejected,
    /// Never began: nobody said yes in time.
    Expired,
    /// A newer candidate took its place.
    Superseded,
    /// A person took it back before it began.
    Cancelled,
    /// The target went away.
    Failed,
    /// A dry run: what would happen is known, and nothing changed.
    Planned,
}

/// A digest that failed, and sticks until a person lifts it (requirement G5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quarantine {
    /// The digest.
    pub digest: String,
    /// Its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What it did wrong, in one sentence.
    pub reason: String,
    /// The Rollout that found out.
    pub rollout: String,
    /// When.
    pub at: Timestamp,
}

/// A candidate that was not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Its digest.
    pub digest: String,
    /// Its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Every rule that said no, one sentence each.
    pub reasons: Vec<String>,
    /// When it was first refused for these reasons.
    pub at: Timestamp,
}

impl EnvironmentStatus {
    /// Whether this digest serves or has served here with success.
    pub fn succeeded(&self, digest: &str) -> bool {
        self.stable.as_ref().is_some_and(|r| r.digest == digest)
            || self
                .history
                .iter()
                .any(|o| o.digest == digest && o.kind == OutcomeKind::Succeeded)
    }

    /// Whether this digest served here once, and another one serves now.
    pub fn served_before(&self, digest: &str) -> bool {
        self.stable.as_ref().is_none_or(|now| now.digest != digest)
            && (self.earlier.iter().any(|r| r.digest == digest) || self.succeeded(digest))
    }

    /// The quarantine entry of this digest.
    pub fn quarantine(&self, digest: &str) -> Option<&Quarantine> {
        self.quarantined.iter().find(|q| q.digest == digest)
    }

    /// Whether the outcome of this Rollout stands here already.
    pub fn has_outcome(&self, rollout: &str) -> bool {
        self.history.iter().any(|o| o.rollout == rollout)
    }

    /// Folds the end of a Rollout in. Idempotent: the same Rollout twice changes nothing.
    #[must_use]
    pub fn with_outcome(
        mut self,
        outcome: Outcome,
        promoted: Option<Revision>,
        quarantine: Option<Quarantine>,
    ) -> Self {
        if self.has_outcome(&outcome.rollout) {
            return self;
        }
        let failed = outcome.kind != OutcomeKind::Succeeded && !outcome.drill;
        if failed && !self.tried.contains(&outcome.digest) {
            self.tried.insert(0, outcome.digest.clone());
            self.tried.truncate(HISTORY_LIMIT);
        }
        self.history.insert(0, outcome);
        self.history.truncate(HISTORY_LIMIT);
        if let Some(q) = quarantine
            && self.quarantine(&q.digest).is_none()
        {
            // At the limit no release is let in any more, so what comes on top is from those that
            // were under way: nothing is forgotten silently.
            self.quarantined.insert(0, q);
            self.quarantined.truncate(2 * QUARANTINE_LIMIT);
        }
        if let Some(revision) = promoted {
            self = self.with_stable(revision);
        }
        self
    }

    /// Lets triggers propose this digest once more, under a new name.
    #[must_use]
    pub fn with_retry(mut self, digest: &str) -> Self {
        self.tried.retain(|d| d != digest);
        self.attempt = self.attempt.saturating_add(1);
        self
    }

    /// Takes this digest out of quarantine and lets triggers propose it once more.
    #[must_use]
    pub fn with_lifted(mut self, digest: &str) -> Self {
        self.quarantined.retain(|q| q.digest != digest);
        self.with_retry(digest)
    }

    /// Notes why the newest candidate was not let in; the instant stays while the reasons do.
    #[must_use]
    pub fn with_refusal(mut self, refusal: Refusal) -> Self {
        let same = self.refused.as_ref().is_some_and(|r| {
            r.digest == refusal.digest && r.tag == refusal.tag && r.reasons == refusal.reasons
        });
        if !same {
            self.refused = Some(refusal);
        }
        self
    }

    /// Makes `revision` the stable one and keeps the one before it as a rollback target.
    #[must_use]
    pub fn with_stable(mut self, revision: Revision) -> Self {
        if let Some(before) = self.stable.replace(revision.clone()) {
            self.earlier.insert(0, before);
        }
        self.refused = None;
        self.earlier.retain(|r| r.name != revision.name);
        self.earlier.truncate(REVISION_LIMIT - 1);
        self
    }
}

#[cfg(test)]
mod tests;
