//! Carrying out one effect, exactly. No choices are made here: what an effect names is written if the
//! object is still the one that was decided on, and refused otherwise.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use sluice_core::pipeline::{EnvironmentStatus, PipelineStatus};
use sluice_core::rollout::{Effect, Guard, Journal, OwnerRef, ROLLOUT_ANNOTATION, ROLLOUT_LABEL};

use crate::crd::{Pipeline, Rollout};
use crate::fault::ClusterFault;
use crate::observe::deployments;

/// The name under which the API server notes Sluice's fields (W9).
const FIELD_MANAGER: &str = "sluice-rollout";

/// Does it. `pipeline` is the namespace and name of the Pipeline whose status takes outcomes.
///
/// [`Effect::Ask`] is not a write and is refused here: the controller asks plugins.
pub async fn execute(
    client: &Client,
    effect: &Effect,
    pipeline: (&str, &str, &str),
) -> Result<(), ClusterFault> {
    match effect {
        Effect::SaveRevision {
            namespace,
            name,
            owner,
            template,
            hash,
        } => save_revision(client, namespace, name, owner, template, hash).await,
        Effect::Claim {
            target,
            rollout_uid,
        } => {
            let change = json!({"metadata": {"annotations": {ROLLOUT_ANNOTATION: rollout_uid}}});
            patch(client, target, change).await
        }
        Effect::CreateDeployment { manifest } => create(client, manifest).await,
        Effect::Scale {
            deployment,
            replicas,
            ..
        } => patch(client, deployment, json!({"spec": {"replicas": replicas}})).await,
        Effect::SetTemplate {
            deployment,
            spec_patch,
            ..
        } => patch(client, deployment, json!({"spec": spec_patch})).await,
        Effect::DeleteDeployment { deployment } => delete(client, deployment).await,
        Effect::RecordOutcome {
            outcome,
            promoted,
            quarantine,
        } => {
            let (namespace, name, environment) = pipeline;
            update_environment(client, namespace, name, environment, |e| {
                e.with_outcome(outcome.clone(), promoted.clone(), quarantine.clone())
            })
            .await
            .map(|_| ())
        }
        Effect::Ask { call, .. } => Err(ClusterFault::Malformed {
            object: call.0.clone(),
            message: "a question to a plugin is not a write".into(),
        }),
    }
}

/// Keeps a pod template. Existing with the same hash is success: the name is the hash.
pub async fn save_revision(
    client: &Client,
    namespace: &str,
    name: &str,
    owner: &OwnerRef,
    template: &Value,
    hash: &str,
) -> Result<(), ClusterFault> {
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), namespace);
    let object = format!("ControllerRevision {namespace}/{name}");
    let body: ControllerRevision = serde_json::from_value(json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": "sluice"},
            "annotations": {"sluice.dev/template-hash": hash},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "Deployment", "name": owner.name,
                "uid": owner.uid, "controller": false, "blockOwnerDeletion": false,
            }],
        },
        "data": {"template": template},
        "revision": 1,
    }))
    .map_err(|e| ClusterFault::Malformed {
        object: object.clone(),
        message: e.to_string(),
    })?;
    match api.create(&post(), &body).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(s)) if s.code == 409 => Ok(()),
        Err(e) => Err(ClusterFault::sort("create", object, e)),
    }
}

async fn create(client: &Client, manifest: &Value) -> Result<(), ClusterFault> {
    let body: DynamicObject =
        serde_json::from_value(manifest.clone()).map_err(|e| ClusterFault::Malformed {
            object: "Deployment".into(),
            message: e.to_string(),
        })?;
    let namespace = body.namespace().unwrap_or_default();
    let object = format!("Deployment {namespace}/{}", body.name_any());
    let api = deployments(client, &namespace);
    match api.create(&post(), &body).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(s)) if s.code == 409 => {
            // Ours from before a crash is success (W4); somebody else's is not ours to touch.
            let found = api
                .get(&body.name_any())
                .await
                .map_err(|e| ClusterFault::sort("get", object.clone(), e))?;
            if found.labels().get(ROLLOUT_LABEL) == body.labels().get(ROLLOUT_LABEL) {
                Ok(())
            } else {
                Err(ClusterFault::Malformed {
                    object,
                    message: "exists already and was not created by this Rollout".into(),
                })
            }
        }
        Err(e) => Err(ClusterFault::sort("create", object, e)),
    }
}

async fn patch(client: &Client, guard: &Guard, mut change: Value) -> Result<(), ClusterFault> {
    if let Some(map) = change.as_object_mut() {
        let metadata = map.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("uid".into(), json!(guard.uid));
            metadata.insert("resourceVersion".into(), json!(guard.resource_version));
        }
    }
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    deployments(client, &guard.namespace)
        .patch(&guard.name, &params, &Patch::Merge(&change))
        .await
        .map(|_| ())
        .map_err(|e| ClusterFault::sort("patch", path(guard), e))
}

async fn delete(client: &Client, guard: &Guard) -> Result<(), ClusterFault> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(guard.uid.clone()),
            resource_version: Some(guard.resource_version.clone()),
        }),
        ..DeleteParams::background()
    };
    match deployments(client, &guard.namespace)
        .delete(&guard.name, &params)
        .await
    {
        Ok(_) => Ok(()),
        Err(e) => match ClusterFault::sort("delete", path(guard), e) {
            ClusterFault::Gone { .. } => Ok(()),
            other => Err(other),
        },
    }
}

/// Stores the journal if nobody else wrote the Rollout since it was read (W1).
pub async fn commit(
    client: &Client,
    rollout: &Rollout,
    journal: &Journal,
) -> Result<Rollout, ClusterFault> {
    let namespace = rollout.namespace().unwrap_or_default();
    let object = format!("Rollout {namespace}/{}", rollout.name_any());
    let mut next = rollout.clone();
    next.status = Some(journal.clone());
    next.metadata.managed_fields = None;
    let api: Api<Rollout> = Api::namespaced(client.clone(), &namespace);
    api.replace_status(&rollout.name_any(), &post(), &next)
        .await
        .map_err(|e| ClusterFault::sort("update the status of", object, e))
}

/// Changes what the Pipeline remembers of one environment, by compare-and-swap on a live read.
/// Writes nothing where `change` changes nothing.
pub async fn update_environment(
    client: &Client,
    namespace: &str,
    name: &str,
    environment: &str,
    change: impl FnOnce(EnvironmentStatus) -> EnvironmentStatus,
) -> Result<Pipeline, ClusterFault> {
    update_pipeline_status(client, namespace, name, |status| {
        let before = status
            .environments
            .get(environment)
            .cloned()
            .unwrap_or_default();
        status
            .environments
            .insert(environment.to_owned(), change(before));
    })
    .await
}

/// Changes the status of a Pipeline, by compare-and-swap on a live read.
pub async fn update_pipeline_status(
    client: &Client,
    namespace: &str,
    name: &str,
    change: impl FnOnce(&mut PipelineStatus),
) -> Result<Pipeline, ClusterFault> {
    let api: Api<Pipeline> = Api::namespaced(client.clone(), namespace);
    let object = format!("Pipeline {namespace}/{name}");
    let mut pipeline = api
        .get(name)
        .await
        .map_err(|e| ClusterFault::sort("get", object.clone(), e))?;
    let before = pipeline.status.clone().unwrap_or_default();
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(pipeline);
    }
    pipeline.status = Some(after);
    pipeline.metadata.managed_fields = None;
    api.replace_status(name, &post(), &pipeline)
        .await
        .map_err(|e| ClusterFault::sort("update the status of", object, e))
}

fn post() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn path(guard: &Guard) -> String {
    format!("Deployment {}/{}", guard.namespace, guard.name)
}
