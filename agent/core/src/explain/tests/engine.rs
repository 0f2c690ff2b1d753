//! The explainer never says other than the engine.

use proptest::prelude::*;

use super::*;
use crate::admit::{Admission, Candidate, admit};
use crate::rollout::{CandidateImage, Cause};

/// A policy with some of its rules.
fn some_policy(rules: &[bool]) -> Policy {
    let mut text = POLICY.to_owned();
    text.truncate(text.find("tests:").unwrap());
    let parts = [
        "      tags: [\"v?.?.?\"]\n",
        "      minimumAge: 1h\n",
        "      signedBy: [release-ci]\n",
        "      annotations: {team: \"check*\"}\n",
        "    after: [staging]\n",
        "    skipCanary: {allowedFor: [devops-lead]}\n",
        "    breakGlass: {role: incident-commander}\n",
        "    permissions: {deploy: [devops-lead, tech-lead]}\n",
        "    checks: {require: [http-smoke]}\n",
        "      - {deny: \"rollout.reason == ''\", message: say why}\n",
        "    strategy: {allow: [canary], firstStepAtMost: 10%}\n",
        "    limits: {concurrentRollouts: 2}\n",
    ];
    for (part, keep) in parts.iter().zip(rules) {
        assert!(text.contains(part), "{part}");
        if !keep {
            text = text.replacen(part, "", 1);
        }
    }
    Policy::parse(&text).unwrap()
}

prop_compose! {
    fn some_question()(
        who in prop::option::of(prop::sample::select(vec!["alice", "bob", "carol"])),
        reason in prop::option::of(prop::sample::select(vec!["", "because"])),
        tag in prop::option::of(prop::sample::select(vec!["v1.2.3", "v1.3.0-rc.1", "latest"])),
        letter in prop::sample::select(vec!['a', 'b', 'c', 'd']),
        kept in prop::option::of((any::<bool>(), any::<bool>(), any::<bool>())),
        skip in any::<bool>(),
        glass in any::<bool>(),
        trigger in prop::sample::select(TriggerKind::ALL.to_vec()),
        hour in 0..24_i64,
        repository in prop::sample::select(vec!["registry.example.com/shop/storefront", "docker.io/x/y"]),
    ) -> Question {
        let mut about = facts();
        if let Some((team, source, signed)) = kept {
            about.annotations.retain(|key, _| if key == "team" { team } else { source });
            about.signatures.retain(|_| signed);
        }
        Question {
            trigger,
            requester: who.map(|who| Identity::kubernetes(format!("{who}@example.com"), Vec::new())),
            reason: reason.map(str::to_owned),
            emergency: Emergency::of(skip, glass),
            repository: Some(repository.to_owned()),
            tag: tag.map(str::to_owned),
            digest: Some(digest(letter)),
            about: Some(about),
            at: at("2026-12-18T00:00:00Z") + jiff::SignedDuration::from_hours(hour),
            ..question()
        }
    }
}

/// c is quarantined in production, d was tried there.
fn some_pipeline(strategy: &str, serves: bool, checked: bool) -> PipelineView {
    let mut pipeline = pipeline();
    let status = pipeline.status.environments.get_mut("production").unwrap();
    status.tried.push(digest('d'));
    status.quarantined.push(Quarantine {
        digest: digest('c'),
        tag: None,
        reason: "http-smoke failed".into(),
        rollout: "x".into(),
        at: at("2026-12-01T10:00:00Z"),
    });
    if !serves {
        status.stable = None;
    }
    let environment = &mut pipeline.spec.environments[1];
    environment.strategy.plugin = strategy.to_owned();
    environment.checks[0].optional = !checked;
    pipeline
}

/// What the engine says of the same.
fn asked(policy: &Policy, pipeline: &PipelineView, question: &Question) -> Admission {
    let candidate = Candidate {
        image: CandidateImage {
            repository: question.repository.clone().unwrap(),
            tag: question.tag.clone(),
            digest: question.digest.clone().unwrap(),
            about: question.about.clone().unwrap(),
        },
        cause: Cause {
            trigger: question.trigger,
            id: "x".into(),
            requester: question.requester.clone(),
            reason: question.reason.clone(),
        },
        returns_to: None,
        emergency: question.emergency,
        dry_run: false,
        drill: false,
    };
    let environment = pipeline.spec.environment("production").unwrap();
    admit(policy, pipeline, environment, &candidate, question.at)
}

/// What is refused. Without a name, an emergency has the explainer's own words.
fn noes(explanation: &Explanation, question: &Question) -> Vec<String> {
    let by_person = matches!(question.trigger, TriggerKind::Manual | TriggerKind::Webhook);
    let named = question.requester.is_some() || !by_person;
    let special = |rule: &str| ["skipCanary", "breakGlass"].contains(&rule);
    let mut out: Vec<String> = explanation
        .with(Verdict::No)
        .filter(|line| named || !special(&line.rule))
        .map(|line| line.text.clone())
        .collect();
    out.sort();
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn with_everything_known_each_no_is_the_engines(
        rules in prop::collection::vec(any::<bool>(), 12),
        asks in some_question(),
        strategy in prop::sample::select(vec!["canary", "rolling"]),
        serves in prop::bool::weighted(0.9),
        checked in any::<bool>(),
    ) {
        let policy = some_policy(&rules);
        let pipeline = some_pipeline(strategy, serves, checked);
        let explanation = explain(&policy, Some(&pipeline), &asks);
        let found = noes(&explanation, &asks);
        let manual = asks.trigger == TriggerKind::Manual || asks.trigger == TriggerKind::Webhook;
        // Who asks and why are facts of a person's wish: without them the answer is not known.
        let whole = !manual || (asks.requester.is_some() && asks.reason.is_some());
        match asked(&policy, &pipeline, &asks) {
            Admission::Create { .. } => prop_assert_eq!(found, Vec::<String>::new()),
            Admission::Nothing(why) => prop_assert!(found.contains(&why), "{} in {:?}", why, found),
            Admission::Refused(mut reasons) => {
                reasons.sort();
                // Without a version to go back to the engine looks no further.
                let early = reasons.iter().any(|r| r.contains("was never seen healthy"));
                if early {
                    prop_assert!(found.contains(&reasons[0]), "{:?}", found);
                } else if whole {
                    prop_assert_eq!(found, reasons);
                } else {
                    prop_assert!(found.iter().all(|no| reasons.contains(no)), "{:?}", found);
                    prop_assert!(explanation.answer != Verdict::Ok);
                }
            }
        }
        let window = explanation.lines.iter().find(|line| line.rule == "windows");
        let glass = asks.emergency.is_some_and(|e| e.break_glass);
        let rules = policy.environments.get("production").unwrap();
        let open = rules.windows.evaluate(asks.at).open || (glass && rules.break_glass.is_some());
        prop_assert_eq!(window.map(|line| line.verdict == Verdict::Ok), Some(open));
    }

    #[test]
    fn what_is_left_out_is_neither_yes_nor_no(
        rules in prop::collection::vec(any::<bool>(), 12),
        asks in some_question(),
        strategy in prop::sample::select(vec!["canary", "rolling"]),
        hide in prop::collection::vec(any::<bool>(), 6),
    ) {
        let policy = some_policy(&rules);
        let pipeline = some_pipeline(strategy, true, true);
        let mut less = asks.clone();
        let mut known = pipeline.clone();
        if hide[0] { less.digest = None; }
        if hide[1] { less.about = None; }
        if hide[2] { less.requester = None; }
        if hide[3] { less.reason = None; }
        if hide[4] { less.tag = None; }
        if hide[5] { known.status = PipelineStatus::default(); }
        let explanation = explain(&policy, Some(&known), &less);
        let found = noes(&explanation, &less);
        let reasons = match asked(&policy, &pipeline, &asks) {
            Admission::Create { .. } => Vec::new(),
            Admission::Nothing(why) => {
                // The engine says no more; what the policy says is still said.
                prop_assert!(explanation.answer != Verdict::Ok, "{}", why);
                return Ok(());
            }
            Admission::Refused(reasons) => reasons,
        };
        // A tag or reason that is left out is another question, which can have its own "no".
        let other = (hide[3] && asks.reason.is_some())
            || (hide[4] && asks.tag.is_some())
            || (hide[2] && asks.requester.is_some());
        if !other {
            for no in &found {
                prop_assert!(reasons.contains(no), "{} not in {:?}", no, reasons);
            }
            if !reasons.is_empty() {
                prop_assert!(explanation.answer != Verdict::Ok, "{:?}", reasons);
            }
        }
    }
}
