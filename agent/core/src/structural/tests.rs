//! The journal's schema takes every journal that the engine writes, and drops nothing of it.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::rollout::Journal;
use crate::rollout::fixture::*;

fn schema() -> Value {
    let settings = SchemaSettings::openapi3().with(|s| s.inline_subschemas = true);
    settings
        .into_generator()
        .into_root_schema_for::<Journal>()
        .to_value()
}

/// Where a value does not fit, or has what the API server would drop.
fn misfits(at: &str, s: &Value, v: &Value, out: &mut Vec<String>) {
    if v.is_null() {
        if s["nullable"] != true {
            out.push(format!("{at}: null"));
        }
        return;
    }
    if let Some(one) = s["allOf"].as_array().and_then(|all| all.first()) {
        return misfits(at, one, v, out);
    }
    if let Some(some) = s["anyOf"].as_array().and_then(|any| any.first()) {
        return misfits(at, some, v, out);
    }
    if let Some(all) = s["enum"].as_array()
        && !all.contains(v)
    {
        out.push(format!("{at}: {v} is none of {all:?}"));
    }
    let fits = match s["type"].as_str() {
        Some("object") => v.is_object(),
        Some("array") => v.is_array(),
        Some("string") => v.is_string(),
        Some("integer") => v.is_u64(),
        Some("boolean") => v.is_boolean(),
        _ => s["oneOf"].is_array() || s["x-kubernetes-preserve-unknown-fields"] == true,
    };
    if !fits {
        out.push(format!("{at}: {v} for {s}"));
    }
    for item in v.as_array().into_iter().flatten() {
        misfits(&format!("{at}[]"), &s["items"], item, out);
    }
    for (key, value) in v.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        match (s["properties"].get(key), s.get("additionalProperties")) {
            (Some(p), _) => misfits(&at, p, value, out),
            (None, Some(p)) if p.is_object() => misfits(&at, p, value, out),
            _ => out.push(format!("{at} would be dropped")),
        }
    }
    for name in s["required"].as_array().into_iter().flatten() {
        if v.get(name.as_str().unwrap()).is_none() {
            out.push(format!("{at}: {name} is missing"));
        }
    }
}

#[test]
fn every_state_fits_the_schema_whole() {
    let schema = schema();
    let mut back = mk_going_back(1);
    back.journal = back.decide().journal;
    let mut gone = mk_holding(0);
    gone.seen.environment = crate::rollout::Seen::Absent;
    gone.seen.target = crate::rollout::Seen::Absent;
    for mut c in [
        mk_queued(),
        mk_return(),
        mk_planning(),
        mk_awaiting(),
        mk_approved(),
        mk_shifting(0),
        mk_checking(0),
        mk_holding(1),
        mk_judging(1),
        mk_shifting(2),
        mk_holding(2).at(500),
        mk_going_back(0),
        back,
        gone,
        mk_awaiting().request(crate::rollout::Action::Pause, "mallory"),
    ] {
        for _ in 0..3 {
            c.journal = c.decide().journal;
            let json = serde_json::to_value(&c.journal).unwrap();
            let mut out = Vec::new();
            misfits("", &schema, &json, &mut out);
            assert!(out.is_empty(), "{out:#?}\n{json:#}");
            assert_eq!(serde_json::from_value::<Journal>(json).unwrap(), c.journal);
        }
    }
}

#[test]
fn a_tagged_enum_is_one_object_with_all_its_tags() {
    let state = &schema()["properties"]["state"];
    assert_eq!(state["type"], "object");
    assert_eq!(
        state["properties"]["phase"]["enum"]
            .as_array()
            .unwrap()
            .len(),
        11
    );
    assert_eq!(state["required"], serde_json::json!(["phase"]));
    let stage = &state["properties"]["stage"]["properties"];
    assert_eq!(
        stage["name"]["enum"],
        serde_json::json!(["Shift", "Check", "Hold", "Judge"])
    );
    assert!(stage["runs"].is_object() && stage["faults"].is_object());
}
