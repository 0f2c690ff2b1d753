//! Others write the target's number of pods too.

use expect_test::expect;

use crate::rollout::fixture::*;
use crate::rollout::{Effect, Seen, Why};

fn scaled_by_hand(mut c: Case, replicas: u32) -> Case {
    *c.target() = mk_workload("storefront", "target-1", 'a', replicas);
    c.target().claimed_by = Some(UID.into());
    c
}

#[test]
fn a_person_who_scales_the_target_is_not_fought() {
    let c = scaled_by_hand(mk_holding(0), 20);
    check(
        &c,
        expect![[r#"
            Progressing step 1 hold: holds: somebody else set shop/storefront to 20 replicas, Sluice had set 9 of 10; it does not fight over them: with 9 again it goes on, otherwise it rolls back at 2026-10-12 09:10:10 UTC
        "#]],
    );
    // With its number back it goes on where it was.
    let c = scaled_by_hand(c.then(40), 9);
    check(
        &c,
        expect![[r#"
            Progressing step 1 hold: step 1: all checks passed; watches 10 % of the traffic until 2026-10-12 09:02:10 UTC
        "#]],
    );
}

#[test]
fn nor_is_what_puts_back_the_number_from_before() {
    // GitOps knows of 10. It may do so while the step is still shifting, once the write was seen.
    let mut c = mk_shifting(0);
    c.canary().ready = 0;
    let c = scaled_by_hand(c.then(20), 10);
    let d = c.decide();
    assert!(matches!(d.why, Why::Rescaled { .. }), "{:?}", d.why);
    assert!(d.effects.is_empty(), "{:?}", d.effects);
}

#[test]
fn it_ends_in_a_rollback_that_keeps_what_was_added() {
    let mut c = scaled_by_hand(mk_holding(0), 20).then(40);
    c.now = t(20 + 10 * 60);
    let d = c.decide();
    let scales: Vec<&Effect> = d
        .effects
        .iter()
        .filter(
            |e| matches!(e, Effect::Scale { deployment, .. } if deployment.name == "storefront"),
        )
        .collect();
    assert_eq!(d.journal.phase, "RollingBack", "{}", d.journal.message);
    assert!(scales.is_empty(), "{scales:?}");
}

fn autoscaled(mut c: Case) -> Case {
    c.seen.autoscaler = Seen::Present("storefront".into());
    c
}

#[test]
fn the_canary_of_an_autoscaled_target_stands_beside_it() {
    let mut c = autoscaled(mk_approved()).then(10);
    c.target().claimed_by = Some(UID.into());
    c.seen.canary = Seen::Present(mk_canary('b', 0));
    let first = c.journal.plan.as_ref().unwrap().steps[0].clone();
    assert_eq!((first.stable_replicas, first.candidate_replicas), (10, 1));
    assert_eq!(first.achieved_bp, 909, "one pod beside ten");
    check(
        &c,
        expect![[r#"
            Progressing step 1 shift: step 1: moves pods until the candidate has 9.09 %
              scale shop/storefront-canary-lcdy32sopw 1
        "#]],
    );
    // Whatever the autoscaler does: the target's number is never written.
    for replicas in [4, 14, 10] {
        c.seen.canary = Seen::Present(mk_canary('b', 1));
        let d = scaled_by_hand(c.clone(), replicas).decide();
        assert!(
            !d.effects.iter().any(|e| matches!(e, Effect::Scale { .. })),
            "{:?}",
            d.effects
        );
        assert!(!matches!(d.why, Why::Rescaled { .. }), "{:?}", d.why);
    }
}

#[test]
fn with_fewer_pods_beside_it_the_canary_keeps_its_share() {
    let mut c = mk_holding(1);
    c.journal.autoscaler = Some("storefront".into());
    c.journal.plan.as_mut().unwrap().steps[1].candidate_replicas = 10;
    c.seen.canary = Seen::Present(mk_canary('b', 10));
    let c = scaled_by_hand(c, 6);
    check(
        &c,
        expect![[r#"
            Progressing step 2 hold: step 2: moves pods until the candidate has 50 %
              scale shop/storefront-canary-lcdy32sopw 6
        "#]],
    );
}

#[test]
fn promotion_and_rollback_leave_the_autoscalers_number() {
    let mut c = mk_shifting(2);
    c.journal.autoscaler = Some("storefront".into());
    for (letter, mut c) in [('a', c.clone()), ('b', c)] {
        *c.target() = mk_workload("storefront", "target-1", letter, 7);
        c.target().claimed_by = Some(UID.into());
        let text = format!("{:?}", c.decide().effects);
        assert!(!text.contains("\"replicas\""), "{text}");
        assert!(!text.contains("Scale {"), "{text}");
    }
    let mut c = mk_going_back(0);
    c.journal.autoscaler = Some("storefront".into());
    let d = scaled_by_hand(c, 7).decide();
    let on_target = |e: &&Effect| matches!(e, Effect::Scale { deployment, .. } if deployment.name == "storefront");
    assert_eq!(
        d.effects.iter().filter(on_target).count(),
        0,
        "{:?}",
        d.effects
    );
}

#[test]
fn nothing_starts_while_the_autoscaler_cannot_be_seen() {
    let mut c = mk_approved();
    c.seen.autoscaler =
        Seen::Unknown("the API server refuses to list HorizontalPodAutoscalers".into());
    let d = c.decide();
    assert_eq!(d.journal.phase, "AwaitingApproval");
    assert!(
        d.why.to_string().contains("HorizontalPodAutoscalers"),
        "{}",
        d.why
    );
}
