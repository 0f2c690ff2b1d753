//! What makes a plan usable, all problems at once.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::rollout::fixture::{mk_proposal, mk_step};

fn policy() -> PlanLimits {
    PlanLimits {
        first_step_at_most_bp: Some(1000),
        max_increase_bp: Some(5000),
        total_hold_at_most_ms: Some(60 * 24 * 3600 * 1000),
    }
}

#[track_caller]
fn refused(proposal: &[PlanStep], total: u32, expected: Expect) {
    match check("canary", proposal, Room::Within(total), &policy()) {
        Err(problems) => expected.assert_eq(&problems.join("\n")),
        Ok(plan) => panic!("accepted: {plan:?}"),
    }
}

#[test]
fn a_good_plan_says_what_each_step_really_gives() {
    let plan = check("canary", &mk_proposal(), Room::Within(10), &policy()).unwrap();
    let placed: Vec<_> = plan
        .steps
        .iter()
        .map(|s| {
            (
                s.stable_replicas,
                s.candidate_replicas,
                s.achieved_bp,
                s.promotes(),
            )
        })
        .collect();
    assert_eq!(
        placed,
        [
            (9, 1, 1000, false),
            (5, 5, 5000, false),
            (10, 0, 10_000, true)
        ]
    );
}

#[test]
fn a_plan_that_would_run_out_of_time_is_refused() {
    let limits = PlanLimits {
        total_hold_at_most_ms: Some(600_000),
        ..PlanLimits::default()
    };
    let plan = |seconds: u64| {
        let steps = [mk_step("ten", 1000, seconds), mk_step("all", 10_000, 300)];
        check("canary", &steps, Room::Within(10), &limits)
    };
    assert!(plan(299).is_ok());
    expect![
        "the holds of the plan take 10m in all, and the policy's limits.totalTime is 10m: it would be rolled \
         back before it is through"
    ]
    .assert_eq(&plan(300).unwrap_err().join("\n"));
}

#[test]
fn every_problem_at_once() {
    let mut steps = vec![
        mk_step("", 2000, 0),
        mk_step("half", 1500, 31 * 24 * 3600),
        mk_step("half", 9000, 0),
    ];
    steps[0].gate = Some("before anything".into());
    steps[1].gate = Some("line\nbreak".into());
    refused(
        &steps,
        10,
        expect![[r#"
        step 1 has no usable name (1 to 63 bytes)
        step 2: its gate has no usable name (1 to 63 bytes)
        step 2: 15 % does not grow beyond the 20 % before it
        step 3: the name `half` stands twice
        the last step is not 100 %: the release would never be promoted
        the holds add up to more than 30 days
        step 1 has the gate `before anything`, but what opens the first step is the policy's approval
        the first step would give the candidate 20 % with 10 replicas; the policy allows at most 10 %
        step 3 grows by 80 %; the policy allows at most 50 %"#]],
    );
    refused(&[], 10, expect!["the plan has no steps"]);
}

#[test]
fn a_plan_that_nobody_would_read_is_refused() {
    let many: Vec<_> = (1..=33)
        .map(|n| mk_step(&n.to_string(), n * 300, 0))
        .collect();
    refused(&many, 10, expect!["the plan has 33 steps; 32 is the limit"]);
}

#[test]
fn limits_are_held_against_what_pods_allow() {
    refused(
        &mk_proposal(),
        3,
        expect![[r#"
        the first step would give the candidate 33.33 % with 3 replicas; the policy allows at most 10 %: 10 replicas are needed
        step 3 grows by 66.67 %; the policy allows at most 50 %"#]],
    );
    // At the wish itself no number of pods helps.
    let steps = [mk_step("20%", 2000, 0), mk_step("100%", 10_000, 0)];
    refused(
        &steps,
        10,
        expect![[r#"
        the first step would give the candidate 20 % with 10 replicas; the policy allows at most 10 %
        step 2 grows by 80 %; the policy allows at most 50 %"#]],
    );
}

#[test]
fn a_strategy_may_name_pods_but_not_all_of_them() {
    let mut steps = mk_proposal();
    for (pods, placed) in [
        (0, (10, 1)),
        (1, (9, 1)),
        (3, (7, 3)),
        (10, (1, 9)),
        (500, (1, 9)),
    ] {
        steps[0].capacity_replicas = Some(pods);
        let plan = check("canary", &steps, Room::Within(10), &PlanLimits::default()).unwrap();
        let first = &plan.steps[0];
        assert_eq!(
            (first.stable_replicas, first.candidate_replicas),
            placed,
            "{pods} pods"
        );
    }
}

#[test]
fn the_hash_is_of_the_shares_and_not_of_the_pods() {
    let of = |steps: &[PlanStep], total| {
        check("canary", steps, Room::Within(total), &PlanLimits::default())
            .unwrap()
            .hash
    };
    let steps = mk_proposal();
    assert_eq!(of(&steps, 10), of(&steps, 12));
    let mut longer = steps.clone();
    longer[0].hold_ms += 1;
    assert_ne!(of(&steps, 10), of(&longer, 10));
    let other = check("rolling", &steps, Room::Within(10), &PlanLimits::default())
        .unwrap()
        .hash;
    assert_ne!(of(&steps, 10), other);
}

#[test]
fn a_kept_proposal_is_small_and_still_refused() {
    let huge = "x".repeat(1 << 20);
    let mut step = mk_step(&huge, 1000, 0);
    step.gate = Some(huge);
    let kept = bounded_proposal(&vec![step; 1000]);
    assert!(serde_json::to_vec(&kept).unwrap().len() < 12_000);
    assert!(check("canary", &kept, Room::Within(10), &PlanLimits::default()).is_err());
    assert_eq!(bounded_proposal(&mk_proposal()), mk_proposal());
    let mut long_name = mk_proposal();
    long_name[1].name = "y".repeat(1000);
    let kept = bounded_proposal(&long_name);
    assert!(check("canary", &kept, Room::Within(10), &PlanLimits::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is accepted grows, ends at all traffic, keeps the limits and both sides alive.
    #[test]
    fn an_accepted_plan_keeps_every_rule(
        weights in prop::collection::vec(0..11_000_u16, 0..6),
        total in 0..40_u32,
        capacity in prop::option::of(0..50_u32),
    ) {
        let mut proposal: Vec<PlanStep> = weights
            .iter()
            .enumerate()
            .map(|(i, w)| mk_step(&format!("step {i}"), *w, 1))
            .collect();
        proposal.push(mk_step("all", 10_000, 1));
        proposal[0].capacity_replicas = capacity;
        if let Ok(plan) = check("canary", &proposal, Room::Within(total), &policy()) {
            let mut before = 0;
            for (i, s) in plan.steps.iter().enumerate() {
                prop_assert!(s.step.weight_bp > before);
                before = s.step.weight_bp;
                prop_assert_eq!(s.promotes(), i + 1 == plan.steps.len());
                prop_assert!(s.promotes() || (s.stable_replicas >= 1 && s.candidate_replicas >= 1));
            }
            prop_assert!(plan.steps[0].achieved_bp <= 1000);
            for w in plan.steps.windows(2) {
                prop_assert!(w[1].achieved_bp.saturating_sub(w[0].achieved_bp) <= 5000);
            }
        }
    }
}
