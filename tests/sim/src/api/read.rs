//! Get and list.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::api::error::ApiError;
use crate::api::resource::Resource;
use crate::api::selector::{Fields, Selector};
use crate::api::store::{Key, Object};
use crate::json;
use crate::model::Model;

/// What of each object is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of it.
    Full,
    /// `PartialObjectMetadata`.
    Metadata,
}

impl Shape {
    /// The shape that an `Accept` header asks for.
    pub(crate) fn of(accept: &str) -> Self {
        if accept.contains("as=PartialObjectMetadata") {
            Self::Metadata
        } else {
            Self::Full
        }
    }

    /// The bytes of one object in this shape.
    pub(crate) fn bytes(self, object: &Object) -> Bytes {
        match self {
            Self::Full => object.bytes(),
            Self::Metadata => {
                let part = json!({
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": object.value().get("metadata"),
                });
                Bytes::from(part.to_string())
            }
        }
    }
}

/// Which objects are meant, by whom.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) resource: Resource,
    pub(crate) namespace: Option<String>,
    pub(crate) labels: Selector,
    pub(crate) fields: Fields,
    pub(crate) shape: Shape,
}

impl Scope {
    pub(crate) fn matches(&self, value: &Value) -> bool {
        self.labels.matches(value) && self.fields.matches(value)
    }
}

/// How a list is to be served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paging {
    pub(crate) limit: Option<usize>,
    pub(crate) token: Option<String>,
    /// `resourceVersion`.
    pub(crate) version: Option<u64>,
    /// `resourceVersionMatch=Exact`.
    pub(crate) exact: bool,
    /// The newest version that this caller may see (a stale API server).
    pub(crate) ceiling: Option<u64>,
}

impl Model {
    /// One object.
    pub(crate) fn get(&self, key: &Key, shape: Shape) -> Result<Bytes, ApiError> {
        let object = self
            .store
            .get(key)
            .ok_or_else(|| ApiError::not_found(key.resource, &key.name))?;
        Ok(shape.bytes(object))
    }

    /// A list, as the bytes of a `…List` object.
    pub(crate) fn list(&self, scope: &Scope, paging: &Paging) -> Result<Bytes, ApiError> {
        let mut version = paging.ceiling.unwrap_or(self.store.version());
        let mut after = None;
        if let Some(token) = &paging.token {
            let (at, key) = read_token(scope.resource, token)
                .ok_or_else(|| ApiError::bad_request("continue key is not valid"))?;
            version = at;
            after = Some(key);
        } else if let Some(asked) = paging.version.filter(|asked| *asked > 0) {
            if asked > self.store.version() {
                return Err(ApiError::timeout());
            }
            if paging.exact {
                version = asked;
            }
        }
        if version < self.store.compacted() {
            return Err(ApiError::expired(version, self.store.compacted()));
        }
        let namespace = scope.namespace.as_deref();
        let mut found: Vec<(Key, Arc<Object>)> = if version == self.store.version() {
            let live = self.store.list(scope.resource, namespace);
            live.map(|(key, object)| (key.clone(), Arc::clone(object)))
                .collect()
        } else {
            self.store
                .view(scope.resource, namespace, version)
                .into_iter()
                .collect()
        };
        found.retain(|(key, object)| {
            after.as_ref().is_none_or(|after| key > after) && scope.matches(object.value())
        });
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if let Some(limit) = paging
            .limit
            .filter(|limit| *limit > 0 && *limit < found.len())
        {
            let left = found.len() - limit;
            found.truncate(limit);
            if let Some((key, _)) = found.last() {
                json::set(
                    &mut metadata,
                    &["continue"],
                    json!(write_token(version, key)),
                );
                json::set(&mut metadata, &["remainingItemCount"], json!(left));
            }
        }
        let (kind, api_version) = match scope.shape {
            Shape::Full => (
                format!("{}List", scope.resource.info().kind),
                scope.resource.api_version(),
            ),
            Shape::Metadata => (
                "PartialObjectMetadataList".to_owned(),
                "meta.k8s.io/v1".to_owned(),
            ),
        };
        let mut body = format!(
            "{{\"kind\":{},\"apiVersion\":{},\"metadata\":{metadata},\"items\":[",
            json!(kind),
            json!(api_version),
        )
        .into_bytes();
        for (index, (_, object)) in found.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&scope.shape.bytes(object));
        }
        body.extend_from_slice(b"]}");
        Ok(Bytes::from(body))
    }
}

fn write_token(version: u64, key: &Key) -> String {
    format!("{version}.{}.{}", key.namespace, key.name)
}

fn read_token(resource: Resource, token: &str) -> Option<(u64, Key)> {
    let (version, rest) = token.split_once('.')?;
    let (namespace, name) = rest.split_once('.')?;
    Some((version.parse().ok()?, Key::new(resource, namespace, name)))
}
