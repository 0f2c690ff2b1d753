//! Any journal, any observation: `decide` answers, twice the same, and what has ended stays ended.

use super::rng::Rng;
use crate::approval::Decision as Ballot;
use crate::pipeline::OutcomeKind;
use crate::plugin::{Judgement, Outcome, PluginAnswer};
use crate::policy::Policy;
use crate::rollout::fixture::*;
use crate::rollout::*;

const KINDS: [OutcomeKind; 8] = [
    OutcomeKind::Succeeded,
    OutcomeKind::RolledBack,
    OutcomeKind::Refused,
    OutcomeKind::Rejected,
    OutcomeKind::Expired,
    OutcomeKind::Superseded,
    OutcomeKind::Cancelled,
    OutcomeKind::Failed,
];

fn instant(r: &mut Rng) -> jiff::Timestamp {
    match r.below(20) {
        0 => jiff::Timestamp::MIN,
        1 => jiff::Timestamp::MAX,
        _ => t(i64::try_from(r.below(100_000)).unwrap() - 50_000),
    }
}

fn number(r: &mut Rng) -> u32 {
    let small = u32::try_from(r.below(14)).unwrap();
    r.pick(&[small, small, small, small, u32::MAX])
}

fn stage(r: &mut Rng) -> Stage {
    match r.below(4) {
        0 => Stage::Shift,
        1 => Stage::Check {
            runs: (0..r.below(3))
                .map(|i| CheckRun {
                    name: ["http-smoke", "another", ""][usize::try_from(i).unwrap()].into(),
                    attempt: number(r),
                    not_before: instant(r),
                    report: None,
                    passed: r.chance(50),
                })
                .collect(),
            since: instant(r),
        },
        2 => Stage::Hold { until: instant(r) },
        _ => Stage::Judge {
            attempt: number(r),
            not_before: instant(r),
            faults: number(r),
            proceed: r.chance(50),
        },
    }
}

fn state(r: &mut Rng) -> State {
    let step = |r: &mut Rng| StepState {
        index: number(r).min(u32::try_from(r.below(6)).unwrap() + r.pick(&[0, u32::MAX - 9])),
        stage: stage(r),
        since: instant(r),
        relapses: number(r),
        promoted: r.chance(30),
    };
    match r.below(8) {
        0 => State::Queued,
        1 => State::Planning {
            attempt: number(r),
            not_before: instant(r),
        },
        2 => State::AwaitingApproval,
        3 => State::Progressing(step(r)),
        4 => State::Promoting(step(r)),
        5 => State::RollingBack(BackReason {
            code: "x".into(),
            message: "y".into(),
            candidate_failed: r.chance(50),
            step: None,
            since: instant(r),
            ends_as: r.pick(&KINDS),
        }),
        6 => State::Recording(Ending {
            kind: r.pick(&KINDS),
            message: "over".into(),
            quarantine: r.chance(30).then(|| "bad".into()),
        }),
        _ => State::Ended(End {
            kind: r.pick(&KINDS),
            message: "over".into(),
            at: instant(r),
        }),
    }
}

fn workload(r: &mut Rng, mut w: WorkloadSeen) -> WorkloadSeen {
    w.replicas = number(r);
    w.pods = number(r);
    w.updated = number(r);
    w.ready = number(r);
    w.available = number(r);
    w.max_unavailable = number(r);
    w.generation = i64::from(number(r));
    w.observed_generation = i64::from(number(r));
    w.claimed_by = r
        .pick(&[None, Some(UID), Some("uid-of-other")])
        .map(str::to_owned);
    w.uid = r
        .pick(&["target-1", "target-1", "target-1", "target-2"])
        .into();
    if r.chance(30) {
        w.spec["template"] = mk_template(r.pick(&['a', 'b', 'c']));
    }
    match r.below(30) {
        0 => w.spec = serde_json::Value::Null,
        1 => w.spec["template"] = serde_json::json!([1, "two"]),
        2 => w.spec["selector"] = serde_json::json!("all"),
        _ => {}
    }
    w
}

fn see<T>(r: &mut Rng, thing: T) -> Seen<T> {
    match r.below(6) {
        0 => Seen::Absent,
        1 => Seen::Unknown("timeout".into()),
        _ => Seen::Present(thing),
    }
}

fn case(seed: u64) -> Case {
    let r = &mut Rng::new(seed);
    let mut c = match r.below(5) {
        0 => mk_return(),
        1 => mk_queued(),
        2 => mk_going_back(1),
        _ => mk_approved(),
    };
    if r.chance(80) {
        let state = state(r);
        c.set_state(state);
    }
    let j = &mut c.journal;
    j.claimed = r.chance(50);
    if r.chance(20) {
        j.plan = None;
    }
    if r.chance(20) {
        j.approval = None;
    }
    if r.chance(50) {
        j.stable = r
            .chance(80)
            .then(|| mk_revision(r.pick(&['a', 'b', 'c']), "v1"));
        j.total_replicas = r.chance(80).then(|| number(r));
        j.started_at = r.chance(80).then(|| instant(r));
    }
    if r.chance(20) {
        j.paused = Some(Moment {
            at: instant(r),
            kind: "paused".into(),
            text: "carol".into(),
        });
    }
    if r.chance(10) {
        j.proposal = Some(mk_proposal());
    }
    let target = workload(r, mk_workload("storefront", "target-1", 'a', 10));
    c.seen.target = see(r, target);
    let mut canary = workload(r, mk_canary('b', 1));
    canary.uid = "canary-1".into();
    c.seen.canary = see(r, canary);
    let template = mk_template(r.pick(&['a', 'b', 'c']));
    c.seen.stable_template = see(r, template.clone());
    c.seen.return_template = see(r, template);
    if r.chance(20) {
        let environment = c.environment().clone();
        c.seen.environment = see(r, environment);
    }
    for n in 0..u32::try_from(r.below(4)).unwrap() {
        let action = r.pick(&[
            Action::Abort,
            Action::Pause,
            Action::Resume,
            Action::Promote,
            Action::Rollback,
        ]);
        c.seen
            .requests
            .push(mk_request(n, action, r.pick(&["alice", "carol"])));
    }
    if r.chance(30) {
        let stage = r.pick(&[
            SiblingStage::Queued,
            SiblingStage::Waiting,
            SiblingStage::Begun,
        ]);
        let mut s = mk_sibling("other", r.pick(&[-5, 5]), stage);
        s.returns = r.chance(30);
        c.seen.siblings.push(s);
    }
    if r.chance(30) {
        c.vote("alice", Ballot::Reject, 7);
    }
    if r.chance(10) {
        c.policy = Policy::absent();
    }
    c.now = instant(r);
    c
}

fn answers() -> Vec<PluginAnswer> {
    vec![
        mk_report(Outcome::Pass, "ok"),
        mk_report(Outcome::Fail, "no"),
        mk_report(Outcome::Inconclusive, "?"),
        PluginAnswer::Plan(mk_proposal()),
        PluginAnswer::Judgement(Judgement::Proceed),
        PluginAnswer::Judgement(Judgement::Hold(u64::MAX)),
        PluginAnswer::Judgement(Judgement::Rollback("no".into())),
        PluginAnswer::Notified(None),
    ]
}

#[test]
fn decide_answers_whatever_it_is_given() {
    let mut effects = 0;
    for seed in 0..6000 {
        let c = case(seed);
        let d = decide(&c.view, &c.journal, &c.seen, &c.policy, c.now);
        let again = decide(&c.view, &c.journal, &c.seen, &c.policy, c.now);
        assert_eq!(d, again, "seed {seed}");
        effects += d.effects.len();
        let changes = d.effects.iter().any(crate::invariants::changes_target);
        assert!(!changes || d.journal.state.begun(), "seed {seed}: {d:#?}");
        assert_eq!(d.wake_at.is_none(), d.journal.state.ended(), "seed {seed}");
        if c.journal.state.ended() {
            assert_eq!(d.journal.state, c.journal.state, "seed {seed}");
            assert!(d.effects.is_empty(), "seed {seed}");
        }
        let going_back = matches!(c.journal.state, State::RollingBack(_));
        assert!(
            !going_back || d.journal.state.step().is_none(),
            "seed {seed}: forward again"
        );
        let _ = crate::invariants::broken(&c.view, &c.journal, &c.seen, &d);
        if seed % 10 == 0 {
            let json = serde_json::to_value(&d).unwrap();
            assert_eq!(
                serde_json::from_value::<Decision>(json).unwrap(),
                d,
                "seed {seed}"
            );
        }
    }
    assert!(effects > 1000, "the cases are too tame: {effects} effects");
}

#[test]
fn absorb_answers_whatever_it_is_given() {
    let answers = answers();
    for seed in 0..2000 {
        let c = case(seed);
        let mut r = Rng::new(seed);
        let keys = [
            "plan-1",
            "check-0-0-http-smoke-1",
            "judge-0-0-1",
            "",
            "/",
            "check-0-0--0",
        ];
        let key = r.pick(&keys);
        let answer = answers[usize::try_from(r.below(answers.len() as u64)).unwrap()].clone();
        let fact = match r.below(4) {
            0 => Fact::Recorded,
            1 => Fact::Delivered {
                seq: number(&mut r),
                notifier: number(&mut r),
                thread: Some("t".into()),
                given_up: Some("why".into()),
            },
            _ => Fact::Answered {
                call: CallId(format!("{UID}/{key}")),
                answer,
            },
        };
        let once = absorb(&c.view, &c.journal, &fact, c.now);
        assert_eq!(
            once,
            absorb(&c.view, &c.journal, &fact, c.now),
            "seed {seed}"
        );
        assert_eq!(
            once.state.ended(),
            c.journal.state.ended(),
            "seed {seed}: no answer is an end"
        );
        // The same answer again, as after a crash: nothing more.
        let json = serde_json::to_value(&once).unwrap();
        assert_eq!(
            serde_json::from_value::<Journal>(json).unwrap(),
            once,
            "seed {seed}"
        );
    }
}
