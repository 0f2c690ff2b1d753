//! Versions of configuration that go with an image.
//!
//! A ConfigMap or Secret that is changed in place changes every pod that reads it, the stable ones
//! too, and a rollback brings the old one back no more. So each release gets a copy that never
//! changes, and its pod template refers to that. Going back needs nothing then: the stable template
//! refers to the old copy.
//!
//! A copy's name says what it is, `storefront-config-sluice-4oymiquy7q`, and the same version of the
//! same object has, for one target, the same copy for ever. The word in the middle is what tells it from a neighbour
//! with a long name: `storefront-config-production` ends in ten letters, too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::{SHORT_HASH_LEN, short_name_hash};
use crate::pipeline::ConfigSource;
use crate::rollout::ObjectKind;

/// Between the name of the source and the hash of its version.
const MARK: &str = "-sluice-";
/// Longest name of a ConfigMap or Secret that can go with an image, in bytes. Longer ones are rare, and
/// every Rollout and every revision keeps the names of its copies.
pub const SOURCE_NAME_LIMIT: usize = 63;

/// The version of one ConfigMap or Secret that goes with the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigVersion {
    /// What the Pipeline names.
    pub source: ConfigSource,
    /// uid of that object.
    pub uid: String,
    /// Its resourceVersion: exactly this is copied.
    pub resource_version: String,
    /// Name of the copy.
    pub copy: String,
}

impl ConfigVersion {
    /// The version of `source` that has this uid and resourceVersion, for one target: two targets may
    /// read the same object, and each has its own copy, which goes when it goes.
    pub fn of(source: &ConfigSource, target_uid: &str, uid: &str, resource_version: &str) -> Self {
        let (_, name) = source.object();
        let hash = short_name_hash(&[target_uid, uid, resource_version]);
        Self {
            source: source.clone(),
            uid: uid.to_owned(),
            resource_version: resource_version.to_owned(),
            copy: format!("{name}{MARK}{hash}"),
        }
    }

    /// The copy as an object.
    pub fn as_copy(&self) -> ConfigSource {
        match &self.source {
            ConfigSource::ConfigMap(_) => ConfigSource::ConfigMap(self.copy.clone()),
            ConfigSource::Secret(_) => ConfigSource::Secret(self.copy.clone()),
        }
    }

    fn is_meant(&self, kind: ObjectKind, name: &str) -> bool {
        let (own, source) = self.source.object();
        kind == own && (name == source || source_of(name) == Some(source))
    }
}

/// The name of the object that a copy of this name was made from.
pub fn source_of(copy: &str) -> Option<&str> {
    let (source, hash) = copy.rsplit_once(MARK)?;
    let base32 = |c: char| matches!(c, 'a'..='z' | '2'..='7');
    (hash.len() == SHORT_HASH_LEN && hash.chars().all(base32)).then_some(source)
}

/// The template with every reference to one of the sources, or to an earlier copy of it, turned to
/// the copy of this version.
#[must_use]
pub fn with_versions(template: &Value, versions: &[ConfigVersion]) -> Value {
    let mut out = template.clone();
    each_reference(&mut out, &mut |kind, name| {
        if let Some(version) = versions.iter().find(|v| v.is_meant(kind, name)) {
            name.clone_from(&version.copy);
        }
    });
    out
}

/// The copies that a template refers to, each once.
pub fn copies(template: &Value) -> Vec<ConfigSource> {
    let mut out = Vec::new();
    each_reference(&mut template.clone(), &mut |kind, name| {
        if source_of(name).is_some() {
            let copy = match kind {
                ObjectKind::Secret => ConfigSource::Secret(name.clone()),
                _ => ConfigSource::ConfigMap(name.clone()),
            };
            if !out.contains(&copy) {
                out.push(copy);
            }
        }
    });
    out
}

/// Versions that nothing in any of these templates refers to.
pub fn unused<'a>(versions: &'a [ConfigVersion], templates: &[&Value]) -> Vec<&'a ConfigVersion> {
    let mut used: Vec<(ObjectKind, String)> = Vec::new();
    for template in templates {
        each_reference(&mut (*template).clone(), &mut |kind, name| {
            used.push((kind, name.clone()));
        });
    }
    let refers = |v: &ConfigVersion| used.iter().any(|(kind, name)| v.is_meant(*kind, name));
    versions.iter().filter(|v| !refers(v)).collect()
}

/// Every place of a pod template that names a ConfigMap or Secret which its containers read.
fn each_reference(template: &mut Value, seen: &mut dyn FnMut(ObjectKind, &mut String)) {
    use ObjectKind::{ConfigMap, Secret};
    let Some(spec) = template.get_mut("spec") else {
        return;
    };
    for volume in items(spec, "volumes") {
        name_in(volume, "configMap", "name", ConfigMap, seen);
        name_in(volume, "secret", "secretName", Secret, seen);
        if let Some(projected) = volume.get_mut("projected") {
            for source in items(projected, "sources") {
                name_in(source, "configMap", "name", ConfigMap, seen);
                name_in(source, "secret", "name", Secret, seen);
            }
        }
    }
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            for from in items(container, "envFrom") {
                name_in(from, "configMapRef", "name", ConfigMap, seen);
                name_in(from, "secretRef", "name", Secret, seen);
            }
            for variable in items(container, "env") {
                if let Some(from) = variable.get_mut("valueFrom") {
                    name_in(from, "configMapKeyRef", "name", ConfigMap, seen);
                    name_in(from, "secretKeyRef", "name", Secret, seen);
                }
            }
        }
    }
}

fn items<'a>(value: &'a mut Value, list: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = value.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

fn name_in(
    value: &mut Value,
    field: &str,
    name: &str,
    kind: ObjectKind,
    seen: &mut dyn FnMut(ObjectKind, &mut String),
) {
    if let Some(Value::String(name)) = value.get_mut(field).and_then(|v| v.get_mut(name)) {
        seen(kind, name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk_template(config: &str, secret: &str) -> Value {
        json!({"spec": {
            "volumes": [
                {"name": "a", "configMap": {"name": config}},
                {"name": "b", "secret": {"secretName": secret}},
                {"name": "c", "projected": {"sources": [
                    {"configMap": {"name": config}}, {"secret": {"name": secret}}]}},
                {"name": "d", "emptyDir": {}},
            ],
            "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": secret}}]}],
            "containers": [{"name": "w",
                "envFrom": [{"configMapRef": {"name": config}}],
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": config, "key": "a"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": secret, "key": "b"}}},
                    {"name": "C", "value": config},
                ]}],
        }})
    }

    fn mk_versions() -> Vec<ConfigVersion> {
        vec![
            ConfigVersion::of(&ConfigSource::ConfigMap("app".into()), "t", "u1", "7"),
            ConfigVersion::of(&ConfigSource::Secret("app".into()), "t", "u2", "8"),
        ]
    }

    #[test]
    fn every_reference_is_turned_to_the_copy_and_nothing_else() {
        let versions = mk_versions();
        let (config, secret) = (&versions[0].copy, &versions[1].copy);
        assert_ne!(config, secret);
        let mut wanted = mk_template(config, secret);
        wanted["spec"]["containers"][0]["env"][2]["value"] = json!("app");
        let first = with_versions(&mk_template("app", "app"), &versions);
        assert_eq!(first, wanted);
        // The next release finds the copies of this one.
        let later = ConfigVersion::of(&ConfigSource::ConfigMap("app".into()), "t", "u1", "9");
        let second = with_versions(&first, &[later.clone(), versions[1].clone()]);
        assert_eq!(
            second["spec"]["volumes"][0]["configMap"]["name"],
            later.copy
        );
        assert_eq!(
            second["spec"]["volumes"][1]["secret"]["secretName"],
            *secret
        );
        assert_eq!(copies(&second).len(), 2);
        assert_eq!(copies(&mk_template("app", "app")), []);
    }

    #[test]
    fn a_neighbour_with_a_long_name_is_no_copy() {
        let template = mk_template("app-production", "app-sluice-abc");
        assert_eq!(with_versions(&template, &mk_versions()), template);
        assert_eq!(source_of("app-production"), None);
        assert_eq!(source_of("app-sluice-production"), Some("app"));
        assert_eq!(source_of("app-sluice-production1"), None);
    }

    #[test]
    fn what_nothing_reads_is_told() {
        let versions = mk_versions();
        let template = json!({"spec": {"volumes": [{"configMap": {"name": "app"}}]}});
        let idle = unused(&versions, &[&template]);
        assert_eq!(idle, [&versions[1]]);
        assert!(unused(&versions, &[&template, &mk_template("x", "app")]).is_empty());
    }
}
