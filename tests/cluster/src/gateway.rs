//! What stands before the Services: the definitions of the Gateway API, and a gateway that serves
//! routes of that API and Ingresses of the class `nginx`.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Person;
use crate::address;
use crate::authority::Authority;
use crate::error::BedError;
use crate::site::Site;

/// What stands before the Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Gateway {
    /// Nothing; the API server does not even know what an HTTPRoute is.
    None,
    /// The API server knows the standard channel of the Gateway API, and nobody serves it.
    Definitions,
    /// Traefik: it serves HTTPRoutes of one Gateway, and Ingresses of the class `nginx` with that
    /// controller's annotations for canaries. The first time it is built, for three minutes.
    Traefik,
}

/// The namespace and name of the Gateway that routes attach to.
pub(crate) const GATEWAY: (&str, &str) = ("gateway", "public");
/// The class of Ingresses that are served.
pub(crate) const INGRESS_CLASS: &str = "nginx";
/// The GatewayClass, and the user as whom the gateway comes to the API server.
const NAME: &str = "traefik";
/// Where routes are served, and where Ingresses.
const PORTS: (u16, u16) = (8000, 8001);

/// Where routes are served.
pub(crate) fn routes() -> SocketAddr {
    at(address::node(), PORTS.0)
}

/// Where Ingresses are served.
pub(crate) fn ingresses() -> SocketAddr {
    at(address::node(), PORTS.1)
}

fn at(address: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(address, port))
}

/// The arguments of `traefik`.
pub(crate) fn traefik() -> Vec<String> {
    let (routes, ingresses) = (routes(), ingresses());
    vec![
        format!("--entrypoints.routes.address={routes}"),
        format!("--entrypoints.ingresses.address={ingresses}"),
        "--providers.kubernetesgateway=true".into(),
        format!(
            "--providers.kubernetesgateway.statusaddress.ip={}",
            address::node()
        ),
        "--providers.kubernetesingressnginx=true".into(),
        "--providers.kubernetesingressnginx.httpentrypoint=ingresses".into(),
        format!(
            "--providers.kubernetesingressnginx.publishstatusaddress={}",
            address::node()
        ),
        // The default is two seconds, which no test needs to wait for.
        "--providers.providersthrottleduration=100ms".into(),
        "--global.checknewversion=false".into(),
        "--global.sendanonymoususage=false".into(),
        "--log.level=INFO".into(),
        "--log.nocolor=true".into(),
    ]
}

/// The file with which the gateway comes to the API server.
pub(crate) fn kubeconfig(
    site: &Site,
    authority: &Authority,
) -> Result<std::path::PathBuf, BedError> {
    authority.kubeconfig(&Person::new(NAME, &[]), &site.api_server())
}

/// The Gateway, the classes, and the gateway's rights: those that its makers' manual grants.
pub(crate) fn objects() -> Value {
    let (namespace, gateway) = GATEWAY;
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let read = ["get", "list", "watch"];
    let routing = "gateway.networking.k8s.io";
    let of_routing = [
        "backendtlspolicies",
        "gatewayclasses",
        "gateways",
        "grpcroutes",
        "httproutes",
        "referencegrants",
        "tlsroutes",
    ];
    let statuses = of_routing.map(|kind| format!("{kind}/status"));
    let statuses: Vec<&str> = statuses.iter().map(String::as_str).collect();
    let rules = [
        rule(
            "",
            &["configmaps", "namespaces", "secrets", "services"],
            &read,
        ),
        rule("discovery.k8s.io", &["endpointslices"], &read),
        rule(routing, &of_routing, &read),
        rule(routing, &statuses, &["update"]),
        rule("networking.k8s.io", &["ingressclasses", "ingresses"], &read),
        rule("networking.k8s.io", &["ingresses/status"], &["update"]),
    ];
    let role = "rbac.authorization.k8s.io";
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": format!("{role}/v1"), "kind": "ClusterRole", "metadata": {"name": NAME}, "rules": rules},
        {
            "apiVersion": format!("{role}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": NAME},
            "roleRef": {"apiGroup": role, "kind": "ClusterRole", "name": NAME},
            "subjects": [{"apiGroup": role, "kind": "User", "name": NAME}],
        },
        {
            "apiVersion": format!("{routing}/v1"), "kind": "GatewayClass", "metadata": {"name": NAME},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
        {
            "apiVersion": format!("{routing}/v1"), "kind": "Gateway",
            "metadata": {"name": gateway, "namespace": namespace},
            "spec": {"gatewayClassName": NAME, "listeners": [{
                "name": "http", "protocol": "HTTP", "port": PORTS.0,
                "allowedRoutes": {"namespaces": {"from": "All"}},
            }]},
        },
        {
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": INGRESS_CLASS},
            "spec": {"controller": "k8s.io/ingress-nginx"},
        },
    ]})
}

/// What keeps a gateway from serving a route as it is written now; nothing where none does. `status` is
/// kept by the gateway, and says for which generation.
pub(crate) fn objection(route: &Value) -> Option<String> {
    let generation = route.pointer("/metadata/generation");
    let parents = route.pointer("/status/parents").and_then(Value::as_array);
    let Some(parents) = parents.filter(|parents| !parents.is_empty()) else {
        return Some("no gateway has looked at it".into());
    };
    let conditions = parents
        .iter()
        .filter_map(|parent| parent.get("conditions")?.as_array())
        .flatten();
    let mut accepted = false;
    for condition in conditions {
        if condition.get("observedGeneration") != generation {
            return Some(format!("{condition} is about an older generation"));
        }
        if condition.get("status").and_then(Value::as_str) != Some("True") {
            return Some(condition.to_string());
        }
        accepted |= condition.get("type").and_then(Value::as_str) == Some("Accepted");
    }
    (!accepted).then(|| format!("it is not accepted: {parents:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(generation: u32, conditions: &Value) -> Value {
        json!({
            "metadata": {"generation": generation},
            "status": {"parents": [{"conditions": conditions}]},
        })
    }

    #[test]
    fn a_route_is_served_once_every_condition_of_its_generation_is_true() {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "observedGeneration": 2});
        let good = json!([
            condition("Accepted", "True"),
            condition("ResolvedRefs", "True")
        ]);
        assert_eq!(objection(&route(2, &good)), None);
        assert!(objection(&route(3, &good)).unwrap().contains("older"));
        let bad = json!([
            condition("Accepted", "True"),
            condition("ResolvedRefs", "False")
        ]);
        assert!(
            objection(&route(2, &bad))
                .unwrap()
                .contains("\"ResolvedRefs\"")
        );
        let half = json!([condition("ResolvedRefs", "True")]);
        assert!(
            objection(&route(2, &half))
                .unwrap()
                .contains("not accepted")
        );
        assert!(objection(&json!({"metadata": {"generation": 1}})).is_some());
    }

    #[test]
    fn the_listener_is_where_the_gateway_listens() {
        let objects = objects();
        let gateway = objects["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|o| o["kind"] == "Gateway");
        let port = &gateway.unwrap()["spec"]["listeners"][0]["port"];
        assert_eq!(*port, routes().port());
        let argument = format!("--entrypoints.routes.address={}", routes());
        assert!(traefik().contains(&argument));
    }
}
