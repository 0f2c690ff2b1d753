//! Server-side apply: a manager owns the fields that it applies.
//!
//! A field is a leaf of the applied object; the lists named in [`merge_key`] are entered item by
//! item, all other lists are one field. Ownership is kept per manager in
//! `metadata.managedFields` in the `fieldsV1` form. Only apply takes ownership: plain updates do
//! not, which is less than the real server does, and enough to tell two appliers apart.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::api::error::ApiError;
use crate::api::patch::merge_key;
use crate::json;

/// A path of `fieldsV1` steps: `f:name` for a member, `k:{"name":"x"}` for a list item.
type Path = Vec<String>;

/// Merges an applied configuration into an object on behalf of a manager.
pub(crate) fn apply(
    target: &mut Value,
    applied: &Value,
    manager: &str,
    force: bool,
    api_version: &str,
    now: &str,
) -> Result<(), ApiError> {
    let mut wanted = BTreeSet::new();
    leaves(applied, "", &mut Vec::new(), &mut wanted);
    wanted.retain(|path| !is_identity(path));

    let mut entries: Vec<Value> = json::list(target, "/metadata/managedFields").to_vec();
    let mut owned_before = BTreeSet::new();
    for entry in &mut entries {
        let owner = json::text(entry, "/manager").to_owned();
        let mut owned = BTreeSet::new();
        read_fields(
            entry.get("fieldsV1").unwrap_or(&Value::Null),
            &mut Vec::new(),
            &mut owned,
        );
        if owner == manager {
            owned_before = owned;
            continue;
        }
        let disputed: BTreeSet<Path> = owned
            .intersection(&wanted)
            .filter(|path| lookup(target, path) != lookup(applied, path))
            .cloned()
            .collect();
        if disputed.is_empty() {
            continue;
        }
        if !force {
            let fields: Vec<String> = disputed.iter().map(readable).collect();
            return Err(ApiError::apply_conflict(&owner, &fields));
        }
        let left: BTreeSet<Path> = owned.difference(&disputed).cloned().collect();
        json::set(entry, &["fieldsV1"], write_fields(&left));
    }
    entries.retain(|entry| json::text(entry, "/manager") != manager);

    // A field that the manager gave up, and that nobody else owns, goes; the name of a list item
    // last, since the item is found by it.
    let (names, others): (Vec<&Path>, Vec<&Path>) = owned_before
        .difference(&wanted)
        .partition(|path| is_item_name(path));
    for path in others.into_iter().chain(names) {
        let shared = entries.iter().any(|entry| {
            let mut owned = BTreeSet::new();
            read_fields(
                entry.get("fieldsV1").unwrap_or(&Value::Null),
                &mut Vec::new(),
                &mut owned,
            );
            owned.contains(path)
        });
        if !shared {
            erase(target, path);
        }
    }
    overlay(target, applied, "");
    entries.push(json!({
        "manager": manager,
        "operation": "Apply",
        "apiVersion": api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": write_fields(&wanted),
    }));
    json::set(
        target,
        &["metadata", "managedFields"],
        Value::Array(entries),
    );
    Ok(())
}

/// Name, namespace, kind and versions say which object is meant; nobody owns them.
fn is_identity(path: &Path) -> bool {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(
        steps.as_slice(),
        ["f:apiVersion" | "f:kind"]
            | [
                "f:metadata",
                "f:name" | "f:namespace" | "f:resourceVersion" | "f:uid"
            ]
            | ["f:metadata", "f:managedFields", ..]
    )
}

/// Whether the path ends in the member by which its list item is found.
fn is_item_name(path: &Path) -> bool {
    let [.., item, member] = path.as_slice() else {
        return false;
    };
    let (Some(item), Some(member)) = (item.strip_prefix("k:"), member.strip_prefix("f:")) else {
        return false;
    };
    serde_json::from_str::<Value>(item).is_ok_and(|key| key.get(member).is_some())
}

fn item_step(item: &Value, key: &str) -> String {
    format!(
        "k:{}",
        json!({ key: item.get(key).unwrap_or(&Value::Null) })
    )
}

fn leaves(value: &Value, name: &str, at: &mut Path, into: &mut BTreeSet<Path>) {
    match (value, merge_key(name)) {
        (Value::Object(members), _) if !members.is_empty() => {
            for (member, inner) in members {
                at.push(format!("f:{member}"));
                leaves(inner, member, at, into);
                at.pop();
            }
        }
        (Value::Array(items), Some(key)) => {
            for item in items {
                at.push(item_step(item, key));
                leaves(item, "", at, into);
                at.pop();
            }
        }
        _ => {
            into.insert(at.clone());
        }
    }
}

fn overlay(target: &mut Value, applied: &Value, name: &str) {
    match (applied, merge_key(name)) {
        (Value::Object(members), _) => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            let Some(object) = target.as_object_mut() else {
                return;
            };
            for (member, inner) in members {
                overlay(
                    object.entry(member.clone()).or_insert(Value::Null),
                    inner,
                    member,
                );
            }
        }
        (Value::Array(items), Some(key)) => {
            if !target.is_array() {
                *target = Value::Array(Vec::new());
            }
            let Some(list) = target.as_array_mut() else {
                return;
            };
            for item in items {
                match list
                    .iter_mut()
                    .find(|other| other.get(key) == item.get(key))
                {
                    Some(found) => overlay(found, item, ""),
                    None => list.push(item.clone()),
                }
            }
        }
        _ => *target = applied.clone(),
    }
}

fn step<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    if let Some(member) = step.strip_prefix("f:") {
        return value.get(member);
    }
    let key = step.strip_prefix("k:")?;
    value
        .as_array()?
        .iter()
        .find(|item| item_matches(item, key))
}

fn item_matches(item: &Value, key: &str) -> bool {
    let Ok(Value::Object(key)) = serde_json::from_str::<Value>(key) else {
        return false;
    };
    key.iter()
        .all(|(member, wanted)| item.get(member) == Some(wanted))
}

fn lookup<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter().try_fold(value, |at, name| step(at, name))
}

/// Removes a field, and the list item or object around it once nothing but its key is left.
fn erase(value: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if let Some(member) = first.strip_prefix("f:") {
        let Some(object) = value.as_object_mut() else {
            return;
        };
        if rest.is_empty() {
            object.remove(member);
        } else if let Some(inner) = object.get_mut(member) {
            erase(inner, rest);
            let empty = inner.as_object().is_some_and(Map::is_empty)
                || inner.as_array().is_some_and(Vec::is_empty);
            if empty {
                object.remove(member);
            }
        }
    } else if let (Some(key), Some(list)) = (first.strip_prefix("k:"), value.as_array_mut()) {
        for item in list.iter_mut().filter(|item| item_matches(item, key)) {
            erase(item, rest);
        }
        list.retain(|item| item.as_object().is_none_or(|members| !members.is_empty()));
    }
}

fn readable(path: &Path) -> String {
    path.iter()
        .map(|step| match step.strip_prefix("f:") {
            Some(member) => format!(".{member}"),
            None => format!("[{}]", step.trim_start_matches("k:")),
        })
        .collect()
}

fn write_fields(paths: &BTreeSet<Path>) -> Value {
    let mut fields = Value::Object(Map::new());
    for path in paths {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        json::default(&mut fields, &steps, Value::Object(Map::new()));
    }
    fields
}

fn read_fields(fields: &Value, at: &mut Path, into: &mut BTreeSet<Path>) {
    match fields.as_object() {
        Some(members) if !members.is_empty() => {
            for (step, inner) in members {
                at.push(step.clone());
                read_fields(inner, at, into);
                at.pop();
            }
        }
        Some(_) if !at.is_empty() => {
            into.insert(at.clone());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::apply;

    fn run(target: &mut Value, body: Value, manager: &str, force: bool) -> Result<(), String> {
        apply(target, &body, manager, force, "v1", "now").map_err(|error| error.message)
    }

    #[test]
    fn a_second_manager_conflicts_until_it_forces() {
        let mut object = json!({});
        run(
            &mut object,
            json!({ "spec": { "replicas": 3, "paused": true } }),
            "a",
            false,
        )
        .unwrap();
        let refused = run(
            &mut object,
            json!({ "spec": { "replicas": 5 } }),
            "b",
            false,
        );
        assert!(refused.unwrap_err().contains(".spec.replicas"));
        run(
            &mut object,
            json!({ "spec": { "replicas": 3 } }),
            "b",
            false,
        )
        .unwrap();
        run(&mut object, json!({ "spec": { "replicas": 5 } }), "b", true).unwrap();
        assert_eq!(object["spec"], json!({ "replicas": 5, "paused": true }));
        // `a` lost replicas to the force, so it can leave it out without removing it.
        run(
            &mut object,
            json!({ "spec": { "paused": true } }),
            "a",
            false,
        )
        .unwrap();
        assert_eq!(object["spec"], json!({ "replicas": 5, "paused": true }));
    }

    #[test]
    fn a_field_left_out_is_removed_when_no_one_else_owns_it() {
        let mut object = json!({ "spec": { "foreign": 1 } });
        let containers =
            json!([{ "name": "x", "image": "i", "env": [{ "name": "A", "value": "1" }] }]);
        run(
            &mut object,
            json!({ "spec": { "containers": containers, "b": 2 } }),
            "a",
            false,
        )
        .unwrap();
        let less = json!([{ "name": "x", "image": "i" }]);
        run(
            &mut object,
            json!({ "spec": { "containers": less } }),
            "a",
            false,
        )
        .unwrap();
        assert_eq!(
            object["spec"],
            json!({ "foreign": 1, "containers": [{ "name": "x", "image": "i" }] })
        );
    }
}
