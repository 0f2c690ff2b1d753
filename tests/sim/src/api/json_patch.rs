//! RFC 6902 as the API server applies it. Its library (`gopkg.in/evanphx/json-patch.v4`, 1.36) is
//! laxer than the RFC in two places, and so is this: a `test` for null passes where there is
//! nothing, and `replace` adds a member that an object does not have.

use serde_json::Value;

use crate::api::error::ApiError;

/// The operations that one patch may have (`maxJSONPatchOperations`).
const OPERATIONS: usize = 10_000;

/// Applies a patch as a whole or, when one operation fails, not at all.
pub(crate) fn apply(target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let Some(operations) = patch.as_array() else {
        return Err(ApiError::bad_request(
            "json: cannot unmarshal object into Go value of type jsonpatch.Patch",
        ));
    };
    if operations.len() > OPERATIONS {
        return Err(ApiError::too_many_operations(OPERATIONS, operations.len()));
    }
    let mut changed = target.clone();
    for operation in operations {
        step(&mut changed, operation).map_err(ApiError::does_not_apply)?;
    }
    *target = changed;
    Ok(())
}

fn step(document: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |member: &str| operation.get(member).and_then(Value::as_str);
    let kind = text("op").unwrap_or_default();
    let path = text("path").ok_or("an operation has no path")?;
    let value = || operation.get("value").cloned().unwrap_or_default();
    let failed = |why: &str| format!("{kind} {path}: {why}");
    match kind {
        "test" => {
            let found = if path.is_empty() {
                Some(&*document)
            } else {
                let (parent, key) = parent(document, path).ok_or_else(|| failed("missing path"))?;
                child(parent, &key).map_err(|why| failed(&why))?
            };
            if found.unwrap_or(&Value::Null) == operation.get("value").unwrap_or(&Value::Null) {
                Ok(())
            } else {
                Err(failed("the value is another"))
            }
        }
        "add" => add(document, path, value()).map_err(|why| failed(&why)),
        "replace" => replace(document, path, value()).map_err(|why| failed(&why)),
        "remove" => remove(document, path).map(drop).map_err(|why| failed(&why)),
        "move" | "copy" => {
            let from = text("from").ok_or_else(|| failed("no from"))?;
            let moved = if kind == "move" {
                remove(document, from)
            } else {
                let (parent, key) = parent(document, from).ok_or_else(|| failed("missing from"))?;
                child(parent, &key).and_then(|found| found.cloned().ok_or("missing from".into()))
            };
            let moved = moved.map_err(|why| failed(&why))?;
            add(document, path, moved).map_err(|why| failed(&why))
        }
        _ => Err(failed("no such operation")),
    }
}

fn keys(path: &str) -> Option<Vec<String>> {
    let keys = path.strip_prefix('/')?;
    let unescaped = |key: &str| key.replace("~1", "/").replace("~0", "~");
    Some(keys.split('/').map(unescaped).collect())
}

fn index(key: &str, length: usize) -> Result<usize, String> {
    key.parse()
        .ok()
        .filter(|index| *index < length)
        .ok_or_else(|| format!("no index {key:?} in an array of {length}"))
}

/// The object or array that holds what a path names, and the last step to it.
fn parent<'a>(document: &'a Value, path: &str) -> Option<(&'a Value, String)> {
    let mut keys = keys(path)?;
    let last = keys.pop()?;
    let mut at = document;
    for key in &keys {
        at = child(at, key).ok()??;
    }
    (at.is_object() || at.is_array()).then_some((at, last))
}

fn parent_mut<'a>(document: &'a mut Value, path: &str) -> Result<(&'a mut Value, String), String> {
    let missing = || "missing path".to_owned();
    let mut keys = keys(path).ok_or_else(missing)?;
    let last = keys.pop().ok_or_else(missing)?;
    let mut at = document;
    for key in &keys {
        at = match at {
            Value::Object(members) => members.get_mut(key),
            Value::Array(items) => {
                let index = index(key, items.len())?;
                items.get_mut(index)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
        .ok_or_else(missing)?;
    }
    Ok((at, last))
}

fn child<'a>(parent: &'a Value, key: &str) -> Result<Option<&'a Value>, String> {
    match parent {
        Value::Object(members) => Ok(members.get(key)),
        Value::Array(items) => Ok(items.get(index(key, items.len())?)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err("missing path".to_owned())
        }
    }
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let (parent, key) = parent_mut(document, path)?;
    match parent {
        Value::Object(members) => drop(members.insert(key, value)),
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let index = index(&key, items.len() + 1)?;
            items.insert(index, value);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err("missing path".to_owned());
        }
    }
    Ok(())
}

fn replace(document: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let (parent, key) = parent_mut(document, path)?;
    match parent {
        Value::Object(members) => drop(members.insert(key, value)),
        Value::Array(items) => {
            let index = index(&key, items.len())?;
            if let Some(item) = items.get_mut(index) {
                *item = value;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err("missing path".to_owned());
        }
    }
    Ok(())
}

fn remove(document: &mut Value, path: &str) -> Result<Value, String> {
    let (parent, key) = parent_mut(document, path)?;
    match parent {
        Value::Object(members) => members
            .remove(&key)
            .ok_or_else(|| format!("unable to remove nonexistent key {key:?}")),
        Value::Array(items) => Ok(items.remove(index(&key, items.len())?)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err("missing path".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::apply;

    fn patched(document: Value, patch: Value) -> Result<Value, u16> {
        let mut document = document;
        apply(&mut document, &patch).map_err(|error| error.code)?;
        Ok(document)
    }

    #[test]
    fn operations_change_what_they_name() {
        let document = json!({ "a": { "b/c": 1, "list": [1, 2, 3] } });
        let patch = json!([
            { "op": "test", "path": "/a/b~1c", "value": 1 },
            { "op": "replace", "path": "/a/b~1c", "value": 2 },
            { "op": "add", "path": "/a/list/-", "value": 4 },
            { "op": "add", "path": "/a/list/0", "value": 0 },
            { "op": "remove", "path": "/a/list/1" },
            { "op": "move", "from": "/a/list/0", "path": "/first" },
            { "op": "copy", "from": "/first", "path": "/again" },
        ]);
        let expected = json!({
            "a": { "b/c": 2, "list": [2, 3, 4] }, "first": 0, "again": 0,
        });
        assert_eq!(patched(document, patch), Ok(expected));
    }

    #[test]
    fn one_failure_undoes_all() {
        let mut document = json!({ "a": 1 });
        let patch = json!([
            { "op": "replace", "path": "/a", "value": 2 },
            { "op": "test", "path": "/a", "value": 1 },
        ]);
        let refused = apply(&mut document, &patch).unwrap_err();
        assert_eq!((refused.code, refused.reason), (422, "Invalid"));
        assert_eq!(
            refused.message,
            "the server rejected our request due to an error in our request"
        );
        assert!(refused.explained().contains("test /a"), "{refused:?}");
        assert_eq!(document, json!({ "a": 1 }));
    }

    #[test]
    fn what_is_missing_is_treated_as_the_servers_library_does() {
        let document = || json!({ "a": {}, "list": [1] });
        let one = |operation: Value| patched(document(), json!([operation]));
        assert!(one(json!({ "op": "test", "path": "/a/x", "value": null })).is_ok());
        assert!(one(json!({ "op": "replace", "path": "/a/x", "value": 1 })).is_ok());
        for refused in [
            json!({ "op": "test", "path": "/a/x", "value": 1 }),
            json!({ "op": "test", "path": "/b/x", "value": null }),
            json!({ "op": "add", "path": "/b/x", "value": 1 }),
            json!({ "op": "remove", "path": "/a/x" }),
            json!({ "op": "replace", "path": "/list/1", "value": 1 }),
            json!({ "op": "add", "path": "/list/2", "value": 1 }),
            json!({ "op": "swap", "path": "/a", "value": 1 }),
        ] {
            assert_eq!(one(refused.clone()), Err(422), "{refused}");
        }
        assert_eq!(patched(document(), json!({ "op": "test" })), Err(400));
    }
}
