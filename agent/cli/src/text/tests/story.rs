//! Objects of one story: storefront v1.1.0 goes from v1.0.0's place to production.

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_cluster::crd::{Pipeline, Rollout};
use sluice_core::pipeline::EnvironmentStatus;
use sluice_core::rollout::Journal;

/// The Rollout's name.
pub(crate) const NAME: &str = "storefront-production-3f9k2m7q1x";
/// The digest of v1.1.0.
pub(crate) const NEW: &str =
    "sha256:1111aaaa2222bbbb3333cccc4444dddd5555eeee6666ffff7777000088889999";
const OLD: &str = "sha256:0000aaaa1111bbbb2222cccc3333dddd4444eeee5555ffff6666777788889999";

/// Twelve minutes past nine, on a Monday.
pub(crate) fn now() -> Timestamp {
    "2026-01-05T09:12:00Z".parse().unwrap()
}

fn revision() -> Value {
    json!({
        "digest": OLD, "tag": "v1.0.0", "templateHash": "aa", "name": "storefront-7h2k",
        "targetUid": "uid-storefront", "since": "2026-01-03T09:00:00Z",
    })
}

fn plan() -> Value {
    json!({
        "strategy": "canary",
        "hash": "ab",
        "steps": [
            {"name": "canary-10", "weightBp": 1000, "holdMs": 120_000, "checks": true,
             "stableReplicas": 9, "candidateReplicas": 1, "achievedBp": 1000},
            {"name": "canary-50", "weightBp": 5000, "holdMs": 300_000, "checks": true,
             "stableReplicas": 5, "candidateReplicas": 5, "achievedBp": 5000},
            {"name": "promote", "weightBp": 10_000, "holdMs": 0, "checks": true,
             "stableReplicas": 10, "candidateReplicas": 0, "achievedBp": 10_000},
        ],
    })
}

/// The Rollout with this journal over what all of them share.
pub(crate) fn rollout(journal: Value) -> Rollout {
    let mut status = json!({
        "plan": plan(),
        "since": "2026-01-05T09:00:00Z",
        "approval": {
            "hash": "c0ffee", "policyHash": "beef", "plugins": {"canary": NEW, "http-smoke": OLD},
            "requestedAt": "2026-01-05T09:00:00Z", "expiresAt": "2026-01-06T09:00:00Z",
        },
        "timeline": [
            {"at": "2026-01-05T09:00:00Z", "kind": "approval-requested",
             "text": "waits for devops-lead and tech-lead"},
        ],
    });
    merge(&mut status, journal);
    let object = json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": NAME, "namespace": "delivery", "uid": "uid-rollout", "resourceVersion": "7",
            "creationTimestamp": "2026-01-05T08:59:50Z",
        },
        "spec": {
            "pipeline": "storefront",
            "environment": "production",
            "target": {"namespace": "shop", "deployment": "storefront", "service": "storefront"},
            "targetUid": "uid-storefront",
            "image": {
                "repository": "registry.example.com/shop/storefront",
                "tag": "v1.1.0", "digest": NEW,
            },
            "cause": {
                "trigger": "manual", "id": "uid-request",
                "requester": {"username": "carol@example.com"}, "reason": "new checkout",
            },
            "strategy": {"plugin": "canary"},
            "checks": [{"plugin": "http-smoke"}],
        },
        "status": status,
    });
    serde_json::from_value(object).unwrap()
}

/// Its journal.
pub(crate) fn journal(rollout: &Rollout) -> Journal {
    rollout.status.clone().unwrap()
}

fn merge(into: &mut Value, from: Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else {
        panic!("objects")
    };
    into.extend(from);
}

pub(crate) fn waiting() -> Rollout {
    rollout(json!({
        "state": {"phase": "AwaitingApproval"},
        "phase": "AwaitingApproval",
        "why": {
            "code": "WaitsForVotes", "missing": ["tech-lead"], "given": ["devops-lead: alice"],
            "ignored": ["carol (the voter asked for this rollout)"],
            "expiresAt": "2026-01-06T09:00:00Z",
        },
    }))
}

/// The second step, while its checks run.
pub(crate) fn canary() -> Rollout {
    rollout(json!({
        "state": {
            "phase": "Progressing", "index": 1, "since": "2026-01-05T09:10:00Z",
            "stage": {"name": "Check", "since": "2026-01-05T09:11:00Z", "runs": [
                {"name": "http-smoke", "attempt": 2, "notBefore": "2026-01-05T09:11:50Z",
                 "passed": false}]},
        },
        "phase": "Progressing",
        "stable": revision(),
        "totalReplicas": 10,
        "startedAt": "2026-01-05T09:06:30Z",
        "why": {
            "code": "CheckInconclusive", "step": 2, "check": "http-smoke",
            "outcome": "inconclusive", "message": "10.0.0.7:8080 did not answer within 5 s",
            "until": "2026-01-05T09:21:00Z",
        },
        "checks": [
            {"step": 0, "name": "http-smoke", "attempt": 1, "outcome": "pass",
             "summary": "3 of 3 requests as expected", "at": "2026-01-05T09:07:00Z"},
            {"step": 1, "name": "http-smoke", "attempt": 1, "outcome": "inconclusive",
             "summary": "10.0.0.7:8080 did not answer within 5 s", "at": "2026-01-05T09:11:40Z",
             "lines": [{"name": "GET /health", "outcome": "inconclusive",
                        "message": "no answer within 5 s", "elapsedMs": 5000}]},
        ],
        "timeline": [
            {"at": "2026-01-05T09:00:00Z", "kind": "approval-requested",
             "text": "waits for devops-lead and tech-lead"},
            {"at": "2026-01-05T09:06:30Z", "kind": "started",
             "text": "replaces v1.0.0 in shop/storefront"},
            {"at": "2026-01-05T09:06:30Z", "kind": "step-started",
             "text": "step 1 of 3: canary-10 (10 %)"},
            {"at": "2026-01-05T09:10:00Z", "kind": "step-started",
             "text": "step 2 of 3: canary-50 (50 %)"},
        ],
    }))
}

/// Held: somebody else changed the pod template.
pub(crate) fn held() -> Rollout {
    rollout(json!({
        "state": {
            "phase": "Progressing", "index": 0, "since": "2026-01-05T09:06:30Z",
            "stage": {"name": "Hold", "until": "2026-01-05T09:14:00Z"},
        },
        "phase": "Progressing",
        "stable": revision(),
        "totalReplicas": 10,
        "why": {
            "code": "Drifted",
            "message": "somebody else changed the pod template of shop/storefront; Sluice does not \
                        fight over it",
        },
    }))
}

pub(crate) fn rolled_back() -> Rollout {
    let message = "v1.0.0 serves again: http-smoke failed in step 1: 10.0.0.7:8080: 1 of 3 \
                   requests failed";
    rollout(json!({
        "state": {
            "phase": "Ended", "kind": "RolledBack", "at": "2026-01-05T09:08:10Z",
            "message": message,
        },
        "phase": "RolledBack",
        "since": "2026-01-05T09:08:10Z",
        "stable": revision(),
        "why": {"code": "Ended", "message": message},
        "checks": [
            {"step": 0, "name": "http-smoke", "attempt": 1, "outcome": "fail",
             "summary": "10.0.0.7:8080: 1 of 3 requests failed", "at": "2026-01-05T09:07:00Z",
             "lines": [{"name": "GET /health", "outcome": "fail",
                        "message": "expected json /status to be ok, got degraded",
                        "elapsedMs": 12}]},
        ],
        "timeline": [
            {"at": "2026-01-05T09:06:30Z", "kind": "started",
             "text": "replaces v1.0.0 in shop/storefront"},
            {"at": "2026-01-05T09:06:30Z", "kind": "step-started",
             "text": "step 1 of 3: canary-10 (10 %)"},
            {"at": "2026-01-05T09:07:00Z", "kind": "rolling-back",
             "text": "http-smoke failed in step 1: 10.0.0.7:8080: 1 of 3 requests failed"},
            {"at": "2026-01-05T09:08:10Z", "kind": "rolled-back", "text": message},
        ],
    }))
}

/// What the Pipeline remembers of production.
pub(crate) fn environment(quarantined: bool) -> EnvironmentStatus {
    let quarantine = json!([{
        "digest": NEW, "tag": "v1.1.0", "reason": "http-smoke failed in step 1",
        "rollout": NAME, "at": "2026-01-05T09:08:10Z",
    }]);
    serde_json::from_value(json!({
        "stable": revision(),
        "quarantined": if quarantined { quarantine } else { json!([]) },
        "history": [
            {"rollout": NAME, "digest": NEW, "tag": "v1.1.0", "kind": "RolledBack",
             "at": "2026-01-05T09:08:10Z"},
        ],
    }))
    .unwrap()
}

/// The Pipeline of the story.
pub(crate) fn pipeline() -> Pipeline {
    serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": "storefront", "namespace": "delivery", "uid": "uid-pipeline"},
        "spec": {
            "image": {
                "repository": "registry.example.com/shop/storefront",
                "tags": {"semver": ">=1.0.0 <2.0.0"},
            },
            "environments": [
                {
                    "name": "staging",
                    "target": {
                        "namespace": "staging", "deployment": "storefront",
                        "service": "storefront",
                    },
                    "triggers": [
                        {"registry": {"every": "1m"}},
                        {"schedule": {"cron": "0 9 * * MON-FRI", "timeZone": "Europe/Berlin"}},
                    ],
                    "strategy": {"plugin": "rolling"},
                },
                {
                    "name": "production",
                    "after": ["staging"],
                    "target": {
                        "namespace": "shop", "deployment": "storefront", "service": "storefront",
                    },
                    "triggers": [{"upstream": {}}, {"manual": {}}],
                    "strategy": {"plugin": "canary"},
                },
            ],
        },
        "status": {"environments": {
            "production": environment(true),
            "staging": {
                "waiting": "the registry does not answer: connection refused",
                "refused": {
                    "digest": NEW, "tag": "v1.2.0-rc.1", "at": "2026-01-05T09:00:00Z",
                    "reasons": ["the tag does not fit v*", "staging has no window now"],
                },
            },
        }},
    }))
    .unwrap()
}
