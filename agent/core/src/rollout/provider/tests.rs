//! What providers are asked, and what their answers do: never more than a decision that the policy
//! gives a role to.

use super::*;
use crate::approval::{Channel, Decision as Ballot, Vote};
use crate::plugin::{ApprovalDecision, ApprovalStatus, PluginAnswer, PluginFault};
use crate::policy::{Identity, IdentityProvider};
use crate::rollout::fixture::*;
use crate::rollout::{Fact, Known, StepState, absorb, facts};

mod answers;
mod journal;

/// The usual roles, and a board that decides outside.
const BOARD: &str = "roles:\n  board: {via: webhook-approval}\n";

fn use_of(plugin: &str) -> PluginUse {
    PluginUse {
        plugin: plugin.into(),
        settings: serde_json::json!({"channel": "#releases"}),
    }
}

/// At the gate, with a provider in a chat and one that is only polled. Production needs alice, and
/// the board that the second one asks.
fn mk_asking() -> Case {
    let mut c = mk_queued();
    c.policy = mk_policy(
        &POLICY
            .replace("roles:\n", BOARD)
            .replace("{role: tech-lead}", "{role: board}"),
    );
    c.view.spec.approvals = vec![use_of("slack-approval"), use_of("webhook-approval")];
    c.journal.plan = Some(mk_plan(&mk_proposal(), 10));
    c.set_state(State::AwaitingApproval);
    c.now = t(0);
    c.journal = c.decide().journal;
    c.now = t(10);
    c
}

fn seen(c: &Case) -> Facts {
    let known = Known {
        votes: &c.seen.votes,
        ..Known::default()
    };
    facts(&c.view, &c.journal, &c.policy, &known, c.now)
}

fn questions(c: &Case) -> Vec<ProviderQuestion> {
    provider_questions(&c.view, &c.journal, &seen(c), c.now)
}

/// `provider errand` of everything that is to be asked.
fn errands(c: &Case) -> Vec<String> {
    let text = |q: &ProviderQuestion| {
        let key = q.call.0.strip_prefix("rollout-1/").and_then(Key::parse);
        format!("{} {}", key.unwrap().provider, q.errand.as_str())
    };
    questions(c).iter().map(text).collect()
}

fn fold(c: &mut Case, question: &ProviderQuestion, answer: PluginAnswer) {
    let call = question.call.clone();
    c.journal = absorb(&c.view, &c.journal, &Fact::Answered { call, answer }, c.now);
}

/// Everything that is to be asked is answered so.
fn all_answer(c: &mut Case, answer: impl Fn(&ProviderQuestion) -> PluginAnswer) {
    for question in questions(c) {
        fold(c, &question, answer(&question));
    }
}

fn pending(ticket: &str) -> PluginAnswer {
    PluginAnswer::Approval(ApprovalStatus::Pending(ticket.into()))
}

fn decided(approved: bool, hash: &str) -> PluginAnswer {
    PluginAnswer::Approval(ApprovalStatus::Decided(ApprovalDecision {
        approved,
        approver: "the board".into(),
        reason: "as planned".into(),
        subject_digest: hash.into(),
    }))
}

fn outage() -> PluginAnswer {
    PluginAnswer::Failed(PluginFault {
        code: "plugin/missing".into(),
        message: "no plugin of that name is loaded".into(),
        retryable: true,
    })
}

fn hash(c: &Case) -> String {
    c.journal.approval.as_ref().unwrap().hash.clone()
}

/// Something that was signed for changes: the request is another.
fn change(c: &mut Case) {
    c.view.spec.cause.id.push('x');
    c.journal = c.decide().journal;
}

fn idempotency_key(q: &ProviderQuestion) -> String {
    match &q.question {
        PluginCall::AskApproval { invocation, .. }
        | PluginCall::PollApproval { invocation, .. }
        | PluginCall::WithdrawApproval { invocation, .. } => invocation.idempotency_key.clone(),
        other => panic!("{other:?}"),
    }
}

/// The votes that the shell makes of what the journal says, as they are counted.
fn recorded(c: &Case) -> Vec<Vote> {
    provider_votes(&c.view, &c.journal, &c.policy)
        .into_iter()
        .map(|vote| Vote {
            id: format!("{}-{}", vote.plugin, vote.hash),
            approver: Identity::of(IdentityProvider::Plugin, vote.plugin),
            channel: Channel::Plugin,
            decision: vote.decision,
            hash: vote.hash,
            at: c.now,
            reason: vote.said,
            believed: true,
        })
        .collect()
}

#[test]
fn each_provider_is_asked_once_and_then_looked_after() {
    let mut c = mk_asking();
    assert_eq!(errands(&c), ["0 ask", "1 ask"]);
    let first = questions(&c);
    // Nothing was stored: asked again, under the same key, even when the facts are others by then.
    c.vote("alice", Ballot::Approve, 5);
    let again = questions(&c);
    assert_eq!(idempotency_key(&first[0]), idempotency_key(&again[0]));
    assert_ne!(idempotency_key(&first[0]), idempotency_key(&first[1]));
    assert_eq!(first[0].line, again[0].line);

    all_answer(&mut c, |q| pending(&format!("ticket of {}", q.line)));
    assert_eq!(errands(&c), ["0 look", "1 look"]);
    let look = questions(&c);
    match &look[0].question {
        PluginCall::PollApproval {
            ticket, invocation, ..
        } => {
            assert_eq!(ticket, "ticket of provider-0");
            assert_eq!(invocation.release.subject_digest, hash(&c));
            assert_eq!(invocation.settings["channel"], "#releases");
        }
        other => panic!("{other:?}"),
    }
    // A look is another question every minute, and the same within it.
    let later = questions(&c.clone().at(10 + 60));
    assert_ne!(idempotency_key(&look[0]), idempotency_key(&later[0]));
    assert_eq!(look[0].call, later[0].call);
    let kinds: Vec<&str> = c.journal.timeline.iter().map(|m| m.kind.as_str()).collect();
    let asked = kinds.iter().filter(|kind| **kind == "approval-asked");
    assert_eq!(asked.count(), 2, "{kinds:?}");
    // Waiting costs no write.
    let before = c.journal.clone();
    all_answer(&mut c, |q| pending(&format!("ticket of {}", q.line)));
    assert_eq!(c.journal, before);
}

#[test]
fn they_are_told_what_an_approver_sees_and_told_again_when_it_changes() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("one"));
    c.vote("alice", Ballot::Approve, 5);
    assert_eq!(errands(&c), ["0 update", "1 update"]);
    let question = questions(&c).remove(0);
    let PluginCall::PollApproval { invocation, .. } = &question.question else {
        panic!("{question:?}");
    };
    let told = invocation
        .attributes
        .iter()
        .find(|(key, _)| key == APPROVAL_REQUEST);
    let told: Facts = serde_json::from_str(&told.unwrap().1).unwrap();
    assert_eq!(told, seen(&c));
    assert_eq!(told.given[0].person, "alice");
    all_answer(&mut c, |_| pending("two"));
    assert_eq!(errands(&c), ["0 look", "1 look"]);
    assert_eq!(c.journal.asked[0].ticket.as_deref(), Some("two"));
}

#[test]
fn what_is_not_asked() {
    let mut c = mk_asking();
    c.view.spec.dry_run = true;
    assert!(questions(&c).is_empty());
    c.view.spec.dry_run = false;
    c.view.spec.approvals.clear();
    assert!(questions(&c).is_empty());
    // Nobody needs to agree.
    let mut c = mk_asking();
    let required = "    approvals: {require: [{role: devops-lead}, {role: tech-lead}]}\n";
    c.policy = mk_policy(&POLICY.replace(required, ""));
    c.journal.approval = None;
    c.journal = c.decide().journal;
    assert!(c.journal.approval.is_some() && questions(&c).is_empty());
    // Before there is a request, and on the way back.
    let mut c = mk_return();
    c.view.spec.approvals = vec![use_of("slack-approval")];
    assert!(questions(&c).is_empty());
}

#[test]
fn another_request_is_asked_for_and_the_old_one_is_taken_back() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("old"));
    let old = hash(&c);
    change(&mut c);
    assert_ne!(old, hash(&c));
    assert_eq!(errands(&c), ["0 ask", "1 ask", "0 withdraw", "1 withdraw"]);
    let withdraw = questions(&c).remove(2);
    let PluginCall::WithdrawApproval {
        invocation, ticket, ..
    } = &withdraw.question
    else {
        panic!("{withdraw:?}");
    };
    assert_eq!(
        (ticket.as_str(), &invocation.release.subject_digest),
        ("old", &old)
    );
    let told = invocation
        .attributes
        .iter()
        .find(|(k, _)| k == APPROVAL_REQUEST);
    let told: Facts = serde_json::from_str(&told.unwrap().1).unwrap();
    assert_eq!((told.state, told.hash), (FactsState::Superseded, Some(old)));
    all_answer(&mut c, |q| match q.errand {
        Errand::Withdraw => PluginAnswer::Withdrawn,
        Errand::Ask | Errand::Update | Errand::Look => pending("new"),
    });
    assert_eq!(errands(&c), ["0 look", "1 look"]);
    assert_eq!(c.journal.asked.len(), 2);
}

#[test]
fn once_the_gate_has_opened_or_the_rollout_is_over_all_is_taken_back() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("one"));
    let step = StepState {
        index: 0,
        stage: crate::rollout::Stage::Shift,
        since: t(0),
        relapses: 0,
        promoted: false,
    };
    c.set_state(State::Progressing(step));
    assert_eq!(errands(&c), ["0 withdraw", "1 withdraw"]);
    assert!(c.journal.has_tickets());
    c.set_state(State::Ended(crate::rollout::End {
        kind: crate::pipeline::OutcomeKind::Rejected,
        message: "rejected by bob".into(),
        at: t(20),
    }));
    assert_eq!(errands(&c), ["0 withdraw", "1 withdraw"]);
    let PluginCall::WithdrawApproval { invocation, .. } = &questions(&c)[0].question else {
        panic!();
    };
    assert!(
        invocation
            .attributes
            .iter()
            .any(|(_, v)| v.contains("rejected by bob"))
    );
    all_answer(&mut c, |_| PluginAnswer::Withdrawn);
    assert!(questions(&c).is_empty() && !c.journal.has_tickets());
    // The engine lets the ended Rollout rest meanwhile.
    assert!(c.decide().effects.is_empty());
}

#[test]
fn what_cannot_be_taken_back_is_noted_and_left() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("one"));
    change(&mut c);
    let withdraw = questions(&c).remove(2);
    fold(&mut c, &withdraw, outage());
    let last = c.journal.timeline.last().unwrap();
    assert_eq!(last.kind, "not-withdrawn");
    assert_eq!(errands(&c), ["0 ask", "1 ask", "1 withdraw"]);
}

#[test]
fn the_web_door_gets_the_ticket_and_the_context() {
    let mut c = mk_asking();
    c.view.spec.approvals.push(use_of("slack-approval"));
    all_answer(&mut c, |q| pending(&format!("old {}", q.line)));
    let old = hash(&c);
    change(&mut c);
    assert!(provider_calls(&c.view, &c.journal, &seen(&c), "elsewhere").is_empty());
    let asks: Vec<_> = questions(&c)
        .into_iter()
        .filter(|q| q.errand == Errand::Ask)
        .collect();
    fold(&mut c, &asks[0], pending("new"));
    let calls = provider_calls(&c.view, &c.journal, &seen(&c), "slack-approval");
    let tickets: Vec<&str> = calls.iter().map(|(_, ticket)| ticket.as_str()).collect();
    assert_eq!(tickets, ["new", "old provider-0", "old provider-2"]);
    assert_eq!(calls[0].0.release.subject_digest, hash(&c));
    assert_eq!(calls[1].0.release.subject_digest, old);
}
