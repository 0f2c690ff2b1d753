//! The journal at its largest: everything that a Pipeline, plugins and people may write at once
//! (reliability.md D1: 64 KiB each, hard cap 256 KiB). Hooks, groups and configuration come on top, and
//! their own tests hold them to their budgets.

use crate::approval::Decision as Ballot;
use crate::pipeline::PluginUse;
use crate::plugin::{
    ApprovalStatus, CheckLine, Measurement, Outcome, PlanStep, PluginAnswer, PluginFault, Report,
    Series, SeriesRole,
};
use crate::rollout::fixture::*;
use crate::rollout::*;

const LIMIT: usize = 64 * 1024;

fn size(journal: &Journal) -> usize {
    serde_json::to_vec(journal).unwrap().len()
}

/// Bytes of each part, for whoever looks for what has grown.
fn parts(journal: &Journal) -> String {
    let json = serde_json::to_value(journal).unwrap();
    let mut parts: Vec<(usize, &String)> = json
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (value.to_string().len(), name))
        .collect();
    parts.sort_by(|a, b| b.cmp(a));
    let shown = parts.iter().take(12);
    shown
        .map(|(bytes, name)| format!("{name} {bytes}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// As long as a text comes, with characters that are wide in JSON.
fn flood(seed: usize) -> String {
    format!("{seed} {}", "\"\\\u{1}ü".repeat(2000))
}

/// The longest names that a Pipeline may have.
fn name(kind: &str, n: usize) -> String {
    format!("{kind}-{n:0>width$}", width = 62 - kind.len())
}

fn largest() -> Case {
    let mut c = mk_planning();
    c.view.uid = UID.into();
    c.view.spec.checks = (0..16)
        .map(|n| {
            let mut check = mk_check("http-smoke");
            check.name = Some(name("check", n));
            check.every = Some(crate::duration::HumanDuration::from_secs(1));
            check
        })
        .collect();
    c.view.spec.course.analysis = (0..8)
        .map(|n| {
            let (name, compare) = (name("analysis", n), serde_json::json!({"margin": "1%"}));
            serde_json::from_value(serde_json::json!({
                "plugin": "numbers", "name": name, "require": "< 99%", "compare": compare,
            }))
            .unwrap()
        })
        .collect();
    c.view.spec.notify = vec![
        PluginUse {
            plugin: name("notify", 0),
            settings: serde_json::json!({})
        };
        8
    ];
    c.view.spec.approvals = (0..4)
        .map(|n| PluginUse {
            plugin: name("provider", n),
            settings: serde_json::json!({}),
        })
        .collect();
    c.view.spec.image.tag = Some(format!("v{}", "9".repeat(127)));
    let steps: Vec<PlanStep> = (1..=32_u16)
        .map(|n| {
            let n = usize::from(n);
            let mut step = mk_step(&name("step", n), u16::try_from(n * 312).unwrap(), 3600);
            step.gate = (n > 1).then(|| name("gate", n));
            step.capacity_replicas = Some(u32::MAX);
            step
        })
        .chain(std::iter::once(mk_step("all", 10_000, 0)))
        .skip(1)
        .map(|mut s| {
            if s.name == name("step", 2) {
                s.gate = None;
            }
            s
        })
        .collect();
    let open = POLICY.replace(", firstStepAtMost: 10%", "");
    c.policy = mk_policy(&open);
    c.answer("plan-1", PluginAnswer::Plan(steps));
    c = c.then(10);
    assert_eq!(c.journal.phase, "AwaitingApproval", "{}", c.journal.message);
    providers_at_their_loudest(&mut c);
    c.vote("alice", Ballot::Approve, 5);
    c.vote("bob", Ballot::Approve, 6);
    c
}

/// Every provider answers with the longest ticket that finds room, and then is in trouble.
fn providers_at_their_loudest(c: &mut Case) {
    let facts = facts(&c.view, &c.journal, &c.policy, &Known::default(), c.now);
    for ticket in ["x".repeat(4096), "x".repeat(1800)] {
        let questions = provider_questions(&c.view, &c.journal, &facts, c.now);
        for ProviderQuestion { call, .. } in questions {
            let pending = PluginAnswer::Approval(ApprovalStatus::Pending(ticket.clone()));
            let fault = PluginAnswer::Failed(PluginFault {
                code: flood(1),
                message: flood(1),
                retryable: true,
            });
            for answer in [pending, fault] {
                let call = call.clone();
                c.journal = absorb(&c.view, &c.journal, &Fact::Answered { call, answer }, c.now);
            }
        }
    }
    assert!(
        serde_json::to_vec(&c.journal.asked).unwrap().len() > 8 * 1024,
        "they are not loud"
    );
}

/// Every analysis has counted much, and then hears nothing but noise.
fn loud_measurements(c: &mut Case, most: &mut usize) {
    let series = |role| Series {
        role,
        events: u64::MAX / 1_000_000,
        total: u64::MAX / 1000,
        value: None,
    };
    let counted = vec![series(SeriesRole::Candidate), series(SeriesRole::Stable)];
    for series in [counted, Vec::new()] {
        c.now = t(c.now.duration_since(t(0)).as_secs() + 11);
        c.journal = decide(&c.view, &c.journal, &c.seen, &c.policy, c.now).journal;
        *most = (*most).max(size(&c.journal));
        let asked: Vec<_> = c
            .journal
            .analysis
            .iter()
            .filter(|r| r.open.is_some())
            .collect();
        assert_eq!(asked.len(), 8, "{}", c.journal.message);
        let index = c.journal.state.step().unwrap().index;
        let keys: Vec<String> = asked
            .iter()
            .map(|r| format!("measure-{index}-0-{}-{}", r.name, r.seq))
            .collect();
        for key in keys {
            let (series, summary) = (series.clone(), flood(0));
            c.answer(
                &key,
                PluginAnswer::Measurement(Measurement { series, summary }),
            );
            *most = (*most).max(size(&c.journal));
        }
    }
}

fn loud_report(n: usize, outcome: Outcome) -> PluginAnswer {
    let line = CheckLine {
        name: flood(n),
        outcome: Outcome::Inconclusive,
        message: flood(n),
        elapsed_ms: u32::MAX,
    };
    PluginAnswer::Report(Report {
        outcome,
        summary: flood(n),
        checks: vec![line; 1000],
    })
}

#[test]
fn the_largest_journal_is_small_enough() {
    let mut c = largest();
    let mut most = size(&c.journal);
    c = c.then(20);
    let plan = c.journal.plan.clone().unwrap();
    assert_eq!(plan.steps.len(), 32);
    for n in 0..60_u32 {
        let action = if n % 2 == 0 {
            Action::Pause
        } else {
            Action::Resume
        };
        let mut r = mk_request(n, action, "carol");
        r.uid = format!("{n:0>36}");
        r.reason = Some(flood(0));
        c.seen.requests.push(r);
        let mut denied = mk_request(n, Action::Promote, &"m".repeat(2000));
        denied.uid = format!("denied-{n:0>29}");
        c.seen.requests.push(denied);
    }
    // A few steps fill every list; more only take time.
    for index in 0..6_usize {
        let planned = &plan.steps[index];
        let mut target = mk_workload("storefront", "target-1", 'a', planned.stable_replicas);
        target.claimed_by = Some(UID.into());
        c.journal.scaled = Some(Scaled {
            from: planned.stable_replicas,
            to: planned.stable_replicas,
            other_since: Some(c.now),
        });
        c.seen.target = Seen::Present(target);
        c.seen.canary = Seen::Present(mk_canary('b', planned.candidate_replicas));
        let step = StepState {
            index: u32::try_from(index).unwrap(),
            stage: Stage::Shift,
            since: c.now,
            relapses: 0,
            promoted: false,
        };
        c.set_state(State::Progressing(step));
        for _ in 0..12 {
            c.journal = c.decide().journal;
            most = most.max(size(&c.journal));
        }
        for attempt in 1..3_u32 {
            for (n, check) in c.view.spec.checks.clone().iter().enumerate() {
                let fault = PluginAnswer::Failed(PluginFault {
                    code: flood(n),
                    message: flood(n),
                    retryable: false,
                });
                let answer = if attempt == 2 {
                    loud_report(n, Outcome::Pass)
                } else {
                    fault
                };
                let label = check.label();
                c.answer(&format!("check-{index}-0-{label}-{attempt}"), answer);
                most = most.max(size(&c.journal));
            }
            c.now = t(c.now.duration_since(t(0)).as_secs() + 11);
            let d = decide(&c.view, &c.journal, &c.seen, &c.policy, c.now);
            c.journal = d.journal;
            most = most.max(size(&c.journal));
        }
        let held = matches!(c.journal.state.step().unwrap().stage, Stage::Hold { .. });
        assert!(held, "step {index}: {}", c.journal.message);
        loud_measurements(&mut c, &mut most);
        for notifier in 0..8 {
            let (seq, thread) = (c.journal.next_seq - 1, Some(flood(0)));
            let fact = Fact::Delivered {
                seq,
                notifier,
                thread,
                given_up: Some(flood(1)),
            };
            c.journal = absorb(&c.view, &c.journal, &fact, c.now);
        }
        most = most.max(size(&c.journal));
    }
    println!(
        "the largest journal has {most} bytes; the last: {}",
        parts(&c.journal)
    );
    assert!(most < LIMIT, "{most} bytes");
    assert!(
        most > LIMIT / 3,
        "the worst case is not tried: {most} bytes"
    );
}

#[test]
fn what_was_cut_is_marked() {
    let mut c = mk_checking(0);
    c.answer(
        "check-0-0-http-smoke-1",
        loud_report(0, Outcome::Inconclusive),
    );
    let record = &c.journal.checks[0];
    assert!(record.summary.ends_with('…'), "{}", record.summary);
    assert!(record.lines.len() <= 8 && record.lines[0].message.ends_with('…'));
}
