//! What of an object decides over traffic, for the log of writes.

use serde_json::Value;

use crate::api::resource::Resource;
use crate::json;

/// What of an object decides over traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// `spec.replicas`.
    pub replicas: Option<i64>,
    /// The images of the pod template's containers.
    pub images: Vec<String>,
    /// `spec.paused`.
    pub paused: bool,
    /// A Service's selector, as sorted `key=value`.
    pub selector: Vec<String>,
    /// A digest of the pod template, to see any change of it.
    pub template: String,
    /// The partition of a StatefulSet's rolling update.
    pub partition: Option<i64>,
    /// `spec.suspend` of a Job or CronJob.
    pub suspended: bool,
    /// An HTTPRoute's weights as `rule/backend=weight`, a rule without a name by its index.
    pub weights: Vec<String>,
}

impl Summary {
    pub(crate) fn of(resource: Resource, object: &Value) -> Option<Self> {
        match resource {
            Resource::Deployments
            | Resource::ReplicaSets
            | Resource::StatefulSets
            | Resource::DaemonSets
            | Resource::Jobs => {
                let containers = json::list(object, "/spec/template/spec/containers");
                let template = json::at(object, "/spec/template").unwrap_or(&Value::Null);
                let images = containers
                    .iter()
                    .map(|container| json::text(container, "/image"));
                Some(Self {
                    replicas: json::int(object, "/spec/replicas"),
                    images: images.map(str::to_owned).collect(),
                    paused: json::flag(object, "/spec/paused"),
                    template: json::safe_name(&json::digest(template), 10),
                    partition: json::int(object, "/spec/updateStrategy/rollingUpdate/partition"),
                    suspended: json::flag(object, "/spec/suspend"),
                    ..Self::default()
                })
            }
            Resource::Services => {
                let mut selector: Vec<String> = json::entries(object, "/spec/selector")
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                selector.sort();
                Some(Self {
                    selector,
                    ..Self::default()
                })
            }
            Resource::HttpRoutes => Some(Self {
                weights: weights(object),
                ..Self::default()
            }),
            _ => None,
        }
    }
}

fn weights(route: &Value) -> Vec<String> {
    let mut weights = Vec::new();
    for (index, rule) in json::list(route, "/spec/rules").iter().enumerate() {
        let rule_name = match json::text(rule, "/name") {
            "" => index.to_string(),
            name => name.to_owned(),
        };
        for backend in json::list(rule, "/backendRefs") {
            let weight = json::int(backend, "/weight").unwrap_or(1);
            let name = json::text(backend, "/name");
            weights.push(format!("{rule_name}/{name}={weight}"));
        }
    }
    weights
}
