//! Of an HTTPRoute the agent writes shares and nothing else.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Table;
use super::actor::{Actor, ROUTE};
use super::stage::{FOREIGN, Stage};

/// The Gateway API's kind as far as guards look at it, for a cluster that has none.
fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "httproutes.gateway.networking.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test of Sluice"},
        },
        "spec": {
            "group": "gateway.networking.k8s.io", "scope": "Namespaced",
            "names": {"kind": "HTTPRoute", "plural": "httproutes", "singular": "httproute"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }}}],
        },
    })
}

fn rule(weights: &[(&str, u32)], path: &str) -> Value {
    let refs: Vec<Value> = weights
        .iter()
        .map(|(name, weight)| json!({"name": name, "port": 80, "weight": weight}))
        .collect();
    json!({"name": "web", "matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": refs})
}

fn route(rules: &[Value]) -> Value {
    json!({"spec": {
        "parentRefs": [{"name": "public"}], "hostnames": ["shop.example.com"], "rules": rules,
    }})
}

pub(super) async fn prove(stage: &Stage, table: &mut Table) -> anyhow::Result<()> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    stage.admin.post(path, &definition()).await?;
    let target = &stage.target;
    // A route keeps one rule at least, so there are two.
    let mut other = rule(&[("cart", 1)], "/cart");
    super::actor::merge(&mut other, json!({"name": "cart"}));
    let with = |shared: &Value| route(&[shared.clone(), other.clone()]);
    let first = with(&rule(&[("storefront", 1)], "/"));
    // A new kind takes a moment.
    let mut made = Err(String::new());
    for _ in 0..100 {
        made = stage
            .admin
            .create(ROUTE, target, FOREIGN, first.clone())
            .await;
        if made.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    made.map_err(anyhow::Error::msg)
        .context("no HTTPRoute can be made")?;
    let write = async |who: &Actor, body: Value| who.merge(ROUTE, target, FOREIGN, body).await;
    let agent = &stage.agent;
    let shared = rule(&[("storefront", 9000), ("storefront-candidate", 1000)], "/");
    table.done(
        "the agent shares the traffic of a rule",
        write(agent, with(&shared)).await,
    );
    let only = "nothing of an HTTPRoute but the backendRefs";
    for (what, body) in [
        ("takes a rule away", route(std::slice::from_ref(&shared))),
        (
            "adds a rule",
            route(&[shared.clone(), other.clone(), rule(&[("x", 1)], "/x")]),
        ),
        (
            "changes what a rule matches",
            with(&rule(&[("storefront", 1)], "/admin")),
        ),
        (
            "takes another host",
            json!({"spec": {"hostnames": ["x.example.com"]}}),
        ),
        (
            "goes to another gateway",
            json!({"spec": {"parentRefs": [{"name": "inner"}]}}),
        ),
    ] {
        table.refused(only, &format!("the agent {what}"), write(agent, body).await);
    }
    let mut away = shared.clone();
    if let Some(one) = away.pointer_mut("/backendRefs/1") {
        super::actor::merge(one, json!({"namespace": "elsewhere"}));
    }
    table.refused(
        "to another namespace",
        "the agent sends traffic to another namespace",
        write(agent, with(&away)).await,
    );
    table.done(
        "the agent marks the route with epoch 7",
        write(agent, super::epoch::epoch(&json!("7"))).await,
    );
    table.refused(
        super::epoch::OLD,
        "the agent of epoch 6 writes the route",
        write(agent, super::epoch::epoch(&json!("6"))).await,
    );
    table.done(
        "an administrator changes what a rule matches as ever",
        write(&stage.carol, route(&[rule(&[("storefront", 1)], "/admin")])).await,
    );
    Ok(())
}
