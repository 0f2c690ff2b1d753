//! What stands beside workloads: the agent makes and removes its own, and changes of others' what it
//! must and nothing else.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Table;
use super::actor::{
    Actor, CONFIGMAP, DAEMONSET, INGRESS, JOB, Kind, POD, SECRET, SERVICE, STATEFULSET, merge,
};
use super::stage::{FOREIGN, OWN, Stage, deployment};

/// The controller of StatefulSets makes a pod within seconds.
const CONTROLLER_WITHIN: Duration = Duration::from_secs(30);

fn labelled(mut body: Value) -> Value {
    let ours = json!({"metadata": {"labels": {"sluice.dev/rollout-uid": "u"}}});
    merge(&mut body, ours);
    body
}

fn service() -> Value {
    json!({"spec": {"selector": {"app": FOREIGN, "tier": "web"}, "ports": [{"port": 80}]}})
}

fn container() -> Value {
    json!([{"name": "c", "image": "registry.example.com/c:1", "securityContext": {
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
    }}])
}

fn pod() -> Value {
    json!({"spec": {
        "containers": container(),
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
    }})
}

fn job(suspend: bool) -> Value {
    let mut template = pod();
    merge(&mut template, json!({"spec": {"restartPolicy": "Never"}}));
    json!({"spec": {"suspend": suspend, "template": template}})
}

fn ingress() -> Value {
    json!({"spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}})
}

/// Each kind that the agent makes, and its least body.
fn kinds() -> [(Kind, &'static str, Value); 5] {
    [
        (SERVICE, "Service", service()),
        (INGRESS, "Ingress", ingress()),
        (JOB, "Job", job(true)),
        (CONFIGMAP, "ConfigMap", json!({"data": {"a": "b"}})),
        (SECRET, "Secret", json!({"stringData": {"a": "b"}})),
    ]
}

pub(super) async fn prove(stage: &Stage, table: &mut Table) -> anyhow::Result<()> {
    let target = &stage.target;
    let (agent, carol) = (&stage.agent, &stage.carol);
    for (kind, word, body) in kinds() {
        table.done(
            &format!("an administrator creates a {word} as ever"),
            carol.create(kind, target, FOREIGN, body.clone()).await,
        );
        table.refused(
            "creates only what bears the label",
            &format!("the agent creates a {word} that is not of a Rollout"),
            agent.create(kind, target, OWN, body.clone()).await,
        );
        table.done(
            &format!("the agent creates a {word} of a Rollout"),
            agent.create(kind, target, OWN, labelled(body)).await,
        );
        table.refused(
            "for its own",
            &format!("the agent makes somebody's {word} its own"),
            agent
                .merge(kind, target, FOREIGN, labelled(json!({})))
                .await,
        );
        table.refused(
            "deletes only what it created",
            &format!("the agent deletes somebody's {word}"),
            agent.delete(kind, target, FOREIGN, false).await,
        );
        table.done(
            &format!("the agent deletes its own {word}"),
            agent.delete(kind, target, OWN, false).await,
        );
    }
    table.refused(
        "only Jobs that are suspended",
        "the agent creates a Job that runs at once",
        agent.create(JOB, target, OWN, labelled(job(false))).await,
    );
    services(stage, table).await;
    workloads(stage, table).await?;
    pods(stage, table).await
}

async fn services(stage: &Stage, table: &mut Table) {
    let target = &stage.target;
    let write = async |who: &Actor, change: Value| {
        let change = json!({"spec": change});
        who.merge(SERVICE, target, FOREIGN, change).await
    };
    let agent = &stage.agent;
    table.done(
        "the agent switches a Service to other pods",
        write(agent, json!({"selector": {"app": "candidate"}})).await,
    );
    for (what, change) in [
        ("takes a key out of a selector", json!({"tier": null})),
        ("adds a key to a selector", json!({"more": "x"})),
        (
            "selects by another key",
            json!({"tier": null, "app.kubernetes.io/name": "x"}),
        ),
    ] {
        table.refused(
            "never which keys it has",
            &format!("the agent {what}"),
            write(agent, json!({"selector": change})).await,
        );
    }
    for (what, change) in [
        ("ports", json!({"ports": [{"port": 81}]})),
        ("type", json!({"type": "NodePort"})),
        (
            "external addresses",
            json!({"externalIPs": ["203.0.113.1"]}),
        ),
    ] {
        table.refused(
            "nothing of a Service but its selector",
            &format!("the agent changes a Service's {what}"),
            write(agent, change).await,
        );
    }
    let mut open = labelled(service());
    merge(&mut open, json!({"spec": {"type": "NodePort"}}));
    table.refused(
        "only Services of type ClusterIP",
        "the agent opens a port on every node",
        agent.create(SERVICE, target, OWN, open).await,
    );
    table.done(
        "an administrator changes the ports of a Service as ever",
        write(&stage.carol, json!({"ports": [{"port": 81}]})).await,
    );
}

async fn workloads(stage: &Stage, table: &mut Table) -> anyhow::Result<()> {
    let target = &stage.target;
    let mut body = deployment(FOREIGN, 1);
    merge(
        &mut body,
        json!({"spec": {"serviceName": "none", "template": pod()}}),
    );
    let made = stage.admin.create(STATEFULSET, target, FOREIGN, body).await;
    made.map_err(anyhow::Error::msg)?;
    let template = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}});
    table.done(
        "the agent sets the partition of a StatefulSet",
        stage
            .agent
            .merge(STATEFULSET, target, FOREIGN, template)
            .await,
    );
    table.refused(
        "for its own",
        "the agent makes somebody's StatefulSet its own",
        stage
            .agent
            .merge(STATEFULSET, target, FOREIGN, labelled(json!({})))
            .await,
    );
    table.refused(
        "deletes only what it created",
        "the agent deletes somebody's StatefulSet",
        stage.agent.delete(STATEFULSET, target, FOREIGN, true).await,
    );
    let mut body = deployment(FOREIGN, 0);
    if let Some(spec) = body.pointer_mut("/spec").and_then(Value::as_object_mut) {
        spec.remove("replicas");
    }
    table.refused(
        "creates only what bears the label",
        "the agent creates a DaemonSet",
        stage
            .agent
            .create_with(DAEMONSET, target, OWN, body, true)
            .await,
    );
    Ok(())
}

async fn pods(stage: &Stage, table: &mut Table) -> anyhow::Result<()> {
    let target = &stage.target;
    let delete = async |name: &str| stage.agent.delete(POD, target, name, true).await;
    let made = stage.admin.create(POD, target, FOREIGN, pod()).await;
    made.map_err(anyhow::Error::msg)?;
    table.refused(
        "deletes only pods of StatefulSets",
        "the agent deletes a pod that stands alone",
        delete(FOREIGN).await,
    );
    let first = format!("{FOREIGN}-0");
    let limit = Instant::now() + CONTROLLER_WITHIN;
    while let Err(error) = stage.admin.get(POD, target, &first).await {
        ensure!(Instant::now() < limit, "no pod {first}: {error}");
        sleep(Duration::from_millis(100)).await;
    }
    table.done(
        "the agent deletes a pod of a StatefulSet",
        delete(&first).await,
    );
    Ok(())
}
