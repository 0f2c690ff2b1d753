//! One write request, carried out against the model and written to the log.

use bytes::Bytes;
use http::header;
use http::request::Parts;
use serde_json::{Value, json};

use crate::api::admission::{self, Act};
use crate::api::delete::Deleted;
use crate::api::error::ApiError;
use crate::api::json_patch;
use crate::api::patch::{self, PatchKind};
use crate::api::path::{Place, Query};
use crate::api::read::Scope;
use crate::api::store::Key;
use crate::api::write::{Door, Options};
use crate::client::Instance;
use crate::identity::User;
use crate::json;
use crate::model::Model;
use crate::server;
use crate::writes::{Summary, WriteRecord};

/// The verbs of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    /// The name that RBAC knows it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// A finished answer.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) code: u16,
    pub(crate) body: Bytes,
}

impl Outcome {
    pub(crate) fn ok(body: Bytes) -> Self {
        Self { code: 200, body }
    }

    pub(crate) fn json(code: u16, value: &Value) -> Self {
        Self {
            code,
            body: Bytes::from(value.to_string()),
        }
    }
}

/// A write request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) user: User,
    pub(crate) instance: u64,
    pub(crate) verb: Verb,
    pub(crate) place: Place,
    pub(crate) scope: Scope,
    pub(crate) patch: Option<PatchKind>,
    pub(crate) options: Options,
    pub(crate) body: Value,
    pub(crate) size: usize,
}

impl Call {
    pub(crate) fn new(
        caller: &Instance,
        verb: Verb,
        place: Place,
        parts: &Parts,
        query: &Query,
        body: &Bytes,
    ) -> Result<Self, ApiError> {
        let content_type = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let patch = match verb {
            Verb::Patch => Some(PatchKind::of(content_type)?),
            _ => None,
        };
        let value = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(body).map_err(|error| {
                ApiError::bad_request(format!("the body cannot be read as JSON: {error}"))
            })?
        };
        let dry_run = query.get("dryRun") == "All"
            || json::list(&value, "/dryRun")
                .iter()
                .any(|item| item == "All")
                && matches!(verb, Verb::Delete | Verb::DeleteCollection);
        Ok(Self {
            user: caller.user.clone(),
            instance: caller.id,
            verb,
            scope: server::scope(&place, parts, query)?,
            place,
            patch,
            options: Options {
                dry_run,
                manager: query.get("fieldManager").to_owned(),
                force: query.is_true("force"),
                unguarded: false,
            },
            body: value,
            size: body.len(),
        })
    }

    fn key(&self) -> Key {
        Key::new(
            self.place.resource,
            self.place.namespace.as_deref().unwrap_or_default(),
            self.place.name.as_deref().unwrap_or_default(),
        )
    }
}

impl Model {
    /// Carries a write out and logs it.
    pub(crate) fn carry_out(
        &mut self,
        call: &Call,
        number: Option<u64>,
    ) -> Result<Outcome, ApiError> {
        let mut key = call.key();
        let summary = |model: &Self, key: &Key| {
            model
                .value(key)
                .and_then(|value| Summary::of(key.resource, value))
        };
        let before = summary(self, &key);
        let done = self.dispatch(call, &key);
        if call.options.dry_run {
            return done.map(|(outcome, _)| outcome);
        }
        let (code, refusal) = match &done {
            Ok((outcome, name)) => {
                key.name.clone_from(name);
                (outcome.code, String::new())
            }
            Err(error) => (error.code, error.explained()),
        };
        let version = if code < 300 { self.store.version() } else { 0 };
        let after = summary(self, &key);
        let mut record = WriteRecord {
            refusal,
            version,
            before,
            after,
            ..self.record(call, number, code)
        };
        // A name that the server made.
        if code < 300 {
            record.name = key.name;
        }
        self.writes.push(record, call.size);
        done.map(|(outcome, _)| outcome)
    }

    /// Logs a write that a planned fault refused.
    pub(crate) fn log_refused(&mut self, call: &Call, number: Option<u64>, error: &ApiError) {
        let record = self.record(call, number, error.code);
        self.writes.push(
            WriteRecord {
                refusal: error.explained(),
                ..record
            },
            call.size,
        );
    }

    fn record(&self, call: &Call, number: Option<u64>, code: u16) -> WriteRecord {
        let mut key = call.key();
        if call.verb == Verb::Create {
            json::text(&call.body, "/metadata/name").clone_into(&mut key.name);
        }
        WriteRecord {
            seq: 0,
            number,
            at: self.now(),
            user: call.user.name.clone(),
            instance: call.instance,
            verb: call.verb.name(),
            resource: key.resource,
            subresource: call.place.subresource.clone().unwrap_or_default(),
            namespace: key.namespace,
            name: key.name,
            body: call.body.clone(),
            code,
            refusal: String::new(),
            version: 0,
            before: None,
            after: None,
        }
    }

    /// The answer, and the name of the object that was written.
    fn dispatch(&mut self, call: &Call, key: &Key) -> Result<(Outcome, String), ApiError> {
        let door = match call.place.subresource.as_deref() {
            None => Door::Main,
            Some("status") if key.resource.info().status => Door::Status,
            Some("scale") => {
                let value = self.write_scale(call, key)?;
                return Ok((Outcome::json(200, &value), key.name.clone()));
            }
            Some(_) => return Err(ApiError::no_route()),
        };
        let body = call.body.clone();
        let stored = match call.verb {
            Verb::Create => {
                if call.place.namespace.is_none() && key.resource.info().namespaced {
                    return Err(ApiError::method_not_allowed());
                }
                let (namespace, options) = (key.namespace.as_str(), &call.options);
                let object = self.create(&call.user, key.resource, namespace, body, options)?;
                let name = json::text(object.value(), "/metadata/name").to_owned();
                return Ok((
                    Outcome {
                        code: 201,
                        body: call.scope.shape.bytes(&object),
                    },
                    name,
                ));
            }
            Verb::Update => self.replace(&call.user, key, door, body, &call.options)?,
            Verb::Patch => {
                let kind = call.patch.unwrap_or(PatchKind::Merge);
                self.patch(&call.user, key, door, kind, body, &call.options)?
            }
            Verb::Delete => {
                self.check_delete(call, key)?;
                let outcome = match self.delete(key, &body, call.options.dry_run)? {
                    Deleted::Going(object) => Outcome::ok(call.scope.shape.bytes(&object)),
                    Deleted::Gone(status) => Outcome::json(200, &status),
                };
                return Ok((outcome, key.name.clone()));
            }
            Verb::DeleteCollection => {
                let keys: Vec<Key> = self
                    .store
                    .list(key.resource, call.place.namespace.as_deref())
                    .filter(|(_, object)| call.scope.matches(object.value()))
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in &keys {
                    self.check_delete(call, key)?;
                    self.delete(key, &body, call.options.dry_run)?;
                }
                let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" });
                return Ok((Outcome::json(200, &status), String::new()));
            }
            Verb::Get | Verb::List | Verb::Watch => return Err(ApiError::method_not_allowed()),
        };
        Ok((
            Outcome::ok(call.scope.shape.bytes(&stored)),
            key.name.clone(),
        ))
    }

    fn check_delete(&self, call: &Call, key: &Key) -> Result<(), ApiError> {
        match self.value(key) {
            Some(value) => {
                admission::check(&self.guards, &call.user, key.resource, Act::Delete, value)
            }
            None => Ok(()),
        }
    }

    /// The `Scale` of a workload, which `kubectl scale` and autoscalers use.
    pub(crate) fn get_scale(&self, key: &Key) -> Result<Value, ApiError> {
        if !key.resource.info().scale {
            return Err(ApiError::no_route());
        }
        let value = self
            .value(key)
            .ok_or_else(|| ApiError::not_found(key.resource, &key.name))?;
        Ok(json!({
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "uid": json::text(value, "/metadata/uid"),
                "resourceVersion": json::text(value, "/metadata/resourceVersion"),
                "creationTimestamp": json::text(value, "/metadata/creationTimestamp"),
            },
            "spec": { "replicas": json::int(value, "/spec/replicas") },
            "status": { "replicas": json::int(value, "/status/replicas").unwrap_or_default() },
        }))
    }

    fn write_scale(&mut self, call: &Call, key: &Key) -> Result<Value, ApiError> {
        let mut scale = self.get_scale(key)?;
        match call.patch {
            None => scale = call.body.clone(),
            Some(PatchKind::Json) => json_patch::apply(&mut scale, &call.body)?,
            Some(PatchKind::Merge | PatchKind::Strategic | PatchKind::Apply) => {
                patch::merge(&mut scale, &call.body);
            }
        }
        let change = json!({
            "metadata": { "resourceVersion": json::at(&scale, "/metadata/resourceVersion") },
            "spec": { "replicas": json::int(&scale, "/spec/replicas").unwrap_or_default() },
        });
        let merge = PatchKind::Merge;
        self.patch(&call.user, key, Door::Main, merge, change, &call.options)?;
        self.get_scale(key)
    }
}
