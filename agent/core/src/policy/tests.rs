//! The policy file, from text to verdict. It is past 600 lines because the rules share one set of sample texts,
//! and a reader compares them side by side.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::decode::{environment, machines, sections};
use super::*;
use crate::authorize::Action;
use crate::duration::HumanDuration;
use crate::pipeline::RouterSpec;
use crate::window::WindowReason;

mod parts;

const SAMPLE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/samples/policy.yaml"
));

const GUIDE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policy.md"));
const SCHEMA: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/policy.schema.json"
));

/// The head that every file needs, and one environment on eight lines.
const HEAD: &str = "apiVersion: sluice.dev/v1alpha1\nkind: Policy\n";
const STAGING: &str = "environments:\n  staging:\n    targets: {namespaces: [staging]}\n    triggers: [registry]\n    images: {repositories: [\"**\"]}\n";

fn sample() -> Policy {
    Policy::parse(SAMPLE).unwrap_or_else(|problems| panic!("{}", lines(&problems)))
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn parse(rest: &str) -> Policy {
    Policy::parse(&format!("{HEAD}{rest}"))
        .unwrap_or_else(|problems| panic!("{}", lines(&problems)))
}

/// What is wrong with a file whose head is right.
fn problems(rest: &str) -> Vec<Problem> {
    Policy::parse(&format!("{HEAD}{rest}")).expect_err("this policy should be refused")
}

/// The field and the rest of the only problem of staging with one more section.
fn staging_problem(section: &str) -> String {
    let found = problems(&format!("{STAGING}    {section}\n"));
    assert_eq!(found.len(), 1, "{section}:\n{}", lines(&found));
    found[0].to_string()
}

#[test]
fn the_sample_means_what_it_says() {
    let policy = sample();
    let production = policy
        .environment("production", "shop")
        .into_result()
        .unwrap();
    let roles: Vec<&str> = production.approver_roles().collect();
    assert_eq!(roles, ["devops-lead", "tech-lead"]);
    assert!(!production.approvals.self_approval);
    assert_eq!(production.approvals.wait_timer, HumanDuration::from_mins(5));
    assert_eq!(
        production.approvals.expire_after,
        HumanDuration::from_hours(24)
    );
    assert_eq!(production.after, ["staging"]);
    assert!(!production.triggers.contains(&TriggerKind::Registry));
    assert_eq!(
        production
            .strategy
            .first_step_at_most
            .map(Share::basis_points),
        Some(1000)
    );
    assert!(production.strategy.allows("canary") && !production.strategy.allows("rolling"));
    assert_eq!(production.newer, Newer::Queue);
    assert_eq!(production.checks.require, ["http-smoke"], "from defaults");
    assert_eq!(
        production.limits.total_time,
        Some(HumanDuration::from_hours(4))
    );
    assert_eq!(
        production.windows.rules().len(),
        2,
        "its own window and the freeze of defaults"
    );
    assert_eq!(policy.tests.len(), 3);

    let image = |text: &str| production.images.check(&text.parse().unwrap());
    assert_eq!(image("registry.example.com/shop/storefront:v1.4.2"), Ok(()));
    assert!(image("registry.example.com/shop/storefront:latest").is_err());
    assert!(
        image("registry.example.com/shop/storefront").is_err(),
        "no tag fits no pattern"
    );
    let refusal = image("evil.example.com/shop/storefront:v1").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the repository evil.example.com/shop/storefront fits none of registry.example.com/shop/*"
    );

    let staging = policy
        .environment("staging", "staging")
        .into_result()
        .unwrap();
    assert!(staging.approvals.require.is_empty());
    let frozen = staging
        .windows
        .evaluate("2026-12-24T10:00:00Z".parse().unwrap());
    assert!(
        matches!(frozen.reason, WindowReason::Frozen { .. }),
        "the freeze holds everywhere"
    );
}

#[test]
fn what_is_not_named_is_closed() {
    let closed = |policy: &Policy, name: &str, namespace: &str| {
        policy
            .environment(name, namespace)
            .into_result()
            .unwrap_err()
    };
    assert_eq!(
        closed(&Policy::absent(), "production", "shop"),
        ClosedWhy::NoPolicy
    );
    assert_eq!(
        closed(&Policy::default(), "staging", "staging"),
        ClosedWhy::NoPolicy
    );
    let broken = Policy::unreadable(vec![Problem::new("roles", "expected a map").at(3, 1)]);
    let why = closed(&broken, "production", "shop");
    assert!(
        why.to_string().contains("roles (line 3, column 1)"),
        "{why}"
    );

    let policy = sample();
    assert_eq!(
        closed(&policy, "canada", "shop").to_string(),
        "the policy does not name the environment canada, so it is closed; it names production, \
         staging"
    );
    let why = closed(&policy, "production", "staging");
    assert!(
        why.to_string()
            .contains("environments.production.targets.namespaces"),
        "{why}"
    );
    assert!(matches!(
        closed(&policy, "Production", "shop"),
        ClosedWhy::NotNamed { .. }
    ));
}

#[test]
fn little_is_needed_and_defaults_are_safe() {
    let policy = parse(STAGING);
    let staging = &policy.environments["staging"];
    assert_eq!(staging.approvals, ApprovalPolicy::default());
    assert_eq!(
        staging.approvals.expire_after,
        HumanDuration::from_hours(24)
    );
    assert!(!staging.approvals.self_approval);
    assert_eq!(
        staging.limits.progress_deadline,
        HumanDuration::from_mins(10)
    );
    assert_eq!(staging.newer, Newer::Queue);
    assert!(
        staging
            .windows
            .evaluate("2026-11-21T12:00:00Z".parse().unwrap())
            .open
    );
}

#[test]
fn all_problems_at_once_with_their_lines() {
    let found = Policy::parse(
        r#"apiVersion: sluice.dev/v2
kind: Policy
people:
  - {name: alice, kubernetes: alice@example.com}
  - {name: bob, kubernetes: Alice@example.com}
  - {name: "kubernetes:eve", slack: U1}
  - {name: carol}
  - {name: dave, oidc: 8f2c}
roles:
  devops-lead: {people: [alise]}
  tech-lead: {people: []}
  everybody: {groups: ["system:authenticated"]}
  nobody: {}
environment: {}
environments:
  staging:
    targets: {namespaces: [staging, Shop]}
    triggers: [registry, registri]
    images: {repositories: ["reg*.example.com/*"], tags: 7}
  production:
    target: {namespaces: [shop]}
    triggers: []
    images: {repositories: ["**"], signedBy: [release-key], minimumAge: soon}
    after: [stagin, production]
    approvals:
      require: [{role: devops-led}, {role: tech-lead, count: 0}]
      selfApproval: no way
    windows:
      - {allow: "MON-THU 9-17", timeZone: Europe/Berlin}
      - {freeze: "2026-12-20T00:00/2027-01-04T00:00", timeZone: Berlin, reason: year end}
      - {allow: "MON 09:00-17:00"}
      - {deny: x}
    strategy: {allow: [canary], firstStepAtMost: 110%}
    newer: supercede
    limits: {progressDeadline: 0s}
    permissions: {aprove: [tech-lead], promote: [wizard]}
    rules: [{deny: "true"}]
    skipCanary: {allowedFor: []}
tests:
  - {given: {environment: production, trigger: registry}, expect: {refused: trigger}}
"#,
    )
    .unwrap_err();
    let expected = [
        (
            1,
            "apiVersion",
            "`sluice.dev/v2` is not known to this version",
        ),
        (5, "people[1].kubernetes", "belongs to alice already"),
        (6, "people[2]", "one human being could vote twice"),
        (6, "people[2].name", "`kubernetes:eve` is not a name"),
        (7, "people[3]", "names no identity"),
        (8, "people[4]", "one human being could vote twice"),
        (8, "people[4].oidc", "not an issuer and a subject"),
        (10, "roles.devops-lead.people[0]", "did you mean alice?"),
        (11, "roles.tech-lead.people", "the list is empty"),
        (12, "roles.everybody.groups[0]", "is everybody"),
        (13, "roles.nobody", "nobody holds this role"),
        (14, "environment", "unknown key; did you mean environments?"),
        (17, "environments.staging.targets.namespaces[1]", "`Shop`"),
        (
            18,
            "environments.staging.triggers[1]",
            "did you mean registry?",
        ),
        (
            19,
            "environments.staging.images.repositories[0]",
            "literal registry",
        ),
        (
            19,
            "environments.staging.images.tags",
            "expected a list, found a number",
        ),
        (20, "environments.production.targets", "is missing"),
        (
            21,
            "environments.production.target",
            "did you mean targets?",
        ),
        (22, "environments.production.triggers", "the list is empty"),
        (
            23,
            "environments.production.images.signedBy[0]",
            "`release-key` is not one of signers",
        ),
        (
            23,
            "environments.production.images.minimumAge",
            "`soon` is not a duration",
        ),
        (
            24,
            "environments.production.after[0]",
            "did you mean staging?",
        ),
        (
            24,
            "environments.production.after[1]",
            "neither could ever start",
        ),
        (
            26,
            "environments.production.approvals.require[0].role",
            "did you mean devops-lead?",
        ),
        (
            26,
            "environments.production.approvals.require[1].count",
            "from 1 to 10",
        ),
        (
            27,
            "environments.production.approvals.selfApproval",
            "expected true or false",
        ),
        (
            29,
            "environments.production.windows[0].allow",
            "`9-17` is not a time span",
        ),
        (
            30,
            "environments.production.windows[1].timeZone",
            "`Berlin` is not a time zone",
        ),
        (
            31,
            "environments.production.windows[2].timeZone",
            "is missing",
        ),
        (
            32,
            "environments.production.windows[3]",
            "either allow or freeze",
        ),
        (
            33,
            "environments.production.strategy.firstStepAtMost",
            "`110%` is not a share",
        ),
        (
            34,
            "environments.production.newer",
            "did you mean supersede?",
        ),
        (
            35,
            "environments.production.limits.progressDeadline",
            "is nothing",
        ),
        (
            36,
            "environments.production.permissions.aprove",
            "unknown key",
        ),
        (
            36,
            "environments.production.permissions.promote[0]",
            "`wizard` is not one of roles",
        ),
        (37, "environments.production.rules[0].message", "is missing"),
        (
            38,
            "environments.production.skipCanary.allowedFor",
            "the list is empty",
        ),
        (40, "tests[0].expect.refused", "did you mean triggers?"),
    ];
    let all = lines(&found);
    for (line, field, says) in expected {
        let hit = found.iter().any(|problem| {
            problem.field == field
                && problem.line == Some(line)
                && problem.to_string().contains(says)
        });
        assert!(
            hit,
            "no problem of {field} in line {line} that says {says:?} in:\n{all}"
        );
    }
    // And the one that follows from several: nobody can fill tech-lead.
    let extra = found
        .iter()
        .find(|p| p.field == "environments.production.approvals.require");
    assert!(
        extra.unwrap().message.contains("too few people hold"),
        "{all}"
    );
    assert_eq!(found.len(), expected.len() + 1, "{all}");
    assert!(found.is_sorted_by_key(|problem| problem.line), "{all}");
}

#[test]
fn a_file_without_the_needed_parts() {
    let found = Policy::parse("roles: {}\n").unwrap_err();
    let fields: Vec<&str> = found.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["apiVersion", "kind", "environments"]);
    for text in ["", "# nothing\n", "[]", "policy", "null"] {
        assert!(Policy::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn hostile_and_broken_files_are_refused() {
    for (text, says) in [
        (format!("{HEAD}kind: Policy\n{STAGING}"), "duplicate"),
        (
            format!("{HEAD}environments: {{staging: {{targets: {{namespaces: [a]}}\n"),
            "cannot be read",
        ),
        (format!("{HEAD}{STAGING}---\n{HEAD}{STAGING}"), "document"),
        (format!("{HEAD}{STAGING}\u{0}"), ""),
    ] {
        let found = Policy::parse(&text).unwrap_err();
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains(says), "{}", found[0]);
    }
    let many: String = (0..500).map(|n| format!("  e{n}: {{y: 1}}\n")).collect();
    let found = problems(&format!("environments:\n{many}"));
    assert_eq!(
        found.len(),
        101,
        "one line more says how many are not shown"
    );
    assert!(
        found[100].message.contains("more problems"),
        "{}",
        found[100]
    );
}

#[test]
fn sections_one_by_one() {
    for (section, says) in [
        ("approvals: {}", "environments.staging.approvals.require"),
        ("approvals: {require: []}", "the list is empty"),
        ("approvals:", "expected a map, found nothing"),
        ("after: [staging]", "staging comes itself after staging"),
        ("windows: {allow: x}", "expected a list, found a map"),
        (
            "windows: [{freeze: 2026-12-20T00:00/2027-01-04T00:00}]",
            "reason",
        ),
        (
            "windows: [{allow: MON 09:00-10:00, timeZone: UTC, reason: x}]",
            "unknown key",
        ),
        ("checks: {}", "checks.require"),
        ("checks: {analysis: []}", "the list is empty"),
        ("strategy: {routers: [istio]}", "`istio`"),
        ("strategy: {routers: [service, service]}", "twice"),
        ("limits: {holdFailed: 0s}", "is nothing"),
        ("drills: {}", "drills.allowedFor"),
        ("drills: {allowedFor: [nobody]}", "is not one of roles"),
        ("checks: {require: [http-smoke, http-smoke]}", "twice"),
        ("strategy: {allow: [Canary]}", "`Canary`"),
        ("strategy: {firstStepAtMost: 10}", "put it in quotes"),
        ("permissions: {deploy: []}", "the list is empty"),
        ("permissions: {approve: [x]}", "unknown key"),
        (
            "limits: {totalTime: 5 minutes}",
            "`5 minutes` is not a duration",
        ),
    ] {
        let message = staging_problem(section);
        assert!(
            message.contains(says) && message.contains("line 8"),
            "{section}: {message}"
        );
    }
}

#[test]
fn roles_must_be_able_to_agree() {
    let with = |roles: &str, require: &str| {
        let people = "people:\n  - {name: alice, kubernetes: a}\n  - {name: bob, kubernetes: b}\n";
        Policy::parse(&format!(
            "{HEAD}{people}roles: {roles}\n{STAGING}    approvals: {{require: {require}}}\n"
        ))
    };
    let two = "[{role: x}, {role: y}]";
    assert!(with("{x: {people: [alice]}, y: {people: [bob]}}", two).is_ok());
    assert!(with("{x: {people: [alice]}, y: {people: [alice, bob]}}", two).is_ok());
    let found = with("{x: {people: [alice]}, y: {people: [alice]}}", two).unwrap_err();
    assert!(
        found[0]
            .message
            .contains("too few people hold x, y: 1 more"),
        "{}",
        found[0]
    );
    assert!(
        with(
            "{x: {people: [alice]}, y: {people: [alice], groups: [g]}}",
            two
        )
        .is_ok()
    );
    assert!(with("{x: {people: [alice, bob]}}", "[{role: x, count: 2}]").is_ok());
    assert!(with("{x: {people: [alice, bob]}}", "[{role: x, count: 3}]").is_err());
    let found = with("{x: {groups: [g]}}", "[{role: x}, {role: x}]").unwrap_err();
    assert!(found[0].to_string().contains("count: 2"), "{}", found[0]);
}

#[test]
fn environments_must_fit_together() {
    let two = |first: &str, second: &str| {
        let one = |name: &str, rest: &str| {
            format!("  {name}: {{triggers: [manual], images: {{repositories: ['**']}}, {rest}}}\n")
        };
        Policy::parse(&format!(
            "{HEAD}environments:\n{}{}",
            one("a", first),
            one("b", second)
        ))
    };
    let found = two(
        "targets: {namespaces: [x]}",
        "targets: {namespaces: [y, x]}",
    )
    .unwrap_err();
    assert_eq!(found[0].field, "environments.b.targets.namespaces[1]");
    assert_eq!(found[0].line, Some(5));
    let found = two(
        "targets: {namespaces: [x]}, after: [b]",
        "targets: {namespaces: [y]}, after: [a]",
    )
    .unwrap_err();
    assert_eq!(found.len(), 2);
    assert!(
        two(
            "targets: {namespaces: [x]}",
            "targets: {namespaces: [y]}, after: [a]"
        )
        .is_ok()
    );
}

#[test]
fn defaults_fill_what_is_left_out() {
    let policy = parse(
        r#"
defaults:
  triggers: [manual]
  images: {repositories: ["registry.example.com/shop/*"]}
  strategy: {allow: [canary]}
  windows:
    - {allow: "MON-FRI 09:00-17:00", timeZone: UTC}
    - {freeze: "2026-12-20T00:00/2027-01-04T00:00", reason: year end}
environments:
  one:
    targets: {namespaces: [one]}
  two:
    targets: {namespaces: [two]}
    triggers: [registry]
    strategy: {firstStepAtMost: 10%}
    windows: [{allow: "SAT 09:00-10:00", timeZone: UTC}]
  three:
    targets: {namespaces: [three]}
    windows: [{freeze: "2027-02-01T00:00/2027-02-02T00:00", reason: audit}]
"#,
    );
    let [one, two, three] = ["one", "two", "three"].map(|name| &policy.environments[name]);
    assert_eq!(one.triggers, BTreeSet::from([TriggerKind::Manual]));
    assert_eq!(two.triggers, BTreeSet::from([TriggerKind::Registry]));
    assert_eq!(one.strategy.allow, ["canary"]);
    assert!(
        two.strategy.allow.is_empty(),
        "a section is taken whole or not at all"
    );
    let open = |environment: &EnvironmentPolicy, at: &str| {
        environment.windows.evaluate(at.parse().unwrap()).open
    };
    let (monday, saturday) = ("2026-11-23T12:00:00Z", "2026-11-21T09:30:00Z");
    let (frozen, audit) = ("2026-12-26T09:30:00Z", "2027-02-01T12:00:00Z");
    assert_eq!(
        [monday, saturday, frozen, audit].map(|at| open(one, at)),
        [true, false, false, true]
    );
    assert_eq!(
        [monday, saturday, frozen, audit].map(|at| open(two, at)),
        [false, true, false, false]
    );
    assert_eq!(
        [monday, saturday, frozen, audit].map(|at| open(three, at)),
        [true, false, false, false]
    );

    // A mistake in the defaults is one problem, and it stands where it was made.
    let found = problems(&format!(
        "defaults: {{windows: [{{allow: x, timeZone: UTC}}], limits: {{progresDeadline: 5m}}, targets: {{namespaces: [x]}}}}\n{STAGING}"
    ));
    let fields: Vec<&str> = found.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "defaults.windows[0].allow",
            "defaults.limits.progresDeadline",
            "defaults.targets"
        ]
    );
}

#[test]
fn people_are_matched_exactly_and_told_apart_without_case() {
    let policy = sample();
    let id = |username: &str| Identity {
        provider: IdentityProvider::Kubernetes,
        username: username.to_owned(),
        groups: Vec::new(),
    };
    let alice = policy.person(&id("alice@example.com"));
    assert_eq!(alice.name, "alice");
    assert!(policy.holds(&id("alice@example.com"), "devops-lead"));
    let shouting = policy.person(&id("ALICE@EXAMPLE.COM"));
    assert_eq!(shouting.name, "kubernetes:ALICE@EXAMPLE.COM");
    assert!(shouting.is(&alice), "no second person");
    assert!(
        !policy.holds(&id("ALICE@EXAMPLE.COM"), "devops-lead"),
        "and no rights"
    );
    let (dave, upper) = (policy.person(&id("dave")), policy.person(&id("Dave")));
    assert_eq!(dave.name, "kubernetes:dave");
    assert!(dave.is(&upper) && !dave.is(&alice));
    assert!(
        !policy.person(&id("alice")).is(&alice),
        "the name in the policy is no login"
    );
    assert!(!policy.holds(&id("alice@example.com"), "no-such-role"));
    let lead = Identity {
        provider: IdentityProvider::Kubernetes,
        username: "x".to_owned(),
        groups: vec!["tech-leads".to_owned()],
    };
    assert!(policy.holds(&lead, "tech-lead") && !policy.holds(&lead, "devops-lead"));
}

#[test]
fn the_hash_covers_what_decides_and_nothing_else() {
    let hash = |text: &str| {
        let policy = Policy::parse(text).unwrap_or_else(|problems| panic!("{}", lines(&problems)));
        policy.environments["production"].hash(&policy)
    };
    let base = hash(SAMPLE);
    assert_eq!(base.len(), 64);
    for (from, to) in [
        ("firstStepAtMost: 10%", "firstStepAtMost: 20%"),
        ("waitTimer: 5m", "waitTimer: 1m"),
        ("selfApproval: false", "selfApproval: true"),
        (
            "[{role: devops-lead}, {role: tech-lead}]",
            "[{role: tech-lead}]",
        ),
        (
            "devops-lead: {people: [alice, bob]",
            "devops-lead: {people: [bob]",
        ),
        ("groups: [tech-leads]", "groups: [tech-lead]"),
        (
            "kubernetes: carol@example.com",
            "kubernetes: carola@example.com",
        ),
        (
            "checks: {require: [http-smoke]}",
            "checks: {require: [http-smoke, login]}",
        ),
        ("reason: year end", "reason: year's end"),
        ("promote: [devops-lead]", "promote: [tech-lead]"),
        ("namespaces: [shop]", "namespaces: [shop, shop-eu]"),
    ] {
        assert!(SAMPLE.contains(from), "{from}");
        assert_ne!(hash(&SAMPLE.replace(from, to)), base, "{from} -> {to}");
    }
    for (from, to) in [
        ("# Both, by two", "# By two"),
        ("waitTimer: 5m", "waitTimer: 300s"),
        ("selfApproval: false\n", "\n"),
        ("newer: supersede", "newer: queue"),
        ("tags: \"v*\"", "tags: ['v*']"),
        ("namespaces: [staging]", "namespaces: [staging, staging-eu]"),
        ("trigger: registry}", "trigger: webhook}"),
        (
            "people:\n",
            "people:\n  - {name: dave, kubernetes: dave@example.com}\n",
        ),
        ("tech-lead:", "auditor: {groups: [auditors]}\n  tech-lead:"),
    ] {
        assert!(SAMPLE.contains(from), "{from}");
        assert_eq!(hash(&SAMPLE.replacen(from, to, 1)), base, "{from} -> {to}");
    }
}

#[test]
fn an_environment_survives_json() {
    for environment in sample().environments.values() {
        let json = serde_json::to_value(environment).unwrap();
        let back: EnvironmentPolicy = serde_json::from_value(json).unwrap();
        assert_eq!(&back, environment);
    }
    // Less than the file asks for is less, never more: no trigger, no repository.
    let bare: EnvironmentPolicy =
        serde_json::from_str(r#"{"name": "x", "targets": {"namespaces": ["x"]}}"#).unwrap();
    assert!(bare.triggers.is_empty());
    assert!(bare.images.check(&"nginx".parse().unwrap()).is_err());
    assert!(serde_json::from_str::<EnvironmentPolicy>(r#"{"name": "x", "target": {}}"#).is_err());
}

/// The schema and the reader know the same keys.
#[test]
fn the_schema_names_every_key_and_no_other() {
    let schema = schema();
    let known = |pointer: &str| -> BTreeSet<String> {
        let object = schema
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer} in {schema:#}"));
        assert_eq!(object["additionalProperties"], false, "{pointer}");
        object["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let set = |keys: &[&str]| {
        keys.iter()
            .map(|key| (*key).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let actions = sections::PERMISSION_ACTIONS.map(Action::as_str);
    let not_default: Vec<&str> = environment::ENVIRONMENT_KEYS
        .into_iter()
        .filter(|key| !["targets", "after", "namespaces"].contains(key))
        .collect();
    assert_eq!(not_default, environment::shared_keys());
    let global = sections::GLOBAL_ACTIONS.map(Action::as_str);
    for (pointer, expected) in [
        ("", &decode::FILE_KEYS[..]),
        ("/$defs/Role", &decode::ROLE_KEYS),
        ("/$defs/PersonEntry", &decode::PERSON_KEYS),
        ("/$defs/PolicyTest", &decode::TEST_KEYS),
        ("/$defs/Given", &decode::GIVEN_KEYS),
        ("/$defs/EnvironmentPolicy", &environment::ENVIRONMENT_KEYS),
        ("/$defs/Sections", &not_default),
        ("/$defs/Targets", &sections::TARGET_KEYS),
        ("/$defs/ImagePolicy", &sections::IMAGE_KEYS),
        ("/$defs/ApprovalPolicy", &sections::APPROVAL_KEYS),
        ("/$defs/RequiredRole", &sections::REQUIRED_KEYS),
        ("/$defs/StrategyPolicy", &sections::STRATEGY_KEYS),
        ("/$defs/CheckPolicy", &sections::CHECK_KEYS),
        ("/$defs/Limits", &sections::LIMIT_KEYS),
        ("/$defs/Permissions", &actions),
        ("/$defs/GlobalPermissions", &global),
        ("/$defs/GlobalLimits", &machines::LIMIT_KEYS),
        ("/$defs/Keyless", &machines::KEYLESS_KEYS),
        ("/$defs/Caller", &machines::CALLER_KEYS),
        ("/$defs/CallerToken", &machines::TOKEN_KEYS),
        ("/$defs/CallerSecret", &machines::SECRET_KEYS),
        ("/$defs/SkipCanaryPolicy", &sections::SKIP_KEYS),
        ("/$defs/BreakGlassPolicy", &sections::GLASS_KEYS),
        ("/$defs/DrillPolicy", &sections::DRILL_KEYS),
        ("/$defs/RollbackPolicy", &sections::ROLLBACK_KEYS),
        ("/$defs/DenyRule", &sections::RULE_KEYS),
        ("/$defs/WindowRule/anyOf/0", &sections::ALLOW_KEYS),
        ("/$defs/WindowRule/anyOf/1", &sections::FREEZE_KEYS),
    ] {
        assert_eq!(known(pointer), set(expected), "{pointer}");
    }
    assert_eq!(schema["properties"]["kind"]["const"], "Policy");
}

#[test]
fn the_schema_in_docs_is_this_one() {
    let kept: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let made = schema();
    // As values: the order of keys depends on features that other crates of the build ask for.
    assert!(
        made == kept,
        "write this to docs/policy.schema.json:\n{made:#}"
    );
}

/// Every key has its line in the guide, and every example of the guide is right.
#[test]
fn the_guide_is_complete_and_its_examples_work() {
    let all: [&[&str]; 28] = [
        &decode::FILE_KEYS,
        &decode::ROLE_KEYS,
        &decode::PERSON_KEYS,
        &decode::TEST_KEYS,
        &decode::GIVEN_KEYS,
        &environment::ENVIRONMENT_KEYS,
        &sections::TARGET_KEYS,
        &sections::IMAGE_KEYS,
        &sections::APPROVAL_KEYS,
        &sections::REQUIRED_KEYS,
        &sections::ALLOW_KEYS,
        &sections::FREEZE_KEYS,
        &sections::STRATEGY_KEYS,
        &sections::CHECK_KEYS,
        &sections::LIMIT_KEYS,
        &sections::PERMISSION_ACTIONS.map(Action::as_str),
        &sections::GLOBAL_ACTIONS.map(Action::as_str),
        &sections::SKIP_KEYS,
        &sections::GLASS_KEYS,
        &sections::DRILL_KEYS,
        &sections::ROLLBACK_KEYS,
        &sections::RULE_KEYS,
        &machines::SIGNER_KEYS,
        &machines::KEYLESS_KEYS,
        &machines::CALLER_KEYS,
        &machines::TOKEN_KEYS,
        &machines::SECRET_KEYS,
        &machines::LIMIT_KEYS,
    ];
    for key in all.iter().copied().flatten() {
        assert!(
            GUIDE.contains(&format!("`{key}`")),
            "docs/policy.md does not explain {key}"
        );
    }
    let examples: Vec<&str> = GUIDE
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(examples.len() >= 14, "the examples were not found");
    for example in examples {
        let file = if example.starts_with("apiVersion:") {
            example.to_owned()
        } else {
            // One section of an environment.
            let key = example.split(':').next().unwrap();
            let needed: String = [
                "targets: {namespaces: [shop]}\n",
                "triggers: [manual]\n",
                "images: {repositories: ['**']}\n",
            ]
            .iter()
            .filter(|line| !line.starts_with(key))
            .copied()
            .collect();
            let body: String = format!("{needed}{example}")
                .lines()
                .map(|line| format!("    {line}\n"))
                .collect();
            format!(
                "{HEAD}roles: {{devops-lead: {{groups: [a]}}, tech-lead: {{groups: [b]}}}}\n{STAGING}  \
                 production:\n{body}"
            )
        };
        if let Err(problems) = Policy::parse(&file) {
            panic!("{file}\n{}", lines(&problems));
        }
    }
}

#[test]
fn words_in_files_are_those_of_json() {
    for kind in TriggerKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    for router in RouterKind::ALL {
        assert_eq!(serde_json::to_value(router).unwrap(), router.as_str());
        let spec: RouterSpec = serde_json::from_value(serde_json::json!({router.as_str(): {}}))
            .or_else(|_| {
                let named = serde_json::json!({"name": "x", "ingress": "x"});
                serde_json::from_value(serde_json::json!({router.as_str(): named}))
            })
            .unwrap();
        assert_eq!(RouterKind::from(&spec), router);
    }
    for rule in Rule::ALL {
        assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
    }
    for action in Action::ALL {
        assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
    }
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,200}|[a-z:{}\\[\\], \n*&-]{0,200}") {
        let _ = Policy::parse(&text);
    }

    /// The sample with some bytes changed: still no panic, and every problem has its line.
    #[test]
    fn mutations_of_the_sample(
        changes in prop::collection::vec((0usize..SAMPLE.len(), prop::sample::select(vec!['x', ':', '{', '}', '[', ' ', '\n', '"', '-', '*', '&', '0'])), 1..4),
    ) {
        let mut letters: Vec<char> = SAMPLE.chars().collect();
        for (at, letter) in changes {
            let at = at % letters.len();
            letters[at] = letter;
        }
        let text: String = letters.into_iter().collect();
        if let Err(found) = Policy::parse(&text) {
            prop_assert!(!found.is_empty());
            for problem in found {
                prop_assert!(problem.line.is_some_and(|line| line as usize <= text.lines().count() + 1), "{}", problem);
            }
        }
    }
}
