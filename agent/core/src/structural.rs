//! Schemas that an API server takes: its custom resources need *structural* ones, in which no
//! property is described inside `oneOf`.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// Rewrites the schema of an internally tagged enum (`#[serde(tag = "…")]`) into one object: the tag
/// with all its values, and every property of every variant. What belongs to which variant is left
/// to serde, which reads it back; only the agent writes these fields.
pub(crate) fn one_object(schema: &mut Schema) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    let Some(Value::Array(variants)) = map.remove("oneOf") else {
        return;
    };
    let mut properties = Map::new();
    let mut required: Option<Vec<Value>> = None;
    for variant in &variants {
        let of = |key: &str| variant.get(key).and_then(Value::as_array).cloned();
        let here = of("required").unwrap_or_default();
        match &mut required {
            None => required = Some(here),
            Some(all) => all.retain(|name| here.contains(name)),
        }
        for (name, property) in variant
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            match properties.get_mut(name) {
                None => {
                    properties.insert(name.clone(), property.clone());
                }
                Some(known) => *known = both(known, property),
            }
        }
    }
    map.insert("type".into(), json!("object"));
    map.insert("properties".into(), Value::Object(properties));
    map.insert(
        "required".into(),
        Value::Array(required.unwrap_or_default()),
    );
}

/// One schema for what either of two takes.
fn both(a: &Value, b: &Value) -> Value {
    if let (Some(x), Some(y)) = (values(a), values(b)) {
        let mut all = x;
        all.extend(
            y.into_iter()
                .filter(|v| !all.contains(v))
                .collect::<Vec<_>>(),
        );
        return json!({"type": "string", "enum": all});
    }
    let (mut x, mut y) = (plain(a), plain(b));
    let types = (types(&mut x), types(&mut y));
    if x != y {
        return json!({"x-kubernetes-preserve-unknown-fields": true});
    }
    let mut all = types.0;
    all.extend(
        types
            .1
            .into_iter()
            .filter(|t| !all.contains(t))
            .collect::<Vec<_>>(),
    );
    let null = json!("null");
    if all.iter().filter(|t| **t != null).count() > 1 {
        return json!({"x-kubernetes-preserve-unknown-fields": true});
    }
    let mut out = if a.get("description").is_some() {
        a.clone()
    } else {
        b.clone()
    };
    if let (Some(map), false) = (out.as_object_mut(), all.is_empty()) {
        let one = if all.len() == 1 {
            all.swap_remove(0)
        } else {
            Value::Array(all)
        };
        map.insert("type".into(), one);
    }
    out
}

/// The values of a tag.
fn values(schema: &Value) -> Option<Vec<Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(one), _) => Some(vec![one.clone()]),
        (None, Some(Value::Array(many))) => Some(many.clone()),
        (None, _) => None,
    }
}

fn plain(schema: &Value) -> Value {
    let mut out = schema.clone();
    if let Some(map) = out.as_object_mut() {
        map.remove("description");
    }
    out
}

fn types(schema: &mut Value) -> Vec<Value> {
    match schema.as_object_mut().and_then(|map| map.remove("type")) {
        Some(Value::Array(many)) => many,
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
