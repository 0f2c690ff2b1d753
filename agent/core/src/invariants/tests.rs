//! A decision that breaks a rule is found, whoever made it.

use expect_test::{Expect, expect};

use super::*;
use crate::rollout::fixture::*;
use crate::rollout::{Guard, Stage, StepState};

fn guard(name: &str, uid: &str) -> Guard {
    Guard {
        kind: crate::rollout::ObjectKind::Deployment,
        namespace: "shop".into(),
        name: name.into(),
        uid: uid.into(),
        resource_version: "100".into(),
    }
}

fn target() -> Guard {
    guard("storefront", "target-1")
}

fn canary() -> Guard {
    guard(&crate::rollout::canary_name("storefront", UID), "canary-1")
}

fn scale(deployment: Guard, replicas: u32) -> Effect {
    Effect::Scale {
        deployment,
        replicas,
        takes_pods_away: true,
    }
}

/// Forges a decision of this case and says what is wrong with it.
#[track_caller]
fn forged(c: &Case, forge: impl FnOnce(&mut Decision), expected: Expect) {
    let mut d = c.decide();
    d.effects.clear();
    forge(&mut d);
    expected.assert_eq(&broken(&c.view, &c.journal, &c.seen, &d).join("\n"));
}

#[test]
fn the_target_is_not_changed_before_the_start() {
    let c = mk_awaiting();
    forged(
        &c,
        |d| d.effects = vec![scale(target(), 11)],
        expect![[r#"
        changes the target in phase AwaitingApproval
        changes the target without a stable revision to go back to"#]],
    );
}

#[test]
fn nothing_happens_after_the_end() {
    let c = mk_queued();
    let mut ended = c.clone();
    ended.seen.environment = Seen::Absent;
    let ended = ended.then(5);
    forged(
        &ended,
        |d| d.effects = vec![scale(target(), 11)],
        expect![[r#"
        changes the target in phase Cancelled
        changes the target without a stable revision to go back to
        changes the target without an approval request
        goes on after its end
        acts after its end"#]],
    );
    forged(
        &ended,
        |d| d.journal.state = State::Queued,
        expect!["goes on after its end"],
    );
}

#[test]
fn ready_pods_stay_above_the_floor() {
    let c = mk_holding(1);
    forged(
        &c,
        |d| d.effects = vec![scale(target(), 0)],
        expect![[r#"
        leaves 5 ready pods behind the Service
        scales the stable version to zero"#]],
    );
    forged(
        &c,
        |d| d.effects = vec![scale(target(), 4), scale(canary(), 4)],
        expect!["leaves 8 ready pods behind the Service"],
    );
    // Nine of ten are enough for a target that lets one be unavailable.
    forged(&c, |d| d.effects = vec![scale(canary(), 4)], expect![[""]]);
}

#[test]
fn a_step_is_left_only_with_every_pass_and_into_the_next() {
    let mut c = mk_judging(0);
    let next = |index| {
        move |d: &mut Decision| {
            d.journal.state = State::Progressing(StepState {
                index,
                stage: Stage::Shift,
                since: t(0),
                relapses: 0,
                promoted: false,
            });
        }
    };
    forged(&c, next(1), expect![[""]]);
    forged(&c, next(2), expect!["goes from step 1 to step 3"]);
    c.journal.checks.clear();
    forged(
        &c,
        next(1),
        expect!["leaves step 1 without a pass of http-smoke"],
    );
    forged(&mk_awaiting(), next(1), expect!["begins with step 2"]);
    forged(
        &c,
        next(9),
        expect![[r#"
        is in a step that the plan does not have
        goes from step 1 to step 10"#]],
    );
    forged(
        &mk_going_back(0),
        next(0),
        expect!["goes forward again while rolling back"],
    );
}

#[test]
fn templates_are_the_approved_or_the_stable_one() {
    let set = |hash: &str| Effect::SetTemplate {
        deployment: target(),
        spec_patch: serde_json::json!({}),
        template_hash: hash.into(),
    };
    let stable = mk_revision('a', "").template_hash;
    let candidate = mk_revision('b', "").template_hash;
    let promoting = mk_shifting(2);
    forged(
        &promoting,
        |d| d.effects = vec![set(&candidate)],
        expect![[""]],
    );
    forged(
        &promoting,
        |d| d.effects = vec![set("another")],
        expect!["sets a template that was neither approved nor stable"],
    );
    let back = mk_going_back(1);
    forged(&back, |d| d.effects = vec![set(&stable)], expect![[""]]);
    forged(
        &back,
        |d| d.effects = vec![set(&candidate)],
        expect!["sets a template that was neither approved nor stable"],
    );
    forged(
        &mk_shifting(0),
        |d| d.effects = vec![set(&candidate)],
        expect!["sets a template that was neither approved nor stable"],
    );
    let elsewhere = |d: &mut Decision| {
        d.effects = vec![Effect::SetTemplate {
            deployment: guard("database", "target-9"),
            spec_patch: serde_json::json!({}),
            template_hash: candidate.clone(),
        }];
    };
    forged(
        &promoting,
        elsewhere,
        expect!["sets the template of something else than its target"],
    );
}

#[test]
fn only_what_this_rollout_made_is_scaled_and_removed() {
    let delete = |g: Guard| {
        move |d: &mut Decision| {
            d.effects = vec![Effect::Delete { object: g }];
        }
    };
    let c = mk_going_back(0);
    forged(
        &c,
        delete(target()),
        expect![[r#"
        leaves 1 ready pods behind the Service
        deletes a Deployment that this Rollout did not create"#]],
    );
    forged(
        &c,
        delete(guard("database", "target-9")),
        expect!["deletes a Deployment that this Rollout did not create"],
    );
    let mut foreign = mk_going_back(0);
    foreign.canary().created_by = None;
    forged(
        &foreign,
        |d| d.effects = vec![scale(canary(), 0)],
        expect!["scales a Deployment that this Rollout did not create"],
    );
    forged(
        &c,
        |d| d.effects = vec![scale(canary(), 5)],
        expect!["gives the candidate more pods without a step"],
    );
}

#[test]
fn created_deployments_are_empty_and_beside_the_target() {
    let create = |manifest| Effect::Create { manifest };
    let manifest = serde_json::json!({"metadata": {"namespace": "kube-system", "name": "x"},
        "spec": {"replicas": 3}});
    forged(
        &mk_shifting(0),
        |d| d.effects = vec![create(manifest)],
        expect![[r#"
            creates an object that nobody can tell is its own
            creates an object of a kind that it never needs
            creates a Deployment outside the target's namespace"#]],
    );
}

#[test]
fn claims_and_records_are_its_own() {
    let mut other = target();
    other.uid = "target-9".into();
    let claim = Effect::Claim {
        target: other,
        rollout_uid: UID.into(),
    };
    forged(
        &mk_shifting(0),
        |d| d.effects = vec![claim],
        expect!["claims an object that is not its target"],
    );
    let record = Effect::RecordOutcome {
        outcome: crate::pipeline::Outcome {
            rollout: "somebody-else".into(),
            digest: mk_digest('b'),
            tag: None,
            kind: OutcomeKind::Succeeded,
            drill: false,
            at: t(0),
        },
        promoted: None,
        quarantine: None,
    };
    forged(
        &mk_shifting(0),
        |d| d.effects = vec![record],
        expect!["records an outcome that is not decided"],
    );
}

#[test]
fn nothing_begins_without_a_way_back_and_a_request_for_votes() {
    let c = mk_shifting(0);
    let blank = |d: &mut Decision| {
        d.effects = vec![scale(target(), 11)];
        d.journal.stable = None;
        d.journal.approval = None;
        d.journal.plan.as_mut().unwrap().steps.pop();
    };
    forged(
        &c,
        blank,
        expect![[r#"
        changes the target without a stable revision to go back to
        changes the target without an approval request
        has a plan that never promotes"#]],
    );
    let mut unclaimed = mk_shifting(0);
    unclaimed.target().claimed_by = None;
    forged(
        &unclaimed,
        |d| d.effects = vec![scale(target(), 11)],
        expect!["scales a target that it has not claimed"],
    );
}
