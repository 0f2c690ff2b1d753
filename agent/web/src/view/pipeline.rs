//! A Pipeline with its environments.

use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Serialize;
use sluice_cluster::crd::{Pipeline, Rollout};
use sluice_core::pipeline::{EnvironmentSpec, EnvironmentStatus, Revision};

use super::summary::{Summary, href, outcome_tone};
use super::time::When;
use super::{Scene, short, version};

/// Live Rollouts of one environment that are shown: the one that has the target, and who waits.
const CURRENT: usize = 3;
/// Quarantined versions that are named.
const QUARANTINED: usize = 5;

/// A Pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PipelineView {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The image that it watches.
    pub(crate) repository: String,
    /// What is wrong with it.
    pub(crate) problems: Vec<String>,
    pub(crate) environments: Vec<EnvironmentView>,
}

/// One environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentView {
    pub(crate) name: String,
    /// `namespace/deployment`.
    pub(crate) target: String,
    /// Environments that a version must have succeeded in before.
    pub(crate) after: Vec<String>,
    /// What serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stable: Option<VersionView>,
    /// Rollouts under way and waiting, the foremost first.
    pub(crate) current: Vec<Summary>,
    /// How many more wait.
    pub(crate) more: usize,
    /// How the newest ended one ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<OutcomeView>,
    /// Why the policy closes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<String>,
    /// Why it waits as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<String>,
    /// The newest candidate that was not let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<RefusedView>,
    /// Versions that no trigger may propose.
    pub(crate) quarantined: Vec<QuarantinedView>,
}

/// A version that serves or served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionView {
    pub(crate) version: String,
    pub(crate) digest: String,
    pub(crate) since: When,
    /// The Rollout that brought it; none: it was there when the pipeline came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) promoted_by: Option<String>,
}

impl VersionView {
    pub(crate) fn new(revision: &Revision, scene: &Scene) -> Self {
        Self {
            version: version(revision.tag.as_deref(), &revision.digest),
            digest: revision.digest.clone(),
            since: When::new(revision.since, scene.now),
            promoted_by: revision.promoted_by.clone(),
        }
    }

    pub(crate) fn short_digest(&self) -> String {
        short(&self.digest)
    }
}

/// An end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutcomeView {
    pub(crate) version: String,
    pub(crate) phase: &'static str,
    #[serde(skip)]
    pub(crate) tone: &'static str,
    pub(crate) rollout: String,
    #[serde(skip)]
    pub(crate) href: String,
    pub(crate) at: When,
}

/// A candidate that was not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefusedView {
    pub(crate) version: String,
    pub(crate) reasons: Vec<String>,
    pub(crate) at: When,
}

/// A version in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuarantinedView {
    pub(crate) version: String,
    pub(crate) digest: String,
    pub(crate) reason: String,
    pub(crate) rollout: String,
    pub(crate) at: When,
}

impl PipelineView {
    pub(crate) fn new(scene: &Scene, pipeline: &Pipeline) -> Self {
        let spec = &pipeline.spec.body;
        let (namespace, name) = (
            pipeline.namespace().unwrap_or_default(),
            pipeline.name_any(),
        );
        let status = pipeline.status.clone().unwrap_or_default();
        let environments = spec
            .environments
            .iter()
            .map(|e| {
                let remembered = status
                    .environments
                    .get(&e.name)
                    .cloned()
                    .unwrap_or_default();
                EnvironmentView::new(scene, &namespace, &name, e, &remembered)
            })
            .collect();
        Self {
            repository: spec.image.repository.clone(),
            problems: status.problems,
            environments,
            namespace,
            name,
        }
    }
}

impl EnvironmentView {
    fn new(
        scene: &Scene,
        namespace: &str,
        pipeline: &str,
        spec: &EnvironmentSpec,
        status: &EnvironmentStatus,
    ) -> Self {
        let when = |at| When::new(at, scene.now);
        let live = live(scene, namespace, pipeline, &spec.name);
        let shown: Vec<Summary> = live
            .iter()
            .take(CURRENT)
            .map(|r| Summary::new(scene, r))
            .collect();
        Self {
            name: spec.name.clone(),
            target: super::target(&spec.target),
            after: spec.after.clone(),
            stable: status.stable.as_ref().map(|r| VersionView::new(r, scene)),
            more: live.len().saturating_sub(shown.len()),
            current: shown,
            last: status.history.first().map(|o| OutcomeView {
                version: version(o.tag.as_deref(), &o.digest),
                phase: o.kind.phase(),
                tone: outcome_tone(o.kind),
                href: href(namespace, &o.rollout),
                rollout: o.rollout.clone(),
                at: when(o.at),
            }),
            closed: scene
                .policy
                .environment(&spec.name, &spec.target.namespace)
                .into_result()
                .err()
                .map(|closed| closed.to_string()),
            waiting: status.waiting.clone(),
            refused: status.refused.as_ref().map(|r| RefusedView {
                version: version(r.tag.as_deref(), &r.digest),
                reasons: r.reasons.clone(),
                at: when(r.at),
            }),
            quarantined: status
                .quarantined
                .iter()
                .take(QUARANTINED)
                .map(|q| QuarantinedView {
                    version: version(q.tag.as_deref(), &q.digest),
                    digest: short(&q.digest),
                    reason: q.reason.clone(),
                    rollout: q.rollout.clone(),
                    at: when(q.at),
                })
                .collect(),
        }
    }
}

/// Rollouts that are not over: those that have begun first, then by age.
fn live(
    scene: &Scene,
    namespace: &str,
    pipeline: &str,
    environment: &str,
) -> Vec<std::sync::Arc<Rollout>> {
    let mut live = scene.world.rollouts.state_filter(|r| {
        r.namespace().as_deref() == Some(namespace)
            && r.spec.body.pipeline == pipeline
            && r.spec.body.environment == environment
            && !r.status.as_ref().is_some_and(|j| j.state.ended())
    });
    live.sort_by_key(|r| {
        let begun = r.status.as_ref().is_some_and(|j| j.state.begun());
        (!begun, r.creation_timestamp().map(|t| t.0), r.name_any())
    });
    live
}
