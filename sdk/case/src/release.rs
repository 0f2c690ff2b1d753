//! The release that a case is about.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The contract's `release`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Release {
    /// The Rollout's name.
    pub id: String,
    /// Where it goes.
    pub workload: Workload,
    /// Digest that serves now.
    pub from_revision: Option<String>,
    /// Digest that shall serve.
    pub to_revision: String,
    /// Every image.
    pub images: Vec<String>,
    /// The approval hash.
    pub subject_digest: String,
}

/// The contract's `workload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Workload {
    /// The cluster.
    pub cluster: String,
    /// Its namespace.
    pub namespace: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Default for Release {
    /// The sample one: the service `storefront` in namespace `shop`.
    fn default() -> Self {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        Release {
            id: "storefront-production-1".into(),
            workload: Workload {
                cluster: "test".into(),
                namespace: "shop".into(),
                kind: "Deployment".into(),
                name: "storefront".into(),
                uid: "00000000-0000-4000-8000-000000000001".into(),
            },
            from_revision: Some(digest("a")),
            to_revision: digest("b"),
            images: vec![format!(
                "registry.example.com/shop/storefront@{}",
                digest("b")
            )],
            subject_digest: digest("c"),
        }
    }
}

impl Release {
    /// The sample one with these fields changed.
    pub(crate) fn changed(over: &Map<String, Value>) -> Result<Release, serde_json::Error> {
        let mut release = serde_json::to_value(Release::default())?;
        overlay(&mut release, over);
        serde_json::from_value(release)
    }
}

fn overlay(base: &mut Value, over: &Map<String, Value>) {
    let Value::Object(fields) = base else {
        return;
    };
    for (key, value) in over {
        match (fields.get_mut(key), value) {
            (Some(inner @ Value::Object(_)), Value::Object(over)) => overlay(inner, over),
            // An unknown name is put there too, for the type to complain about.
            (Some(_) | None, value) => {
                fields.insert(key.clone(), value.clone());
            }
        }
    }
}
