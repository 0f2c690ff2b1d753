//! What is known about a candidate.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::people::{Who, spelled};

/// Everything that a policy may ask about.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The pipeline's name.
    pub pipeline: String,
    /// The environment's.
    pub environment: String,
    /// The target's namespace.
    pub namespace: String,
    /// The target's name.
    pub deployment: String,
    /// What proposes it.
    pub trigger: &'static str,
    /// Who asks, if it is somebody.
    pub requester: Option<Who>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Whether all traffic is to go over at once.
    pub skip_canary: bool,
    /// Whether it is an emergency.
    pub break_glass: bool,
    /// The strategy plugin.
    pub strategy: String,
    /// What moves traffic.
    pub router: &'static str,
    /// The metric providers that judge every step.
    pub analyses: Vec<&'static str>,
    /// The checks, and whether each is optional.
    pub checks: Vec<(String, bool)>,
    /// Where the image is.
    pub repository: String,
    /// Its tag, if it came by one.
    pub tag: Option<String>,
    /// What it is.
    pub digest: String,
    /// What it says of itself.
    pub annotations: BTreeMap<String, String>,
    /// Whose signatures were found, and what the policy meant by that name at that time.
    pub proofs: Vec<(String, Value)>,
    /// Environments in which the digest has succeeded.
    pub succeeded: BTreeSet<String>,
    /// Whether the digest failed here before.
    pub quarantined: bool,
}

impl Facts {
    /// The signers whose signature counts: the policy still means the same by their names.
    pub(super) fn signed_by(&self, policy: &Value) -> Vec<&str> {
        let counts = |(name, meant): &&(String, Value)| policy["signers"].get(name) == Some(meant);
        let counting = self.proofs.iter().filter(counts);
        counting.map(|(name, _)| name.as_str()).collect()
    }

    /// The variables of the policy's own rules. What is not known is empty.
    pub(super) fn variables(&self, policy: &Value, now: i64) -> Value {
        let known = |key: &str| self.annotations.get(key).cloned().unwrap_or_default();
        let by = self.requester.as_ref();
        let checks: Vec<_> = self
            .checks
            .iter()
            .filter(|(_, optional)| !optional)
            .collect();
        json!({
            "now": {"instant": now},
            "rollout": {
                "pipeline": self.pipeline,
                "environment": self.environment,
                "namespace": self.namespace,
                "deployment": self.deployment,
                "trigger": self.trigger,
                "requester": {
                    "name": by.map(|who| spelled(policy, who)).unwrap_or_default(),
                    "groups": by.map(|who| who.groups.clone()).unwrap_or_default(),
                },
                "reason": self.reason.clone().unwrap_or_default(),
                "skipCanary": self.skip_canary,
                "breakGlass": self.break_glass,
                "strategy": self.strategy,
                "checks": checks.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                "image": {
                    "repository": self.repository,
                    "tag": self.tag.clone().unwrap_or_default(),
                    "digest": self.digest,
                    "revision": known("org.opencontainers.image.revision"),
                    "source": known("org.opencontainers.image.source"),
                    "annotations": self.annotations,
                    "signedBy": self.signed_by(policy),
                },
            },
        })
    }
}
