//! HTTPRoutes and Ingresses.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice_sim::{AGENT, Cluster, Resource};

use crate::support::{any, code, json_patch, manifest};

const ROUTE: (&str, &str) = ("gateway.networking.k8s.io/v1", "HTTPRoute");

fn route() -> Value {
    json!({
        "apiVersion": ROUTE.0,
        "kind": ROUTE.1,
        "metadata": { "name": "web", "namespace": "shop" },
        "spec": {
            "parentRefs": [{ "name": "public" }],
            "rules": [
                { "matches": [{ "path": { "value": "/api" } }], "backendRefs": [{ "name": "api", "port": 80 }] },
                { "name": "web", "backendRefs": [{ "name": "web", "port": 80 }] },
            ],
        },
    })
}

fn weights(pairs: &[(&str, i64)]) -> BTreeMap<String, i64> {
    pairs
        .iter()
        .map(|(name, weight)| ((*name).to_owned(), *weight))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_route_has_the_defaults_of_its_definition() {
    let cluster = Cluster::fast(1);
    cluster.apply(route()).unwrap();
    let stored = cluster.object(Resource::HttpRoutes, "shop", "web").unwrap();
    assert_eq!(stored["metadata"]["generation"], 1);
    let parent =
        json!({ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public" });
    assert_eq!(stored["spec"]["parentRefs"], json!([parent]));
    let rules = &stored["spec"]["rules"];
    let all = |path: &str| json!([{ "path": { "type": "PathPrefix", "value": path } }]);
    assert_eq!(rules[0]["matches"], all("/api"));
    assert_eq!(rules[1]["matches"], all("/"));
    let backend = json!({ "group": "", "kind": "Service", "name": "web", "port": 80, "weight": 1 });
    assert_eq!(rules[1]["backendRefs"], json!([backend]));
}

#[tokio::test(start_paused = true)]
async fn weights_are_kept_over_time_and_others_rules_stay() {
    let cluster = Cluster::fast(1);
    cluster.apply(route()).unwrap();
    let api = any(&cluster, AGENT, ROUTE);
    let old = cluster.object(Resource::HttpRoutes, "shop", "web").unwrap()["spec"]["rules"][1]
        ["backendRefs"]
        .clone();
    let mut new = json!([old[0], old[0]]);
    new[0]["weight"] = json!(9000);
    new[1]["weight"] = json!(1000);
    new[1]["name"] = json!("web-candidate");
    let shift = json_patch(json!([
        { "op": "test", "path": "/spec/rules/1/name", "value": "web" },
        { "op": "test", "path": "/spec/rules/1/backendRefs", "value": old },
        { "op": "replace", "path": "/spec/rules/1/backendRefs", "value": new },
    ]));
    api.patch("web", &PatchParams::default(), &shift)
        .await
        .unwrap();
    let again = api.patch("web", &PatchParams::default(), &shift).await;
    assert_eq!(code(again.unwrap_err()), 422, "the old value is gone");
    let restore = json_patch(json!([
        { "op": "test", "path": "/spec/rules/1/backendRefs", "value": new },
        { "op": "replace", "path": "/spec/rules/1/backendRefs", "value": old },
    ]));
    api.patch("web", &PatchParams::default(), &restore)
        .await
        .unwrap();
    cluster.delete(Resource::HttpRoutes, "shop", "web");

    let of = |rule: &str| -> Vec<_> {
        let samples = cluster.route_weights("shop", "web", rule);
        samples.into_iter().map(|sample| sample.weights).collect()
    };
    let split = weights(&[("web", 9000), ("web-candidate", 1000)]);
    let whole = weights(&[("web", 1)]);
    let none = weights(&[]);
    assert_eq!(of("web"), [whole.clone(), split, whole, none.clone()]);
    assert_eq!(of("1"), of("web"));
    assert_eq!(of(""), [weights(&[("api", 1)]), none], "the first rule");
    let log = cluster.writes();
    let shown = |index: usize| log[index].after.clone().unwrap().weights;
    assert_eq!(
        shown(0),
        ["0/api=1", "web/web=9000", "web/web-candidate=1000"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_definition_forbids_is_invalid() {
    let cluster = Cluster::fast(1);
    let api = any(&cluster, AGENT, ROUTE);
    for (change, expected) in [
        (
            json!({ "port": null }),
            "Must have port for Service reference",
        ),
        (json!({ "weight": -1 }), "should be in 0 to 1000000"),
        (json!({ "weight": 1_000_001 }), "should be in 0 to 1000000"),
        (json!({ "name": "" }), "Required value"),
    ] {
        let mut bad = route();
        for (member, value) in change.as_object().unwrap() {
            bad["spec"]["rules"][1]["backendRefs"][0][member] = value.clone();
        }
        let refused = api.create(&PostParams::default(), &manifest(bad)).await;
        let kube::Error::Api(status) = refused.unwrap_err() else {
            panic!("not an answer")
        };
        assert_eq!(status.code, 422);
        assert!(status.message.contains(expected), "{}", status.message);
        assert!(
            status.message.contains("spec.rules[1].backendRefs[0]"),
            "{}",
            status.message
        );
    }
    cluster.apply(route()).unwrap();
    let strategic = Patch::Strategic(json!({ "spec": { "hostnames": ["a.example"] } }));
    let refused = api.patch("web", &PatchParams::default(), &strategic).await;
    assert_eq!(
        code(refused.unwrap_err()),
        415,
        "no types, no strategic merge"
    );
}

#[tokio::test(start_paused = true)]
async fn an_ingress_says_how_its_paths_are_matched() {
    let cluster = Cluster::fast(1);
    let ingress = |path_type: Option<&str>| {
        let mut path = json!({ "path": "/", "backend": { "service": { "name": "web", "port": { "number": 80 } } } });
        if let Some(path_type) = path_type {
            path["pathType"] = json!(path_type);
        }
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "name": "web", "namespace": "shop" },
            "spec": { "rules": [{ "host": "a.example", "http": { "paths": [path] } }] },
        })
    };
    let api = any(&cluster, AGENT, ("networking.k8s.io/v1", "Ingress"));
    for (path_type, expected) in [(None, 422), (Some("Sometimes"), 422), (Some("Prefix"), 200)] {
        let made = api
            .create(&PostParams::default(), &manifest(ingress(path_type)))
            .await;
        assert_eq!(made.map_or_else(code, |_| 200), expected, "{path_type:?}");
    }
    let weight = Patch::Merge(json!({ "metadata": { "annotations": {
        "nginx.ingress.kubernetes.io/canary-weight": "1000",
    } } }));
    let made = api
        .patch("web", &PatchParams::default(), &weight)
        .await
        .unwrap();
    assert_eq!(
        made.metadata.generation,
        Some(1),
        "an annotation is no spec"
    );
}
