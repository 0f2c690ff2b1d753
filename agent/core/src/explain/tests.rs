use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::image::facts::SignatureProof;
use crate::pipeline::{EnvironmentStatus, PipelineSpec, Quarantine, Revision};
use crate::policy::Signer;

mod compare;
mod engine;

pub(super) const POLICY: &str = r#"
apiVersion: sluice.dev/v1alpha1
kind: Policy
people:
  - {name: alice, kubernetes: alice@example.com}
  - {name: bob, kubernetes: bob@example.com}
roles:
  devops-lead: {people: [alice], groups: [devops-leads]}
  tech-lead: {people: [bob]}
  incident-commander: {people: [alice, bob]}
signers:
  release-ci:
    keyless: {issuer: "https://token.example.com", identity: "https://git.example.com/ci"}
environments:
  staging:
    targets: {namespaces: [staging]}
    triggers: [registry, manual]
    images: {repositories: ["registry.example.com/shop/*"]}
  production:
    targets: {namespaces: [shop]}
    triggers: [manual, upstream]
    images:
      repositories: ["registry.example.com/shop/*"]
      tags: ["v?.?.?"]
      minimumAge: 1h
      signedBy: [release-ci]
      annotations: {team: "check*"}
    after: [staging]
    approvals:
      require: [{role: devops-lead}, {role: tech-lead}]
      waitTimer: 5m
    windows:
      - {allow: "MON-FRI 09:00-17:00", timeZone: Europe/Berlin}
      - {freeze: "2026-12-18T12:00/2027-01-04T00:00", timeZone: Europe/Berlin, reason: year end}
    strategy: {allow: [canary], firstStepAtMost: 10%}
    checks: {require: [http-smoke]}
    skipCanary: {allowedFor: [devops-lead]}
    breakGlass: {role: incident-commander}
    limits: {concurrentRollouts: 2}
    permissions: {deploy: [devops-lead, tech-lead]}
    rules:
      - {deny: "rollout.reason == ''", message: say why}
      - {deny: "!rollout.image.source.startsWith('https://git.example.com/')", message: not our source}
tests:
  - name: nothing comes by itself
    given: {environment: production, trigger: registry}
    expect: {refused: triggers}
  - given:
      environment: production
      image: "registry.example.com/shop/storefront:v1.2.3"
      annotations: {team: checkout, org.opencontainers.image.source: "https://git.example.com/shop"}
      signedBy: [release-ci]
      age: 2h
      requester: alice
      reason: new checkout
      at: "2026-12-03T10:00:00Z"
    expect: {needs: [tech-lead, devops-lead]}
  - name: the freeze is on
    given: {environment: production, at: "2026-12-18T17:30:00Z"}
    expect: {refused: windows}
  - name: but not for those who break the glass
    given:
      environment: production
      at: "2026-12-18T17:30:00Z"
      breakGlass: true
      requester: bob
      reason: the shop is down
    expect: {needs: [incident-commander, incident-commander]}
  - name: wrong on purpose
    given: {environment: production, image: "docker.io/library/nginx:v1.2.3", age: 5m}
    expect: allowed
"#;

pub(super) fn policy() -> Policy {
    Policy::parse(POLICY).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

pub(super) fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn revision(letter: char, tag: &str) -> Revision {
    Revision {
        digest: digest(letter),
        tag: Some(tag.to_owned()),
        template_hash: letter.to_string(),
        name: format!("storefront-{letter}"),
        target_uid: "uid".to_owned(),
        since: at("2026-11-01T10:00:00Z"),
        promoted_by: None,
        ..Revision::default()
    }
}

/// v1.2.3 (b) serves in staging and v1.2.2 (a) in production.
pub(super) fn pipeline() -> PipelineView {
    let spec: PipelineSpec = serde_json::from_value(json!({
        "image": {"repository": "registry.example.com/shop/storefront",
                  "tags": {"semver": ">=1.0.0"}},
        "environments": [
            {"name": "staging",
             "target": {"namespace": "staging", "deployment": "storefront", "service": "storefront"},
             "triggers": [{"registry": {"every": "1m"}}], "strategy": {"plugin": "rolling"}},
            {"name": "production", "after": ["staging"],
             "target": {"namespace": "shop", "deployment": "storefront", "service": "storefront"},
             "triggers": [{"upstream": {}}, {"manual": {}}],
             "strategy": {"plugin": "canary"}, "checks": [{"plugin": "http-smoke"}]},
        ],
    }))
    .unwrap();
    let serves = |letter, tag| EnvironmentStatus {
        stable: Some(revision(letter, tag)),
        ..EnvironmentStatus::default()
    };
    let environments: BTreeMap<String, EnvironmentStatus> = [
        ("staging".to_owned(), serves('b', "v1.2.3")),
        ("production".to_owned(), serves('a', "v1.2.2")),
    ]
    .into();
    PipelineView {
        name: "storefront".to_owned(),
        spec,
        status: PipelineStatus {
            environments,
            ..PipelineStatus::default()
        },
    }
}

pub(super) fn facts() -> ImageFacts {
    let mut facts = ImageFacts::default();
    facts.keep("team", "checkout");
    facts.keep(crate::image::facts::SOURCE, "https://git.example.com/shop");
    facts.signatures.push(SignatureProof {
        signer: "release-ci".to_owned(),
        definition: policy()
            .signers
            .get("release-ci")
            .map(Signer::definition)
            .unwrap(),
    });
    facts
}

/// Everything is known, and good, on a Thursday morning.
pub(super) fn question() -> Question {
    Question {
        requester: Some(Identity::kubernetes("alice@example.com", Vec::new())),
        reason: Some("new checkout".to_owned()),
        tag: Some("v1.2.3".to_owned()),
        digest: Some(digest('b')),
        about: Some(facts()),
        proposed_at: Some(at("2026-12-03T08:00:00Z")),
        under_way: Some(UnderWay::default()),
        ..Question::new("production", at("2026-12-03T10:00:00Z"))
    }
}

fn shown(explanation: &Explanation) -> String {
    let mut out = format!("{}\n", explanation.answer.as_str());
    for line in &explanation.lines {
        out.push_str(&format!(
            "{:<8}{}: {}\n",
            line.verdict.as_str(),
            line.rule,
            line.text
        ));
        for detail in &line.details {
            out.push_str(&format!("          {detail}\n"));
        }
    }
    out
}

#[track_caller]
fn check(question: &Question, pipeline: Option<&PipelineView>, expected: Expect) {
    expected.assert_eq(&shown(&explain(&policy(), pipeline, question)));
}

#[test]
fn a_good_release_needs_its_approvals_alone() {
    check(
        &question(),
        Some(&pipeline()),
        expect![[r#"
        needed
        ok      environment: production holds the namespace shop
        ok      triggers: manual is one of manual, upstream
        ok      images: registry.example.com/shop/storefront:v1.2.3 may come
        ok      images.annotations: has team like check*
        ok      images.signedBy: signed by release-ci
        ok      images.minimumAge: proposed for longer than 1h
        ok      after: succeeded in staging
        ok      quarantine: not quarantined here
        ok      strategy.allow: canary is one of canary
        unknown strategy.firstStepAtMost: the first step has at most 10%: seen when the strategy has made its plan
        ok      checks.require: http-smoke will run
        ok      permissions.deploy: alice may ask for a version
        ok      rules[0]: does not apply: say why
        ok      rules[1]: does not apply: not our source
        ok      windows: inside the window MON-FRI 09:00-17:00 Europe/Berlin; closes at 2026-12-03 16:00:00 UTC
        ok      limits.concurrentRollouts: at most 2 at a time in production, and 0 are under way
        needed  approvals: 1 of devops-lead and 1 of tech-lead
                  1 of devops-lead: alice or a member of devops-leads
                  1 of tech-lead: bob
                  2 different people
                  not alice, who asks
                  at most 1 of them by chat
                  it begins 5m after the last vote
                  they have 24h to decide
    "#]],
    );
}

#[test]
fn what_is_not_known_is_never_ok() {
    let nothing = Question::new("production", at("2026-12-03T10:00:00Z"));
    check(
        &nothing,
        None,
        expect![[r#"
        needed
        ok      environment: production holds the namespace shop
        ok      triggers: manual is one of manual, upstream
        unknown images: which repository is not said
        unknown images.annotations: needs team like check*; the image was not read
        unknown images.signedBy: needs a signature by release-ci; the image was not read
        needed  images.minimumAge: waits 1h from when it is proposed
        unknown after: must have succeeded in staging first
        unknown strategy.allow: must be one of canary
        unknown strategy.firstStepAtMost: the first step has at most 10%: seen when the strategy has made its plan
        unknown checks.require: http-smoke must be configured
        unknown permissions.deploy: only a holder of devops-lead or tech-lead may ask
        unknown rules[0]: say why (not known: rollout.reason)
        unknown rules[1]: not our source (not known: rollout.image.source)
        ok      windows: inside the window MON-FRI 09:00-17:00 Europe/Berlin; closes at 2026-12-03 16:00:00 UTC
        unknown limits.concurrentRollouts: at most 2 at a time in production; how many there are was not looked at
        needed  approvals: 1 of devops-lead and 1 of tech-lead
                  1 of devops-lead: alice or a member of devops-leads
                  1 of tech-lead: bob
                  2 different people
                  not whoever asks
                  at most 1 of them by chat
                  it begins 5m after the last vote
                  they have 24h to decide
    "#]],
    );
    let mut fresh = pipeline();
    fresh.status = PipelineStatus::default();
    check(
        &nothing,
        Some(&fresh),
        expect![[r#"
        needed
        ok      environment: production holds the namespace shop
        ok      triggers: manual is one of manual, upstream
        unknown images: no tag is named; allowed are v?.?.?
        unknown images.annotations: needs team like check*; the image was not read
        unknown images.signedBy: needs a signature by release-ci; the image was not read
        needed  images.minimumAge: waits 1h from when it is proposed
        unknown after: must have succeeded in staging first
        unknown quarantine: whether this digest failed here before is not known
        ok      strategy.allow: canary is one of canary
        unknown strategy.firstStepAtMost: the first step has at most 10%: seen when the strategy has made its plan
        ok      checks.require: http-smoke will run
        unknown permissions.deploy: only a holder of devops-lead or tech-lead may ask
        unknown rules[0]: say why (not known: rollout.reason)
        unknown rules[1]: not our source (not known: rollout.image.source)
        ok      windows: inside the window MON-FRI 09:00-17:00 Europe/Berlin; closes at 2026-12-03 16:00:00 UTC
        unknown limits.concurrentRollouts: at most 2 at a time in production; how many there are was not looked at
        needed  approvals: 1 of devops-lead and 1 of tech-lead
                  1 of devops-lead: alice or a member of devops-leads
                  1 of tech-lead: bob
                  2 different people
                  not whoever asks
                  at most 1 of them by chat
                  it begins 5m after the last vote
                  they have 24h to decide
    "#]],
    );
}

#[test]
fn a_release_candidate_in_a_freeze_hears_every_reason() {
    let mut pipeline = pipeline();
    let status = pipeline.status.environments.get_mut("production").unwrap();
    status.quarantined.push(Quarantine {
        digest: digest('c'),
        tag: None,
        reason: "http-smoke failed".into(),
        rollout: "storefront-production-x".into(),
        at: at("2026-12-01T10:00:00Z"),
    });
    let question = Question {
        tag: Some("v1.3.0-rc.1".to_owned()),
        digest: Some(digest('c')),
        about: Some(ImageFacts::default()),
        requester: Some(Identity::kubernetes("carol@example.com", Vec::new())),
        reason: None,
        proposed_at: None,
        under_way: Some(UnderWay {
            here: 2,
            everywhere: 9,
        }),
        stop: Some(Stop {
            by: "dave".into(),
            reason: "the database moves".into(),
            since: at("2026-12-18T10:00:00Z"),
            until: None,
        }),
        at: at("2026-12-18T17:30:00Z"),
        ..question()
    };
    check(
        &question,
        Some(&pipeline),
        expect![[r#"
        no
        ok      environment: production holds the namespace shop
        ok      triggers: manual is one of manual, upstream
        no      images: the tag v1.3.0-rc.1 fits none of v?.?.?
        no      images.annotations: it has no annotation team, which must fit check*
        no      images.signedBy: it is not signed by release-ci
        needed  images.minimumAge: waits 1h from when it is proposed
        no      after: has not succeeded in staging, which the policy requires first
        no      quarantine: quarantined since 2026-12-01 10:00:00 UTC: http-smoke failed (`sluice lift` lets it in again)
        no      pipeline: the tag v1.3.0-rc.1 is no release by the pipeline's `tags`
        ok      strategy.allow: canary is one of canary
        unknown strategy.firstStepAtMost: the first step has at most 10%: seen when the strategy has made its plan
        ok      checks.require: http-smoke will run
        no      permissions.deploy: kubernetes:carol@example.com may not deploy in production: it needs a role that they do not hold; holders of devops-lead or tech-lead may
        unknown rules[0]: say why (not known: rollout.reason)
        no      rules[1]: not our source
        needed  stop: dave stopped everything, until somebody starts again: the database moves
        needed  windows: frozen until 2027-01-03T23:00:00Z: year end; opens at 2027-01-04 08:00:00 UTC
        needed  limits.concurrentRollouts: at most 2 at a time in production, and 2 are under way: waits for its turn
        needed  approvals: 1 of devops-lead and 1 of tech-lead
                  1 of devops-lead: alice or a member of devops-leads
                  1 of tech-lead: bob
                  2 different people
                  not kubernetes:carol@example.com, who asks
                  at most 1 of them by chat
                  it begins 5m after the last vote
                  they have 24h to decide
    "#]],
    );
}

#[test]
fn an_emergency_leaves_out_what_the_policy_says() {
    let question = Question {
        emergency: Emergency::of(true, true),
        at: at("2026-12-18T17:30:00Z"),
        digest: Some(digest('c')),
        proposed_at: None,
        ..question()
    };
    check(
        &question,
        Some(&pipeline()),
        expect![[r#"
        needed
        ok      environment: production holds the namespace shop
        ok      triggers: manual is one of manual, upstream
        ok      images: registry.example.com/shop/storefront:v1.2.3 may come
        ok      images.annotations: has team like check*
        ok      images.signedBy: signed by release-ci
        ok      images.minimumAge: left out: the glass is broken
        ok      after: left out: the glass is broken
        ok      quarantine: not quarantined here
        ok      strategy.allow: canary is one of canary
        ok      strategy.firstStepAtMost: left out: the canary is skipped
        ok      checks.require: http-smoke will run
        ok      permissions.deploy: alice may ask for a version
        ok      skipCanary: alice may ask for it
        ok      breakGlass: alice may ask for it
        ok      rules[0]: does not apply: say why
        ok      rules[1]: does not apply: not our source
        ok      windows: left out: the glass is broken
        needed  approvals: 2 of incident-commander
                  in place of the usual approvals
                  2 of incident-commander: alice or bob
                  2 different people
                  whoever asks may be one of them
                  at most 1 of them by chat
                  they have 24h to decide
    "#]],
    );
    let nobody = Question {
        requester: None,
        reason: None,
        ..question
    };
    let explanation = explain(&policy(), Some(&pipeline()), &nobody);
    let unknown: Vec<&str> = explanation
        .with(Verdict::Unknown)
        .map(|line| line.rule.as_str())
        .collect();
    assert_eq!(
        unknown,
        ["permissions.deploy", "skipCanary", "breakGlass", "rules[0]"]
    );
}

#[test]
fn a_closed_environment_says_nothing_else() {
    let elsewhere = Question {
        namespace: Some("default".to_owned()),
        ..question()
    };
    check(
        &elsewhere,
        Some(&pipeline()),
        expect![[r#"
        no
        no      environment: the policy does not list the namespace default under environments.production.targets.namespaces, so it is closed; it lists shop
    "#]],
    );
    let unknown = Question::new("prod", at("2026-12-03T10:00:00Z"));
    check(
        &unknown,
        Some(&pipeline()),
        expect![[r#"
        no
        no      pipeline: storefront has no environment prod; it has staging, production
        no      environment: the policy does not name the environment prod, so it is closed; it names production, staging
    "#]],
    );
    let none = explain(&Policy::absent(), None, &question());
    assert_eq!(none.answer, Verdict::No);
}

#[test]
fn the_policys_own_tests_are_run() {
    let results: Vec<String> = run_cases(&policy())
        .iter()
        .map(|r| {
            format!(
                "{} {}: expected {}, found {} {:?}\n",
                if r.passed { "ok  " } else { "FAIL" },
                r.name,
                r.expected,
                r.found,
                r.why
            )
        })
        .collect();
    expect![[r#"
        ok   nothing comes by itself: expected refused: triggers, found refused: rules, triggers ["triggers: the policy does not allow the trigger `registry` here", "rules: say why"]
        ok   tests[1]: expected needs: devops-lead, tech-lead, found allowed, needs: devops-lead, tech-lead []
        ok   the freeze is on: expected refused: windows, found refused: windows ["windows: frozen until 2027-01-03T23:00:00Z: year end; opens at 2027-01-04 08:00:00 UTC"]
        ok   but not for those who break the glass: expected needs: incident-commander, incident-commander, found allowed, needs: incident-commander, incident-commander []
        FAIL wrong on purpose: expected allowed, found refused: images, minimumAge ["images: the repository docker.io/library/nginx fits none of registry.example.com/shop/*", "minimumAge: proposed for less than 1h: waits until 1970-01-01 00:55:00 UTC"]
    "#]].assert_eq(&results.concat());
}

#[test]
fn a_tag_is_known_by_its_last_sight() {
    let status = pipeline().status;
    assert_eq!(remembered_digest(&status, "v1.2.3"), Some(digest('b')));
    assert_eq!(remembered_digest(&status, "v9"), None);
}
