//! Watching a step, the strategy's word, gates, and what holds before the next step.

use expect_test::expect;

use crate::approval::Decision as Ballot;
use crate::plugin::{Judgement, Outcome, PluginAnswer};
use crate::rollout::fixture::*;
use crate::rollout::{Action, Stage};

fn say(judgement: Judgement) -> PluginAnswer {
    PluginAnswer::Judgement(judgement)
}

fn proceeding(index: u32) -> Case {
    let mut c = mk_judging(index);
    c.answer(&format!("judge-{index}-0-1"), say(Judgement::Proceed));
    c
}

#[test]
fn it_is_watched_for_as_long_as_the_plan_says() {
    check(
        &mk_holding(0),
        expect![[r#"
        Progressing step 1 hold: step 1: all checks passed; watches 10 % of the traffic until 2026-10-12 09:02:10 UTC
    "#]],
    );
    check(
        &mk_holding(0).at(130),
        expect![[r#"
        Progressing step 1 judge: asks canary whether to go on
          ask rollout-1/judge-0-0-1
    "#]],
    );
}

#[test]
fn proceed_enters_the_next_step() {
    check(
        &proceeding(0),
        expect![[r#"
        Progressing step 2 shift: step 2: moves pods until the candidate has 50 %
          scale shop/storefront-canary-lcdy32sopw 5
          + step-started: step 2 of 3: 50% (50 %)
    "#]],
    );
    assert_eq!(proceeding(1).decide().journal.phase, "Promoting");
}

#[test]
fn the_last_hold_is_success_without_a_judge() {
    let c = mk_holding(2);
    assert_eq!(
        c.decide().journal.phase,
        "Promoting",
        "not before the hold is over"
    );
    check(
        &c.at(130),
        expect![[r#"
        Recording Succeeded: writes the outcome to the pipeline
          because v1.1.0 serves
          save-revision shop/storefront-upcclmh5ig template-b
          record storefront-production-abcdefgh23 Succeeded
            stable is v1.1.0
    "#]],
    );
}

#[test]
fn a_strategy_may_ask_for_time_but_not_for_ever_at_once() {
    let mut c = mk_judging(0);
    c.answer("judge-0-0-1", say(Judgement::Hold(30_000)));
    check(
        &c,
        expect![[r#"
        Progressing step 1 judge: canary wants more time; asked again at 2026-10-12 09:00:40 UTC
    "#]],
    );
    let mut c = mk_judging(0);
    c.answer("judge-0-0-1", say(Judgement::Hold(u64::MAX)));
    assert_eq!(
        c.at(10 + 3600).decide().effects.len(),
        1,
        "asked again after an hour"
    );
}

#[test]
fn a_strategy_may_turn_round_and_people_are_told() {
    let mut c = mk_judging(0);
    let sent = c.journal.outbox.len();
    c.answer(
        "judge-0-0-1",
        say(Judgement::Rollback("errors 2.0 % over 1.0 %".into())),
    );
    assert_eq!(c.journal.outbox.len(), sent + 1);
    c.seen.canary = crate::rollout::Seen::Present(mk_canary('b', 1));
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: the strategy turns round: errors 2.0 % over 1.0 %
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
    "#]],
    );
}

#[test]
fn a_silent_strategy_ends_in_a_rollback() {
    let mut c = mk_judging(0);
    for attempt in 1..=6 {
        c.answer(
            &format!("judge-0-0-{attempt}"),
            mk_report(Outcome::Pass, "wrong kind"),
        );
        if attempt < 6 {
            c.now = t(10 + i64::from(attempt) * 10);
            assert_eq!(c.decide().effects.len(), 1, "asked again, try {attempt}");
        }
    }
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: canary gave no judgement 6 times: the answer is of another kind than the question
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + rolling-back: canary gave no judgement 6 times: the answer is of another kind than the question
    "#]],
    );
}

#[test]
fn an_answer_in_between_starts_the_count_of_silence_anew() {
    let mut c = mk_judging(0);
    for attempt in 1..=5 {
        c.answer(
            &format!("judge-0-0-{attempt}"),
            mk_report(Outcome::Pass, "wrong kind"),
        );
    }
    c.answer("judge-0-0-6", say(Judgement::Hold(1)));
    c.answer("judge-0-0-7", mk_report(Outcome::Pass, "wrong kind"));
    assert_eq!(c.decide().journal.phase, "Progressing");
}

#[test]
fn a_strategy_that_is_unloaded_holds_and_then_rolls_back() {
    let mut c = mk_judging(0);
    c.seen.plugins.retain(|p| p.name != "canary");
    check(
        &c,
        expect![[r#"
        Progressing step 1 judge: holds: plugin not loaded: canary
    "#]],
    );
    assert_eq!(c.at(610).decide().journal.phase, "RollingBack");
}

#[test]
fn everything_that_was_open_must_still_be_open() {
    let freeze =
        mk_policy_with("windows: [{freeze: '2026-10-12T00:00/2026-10-14T00:00', reason: audit}]");
    let three = POLICY
        .replace(
            "people: [bob]}",
            "people: [bob]}\n  owner: {people: [carol]}",
        )
        .replace(
            "environments:",
            "  - {name: carol, kubernetes: carol@example.com}\nenvironments:",
        )
        .replace("{role: tech-lead}]", "{role: tech-lead}, {role: owner}]");
    let rule = POLICY.replace("tags: ['v*']", "tags: ['w*']");
    let mut closed = proceeding(0);
    closed.policy = freeze;
    check(
        &closed,
        expect![[r#"
        Progressing step 1 judge: the change window is closed: frozen until 2026-10-14T00:00:00Z: audit; next change at 2026-10-14 00:00:00 UTC
    "#]],
    );
    closed.policy = mk_policy(&three);
    check(
        &closed,
        expect![[r#"
        Progressing step 1 judge: waits for a vote of: owner; given: devops-lead: alice, tech-lead: bob; lapses at 2026-10-13 09:00:00 UTC
    "#]],
    );
    closed.policy = mk_policy(&rule);
    check(
        &closed,
        expect![[r#"
        Progressing step 1 judge: the policy closes this environment: the tag v1.1.0 fits none of w*
    "#]],
    );
    closed.policy = crate::policy::Policy::absent();
    check(
        &closed,
        expect![[r#"
        Progressing step 1 judge: the policy closes this environment: there is no policy file, so every environment is closed; give the agent one
    "#]],
    );
    closed.policy = mk_policy(POLICY);
    let paused = closed.clone().request(Action::Pause, "carol");
    check(
        &paused,
        expect![[r#"
        Progressing step 1 judge: paused by carol@example.com
          + paused: paused by carol@example.com: I say so
    "#]],
    );
    closed.vote("alice", Ballot::Reject, 9);
    check(
        &closed,
        expect![[r#"
        RollingBack: rolls back: rejected by alice (devops-lead): because
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + rolling-back: rejected by alice (devops-lead): because
    "#]],
    );
}

#[test]
fn a_gate_waits_for_a_person() {
    let mut c = proceeding(0);
    c.journal.plan.as_mut().unwrap().steps[1].step.gate = Some("half".into());
    check(
        &c,
        expect![[r#"
        Progressing step 1 judge: waits for a person to open `half`
    "#]],
    );
    let c = c.request(Action::Promote, "alice");
    assert_eq!(c.decide().journal.state.step().unwrap().index, 1);
}

#[test]
fn promote_ends_the_hold_but_not_the_checks() {
    let c = mk_holding(0).request(Action::Promote, "alice");
    assert!(matches!(
        c.decide().journal.state.step().unwrap().stage,
        Stage::Judge { .. }
    ));
    let c = mk_checking(0).request(Action::Promote, "alice");
    assert!(matches!(
        c.decide().journal.state.step().unwrap().stage,
        Stage::Check { .. }
    ));
    // It is for this step: the next one holds again.
    let mut c = mk_holding(0).request(Action::Promote, "alice").then(11);
    c.answer("judge-0-0-1", say(Judgement::Proceed));
    let next = c.decide().journal.state.step().cloned().unwrap();
    assert_eq!((next.index, next.promoted), (1, false));
}
