//! Sections that came with signatures, machines, emergencies and namespaces.

use super::{lines, parse, problems};
use crate::policy::{Identity, IdentityProvider, Policy};
use crate::rollout::Emergency;
use crate::window::WindowRule;

/// A policy with everything that a namespace can have of its own.
const LAYERS: &str = r#"
people:
  - {name: alice, kubernetes: alice@example.com, oidc: "https://id.example.com#8f2c", slack: U024BE7LH}
  - {name: bob, kubernetes: bob@example.com}
roles:
  devops-lead: {people: [alice, bob]}
  change-board: {via: webhook-approval}
defaults:
  rules: [{deny: "rollout.image.tag.contains('-rc')", message: no candidates}]
  windows:
    - {allow: "MON-FRI 09:00-17:00", timeZone: UTC}
    - {freeze: "2026-12-20T00:00/2027-01-04T00:00", reason: year end}
  checks: {require: [http-smoke]}
environments:
  production:
    targets: {namespaces: [shop, payments]}
    triggers: [manual]
    images: {repositories: ["**"]}
    approvals: {require: [{role: devops-lead}]}
    rules: [{deny: "rollout.skipCanary", message: no short cuts}]
    breakGlass: {role: devops-lead}
    limits: {concurrentRollouts: 2}
    namespaces:
      payments:
        approvals: {require: [{role: devops-lead, count: 2}, {role: change-board}]}
        windows: [{allow: "TUE 10:00-12:00", timeZone: UTC}]
        rules: [{deny: "rollout.reason == ''", message: say why}]
"#;

fn open<'p>(policy: &'p Policy, namespace: &str) -> &'p crate::policy::EnvironmentPolicy {
    policy
        .environment("production", namespace)
        .into_result()
        .unwrap()
}

#[test]
fn a_namespace_takes_what_it_does_not_say_from_its_environment() {
    let policy = parse(LAYERS);
    let (shop, payments) = (open(&policy, "shop"), open(&policy, "payments"));
    assert_eq!(shop.approvals.slots(), 1);
    assert_eq!(payments.approvals.slots(), 3);
    assert_eq!(payments.checks, shop.checks);
    assert_eq!(payments.limits, shop.limits);
    assert_eq!(payments.triggers, shop.triggers);
    assert_ne!(shop.hash(&policy), payments.hash(&policy));
}

/// Nobody loses a company-wide freeze or rule by writing their own.
#[test]
fn freezes_and_rules_of_the_layers_below_always_hold() {
    let policy = parse(LAYERS);
    let messages = |namespace| -> Vec<String> {
        let rules = &open(&policy, namespace).rules;
        rules.iter().map(|rule| rule.message.clone()).collect()
    };
    assert_eq!(messages("shop"), ["no short cuts", "no candidates"]);
    assert_eq!(
        messages("payments"),
        ["say why", "no short cuts", "no candidates"]
    );
    let windows = |namespace| -> Vec<String> {
        let rules = open(&policy, namespace).windows.rules().iter();
        rules
            .map(|rule| match rule {
                WindowRule::Allow { allow, .. } => allow.clone(),
                WindowRule::Freeze { reason, .. } => reason.clone(),
            })
            .collect()
    };
    assert_eq!(windows("shop"), ["MON-FRI 09:00-17:00", "year end"]);
    assert_eq!(windows("payments"), ["TUE 10:00-12:00", "year end"]);
}

#[test]
fn what_another_namespace_has_does_not_change_the_hash() {
    let policy = parse(LAYERS);
    let other = parse(&LAYERS.replace("count: 2", "count: 1"));
    assert_eq!(
        open(&policy, "shop").hash(&policy),
        open(&other, "shop").hash(&other)
    );
    assert_ne!(
        open(&policy, "payments").hash(&policy),
        open(&other, "payments").hash(&other)
    );
}

/// A person is one person through every door, and who is not listed holds nothing but by a
/// Kubernetes group (I1, attack 11).
#[test]
fn people_are_known_by_their_provider() {
    let policy = parse(&LAYERS.replace(
        "people: [alice, bob]}",
        "people: [alice, bob], groups: [leads]}",
    ));
    let of = |provider, name: &str| Identity::of(provider, name);
    let alice = policy.person(&of(IdentityProvider::Kubernetes, "alice@example.com"));
    for same in [
        of(IdentityProvider::Oidc, "https://id.example.com#8f2c"),
        of(IdentityProvider::Slack, "U024BE7LH"),
    ] {
        assert!(policy.person(&same).is(&alice), "{same:?}");
        assert!(policy.holds(&same, "devops-lead"), "{same:?}");
    }
    for other in [
        of(IdentityProvider::Slack, "alice@example.com"),
        of(IdentityProvider::Kubernetes, "U024BE7LH"),
        of(IdentityProvider::Caller, "alice@example.com"),
        of(IdentityProvider::Oidc, "https://id.example.com#9999"),
    ] {
        assert!(!policy.person(&other).is(&alice), "{other:?}");
        assert!(!policy.holds(&other, "devops-lead"), "{other:?}");
    }
    let grouped = |provider, name: &str| Identity {
        groups: vec!["leads".into()],
        ..of(provider, name)
    };
    for (who, holds) in [
        (grouped(IdentityProvider::Kubernetes, "eve"), true),
        (
            grouped(IdentityProvider::Oidc, "https://id.example.com#eve"),
            false,
        ),
        (grouped(IdentityProvider::Slack, "U0EVE"), false),
        (grouped(IdentityProvider::Caller, "eve"), false),
        (
            grouped(IdentityProvider::Oidc, "https://id.example.com#8f2c"),
            true,
        ),
    ] {
        assert_eq!(policy.holds(&who, "devops-lead"), holds, "{who:?}");
    }
    assert!(policy.holds(
        &of(IdentityProvider::Plugin, "webhook-approval"),
        "change-board"
    ));
    assert!(!policy.holds(&of(IdentityProvider::Plugin, "another"), "change-board"));
    assert!(!policy.holds(
        &of(IdentityProvider::Kubernetes, "webhook-approval"),
        "change-board"
    ));
}

#[test]
fn an_emergency_leaves_out_what_the_policy_offers() {
    let policy = parse(LAYERS);
    let shop = open(&policy, "shop");
    let glass = shop.under(Emergency::of(false, true)).into_owned();
    assert!(glass.windows.rules().is_empty());
    assert_eq!(glass.limits.concurrent_rollouts, None);
    assert_eq!(glass.approvals.slots(), 2);
    assert!(glass.approvals.self_approval);
    assert_eq!(glass.rules, shop.rules, "rules hold in an emergency");
    assert_eq!(glass.checks, shop.checks, "checks hold in an emergency");
    assert_eq!(glass.images, shop.images);
    // Skipping the canary is not offered here: nothing changes.
    assert_eq!(*shop.under(Emergency::of(true, false)), *shop);
    assert_eq!(*shop.under(None), *shop);
}

#[test]
fn one_line_for_every_mistake() {
    let found = problems(
        r#"signers:
  neither: {}
  both: {publicKey: x, keyless: {issuer: y}}
  loose: {keyless: {issuer: "https://id.example.com", identityPattern: "release"}}
callers:
  nobody: {oidc: {issuer: "http://id.example.com", claims: {iss: x}}, pipelines: [a], environments: [prod]}
  path: {hmac: {secret: ../../etc/passwd}, pipelines: [a], environments: [production]}
permissions: {deploy: [x], stop: [wizard]}
limits: {concurrentRollouts: 0}
roles:
  outside: {via: board, people: [alice]}
environments:
  production:
    targets: {namespaces: [shop]}
    triggers: [manual]
    images: {repositories: ["**"], signedBy: [nobody], annotations: {}}
    approvals: {require: [{role: outside, count: 2}], chatVotesAtMost: 9}
    skipCanary: {}
    breakGlass: {role: outside, people: 1}
    rules: [{deny: "rollout.immage.tag == ''", message: x}]
    namespaces: {other: {after: [x]}}
"#,
    );
    let all = lines(&found);
    for (field, says) in [
        ("signers.neither", "either publicKey or keyless"),
        ("signers.both", "either publicKey or keyless"),
        ("signers.loose.keyless.identityPattern", "begin it with ^"),
        ("callers.nobody.oidc.issuer", "no https address"),
        (
            "callers.nobody.oidc.claims",
            "tells one caller from another",
        ),
        (
            "callers.nobody.environments[0]",
            "`prod` is not an environment",
        ),
        ("callers.path.hmac.secret", "not NAME/KEY"),
        ("permissions.deploy", "unknown key"),
        ("permissions.stop[0]", "`wizard`"),
        ("limits.concurrentRollouts", "from 1 to 10000"),
        ("roles.outside", "via stands beside"),
        (
            "environments.production.images.signedBy[0]",
            "not one of signers",
        ),
        (
            "environments.production.images.annotations",
            "names no annotation",
        ),
        (
            "environments.production.approvals.require[0].count",
            "the one vote that a plugin has",
        ),
        (
            "environments.production.approvals.chatVotesAtMost",
            "2 votes are required",
        ),
        (
            "environments.production.skipCanary.allowedFor",
            "is missing",
        ),
        ("environments.production.breakGlass.people", "from 2 to 10"),
        ("environments.production.rules[0].deny", "immage"),
        (
            "environments.production.namespaces.other",
            "not one of this environment",
        ),
        (
            "environments.production.namespaces.other.after",
            "unknown key",
        ),
    ] {
        let hit = found
            .iter()
            .any(|p| p.field == field && p.line.is_some() && p.to_string().contains(says));
        assert!(hit, "no problem of {field} that says {says:?} in:\n{all}");
    }
}

/// Whoever asked and whoever wrote it are behind a release (A9, attack 12).
#[test]
fn authors_are_behind_what_they_wrote() {
    let policy = parse(&LAYERS.replace(
        "kubernetes: bob@example.com}",
        "kubernetes: bob@example.com, authors: [bob@git.example.com, bobby]}",
    ));
    let mut spec = crate::rollout::fixture::mk_view().spec;
    let behind = |spec: &crate::rollout::RolloutSpec| -> Vec<String> {
        let all = policy.behind(spec);
        all.iter().map(|who| policy.person(who).name).collect()
    };
    assert!(behind(&spec).is_empty());
    spec.cause.requester = Some(Identity::kubernetes("alice@example.com", Vec::new()));
    for (authors, expected) in [
        ("Bob <BOB@git.example.com>, Carol", vec!["alice", "bob"]),
        ("bobby", vec!["alice", "bob"]),
        ("notbobby", vec!["alice"]),
        ("", vec!["alice"]),
    ] {
        spec.image.about = crate::image::facts::ImageFacts::default();
        spec.image.about.keep(crate::image::facts::AUTHORS, authors);
        assert_eq!(behind(&spec), expected, "{authors}");
    }
}

/// A machine proposes what the policy lets it propose, and does nothing else.
#[test]
fn a_caller_may_propose_where_the_policy_names_it_and_nothing_else() {
    use crate::authorize::{Action, authorize};
    let policy = parse(&LAYERS.replace(
        "environments:\n",
        "callers:\n  ci: {hmac: {secret: ci/key}, pipelines: [storefront], environments: [production]}\nenvironments:\n",
    ));
    let shop = open(&policy, "shop");
    let ci = Identity::of(IdentityProvider::Caller, "ci");
    for action in Action::ALL {
        let may = authorize(action, &ci, shop, &policy).is_ok();
        assert_eq!(may, action == Action::Deploy, "{action}");
        let stranger = Identity::of(IdentityProvider::Caller, "other");
        assert!(
            authorize(action, &stranger, shop, &policy).is_err(),
            "{action}"
        );
    }
}
