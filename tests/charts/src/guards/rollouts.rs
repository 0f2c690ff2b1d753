//! Rollouts are the agent's, and an ended one stays ended.

use serde_json::{Value, json};

use super::Table;
use super::actor::ROLLOUT;
use super::stage::Stage;

const NAME: &str = "guard-proof-a";

/// A Rollout with settings that no schema knows.
pub(super) fn rollout() -> Value {
    json!({"spec": {
        "pipeline": "none", "environment": "none",
        "target": {"namespace": "none", "deployment": "none", "service": "none"},
        "targetUid": "0",
        "image": {"repository": "registry.example.com/x", "digest": "sha256:0"},
        "cause": {"trigger": "manual", "id": "0"},
        "strategy": {"plugin": "canary", "settings": {"steps": [{"weight": "10%", "deep": {"x": 1}}]}},
        "checks": [{"plugin": "http-smoke", "settings": {"requests": [{"path": "/health"}]}}],
    }})
}

pub(super) async fn prove(stage: &Stage, table: &mut Table) -> anyhow::Result<()> {
    let home = &stage.pipelines;
    const ONLY: &str = "only the agent creates Rollouts";
    table.refused(
        ONLY,
        "alice writes a Rollout",
        stage.alice.create(ROLLOUT, home, NAME, rollout()).await,
    );
    table.refused(
        ONLY,
        "an administrator writes a Rollout",
        stage.carol.create(ROLLOUT, home, NAME, rollout()).await,
    );
    table.done(
        "the agent writes a Rollout",
        stage.agent.create(ROLLOUT, home, NAME, rollout()).await,
    );
    table.refused(
        "only the agent changes Rollouts",
        "an administrator changes a label of a Rollout",
        stage
            .carol
            .merge(
                ROLLOUT,
                home,
                NAME,
                json!({"metadata": {"labels": {"x": "y"}}}),
            )
            .await,
    );
    for (what, change) in [
        (
            "the digest of a Rollout",
            json!({"image": {"digest": "sha256:1"}}),
        ),
        (
            "a setting within a Rollout that no schema knows",
            json!({"strategy": {"settings": {"steps": [{"weight": "10%", "deep": {"x": 2}}]}}}),
        ),
    ] {
        table.refused(
            "the spec of a Rollout never changes",
            &format!("the agent changes {what}"),
            stage
                .agent
                .merge(ROLLOUT, home, NAME, json!({"spec": change}))
                .await,
        );
    }
    phases(stage, table).await;
    Ok(())
}

async fn phases(stage: &Stage, table: &mut Table) {
    let home = &stage.pipelines;
    let write = async |state: Value, phase: &str, claimed: bool| {
        let status = json!({"state": state, "phase": phase, "claimed": claimed, "epoch": 3});
        stage.agent.merge_status(ROLLOUT, home, NAME, status).await
    };
    let plain = |phase: &str| json!({"phase": phase});
    table.done(
        "the agent begins",
        write(plain("AwaitingApproval"), "AwaitingApproval", false).await,
    );
    table.refused(
        "queued once",
        "the agent queues it again",
        write(plain("Queued"), "Queued", false).await,
    );
    table.refused(
        "Unsupported value",
        "the agent writes a phase that there is not",
        write(plain("AwaitingApproval"), "Approved", false).await,
    );
    table.done(
        "the agent promotes",
        write(plain("Promoting"), "Promoting", true).await,
    );
    table.refused(
        "never waits before the gate again",
        "the agent waits for votes after it has begun",
        write(plain("AwaitingApproval"), "AwaitingApproval", true).await,
    );
    table.done(
        "the agent goes back",
        write(plain("RollingBack"), "RollingBack", true).await,
    );
    table.refused(
        "never goes forward again",
        "the agent goes forward again",
        write(plain("Promoting"), "Promoting", true).await,
    );
    table.refused(
        "is not over",
        "alice deletes a Rollout that is not over",
        stage.alice.delete(ROLLOUT, home, NAME, false).await,
    );
    table.done(
        "the agent records",
        write(plain("Recording"), "Recording", true).await,
    );
    table.refused(
        "after Recording comes the end",
        "the agent goes back after the end was decided",
        write(plain("RollingBack"), "RollingBack", true).await,
    );
    let end = |kind: &str| json!({"phase": "Ended", "kind": kind, "message": "m", "at": "2026-11-26T17:00:00Z"});
    table.done(
        "the agent ends it",
        write(end("RolledBack"), "RolledBack", true).await,
    );
    table.refused(
        "stays ended",
        "the agent makes an ended one live",
        write(plain("Progressing"), "Progressing", true).await,
    );
    table.refused(
        "stays ended",
        "the agent makes a rolled back one a success",
        write(end("Succeeded"), "Succeeded", true).await,
    );
    table.done(
        "the agent notes that an ended one is recorded",
        stage
            .agent
            .merge_status(ROLLOUT, home, NAME, json!({"recorded": true}))
            .await,
    );
    table.done(
        "alice deletes an ended Rollout",
        stage.alice.delete(ROLLOUT, home, NAME, false).await,
    );
}
