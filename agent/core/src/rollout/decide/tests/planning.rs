//! Asking the strategy, and refusing what it proposes.

use expect_test::expect;

use crate::plugin::{PluginAnswer, PluginFault};
use crate::rollout::fixture::*;
use crate::rollout::{CallId, Fact, absorb};

#[test]
fn a_good_plan_goes_to_the_people() {
    let mut c = mk_planning();
    c.answer("plan-1", PluginAnswer::Plan(mk_proposal()));
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; lapses at 2026-10-13 09:00:01 UTC
          + approval-requested: waits for devops-lead and tech-lead
    "#]],
    );
}

#[test]
fn a_plan_beyond_the_policy_is_refused_with_every_reason() {
    let mut c = mk_planning();
    let mut proposal = mk_proposal();
    proposal[0].weight_bp = 2000;
    proposal.truncate(2);
    c.answer("plan-1", PluginAnswer::Plan(proposal));
    check(
        &c,
        expect![[r#"
        Recording Refused: writes the outcome to the pipeline
          because the plan of canary is refused: the last step is not 100 %: the release would never be promoted; the first step would give the candidate 20 % with 10 replicas; the policy allows at most 10 %
          record storefront-production-abcdefgh23 Refused
    "#]],
    );
}

#[test]
fn few_replicas_cannot_give_a_small_share() {
    let mut c = mk_planning();
    *c.target() = mk_workload("storefront", "target-1", 'a', 3);
    c.answer("plan-1", PluginAnswer::Plan(mk_proposal()));
    check(
        &c,
        expect![[r#"
        Recording Refused: writes the outcome to the pipeline
          because the plan of canary is refused: the first step would give the candidate 33.33 % with 3 replicas; the policy allows at most 10 %: 10 replicas are needed
          record storefront-production-abcdefgh23 Refused
    "#]],
    );
}

#[test]
fn a_strategy_without_an_answer_is_asked_again_later() {
    let mut c = mk_planning();
    let fault = PluginFault {
        code: "plugin/trap".into(),
        message: "it trapped".into(),
        retryable: true,
    };
    c.answer("plan-1", PluginAnswer::Failed(fault));
    check(
        &c,
        expect![[r#"
        Planning: canary could not answer and will be asked again: [plugin/trap] it trapped
          looks again in 10 s
    "#]],
    );
    check(
        &c.at(11),
        expect![[r#"
        Planning: asks canary for the plan
          ask rollout-1/plan-2
    "#]],
    );
}

#[test]
fn an_answer_to_an_older_question_is_ignored() {
    let mut c = mk_planning();
    c.answer(
        "plan-1",
        mk_report(crate::plugin::Outcome::Pass, "not a plan"),
    );
    let before = c.journal.clone();
    c.answer("plan-1", PluginAnswer::Plan(mk_proposal()));
    assert_eq!(c.journal, before);
    // Nor is one for another Rollout.
    let fact = Fact::Answered {
        call: CallId("another/plan-2".into()),
        answer: PluginAnswer::Plan(mk_proposal()),
    };
    assert_eq!(absorb(&c.view, &c.journal, &fact, c.now), before);
}

#[test]
fn a_container_that_does_not_exist_is_a_refusal() {
    let mut c = mk_planning();
    c.view.spec.target.container = Some("app".into());
    check(
        &c,
        expect![[r#"
        Recording Refused: writes the outcome to the pipeline
          because the pod template has no container named `app`
          record storefront-production-abcdefgh23 Refused
    "#]],
    );
}

#[test]
fn a_target_scaled_to_zero_holds() {
    let mut c = mk_planning();
    *c.target() = mk_workload("storefront", "target-1", 'a', 0);
    check(
        &c,
        expect![[r#"
        Planning: holds: Deployment shop/storefront: it is scaled to zero: nothing serves
    "#]],
    );
}
