//! What clients such as kubectl read before they ask for anything.

use serde_json::{Value, json};

use crate::api::resource::{ALL, Resource};

/// The Kubernetes version that is played.
pub(crate) fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "gitVersion": "v1.36.3+sluice-sim",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2025-04-23T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "linux/amd64",
    })
}

pub(crate) fn core_versions() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

/// Group and version pairs, without the core group.
fn groups() -> Vec<(&'static str, &'static str)> {
    let mut groups: Vec<_> = ALL
        .iter()
        .map(|resource| (resource.info().group, resource.info().version))
        .filter(|(group, _)| !group.is_empty())
        .chain([
            ("authentication.k8s.io", "v1"),
            ("authorization.k8s.io", "v1"),
        ])
        .collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn describe(group: &str, version: &str) -> Value {
    let version = json!({ "groupVersion": format!("{group}/{version}"), "version": version });
    json!({ "name": group, "versions": [version], "preferredVersion": version })
}

pub(crate) fn group_list() -> Value {
    let groups: Vec<Value> = groups()
        .into_iter()
        .map(|(group, version)| describe(group, version))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

pub(crate) fn group(name: &str) -> Option<Value> {
    let (group, version) = groups().into_iter().find(|(group, _)| *group == name)?;
    let mut value = describe(group, version);
    crate::json::set(&mut value, &["kind"], json!("APIGroup"));
    crate::json::set(&mut value, &["apiVersion"], json!("v1"));
    Some(value)
}

pub(crate) fn resources(group: &str, version: &str) -> Option<Value> {
    let mut resources: Vec<Value> = ALL
        .iter()
        .filter(|resource| resource.info().group == group && resource.info().version == version)
        .flat_map(|resource| describe_resource(*resource))
        .collect();
    resources.extend(reviews(group));
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    (!resources.is_empty()).then(|| {
        json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": group_version,
            "resources": resources,
        })
    })
}

fn describe_resource(resource: Resource) -> Vec<Value> {
    let info = resource.info();
    let mut all = vec![json!({
        "name": info.plural,
        "singularName": info.singular,
        "namespaced": info.namespaced,
        "kind": info.kind,
        "shortNames": info.short,
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    })];
    if info.status {
        all.push(json!({
            "name": format!("{}/status", info.plural),
            "singularName": "",
            "namespaced": info.namespaced,
            "kind": info.kind,
            "verbs": ["get", "patch", "update"],
        }));
    }
    if info.scale {
        all.push(json!({
            "name": format!("{}/scale", info.plural),
            "singularName": "",
            "namespaced": true,
            "group": "autoscaling",
            "version": "v1",
            "kind": "Scale",
            "verbs": ["get", "patch", "update"],
        }));
    }
    if resource == Resource::Pods {
        all.push(json!({
            "name": "pods/log",
            "singularName": "",
            "namespaced": true,
            "kind": "Pod",
            "verbs": ["get"],
        }));
    }
    all
}

fn reviews(group: &str) -> Vec<Value> {
    let reviews: &[(&str, &str)] = match group {
        "authentication.k8s.io" => &[
            ("tokenreviews", "TokenReview"),
            ("selfsubjectreviews", "SelfSubjectReview"),
        ],
        "authorization.k8s.io" => &[
            ("subjectaccessreviews", "SubjectAccessReview"),
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
        ],
        _ => &[],
    };
    reviews
        .iter()
        .map(|(plural, kind)| {
            json!({
                "name": plural,
                "singularName": "",
                "namespaced": false,
                "kind": kind,
                "verbs": ["create"],
            })
        })
        .collect()
}
