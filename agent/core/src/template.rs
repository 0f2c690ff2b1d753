//! Pod templates as JSON: hashing, putting a digest in, and the difference between two.
//!
//! Plain JSON, because a typed template drops fields that are newer than the type, and a rollback
//! must give back every byte.

use serde_json::{Map, Value};

mod diff;

pub use diff::{LINES, diff};

use crate::hash::{canonical_json, sha256_hex};
use crate::image::{ImageRef, Repository};

/// Hash by which two templates are compared: sha256 of the canonical JSON.
pub fn template_hash(template: &Value) -> String {
    sha256_hex(canonical_json(template).as_bytes())
}

/// The image of every container, init containers first.
pub fn images(template: &Value) -> Vec<String> {
    ["initContainers", "containers"]
        .iter()
        .filter_map(|list| template.pointer(&format!("/spec/{list}"))?.as_array())
        .flatten()
        .filter_map(|c| Some(c.get("image")?.as_str()?.to_owned()))
        .collect()
}

/// A copy of `template` in which the release container carries `repository@digest`.
///
/// The release container is `container`, or else every container whose image comes from
/// `repository`. None found is an error that says which images are there.
pub fn with_image(
    template: &Value,
    container: Option<&str>,
    repository: &str,
    digest: &str,
) -> Result<Value, String> {
    let mut out = template.clone();
    let mut changed = false;
    for list in ["initContainers", "containers"] {
        let Some(containers) = out
            .pointer_mut(&format!("/spec/{list}"))
            .and_then(Value::as_array_mut)
        else {
            continue;
        };
        for c in containers {
            if carries(c, container, repository)
                && let Some(map) = c.as_object_mut()
            {
                map.insert(
                    "image".into(),
                    Value::from(format!("{repository}@{digest}")),
                );
                changed = true;
            }
        }
    }
    if changed {
        Ok(out)
    } else {
        Err(match container {
            Some(name) => format!("the pod template has no container named `{name}`"),
            None => format!(
                "no container of the pod template uses {repository}; its images are {}",
                images(template).join(", ")
            ),
        })
    }
}

/// The names of the containers that carry the release image.
pub fn release_containers(
    template: &Value,
    container: Option<&str>,
    repository: &str,
) -> Vec<String> {
    ["initContainers", "containers"]
        .iter()
        .filter_map(|list| template.pointer(&format!("/spec/{list}"))?.as_array())
        .flatten()
        .filter(|c| carries(c, container, repository))
        .filter_map(|c| Some(c.get("name")?.as_str()?.to_owned()))
        .collect()
}

fn carries(c: &Value, container: Option<&str>, repository: &str) -> bool {
    match container {
        Some(name) => c.get("name").and_then(Value::as_str) == Some(name),
        None => c
            .get("image")
            .and_then(Value::as_str)
            .and_then(|i| i.parse::<ImageRef>().ok())
            .is_some_and(|i| {
                repository
                    .parse::<Repository>()
                    .is_ok_and(|r| r == i.repository)
            }),
    }
}

/// The JSON merge patch (RFC 7396) that turns `from` into `to`. Removed keys become `null`, lists
/// are replaced whole. An explicit `null` inside `to` cannot be expressed; the API server stores none.
pub fn merge_diff(from: &Value, to: &Value) -> Value {
    match (from, to) {
        (Value::Object(a), Value::Object(b)) => {
            let mut out = Map::new();
            for key in a.keys().filter(|k| !b.contains_key(*k)) {
                out.insert(key.clone(), Value::Null);
            }
            for (key, value) in b {
                match a.get(key) {
                    Some(before) if before == value => {}
                    Some(before) => {
                        out.insert(key.clone(), merge_diff(before, value));
                    }
                    None => {
                        out.insert(key.clone(), value.clone());
                    }
                }
            }
            Value::Object(out)
        }
        _ => to.clone(),
    }
}

#[cfg(test)]
mod tests;
