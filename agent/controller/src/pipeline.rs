//! One Pipeline: its baseline, its triggers, its people's wishes. Creates Rollouts, changes no target.

mod baseline;
mod create;
mod facts;
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::Api;
use sluice_cluster::crd::Pipeline;
use sluice_cluster::execute::{update_environment, update_pipeline_status};
use sluice_cluster::fault::ClusterFault;
use sluice_core::admit::PipelineView;
use sluice_core::pipeline::{EnvironmentSpec, EnvironmentStatus, Trigger};
use sluice_core::policy::EnvironmentVerdict;

use crate::context::Context;
use crate::own::{Cache, PIPELINE};
use crate::pace::CALLS_OF_A_LOOK;
use crate::trigger;

/// Targets that are not healthy yet are looked at again this often, beside their events.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// A watch event is under way so long at most, usually.
const CACHE_COMES: Duration = Duration::from_millis(50);
/// After a fault of the API server or a lost race.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// Works on one Pipeline. Returns when to look again.
pub(crate) async fn reconcile(
    context: &Arc<Context>,
    namespace: &str,
    name: &str,
) -> Option<Duration> {
    let cached = context.world.pipeline(namespace, name)?;
    let pipeline = match context
        .own
        .state(PIPELINE, namespace, name, Some(cached.as_ref()))
    {
        Cache::Current => cached.as_ref().clone(),
        Cache::Behind => return Some(CACHE_COMES),
        Cache::Stuck => match live(context, namespace, name).await {
            Ok(pipeline) => pipeline?,
            Err(why) => {
                tracing::warn!(
                    pipeline = name,
                    why,
                    "the pipeline cannot be read; tries again"
                );
                return Some(AFTER_FAULT);
            }
        },
    };
    context.pace.take(CALLS_OF_A_LOOK).await;
    match turn(context, namespace, &pipeline).await {
        Ok(wait) => wait,
        Err(why) => {
            tracing::warn!(
                pipeline = name,
                why,
                "pipeline not worked on to its end; tries again"
            );
            Some(AFTER_FAULT)
        }
    }
}

/// The Pipeline as the API server has it, where the cache is behind this agent's own writes.
async fn live(context: &Context, namespace: &str, name: &str) -> Result<Option<Pipeline>, String> {
    let api: Api<Pipeline> = Api::namespaced(context.client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(|e| {
        ClusterFault::sort("get", format!("Pipeline {namespace}/{name}"), e).to_string()
    })?;
    context.own.settled(PIPELINE, namespace, name);
    Ok(found)
}

async fn turn(
    context: &Arc<Context>,
    namespace: &str,
    pipeline: &Pipeline,
) -> Result<Option<Duration>, String> {
    let name = pipeline.name_any();
    let problems: Vec<String> = pipeline
        .spec
        .body
        .problems()
        .iter()
        .map(ToString::to_string)
        .collect();
    let status = pipeline.status.clone().unwrap_or_default();
    let generation = pipeline.metadata.generation;
    if status.problems != problems || status.observed_generation != generation {
        for p in &problems {
            tracing::warn!(
                pipeline = name,
                problem = p,
                "the pipeline cannot be used as it is"
            );
        }
        let updated = update_pipeline_status(&context.writer, namespace, &name, |s| {
            s.problems.clone_from(&problems);
            s.observed_generation = generation;
        })
        .await
        .map_err(|f| f.to_string())?;
        context.own.wrote(PIPELINE, &updated);
    }
    if !problems.is_empty() {
        return Ok(None);
    }
    let mut view = PipelineView {
        name: name.clone(),
        spec: pipeline.spec.body.clone(),
        status,
    };
    let mut wait: Option<Duration> = None;
    for environment in &pipeline.spec.body.environments {
        let found = environment_turn(context, namespace, &mut view, environment).await;
        let (next, waiting) = match found {
            Ok(next) => (next, None),
            Err(held) => (held.look_again, Some(held.why)),
        };
        wait = sooner(wait, next);
        let status = view.status.environments.get(&environment.name);
        if status.and_then(|s| s.waiting.clone()) != waiting {
            let updated = update_environment(
                &context.writer,
                namespace,
                &name,
                &environment.name,
                |mut e| {
                    e.waiting.clone_from(&waiting);
                    e
                },
            )
            .await
            .map_err(|f| f.to_string())?;
            context.own.wrote(PIPELINE, &updated);
            view.status = updated.status.unwrap_or_default();
        }
    }
    create::forget_old(context, namespace, &name).await;
    Ok(wait)
}

/// Why an environment waits as a whole.
pub(crate) struct Held {
    /// For people.
    pub(crate) why: String,
    /// When to look again without an event.
    pub(crate) look_again: Option<Duration>,
}

impl Held {
    pub(crate) fn soon(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            look_again: Some(LOOK_AGAIN),
        }
    }
}

async fn environment_turn(
    context: &Arc<Context>,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
) -> Result<Option<Duration>, Held> {
    baseline::ensure(context, namespace, view, environment).await?;
    wishes::grant(context, namespace, view, environment).await?;
    let policy = context.policy();
    if let EnvironmentVerdict::Closed(why) =
        policy.environment(&environment.name, &environment.target.namespace)
    {
        // Only a new policy changes that, and a new policy looks at everything.
        return Err(Held {
            why: format!("closed: {why}"),
            look_again: None,
        });
    }
    let mut wait = None;
    for t in &environment.triggers {
        let next = match t {
            Trigger::Registry(r) => {
                trigger::registry::fire(context, namespace, view, environment, r).await?
            }
            Trigger::Upstream(_) => {
                trigger::upstream::fire(context, namespace, view, environment).await?
            }
            Trigger::Schedule(s) => {
                trigger::schedule::fire(context, namespace, view, environment, s).await?
            }
            // People and machines come by Requests.
            Trigger::Manual(_) | Trigger::Webhook(_) => None,
        };
        wait = sooner(wait, next);
    }
    Ok(wait)
}

pub(crate) use create::{Proposed, propose};
pub(crate) use facts::Facts;

/// What the view remembers of an environment.
pub(crate) fn status_of(view: &PipelineView, environment: &str) -> EnvironmentStatus {
    view.status
        .environments
        .get(environment)
        .cloned()
        .unwrap_or_default()
}

/// Changes what the Pipeline remembers, in the cluster and in the view.
pub(crate) async fn remember(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &str,
    change: impl FnOnce(EnvironmentStatus) -> EnvironmentStatus,
) -> Result<(), Held> {
    let updated = update_environment(&context.writer, namespace, &view.name, environment, change)
        .await
        .map_err(|f| Held {
            why: f.to_string(),
            look_again: Some(AFTER_FAULT),
        })?;
    context.own.wrote(PIPELINE, &updated);
    view.status = updated.status.unwrap_or_default();
    Ok(())
}

fn sooner(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
