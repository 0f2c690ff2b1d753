//! What must fit together across the parts of a policy.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Problems;
use super::{EnvironmentPolicy, Policy, RequiredRole};
use crate::approval::matching::Matching;
use crate::problem::{Problem, nearest, quoted};

/// Groups that everybody is in: a role of everybody is not a gate.
const OPEN_GROUPS: [&str; 2] = ["system:authenticated", "system:unauthenticated"];

pub(super) fn check(policy: &Policy, problems: &mut Problems) {
    people(policy, problems);
    roles(policy, problems);
    one_human_one_vote(policy, problems);
    namespaces(policy, problems);
    order(policy, problems);
    global(policy, problems);
    for (name, environment) in &policy.environments {
        let base = format!("environments.{name}");
        rules_of(policy, environment, &base, problems);
        for (namespace, here) in &environment.namespaces {
            rules_of(
                policy,
                here,
                &format!("{base}.namespaces.{namespace}"),
                problems,
            );
        }
    }
}

fn rules_of(policy: &Policy, environment: &EnvironmentPolicy, base: &str, problems: &mut Problems) {
    named_roles(policy, environment, base, problems);
    named_signers(policy, environment, base, problems);
    enough_people(policy, environment, base, problems);
    chat_votes(environment, base, problems);
}

/// Who holds a role by a group comes in under any Kubernetes name. A person whose Kubernetes name is
/// not known here could vote once by it and once by chat or sign-in (attack 11).
fn one_human_one_vote(policy: &Policy, problems: &mut Problems) {
    if policy.roles.values().all(|role| role.groups.is_empty()) {
        return;
    }
    for (index, person) in policy.people.iter().enumerate() {
        if person.kubernetes.is_none() && (person.oidc.is_some() || person.slack.is_some()) {
            let message = format!(
                "{} has no Kubernetes name here, and roles are held by groups: one human being could \
                 vote twice",
                person.name
            );
            problems.push(
                Problem::new(format!("people[{index}]"), message)
                    .with_hint("add kubernetes: with the name that the API server would know"),
            );
        }
    }
}

fn named_signers(
    policy: &Policy,
    environment: &EnvironmentPolicy,
    base: &str,
    problems: &mut Problems,
) {
    for (index, name) in environment.images.signed_by.iter().enumerate() {
        if !policy.signers.contains_key(name) {
            problems.push(unknown(
                format!("{base}.images.signedBy[{index}]"),
                format!("{} is not one of signers", quoted(name)),
                nearest(name, policy.signers.keys().map(String::as_str)),
                "define it under signers",
            ));
        }
    }
}

/// More votes by chat than there are votes would say nothing, and break glass is no matter of chat.
fn chat_votes(environment: &EnvironmentPolicy, base: &str, problems: &mut Problems) {
    let slots = environment.approvals.slots();
    if let Some(at_most) = environment.approvals.chat_votes_at_most
        && at_most > slots
    {
        problems.push(Problem::new(
            format!("{base}.approvals.chatVotesAtMost"),
            format!("is {at_most}, and {slots} votes are required in all"),
        ));
    }
}

/// What the file says beside its environments.
fn global(policy: &Policy, problems: &mut Problems) {
    for (action, roles) in &policy.permissions {
        for (index, role) in roles.iter().enumerate() {
            role_exists(
                policy,
                format!("permissions.{action}[{index}]"),
                role,
                problems,
            );
        }
    }
    for (name, caller) in &policy.callers {
        for (index, environment) in caller.environments.iter().enumerate() {
            if policy.environments.contains_key(environment) {
                continue;
            }
            let known = policy.environments.keys().map(String::as_str);
            problems.push(unknown(
                format!("callers.{name}.environments[{index}]"),
                format!(
                    "{} is not an environment of this policy",
                    quoted(environment)
                ),
                nearest(environment, known),
                "name one of environments",
            ));
        }
    }
}

fn role_exists(policy: &Policy, field: String, role: &str, problems: &mut Problems) {
    if !policy.roles.contains_key(role) {
        problems.push(unknown(
            field,
            format!("{} is not one of roles", quoted(role)),
            nearest(role, policy.roles.keys().map(String::as_str)),
            "define it under roles",
        ));
    }
}

/// One identity belongs to one person. Case is ignored: a second spelling is no second person.
fn people(policy: &Policy, problems: &mut Problems) {
    let mut seen: BTreeMap<(&str, String), &str> = BTreeMap::new();
    for (index, person) in policy.people.iter().enumerate() {
        let ids = [
            ("name", Some(&person.name)),
            ("kubernetes", person.kubernetes.as_ref()),
            ("oidc", person.oidc.as_ref()),
            ("slack", person.slack.as_ref()),
        ];
        let authors = person
            .authors
            .iter()
            .map(|author| ("authors", Some(author)));
        for (kind, id) in ids.into_iter().chain(authors) {
            let Some(id) = id else { continue };
            if let Some(owner) = seen.insert((kind, id.to_lowercase()), &person.name) {
                problems.push(Problem::new(
                    format!("people[{index}].{kind}"),
                    format!("{} belongs to {owner} already", quoted(id)),
                ));
            }
        }
    }
}

fn roles(policy: &Policy, problems: &mut Problems) {
    for (name, role) in &policy.roles {
        for (index, person) in role.people.iter().enumerate() {
            if policy.people.iter().any(|known| known.name == *person) {
                continue;
            }
            let known = policy.people.iter().map(|known| known.name.as_str());
            problems.push(unknown(
                format!("roles.{name}.people[{index}]"),
                format!("{} is not listed under people", quoted(person)),
                nearest(person, known),
                "add this person with their identities to people",
            ));
        }
        for (index, group) in role.groups.iter().enumerate() {
            if OPEN_GROUPS.contains(&group.as_str()) {
                problems.push(Problem::new(
                    format!("roles.{name}.groups[{index}]"),
                    format!("{} is everybody: that is not a role", quoted(group)),
                ));
            }
        }
    }
}

fn namespaces(policy: &Policy, problems: &mut Problems) {
    let mut owner: BTreeMap<&str, &str> = BTreeMap::new();
    for environment in policy.environments.values() {
        for (index, namespace) in environment.targets.namespaces.iter().enumerate() {
            if let Some(first) = owner.insert(namespace, &environment.name) {
                problems.push(
                    Problem::new(
                        format!(
                            "environments.{}.targets.namespaces[{index}]",
                            environment.name
                        ),
                        format!(
                            "{} belongs to the environment {first} already",
                            quoted(namespace)
                        ),
                    )
                    .with_hint("a namespace belongs to one environment"),
                );
            }
        }
    }
}

/// `after` names environments that exist, and does not run in a circle.
fn order(policy: &Policy, problems: &mut Problems) {
    for environment in policy.environments.values() {
        for (index, before) in environment.after.iter().enumerate() {
            let field = format!("environments.{}.after[{index}]", environment.name);
            if !policy.environments.contains_key(before) {
                let known = policy.environments.keys().map(String::as_str);
                problems.push(unknown(
                    field,
                    format!("{} is not an environment of this policy", quoted(before)),
                    nearest(before, known),
                    "name one of environments",
                ));
            } else if reaches(policy, before, &environment.name) {
                problems.push(Problem::new(
                    field,
                    format!(
                        "{before} comes itself after {}: neither could ever start",
                        environment.name
                    ),
                ));
            }
        }
    }
}

/// Whether `from` is `to`, or comes after it over any number of steps.
fn reaches(policy: &Policy, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name)
            && let Some(environment) = policy.environments.get(name)
        {
            open.extend(environment.after.iter().map(String::as_str));
        }
    }
    false
}

fn named_roles(
    policy: &Policy,
    environment: &EnvironmentPolicy,
    base: &str,
    problems: &mut Problems,
) {
    let required = environment.approvals.require.iter().enumerate();
    let required = required.map(|(i, r)| (format!("{base}.approvals.require[{i}].role"), &r.role));
    let permitted = environment.permissions.iter().flat_map(|(action, roles)| {
        let field = move |i| format!("{base}.permissions.{action}[{i}]");
        roles
            .iter()
            .enumerate()
            .map(move |(i, role)| (field(i), role))
    });
    let skip = environment.skip_canary.iter();
    let skip = skip.flat_map(|skip| skip.allowed_for.iter().enumerate());
    let skip = skip.map(|(i, role)| (format!("{base}.skipCanary.allowedFor[{i}]"), role));
    let glass = environment.break_glass.iter();
    let glass = glass.map(|glass| (format!("{base}.breakGlass.role"), &glass.role));
    let drills = environment.drills.iter();
    let drills = drills.flat_map(|drills| drills.allowed_for.iter().enumerate());
    let drills = drills.map(|(i, role)| (format!("{base}.drills.allowedFor[{i}]"), role));
    let named = required
        .chain(permitted)
        .chain(skip)
        .chain(glass)
        .chain(drills);
    for (field, role) in named {
        role_exists(policy, field, role, problems);
    }
    let mut seen = BTreeSet::new();
    for (index, required) in environment.approvals.require.iter().enumerate() {
        if !seen.insert(&required.role) {
            problems.push(
                Problem::new(
                    format!("{base}.approvals.require[{index}].role"),
                    format!("{} is required twice", quoted(&required.role)),
                )
                .with_hint("write count: 2 for two of its holders"),
            );
        }
    }
}

/// Distinct people must be able to fill every slot. Where a role has groups nobody can count.
fn enough_people(
    policy: &Policy,
    environment: &EnvironmentPolicy,
    base: &str,
    problems: &mut Problems,
) {
    let counted = |name: &String| {
        let role = policy.roles.get(name);
        role.is_some_and(|role| role.groups.is_empty() && role.via.is_none())
    };
    if let Some(glass) = &environment.break_glass
        && counted(&glass.role)
    {
        let role = policy.roles.get(&glass.role);
        let holders = role.map_or(0, |role| role.people.len());
        if holders < glass.people as usize {
            let message = format!(
                "{holders} hold {}, and {} are needed: nobody could ever break the glass",
                glass.role, glass.people
            );
            let field = format!("{base}.breakGlass.people");
            problems.push(Problem::new(field, message).with_hint("add people to the role"));
        }
    }
    let require = &environment.approvals.require;
    for (index, required) in require.iter().enumerate() {
        let decided_outside = policy
            .roles
            .get(&required.role)
            .is_some_and(|role| role.via.is_some());
        if decided_outside && required.count > 1 {
            let field = format!("{base}.approvals.require[{index}].count");
            let message = "is more than the one vote that a plugin has";
            problems.push(Problem::new(field, message));
        }
    }
    let countable: Vec<&RequiredRole> = require.iter().filter(|r| counted(&r.role)).collect();
    let slots: Vec<usize> = countable
        .iter()
        .enumerate()
        .flat_map(|(index, r)| std::iter::repeat_n(index, r.count as usize))
        .collect();
    let mut matching = Matching::new(slots);
    for person in &policy.people {
        let roles = countable.iter().enumerate().filter(|(_, required)| {
            policy
                .roles
                .get(&required.role)
                .is_some_and(|role| role.people.contains(&person.name))
        });
        matching.add(&person.name, roles.map(|(index, _)| index));
    }
    let missing = matching.missing();
    if !missing.is_empty() {
        let roles: Vec<&str> = countable
            .iter()
            .map(|required| required.role.as_str())
            .collect();
        problems.push(
            Problem::new(
                format!("{base}.approvals.require"),
                format!(
                    "too few people hold {}: {} more would be needed, each person fills one slot",
                    roles.join(", "),
                    missing.len()
                ),
            )
            .with_hint("add people or a group to these roles"),
        );
    }
}

fn unknown(field: String, message: String, near: Option<&str>, hint: &str) -> Problem {
    let hint = near.map_or(hint.to_owned(), |near| format!("did you mean {near}?"));
    Problem::new(field, message).with_hint(hint)
}
