//! The hash that a vote names: everything that must not change between the signature and the change
//! (reliability.md A1).

use std::collections::BTreeMap;

use serde_json::json;

use super::Turn;
use crate::hash::{canonical_json, sha256_hex};
use crate::plugin::PluginKind;
use crate::template::images;

impl Turn<'_> {
    /// `None` while something that goes into it cannot be seen.
    pub(super) fn approval_hash(&self, policy_hash: &str) -> Option<String> {
        let spec = &self.rollout.spec;
        let plan = self.journal.plan.as_ref()?;
        let target = self.target()?;
        let template = self.candidate_template(target.template()).ok()?;
        let subject = json!({
            "rollout": self.rollout.uid,
            "workload": spec.target_uid,
            "namespace": spec.target.namespace,
            "environment": spec.environment,
            "image": format!("{}@{}", spec.image.repository, spec.image.digest),
            "images": images(&template),
            "template": crate::template::template_hash(&template),
            "replaces": crate::template::template_hash(target.template()),
            "plan": plan.hash,
            "checks": spec.checks,
            "plugins": self.used_plugins(),
            "policy": policy_hash,
            "requester": spec.cause.requester,
            "cause": spec.cause.id,
            "reason": spec.cause.reason,
            "emergency": spec.emergency,
            "about": spec.image.about,
        });
        Some(sha256_hex(canonical_json(&subject).as_bytes()))
    }

    /// The strategy and the checks, each with the digest that is loaded now.
    pub(super) fn used_plugins(&self) -> BTreeMap<String, String> {
        let spec = &self.rollout.spec;
        let used = |name: &str, kind: PluginKind| match kind {
            PluginKind::SmokeTest => spec.checks.iter().any(|c| c.plugin == name),
            PluginKind::TrafficStrategy => spec.strategy.plugin == name,
            PluginKind::MetricProvider | PluginKind::ApprovalProvider | PluginKind::Notifier => {
                false
            }
        };
        self.seen
            .plugins
            .iter()
            .filter(|p| used(&p.name, p.kind))
            .map(|p| (p.name.clone(), p.digest.clone()))
            .collect()
    }
}
