//! ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, which its controller
//! keeps to go back to.

use serde_json::{Value, json};

use crate::api::resource::Resource;
use crate::api::selector::Selector;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;
use crate::workload::deployment::owner_reference;
use crate::workload::react::{controller, is_dying};

/// The label by which pods say what they were made from: of a StatefulSet the name of the revision,
/// of a DaemonSet its hash alone.
pub(crate) const HASH: &str = "controller-revision-hash";

/// One template that a workload has or had.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    pub(crate) key: Key,
    pub(crate) number: i64,
    pub(crate) template: Value,
}

impl Revision {
    /// The part of the name that stands for the template.
    pub(crate) fn hash(&self, owner: &Key) -> &str {
        let name = self.key.name.as_str();
        name.strip_prefix(owner.name.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .unwrap_or(name)
    }
}

impl Model {
    /// The revisions of a workload, oldest first. One without a controller whose labels match the
    /// workload's selector is adopted, whoever made it.
    pub(crate) fn revisions(&mut self, owner: &Key, workload: &Value) -> Vec<Revision> {
        self.adopt(Resource::ControllerRevisions, owner, workload);
        let uid = json::text(workload, "/metadata/uid");
        let selector = json::at(workload, "/spec/selector").unwrap_or(&Value::Null);
        let selector = Selector::from_object(selector);
        let mut revisions: Vec<Revision> = self
            .store
            .list(Resource::ControllerRevisions, Some(&owner.namespace))
            .filter(|(_, object)| {
                let value = object.value();
                selector.matches(value)
                    && controller(value).is_some_and(|(_, _, owner)| owner == uid)
            })
            .map(|(key, object)| {
                let mut template = json::at(object.value(), "/data/spec/template")
                    .cloned()
                    .unwrap_or_default();
                json::remove(&mut template, &["$patch"]);
                Revision {
                    key: key.clone(),
                    number: json::int(object.value(), "/revision").unwrap_or_default(),
                    template,
                }
            })
            .collect();
        revisions.sort_by(|a, b| (a.number, &a.key.name).cmp(&(b.number, &b.key.name)));
        revisions
    }

    /// The revision of the present template: the newest, or an older one that becomes the newest,
    /// or a new one. The other revisions stay as they are.
    pub(crate) fn present_revision(
        &mut self,
        owner: &Key,
        workload: &Value,
        revisions: &[Revision],
    ) -> Option<Revision> {
        let template = json::at(workload, "/spec/template").cloned()?;
        let last = revisions.last().map_or(0, |revision| revision.number);
        let found = revisions
            .iter()
            .rev()
            .find(|revision| revision.template == template);
        match found {
            Some(found) if found.number == last => Some(found.clone()),
            Some(found) => {
                let mut found = found.clone();
                found.number = last + 1;
                self.modify(&found.key, |value| {
                    json::set(value, &["revision"], json!(last + 1));
                });
                Some(found)
            }
            None => self.add_revision(owner, workload, template, last + 1),
        }
    }

    fn add_revision(
        &mut self,
        owner: &Key,
        workload: &Value,
        template: Value,
        number: i64,
    ) -> Option<Revision> {
        let hash = json::safe_name(&json::digest(&template), 10);
        let name = format!("{}-{hash}", owner.name);
        let key = Key::new(Resource::ControllerRevisions, &owner.namespace, &name);
        if self.store.get(&key).is_some() {
            self.problem(format!(
                "ControllerRevision {name} exists but holds another template"
            ));
            return None;
        }
        let kind = owner.resource.info().kind;
        let uid = json::text(workload, "/metadata/uid");
        let mut labels = json::at(&template, "/metadata/labels")
            .cloned()
            .unwrap_or_else(|| json!({}));
        json::set(&mut labels, &["controller.kubernetes.io/hash"], json!(hash));
        let mut held = template.clone();
        json::set(&mut held, &["$patch"], json!("replace"));
        let object = json!({
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "labels": labels,
                "ownerReferences": [owner_reference("apps/v1", kind, &owner.name, uid)],
            },
            "data": { "spec": { "template": held } },
            "revision": number,
        });
        self.spawn(key.clone(), object);
        Some(Revision {
            key,
            number,
            template,
        })
    }

    /// Removes the oldest revisions beyond the limit that nothing needs any more.
    pub(crate) fn clean_revisions(&mut self, workload: &Value, unused: &[Revision]) {
        let keep = json::int(workload, "/spec/revisionHistoryLimit").unwrap_or(10);
        let keep = usize::try_from(keep).unwrap_or_default();
        for revision in unused.iter().take(unused.len().saturating_sub(keep)) {
            self.delete_object(&revision.key);
        }
    }

    /// Objects without a controller that a workload's selector matches become its own.
    pub(crate) fn adopt(&mut self, resource: Resource, owner: &Key, workload: &Value) {
        let selector = json::at(workload, "/spec/selector").unwrap_or(&Value::Null);
        let selector = Selector::from_object(selector);
        let orphans: Vec<Key> = self
            .store
            .list(resource, Some(&owner.namespace))
            .filter(|(_, object)| {
                let value = object.value();
                controller(value).is_none() && selector.matches(value) && !is_dying(value)
            })
            .map(|(key, _)| key.clone())
            .collect();
        let kind = owner.resource.info().kind;
        for orphan in orphans {
            let uid = json::text(workload, "/metadata/uid");
            let reference = owner_reference("apps/v1", kind, &owner.name, uid);
            self.modify(&orphan, |value| {
                let mut owners = json::list(value, "/metadata/ownerReferences").to_vec();
                owners.push(reference);
                let path = ["metadata", "ownerReferences"];
                json::set(value, &path, Value::Array(owners));
            });
        }
    }
}
