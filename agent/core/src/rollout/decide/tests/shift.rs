//! Moving pods: grow, then shrink; promotion; what holds exposure; deadlines.

use expect_test::expect;

use crate::approval::Decision as Ballot;
use crate::rollout::fixture::*;
use crate::rollout::{Action, Effect, Seen};

#[test]
fn the_first_write_is_the_claim() {
    let mut c = mk_shifting(0);
    c.journal.claimed = false;
    c.target().claimed_by = None;
    c.seen.canary = Seen::Absent;
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          claim shop/storefront target-1
    "#]],
    );
}

#[test]
fn the_canary_is_created_empty_then_grows_then_stable_shrinks() {
    let mut c = mk_shifting(0);
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.target().claimed_by = Some(UID.into());
    c.seen.canary = Seen::Absent;
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          create shop/storefront-canary-lcdy32sopw
    "#]],
    );

    c.seen.canary = Seen::Present(mk_canary('b', 0));
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          scale shop/storefront-canary-lcdy32sopw 1
    "#]],
    );

    // Wanted is not ready.
    c.seen.canary = Seen::Present(mk_canary('b', 1));
    c.canary().ready = 0;
    c.canary().available = 0;
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: waits until storefront-canary-lcdy32sopw has 1 ready pods and no others; rolls back at 2026-10-12 09:10:10 UTC
    "#]],
    );

    c.seen.canary = Seen::Present(mk_canary('b', 1));
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          scale shop/storefront 9
    "#]],
    );

    c.target().generation = 2;
    c.target().replicas = 9;
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: waits until storefront has 9 ready pods and no others; rolls back at 2026-10-12 09:10:10 UTC
    "#]],
    );
}

#[test]
fn the_canary_owns_no_pod_of_the_stable_deployment() {
    let mut c = mk_shifting(0);
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.target().claimed_by = Some(UID.into());
    c.target().spec["paused"] = true.into();
    c.target().spec["minReadySeconds"] = 7.into();
    c.seen.canary = Seen::Absent;
    let d = c.decide();
    let [Effect::Create { manifest }] = d.effects.as_slice() else {
        panic!("{:?}", d.effects);
    };
    let own = serde_json::json!({"app": "storefront", "sluice.dev/role": "canary",
        "sluice.dev/rollout-uid": UID});
    assert_eq!(manifest["spec"]["selector"]["matchLabels"], own);
    assert_eq!(manifest["spec"]["template"]["metadata"]["labels"], own);
    assert_eq!(manifest["spec"]["minReadySeconds"], 7);
    assert_eq!(manifest["spec"]["replicas"], 0);
    assert!(
        manifest["spec"].get("paused").is_none(),
        "a paused canary would never get pods"
    );
    let image = &manifest["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, format!("{REPOSITORY}@{}", mk_digest('b')));
    assert_eq!(
        manifest["metadata"]["ownerReferences"][0]["controller"],
        false
    );
}

#[test]
fn whole_steps_are_checked() {
    check(
        &mk_shifting(0),
        expect![[r#"
        Progressing step 1 check: step 1: runs http-smoke
          ask rollout-1/check-0-0-http-smoke-1
    "#]],
    );
    check(
        &mk_shifting(1),
        expect![[r#"
        Progressing step 2 check: step 2: runs http-smoke
          ask rollout-1/check-1-0-http-smoke-1
    "#]],
    );
    check(
        &mk_shifting(2),
        expect![[r#"
        Promoting step 3 check: step 3: runs http-smoke
          ask rollout-1/check-2-0-http-smoke-1
    "#]],
    );
}

#[test]
fn a_promotion_replaces_first_and_withdraws_the_canary_after() {
    let mut c = mk_shifting(2);
    *c.target() = mk_workload("storefront", "target-1", 'a', 5);
    c.target().claimed_by = Some(UID.into());
    c.seen.canary = Seen::Present(mk_canary('b', 5));
    check(
        &c,
        expect![[r#"
        Promoting step 3 shift: step 3: moves pods until the candidate has 100 %
          set-template shop/storefront template-b
    "#]],
    );

    *c.target() = mk_workload("storefront", "target-1", 'b', 10);
    c.target().claimed_by = Some(UID.into());
    c.target().ready = 9;
    check(
        &c,
        expect![[r#"
        Promoting step 3 shift: waits until storefront has 10 ready pods and no others; rolls back at 2026-10-12 09:10:10 UTC
    "#]],
    );

    c.target().ready = 10;
    check(
        &c,
        expect![[r#"
        Promoting step 3 shift: step 3: moves pods until the candidate has 100 %
          scale shop/storefront-canary-lcdy32sopw 0
    "#]],
    );

    c.seen.canary = Seen::Present(mk_canary('b', 0));
    check(
        &c,
        expect![[r#"
        Promoting step 3 shift: step 3: moves pods until the candidate has 100 %
          delete shop/storefront-canary-lcdy32sopw canary-1
    "#]],
    );
}

#[test]
fn what_an_autoscaler_added_meanwhile_stays() {
    let mut c = mk_shifting(2);
    *c.target() = mk_workload("storefront", "target-1", 'a', 14);
    c.target().claimed_by = Some(UID.into());
    let d = c.decide();
    let [Effect::SetTemplate { spec_patch, .. }] = d.effects.as_slice() else {
        panic!("{:?}", d.effects);
    };
    assert!(spec_patch.get("replicas").is_none(), "{spec_patch}");
    *c.target() = mk_workload("storefront", "target-1", 'b', 14);
    c.target().claimed_by = Some(UID.into());
    check(
        &c,
        expect![[r#"
        Promoting step 3 check: step 3: runs http-smoke
          ask rollout-1/check-2-0-http-smoke-1
    "#]],
    );
}

#[test]
fn exposure_does_not_grow_while_a_gate_is_closed() {
    let freeze =
        mk_policy_with("windows: [{freeze: '2026-10-12T00:00/2026-10-14T00:00', reason: audit}]");
    let mut c = mk_shifting(0);
    c.seen.canary = Seen::Present(mk_canary('b', 0));
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.target().claimed_by = Some(UID.into());
    c.policy = freeze.clone();
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: the change window is closed: frozen until 2026-10-14T00:00:00Z: audit; next change at 2026-10-14 00:00:00 UTC
    "#]],
    );
    // A step that is under way is finished: shrinking the stable version is part of it.
    c.seen.canary = Seen::Present(mk_canary('b', 1));
    assert_eq!(c.decide().effects.len(), 1);

    let mut promotion = mk_shifting(2);
    *promotion.target() = mk_workload("storefront", "target-1", 'a', 5);
    promotion.target().claimed_by = Some(UID.into());
    promotion.seen.canary = Seen::Present(mk_canary('b', 5));
    assert!(!promotion.decide().effects.is_empty());
    promotion.policy = freeze;
    assert!(promotion.decide().effects.is_empty());
    promotion.policy = mk_policy(POLICY);
    assert!(
        promotion
            .clone()
            .request(Action::Pause, "carol")
            .decide()
            .effects
            .is_empty()
    );
    promotion.vote("bob", Ballot::Reject, 9);
    let d = promotion.decide();
    assert_eq!(d.journal.phase, "RollingBack", "{}", promotion.show(&d));
}

#[test]
fn time_that_passed_while_held_is_not_the_pods_fault() {
    let mut c = mk_shifting(0);
    c.seen.canary = Seen::Present(mk_canary('b', 0));
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.target().claimed_by = Some(UID.into());
    let mut c = c
        .request(Action::Pause, "carol")
        .then(7200)
        .request(Action::Resume, "carol");
    let step = c.decide().journal.state.step().cloned().unwrap();
    assert_eq!(step.since, t(7200));
    c = c.then(7230);
    c.seen.canary = Seen::Present(mk_canary('b', 1));
    c.canary().ready = 0;
    assert_eq!(c.decide().journal.phase, "Progressing");
}

#[test]
fn pods_that_are_never_ready_end_in_a_rollback_and_are_the_candidates_fault() {
    let mut c = mk_shifting(0);
    c.canary().ready = 0;
    assert_eq!(c.clone().at(609).decide().journal.phase, "Progressing");
    let late = c.clone().at(610);
    check(
        &late,
        expect![[r#"
        RollingBack: rolls back: the pods of step 1 (10%) were not all ready in time: waits until storefront-canary-lcdy32sopw has 1 ready pods and no others
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + rolling-back: the pods of step 1 (10%) were not all ready in time: waits until storefront-canary-lcdy32sopw has 1 ready pods and no others
    "#]],
    );
    assert!(back_reason(&late).candidate_failed);
    // The deadline is the policy's.
    c.policy = mk_policy_with("limits: {progressDeadline: 1m}");
    assert_eq!(c.at(70).decide().journal.phase, "RollingBack");
}

#[test]
fn stable_pods_that_are_not_ready_are_not_the_candidates_fault() {
    let mut c = mk_shifting(0).at(610);
    c.target().ready = 8;
    assert!(!back_reason(&c).candidate_failed);
}

#[test]
fn writes_that_never_go_through_end_too() {
    // An agent that was down for a while is given its time to write.
    let mut c = mk_shifting(0).at(900);
    c.canary().replicas = 0;
    assert_eq!(c.decide().effects.len(), 1);
    let c = c.at(10 + 1200);
    let reason = back_reason(&c);
    assert!(!reason.candidate_failed, "{reason:?}");
}

#[test]
fn a_claim_that_is_never_accepted_ends_too() {
    let mut c = mk_shifting(0);
    c.journal.claimed = false;
    c.target().claimed_by = None;
    c.seen.canary = Seen::Absent;
    for n in 0..1000 {
        c = c.then(n * 60);
        if c.journal.phase == "RollingBack" || c.journal.phase == "Recording" {
            assert!(n < 120, "after {n} minutes");
            return;
        }
    }
    panic!("it never ends");
}

#[test]
fn a_claim_that_is_lost_in_a_long_hold_is_no_delay_of_the_pods() {
    let mut c = mk_holding(0).at(7200);
    c.target().claimed_by = None;
    assert_eq!(c.decide().journal.phase, "Progressing");
}

#[test]
fn the_policys_total_time_ends_it() {
    let mut c = mk_holding(1).at(3600);
    c.policy = mk_policy_with("limits: {totalTime: 1h}");
    c.journal.started_at = Some(t(0));
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: the policy's total time is over
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 4
          + rolling-back: the policy's total time is over
    "#]],
    );
    assert!(!back_reason(&c).candidate_failed);
}

#[test]
fn a_deployment_that_only_has_the_name_is_not_touched() {
    let mut c = mk_shifting(0);
    c.canary().created_by = Some("somebody-else".into());
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: holds: Deployment shop/storefront-canary-lcdy32sopw: it has the canary's name, but Sluice did not create it
    "#]],
    );
    // Whoever takes the label off does not hide it: the selector cannot be changed.
    c.canary().created_by = None;
    c.canary().spec["selector"]["matchLabels"]["sluice.dev/rollout-uid"] = UID.into();
    assert!(matches!(c.decide().journal.phase.as_str(), "Progressing"));
    assert!(!c.decide().effects.is_empty(), "it goes on to its check");
}

fn back_reason(c: &Case) -> crate::rollout::BackReason {
    match c.decide().journal.state {
        crate::rollout::State::RollingBack(reason) => reason,
        other => panic!("{other:?}"),
    }
}
