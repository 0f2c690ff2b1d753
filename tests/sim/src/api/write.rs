//! Create, replace, patch: the doors through which objects change.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::api::admission::{self, Act};
use crate::api::apply;
use crate::api::defaults;
use crate::api::error::ApiError;
use crate::api::immutable;
use crate::api::json_patch;
use crate::api::patch::{self, PatchKind};
use crate::api::resource::Resource;
use crate::api::store::{Key, Object};
use crate::api::transitions;
use crate::api::validate;
use crate::clock::rfc3339;
use crate::identity::User;
use crate::json;
use crate::model::Model;

/// Circumstances of a write that are the same for every verb.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// `dryRun=All`: everything is checked, nothing is stored.
    pub(crate) dry_run: bool,
    /// `fieldManager`.
    pub(crate) manager: String,
    /// `force=true` of a server-side apply.
    pub(crate) force: bool,
    /// In the name of the cluster's own people: no guard of Sluice's objects is asked.
    pub(crate) unguarded: bool,
}

/// Which part of an object a write may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// All but the status.
    Main,
    /// `/status`: nothing but the status.
    Status,
}

/// Whether the caller sent the whole object or a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Whole,
    Change,
}

/// Members of `metadata` that only the server writes.
const SERVER_METADATA: &[&str] = &[
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
];

impl Model {
    /// Creates an object.
    pub(crate) fn create(
        &mut self,
        user: &User,
        resource: Resource,
        namespace: &str,
        mut object: Value,
        options: &Options,
    ) -> Result<Arc<Object>, ApiError> {
        let info = resource.info();
        self.identify(resource, namespace, &mut object)?;
        if !json::text(&object, "/metadata/resourceVersion").is_empty() {
            return Err(ApiError::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        if json::text(&object, "/metadata/name").is_empty() {
            let prefix = json::text(&object, "/metadata/generateName").to_owned();
            if prefix.is_empty() {
                return Err(ApiError::invalid(
                    resource,
                    "",
                    "metadata.name",
                    "Required value: name or generateName is required",
                ));
            }
            let name = format!("{prefix}{}", self.suffix(5));
            json::set(&mut object, &["metadata", "name"], json!(name));
        }
        for member in SERVER_METADATA.iter().chain(&["managedFields"]) {
            json::remove(&mut object, &["metadata", member]);
        }
        if info.status {
            json::remove(&mut object, &["status"]);
        }
        defaults::fill(resource, &mut object);
        validate::check(resource, &object)?;
        if !options.unguarded {
            admission::check(&self.guards, user, resource, Act::Create, &object)?;
        }
        let key = Key::new(resource, namespace, json::text(&object, "/metadata/name"));
        self.check_namespace(&key)?;
        if self.store.get(&key).is_some() {
            return Err(ApiError::already_exists(resource, &key.name));
        }
        if resource == Resource::CustomResourceDefinitions {
            let established = json!([
                { "type": "NamesAccepted", "status": "True", "reason": "NoConflicts" },
                { "type": "Established", "status": "True", "reason": "InitialNamesAccepted" },
            ]);
            json::set(&mut object, &["status", "conditions"], established);
        }
        let uid = self.next_uid();
        json::set(&mut object, &["metadata", "uid"], json!(uid));
        if resource == Resource::Jobs {
            defaults::batch::select_pods(&mut object);
        }
        json::set(
            &mut object,
            &["metadata", "creationTimestamp"],
            json!(self.now_text()),
        );
        if info.generation {
            json::set(&mut object, &["metadata", "generation"], json!(1));
        }
        if options.dry_run {
            return Ok(Arc::new(Object::new(object)));
        }
        if resource == Resource::Services {
            self.give_cluster_ip(&mut object);
        }
        if resource == Resource::Namespaces {
            self.gone_namespaces.remove(&key.name);
        } else {
            self.ensure_namespace(namespace);
        }
        Ok(self.put(key, object))
    }

    /// Replaces an object, or its status.
    pub(crate) fn replace(
        &mut self,
        user: &User,
        key: &Key,
        door: Door,
        mut object: Value,
        options: &Options,
    ) -> Result<Arc<Object>, ApiError> {
        self.identify(key.resource, &key.namespace, &mut object)?;
        check_name(key, &object)?;
        let existing = self.existing(key)?;
        self.update(user, key, &existing, door, object, Form::Whole, options)
    }

    /// Patches an object, or its status.
    pub(crate) fn patch(
        &mut self,
        user: &User,
        key: &Key,
        door: Door,
        kind: PatchKind,
        body: Value,
        options: &Options,
    ) -> Result<Arc<Object>, ApiError> {
        let existing = match (self.existing(key), kind) {
            (Ok(existing), _) => existing,
            (Err(_), PatchKind::Apply) if door == Door::Main => {
                return self.apply_new(user, key, body, options);
            }
            (Err(missing), _) => return Err(missing),
        };
        let mut object = existing.value().clone();
        match kind {
            PatchKind::Merge => patch::merge(&mut object, &body),
            PatchKind::Strategic if key.resource.info().custom => {
                return Err(ApiError::no_strategic_merge());
            }
            PatchKind::Strategic => patch::strategic(&mut object, &body),
            PatchKind::Json => json_patch::apply(&mut object, &body)?,
            PatchKind::Apply => {
                self.check_manager(options)?;
                let version = json::text(&body, "/metadata/resourceVersion");
                if !version.is_empty()
                    && version != json::text(&object, "/metadata/resourceVersion")
                {
                    return Err(ApiError::modified(key.resource, &key.name));
                }
                let mut applied = body;
                if door == Door::Main && key.resource.info().status {
                    json::remove(&mut applied, &["status"]);
                }
                apply::apply(
                    &mut object,
                    &applied,
                    &options.manager,
                    options.force,
                    &key.resource.api_version(),
                    &self.now_text(),
                )?;
            }
        }
        check_name(key, &object)?;
        self.update(user, key, &existing, door, object, Form::Change, options)
    }

    fn apply_new(
        &mut self,
        user: &User,
        key: &Key,
        body: Value,
        options: &Options,
    ) -> Result<Arc<Object>, ApiError> {
        self.check_manager(options)?;
        let mut object = json!({ "metadata": { "name": key.name } });
        let now = self.now_text();
        let version = key.resource.api_version();
        apply::apply(
            &mut object,
            &body,
            &options.manager,
            options.force,
            &version,
            &now,
        )?;
        let fields = json::remove(&mut object, &["metadata", "managedFields"]);
        let created = self.create(user, key.resource, &key.namespace, object, options)?;
        if options.dry_run {
            return Ok(created);
        }
        self.modify(key, |value| {
            json::set(
                value,
                &["metadata", "managedFields"],
                fields.unwrap_or_default(),
            );
        });
        self.existing(key)
    }

    fn check_manager(&self, options: &Options) -> Result<(), ApiError> {
        if options.manager.is_empty() {
            return Err(ApiError::bad_request(
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is \
                 required for apply patch",
            ));
        }
        Ok(())
    }

    fn existing(&self, key: &Key) -> Result<Arc<Object>, ApiError> {
        self.store
            .get(key)
            .map(Arc::clone)
            .ok_or_else(|| ApiError::not_found(key.resource, &key.name))
    }

    /// Kind, version and namespace of a body must be those of the path.
    fn identify(
        &self,
        resource: Resource,
        namespace: &str,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        if !object.is_object() {
            return Err(ApiError::bad_request("the body is not a JSON object"));
        }
        let info = resource.info();
        let api_version = resource.api_version();
        for (member, wanted) in [("kind", info.kind), ("apiVersion", api_version.as_str())] {
            let found = json::text(object, &format!("/{member}"));
            if !found.is_empty() && found != wanted {
                return Err(ApiError::bad_request(format!(
                    "the object provided is unrecognized: {member} is \"{found}\", must be \
                     \"{wanted}\""
                )));
            }
            json::set(object, &[member], json!(wanted));
        }
        json::default(object, &["metadata"], Value::Object(Map::new()));
        let found = json::text(object, "/metadata/namespace");
        if !found.is_empty() && found != namespace {
            return Err(ApiError::bad_request(format!(
                "the namespace of the provided object does not match the namespace sent on the \
                 request ({found} and {namespace})"
            )));
        }
        if !namespace.is_empty() {
            json::set(object, &["metadata", "namespace"], json!(namespace));
        }
        Ok(())
    }

    fn check_namespace(&self, key: &Key) -> Result<(), ApiError> {
        if self.gone_namespaces.contains(&key.namespace) {
            return Err(ApiError::not_found(Resource::Namespaces, &key.namespace));
        }
        let namespace = Key::new(Resource::Namespaces, "", &key.namespace);
        let terminating = self
            .value(&namespace)
            .is_some_and(|value| json::at(value, "/metadata/deletionTimestamp").is_some());
        if terminating {
            let why = format!(
                "unable to create new content in namespace {} because it is being terminated",
                key.namespace
            );
            return Err(ApiError::forbidden(key.resource, &key.name, &why));
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place where every write meets every rule"
    )]
    fn update(
        &mut self,
        user: &User,
        key: &Key,
        existing: &Arc<Object>,
        door: Door,
        new: Value,
        form: Form,
        options: &Options,
    ) -> Result<Arc<Object>, ApiError> {
        let resource = key.resource;
        let info = resource.info();
        let old = existing.value();
        check_preconditions(key, old, &new, form)?;

        let mut value = match door {
            Door::Main => {
                let mut value = new;
                if info.status {
                    match old.get("status") {
                        Some(status) => json::set(&mut value, &["status"], status.clone()),
                        None => drop(json::remove(&mut value, &["status"])),
                    }
                }
                value
            }
            Door::Status => {
                let mut value = old.clone();
                match new.get("status") {
                    Some(status) => json::set(&mut value, &["status"], status.clone()),
                    None => drop(json::remove(&mut value, &["status"])),
                }
                if let Some(fields) = json::at(&new, "/metadata/managedFields") {
                    json::set(&mut value, &["metadata", "managedFields"], fields.clone());
                }
                value
            }
        };
        let keep_fields: &[&str] = if form == Form::Change {
            &[]
        } else {
            &["managedFields"]
        };
        for member in SERVER_METADATA
            .iter()
            .chain(keep_fields)
            .chain(&["resourceVersion"])
        {
            match json::at(old, &format!("/metadata/{member}")) {
                Some(kept) => json::set(&mut value, &["metadata", member], kept.clone()),
                None => drop(json::remove(&mut value, &["metadata", member])),
            }
        }
        if resource == Resource::Services {
            for member in ["clusterIP", "clusterIPs"] {
                if let Some(kept) = json::at(old, &format!("/spec/{member}")) {
                    json::default(&mut value, &["spec", member], kept.clone());
                }
            }
        }
        defaults::fill(resource, &mut value);
        validate::check(resource, &value)?;
        immutable::check(resource, old, &value)?;
        let act = match door {
            Door::Main => Act::Update(old),
            Door::Status => Act::Status,
        };
        if !options.unguarded {
            // The definitions come first on a real server, too: validation before admission.
            transitions::check(resource, old, &value)?;
            admission::check(&self.guards, user, resource, act, &value)?;
        }

        if info.generation && spec_differs(old, &value, resource) {
            let generation = json::int(old, "/metadata/generation").unwrap_or_default();
            json::set(
                &mut value,
                &["metadata", "generation"],
                json!(generation + 1),
            );
        }
        if value == *old || options.dry_run {
            return Ok(if options.dry_run {
                Arc::new(Object::new(value))
            } else {
                Arc::clone(existing)
            });
        }
        let dying = json::at(&value, "/metadata/deletionTimestamp").is_some();
        let held = !json::list(&value, "/metadata/finalizers").is_empty();
        let stored = self.put(key.clone(), value);
        if dying && !held && resource != Resource::Pods {
            return Ok(self.remove(key).unwrap_or(stored));
        }
        Ok(stored)
    }

    /// A Service gets its address from the driver, which may have to open a port for it.
    fn give_cluster_ip(&mut self, object: &mut Value) {
        if !json::text(object, "/spec/clusterIP").is_empty() {
            return;
        }
        let ports: Vec<u16> = json::list(object, "/spec/ports")
            .iter()
            .filter_map(|port| u16::try_from(json::int(port, "/port")?).ok())
            .collect();
        match self.network.publish(&ports) {
            Ok(address) => {
                json::set(object, &["spec", "clusterIP"], json!(address.to_string()));
                json::set(
                    object,
                    &["spec", "clusterIPs"],
                    json!([address.to_string()]),
                );
            }
            Err(why) => {
                let name = json::text(object, "/metadata/name").to_owned();
                self.problem(format!("Service {name} gets no address: {why}"));
            }
        }
    }

    /// A timestamp some seconds from now, as `deletionTimestamp` holds it.
    pub(crate) fn seconds_from_now(&self, seconds: i64) -> String {
        let now = self.now();
        let later = now
            .checked_add(jiff::SignedDuration::from_secs(seconds))
            .unwrap_or(now);
        rfc3339(later)
    }
}

/// No write gives an object another name.
fn check_name(key: &Key, object: &Value) -> Result<(), ApiError> {
    let name = json::text(object, "/metadata/name");
    if name == key.name {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "the name of the object ({name}) does not match the name on the URL ({})",
        key.name
    )))
}

/// Optimistic concurrency: version first, then identity, as the real server compares them.
fn check_preconditions(key: &Key, old: &Value, new: &Value, form: Form) -> Result<(), ApiError> {
    let version = json::text(new, "/metadata/resourceVersion");
    if version.is_empty() {
        if form == Form::Whole && !key.resource.info().unconditional_update {
            return Err(ApiError::invalid(
                key.resource,
                &key.name,
                "metadata.resourceVersion",
                "Invalid value: 0: must be specified for an update",
            ));
        }
    } else if version != json::text(old, "/metadata/resourceVersion") {
        return Err(ApiError::modified(key.resource, &key.name));
    }
    let uid = json::text(new, "/metadata/uid");
    let old_uid = json::text(old, "/metadata/uid");
    if !uid.is_empty() && uid != old_uid {
        return Err(match form {
            Form::Whole => ApiError::conflict(
                key.resource,
                &key.name,
                &format!(
                    "Precondition failed: UID in precondition: {uid}, UID in object meta: {old_uid}"
                ),
            ),
            // A real server answers a patch of the uid by validation, not by conflict.
            Form::Change => ApiError::invalid(
                key.resource,
                &key.name,
                "metadata.uid",
                &format!("Invalid value: {uid:?}: field is immutable"),
            ),
        });
    }
    Ok(())
}

/// Whether the generation goes up: for custom resources anything but metadata and status counts; for
/// Deployments, and for them alone, an annotation does, because it is copied to their ReplicaSets.
fn spec_differs(old: &Value, new: &Value, resource: Resource) -> bool {
    if !resource.info().custom {
        let annotations = |value: &Value| value.pointer("/metadata/annotations").cloned();
        return old.get("spec") != new.get("spec")
            || (resource == Resource::Deployments && annotations(old) != annotations(new));
    }
    let rest = |value: &Value| {
        let mut rest = value.clone();
        json::remove(&mut rest, &["metadata"]);
        json::remove(&mut rest, &["status"]);
        rest
    };
    rest(old) != rest(new)
}
