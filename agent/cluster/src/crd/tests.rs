use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use super::*;

fn all() -> Vec<CustomResourceDefinition> {
    vec![
        Pipeline::crd(),
        Rollout::crd(),
        Approval::crd(),
        Request::crd(),
    ]
}

/// The schema of the one version, as the API server gets it.
fn schema(crd: &CustomResourceDefinition) -> Value {
    let crd = serde_json::to_value(crd).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 1);
    versions[0]["schema"]["openAPIV3Schema"].clone()
}

/// What an API server refuses in the schema of a custom resource ("structural schemas" in the
/// Kubernetes documentation), each with its place.
fn problems(at: &str, s: &Value, inside: bool, out: &mut Vec<String>) {
    let Some(map) = s.as_object() else {
        out.push(format!("{at}: not an object: {s}"));
        return;
    };
    let on = |key: &str| map.get(key) == Some(&Value::Bool(true));
    let free = on("x-kubernetes-preserve-unknown-fields") || on("x-kubernetes-int-or-string");
    match map.get("type") {
        Some(Value::String(_)) if !inside => {}
        None if free || inside => {}
        other => out.push(format!("{at}: type is {other:?}")),
    }
    for key in [
        "$ref",
        "$schema",
        "definitions",
        "$defs",
        "const",
        "prefixItems",
        "uniqueItems",
    ] {
        if map.contains_key(key) {
            out.push(format!("{at}: has {key}"));
        }
    }
    if map.get("default") == Some(&Value::Null) && !on("nullable") {
        out.push(format!("{at}: the default is null, which is not nullable"));
    }
    if inside {
        let forbidden = [
            "type",
            "description",
            "default",
            "nullable",
            "additionalProperties",
            "title",
        ];
        for key in forbidden.iter().filter(|k| map.contains_key(**k)) {
            out.push(format!("{at}: {key} inside of a combination"));
        }
    }
    if map.get("additionalProperties") == Some(&Value::Bool(false)) {
        out.push(format!("{at}: additionalProperties is false"));
    }
    if map.contains_key("additionalProperties") && map.contains_key("properties") {
        out.push(format!("{at}: both properties and additionalProperties"));
    }
    if map.get("type").and_then(Value::as_str) == Some("array") && !map.contains_key("items") {
        out.push(format!("{at}: an array without items"));
    }
    let properties = map.get("properties").and_then(Value::as_object);
    for (name, p) in properties.into_iter().flatten() {
        problems(&format!("{at}.{name}"), p, inside, out);
    }
    for required in map
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = required.as_str().unwrap_or_default();
        if !inside && !free && !properties.is_some_and(|p| p.contains_key(name)) {
            out.push(format!("{at}: requires {name}, which is no property"));
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(p) = map.get(key).filter(|p| !p.is_boolean()) {
            problems(&format!("{at}[]"), p, inside, out);
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        for branch in map.get(key).and_then(Value::as_array).into_iter().flatten() {
            problems(&format!("{at}<{key}>"), branch, true, out);
            for name in branch["properties"]
                .as_object()
                .into_iter()
                .flat_map(|p| p.keys())
            {
                if !properties.is_some_and(|p| p.contains_key(name)) {
                    out.push(format!("{at}: {name} stands only inside of {key}"));
                }
            }
        }
    }
}

#[test]
fn every_schema_is_structural() {
    for crd in all() {
        let mut out = Vec::new();
        problems("", &schema(&crd), false, &mut out);
        assert!(out.is_empty(), "{}: {out:#?}", crd.spec.names.kind);
    }
}
