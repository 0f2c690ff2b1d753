//! The endpoint slice controller and kube-proxy: which pods a Service leads to, kept at once with
//! every change, so that a pod is out of its Services in the same instant in which it is deleted
//! or stops being ready.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use serde_json::{Value, json};

use crate::api::resource::Resource;
use crate::api::selector::Selector;
use crate::api::store::{Change, ChangeKind, Key};
use crate::json;
use crate::model::Model;
use crate::workload::deployment::owner_reference;
use crate::workload::react::is_dying;

/// The label that leads from a slice to its Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// Ports as a slice lists them: `(name, number)`.
type Ports = Vec<(String, u16)>;

impl Model {
    /// A pod changed: the Services that match it, or matched it, follow.
    pub(crate) fn sync_services_of(&mut self, change: &Change) {
        if is_irrelevant(change) {
            return;
        }
        let namespace = &change.key.namespace;
        let versions = [change.before.as_ref(), Some(&change.after)];
        let concerned: Vec<String> = self
            .store
            .list(Resource::Services, Some(namespace))
            .filter(|(_, service)| {
                selector(service.value()).is_some_and(|selector| {
                    versions
                        .iter()
                        .flatten()
                        .any(|pod| selector.matches(pod.value()))
                })
            })
            .map(|(key, _)| key.name.clone())
            .collect();
        for service in concerned {
            self.sync_service(namespace, &service);
        }
    }

    /// Writes a Service's slices and its routes.
    pub(crate) fn sync_service(&mut self, namespace: &str, name: &str) {
        let key = Key::new(Resource::Services, namespace, name);
        let Some(service) = self.object(&key) else {
            return;
        };
        let service = service.value();
        let Some(selector) = selector(service) else {
            return;
        };
        let mut slices: BTreeMap<Ports, Vec<Value>> = BTreeMap::new();
        let mut routes: BTreeMap<u16, Vec<SocketAddrV4>> = BTreeMap::new();
        for port in json::list(service, "/spec/ports") {
            if let Some(number) = json::int(port, "/port").and_then(|port| u16::try_from(port).ok())
            {
                routes.insert(number, Vec::new());
            }
        }
        let pods = self.store.list(Resource::Pods, Some(namespace));
        for (pod_key, pod) in pods.filter(|(_, pod)| selector.matches(pod.value())) {
            let pod = pod.value();
            if is_over(pod) {
                continue;
            }
            let Ok(address) = json::text(pod, "/status/podIP").parse::<Ipv4Addr>() else {
                continue;
            };
            let dying = is_dying(pod);
            let serving = is_ready(pod);
            let ready = serving && !dying;
            let mut ports = Ports::new();
            for port in json::list(service, "/spec/ports") {
                let Some(target) = target_port(port, pod) else {
                    continue;
                };
                ports.push((json::text(port, "/name").to_owned(), target));
                let number = json::int(port, "/port").and_then(|port| u16::try_from(port).ok());
                if let (true, Some(number)) = (ready, number) {
                    routes
                        .entry(number)
                        .or_default()
                        .push(SocketAddrV4::new(address, target));
                }
            }
            slices.entry(ports).or_default().push(json!({
                "addresses": [address.to_string()],
                "conditions": { "ready": ready, "serving": serving, "terminating": dying },
                "nodeName": json::text(pod, "/spec/nodeName"),
                "targetRef": {
                    "kind": "Pod",
                    "namespace": namespace,
                    "name": pod_key.name,
                    "uid": json::text(pod, "/metadata/uid"),
                },
            }));
        }
        self.write_slices(&key, service, slices);
        if let Ok(address) = json::text(service, "/spec/clusterIP").parse() {
            let routes = routes
                .into_iter()
                .map(|(port, pods)| (port, vec![(1, pods)]));
            for problem in self.network.route(address, routes.collect()) {
                self.problem(format!("Service {namespace}/{name}: {problem}"));
            }
        }
    }

    fn write_slices(&mut self, key: &Key, service: &Value, slices: BTreeMap<Ports, Vec<Value>>) {
        let mut stale: Vec<Key> = self
            .store
            .list(Resource::EndpointSlices, Some(&key.namespace))
            .filter(|(_, slice)| {
                json::entry(slice.value(), "/metadata/labels", SERVICE) == Some(&key.name)
            })
            .map(|(slice, _)| slice.clone())
            .collect();
        for (ports, endpoints) in slices {
            let ports: Vec<Value> = ports
                .into_iter()
                .map(|(name, port)| json!({ "name": name, "port": port, "protocol": "TCP" }))
                .collect();
            let ports = Value::Array(ports);
            let letters = json::safe_name(&json::digest(&ports), 5);
            let slice_key = Key::new(
                Resource::EndpointSlices,
                &key.namespace,
                &format!("{}-{letters}", key.name),
            );
            stale.retain(|slice| *slice != slice_key);
            if let Some(slice) = self.object(&slice_key) {
                self.replace_endpoints(&slice_key, slice.value(), endpoints);
                continue;
            }
            let owner = owner_reference(
                "v1",
                "Service",
                &key.name,
                json::text(service, "/metadata/uid"),
            );
            let slice = json!({
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "generateName": format!("{}-", key.name),
                    "labels": {
                        SERVICE: key.name,
                        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                    },
                    "ownerReferences": [owner],
                },
                "addressType": "IPv4",
                "endpoints": endpoints,
                "ports": ports,
            });
            self.spawn(slice_key, slice);
        }
        // A slice whose ports no pod has any more keeps its name and loses its endpoints.
        for slice_key in stale {
            if let Some(slice) = self.object(&slice_key) {
                self.replace_endpoints(&slice_key, slice.value(), Vec::new());
            }
        }
    }

    /// As [`Model::modify`], without copying the endpoints that go: this is the simulator's most
    /// frequent write.
    fn replace_endpoints(&mut self, key: &Key, slice: &Value, endpoints: Vec<Value>) {
        if json::list(slice, "/endpoints") == endpoints {
            return;
        }
        let mut next = json!({});
        for (member, value) in slice.as_object().into_iter().flatten() {
            if member != "endpoints" {
                json::set(&mut next, &[member], value.clone());
            }
        }
        json::set(&mut next, &["endpoints"], Value::Array(endpoints));
        self.put(key.clone(), next);
    }

    /// A Service went: its address closes. The collector takes its slices.
    pub(crate) fn withdraw_service(&mut self, service: &Value) {
        if let Ok(address) = json::text(service, "/spec/clusterIP").parse() {
            self.network.withdraw(address);
        }
    }
}

/// Whether nothing changed that decides over endpoints.
fn is_irrelevant(change: &Change) -> bool {
    let (Some(before), ChangeKind::Modified) = (change.before.as_ref(), change.kind) else {
        return false;
    };
    let (before, after) = (before.value(), change.after.value());
    json::at(before, "/metadata/labels") == json::at(after, "/metadata/labels")
        && json::text(before, "/status/podIP") == json::text(after, "/status/podIP")
        && is_ready(before) == is_ready(after)
        && is_over(before) == is_over(after)
        && is_dying(before) == is_dying(after)
}

/// Whether all containers of a pod have ended for good: such a pod is no endpoint.
pub(crate) fn is_over(pod: &Value) -> bool {
    matches!(json::text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// What the kubelet last said of a pod's probes; deletion does not change it.
pub(crate) fn is_ready(pod: &Value) -> bool {
    json::list(pod, "/status/conditions")
        .iter()
        .any(|condition| {
            json::text(condition, "/type") == "Ready" && json::text(condition, "/status") == "True"
        })
}

/// The selector of a Service; one without selects nothing.
fn selector(service: &Value) -> Option<Selector> {
    let selector = Selector::from_map(json::at(service, "/spec/selector")?);
    (!selector.is_empty()).then_some(selector)
}

/// The port of a pod that a Service's port leads to, by number or by name.
fn target_port(port: &Value, pod: &Value) -> Option<u16> {
    let target = port.get("targetPort").or_else(|| port.get("port"))?;
    if let Some(number) = target.as_u64() {
        return u16::try_from(number).ok();
    }
    let name = target.as_str()?;
    json::list(pod, "/spec/containers")
        .iter()
        .flat_map(|container| json::list(container, "/ports"))
        .find(|port| json::text(port, "/name") == name)
        .and_then(|port| u16::try_from(json::int(port, "/containerPort")?).ok())
}
