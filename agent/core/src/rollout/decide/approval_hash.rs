//! The hash that a vote names: everything that must not change between the signature and the change
//! (reliability.md A1).

use std::collections::BTreeMap;

use serde_json::json;

use super::Turn;
use crate::hash::{canonical_json, sha256_hex};
use crate::pipeline::{Course, RouterSpec};
use crate::plugin::PluginKind;
use crate::template::images;

impl Turn<'_> {
    /// `None` while something that goes into it cannot be seen.
    pub(super) fn approval_hash(&self, policy_hash: &str) -> Option<String> {
        let spec = &self.rollout.spec;
        let plan = self.journal.plan.as_ref()?;
        let target = self.target()?;
        let template = self.candidate_template(target.template()).ok()?;
        let members = self.member_hashes()?;
        let mut subject = json!({
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
        // What a Pipeline leaves out changes nothing of what was signed before there was such a thing.
        let more = [
            (
                "router",
                (spec.strategy.router != RouterSpec::default())
                    .then(|| json!(spec.strategy.router)),
            ),
            (
                "course",
                (spec.course != Course::default()).then(|| json!(spec.course)),
            ),
            ("drill", spec.drill.then_some(json!(true))),
            ("members", (!members.is_empty()).then(|| json!(members))),
        ];
        if let Some(map) = subject.as_object_mut() {
            for (key, value) in more {
                if let Some(value) = value {
                    map.insert(key.to_owned(), value);
                }
            }
        }
        Some(sha256_hex(canonical_json(&subject).as_bytes()))
    }

    /// The strategy, the checks and the metric providers, each with the digest that is loaded now.
    pub(super) fn used_plugins(&self) -> BTreeMap<String, String> {
        let spec = &self.rollout.spec;
        let used = |name: &str, kind: PluginKind| match kind {
            PluginKind::SmokeTest => spec.checks.iter().any(|c| c.plugin == name),
            PluginKind::TrafficStrategy => spec.strategy.plugin == name,
            PluginKind::MetricProvider => spec.course.metric_providers().contains(&name),
            PluginKind::ApprovalProvider | PluginKind::Notifier => false,
        };
        self.seen
            .plugins
            .iter()
            .filter(|p| used(&p.name, p.kind))
            .map(|p| (p.name.clone(), p.digest.clone()))
            .collect()
    }
}
