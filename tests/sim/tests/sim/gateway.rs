//! What gateways make of routes and Ingresses: status, delay, shares.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_sim::{Cluster, Resource};

use crate::support::{deployment, images, service, until};

/// `web` at v1 with two pods and `web-candidate` at v2 with one, each behind its Service.
async fn two_services() -> Cluster {
    let cluster = Cluster::fast(1);
    images(&cluster);
    for (name, replicas, version) in [("web", 2, "v1"), ("web-candidate", 1, "v2")] {
        let mut web = deployment(replicas, &format!("shop/web@sha256:{version}"));
        web["metadata"]["name"] = json!(name);
        web["spec"]["selector"]["matchLabels"] = json!({ "app": name });
        web["spec"]["template"]["metadata"]["labels"] = json!({ "app": name });
        let mut front = service();
        front["metadata"]["name"] = json!(name);
        front["spec"]["selector"] = json!({ "app": name });
        cluster.apply(web).unwrap();
        cluster.apply(front).unwrap();
    }
    until(|| cluster.ready_behind("shop", "web") == 2).await;
    until(|| cluster.ready_behind("shop", "web-candidate") == 1).await;
    cluster
}

fn route(weights: &[(&str, i64)]) -> Value {
    let backends: Vec<Value> = weights
        .iter()
        .map(|(name, weight)| json!({ "name": name, "port": 8000, "weight": weight }))
        .collect();
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": { "name": "web", "namespace": "shop" },
        "spec": {
            "parentRefs": [{ "name": "public" }],
            "rules": [{ "name": "web", "backendRefs": backends }],
        },
    })
}

/// What the gateway says: `(status, reason, observed generation)` of a condition.
fn says(cluster: &Cluster, kind: &str) -> Option<(String, String, i64)> {
    let route = cluster.object(Resource::HttpRoutes, "shop", "web")?;
    let conditions = route["status"]["parents"][0]["conditions"].as_array()?;
    let found = conditions.iter().find(|found| found["type"] == kind)?;
    let text = |member: &str| found[member].as_str().unwrap().to_owned();
    Some((
        text("status"),
        text("reason"),
        found["observedGeneration"].as_i64()?,
    ))
}

fn share(digest: &str, of: f64) -> (String, f64) {
    (format!("sha256:{digest}"), of)
}

#[tokio::test(start_paused = true)]
async fn a_gateway_says_which_generation_it_serves_and_what_is_missing() {
    let cluster = two_services().await;
    cluster.apply(route(&[("web", 1)])).unwrap();
    let fine = |generation| Some(("True".to_owned(), "ResolvedRefs".to_owned(), generation));
    assert_eq!(says(&cluster, "Accepted"), None, "not yet");
    until(|| says(&cluster, "ResolvedRefs") == fine(1)).await;
    cluster
        .apply(route(&[("web", 9), ("web-candidate", 1)]))
        .unwrap();
    assert_eq!(
        says(&cluster, "ResolvedRefs"),
        fine(1),
        "the old generation"
    );
    until(|| says(&cluster, "ResolvedRefs") == fine(2)).await;
    cluster.delete(Resource::Services, "shop", "web-candidate");
    let missing = Some(("False".to_owned(), "BackendNotFound".to_owned(), 2));
    until(|| says(&cluster, "ResolvedRefs") == missing).await;
    assert_eq!(says(&cluster, "Accepted").unwrap().0, "True");
}

#[tokio::test(start_paused = true)]
async fn requests_follow_the_weights_once_the_gateway_has_them() {
    let cluster = two_services().await;
    cluster
        .apply(route(&[("web", 1), ("web-candidate", 0)]))
        .unwrap();
    assert!(
        cluster.ask_route("shop", "web", "web", "/").await.is_none(),
        "not yet"
    );
    until(|| says(&cluster, "Accepted").is_some()).await;
    let count = async || {
        let mut versions: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..400 {
            let answer = cluster.ask_route("shop", "web", "", "/").await.unwrap();
            let version = answer.body["version"].as_str().unwrap().to_owned();
            *versions.entry(version).or_default() += 1;
        }
        versions
    };
    assert_eq!(count().await, BTreeMap::from([("v1".to_owned(), 400)]));
    cluster
        .apply(route(&[("web", 3), ("web-candidate", 1)]))
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let versions = count().await;
    // 100 expected; five standard deviations are 43.
    assert!((57..=143).contains(&versions["v2"]), "{versions:?}");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_goes_too_early_costs_requests() {
    let cluster = two_services().await;
    cluster
        .apply(route(&[("web", 3), ("web-candidate", 1)]))
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let last = |cluster: &Cluster| cluster.route_shares("shop", "web", "web").pop().unwrap();
    let split = last(&cluster);
    assert_eq!(
        split.versions,
        BTreeMap::from([share("v1", 0.75), share("v2", 0.25)])
    );
    // The route is restored and the Service goes in the same instant: the gateway does not know yet.
    cluster.apply(route(&[("web", 1)])).unwrap();
    cluster.delete(Resource::Services, "shop", "web-candidate");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lost: Vec<f64> = cluster
        .route_shares("shop", "web", "web")
        .iter()
        .map(|shares| shares.lost)
        .collect();
    assert_eq!(lost, [0.0, 0.25, 0.0]);
    assert_eq!(last(&cluster).versions, BTreeMap::from([share("v1", 1.0)]));
}

fn ingress(name: &str, service: &str, annotations: Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": name, "namespace": "shop", "annotations": annotations },
        "spec": { "rules": [{ "host": "shop.example", "http": { "paths": [{
            "path": "/",
            "pathType": "Prefix",
            "backend": { "service": { "name": service, "port": { "number": 8000 } } },
        }] } }] },
    })
}

#[tokio::test(start_paused = true)]
async fn a_canary_takes_its_share_of_an_ingress() {
    let cluster = two_services().await;
    let nginx = |name: &str| format!("nginx.ingress.kubernetes.io/canary{name}");
    let canary = |weight: &str| {
        let settings = json!({
            nginx(""): "true",
            nginx("-weight"): weight,
            nginx("-weight-total"): "10000",
        });
        ingress("web-candidate", "web-candidate", settings)
    };
    cluster.apply(ingress("web", "web", json!({}))).unwrap();
    cluster.apply(canary("0")).unwrap();
    cluster.apply(canary("2500")).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let shares = cluster.ingress_shares("shop", "web").pop().unwrap();
    assert_eq!(
        shares.versions,
        BTreeMap::from([share("v1", 0.75), share("v2", 0.25)])
    );
    assert!(cluster.ask_ingress("shop", "web", "/").await.is_some());
    cluster.delete(Resource::Ingresses, "shop", "web-candidate");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let weights: Vec<_> = cluster
        .ingress_weights("shop", "web")
        .into_iter()
        .map(|set| set.weights.into_iter().collect::<Vec<_>>())
        .collect();
    let pair = |stable, candidate| {
        vec![
            ("web".to_owned(), stable),
            ("web-candidate".to_owned(), candidate),
        ]
    };
    let alone = vec![("web".to_owned(), 100)];
    assert_eq!(
        weights,
        [alone.clone(), pair(10_000, 0), pair(7_500, 2_500), alone]
    );
    let shares = cluster.ingress_shares("shop", "web").pop().unwrap();
    assert_eq!(shares.versions, BTreeMap::from([share("v1", 1.0)]));
    assert!(
        cluster.ingress_weights("shop", "web-candidate").is_empty(),
        "it is no door"
    );
}
