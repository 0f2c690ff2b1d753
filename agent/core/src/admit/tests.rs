//! Letting a candidate in: every reason against it at once, one name for the same candidate.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::pipeline::{EnvironmentStatus, Outcome, OutcomeKind, Quarantine};
use crate::rollout::fixture::*;

struct Desk {
    policy: Policy,
    pipeline: PipelineView,
    candidate: Candidate,
}

/// v1.1.0 was promoted in staging and comes to production, where v1.0.0 serves.
fn mk_desk() -> Desk {
    let spec: PipelineSpec = serde_json::from_value(json!({
        "image": {"repository": REPOSITORY, "tags": {"semver": ">=1.0.0 <2.0.0"}},
        "environments": [
            {"name": "staging",
             "target": {"namespace": "staging", "deployment": "storefront",
                        "service": "storefront"},
             "triggers": [{"registry": {"every": "1m"}}], "strategy": {"plugin": "rolling"}},
            {"name": "production", "after": ["staging"],
             "target": {"namespace": "shop", "deployment": "storefront",
                        "service": "storefront"},
             "triggers": [{"upstream": {}}, {"manual": {}}],
             "strategy": {"plugin": "canary"}, "checks": [{"plugin": "http-smoke"}]},
        ],
    }))
    .unwrap();
    let staging = EnvironmentStatus {
        stable: Some(mk_revision('b', "v1.1.0")),
        ..EnvironmentStatus::default()
    };
    let production = EnvironmentStatus {
        stable: Some(mk_revision('a', "v1.0.0")),
        ..EnvironmentStatus::default()
    };
    let environments: BTreeMap<_, _> = [
        ("staging".into(), staging),
        ("production".into(), production),
    ]
    .into();
    let status = PipelineStatus {
        environments,
        ..PipelineStatus::default()
    };
    let view = mk_view();
    Desk {
        policy: mk_policy(&POLICY.replace("approvals:", "after: [staging]\n    approvals:").replace(
            "environments:\n",
            "environments:\n  staging:\n    targets: {namespaces: [staging]}\n    triggers: [registry]\n    images: {repositories: ['**']}\n",
        )),
        pipeline: PipelineView { name: "storefront".into(), spec, status },
        candidate: Candidate::release(view.spec.image, view.spec.cause),
    }
}

impl Desk {
    fn status(&mut self) -> &mut EnvironmentStatus {
        self.pipeline
            .status
            .environments
            .get_mut("production")
            .unwrap()
    }

    fn manual(&mut self, name: &str) {
        self.candidate.cause.trigger = TriggerKind::Manual;
        self.candidate.cause.requester = Some(mk_person(name));
    }

    fn admit(&self) -> Admission {
        let environment = self
            .pipeline
            .spec
            .environment("production")
            .unwrap()
            .clone();
        admit(
            &self.policy,
            &self.pipeline,
            &environment,
            &self.candidate,
            t(0),
        )
    }

    #[track_caller]
    fn check(&self, expected: Expect) {
        let text = match self.admit() {
            Admission::Create { name, .. } => format!("creates {name}"),
            Admission::Nothing(why) => format!("nothing: {why}"),
            Admission::Refused(reasons) => format!("refused:\n- {}", reasons.join("\n- ")),
        };
        expected.assert_eq(&text);
    }
}

#[test]
fn a_good_candidate_becomes_a_rollout_with_everything_in_it() {
    let desk = mk_desk();
    desk.check(expect!["creates storefront-production-qkssojcvrn"]);
    let Admission::Create { spec, .. } = desk.admit() else {
        panic!()
    };
    assert_eq!(spec.target_uid, "target-1");
    assert_eq!(spec.checks[0].plugin, "http-smoke");
    assert_eq!(spec.strategy.plugin, "canary");
}

#[test]
fn the_same_candidate_is_one_rollout_and_another_cause_is_another() {
    let name = |desk: &Desk| match desk.admit() {
        Admission::Create { name, .. } => name,
        other => panic!("{other:?}"),
    };
    let mut desk = mk_desk();
    let first = name(&desk);
    assert_eq!(name(&mk_desk()), first);
    desk.candidate.cause.id = "2".into();
    assert_ne!(name(&desk), first);
    let mut anew = mk_desk();
    anew.status().stable.as_mut().unwrap().target_uid = "target-2".into();
    assert_ne!(
        name(&anew),
        first,
        "a Deployment made anew is another target"
    );
}

#[test]
fn every_reason_at_once() {
    let mut desk = mk_desk();
    desk.candidate.image.tag = Some("nightly".into());
    desk.candidate.image.digest = mk_digest('d');
    desk.candidate.image.repository = "registry.example.com/other/thing".into();
    desk.candidate.cause.trigger = TriggerKind::Schedule;
    desk.pipeline.spec.environments[1].strategy.plugin = "big-bang".into();
    desk.pipeline.spec.environments[1].checks[0].optional = true;
    desk.check(expect![[r#"
        refused:
        - the policy does not allow the trigger `schedule` here
        - the repository registry.example.com/other/thing fits none of registry.example.com/shop/*
        - the policy does not allow the strategy `big-bang` here; allowed are canary
        - the policy requires the check `http-smoke`; the pipeline does not configure it, or only as optional
        - has not succeeded in staging, which the policy requires first
        - registry.example.com/other/thing is not this pipeline's repository
        - the pipeline has no trigger `schedule` for production
        - the tag nightly is no release by the pipeline's `tags`"#]]);
}

#[test]
fn what_serves_already_is_nothing_to_do() {
    let mut desk = mk_desk();
    desk.candidate.image.digest = mk_digest('a');
    desk.check(expect!["nothing: v1.1.0 is the stable version already"]);
    desk.manual("alice");
    assert!(matches!(desk.admit(), Admission::Nothing(_)));
}

#[test]
fn without_a_baseline_nothing_is_let_in() {
    let mut desk = mk_desk();
    desk.status().stable = None;
    desk.check(expect![[r#"
        refused:
        - shop/storefront was never seen healthy: there is nothing to roll back to"#]]);
}

#[test]
fn a_closed_environment_is_closed() {
    let mut desk = mk_desk();
    desk.policy = Policy::absent();
    desk.check(expect![[r#"
        refused:
        - there is no policy file, so every environment is closed; give the agent one"#]]);
}

fn bad(digest: &str) -> Quarantine {
    Quarantine {
        digest: digest.into(),
        tag: None,
        reason: "http-smoke failed in step 1".into(),
        rollout: "storefront-production-earlier".into(),
        at: t(-60),
    }
}

#[test]
fn a_quarantined_digest_is_let_in_by_nobody() {
    let mut desk = mk_desk();
    desk.status().quarantined = vec![bad(&mk_digest('b'))];
    desk.check(expect![
        "nothing: quarantined by storefront-production-earlier: http-smoke failed in step 1"
    ]);
    desk.manual("alice");
    desk.check(expect![[r#"
        refused:
        - quarantined since 2026-10-12 08:59:00 UTC: http-smoke failed in step 1 (`sluice lift` lets it in again)"#]]);
}

#[test]
fn a_full_quarantine_lets_nothing_new_in() {
    let mut desk = mk_desk();
    desk.status().quarantined = (0..QUARANTINE_LIMIT)
        .map(|n| bad(&format!("sha256:{n:064x}")))
        .collect();
    desk.check(expect![[r#"
        refused:
        - 50 digests are quarantined here, which is the limit: nothing new comes before a person has looked at them (`sluice lift`)"#]]);
}

#[test]
fn what_was_tried_comes_again_only_by_a_person() {
    let mut desk = mk_desk();
    desk.status().tried = vec![mk_digest('b')];
    desk.check(expect![
        "nothing: v1.1.0 was tried before and did not succeed; `sluice retry` lets it in again"
    ]);
    desk.manual("carol");
    assert!(matches!(desk.admit(), Admission::Create { .. }));
}

#[test]
fn who_may_not_deploy_is_told_who_may() {
    let mut desk = mk_desk();
    desk.manual("mallory");
    let text = POLICY.replace(
        "    approvals:",
        "    permissions: {deploy: [devops-lead], rollback: [tech-lead]}\n    approvals:",
    );
    desk.policy = mk_policy(&text);
    desk.check(expect![[r#"
        refused:
        - kubernetes:mallory@example.com may not deploy in production: it needs a role that they do not hold; holders of devops-lead may"#]]);
    desk.candidate.returns_to = Some(mk_revision('b', "v1.1.0"));
    desk.check(expect![[r#"
        refused:
        - kubernetes:mallory@example.com may not roll back in production: it needs a role that they do not hold; holders of tech-lead may"#]]);
}

#[test]
fn it_must_have_succeeded_before_and_is_told_once() {
    let mut desk = mk_desk();
    desk.pipeline.status.environments.remove("staging");
    desk.check(expect![[r#"
        refused:
        - has not succeeded in staging, which the policy requires first"#]]);
    let history = vec![Outcome {
        rollout: "storefront-staging-1".into(),
        digest: mk_digest('b'),
        tag: None,
        kind: OutcomeKind::Succeeded,
        drill: false,
        at: t(-60),
    }];
    let status = EnvironmentStatus {
        history,
        ..EnvironmentStatus::default()
    };
    desk.pipeline
        .status
        .environments
        .insert("staging".into(), status);
    assert!(
        matches!(desk.admit(), Admission::Create { .. }),
        "it served there once"
    );
}

#[test]
fn a_way_back_needs_no_rule_for_releases() {
    let mut desk = mk_desk();
    desk.manual("carol");
    desk.candidate.image.tag = Some("nightly".into());
    desk.candidate.returns_to = Some(mk_revision('b', "nightly"));
    desk.status().quarantined = vec![bad(&mk_digest('b'))];
    desk.pipeline.status.environments.remove("staging");
    assert!(matches!(desk.admit(), Admission::Create { .. }));
    // To what serves, template and all, is no way.
    desk.candidate.image.digest = mk_digest('a');
    desk.candidate.returns_to = Some(mk_revision('a', "v1.0.0"));
    assert!(matches!(desk.admit(), Admission::Nothing(_)));
    // To the same digest under another template it is one.
    desk.candidate.returns_to = Some(mk_revision('c', "v1.0.0"));
    assert!(matches!(desk.admit(), Admission::Create { .. }));
}

/// Attack 6: an older build, signed as it ever was, comes under a new tag. Only people bring back what
/// served before.
#[test]
fn attack_6_nothing_goes_back_to_an_earlier_version_by_itself() {
    let mut desk = mk_desk();
    let old = desk.candidate.image.digest.clone();
    desk.status().earlier = vec![Revision {
        digest: old,
        ..mk_revision('b', "v0.9.0")
    }];
    match desk.admit() {
        Admission::Nothing(why) => assert!(why.contains("served here before"), "{why}"),
        other => panic!("{other:?}"),
    }
    desk.manual("alice");
    assert!(matches!(desk.admit(), Admission::Create { .. }));
}

/// The version that serves, by alice, where drills are hers.
fn mk_drill() -> Desk {
    let mut desk = mk_desk();
    let stable = desk.status().stable.clone().unwrap();
    desk.candidate = Candidate::drill(REPOSITORY, &stable, desk.candidate.cause.clone());
    desk.manual("alice");
    let text = mk_text("drills: {allowedFor: [devops-lead]}");
    desk.policy = mk_policy(&text);
    desk
}

#[test]
fn a_drill_leaves_out_what_is_done_once_for_a_new_version() {
    let mut desk = mk_drill();
    let environment = &mut desk.pipeline.spec.environments[1];
    environment.target.config = vec![crate::pipeline::ConfigSource::ConfigMap("x".into())];
    environment.course.rollback_window = Some(crate::duration::HumanDuration::from_mins(60));
    environment.course.before =
        serde_json::from_value(json!([{"name": "migrate", "cronJob": "migrate"}])).unwrap();
    let Admission::Create { spec, .. } = desk.admit() else {
        panic!("{:?}", desk.admit())
    };
    assert!(spec.drill);
    assert_eq!(spec.image.digest, mk_digest('a'));
    assert_eq!(spec.checks.len(), 1, "what judges a release judges it");
    assert_eq!(spec.course, crate::pipeline::Course::default());
    assert!(spec.target.config.is_empty() && spec.approvals.is_empty());
}

#[test]
fn a_drill_is_for_whom_the_policy_names_and_by_allowed_means() {
    let mut desk = mk_drill();
    desk.manual("bob");
    desk.pipeline.spec.environments[1].strategy.plugin = "big-bang".into();
    desk.pipeline.spec.environments[1].checks.clear();
    desk.check(expect![[r#"
        refused:
        - the policy does not allow the strategy `big-bang` here; allowed are canary
        - the policy requires the check `http-smoke`; the pipeline does not configure it, or only as optional
        - bob may not hold a drill in production: it needs a role that they do not hold; holders of devops-lead may"#]]);
    let mut desk = mk_drill();
    desk.candidate.image.digest = mk_digest('b');
    desk.check(expect![[r#"
        refused:
        - a drill is held with the version that serves, and shop/storefront serves v1.0.0"#]]);
}

#[test]
fn routers_and_required_metrics_are_the_policys() {
    let mut desk = mk_desk();
    desk.manual("alice");
    desk.policy = mk_policy(
        &POLICY
            .replace(
                "checks: {require: [http-smoke]}",
                "checks: {require: [http-smoke], analysis: [prometheus]}",
            )
            .replace("strategy: {", "strategy: {routers: [service, httpRoute], "),
    );
    desk.check(expect![[r#"
        refused:
        - the policy does not allow the router `replicas` here; allowed are service, httpRoute
        - the policy requires an analysis by `prometheus`; the pipeline does not configure it"#]]);
    let environment = &mut desk.pipeline.spec.environments[1];
    environment.strategy.router = serde_json::from_value(json!({"service": {}})).unwrap();
    environment.course.analysis =
        serde_json::from_value(json!([{"plugin": "prometheus", "require": "< 1%"}])).unwrap();
    assert!(
        matches!(desk.admit(), Admission::Create { .. }),
        "{:?}",
        desk.admit()
    );
}
