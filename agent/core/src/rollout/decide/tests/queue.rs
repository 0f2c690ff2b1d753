//! Whose turn it is, and what a newer candidate does to an older one.

use expect_test::expect;

use crate::pipeline::{OutcomeKind, Quarantine, TriggerKind};
use crate::rollout::fixture::*;
use crate::rollout::{Seen, SiblingStage, State};

#[test]
fn alone_it_asks_for_a_plan_at_once() {
    check(
        &mk_queued(),
        expect![[r#"
        Planning: asks canary for the plan
          ask rollout-1/plan-1
    "#]],
    );
}

#[test]
fn it_waits_for_whoever_has_the_target() {
    for stage in [SiblingStage::Begun, SiblingStage::Waiting] {
        let mut c = mk_queued();
        c.seen.siblings = vec![mk_sibling("other", 50, stage)];
        c.seen.siblings[0].pipeline = "another".into();
        let d = c.decide();
        let why = "waits for other (what other deploys), which has the target now";
        assert_eq!(
            (d.journal.phase.as_str(), d.journal.message.as_str()),
            ("Queued", why)
        );
    }
}

#[test]
fn the_older_of_two_goes_first() {
    let mut c = mk_queued();
    c.seen.siblings = vec![mk_sibling("older", -5, SiblingStage::Queued)];
    check(
        &c,
        expect![[r#"
        Queued: waits for older (what older deploys), which has the target now
    "#]],
    );
    // Created in the same second: the names decide, and both decide the same.
    c.seen.siblings = vec![mk_sibling("a-older", 0, SiblingStage::Queued)];
    check(
        &c,
        expect![[r#"
        Queued: waits for a-older (what a-older deploys), which has the target now
    "#]],
    );
}

#[test]
fn a_newer_one_takes_the_place_of_an_older_in_the_queue() {
    let mut c = mk_queued();
    c.seen.siblings = vec![mk_sibling("newer", 5, SiblingStage::Queued)];
    check(
        &c,
        expect![[r#"
        Recording Superseded: writes the outcome to the pipeline
          because newer (what newer deploys) took its place
          record storefront-production-abcdefgh23 Superseded
    "#]],
    );
}

#[test]
fn what_a_person_asked_for_is_not_displaced_by_a_trigger() {
    let mut c = mk_queued();
    c.view.spec.cause.trigger = TriggerKind::Manual;
    c.seen.siblings = vec![mk_sibling("newer", 5, SiblingStage::Queued)];
    check(
        &c,
        expect![[r#"
        Planning: asks canary for the plan
          ask rollout-1/plan-1
    "#]],
    );
}

#[test]
fn past_the_queue_a_newer_one_waits_unless_the_policy_says_otherwise() {
    for mut c in [mk_awaiting(), mk_holding(0)] {
        c.seen.siblings = vec![mk_sibling("newer", 5, SiblingStage::Queued)];
        assert_eq!(c.decide().journal.phase, c.journal.phase, "it goes on");
    }
    let supersede = mk_policy_with("newer: supersede");
    let mut c = mk_awaiting();
    c.policy = supersede.clone();
    c.seen.siblings = vec![mk_sibling("newer", 5, SiblingStage::Queued)];
    check(
        &c,
        expect![[r#"
        Recording Superseded: writes the outcome to the pipeline
          because newer (what newer deploys) took its place
          record storefront-production-abcdefgh23 Superseded
    "#]],
    );
    let mut c = mk_holding(0);
    c.policy = supersede;
    c.seen.siblings = vec![mk_sibling("newer", 5, SiblingStage::Queued)];
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: newer (what newer deploys) took its place
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + rolling-back: newer (what newer deploys) took its place
    "#]],
    );
}

#[test]
fn a_newer_one_of_another_pipeline_displaces_nothing() {
    let mut c = mk_queued();
    let mut other = mk_sibling("newer", 5, SiblingStage::Queued);
    other.pipeline = "another".into();
    other.returns = true;
    c.seen.siblings = vec![other];
    assert_eq!(c.decide().journal.phase, "Planning");
}

#[test]
fn a_way_back_displaces_every_release() {
    for mut c in [mk_awaiting(), mk_holding(0)] {
        let mut back = mk_sibling("way-back", 5, SiblingStage::Queued);
        back.returns = true;
        // Not even a still newer release hides it.
        c.seen.siblings = vec![back, mk_sibling("newest", 9, SiblingStage::Queued)];
        let d = c.decide();
        assert!(c.show(&d).contains("way-back"), "{}", c.show(&d));
    }
}

#[test]
fn a_way_back_is_displaced_only_by_another_and_only_before_it_moves_pods() {
    let policy = mk_policy_with("newer: supersede");
    let mut c = mk_return();
    c.policy = policy;
    c.seen.siblings = vec![mk_sibling("release", 5, SiblingStage::Queued)];
    let begun = c.decide();
    assert_eq!(begun.journal.phase, "Promoting", "{}", c.show(&begun));
    c.seen.siblings[0].returns = true;
    check(
        &c,
        expect![[r#"
        Recording Superseded: writes the outcome to the pipeline
          because release (what release deploys) took its place
          record storefront-production-abcdefgh23 Superseded
    "#]],
    );
    // Going back on a return would serve the version that is to go.
    c.journal = begun.journal;
    c.target().claimed_by = Some(UID.into());
    assert_eq!(c.decide().journal.phase, "Promoting");
}

#[test]
fn the_policys_minimum_age_holds_it() {
    let mut c = mk_queued();
    let with_age = POLICY.replace("tags: ['v*']", "tags: ['v*'], minimumAge: 1h");
    c.policy = mk_policy(&with_age);
    check(
        &c,
        expect![[r#"
        Queued: the policy's minimum age of an image is reached at 2026-10-12 10:00:00 UTC
    "#]],
    );
    assert_eq!(c.at(3600).decide().journal.phase, "Planning");
}

#[test]
fn without_a_baseline_it_waits() {
    let mut c = mk_queued();
    c.environment().stable = None;
    check(
        &c,
        expect![[r#"
        Queued: the target was never seen healthy: there is nothing to roll back to
    "#]],
    );
}

#[test]
fn what_cannot_come_to_anything_ends() {
    let mut c = mk_queued();
    c.view.spec.image.digest = mk_digest('a');
    check(
        &c,
        expect![[r#"
        Recording Refused: writes the outcome to the pipeline
          because this digest is the stable one already
          record storefront-production-abcdefgh23 Refused
    "#]],
    );

    let mut c = mk_queued();
    c.seen.environment = Seen::Absent;
    check(
        &c,
        expect![[r#"
        Cancelled: the pipeline or its environment was deleted
          + cancelled: the pipeline or its environment was deleted
          never looks again
    "#]],
    );
}

#[test]
fn a_digest_that_was_quarantined_meanwhile_does_not_begin() {
    for mut c in [mk_queued(), mk_planning(), mk_approved()] {
        c.environment().quarantined.push(Quarantine {
            digest: mk_digest('b'),
            tag: None,
            reason: "http-smoke failed".into(),
            rollout: "an-earlier-one".into(),
            at: t(0),
        });
        match c.decide().journal.state {
            State::Recording(e) => {
                assert_eq!(e.kind, OutcomeKind::Refused);
                assert!(
                    e.message.contains("an-earlier-one: http-smoke failed"),
                    "{e:?}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_closed_environment_holds_it() {
    let mut c = mk_queued();
    c.policy = crate::policy::Policy::absent();
    check(
        &c,
        expect![[r#"
        Queued: the policy closes this environment: there is no policy file, so every environment is closed; give the agent one
    "#]],
    );
}
