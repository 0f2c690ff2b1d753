//! The chart of the definitions is generated from the types of the agent.

use serde_json::{Value, json};
use sluice_cluster::crd::definitions;

use crate::kept;

const HEAD: &str =
    "# Generated from the types of agent/cluster: UPDATE=1 cargo test -p sluice-charts\n";

#[test]
fn the_definitions_are_those_of_the_agents_types() {
    for definition in definitions() {
        let plural = definition.spec.names.plural.clone();
        let mut value = serde_json::to_value(definition).unwrap();
        value["metadata"]["labels"] = json!({
            "app.kubernetes.io/name": "sluice-crds",
            "app.kubernetes.io/part-of": "sluice",
        });
        let text = serde_saphyr::to_string(&value).unwrap();
        // A template: what Helm would take for an action must not stand in a description.
        assert!(!text.contains("{{"), "{plural}");
        let back: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(
            numbers(back),
            numbers(value),
            "{plural}: YAML says the same"
        );
        kept::same(
            &format!("charts/sluice-crds/templates/{plural}.yaml"),
            &format!("{HEAD}{text}"),
        );
    }
}

/// YAML does not tell 0 from 0.0.
fn numbers(value: Value) -> Value {
    match value {
        Value::Number(n) => json!(n.as_f64()),
        Value::Array(items) => items.into_iter().map(numbers).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, numbers(v))).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::String(_)) => other,
    }
}
