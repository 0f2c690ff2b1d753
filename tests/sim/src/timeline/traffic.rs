//! From changes of objects to the timelines.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::resource::Resource;
use crate::api::store::{Change, Key};
use crate::json;
use crate::model::Model;

impl Model {
    /// Notes what a change did to traffic.
    pub(crate) fn note_traffic(&mut self, change: &Change) {
        match change.key.resource {
            Resource::EndpointSlices => self.record_endpoints(change),
            Resource::HttpRoutes => {
                let rules = self.rules_of(&change.key);
                let (namespace, route) = (&change.key.namespace, &change.key.name);
                let now = self.clock.now();
                self.timeline
                    .written
                    .note_route(namespace, route, &rules, now);
            }
            Resource::Ingresses => {
                let namespace = &change.key.namespace;
                let ingresses = self.ingresses_of(namespace);
                let now = self.clock.now();
                self.timeline
                    .written
                    .note_ingresses(namespace, &ingresses, now);
            }
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
        self.sync_fronts(namespace);
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
}
