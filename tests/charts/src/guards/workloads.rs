//! The agent makes and removes its own Deployments, and no others.

use serde_json::{Value, json};

use super::Table;
use super::actor::{DEPLOYMENT, merge};
use super::stage::{FOREIGN, Stage, deployment};

fn own(app: &str, replicas: u32) -> Value {
    let mut body = deployment(app, replicas);
    let ours = json!({"metadata": {"labels": {"sluice.dev/rollout-uid": "u"}}});
    merge(&mut body, ours);
    body
}

pub(super) async fn prove(stage: &Stage, table: &mut Table) {
    let target = &stage.target;
    let name = "guard-proof-a";
    let create = async |body: Value| stage.agent.create(DEPLOYMENT, target, name, body).await;
    let only = "only Deployments without pods that bear the label";
    table.refused(
        only,
        "the agent creates a Deployment that is not of a Rollout",
        create(deployment(name, 0)).await,
    );
    table.refused(
        only,
        "the agent creates one with pods",
        create(own(name, 1)).await,
    );
    table.done(
        "the agent creates one of a Rollout, empty",
        create(own(name, 0)).await,
    );
    table.done(
        "the agent gives it pods",
        stage
            .agent
            .merge(DEPLOYMENT, target, name, json!({"spec": {"replicas": 1}}))
            .await,
    );
    table.refused(
        "deletes only Deployments that it created",
        "the agent deletes somebody's Deployment",
        stage.agent.delete(DEPLOYMENT, target, FOREIGN, false).await,
    );
    let label = json!({"metadata": {"labels": {"sluice.dev/rollout-uid": "u"}}});
    table.refused(
        "neither takes a Deployment for its own",
        "the agent makes somebody's Deployment its own",
        stage.agent.merge(DEPLOYMENT, target, FOREIGN, label).await,
    );
    table.done(
        "the agent deletes its own",
        stage.agent.delete(DEPLOYMENT, target, name, false).await,
    );
    table.done(
        "alice deletes a Deployment as ever",
        stage.alice.delete(DEPLOYMENT, target, FOREIGN, true).await,
    );
}
