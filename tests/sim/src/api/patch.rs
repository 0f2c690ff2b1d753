//! The four patch formats.

use serde_json::{Map, Value};

use crate::api::error::ApiError;

/// How the body of a PATCH is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    /// RFC 7396.
    Merge,
    /// RFC 6902.
    Json,
    /// kubectl's default for built-in objects: lists of named things merge by name.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchKind {
    /// The kind of a `Content-Type`.
    pub(crate) fn of(content_type: &str) -> Result<Self, ApiError> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/json-patch+json" => Ok(Self::Json),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            other => Err(ApiError::media_type(other)),
        }
    }
}

/// Applies an RFC 7396 merge patch.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    json_patch::merge(target, patch);
}

/// The member by which the items of a list are told apart, for the lists of pod templates and
/// Services; other lists are replaced whole.
pub(crate) fn merge_key(list: &str) -> Option<&'static str> {
    match list {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        "conditions" => Some("type"),
        _ => None,
    }
}

/// Applies a strategic merge patch.
pub(crate) fn strategic(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else {
        return;
    };
    for (name, change) in patch {
        if name.starts_with('$') {
            continue; // directives such as `$setElementOrder` carry no data
        }
        if change.is_null() {
            members.remove(name);
            continue;
        }
        let slot = members.entry(name.clone()).or_insert(Value::Null);
        match (merge_key(name), change.as_array()) {
            (Some(key), Some(items)) => merge_list(slot, items, key),
            (None, Some(_)) => *slot = change.clone(),
            (_, None) => strategic(slot, change),
        }
    }
}

fn merge_list(target: &mut Value, items: &[Value], key: &str) {
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    let Some(list) = target.as_array_mut() else {
        return;
    };
    for item in items {
        let same = |other: &Value| other.get(key) == item.get(key);
        if item.get("$patch").and_then(Value::as_str) == Some("delete") {
            list.retain(|other| !same(other));
            continue;
        }
        match list.iter_mut().find(|other| same(other)) {
            Some(found) => strategic(found, item),
            None => list.push(item.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{merge, strategic};

    #[test]
    fn merge_patch_replaces_lists_and_removes_nulls() {
        let mut target = json!({ "a": { "b": 1, "c": [1, 2] }, "d": 4 });
        merge(
            &mut target,
            &json!({ "a": { "b": null, "c": [3] }, "e": { "f": null, "g": 1 } }),
        );
        assert_eq!(
            target,
            json!({ "a": { "c": [3] }, "d": 4, "e": { "g": 1 } })
        );
    }

    #[test]
    fn strategic_patch_merges_containers_by_name() {
        let mut target = json!({ "containers": [
            { "name": "app", "image": "a:1", "env": [{ "name": "X", "value": "1" }] },
            { "name": "side", "image": "s:1" },
        ]});
        strategic(
            &mut target,
            &json!({ "containers": [
                { "name": "app", "image": "a:2" },
                { "name": "side", "$patch": "delete" },
            ]}),
        );
        assert_eq!(
            target,
            json!({ "containers": [
                { "name": "app", "image": "a:2", "env": [{ "name": "X", "value": "1" }] },
            ]})
        );
    }
}
