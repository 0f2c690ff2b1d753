//! What the API server refuses of Sluice's own objects, whoever writes: rules in the definitions
//! themselves. They hold without the chart's admission policies, and for the agent too.
//!
//! A rule whose place is not in the schema would fall away in silence; a test counts them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
    ValidationRule,
};
use serde_json::json;

use super::phases;

/// Longest name of an object (Kubernetes' own limit).
const NAME: i64 = 253;
/// Longest name of an environment: a DNS label.
const LABEL: i64 = 63;
/// Longest user or group name. Identity providers put an issuer before the subject.
const IDENTITY: i64 = 512;
/// Groups of one person. A token of an identity provider seldom carries more than 200.
const GROUPS: i64 = 1000;
/// Longest reason a person may give. It is shown in lists and messages.
const REASON: i64 = 2000;
/// Longest tag, as registries have it.
const TAG: i64 = 128;
/// Longest digest: `sha512:` and 128 digits.
const DIGEST: i64 = 135;
/// Environments of a Pipeline. The admission policy looks at so many (core has the same limit).
const ENVIRONMENTS: i64 = 16;
/// Workloads in lockstep with a target (core has the same limit, as for the following).
const MEMBERS: i64 = 7;
/// ConfigMaps and Secrets that go with an image.
const SOURCES: i64 = 8;
/// Hooks before; and after.
const HOOKS: i64 = 8;
/// Analyses of the steps; and of the watch.
const ANALYSES: i64 = 8;

/// An instant that the agent can read, whatever else the API server takes for a date-time: one that it
/// cannot read would keep it from reading all the others.
const INSTANT: &str = r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$";

const FIXED: &str = "self == oldSelf";

/// Adds the rules of this kind.
pub(super) fn add(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    // Whoever removes the chart of the definitions does not mean everybody's Pipelines.
    let annotations = definition.metadata.annotations.get_or_insert_default();
    annotations.insert("helm.sh/resource-policy".into(), "keep".into());
    let kind = definition.spec.names.kind.clone();
    for version in &mut definition.spec.versions {
        let schema = version.schema.as_mut();
        let Some(root) = schema.and_then(|s| s.open_api_v3_schema.as_mut()) else {
            continue;
        };
        match kind.as_str() {
            "Pipeline" => pipeline(root),
            "Rollout" => rollout(root),
            "Approval" => approval(root),
            "Request" => request(root),
            _ => {}
        }
        known_numbers(root);
    }
    definition
}

/// Numbers without a sign are a Rust word: the API server warns about a format that it does not know.
/// The least that they may be stays as it is.
fn known_numbers(schema: &mut JSONSchemaProps) {
    if schema
        .format
        .as_deref()
        .is_some_and(|f| f.starts_with("uint"))
    {
        schema.format = Some("int64".into());
    }
    for inner in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        known_numbers(inner);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        known_numbers(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(others)) = &mut schema.additional_properties {
        known_numbers(others);
    }
    for list in [&mut schema.any_of, &mut schema.one_of, &mut schema.all_of] {
        list.iter_mut().flatten().for_each(known_numbers);
    }
}

fn pipeline(root: &mut JSONSchemaProps) {
    most(root, &["spec", "environments"], ENVIRONMENTS);
    let environment = ["spec", "environments", "[]"];
    for (field, length) in [
        (&["name"][..], LABEL),
        (&["target", "namespace"], NAME),
        (&["target", "deployment"], NAME),
        (&["target", "statefulSet"], NAME),
        (&["target", "daemonSet"], NAME),
        (&["target", "service"], NAME),
        (&["target", "container"], LABEL),
        (&["target", "with", "[]", "deployment"], NAME),
        (&["target", "with", "[]", "container"], LABEL),
        (&["target", "config", "[]", "configMap"], NAME),
        (&["target", "config", "[]", "secret"], NAME),
        (&["strategy", "router", "httpRoute", "name"], NAME),
        (&["strategy", "router", "httpRoute", "rule"], NAME),
        (&["strategy", "router", "ingressNginx", "ingress"], NAME),
        (&["before", "[]", "name"], LABEL),
        (&["before", "[]", "cronJob"], NAME),
        (&["before", "[]", "undo"], NAME),
        (&["afterwards", "[]", "name"], LABEL),
        (&["afterwards", "[]", "cronJob"], NAME),
        (&["afterwards", "[]", "undo"], NAME),
    ] {
        longest(root, &[&environment[..], field].concat(), length);
    }
    for (field, items) in [
        (&["target", "with"][..], MEMBERS),
        (&["target", "config"], SOURCES),
        (&["before"], HOOKS),
        (&["afterwards"], HOOKS),
        (&["analysis"], ANALYSES),
        (&["watch", "analysis"], ANALYSES),
    ] {
        most(root, &[&environment[..], field].concat(), items);
    }
    status(root);
}

fn rollout(root: &mut JSONSchemaProps) {
    rule(
        root,
        &["spec"],
        FIXED,
        "the spec of a Rollout never changes: ask for another Rollout with `sluice deploy`",
    );
    status(root);
    if let Some(phase) = at(root, &["status", "phase"]) {
        phase.enum_ = Some(phases::words().map(|word| JSON(json!(word))).collect());
    }
    for (condition, message) in phases::rules() {
        rule(root, &["status"], &condition, message);
    }
}

fn approval(root: &mut JSONSchemaProps) {
    rule(
        root,
        &["spec"],
        FIXED,
        "a vote never changes: it counts for what its voter saw. Vote again under another name",
    );
    for (field, length) in [
        ("rollout", NAME),
        ("rolloutUid", LABEL),
        ("hash", DIGEST),
        ("reason", REASON),
    ] {
        longest(root, &["spec", field], length);
    }
    person(root, "approver");
}

fn request(root: &mut JSONSchemaProps) {
    rule(
        root,
        &["spec"],
        FIXED,
        "a Request never changes: write another one",
    );
    for (field, length) in [
        ("pipeline", NAME),
        ("rollout", NAME),
        ("environment", LABEL),
        ("tag", TAG),
        ("digest", DIGEST),
        ("reason", REASON),
    ] {
        longest(root, &["spec", field], length);
    }
    if let Some(until) = at(root, &["spec", "until"]) {
        until.format = Some("date-time".into());
        until.pattern = Some(INSTANT.into());
    }
    person(root, "requester");
    status(root);
}

/// Whose name an object bears.
fn person(root: &mut JSONSchemaProps, field: &str) {
    longest(root, &["spec", field], IDENTITY);
    if let Some(name) = at(root, &["spec", field]) {
        name.min_length = Some(1);
    }
    most(root, &["spec", "groups"], GROUPS);
    longest(root, &["spec", "groups", "[]"], IDENTITY);
}

/// Every status carries the epoch of the leader that wrote it (reliability.md F3): it stays, and it
/// never becomes less.
fn status(root: &mut JSONSchemaProps) {
    let epoch = JSONSchemaProps {
        type_: Some("integer".into()),
        format: Some("int64".into()),
        minimum: Some(0.0),
        default: Some(JSON(json!(0))),
        description: Some(
            "Of the agent that wrote this: how often the lead had changed when it took it.".into(),
        ),
        ..JSONSchemaProps::default()
    };
    if let Some(status) = at(root, &["status"]) {
        let properties = status.properties.get_or_insert_default();
        properties.insert("epoch".into(), epoch);
    }
    rule(
        root,
        &["status"],
        "!has(oldSelf.epoch) || (has(self.epoch) && self.epoch >= oldSelf.epoch)",
        "an agent that is not the leader any more wrote this: status.epoch never becomes less",
    );
    rule(
        root,
        &[],
        "!has(oldSelf.status) || has(self.status)",
        "a status is never removed",
    );
}

/// The schema at this path. `[]` stands for the items of a list.
fn at<'a>(schema: &'a mut JSONSchemaProps, path: &[&str]) -> Option<&'a mut JSONSchemaProps> {
    let Some((first, rest)) = path.split_first() else {
        return Some(schema);
    };
    let next = if *first == "[]" {
        match schema.items.as_mut()? {
            JSONSchemaPropsOrArray::Schema(items) => items.as_mut(),
            JSONSchemaPropsOrArray::Schemas(_) => return None,
        }
    } else {
        schema.properties.as_mut()?.get_mut(*first)?
    };
    at(next, rest)
}

fn rule(root: &mut JSONSchemaProps, path: &[&str], condition: &str, message: &str) {
    if let Some(schema) = at(root, path) {
        let rules = schema.x_kubernetes_validations.get_or_insert_default();
        rules.push(ValidationRule {
            rule: condition.into(),
            message: Some(message.into()),
            ..ValidationRule::default()
        });
    }
}

fn longest(root: &mut JSONSchemaProps, path: &[&str], length: i64) {
    if let Some(schema) = at(root, path) {
        schema.max_length = Some(length);
    }
}

fn most(root: &mut JSONSchemaProps, path: &[&str], items: i64) {
    if let Some(schema) = at(root, path) {
        schema.max_items = Some(items);
    }
}
