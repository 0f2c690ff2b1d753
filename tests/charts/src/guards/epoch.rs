//! The fence: no write of a leader that another one has followed (reliability.md F3).

use serde_json::{Value, json};

use super::Table;
use super::actor::{
    Actor, DEPLOYMENT, INGRESS, JOB, PIPELINE, REQUEST, ROLLOUT, SERVICE, STATEFULSET,
};
use super::stage::{FOREIGN, Stage};

pub(super) const OLD: &str = "is not the leader any more";

pub(super) fn epoch(value: &Value) -> Value {
    json!({"metadata": {"annotations": {"sluice.dev/epoch": value}}})
}

pub(super) async fn prove(stage: &Stage, table: &mut Table) {
    let target = &stage.target;
    let write = async |who: &Actor, value: Value| {
        who.merge(DEPLOYMENT, target, FOREIGN, epoch(&value)).await
    };
    let agent = &stage.agent;
    table.done(
        "the agent marks a Deployment with epoch 7",
        write(agent, json!("7")).await,
    );
    table.refused(
        OLD,
        "the agent of epoch 6 writes",
        write(agent, json!("6")).await,
    );
    table.refused(
        "never removes the annotation",
        "the agent removes the mark",
        write(agent, Value::Null).await,
    );
    table.refused(
        "is a number",
        "the agent writes a mark that is none",
        write(agent, json!("-8")).await,
    );
    table.refused(
        "is a number",
        "the agent writes a mark of 19 digits",
        write(agent, json!("9".repeat(19))).await,
    );
    table.done(
        "the agent of epoch 7 writes again",
        write(agent, json!("7")).await,
    );
    table.done(
        "the agent of epoch 10 writes",
        write(agent, json!("10")).await,
    );
    table.refused(
        OLD,
        "the agent of epoch 9 writes",
        write(agent, json!("9")).await,
    );
    table.done(
        "alice leaves garbage in the mark",
        write(&stage.alice, json!("ten")).await,
    );
    table.refused(
        "never removes the annotation",
        "the agent removes the garbage",
        write(agent, Value::Null).await,
    );
    table.done(
        "the agent replaces the garbage",
        write(agent, json!("3")).await,
    );
    table.done(
        "alice removes the mark",
        write(&stage.alice, Value::Null).await,
    );

    for (kind, word) in [
        (SERVICE, "Service"),
        (STATEFULSET, "StatefulSet"),
        (INGRESS, "Ingress"),
        (JOB, "Job"),
    ] {
        let write = async |value: Value| agent.merge(kind, target, FOREIGN, epoch(&value)).await;
        table.done(
            &format!("the agent marks a {word} with epoch 7"),
            write(json!("7")).await,
        );
        table.refused(
            OLD,
            &format!("the agent of epoch 6 writes the {word}"),
            write(json!("6")).await,
        );
    }

    let home = &stage.pipelines;
    for (kind, word) in [
        (ROLLOUT, "rollouts"),
        (PIPELINE, "pipelines"),
        (REQUEST, "requests"),
    ] {
        let name = "guard-proof-b";
        let write = async |value: Value| {
            agent
                .merge_status(kind, home, name, json!({"epoch": value, "message": "m"}))
                .await
        };
        table.done(
            &format!("the agent of epoch 7 writes {word} status"),
            write(json!(7)).await,
        );
        table.refused(
            OLD,
            &format!("the agent of epoch 6 writes {word} status"),
            write(json!(6)).await,
        );
        table.refused(
            OLD,
            &format!("the agent removes {word} status.epoch"),
            write(Value::Null).await,
        );
        table.refused(
            "",
            &format!("the agent removes the whole {word} status"),
            agent.merge_status(kind, home, name, Value::Null).await,
        );
        table.done(
            &format!("the agent of epoch 8 writes {word} status"),
            write(json!(8)).await,
        );
    }
}
