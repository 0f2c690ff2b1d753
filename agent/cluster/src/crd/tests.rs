use serde_json::Value;

use super::*;

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
    for crd in definitions() {
        let mut out = Vec::new();
        problems("", &schema(&crd), false, &mut out);
        assert!(out.is_empty(), "{}: {out:#?}", crd.spec.names.kind);
    }
}

/// Every rule found its place: a field that is renamed must not lose its guard in silence.
#[test]
fn every_rule_is_in_its_schema() {
    let counted: Vec<(String, usize, usize)> = definitions()
        .iter()
        .map(|crd| {
            let text = schema(crd).to_string();
            let limits =
                text.matches("\"maxLength\"").count() + text.matches("\"maxItems\"").count();
            (
                crd.spec.names.kind.clone(),
                text.matches("\"rule\"").count(),
                limits,
            )
        })
        .collect();
    // Those of the types of core, and ours: 27 limits of a Pipeline (a number each), two rules of its
    // status; nine rules of a Rollout.
    let expected = [
        ("Pipeline", 3, 48),
        ("Rollout", 11, 18),
        ("Approval", 1, 7),
        ("Request", 3, 9),
    ];
    let expected = expected.map(|(kind, rules, limits)| (kind.to_owned(), rules, limits));
    assert_eq!(counted, expected);
}

/// One Request that cannot be read would keep the agent from reading any.
#[test]
fn what_the_api_server_takes_for_an_instant_can_be_read() {
    let until = schema(&definitions()[3])["properties"]["spec"]["properties"]["until"].clone();
    assert_eq!(until["format"], "date-time", "no 13th month");
    let pattern = regex::Regex::new(until["pattern"].as_str().unwrap()).unwrap();
    for good in [
        "2026-11-26T21:00:00Z",
        "2026-11-26T21:00:00.123456789Z",
        "2099-12-31T23:59:59-14:59",
        "2000-01-01T00:00:00+14:59",
    ] {
        assert!(pattern.is_match(good), "{good}");
        assert!(good.parse::<jiff::Timestamp>().is_ok(), "{good}");
    }
    // All of these are date-times to the API server; jiff reads some of them, and some not.
    for bad in [
        "2026-11-26T21:00:00",
        "2026-11-26T21:00",
        "9999-12-31T23:59:59Z",
        "2026-11-26T21:00:00+23:59",
        "2026-11-26 21:00:00Z",
        "tomorrow",
    ] {
        assert!(!pattern.is_match(bad), "{bad}");
    }
}

/// The words are those of the engine: each end, and each phase that is none.
#[test]
fn the_phases_are_those_of_the_engine() {
    let words: Vec<&str> = phases::words().collect();
    let state = schema(&definitions()[1])["properties"]["status"]["properties"]["state"].clone();
    let live = state["properties"]["phase"]["enum"].as_array().unwrap();
    for phase in live.iter().map(|p| p.as_str().unwrap()) {
        assert!(phase == "Ended" || words.contains(&phase), "{phase}");
    }
    let ends = state["properties"]["kind"]["enum"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(words.len(), 1 + (live.len() - 1) + ends);
}

#[test]
fn every_format_is_known_to_the_api_server() {
    for crd in definitions() {
        let text = serde_json::to_string(&crd).unwrap();
        for format in text.split("\"format\":\"").skip(1) {
            let format = format.split('"').next().unwrap();
            assert!(
                ["int32", "int64", "double", "date-time"].contains(&format),
                "{format} in {}",
                crd.spec.names.kind
            );
        }
    }
}
