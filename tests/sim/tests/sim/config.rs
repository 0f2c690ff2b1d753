//! ConfigMaps and Secrets.

use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice_sim::{AGENT, Behaviour, Cluster, Resource, Rule};

use crate::support::{any, deployment, manifest, service, until};

fn sealed(kind: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": kind,
        "metadata": { "name": "web", "namespace": "shop" },
        "data": { "a": "Yg==" },
        "immutable": true,
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_immutable_keeps_its_data_and_stays_so() {
    for kind in ["ConfigMap", "Secret"] {
        let cluster = Cluster::fast(1);
        let api = any(&cluster, AGENT, ("v1", kind));
        let made = api
            .create(&PostParams::default(), &manifest(sealed(kind)))
            .await;
        made.unwrap();
        for (change, field) in [
            (json!({ "data": { "a": "Yw==" } }), "data"),
            (json!({ "data": { "c": "Yg==" } }), "data"),
            (json!({ "data": null }), "data"),
            (json!({ "immutable": false }), "immutable"),
            (
                json!({ "immutable": null, "data": { "a": "Yw==" } }),
                "immutable",
            ),
        ] {
            let refused = api
                .patch("web", &PatchParams::default(), &Patch::Merge(&change))
                .await;
            let kube::Error::Api(status) = refused.unwrap_err() else {
                panic!("not an answer")
            };
            assert_eq!(status.code, 422, "{kind} {change}");
            let said = format!(
                "{kind} \"web\" is invalid: {field}: Forbidden: field is immutable when \
                 `immutable` is set"
            );
            assert_eq!(status.message, said);
        }
        let label = json!({ "metadata": { "labels": { "a": "b" } } });
        let labelled = api
            .patch("web", &PatchParams::default(), &Patch::Merge(&label))
            .await;
        labelled.unwrap();
        assert!(api.delete("web", &Default::default()).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_secret_is_given_as_text_is_stored_in_base64() {
    let cluster = Cluster::fast(1);
    cluster
        .apply(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": "web", "namespace": "shop" },
            "data": { "user": "YWxpY2U=", "password": "b2xk" },
            "stringData": { "password": "new" },
        }))
        .unwrap();
    let secret = cluster.object(Resource::Secrets, "shop", "web").unwrap();
    assert_eq!(
        secret["data"],
        json!({ "user": "YWxpY2U=", "password": "bmV3" })
    );
    assert!(secret.get("stringData").is_none());
    assert_eq!(secret["type"], "Opaque");
}

/// `web` with its settings as environment and as files, from a ConfigMap and a Secret.
fn configured() -> Value {
    let mut web = deployment(1, "shop/web@sha256:v1");
    let pod = &mut web["spec"]["template"]["spec"];
    pod["containers"][0]["envFrom"] = json!([{ "configMapRef": { "name": "settings" } }]);
    pod["containers"][0]["env"] = json!([{
        "name": "TOKEN",
        "valueFrom": { "secretKeyRef": { "name": "secrets", "key": "token" } },
    }]);
    pod["volumes"] = json!([
        { "name": "a", "configMap": { "name": "settings" } },
        { "name": "b", "projected": { "sources": [{ "secret": { "name": "secrets" } }] } },
    ]);
    web
}

fn settings(mode: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "settings", "namespace": "shop" },
        "data": { "MODE": mode },
    })
}

fn secrets(data: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "secrets", "namespace": "shop" },
        "stringData": data,
    })
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_its_configuration_and_runs_with_it() {
    let cluster = Cluster::fast(1);
    let picky = Behaviour::serving("v1")
        .rule(
            Rule::at("/health")
                .with_variable("MODE", "broken")
                .answers(500, json!("mode")),
        )
        .rule(
            Rule::at("/health")
                .with_file("MODE", "broken")
                .answers(503, json!("file")),
        )
        .rule(
            Rule::at("/token")
                .with_variable("TOKEN", "sesame")
                .answers(200, json!("yes")),
        )
        .rule(
            Rule::at("/key")
                .with_file("token", "sesame")
                .answers(200, json!("yes")),
        );
    cluster.images().set("shop/web", "sha256:v1", picky);
    cluster.apply(service()).unwrap();
    cluster.apply(configured()).unwrap();
    let waiting = || {
        let pods = cluster.objects(Resource::Pods, "shop");
        let state = "/status/containerStatuses/0/state/waiting";
        pods.first()
            .and_then(|pod| pod.pointer(state).cloned())
            .unwrap_or_default()
    };
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(
        waiting()["reason"],
        "ContainerCreating",
        "its volumes are missing"
    );
    cluster.apply(settings("fine")).unwrap();
    cluster.apply(secrets(json!({ "other": "x" }))).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(waiting()["reason"], "CreateContainerConfigError");
    assert_eq!(
        waiting()["message"],
        "couldn't find key token in Secret shop/secrets"
    );
    cluster
        .apply(secrets(json!({ "token": "sesame" })))
        .unwrap();
    until(|| cluster.ready_behind("shop", "web") == 1).await;
    let ask = async |path: &str| {
        cluster
            .ask_service("shop", "web", path)
            .await
            .unwrap()
            .status
    };
    assert_eq!(ask("/health").await, 200);
    assert_eq!((ask("/token").await, ask("/key").await), (200, 200));

    // Files follow, the environment of a running container does not.
    cluster.apply(settings("broken")).unwrap();
    assert_eq!(ask("/health").await, 503);
    let pod = cluster.objects(Resource::Pods, "shop")[0]["metadata"]["name"].clone();
    assert!(cluster.delete(Resource::Pods, "shop", pod.as_str().unwrap()));
    until(|| cluster.ready_behind("shop", "web") == 1).await;
    assert_eq!(ask("/health").await, 500);

    // Without what it needs, nothing new starts; what runs goes on.
    cluster.delete(Resource::ConfigMaps, "shop", "settings");
    cluster.modify(Resource::Deployments, "shop", "web", |web| {
        web["spec"]["replicas"] = json!(2)
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(cluster.ready_behind("shop", "web"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_missing_config_map_is_named_unless_it_is_optional() {
    let cluster = Cluster::fast(1);
    crate::support::images(&cluster);
    let mut web = deployment(1, "shop/web@sha256:v1");
    let source =
        |optional: bool| json!([{ "configMapRef": { "name": "settings", "optional": optional } }]);
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] = source(false);
    cluster.apply(web.clone()).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let pods = cluster.objects(Resource::Pods, "shop");
    let waiting = &pods[0]["status"]["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(waiting["message"], "configmap \"settings\" not found");
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] = source(true);
    cluster.apply(web).unwrap();
    crate::support::settled(&cluster).await;
}
