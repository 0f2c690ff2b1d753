//! What a pod takes from ConfigMaps and Secrets: its environment once, when a container starts; its
//! files always as they are now. What is missing keeps it from starting.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::api::resource::Resource;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;

/// Entries of a ConfigMap or Secret as text.
type Entries = BTreeMap<String, String>;

/// Why a container cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The container is refused with these words.
    Variable(String),
    /// The pod waits for its volumes, without words in its status.
    Volume,
}

impl Model {
    /// The environment of a pod's first container, unless something is missing that any of its
    /// containers or volumes needs.
    pub(crate) fn environment(&self, key: &Key, pod: &Value) -> Result<Entries, Missing> {
        for (resource, name, optional) in sources_of_files(pod) {
            if !optional && self.entries(resource, &key.namespace, name).is_none() {
                return Err(Missing::Volume);
            }
        }
        let mut first = None;
        for container in json::list(pod, "/spec/containers") {
            let environment = self.environment_of(key, container)?;
            first.get_or_insert(environment);
        }
        Ok(first.unwrap_or_default())
    }

    /// The entries of all ConfigMaps and Secrets that a pod has as files, by their names.
    pub(crate) fn files(&self, key: &Key, pod: &Value) -> Entries {
        sources_of_files(pod)
            .into_iter()
            .filter_map(|(resource, name, _)| self.entries(resource, &key.namespace, name))
            .flatten()
            .collect()
    }

    fn environment_of(&self, key: &Key, container: &Value) -> Result<Entries, Missing> {
        let namespace = &key.namespace;
        let mut environment = Entries::new();
        for source in json::list(container, "/envFrom") {
            let prefix = json::text(source, "/prefix");
            for (member, resource) in [
                ("configMapRef", Resource::ConfigMaps),
                ("secretRef", Resource::Secrets),
            ] {
                let Some(reference) = source.get(member) else {
                    continue;
                };
                let name = json::text(reference, "/name");
                match self.entries(resource, namespace, name) {
                    Some(entries) => environment.extend(
                        entries
                            .into_iter()
                            .map(|(key, value)| (format!("{prefix}{key}"), value)),
                    ),
                    None if json::flag(reference, "/optional") => {}
                    None => return Err(absent(resource, name)),
                }
            }
        }
        for variable in json::list(container, "/env") {
            let name = json::text(variable, "/name").to_owned();
            if let Some(value) = self.variable(namespace, variable)? {
                environment.insert(name, value);
            }
        }
        Ok(environment)
    }

    fn variable(&self, namespace: &str, variable: &Value) -> Result<Option<String>, Missing> {
        for (member, resource) in [
            ("configMapKeyRef", Resource::ConfigMaps),
            ("secretKeyRef", Resource::Secrets),
        ] {
            let Some(reference) = json::at(variable, &format!("/valueFrom/{member}")) else {
                continue;
            };
            let (name, key) = (
                json::text(reference, "/name"),
                json::text(reference, "/key"),
            );
            let optional = json::flag(reference, "/optional");
            return match self.entries(resource, namespace, name) {
                Some(mut entries) => match entries.remove(key) {
                    Some(value) => Ok(Some(value)),
                    None if optional => Ok(None),
                    None => Err(Missing::Variable(format!(
                        "couldn't find key {key} in {} {namespace}/{name}",
                        resource.info().kind
                    ))),
                },
                None if optional => Ok(None),
                None => Err(absent(resource, name)),
            };
        }
        Ok(Some(json::text(variable, "/value").to_owned()))
    }

    /// What a ConfigMap or Secret holds as text.
    fn entries(&self, resource: Resource, namespace: &str, name: &str) -> Option<Entries> {
        let object = self.value(&Key::new(resource, namespace, name))?;
        let text = |value: &str| match resource {
            Resource::Secrets => {
                let bytes = STANDARD.decode(value).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => value.to_owned(),
        };
        let entries = json::entries(object, "/data");
        Some(
            entries
                .map(|(key, value)| (key.to_owned(), text(value)))
                .collect(),
        )
    }
}

fn absent(resource: Resource, name: &str) -> Missing {
    Missing::Variable(format!("{} \"{name}\" not found", resource.info().singular))
}

/// The ConfigMaps and Secrets of a pod's volumes, and whether each may be missing.
fn sources_of_files(pod: &Value) -> Vec<(Resource, &str, bool)> {
    let mut sources = Vec::new();
    let source = |holder: &Value| {
        let config = holder.get("configMap").is_some();
        let (member, resource, name) = if config {
            ("configMap", Resource::ConfigMaps, "name")
        } else {
            ("secret", Resource::Secrets, "secretName")
        };
        (member, resource, name)
    };
    for volume in json::list(pod, "/spec/volumes") {
        let (member, resource, name) = source(volume);
        if let Some(found) = volume.get(member) {
            let name = json::text(found, &format!("/{name}"));
            sources.push((resource, name, json::flag(found, "/optional")));
        }
        for projected in json::list(volume, "/projected/sources") {
            let (member, resource, _) = source(projected);
            if let Some(found) = projected.get(member) {
                let name = json::text(found, "/name");
                sources.push((resource, name, json::flag(found, "/optional")));
            }
        }
    }
    sources
}
