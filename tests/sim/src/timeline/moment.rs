//! A view of the cluster at each change.

use jiff::Timestamp;
use serde_json::Value;

use crate::api::resource::Resource;
use crate::api::store::{Change, ChangeKind, Key};
use crate::model::Model;

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// An object was created.
    Added,
    /// An object was changed.
    Modified,
    /// An object was removed.
    Deleted,
}

/// One change, with the cluster as it stands right after it. Handed to [`Observer`]s while the
/// cluster's lock is held: an observer must not call the cluster.
pub struct Moment<'a> {
    model: &'a Model,
    change: &'a Change,
}

/// A function that looks at every change.
pub type Observer = Box<dyn Fn(&Moment<'_>) + Send>;

impl<'a> Moment<'a> {
    pub(crate) fn new(model: &'a Model, change: &'a Change) -> Self {
        Self { model, change }
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        self.model.clock.at(self.change.at)
    }

    /// What happened.
    pub fn happened(&self) -> Happened {
        match self.change.kind {
            ChangeKind::Added => Happened::Added,
            ChangeKind::Modified => Happened::Modified,
            ChangeKind::Deleted => Happened::Deleted,
        }
    }

    /// The resource of the changed object.
    pub fn resource(&self) -> Resource {
        self.change.key.resource
    }

    /// Namespace of the changed object; empty for objects of the whole cluster.
    pub fn namespace(&self) -> &str {
        &self.change.key.namespace
    }

    /// Name of the changed object.
    pub fn name(&self) -> &str {
        &self.change.key.name
    }

    /// The object before the change.
    pub fn before(&self) -> Option<&Value> {
        self.change.before.as_ref().map(|object| object.value())
    }

    /// The object after the change; of a removal its last state.
    pub fn after(&self) -> &Value {
        self.change.after.value()
    }

    /// Any object as it stands now.
    pub fn object(&self, resource: Resource, namespace: &str, name: &str) -> Option<&Value> {
        self.model.value(&Key::new(resource, namespace, name))
    }

    /// All objects of a resource in a namespace.
    pub fn objects(&self, resource: Resource, namespace: &str) -> Vec<&'a Value> {
        let model = self.model;
        model
            .store
            .list(resource, None)
            .filter(|(key, _)| key.namespace == namespace)
            .map(|(_, object)| object.value())
            .collect()
    }

    /// Ready pods behind a Service now.
    pub fn ready_behind(&self, namespace: &str, service: &str) -> usize {
        self.model.ready_behind(namespace, service)
    }
}
