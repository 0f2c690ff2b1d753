//! Who writes a Pipeline needs the agent's rights on its targets.

use serde_json::{Value, json};

use super::Table;
use super::actor::PIPELINE;
use super::stage::Stage;

/// A Pipeline with one environment.
pub(super) fn pipeline(namespace: &str) -> Value {
    json!({"spec": {
        "image": {"repository": "registry.example.com/x", "tags": {"semver": ">=1.0.0"}},
        "environments": [environment("staging", namespace)],
    }})
}

fn environment(name: &str, namespace: &str) -> Value {
    json!({
        "name": name, "strategy": {"plugin": "canary"}, "triggers": [{"manual": {}}],
        "target": {"namespace": namespace, "deployment": "storefront", "service": "storefront"},
    })
}

fn sixteen(last: &str, namespace: &str) -> Value {
    let mut all: Vec<Value> = (1..16)
        .map(|n| environment(&format!("e{n}"), namespace))
        .collect();
    all.push(environment("last", last));
    json!({"spec": {"environments": all}})
}

pub(super) async fn prove(stage: &Stage, table: &mut Table) {
    let (home, target) = (&stage.pipelines, &stage.target);
    let name = "guard-proof-b";
    table.refused(
        "environment staging: \"bob@example.com\" may not patch Deployment",
        "bob writes a Pipeline whose target he may not patch",
        stage
            .bob
            .create(PIPELINE, home, "guard-proof-c", pipeline(target))
            .await,
    );
    table.refused(
        "environment staging: \"dave@example.com\" may not get Service",
        "dave writes a Pipeline whose Service he may not read",
        stage
            .dave
            .create(PIPELINE, home, "guard-proof-c", pipeline(target))
            .await,
    );
    table.refused(
        // Two policies refuse this, and either may answer.
        "kube-system/storefront",
        "alice names a target in another namespace",
        stage
            .alice
            .merge(PIPELINE, home, name, pipeline("kube-system"))
            .await,
    );
    table.refused(
        "environment last: \"alice@example.com\" may not",
        "alice hides such a target behind fifteen that she may patch",
        stage
            .alice
            .merge(PIPELINE, home, name, sixteen("kube-system", target))
            .await,
    );
    table.done(
        "alice writes a Pipeline with sixteen environments",
        stage
            .alice
            .merge(PIPELINE, home, name, sixteen(target, target))
            .await,
    );
    table.done(
        "bob changes a label of a Pipeline, and no target",
        stage
            .bob
            .merge(
                PIPELINE,
                home,
                name,
                json!({"metadata": {"labels": {"team": "shop"}}}),
            )
            .await,
    );
    table.refused(
        "may not patch Deployment",
        "bob changes the spec of a Pipeline of alice",
        stage
            .bob
            .merge(
                PIPELINE,
                home,
                name,
                json!({"spec": {"image": {"repository": "registry.example.com/evil"}}}),
            )
            .await,
    );
}
