//! The same things as the product wants them: the only place that makes the product's values.

use jiff::Timestamp;
use serde_json::json;
use sluice_core::admit::{Candidate, PipelineView};
use sluice_core::approval::{Channel, Decision, Vote};
use sluice_core::image::facts::{ImageFacts, SignatureProof};
use sluice_core::pipeline::{
    EnvironmentSpec, EnvironmentStatus, Outcome, OutcomeKind, PipelineSpec, PipelineStatus,
    Quarantine, Revision, TriggerKind,
};
use sluice_core::plugin::{PlanStep, PluginInfo, PluginKind};
use sluice_core::policy::{Identity, IdentityProvider, Policy, Rule as ProductRule, Signer};
use sluice_core::rollout::{CandidateImage, Cause, Emergency};
use sluice_core::template::template_hash;

use super::cluster::{TARGET, TARGET_UID};
use crate::meaning::{Facts, Rule, Who};

/// Seconds as the product counts them.
pub(super) fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub(super) fn identity(who: &Who) -> Identity {
    let provider = match who.provider {
        "oidc" => IdentityProvider::Oidc,
        "slack" => IdentityProvider::Slack,
        "caller" => IdentityProvider::Caller,
        "plugin" => IdentityProvider::Plugin,
        _ => IdentityProvider::Kubernetes,
    };
    Identity {
        provider,
        username: who.username.clone(),
        groups: who.groups.clone(),
    }
}

/// A vote through a door.
pub(super) fn vote(
    id: String,
    who: &Who,
    door: &str,
    yes: bool,
    hash: &str,
    at: i64,
    believed: bool,
) -> Vote {
    Vote {
        id,
        approver: identity(who),
        channel: match door {
            "web" => Channel::Web,
            "slack" => Channel::Slack,
            "plugin" => Channel::Plugin,
            "webhook" => Channel::Webhook,
            _ => Channel::Kubernetes,
        },
        decision: if yes {
            Decision::Approve
        } else {
            Decision::Reject
        },
        hash: hash.to_owned(),
        at: instant(at),
        reason: "I say so".into(),
        believed,
    }
}

pub(super) fn trigger(name: &str) -> TriggerKind {
    let mut kinds = TriggerKind::ALL.into_iter();
    kinds.find(|kind| kind.as_str() == name).unwrap()
}

/// The candidate that somebody or something proposes.
pub(super) fn candidate(facts: &Facts) -> Candidate {
    let signatures = facts.proofs.iter().map(|(signer, meant)| {
        let meant: Signer = serde_json::from_value(meant.clone()).unwrap();
        SignatureProof {
            signer: signer.clone(),
            definition: meant.definition(),
        }
    });
    let image = CandidateImage {
        repository: facts.repository.clone(),
        tag: facts.tag.clone(),
        digest: facts.digest.clone(),
        about: ImageFacts {
            annotations: facts.annotations.clone(),
            created: None,
            signatures: signatures.collect(),
        },
    };
    let cause = Cause {
        trigger: trigger(facts.trigger),
        id: "1".into(),
        requester: facts.requester.as_ref().map(identity),
        reason: facts.reason.clone(),
    };
    Candidate {
        emergency: Emergency::of(facts.skip_canary, facts.break_glass),
        ..Candidate::release(image, cause)
    }
}

/// A version that served well.
pub(super) fn revision(digest: &str, template: &serde_json::Value) -> Revision {
    let hash = template_hash(template);
    Revision {
        digest: digest.to_owned(),
        tag: Some("v1.3.0".into()),
        name: format!("{TARGET}-{}", &hash[..10]),
        template_hash: hash,
        target_uid: TARGET_UID.into(),
        since: instant(0),
        promoted_by: None,
        ..Revision::default()
    }
}

/// The environment as the pipeline has it.
pub(super) fn environment(facts: &Facts) -> EnvironmentSpec {
    let checks: Vec<_> = facts
        .checks
        .iter()
        .map(|(plugin, optional)| json!({"plugin": plugin, "optional": optional}))
        .collect();
    let trigger = match facts.trigger {
        "registry" => json!({"registry": {"every": "1m"}}),
        "schedule" => json!({"schedule": {"cron": "0 9 * * *", "timeZone": "UTC"}}),
        other => json!({other: {}}),
    };
    let router = match facts.router {
        "httpRoute" => json!({"httpRoute": {"name": "storefront"}}),
        "ingressNginx" => json!({"ingressNginx": {"ingress": "storefront"}}),
        plain => json!({plain: {}}),
    };
    let analysis: Vec<_> = facts
        .analyses
        .iter()
        .map(|plugin| json!({"plugin": plugin, "require": "< 1%"}))
        .collect();
    serde_json::from_value(json!({
        "name": facts.environment,
        "target": {"namespace": facts.namespace, "deployment": facts.deployment, "service": facts.deployment},
        "triggers": [trigger],
        "strategy": {"plugin": facts.strategy, "router": router},
        "checks": checks,
        "analysis": analysis,
    }))
    .unwrap()
}

/// The pipeline, with what it remembers.
pub(super) fn pipeline(facts: &Facts, stable: &Revision) -> PipelineView {
    let spec = PipelineSpec {
        image: serde_json::from_value(json!({
            "repository": facts.repository,
            "tags": {"pattern": "(?P<all>.*)", "order": {"alphabetical": "all"}},
        }))
        .unwrap(),
        environments: vec![environment(facts)],
        notify: Vec::new(),
    };
    let mut status = PipelineStatus::default();
    let mut here = EnvironmentStatus {
        stable: Some(stable.clone()),
        ..EnvironmentStatus::default()
    };
    if facts.quarantined {
        here.quarantined.push(Quarantine {
            digest: facts.digest.clone(),
            tag: None,
            reason: "it was slow".into(),
            rollout: "earlier".into(),
            at: instant(0),
        });
    }
    status.environments.insert(facts.environment.clone(), here);
    for name in &facts.succeeded {
        let there = EnvironmentStatus {
            history: vec![Outcome {
                rollout: "before".into(),
                digest: facts.digest.clone(),
                tag: None,
                kind: OutcomeKind::Succeeded,
                drill: false,
                at: instant(0),
            }],
            ..EnvironmentStatus::default()
        };
        status.environments.insert(name.clone(), there);
    }
    PipelineView {
        name: facts.pipeline.clone(),
        spec,
        status,
    }
}

/// The plugins that serve, one of them in another build after each of `built`.
pub(super) fn plugins(built: usize) -> Vec<PluginInfo> {
    let info = |name: &str, kind, digest: char| PluginInfo {
        name: name.into(),
        kind,
        version: "0.1.0".into(),
        digest: crate::maker::digest(digest),
        problem: None,
    };
    let canary = ['7', '8', '9'][built % 3];
    vec![
        info("canary", PluginKind::TrafficStrategy, canary),
        info("http-smoke", PluginKind::SmokeTest, '5'),
        info("load", PluginKind::SmokeTest, '5'),
    ]
}

/// The plan of these shares, in percent.
pub(super) fn plan(shares: &[u16]) -> Vec<PlanStep> {
    let step = |share: &u16| PlanStep {
        name: format!("{share}%"),
        weight_bp: share * 100,
        capacity_replicas: None,
        hold_ms: 0,
        checks: true,
        gate: None,
    };
    shares.iter().map(step).collect()
}

/// The product's word for a rule; none where the policy alone does not say it.
pub(super) fn word(rule: Rule) -> Option<ProductRule> {
    Some(match rule {
        Rule::Triggers => ProductRule::Triggers,
        Rule::Repositories | Rule::Tags => ProductRule::Images,
        Rule::Annotations => ProductRule::Annotations,
        Rule::SignedBy => ProductRule::Signature,
        Rule::Strategy => ProductRule::Strategy,
        Rule::Routers => ProductRule::Routers,
        Rule::Checks => ProductRule::Checks,
        Rule::Analysis => ProductRule::Analysis,
        Rule::Rules => ProductRule::Rules,
        Rule::SkipCanary => ProductRule::SkipCanary,
        Rule::BreakGlass => ProductRule::BreakGlass,
        Rule::Deploy => ProductRule::Permissions,
        Rule::Environment | Rule::After | Rule::Quarantine | Rule::Steps => return None,
    })
}

/// Reads the text of a policy as the product does.
pub(super) fn load(policy: &serde_json::Value) -> Result<Policy, String> {
    Policy::parse(&policy.to_string()).map_err(|problems| format!("{problems:?}"))
}
