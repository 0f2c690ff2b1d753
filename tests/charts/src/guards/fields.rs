//! A value that a schema takes, so that a forgery fails for who writes it and for nothing else.

use serde_json::{Map, Value, json};

/// The least value of this schema.
pub(super) fn value(schema: &Value) -> Value {
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    if let Some(last) = list("enum").and_then(|values| values.last()) {
        return last.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(9),
        Some("array") => json!([schema.get("items").map(value)]),
        Some("string") if schema.get("format") == Some(&json!("date-time")) => {
            json!("2026-11-26T17:00:00Z")
        }
        Some("string") => json!("forged"),
        _ => object(schema),
    }
}

fn object(schema: &Value) -> Value {
    let branch = schema
        .pointer("/oneOf/0/required")
        .and_then(Value::as_array);
    let required = schema.get("required").and_then(Value::as_array);
    let names = required
        .into_iter()
        .chain(branch)
        .flatten()
        .filter_map(Value::as_str);
    let mut map: Map<String, Value> = names
        .filter_map(|name| {
            Some((
                name.to_owned(),
                value(schema.pointer(&format!("/properties/{name}"))?),
            ))
        })
        .collect();
    if let Some(entry) = schema.get("additionalProperties").filter(|p| p.is_object()) {
        map.insert("forged".into(), value(entry));
    }
    Value::Object(map)
}
