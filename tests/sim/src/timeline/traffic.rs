//! From changes of objects to the timelines.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::resource::Resource;
use crate::api::store::{Change, Key};
use crate::json;
use crate::model::{Model, is_removal};

impl Model {
    /// Notes what a change did to traffic.
    pub(crate) fn note_traffic(&mut self, change: &Change) {
        match change.key.resource {
            Resource::EndpointSlices => self.record_endpoints(change),
            Resource::HttpRoutes => self.record_weights(change),
            _ => {}
        }
    }

    fn record_endpoints(&mut self, change: &Change) {
        let labels = "/metadata/labels";
        let name = "kubernetes.io/service-name";
        let Some(service) = json::entry(change.after.value(), labels, name) else {
            return;
        };
        let namespace = &change.key.namespace;
        let mut versions: BTreeMap<String, usize> = BTreeMap::new();
        for endpoint in self.ready_endpoints(namespace, service) {
            let digest = self.digest_behind(namespace, endpoint);
            *versions.entry(digest).or_default() += 1;
        }
        let now = self.clock.now();
        self.timeline.sample(namespace, service, versions, now);
    }

    /// The digest that the pod behind an endpoint runs in its first container.
    fn digest_behind(&self, namespace: &str, endpoint: &Value) -> String {
        let pod = json::text(endpoint, "/targetRef/name");
        let key = Key::new(Resource::Pods, namespace, pod);
        let image_id = self
            .pods
            .get(&key)
            .and_then(|runtime| runtime.image_ids.first());
        image_id
            .and_then(|image_id| image_id.split_once('@'))
            .map_or_else(String::new, |(_, digest)| digest.to_owned())
    }

    fn record_weights(&mut self, change: &Change) {
        let (namespace, route) = (&change.key.namespace, &change.key.name);
        let now = self.clock.now();
        let mut gone = self.timeline.rules(namespace, route);
        if !is_removal(change) {
            let rules = json::list(change.after.value(), "/spec/rules");
            for (index, rule) in rules.iter().enumerate() {
                let weights = weights(rule);
                let name = json::text(rule, "/name");
                for rule in [index.to_string().as_str(), name] {
                    if rule.is_empty() {
                        continue;
                    }
                    gone.retain(|seen| seen != rule);
                    let weights = weights.clone();
                    self.timeline.weigh(namespace, route, rule, weights, now);
                }
            }
        }
        for rule in gone {
            let none = BTreeMap::new();
            self.timeline.weigh(namespace, route, &rule, none, now);
        }
    }
}

/// The weights of a rule's backends; 1 where none is given.
fn weights(rule: &Value) -> BTreeMap<String, i64> {
    let mut weights = BTreeMap::new();
    for backend in json::list(rule, "/backendRefs") {
        let name = json::text(backend, "/name").to_owned();
        *weights.entry(name).or_default() += json::int(backend, "/weight").unwrap_or(1);
    }
    weights
}
