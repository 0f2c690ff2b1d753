//! What the agent is held to in the namespaces of its targets.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice_sim::{ADMIN, AGENT, Cluster, Resource};

use crate::support::{any, code, deployment, images, manifest, running, service};

fn named(kind: (&str, &str), mut body: Value, owned: bool) -> Value {
    body["apiVersion"] = json!(kind.0);
    body["kind"] = json!(kind.1);
    body["metadata"] = json!({ "name": "it", "namespace": "shop" });
    if owned {
        body["metadata"]["labels"] = json!({ "sluice.dev/rollout-uid": "u1" });
    }
    body
}

fn job(suspend: bool) -> Value {
    json!({ "spec": { "suspend": suspend, "template": { "spec": {
        "restartPolicy": "Never",
        "containers": [{ "name": "it", "image": "shop/web@sha256:v1" }],
    } } } })
}

fn route() -> Value {
    json!({ "spec": { "rules": [{ "backendRefs": [{ "name": "web", "port": 80 }] }] } })
}

fn kinds() -> Vec<((&'static str, &'static str), Value)> {
    let web = |replicas| deployment(replicas, "shop/web@sha256:v1");
    vec![
        (("apps/v1", "Deployment"), web(0)),
        (("apps/v1", "StatefulSet"), web(0)),
        (("v1", "Service"), service()),
        (("v1", "ConfigMap"), json!({ "data": {} })),
        (("v1", "Secret"), json!({ "data": {} })),
        (("batch/v1", "Job"), job(true)),
        (
            ("networking.k8s.io/v1", "Ingress"),
            json!({ "spec": { "defaultBackend": { "service": { "name": "web" } } } }),
        ),
        (("gateway.networking.k8s.io/v1", "HTTPRoute"), route()),
    ]
}

async fn create(cluster: &Cluster, kind: (&str, &str), body: Value) -> u16 {
    let api = any(cluster, AGENT, kind);
    let made = api.create(&PostParams::default(), &manifest(body)).await;
    made.map_or_else(code, |_| 201)
}

async fn delete(cluster: &Cluster, user: &str, kind: (&str, &str), name: &str) -> u16 {
    let deleted = any(cluster, user, kind)
        .delete(name, &DeleteParams::default())
        .await;
    deleted.map_or_else(code, |_| 200)
}

async fn merge(cluster: &Cluster, kind: (&str, &str), name: &str, change: Value) -> u16 {
    let patch = Patch::Merge(change);
    let api = any(cluster, AGENT, kind);
    let written = api.patch(name, &PatchParams::default(), &patch).await;
    written.map_or_else(code, |_| 200)
}

#[tokio::test(start_paused = true)]
async fn the_agent_makes_and_deletes_its_own_and_nothing_else() {
    for (kind, body) in kinds() {
        let cluster = Cluster::fast(1);
        cluster.guard_targets(&["shop"]);
        let bare = named(kind, body.clone(), false);
        assert_eq!(create(&cluster, kind, bare.clone()).await, 403, "{kind:?}");
        cluster.apply(bare).unwrap();
        assert_eq!(delete(&cluster, AGENT, kind, "it").await, 403, "{kind:?}");
        let label =
            |uid: Value| json!({ "metadata": { "labels": { "sluice.dev/rollout-uid": uid } } });
        assert_eq!(
            merge(&cluster, kind, "it", label(json!("u1"))).await,
            403,
            "{kind:?}"
        );
        assert_eq!(delete(&cluster, ADMIN, kind, "it").await, 200, "{kind:?}");

        let own = named(kind, body, true);
        assert_eq!(create(&cluster, kind, own).await, 201, "{kind:?}");
        assert_eq!(
            merge(&cluster, kind, "it", label(Value::Null)).await,
            403,
            "{kind:?}"
        );
        assert_eq!(delete(&cluster, AGENT, kind, "it").await, 200, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_agent_makes_does_nothing_yet() {
    let cluster = Cluster::fast(1);
    cluster.guard_targets(&["shop"]);
    let web = deployment(1, "shop/web@sha256:v1");
    let deployments = ("apps/v1", "Deployment");
    assert_eq!(
        create(&cluster, deployments, named(deployments, web, true)).await,
        403
    );
    let jobs = ("batch/v1", "Job");
    assert_eq!(
        create(&cluster, jobs, named(jobs, job(false), true)).await,
        403
    );
    let mut node_port = service();
    node_port["spec"]["type"] = json!("NodePort");
    let services = ("v1", "Service");
    assert_eq!(
        create(&cluster, services, named(services, node_port, true)).await,
        403
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_service_only_the_values_of_the_selector_change() {
    let cluster = Cluster::fast(1);
    cluster.guard_targets(&["shop"]);
    cluster.apply(service()).unwrap();
    for (change, expected) in [
        (json!({ "selector": { "app": "web-green" } }), 200),
        (json!({ "selector": { "app": null, "name": "web" } }), 403),
        (json!({ "selector": { "track": "canary" } }), 403),
        (json!({ "ports": [{ "port": 9000 }] }), 403),
        (json!({ "externalIPs": ["192.0.2.1"] }), 403),
    ] {
        let written = merge(
            &cluster,
            ("v1", "Service"),
            "web",
            json!({ "spec": change }),
        )
        .await;
        assert_eq!(written, expected, "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_route_only_its_backends_change() {
    let kind = ("gateway.networking.k8s.io/v1", "HTTPRoute");
    let cluster = Cluster::fast(1);
    cluster.guard_targets(&["shop"]);
    cluster.apply(named(kind, route(), false)).unwrap();
    let stored = cluster.object(Resource::HttpRoutes, "shop", "it").unwrap();
    let rule = &stored["spec"]["rules"][0];
    let changed = |member: &str, value: Value| {
        let mut rule = rule.clone();
        rule[member] = value;
        json!({ "rules": [rule] })
    };
    let backend =
        |namespace: Value| json!([{ "name": "other", "port": 80, "namespace": namespace }]);
    for (change, expected) in [
        (changed("backendRefs", backend(Value::Null)), 200),
        (changed("backendRefs", backend(json!("staging"))), 403),
        (
            changed("matches", json!([{ "path": { "value": "/api" } }])),
            403,
        ),
        (changed("filters", json!([{ "type": "URLRewrite" }])), 403),
        (json!({ "rules": [rule, rule] }), 403),
        (json!({ "hostnames": ["a.example"] }), 403),
    ] {
        let written = merge(&cluster, kind, "it", json!({ "spec": change })).await;
        assert_eq!(written, expected, "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_pods_only_those_that_a_stateful_set_makes_anew_are_deleted() {
    let cluster = running(1).await;
    images(&cluster);
    cluster.guard_targets(&["shop"]);
    let mut set = deployment(1, "shop/web@sha256:v1");
    set["kind"] = json!("StatefulSet");
    set["metadata"]["name"] = json!("db");
    set["spec"]["selector"]["matchLabels"] = json!({ "app": "db" });
    set["spec"]["template"]["metadata"]["labels"] = json!({ "app": "db" });
    cluster.apply(set).unwrap();
    crate::support::until(|| cluster.object(Resource::Pods, "shop", "db-0").is_some()).await;
    let web = cluster.objects(Resource::Pods, "shop");
    let mut names = web
        .iter()
        .map(|pod| pod["metadata"]["name"].as_str().unwrap());
    let web = names.find(|name| name.starts_with("web")).unwrap();
    assert_eq!(delete(&cluster, AGENT, ("v1", "Pod"), web).await, 403);
    assert_eq!(delete(&cluster, AGENT, ("v1", "Pod"), "db-0").await, 200);
    let refused = cluster.writes();
    let words = &refused[0].refusal;
    assert!(
        words.contains("the agent deletes only pods of StatefulSets, not web"),
        "{words}"
    );
}
