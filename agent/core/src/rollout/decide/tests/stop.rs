//! The global stop holds everything but what goes back (requirement G24).

use expect_test::expect;

use crate::approval::Decision as Ballot;
use crate::rollout::fixture::*;
use crate::rollout::{Action, Emergency};
use crate::stop::Stop;

fn stopped(mut c: Case) -> Case {
    c.seen.stop = Some(Stop {
        by: "alice".into(),
        reason: "the database is down".into(),
        since: t(0),
        until: None,
    });
    c
}

#[test]
fn nothing_begins() {
    check(
        &stopped(mk_approved()),
        expect![[r#"
        AwaitingApproval: everything is stopped by alice: the database is down; `sluice start` lets it go on
    "#]],
    );
}

#[test]
fn people_can_still_sign_and_say_no() {
    let mut c = stopped(mk_awaiting());
    assert!(c.decide().why.to_string().starts_with("waits for a vote"));
    c.vote("alice", Ballot::Reject, 5);
    assert_ne!(c.decide().journal.phase, "AwaitingApproval");
}

#[test]
fn no_step_follows_and_the_one_under_way_is_finished() {
    let mut c = stopped(mk_judging(0));
    c.answer(
        "judge-0-0-1",
        crate::plugin::PluginAnswer::Judgement(crate::plugin::Judgement::Proceed),
    );
    check(
        &c,
        expect![[r#"
        Progressing step 1 judge: everything is stopped by alice: the database is down; `sluice start` lets it go on
    "#]],
    );
    let phase = stopped(mk_shifting(0)).decide().why;
    assert!(!phase.to_string().contains("stopped"));
}

#[test]
fn going_back_goes_on() {
    let c = stopped(mk_holding(0)).request(Action::Abort, "alice");
    assert_eq!(c.decide().journal.phase, "RollingBack");
    let back = stopped(mk_going_back(0)).decide();
    assert!(!back.why.to_string().contains("stopped"));
    let mut c = stopped(mk_return());
    c.seen.return_template = crate::rollout::Seen::Present(mk_template('a'));
    assert!(!c.decide().why.to_string().contains("stopped"));
}

#[test]
fn breaking_the_glass_does_not_lift_it() {
    let mut c = stopped(mk_approved());
    c.view.spec.emergency = Emergency::of(false, true);
    assert_ne!(c.decide().journal.phase, "Progressing");
}

#[test]
fn it_looks_again_when_the_stop_lifts_by_itself() {
    let mut c = stopped(mk_approved());
    if let Some(stop) = &mut c.seen.stop {
        stop.until = Some(t(20));
    }
    assert!(c.decide().wake_at.unwrap() <= t(20));
}
