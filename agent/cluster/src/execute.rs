//! Carrying out one effect, exactly. No choices are made here: what an effect names is written if the
//! object is still the one that was decided on, and refused otherwise.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};
use sluice_core::pipeline::{EnvironmentStatus, PipelineStatus};
use sluice_core::rollout::{
    Effect, Guard, Journal, ObjectKind, OwnerRef, ROLLOUT_ANNOTATION, ROLLOUT_LABEL,
};

use crate::crd::{Pipeline, Rollout};
use crate::fault::ClusterFault;
use crate::object::objects;
use crate::writer::{Writer, annotate};

mod config;
mod json;

/// The name under which the API server notes what is rolled out: templates, claims, journals (W9).
const ROLLOUT_MANAGER: &str = "sluice-rollout";
/// The name for what shares traffic: numbers of pods.
const TRAFFIC_MANAGER: &str = "sluice-traffic";

/// Does it. `pipeline` is the namespace and name of the Pipeline whose status takes outcomes.
///
/// [`Effect::Ask`] is not a write and is refused here: the controller asks plugins.
pub async fn execute(
    writer: &Writer,
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
        } => save_revision(writer, namespace, name, owner, template, hash).await,
        Effect::Claim {
            target,
            rollout_uid,
        } => {
            let change = json!({"metadata": {"annotations": {ROLLOUT_ANNOTATION: rollout_uid}}});
            patch(writer, ROLLOUT_MANAGER, target, change).await
        }
        Effect::Create { manifest } => create(writer, manifest).await,
        Effect::Scale {
            deployment,
            replicas,
            ..
        } => {
            let change = json!({"spec": {"replicas": replicas}});
            patch(writer, TRAFFIC_MANAGER, deployment, change).await
        }
        Effect::SetTemplate {
            deployment,
            spec_patch,
            ..
        } => {
            let change = json!({"spec": spec_patch});
            patch(writer, ROLLOUT_MANAGER, deployment, change).await
        }
        Effect::Delete { object } => delete(writer, object).await,
        Effect::Patch { object, patch, .. } => json::patch(writer, object, patch).await,
        Effect::CopyConfig {
            from,
            to,
            owner,
            rollout_uid,
        } => config::copy(writer, from, to, owner, rollout_uid).await,
        Effect::RecordOutcome {
            outcome,
            promoted,
            quarantine,
        } => {
            let (namespace, name, environment) = pipeline;
            update_environment(writer, namespace, name, environment, |e| {
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
    writer: &Writer,
    namespace: &str,
    name: &str,
    owner: &OwnerRef,
    template: &Value,
    hash: &str,
) -> Result<(), ClusterFault> {
    let object = format!("ControllerRevision {namespace}/{name}");
    let (client, _) = writer.pen(&object)?;
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), namespace);
    let body: ControllerRevision = serde_json::from_value(json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": "sluice"},
            "annotations": {"sluice.dev/template-hash": hash},
            "ownerReferences": [owner.entry()],
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

async fn create(writer: &Writer, manifest: &Value) -> Result<(), ClusterFault> {
    let kind = manifest
        .get("kind")
        .and_then(Value::as_str)
        .and_then(ObjectKind::of)
        .ok_or_else(|| ClusterFault::Malformed {
            object: "a manifest".into(),
            message: "its kind is none that Sluice creates".into(),
        })?;
    let (client, epoch) = writer.pen(kind.as_str())?;
    let mut manifest = manifest.clone();
    annotate(&mut manifest, epoch);
    let body: DynamicObject =
        serde_json::from_value(manifest).map_err(|e| ClusterFault::Malformed {
            object: kind.as_str().into(),
            message: e.to_string(),
        })?;
    let namespace = body.namespace().unwrap_or_default();
    let object = format!("{kind} {namespace}/{}", body.name_any());
    let api = objects(client, kind, &namespace);
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

/// Notes the epoch of this leader on a workload, before anything else is written there: from then on
/// an older one can write nothing (F4).
pub async fn stamp(writer: &Writer, guard: &Guard) -> Result<(), ClusterFault> {
    patch(writer, ROLLOUT_MANAGER, guard, json!({})).await
}

async fn patch(
    writer: &Writer,
    manager: &str,
    guard: &Guard,
    mut change: Value,
) -> Result<(), ClusterFault> {
    let (client, epoch) = writer.pen(&path(guard))?;
    annotate(&mut change, epoch);
    if let Some(map) = change.as_object_mut() {
        let metadata = map.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("uid".into(), json!(guard.uid));
            metadata.insert("resourceVersion".into(), json!(guard.resource_version));
        }
    }
    let params = PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    objects(client, guard.kind, &guard.namespace)
        .patch(&guard.name, &params, &Patch::Merge(&change))
        .await
        .map(|_| ())
        .map_err(|e| ClusterFault::sort("patch", path(guard), e))
}

async fn delete(writer: &Writer, guard: &Guard) -> Result<(), ClusterFault> {
    let (client, _) = writer.pen(&path(guard))?;
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(guard.uid.clone()),
            resource_version: Some(guard.resource_version.clone()),
        }),
        ..DeleteParams::background()
    };
    match objects(client, guard.kind, &guard.namespace)
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
    writer: &Writer,
    rollout: &Rollout,
    journal: &Journal,
) -> Result<Rollout, ClusterFault> {
    let namespace = rollout.namespace().unwrap_or_default();
    let object = format!("Rollout {namespace}/{}", rollout.name_any());
    let found = rollout.status.as_ref().map_or(0, |j| j.epoch);
    let epoch = writer.epoch(&object, found)?;
    let (client, _) = writer.pen(&object)?;
    let mut next = rollout.clone();
    next.status = Some(Journal {
        epoch,
        ..journal.clone()
    });
    next.metadata.managed_fields = None;
    let api: Api<Rollout> = Api::namespaced(client.clone(), &namespace);
    api.replace_status(&rollout.name_any(), &post(), &next)
        .await
        .map_err(|e| ClusterFault::sort("update the status of", object, e))
}

/// Changes what the Pipeline remembers of one environment, by compare-and-swap on a live read.
/// Writes nothing where `change` changes nothing.
pub async fn update_environment(
    writer: &Writer,
    namespace: &str,
    name: &str,
    environment: &str,
    change: impl FnOnce(EnvironmentStatus) -> EnvironmentStatus,
) -> Result<Pipeline, ClusterFault> {
    update_pipeline_status(writer, namespace, name, |status| {
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
    writer: &Writer,
    namespace: &str,
    name: &str,
    change: impl FnOnce(&mut PipelineStatus),
) -> Result<Pipeline, ClusterFault> {
    let object = format!("Pipeline {namespace}/{name}");
    let api: Api<Pipeline> = Api::namespaced(writer.client().clone(), namespace);
    let mut pipeline = api
        .get(name)
        .await
        .map_err(|e| ClusterFault::sort("get", object.clone(), e))?;
    let before = pipeline.status.clone().unwrap_or_default();
    let mut after = before.clone();
    change(&mut after);
    after.epoch = before.epoch;
    if after == before {
        return Ok(pipeline);
    }
    after.epoch = writer.epoch(&object, before.epoch)?;
    pipeline.status = Some(after);
    pipeline.metadata.managed_fields = None;
    api.replace_status(name, &post(), &pipeline)
        .await
        .map_err(|e| ClusterFault::sort("update the status of", object, e))
}

fn post() -> PostParams {
    PostParams {
        field_manager: Some(ROLLOUT_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn path(guard: &Guard) -> String {
    format!("{} {}/{}", guard.kind, guard.namespace, guard.name)
}
