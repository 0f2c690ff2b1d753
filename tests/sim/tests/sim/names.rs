//! Names and labels that the API server takes.

use kube::api::PostParams;
use serde_json::{Value, json};
use sluice_sim::{AGENT, Cluster};

use crate::support::{any, code, deployment, manifest, service};

async fn made(kind: (&str, &str), body: Value) -> u16 {
    let cluster = Cluster::fast(1);
    let created = any(&cluster, AGENT, kind)
        .create(&PostParams::default(), &manifest(body))
        .await;
    created.map_or_else(code, |_| 201)
}

#[tokio::test(start_paused = true)]
async fn a_service_has_the_name_of_a_host() {
    for (name, expected) in [("web", 201), ("web.old", 422), ("2web", 422), ("web-", 422)] {
        let mut body = service();
        body["metadata"]["name"] = json!(name);
        assert_eq!(made(("v1", "Service"), body).await, expected, "{name}");
    }
    let mut long = service();
    long["metadata"]["name"] = json!("a".repeat(64));
    assert_eq!(made(("v1", "Service"), long).await, 422);
}

#[tokio::test(start_paused = true)]
async fn label_values_are_checked_wherever_they_stand() {
    let kind = ("apps/v1", "Deployment");
    for value in ["web-", "a b", &"a".repeat(64)] {
        let mut body = deployment(1, "shop/web@sha256:v1");
        body["spec"]["template"]["metadata"]["labels"]["track"] = json!(value);
        assert_eq!(made(kind, body).await, 422, "{value}");
        let mut body = service();
        body["spec"]["selector"]["track"] = json!(value);
        assert_eq!(made(("v1", "Service"), body).await, 422, "{value}");
    }
    assert_eq!(made(kind, deployment(1, "shop/web@sha256:v1")).await, 201);
}
