//! What differs between two pod templates, in lines for whoever has to sign it.
//!
//! Values of variables, commands and arguments are where passwords end up. They are compared, and
//! never told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Most lines. More says so in its last one.
pub const LINES: usize = 20;
/// Longest value that is told, in bytes: a digest-pinned image has under 160.
const VALUE_LIMIT: usize = 160;
/// Deepest level that is looked into; below it only whether something differs is told. A pod
/// template has about ten.
const DEPTH: usize = 16;
/// Parts of a path whose values are not told.
const HIDDEN: [&str; 3] = ["env", "command", "args"];

/// A line for each field that differs, in the order of the paths.
pub fn diff(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (fields(before), fields(after));
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path));
    let mut lines: Vec<String> = differing
        .map(|path| line(path, before.get(path), after.get(path)))
        .collect();
    if lines.len() > LINES {
        let more = lines.len() - (LINES - 1);
        lines.truncate(LINES - 1);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn line(path: &str, before: Option<&String>, after: Option<&String>) -> String {
    let hidden = path
        .split(['.', '['])
        .any(|part| HIDDEN.contains(&part.trim_end_matches(']')));
    let name = |hidden_name: bool| {
        // `env[TOKEN].value`: which variable it is may be told.
        if hidden_name {
            path.trim_end_matches(".value").to_owned()
        } else {
            path.to_owned()
        }
    };
    match (before, after, hidden) {
        (Some(_), Some(_), true) => format!("{}: changed (not shown)", name(true)),
        (None, Some(_), true) => format!("{}: added (not shown)", name(true)),
        (_, None, true) => format!("{}: removed", name(true)),
        (Some(before), Some(after), false) => format!("{path}: {} → {}", cut(before), cut(after)),
        (None, Some(after), false) => format!("{path}: added {}", cut(after)),
        (_, None, false) => format!("{path}: removed"),
    }
}

fn cut(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.len() <= VALUE_LIMIT {
        return text.chars().map(clean).collect();
    }
    let mut out = String::new();
    for c in text.chars().map(clean) {
        if out.len() + c.len_utf8() > VALUE_LIMIT {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// Every leaf by its path. Items of a list go by their `name`, as people and Kubernetes speak of them.
fn fields(value: &Value) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    walk(value, String::new(), 0, &mut out);
    out
}

fn walk(value: &Value, path: String, depth: usize, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) if depth < DEPTH && !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                walk(value, path, depth + 1, out);
            }
        }
        Value::Array(items) if depth < DEPTH && !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                let name = item.get("name").and_then(Value::as_str);
                let part = name.map_or(index.to_string(), str::to_owned);
                walk(item, format!("{path}[{part}]"), depth + 1, out);
            }
        }
        Value::String(text) => {
            out.insert(path, text.clone());
        }
        // A template without anything has no fields.
        Value::Object(_) if path.is_empty() => {}
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            out.insert(path, value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(image: &str, token: &str) -> Value {
        json!({"spec": {"containers": [{
            "name": "web", "image": image, "args": [format!("--password={token}")],
            "env": [{"name": "TOKEN", "value": token}],
        }]}})
    }

    #[test]
    fn an_image_is_told_and_a_variable_is_not() {
        let (before, after) = (template("a@1", "hunter2"), template("a@2", "hunter3"));
        let lines = diff(&before, &after);
        assert_eq!(
            lines,
            [
                "spec.containers[web].args[0]: changed (not shown)",
                "spec.containers[web].env[TOKEN]: changed (not shown)",
                "spec.containers[web].image: a@1 → a@2",
            ]
        );
        assert!(!lines.join("\n").contains("hunter"));
        assert!(diff(&before, &before).is_empty());
    }

    #[test]
    fn what_comes_and_goes_is_told() {
        let lines = diff(&json!({"a": 1, "b": {}}), &json!({"b": {}, "c": [true]}));
        assert_eq!(lines, ["a: removed", "c[0]: added true"]);
    }

    #[test]
    fn it_is_bounded() {
        let many: Vec<Value> = (0..100)
            .map(|n| json!({"name": n.to_string(), "x": "y"}))
            .collect();
        let lines = diff(&json!({}), &json!({"list": many}));
        assert_eq!(lines.len(), LINES);
        assert!(lines.last().unwrap().starts_with("and "));
        let long = diff(&json!({"a": "x"}), &json!({"a": "y".repeat(10_000)}));
        assert!(long[0].len() < 2 * VALUE_LIMIT);
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({"a": deep});
        }
        assert_eq!(diff(&json!({}), &deep).len(), 1);
    }
}
