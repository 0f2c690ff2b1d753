//! From the tree to the policy: shape and values. What spans several parts is in `consistency`.

use jiff::Timestamp;

use super::reader::{Cursor, Fields, Problems};
use super::tree::{Entry, Node};
use super::{
    Expectation, Given, PersonEntry, Policy, PolicyTest, Role, Rule, Source, TriggerKind,
    consistency,
};
use crate::problem::{Problem, quoted};

pub(super) mod environment;
pub(super) mod machines;
pub(super) mod sections;

pub(super) const FILE_KEYS: [&str; 11] = [
    "apiVersion",
    "kind",
    "roles",
    "people",
    "signers",
    "callers",
    "permissions",
    "limits",
    "environments",
    "defaults",
    "tests",
];
pub(super) const ROLE_KEYS: [&str; 3] = ["people", "groups", "via"];
pub(super) const PERSON_KEYS: [&str; 5] = ["name", "kubernetes", "oidc", "slack", "authors"];
pub(super) const TEST_KEYS: [&str; 3] = ["name", "given", "expect"];
pub(super) const GIVEN_KEYS: [&str; 14] = [
    "environment",
    "namespace",
    "trigger",
    "image",
    "annotations",
    "signedBy",
    "age",
    "strategy",
    "router",
    "requester",
    "reason",
    "skipCanary",
    "breakGlass",
    "at",
];

pub(super) const API_VERSION: &str = "sluice.dev/v1alpha1";
pub(super) const KIND: &str = "Policy";

pub(super) fn policy(text: &str) -> Result<Policy, Vec<Problem>> {
    let root = Node::parse(text).map_err(|problem| vec![problem])?;
    let mut problems = Problems::default();
    let policy = file(&Cursor::new(&root, ""), &mut problems);
    consistency::check(&policy, &mut problems);
    if problems.is_empty() {
        Ok(policy)
    } else {
        Err(problems.finish(&root))
    }
}

fn file(root: &Cursor<'_>, problems: &mut Problems) -> Policy {
    let fields = root.fields(&FILE_KEYS, problems);
    for (key, value) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        let Some(cursor) = fields.need(key, &format!("write {key}: {value}"), problems) else {
            continue;
        };
        if let Some(text) = cursor.text(problems)
            && text != value
        {
            let message = format!("{} is not known to this version", quoted(text));
            problems.push(cursor.problem(message).with_hint(format!("write {value}")));
        }
    }
    let mut policy = Policy {
        source: Source::Loaded,
        ..Policy::default()
    };
    if let Some(cursor) = fields.get("people") {
        policy.people = cursor
            .items(problems)
            .iter()
            .filter_map(|p| person(p, problems))
            .collect();
    }
    if let Some(cursor) = fields.get("roles") {
        for (entry, cursor) in cursor.entries(problems) {
            check_name(&entry.key, &cursor, problems);
            policy
                .roles
                .insert(entry.key.clone(), role(&cursor, problems));
        }
    }
    if let Some(cursor) = fields.get("signers") {
        policy.signers = machines::signers(cursor, problems);
    }
    if let Some(cursor) = fields.get("callers") {
        policy.callers = machines::callers(cursor, problems);
    }
    if let Some(cursor) = fields.get("permissions") {
        let actions = &sections::GLOBAL_ACTIONS;
        policy.permissions = sections::permissions_of(cursor, actions, problems);
    }
    if let Some(cursor) = fields.get("limits") {
        policy.limits = machines::limits(cursor, problems);
    }
    let defaults = defaults(&fields, problems);
    let hint = "name each environment and what it allows";
    if let Some(cursor) = fields.need("environments", hint, problems) {
        for (entry, cursor) in cursor.entries(problems) {
            check_label(&entry.key, &cursor, problems);
            let read = environment::read(&entry.key, &cursor, defaults.as_ref(), problems);
            policy.environments.insert(entry.key.clone(), read);
        }
    }
    if let Some(cursor) = fields.get("tests") {
        policy.tests = cursor
            .items(problems)
            .iter()
            .filter_map(|t| test(t, problems))
            .collect();
    }
    policy
}

/// The `defaults` map, checked on its own: its mistakes are reported once, not per environment.
fn defaults<'t>(fields: &Fields<'t>, problems: &mut Problems) -> Option<Cursor<'t>> {
    let found = fields.get("defaults")?;
    let cursor = Cursor::new(found.node, found.path.clone());
    environment::check_defaults(&cursor, problems);
    Some(cursor)
}

fn person(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<PersonEntry> {
    let fields = cursor.fields(&PERSON_KEYS, problems);
    let name = fields.need("name", "say how roles call this person", problems)?;
    let text = name.text(problems)?;
    check_name(text, name, problems);
    let mut id = |key: &str| fields.get(key)?.text(problems).map(str::to_owned);
    let person = PersonEntry {
        name: text.to_owned(),
        kubernetes: id("kubernetes"),
        oidc: id("oidc"),
        slack: id("slack"),
        authors: fields
            .get("authors")
            .map(|list| list.texts(problems))
            .unwrap_or_default(),
    };
    if let Some(oidc) = fields.get("oidc")
        && let Some(text) = &person.oidc
        && !text
            .split_once('#')
            .is_some_and(|(i, s)| i.starts_with("https://") && !s.is_empty())
    {
        let message = format!("{} is not an issuer and a subject", quoted(text));
        problems.push(
            oidc.problem(message)
                .with_hint("write https://ISSUER#SUBJECT"),
        );
    }
    if ["kubernetes", "oidc", "slack"]
        .iter()
        .all(|key| fields.get(key).is_none())
    {
        problems.push(
            cursor
                .problem("names no identity")
                .with_hint("add kubernetes, oidc or slack: how this person comes in"),
        );
    }
    Some(person)
}

fn role(cursor: &Cursor<'_>, problems: &mut Problems) -> Role {
    let fields = cursor.fields(&ROLE_KEYS, problems);
    let mut texts = |key| {
        fields
            .get(key)
            .map(|list| list.texts(problems))
            .unwrap_or_default()
    };
    let role = Role {
        people: texts("people"),
        groups: texts("groups"),
        via: fields.get("via").and_then(|c| plugin(c, problems)),
    };
    if ROLE_KEYS.iter().all(|key| fields.get(key).is_none()) {
        problems.push(
            cursor
                .problem("nobody holds this role")
                .with_hint("add people, groups or both; or via, with an approval-provider plugin"),
        );
    }
    if role.via.is_some() && !(role.people.is_empty() && role.groups.is_empty()) {
        problems.push(
            cursor
                .problem("via stands beside people or groups")
                .with_hint(
                    "a role that is decided outside is held by nobody here: write two roles",
                ),
        );
    }
    role
}

fn test(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<PolicyTest> {
    let fields = cursor.fields(&TEST_KEYS, problems);
    let name = fields
        .get("name")
        .and_then(|n| n.text(problems))
        .map(str::to_owned);
    let given = fields.need("given", "describe the situation", problems);
    let given = given.and_then(|cursor| given_of(cursor, problems));
    let hint = "write expect: allowed, or expect: {refused: RULE}";
    let expect = fields.need("expect", hint, problems);
    let expect = expect.and_then(|cursor| expectation(cursor, problems));
    Some(PolicyTest {
        name,
        given: given?,
        expect: expect?,
    })
}

fn given_of(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<Given> {
    let fields = cursor.fields(&GIVEN_KEYS, problems);
    let environment = fields.need("environment", "name an environment", problems);
    let environment = environment
        .and_then(|c| c.text(problems))
        .map(str::to_owned);
    let at = fields.get("at").and_then(|cursor| {
        let text = cursor.text(problems)?;
        match text.parse::<Timestamp>() {
            Ok(at) => Some(at),
            Err(_) => {
                let message = format!("{} is not an instant", quoted(text));
                problems.push(
                    cursor
                        .problem(message)
                        .with_hint("write 2026-12-24T10:00:00Z"),
                );
                None
            }
        }
    });
    let mut flag = |key| {
        let found = fields.get(key);
        found.and_then(|c| c.flag(problems)).unwrap_or(false)
    };
    let (skip_canary, break_glass) = (flag("skipCanary"), flag("breakGlass"));
    let mut text = |key| fields.get(key)?.text(problems).map(str::to_owned);
    let (namespace, requester, reason) = (text("namespace"), text("requester"), text("reason"));
    let annotations = fields.get("annotations").map(|cursor| {
        let entries = cursor.entries(problems).into_iter();
        entries
            .filter_map(|(entry, c)| Some((entry.key.clone(), c.text(problems)?.to_owned())))
            .collect()
    });
    let given = Given {
        namespace,
        annotations: annotations.unwrap_or_default(),
        signed_by: fields
            .get("signedBy")
            .map(|c| c.texts(problems))
            .unwrap_or_default(),
        age: fields.get("age").and_then(|c| c.parsed(problems)),
        requester,
        reason,
        skip_canary,
        break_glass,
        environment: environment.unwrap_or_default(),
        trigger: fields.get("trigger").and_then(|c| trigger(c, problems)),
        image: fields.get("image").and_then(|c| c.parsed(problems)),
        strategy: fields
            .get("strategy")
            .and_then(|c| c.text(problems))
            .map(str::to_owned),
        router: fields
            .get("router")
            .and_then(|c| sections::router(c, problems)),
        at,
    };
    (!given.environment.is_empty()).then_some(given)
}

fn expectation(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<Expectation> {
    if matches!(cursor.node.value, super::tree::Value::Text(_)) {
        let allowed = cursor.one_of(&[("allowed", ())], problems);
        return allowed.map(|()| Expectation::Allowed);
    }
    let fields = cursor.fields(&["refused", "needs"], problems);
    if let Some(roles) = fields.get("needs") {
        let read =
            |item: &Cursor<'_>, problems: &mut Problems| item.text(problems).map(str::to_owned);
        let roles = roles.each(problems, read).into_iter();
        return Some(Expectation::Needs(roles.map(|(_, role)| role).collect()));
    }
    let hint = "write expect: allowed, {refused: RULE} or {needs: [ROLE]}";
    let rule = fields.need("refused", hint, problems)?;
    let words = Rule::ALL.map(|rule| (rule.as_str(), rule));
    rule.one_of(&words, problems).map(Expectation::Refused)
}

fn trigger(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<TriggerKind> {
    cursor.one_of(
        &TriggerKind::ALL.map(|kind| (kind.as_str(), kind)),
        problems,
    )
}

/// Names of roles and people. Without a colon: `kubernetes:somebody` is not a name of the policy.
fn check_name(name: &str, cursor: &Cursor<'_>, problems: &mut Problems) {
    let shape = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    let fits = (1..=63).contains(&name.len())
        && name.bytes().all(shape)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !fits {
        let message = format!("{} is not a name", quoted(name));
        problems.push(cursor.problem(message).with_hint(
            "1 to 63 letters, digits, dashes, underscores and dots, a letter or digit first",
        ));
    }
}

/// Names of environments and namespaces: DNS-1123 labels, as Kubernetes has it.
fn check_label(name: &str, cursor: &Cursor<'_>, problems: &mut Problems) {
    let shape = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let fits = (1..=63).contains(&name.len())
        && name.bytes().all(shape)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !fits {
        let message = format!("{} is not a name that Kubernetes accepts", quoted(name));
        let hint = "1 to 63 lower-case letters, digits and dashes, no dash at either end";
        problems.push(cursor.problem(message).with_hint(hint));
    }
}

/// Names of plugins, as in `plugins.yaml`.
fn plugin(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<String> {
    let text = cursor.text(problems)?;
    check_label(text, cursor, problems);
    Some(text.to_owned())
}

/// The entries of a map as the reader hands them out.
type Entries<'t> = Vec<(&'t Entry, Cursor<'t>)>;
