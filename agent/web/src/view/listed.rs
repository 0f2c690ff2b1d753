//! Lists over all Pipelines: what is in quarantine, and what was not let in.

use kube::ResourceExt as _;
use schemars::JsonSchema;
use serde::Serialize;
use sluice_cluster::crd::RequestState;
use sluice_core::pipeline::EnvironmentStatus;

use super::time::When;
use super::{Scene, version};

/// A version in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuarantineRow {
    pub(crate) namespace: String,
    pub(crate) pipeline: String,
    pub(crate) environment: String,
    /// Tag, or the start of the digest.
    pub(crate) version: String,
    /// The whole digest.
    pub(crate) digest: String,
    /// Why.
    pub(crate) reason: String,
    /// The Rollout that failed.
    pub(crate) rollout: String,
    pub(crate) at: When,
}

/// Something that was not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefusalRow {
    pub(crate) namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pipeline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) environment: Option<String>,
    /// The version, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Whose wish it was. None: a trigger proposed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// Every reason against it.
    pub(crate) reasons: Vec<String>,
    pub(crate) at: When,
}

/// Each environment's memory, with the names of namespace, Pipeline and environment.
fn environments(scene: &Scene) -> Vec<([String; 3], EnvironmentStatus)> {
    let mut all: Vec<_> = scene
        .world
        .pipelines
        .state()
        .iter()
        .flat_map(|p| {
            let place = (p.namespace().unwrap_or_default(), p.name_any());
            let status = p.status.clone().unwrap_or_default();
            status
                .environments
                .into_iter()
                .map(move |(name, e)| ([place.0.clone(), place.1.clone(), name], e))
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Every version in quarantine.
pub(crate) fn quarantine(scene: &Scene) -> Vec<QuarantineRow> {
    environments(scene)
        .into_iter()
        .flat_map(|([namespace, pipeline, environment], status)| {
            status.quarantined.into_iter().map(move |q| QuarantineRow {
                namespace: namespace.clone(),
                pipeline: pipeline.clone(),
                environment: environment.clone(),
                version: version(q.tag.as_deref(), &q.digest),
                digest: q.digest,
                reason: q.reason,
                rollout: q.rollout,
                at: When::new(q.at, scene.now),
            })
        })
        .collect()
}

/// The newest candidate of each environment that was not let in, and the wishes that were refused
/// and are still there.
pub(crate) fn refusals(scene: &Scene) -> Vec<RefusalRow> {
    let candidates = environments(scene).into_iter().filter_map(
        |([namespace, pipeline, environment], status)| {
            status.refused.map(|r| RefusalRow {
                namespace,
                pipeline: Some(pipeline),
                environment: Some(environment),
                version: Some(version(r.tag.as_deref(), &r.digest)),
                by: None,
                reasons: r.reasons,
                at: When::new(r.at, scene.now),
            })
        },
    );
    let mut wishes: Vec<_> = scene.world.requests.state();
    wishes.sort_by_key(|r| (r.creation_timestamp().map(|t| t.0), r.name_any()));
    let wishes = wishes.iter().rev().filter_map(|r| {
        let status = r.status.as_ref()?;
        (status.state == RequestState::Refused).then(|| RefusalRow {
            namespace: r.namespace().unwrap_or_default(),
            pipeline: r.spec.pipeline.clone(),
            environment: r.spec.environment.clone(),
            version: r.spec.tag.clone().or_else(|| r.spec.digest.clone()),
            by: Some(r.spec.requester.clone()),
            reasons: status.message.lines().map(str::to_owned).collect(),
            at: When::new(r.made(), scene.now),
        })
    });
    candidates.chain(wishes).collect()
}
