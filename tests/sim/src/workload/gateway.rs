//! A gateway's controller: it says of each HTTPRoute which generation it serves, and whether the
//! Services that it names are there. And the weights by which it, or ingress-nginx, picks a Service.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::resource::Resource;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;
use crate::timeline::WeightOf;
use crate::timing;
use crate::workload::queue::Work;

/// The controller's name in a route's status.
const CONTROLLER: &str = "sluice.dev/simulated-gateway";

/// What ingress-nginx reads of a canary.
const CANARY: &str = "nginx.ingress.kubernetes.io/canary";

impl Model {
    /// A Service came or went: the routes of its namespace are looked at again.
    pub(crate) fn queue_routes(&mut self, namespace: &str) {
        let routes: Vec<Key> = self
            .store
            .list(Resource::HttpRoutes, Some(namespace))
            .map(|(key, _)| key.clone())
            .collect();
        for route in routes {
            self.queue_gateway(Work::Route(route));
        }
    }

    /// Queues work after the delay with which gateways follow.
    pub(crate) fn queue_gateway(&mut self, work: Work) {
        let lag = timing::draw(&mut self.random, &self.timing.gateway);
        self.queue_at(work, Instant::now() + lag);
    }

    /// The gateways take a route as it is now, and say so.
    pub(crate) fn sync_route(&mut self, key: &Key) {
        let rules = self.rules_of(key);
        let now = self.clock.now();
        self.timeline
            .served
            .note_route(&key.namespace, &key.name, &rules, now);
        self.sync_fronts(&key.namespace);
        let Some(object) = self.object(key) else {
            return;
        };
        let route = object.value();
        let missing = json::list(route, "/spec/rules")
            .iter()
            .flat_map(|rule| json::list(rule, "/backendRefs"))
            .find(|backend| {
                let namespace = match json::text(backend, "/namespace") {
                    "" => key.namespace.as_str(),
                    namespace => namespace,
                };
                let name = json::text(backend, "/name");
                let service = Key::new(Resource::Services, namespace, name);
                json::text(backend, "/kind") == "Service" && self.store.get(&service).is_none()
            })
            .map(|backend| json::text(backend, "/name").to_owned());
        let (resolved, reason, message) = match &missing {
            None => ("True", "ResolvedRefs", String::new()),
            Some(name) => (
                "False",
                "BackendNotFound",
                format!("service \"{name}\" not found"),
            ),
        };
        let generation = json::int(route, "/metadata/generation");
        let now = self.now_text();
        let condition = |kind: &str, status: &str, reason: &str, message: &str, since: String| {
            json!({
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "observedGeneration": generation,
                "lastTransitionTime": since,
            })
        };
        let parents: Vec<Value> = json::list(route, "/spec/parentRefs")
            .iter()
            .enumerate()
            .map(|(index, parent)| {
                let since = |kind: &str, status: &str| {
                    let before = json::list(route, &format!("/status/parents/{index}/conditions"))
                        .iter()
                        .find(|found| {
                            json::text(found, "/type") == kind
                                && json::text(found, "/status") == status
                        });
                    before.map_or(now.clone(), |found| {
                        json::text(found, "/lastTransitionTime").to_owned()
                    })
                };
                let accepted = since("Accepted", "True");
                let refs = since("ResolvedRefs", resolved);
                json!({
                    "parentRef": parent,
                    "controllerName": CONTROLLER,
                    "conditions": [
                        condition("Accepted", "True", "Accepted", "", accepted),
                        condition("ResolvedRefs", resolved, reason, &message, refs),
                    ],
                })
            })
            .collect();
        if parents.is_empty() {
            return;
        }
        self.modify(key, |value| {
            json::set(value, &["status", "parents"], Value::Array(parents));
        });
    }

    /// The weights of a route's rules, each by its index and its name; none if there is no such
    /// route.
    pub(crate) fn rules_of(&self, key: &Key) -> BTreeMap<String, WeightOf> {
        let mut rules = BTreeMap::new();
        let found = self
            .value(key)
            .map_or(&[][..], |route| json::list(route, "/spec/rules"));
        for (index, rule) in found.iter().enumerate() {
            let weights = route_weights(rule);
            let name = json::text(rule, "/name");
            if !name.is_empty() {
                rules.insert(name.to_owned(), weights.clone());
            }
            rules.insert(index.to_string(), weights);
        }
        rules
    }

    /// The weights of a namespace's Ingresses that are no canaries.
    pub(crate) fn ingresses_of(&self, namespace: &str) -> BTreeMap<String, WeightOf> {
        self.store
            .list(Resource::Ingresses, Some(namespace))
            .filter(|(_, ingress)| !is_canary(ingress.value()))
            .filter_map(|(key, ingress)| {
                let weights = self.backends_of_ingress(namespace, ingress.value())?;
                Some((key.name.clone(), weights))
            })
            .collect()
    }

    /// ingress-nginx takes the Ingresses of a namespace as they are now.
    pub(crate) fn serve_ingresses(&mut self, namespace: &str) {
        let ingresses = self.ingresses_of(namespace);
        let now = self.clock.now();
        self.timeline
            .served
            .note_ingresses(namespace, &ingresses, now);
        self.sync_fronts(namespace);
    }

    /// The Services that an Ingress's first path sends to, by weight: its own, and that of its
    /// canary, if it has one.
    fn backends_of_ingress(&self, namespace: &str, main: &Value) -> Option<WeightOf> {
        let (place, service) = first_path(main)?;
        let canary = self
            .store
            .list(Resource::Ingresses, Some(namespace))
            .map(|(_, other)| other.value())
            .filter(|other| is_canary(other))
            .find_map(|other| {
                let (at, service) = first_path(other)?;
                (at == place).then(|| {
                    (
                        service,
                        setting(other, "weight"),
                        setting(other, "weight-total"),
                    )
                })
            });
        let mut weights = WeightOf::new();
        let (canary, weight, total) = match canary {
            Some((canary, weight, total)) => (canary, weight.unwrap_or(0), total.unwrap_or(100)),
            None => (String::new(), 0, 100),
        };
        *weights.entry(service).or_default() += total - weight.min(total);
        if !canary.is_empty() {
            *weights.entry(canary).or_default() += weight.min(total);
        }
        Some(weights)
    }
}

/// The weights of a rule's backends; 1 where none is given.
fn route_weights(rule: &Value) -> WeightOf {
    let mut weights = WeightOf::new();
    for backend in json::list(rule, "/backendRefs") {
        let name = json::text(backend, "/name").to_owned();
        *weights.entry(name).or_default() += json::int(backend, "/weight").unwrap_or(1);
    }
    weights
}

/// Whether an Ingress is a canary of another.
fn is_canary(ingress: &Value) -> bool {
    json::entry(ingress, "/metadata/annotations", CANARY) == Some("true")
}

fn setting(ingress: &Value, name: &str) -> Option<i64> {
    let annotation = format!("{CANARY}-{name}");
    json::entry(ingress, "/metadata/annotations", &annotation)?
        .parse()
        .ok()
}

/// Host and path of an Ingress's first path, and the Service behind it.
fn first_path(ingress: &Value) -> Option<((String, String), String)> {
    let rule = json::list(ingress, "/spec/rules").first()?;
    let path = json::list(rule, "/http/paths").first()?;
    let place = (
        json::text(rule, "/host").to_owned(),
        json::text(path, "/path").to_owned(),
    );
    Some((place, json::text(path, "/backend/service/name").to_owned()))
}
