//! Answers: what counts, what is dropped, and that nothing but the required votes opens a gate.

use proptest::prelude::*;

use super::*;
use crate::pipeline::OutcomeKind;
use crate::rollout::Ending;

/// A decision through the whole way: question, answer, journal, vote, count.
fn count(c: &mut Case) -> crate::rollout::Decision {
    let votes = recorded(c);
    c.seen.votes.extend(votes);
    c.decide()
}

#[test]
fn a_decision_counts_for_the_role_that_the_policy_gives_to_the_plugin() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("one"));
    let hash = hash(&c);
    let look = questions(&c).remove(1);
    fold(&mut c, &look, decided(true, &hash));
    assert_eq!(recorded(&c).len(), 1);
    assert!(!count(&mut c).journal.state.begun(), "alice is missing");
    c.vote("alice", Ballot::Approve, 5);
    assert!(
        c.decide().journal.state.begun(),
        "{}",
        c.decide().journal.message
    );
    // It counts once, and the provider is asked no more but to show how things stand.
    fold(&mut c, &look, decided(false, &hash));
    assert_eq!(recorded(&c)[0].decision, Ballot::Approve);
    assert!(!errands(&c).contains(&"1 look".to_owned()));
    let text = &seen(&c).asked[1].text;
    assert!(
        text.contains("decided for board: the board says yes"),
        "{text}"
    );
}

#[test]
fn a_decision_counts_for_no_other_role() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("one"));
    let hash = hash(&c);
    let look = questions(&c).remove(0);
    fold(&mut c, &look, decided(true, &hash));
    assert!(recorded(&c).is_empty());
    let text = &seen(&c).asked[0].text;
    assert!(text.contains("counts for nothing"), "{text}");
    // Not even where the shell recorded it all the same.
    c.seen.votes.push(Vote {
        id: "slack".into(),
        approver: Identity::of(IdentityProvider::Plugin, "slack-approval"),
        channel: Channel::Plugin,
        decision: Ballot::Approve,
        hash,
        at: c.now,
        reason: String::new(),
        believed: true,
    });
    c.vote("alice", Ballot::Approve, 5);
    assert!(!c.decide().journal.state.begun());
}

#[test]
fn a_no_for_its_role_ends_it() {
    let mut c = mk_asking();
    let hash = hash(&c);
    // A provider may know at once.
    let ask = questions(&c).remove(1);
    fold(&mut c, &ask, decided(false, &hash));
    assert_eq!(count(&mut c).journal.phase, "Recording");
    let ended = count(&mut c).journal.state;
    let no = matches!(
        &ended,
        State::Recording(Ending {
            kind: OutcomeKind::Rejected,
            ..
        })
    );
    assert!(no, "{ended:?}");
}

#[test]
fn a_decision_about_something_else_is_dropped_and_noted_once() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("one"));
    for digest in ["", "another", &hash(&c).to_uppercase()] {
        let look = questions(&c).remove(1);
        fold(&mut c, &look, decided(true, digest));
    }
    assert!(recorded(&c).is_empty());
    let dropped = c
        .journal
        .timeline
        .iter()
        .filter(|m| m.kind == "decision-dropped");
    assert_eq!(dropped.count(), 1);
    // The right one still counts.
    let hash = hash(&c);
    let look = questions(&c).remove(1);
    fold(&mut c, &look, decided(true, &hash));
    assert_eq!(recorded(&c).len(), 1);
}

#[test]
fn a_late_decision_is_dropped_and_noted_once() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("one"));
    let old = hash(&c);
    let late = questions(&c).remove(1);
    change(&mut c);
    for _ in 0..3 {
        fold(&mut c, &late, decided(true, &old));
    }
    assert!(recorded(&c).is_empty());
    let dropped = c
        .journal
        .timeline
        .iter()
        .filter(|m| m.kind == "decision-dropped");
    assert_eq!(dropped.count(), 1);
    // After it was taken back nothing is known of it any more, and nothing changes.
    all_answer(&mut c, |q| match q.errand {
        Errand::Withdraw => PluginAnswer::Withdrawn,
        Errand::Ask | Errand::Update | Errand::Look => pending("two"),
    });
    let before = c.journal.clone();
    fold(&mut c, &late, decided(true, &old));
    assert_eq!(c.journal, before);
}

#[test]
fn an_outage_shows_and_neither_blocks_nor_opens() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| outage());
    assert_eq!(errands(&c), ["0 ask", "1 ask"]);
    let text = &seen(&c).asked[0].text;
    assert!(
        text.contains("could not be reached: [plugin/missing]"),
        "{text}"
    );
    assert_eq!(c.decide().journal.phase, "AwaitingApproval");
    // The same again is no news.
    let before = c.journal.clone();
    all_answer(&mut c, |_| outage());
    assert_eq!(c.journal, before);
    let first = questions(&c).remove(0);
    fold(&mut c, &first, outage());
    assert_eq!(c.journal, before, "whoever answers first");
    // What was shown stays looked after, and mends.
    all_answer(&mut c, |_| pending("one"));
    all_answer(&mut c, |_| outage());
    assert_eq!(errands(&c), ["0 look", "1 look"]);
    all_answer(&mut c, |_| pending("one"));
    assert!(c.journal.asked.iter().all(|a| a.trouble.is_none()));
}

#[test]
fn a_provider_that_gave_up_is_noted_once_and_the_other_doors_stay_open() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("one"));
    all_answer(&mut c, |_| PluginAnswer::Approval(ApprovalStatus::Expired));
    let notes = c
        .journal
        .timeline
        .iter()
        .filter(|m| m.kind == "provider-expired");
    assert_eq!(notes.count(), 2);
    assert!(errands(&c).is_empty());
    assert_eq!(c.decide().journal.phase, "AwaitingApproval");
}

fn arbitrary_answer() -> impl Strategy<Value = (u8, u8)> {
    (0..9_u8, 0..8_u8)
}

proptest! {
    /// Whatever providers answer, in whatever order, late or twice: a gate opens only with alice's own
    /// vote and a yes that the board's plugin gave to the request that is open.
    #[test]
    fn no_answers_open_a_gate_without_its_votes(
        steps in proptest::collection::vec(arbitrary_answer(), 1..40),
        alice in any::<bool>(),
    ) {
        let mut c = mk_asking();
        let mut past: Vec<ProviderQuestion> = Vec::new();
        let mut board = std::collections::BTreeSet::new();
        for (what, which) in steps {
            past.extend(questions(&c));
            let Some(question) = past.get(usize::from(which) * past.len() / 8).cloned() else {
                continue;
            };
            let open = hash(&c);
            let about = |q: &ProviderQuestion| match &q.question {
                PluginCall::AskApproval { invocation, .. }
                | PluginCall::PollApproval { invocation, .. }
                | PluginCall::WithdrawApproval { invocation, .. } => invocation.release.clone(),
                _ => unreachable!(),
            };
            let asked = about(&question).subject_digest;
            let answer = match what {
                0 => pending("one"),
                1 => pending(&"x".repeat(5000)),
                2 => decided(true, &open),
                3 => decided(true, &asked),
                4 => decided(true, "another"),
                5 => PluginAnswer::Approval(ApprovalStatus::Expired),
                6 => outage(),
                7 => PluginAnswer::Withdrawn,
                _ => {
                    change(&mut c);
                    continue;
                }
            };
            let says_yes = matches!(what, 2 | 3) && question.errand != Errand::Withdraw;
            let of_board = question.call.0.split('-').nth(3) == Some("1");
            if says_yes && of_board && asked == open {
                board.insert(open);
            }
            fold(&mut c, &question, answer);
        }
        if alice {
            c.vote("alice", Ballot::Approve, 5);
        }
        let opened = count(&mut c).journal.state.begun();
        prop_assert!(!opened || (alice && board.contains(&hash(&c))), "{:#?}", c.journal.asked);
    }
}
