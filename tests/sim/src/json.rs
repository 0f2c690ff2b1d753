//! Small helpers over generic JSON objects: the API server of the simulator knows no types.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The value at a path such as `/spec/template/0`. Unlike [`Value::pointer`] it knows no escapes,
/// which no path of this crate needs, and allocates nothing: the simulator does little else.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = value;
    for step in path.split('/').skip(1) {
        at = match at {
            Value::Object(members) => members.get(step)?,
            Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
    }
    Some(at)
}

/// The string at a JSON pointer, or the empty string.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The integer at a JSON pointer.
pub(crate) fn int(value: &Value, pointer: &str) -> Option<i64> {
    at(value, pointer).and_then(Value::as_i64)
}

/// The boolean at a JSON pointer; absent is `false`.
pub(crate) fn flag(value: &Value, pointer: &str) -> bool {
    at(value, pointer)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// The array at a JSON pointer; absent is empty.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    at(value, pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The string entries of the object at a JSON pointer, such as labels.
pub(crate) fn entries<'a>(
    value: &'a Value,
    pointer: &str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    at(value, pointer)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// One string entry of the object at a JSON pointer. Keys may contain `/`.
pub(crate) fn entry<'a>(value: &'a Value, pointer: &str, key: &str) -> Option<&'a str> {
    at(value, pointer)?.get(key)?.as_str()
}

/// Writes a member, creating objects along the path; anything else in the way is replaced.
pub(crate) fn set(value: &mut Value, path: &[&str], member: Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = member;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Some(object) = value.as_object_mut() {
        set(
            object.entry((*first).to_owned()).or_insert(Value::Null),
            rest,
            member,
        );
    }
}

/// Writes a member only where none (or null) stands: how an API server sets defaults.
pub(crate) fn default(value: &mut Value, path: &[&str], member: impl Into<Value>) {
    let mut at = &*value;
    for step in path {
        match at.get(step) {
            Some(next) => at = next,
            None => {
                set(value, path, member.into());
                return;
            }
        }
    }
    if at.is_null() {
        set(value, path, member.into());
    }
}

/// Removes a member and returns it.
pub(crate) fn remove(value: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut at = value;
    for step in parents {
        at = at.get_mut(step)?;
    }
    at.as_object_mut()?.remove(*last)
}

/// A mutable array at a path of members.
pub(crate) fn list_mut<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut [Value] {
    let mut at = value;
    for step in path {
        match at.get_mut(step) {
            Some(next) => at = next,
            None => return &mut [],
        }
    }
    at.as_array_mut().map_or(&mut [], Vec::as_mut_slice)
}

/// Drops members that are null, as a typed API server does when it decodes a built-in object.
pub(crate) fn prune_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(prune_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(prune_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A digest of a value that does not depend on the order of its members.
pub(crate) fn digest(value: &Value) -> [u8; 32] {
    let mut hash = Sha256::new();
    feed(value, &mut hash);
    hash.finalize().into()
}

fn feed(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort();
            hash.update(b"{");
            for key in keys {
                hash.update(key.as_bytes());
                hash.update([0]);
                feed(members.get(key).unwrap_or(&Value::Null), hash);
            }
            hash.update(b"}");
        }
        Value::Array(items) => {
            hash.update(b"[");
            items.iter().for_each(|item| feed(item, hash));
            hash.update(b"]");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            hash.update(value.to_string().as_bytes());
            hash.update([0]);
        }
    }
}

/// Letters that Kubernetes uses in generated names: no vowels, so that no words appear.
pub(crate) const NAME_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The first `length` letters of a name made from bytes.
pub(crate) fn safe_name(bytes: &[u8], length: usize) -> String {
    bytes
        .iter()
        .take(length)
        .filter_map(|byte| NAME_ALPHABET.get(usize::from(*byte) % NAME_ALPHABET.len()))
        .map(|letter| char::from(*letter))
        .collect()
}
