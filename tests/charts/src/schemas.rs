//! JSON Schemas of the kinds that the charts use, taken from a real API server. Kept in
//! `tests/charts/schemas`, because `kubeconform` would otherwise ask the internet for them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::guards::Actor;

/// The groups whose kinds the charts use, as paths of the API server's OpenAPI.
const GROUPS: [&str; 7] = [
    "api/v1",
    "apis/admissionregistration.k8s.io/v1",
    "apis/apiextensions.k8s.io/v1",
    "apis/apps/v1",
    "apis/networking.k8s.io/v1",
    "apis/policy/v1",
    "apis/rbac.authorization.k8s.io/v1",
];

/// The kinds that the charts render.
const KINDS: [&str; 16] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CustomResourceDefinition",
    "Deployment",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// Where in an OpenAPI document the schemas stand.
const PLACE: &str = "#/components/schemas/";

/// One schema a kind, by the file name that `kubeconform` looks for.
///
/// # Errors
/// The API server does not answer, or does not know a kind.
pub async fn schemas(server: &Actor) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut out = BTreeMap::new();
    for group in GROUPS {
        let document = server.raw(&format!("/openapi/v3/{group}")).await?;
        let all = document
            .pointer("/components/schemas")
            .and_then(Value::as_object);
        let all = all.with_context(|| format!("{group} has no schemas"))?;
        for (name, schema) in all {
            let of_kind = schema.pointer("/x-kubernetes-group-version-kind/0");
            let word = |key: &str| {
                let word = of_kind.and_then(|k| k.get(key)).and_then(Value::as_str);
                word.unwrap_or_default().to_owned()
            };
            // Options of calls belong to every group.
            let one_kind = schema
                .pointer("/x-kubernetes-group-version-kind/1")
                .is_none();
            if !one_kind || !KINDS.contains(&word("kind").as_str()) {
                continue;
            }
            let group = word("group");
            let group = group.split('.').next().unwrap_or_default();
            let parts = [
                word("kind").to_lowercase(),
                group.to_owned(),
                word("version"),
            ];
            let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
            out.insert(format!("{}.json", parts.join("-")), whole(name, all));
        }
    }
    anyhow::ensure!(
        out.len() == KINDS.len(),
        "{} of {} kinds",
        out.len(),
        KINDS.len()
    );
    Ok(out)
}

/// A schema with all that it refers to.
fn whole(name: &str, all: &Map<String, Value>) -> Value {
    let mut definitions = Map::new();
    let mut open = BTreeSet::from([name.to_owned()]);
    while let Some(next) = open.pop_first() {
        if definitions.contains_key(&next) {
            continue;
        }
        let schema = strict(all.get(&next).unwrap_or(&Value::Null), &mut open, false);
        definitions.insert(next, schema);
    }
    json!({"$ref": format!("#/definitions/{name}"), "definitions": definitions})
}

/// The schema without prose, in which a field that it does not know is an error. `names`: these keys
/// are names of fields, not words of the schema.
fn strict(schema: &Value, open: &mut BTreeSet<String>, names: bool) -> Value {
    let Value::Object(map) = schema else {
        return match schema {
            Value::Array(items) => items.iter().map(|i| strict(i, open, false)).collect(),
            other => other.clone(),
        };
    };
    let mut out = Map::new();
    for (key, value) in map {
        let prose = key == "description" || key == "default" || key.starts_with("x-");
        if !names && prose {
            continue;
        }
        match value.as_str().and_then(|text| text.strip_prefix(PLACE)) {
            Some(name) if key == "$ref" => {
                open.insert(name.to_owned());
                out.insert(key.clone(), json!(format!("#/definitions/{name}")));
            }
            _ => {
                out.insert(
                    key.clone(),
                    strict(value, open, key == "properties" && !names),
                );
            }
        }
    }
    // Written by the API server as one reference, for a default beside it.
    let only = (!names && out.len() == 1)
        .then(|| out.get("allOf").cloned())
        .flatten();
    if let Some(Value::Array(one)) = only
        && let [one] = one.as_slice()
    {
        return one.clone();
    }
    let free = map.contains_key("x-kubernetes-preserve-unknown-fields");
    if !names
        && out.contains_key("properties")
        && !free
        && !out.contains_key("additionalProperties")
    {
        out.insert("additionalProperties".into(), json!(false));
    }
    Value::Object(out)
}
