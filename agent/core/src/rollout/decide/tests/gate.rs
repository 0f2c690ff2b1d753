//! Votes, timer, expiry, windows; and what voids a vote.

use expect_test::expect;

use crate::approval::Decision as Ballot;
use crate::rollout::fixture::*;

#[test]
fn it_names_who_is_missing_and_until_when() {
    check(
        &mk_awaiting(),
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; lapses at 2026-10-13 09:00:00 UTC
    "#]],
    );
    let mut c = mk_awaiting();
    c.vote("alice", Ballot::Approve, 5);
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for a vote of: tech-lead; given: devops-lead: alice; lapses at 2026-10-13 09:00:00 UTC
    "#]],
    );
}

#[test]
fn every_role_by_distinct_people_opens_it() {
    check(
        &mk_approved(),
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          claim shop/storefront target-1
          + started: replaces v1.0.0 in shop/storefront
          + step-started: step 1 of 3: 10% (10 %)
    "#]],
    );
}

#[test]
fn strangers_and_requesters_do_not_count() {
    let mut c = mk_awaiting();
    c.vote("mallory", Ballot::Approve, 5);
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; not counted: kubernetes:mallory@example.com (the voter holds none of the required roles); lapses at 2026-10-13 09:00:00 UTC
    "#]],
    );
    let mut c = mk_queued();
    c.view.spec.cause.requester = Some(mk_person("bob"));
    c.journal = mk_awaiting().journal;
    let mut c = c.then(10);
    c.vote("alice", Ballot::Approve, 5);
    c.vote("bob", Ballot::Approve, 6);
    assert_eq!(c.decide().journal.phase, "AwaitingApproval");
}

#[test]
fn a_vote_for_another_hash_does_not_count() {
    let mut c = mk_awaiting();
    c.seen
        .votes
        .push(mk_vote("alice", Ballot::Approve, "some other hash", t(5)));
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; not counted: alice (superseded: what was to be approved has changed since); lapses at 2026-10-13 09:00:00 UTC
    "#]],
    );
}

#[test]
fn one_no_ends_it_even_after_every_yes() {
    let mut c = mk_approved();
    c.vote("alice", Ballot::Reject, 7);
    check(
        &c,
        expect![[r#"
        Recording Rejected: writes the outcome to the pipeline
          because rejected by alice (devops-lead): because
          record storefront-production-abcdefgh23 Rejected
    "#]],
    );
}

#[test]
fn nobody_in_time_is_the_end() {
    let mut c = mk_awaiting().at(24 * 3600);
    c.vote("alice", Ballot::Approve, 5);
    check(
        &c,
        expect![[r#"
        Recording Expired: writes the outcome to the pipeline
          because nobody decided in time; missing: tech-lead
          record storefront-production-abcdefgh23 Expired
    "#]],
    );
}

#[test]
fn the_timer_runs_from_the_last_vote() {
    let timer = POLICY.replace("{role: tech-lead}]", "{role: tech-lead}], waitTimer: 5m");
    let mut c = mk_awaiting();
    c.policy = mk_policy(&timer);
    let mut c = c.then(20);
    c.vote("alice", Ballot::Approve, 12);
    c.vote("bob", Ballot::Approve, 15);
    check(
        &c,
        expect![[r#"
        AwaitingApproval: approved; the wait timer runs until 2026-10-12 09:05:15 UTC
    "#]],
    );
    assert_eq!(c.clone().at(314).decide().journal.phase, "AwaitingApproval");
    assert_eq!(c.at(315).decide().journal.phase, "Progressing");
}

#[test]
fn where_nobody_is_required_it_opens_with_the_request() {
    let approvals = "    approvals: {require: [{role: devops-lead}, {role: tech-lead}]}\n";
    let mut c = mk_planning();
    c.policy = mk_policy(&POLICY.replace(approvals, ""));
    c.answer("plan-1", crate::plugin::PluginAnswer::Plan(mk_proposal()));
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          claim shop/storefront target-1
          + started: replaces v1.0.0 in shop/storefront
          + step-started: step 1 of 3: 10% (10 %)
    "#]],
    );
}

#[test]
fn a_closed_window_holds_what_is_approved() {
    let mut c = mk_awaiting();
    c.policy =
        mk_policy_with("windows: [{freeze: '2026-10-12T00:00/2026-10-14T00:00', reason: audit}]");
    let mut c = c.then(20);
    c.vote("alice", Ballot::Approve, 12);
    c.vote("bob", Ballot::Approve, 13);
    check(
        &c,
        expect![[r#"
        AwaitingApproval: the change window is closed: frozen until 2026-10-14T00:00:00Z: audit; next change at 2026-10-14 00:00:00 UTC
    "#]],
    );
}

#[test]
fn another_policy_voids_the_votes_and_asks_again() {
    let mut c = mk_approved();
    c.policy = mk_policy_with("limits: {progressDeadline: 5m}");
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; not counted: alice (superseded: what was to be approved has changed since), bob (superseded: what was to be approved has changed since); lapses at 2026-10-13 09:00:10 UTC
          + approval-requested: what would change is not what was signed: asks again (devops-lead, tech-lead)
    "#]],
    );
    let again = c.then(20);
    assert_eq!(again.decide().journal.phase, "AwaitingApproval");
}

#[test]
fn another_template_or_plugin_voids_the_votes() {
    let mut c = mk_approved();
    c.target().spec["template"]["spec"]["containers"][1]["image"] = "mesh/proxy:v10".into();
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; not counted: alice (superseded: what was to be approved has changed since), bob (superseded: what was to be approved has changed since); lapses at 2026-10-13 09:00:10 UTC
          + approval-requested: what would change is not what was signed: asks again (devops-lead, tech-lead)
    "#]],
    );
    let mut c = mk_approved();
    c.seen.plugins[1].digest = mk_digest('8');
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; not counted: alice (superseded: what was to be approved has changed since), bob (superseded: what was to be approved has changed since); lapses at 2026-10-13 09:00:10 UTC
          + approval-requested: what would change is not what was signed: asks again (devops-lead, tech-lead)
    "#]],
    );
}

#[test]
fn a_role_that_is_taken_away_closes_it() {
    let mut c = mk_approved();
    let carol = "  - {name: carol, kubernetes: carol@example.com}\nenvironments:";
    let text = POLICY
        .replace("tech-lead: {people: [bob]}", "tech-lead: {people: [carol]}")
        .replace("environments:", carol);
    c.policy = mk_policy(&text);
    let d = c.decide();
    assert_eq!(d.journal.phase, "AwaitingApproval", "{}", c.show(&d));
}

#[test]
fn the_policys_rules_are_looked_at_anew() {
    for (from, to) in [
        ("triggers: [upstream, manual]", "triggers: [manual]"),
        ("tags: ['v*']", "tags: ['w*']"),
        ("strategy: {allow: [canary]", "strategy: {allow: [rolling]"),
        ("require: [http-smoke]", "require: [http-smoke, load-test]"),
    ] {
        let mut c = mk_approved();
        c.policy = mk_policy(&POLICY.replace(from, to));
        let d = c.decide();
        assert!(d.journal.message.is_empty() || d.journal.state.step().is_none());
        match &d.journal.state {
            crate::rollout::State::Recording(e) => {
                assert_eq!(e.kind, crate::pipeline::OutcomeKind::Refused);
                assert!(
                    e.message.contains("policy") || e.message.contains("fits none"),
                    "{e:?}"
                );
            }
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn a_required_check_that_is_only_optional_is_no_check() {
    let mut c = mk_approved();
    c.view.spec.checks[0].optional = true;
    check(
        &c,
        expect![[r#"
        Recording Refused: writes the outcome to the pipeline
          because the policy requires the check `http-smoke`; the pipeline does not configure it, or only as optional
          record storefront-production-abcdefgh23 Refused
    "#]],
    );
}

#[test]
fn a_missing_plugin_holds_and_is_named() {
    let mut c = mk_approved();
    c.seen.plugins.clear();
    check(
        &c,
        expect![[r#"
        AwaitingApproval: holds: plugin not loaded: canary, http-smoke
    "#]],
    );
}

#[test]
fn a_closed_environment_holds() {
    let mut c = mk_approved();
    c.policy = mk_policy(&POLICY.replace("namespaces: [shop]", "namespaces: [shop-eu]"));
    check(
        &c,
        expect![[r#"
        AwaitingApproval: the policy closes this environment: the policy does not list the namespace shop under environments.production.targets.namespaces, so it is closed; it lists shop-eu
    "#]],
    );
}

#[test]
fn a_journal_without_its_plan_asks_for_it_again() {
    let mut c = mk_awaiting();
    c.journal.plan = None;
    check(
        &c,
        expect![[r#"
        Planning: asks canary for the plan
          ask rollout-1/plan-1
    "#]],
    );
}
