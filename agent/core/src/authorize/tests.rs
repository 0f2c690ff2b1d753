use super::*;
use crate::policy::Policy;

fn policy() -> Policy {
    Policy::parse(
        r#"
apiVersion: sluice.dev/v1alpha1
kind: Policy
people:
  - {name: alice, kubernetes: alice@example.com}
  - {name: bob, kubernetes: bob@example.com}
roles:
  devops-lead: {people: [alice]}
  tech-lead: {groups: [tech-leads]}
  oncall: {people: [bob]}
environments:
  staging:
    targets: {namespaces: [staging]}
    triggers: [registry]
    images: {repositories: ["**"]}
  production:
    targets: {namespaces: [shop]}
    triggers: [manual]
    images: {repositories: ["**"]}
    approvals: {require: [{role: devops-lead}, {role: tech-lead}]}
    permissions: {deploy: [oncall, devops-lead], promote: [oncall]}
"#,
    )
    .unwrap()
}

fn named(username: &str) -> Identity {
    Identity {
        provider: IdentityProvider::Kubernetes,
        username: username.to_owned(),
        groups: Vec::new(),
    }
}

fn in_group(username: &str, group: &str) -> Identity {
    Identity {
        provider: IdentityProvider::Kubernetes,
        username: username.to_owned(),
        groups: vec![group.to_owned()],
    }
}

/// The whole table: action, environment, and who may: alice (devops-lead), a tech lead by group,
/// bob (oncall), carol (nobody).
#[test]
fn who_may_do_what() {
    use Action::*;
    let policy = policy();
    let people = [
        named("alice@example.com"),
        in_group("dave@example.com", "tech-leads"),
        named("bob@example.com"),
        named("carol@example.com"),
    ];
    let (everybody, approvers, nobody) = ([true; 4], [true, true, false, false], [false; 4]);
    for (action, environment, expected) in [
        (Deploy, "staging", everybody),
        (Approve, "staging", nobody),
        (Reject, "staging", nobody),
        (Abort, "staging", everybody),
        (Pause, "staging", everybody),
        (Resume, "staging", everybody),
        (Promote, "staging", everybody),
        (Rollback, "staging", everybody),
        (Retry, "staging", everybody),
        (LiftQuarantine, "staging", everybody),
        (Deploy, "production", [true, false, true, false]),
        (Approve, "production", approvers),
        (Reject, "production", approvers),
        (Abort, "production", everybody),
        (Pause, "production", everybody),
        (Resume, "production", everybody),
        (Promote, "production", [false, false, true, false]),
        (Rollback, "production", everybody),
        (Retry, "production", approvers),
        (LiftQuarantine, "production", approvers),
    ] {
        let rules = &policy.environments[environment];
        let answers: Vec<bool> = people
            .iter()
            .map(|who| authorize(action, who, rules, &policy).is_ok())
            .collect();
        assert_eq!(answers, expected, "{action} in {environment}");
    }
}

#[test]
fn nobody_in_particular_may_nothing() {
    let policy = policy();
    for environment in policy.environments.values() {
        for action in Action::ALL {
            for who in [
                named(""),
                named("system:anonymous"),
                in_group("", "tech-leads"),
                Identity {
                    provider: IdentityProvider::Kubernetes,
                    username: "alice@example.com".to_owned(),
                    groups: vec!["system:unauthenticated".to_owned()],
                },
            ] {
                let denied = authorize(action, &who, environment, &policy).unwrap_err();
                assert_eq!(denied.why, DeniedWhy::NotAuthenticated, "{who:?}");
            }
        }
    }
}

#[test]
fn another_spelling_has_no_rights() {
    let policy = policy();
    let rules = &policy.environments["production"];
    for username in [
        "Alice@example.com",
        "alice@example.com ",
        "alice",
        "kubernetes:alice",
    ] {
        assert!(authorize(Action::Approve, &named(username), rules, &policy).is_err());
    }
    let other_case = in_group("dave@example.com", "Tech-Leads");
    assert!(authorize(Action::Approve, &other_case, rules, &policy).is_err());
}

#[test]
fn says_who_may() {
    let policy = policy();
    let carol = named("carol@example.com");
    let denied = authorize(
        Action::Approve,
        &carol,
        &policy.environments["production"],
        &policy,
    )
    .unwrap_err();
    assert_eq!(
        denied.to_string(),
        "kubernetes:carol@example.com may not approve in production: it needs a role that they do \
         not hold; holders of devops-lead or tech-lead may"
    );
    let denied = authorize(
        Action::Approve,
        &carol,
        &policy.environments["staging"],
        &policy,
    )
    .unwrap_err();
    assert_eq!(denied.why, DeniedWhy::NoApprovals);
    assert!(denied.roles.is_empty());
}

/// Drills are for whom the policy names, and for nobody where it names nobody.
#[test]
fn drills_are_offered_or_not() {
    let text = r#"
apiVersion: sluice.dev/v1alpha1
kind: Policy
roles: {oncall: {groups: [oncall]}}
environments:
  staging:
    targets: {namespaces: [staging]}
    triggers: [registry]
    images: {repositories: ["**"]}
    drills: {allowedFor: [oncall]}
  production:
    targets: {namespaces: [shop]}
    triggers: [manual]
    images: {repositories: ["**"]}
"#;
    let policy = Policy::parse(text).unwrap();
    let may = |who: &Identity, environment: &str| {
        let rules = &policy.environments[environment];
        authorize(Action::Drill, who, rules, &policy).map_err(|denied| denied.why)
    };
    let oncall = in_group("dave@example.com", "oncall");
    assert_eq!(may(&oncall, "staging"), Ok(()));
    let other = named("carol@example.com");
    assert_eq!(may(&other, "staging"), Err(DeniedWhy::MissingRole));
    assert_eq!(may(&oncall, "production"), Err(DeniedWhy::NotOffered));
}
