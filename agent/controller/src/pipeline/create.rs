//! Making a Rollout of an admitted candidate, and forgetting old ones.

use kube::ResourceExt;
use kube::api::ObjectMeta;
use sluice_cluster::crd::{Rollout, RolloutBody, created};
use sluice_cluster::own::{create_rollout, delete_rollout};
use sluice_core::admit::{Admission, Candidate, PipelineView, admit};
use sluice_core::pipeline::{EnvironmentSpec, Refusal};

use super::{Held, facts, remember};
use crate::context::Context;
use crate::own::ROLLOUT;

/// Ended Rollouts that stay in the cluster per Pipeline (reliability.md D1). The sink has them all.
const ENDED_KEPT: usize = 20;

/// What became of a proposal.
pub(crate) enum Proposed {
    /// A Rollout of this name exists.
    Rollout(String),
    /// Nothing to do.
    Nothing(String),
    /// Not let in.
    Refused(Vec<String>),
}

/// Proposes a candidate. The same candidate twice is one Rollout.
pub(crate) async fn propose(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
    candidate: &Candidate,
) -> Result<Proposed, Held> {
    match admission(context, namespace, view, environment, candidate).await? {
        Admission::Nothing(why) => Ok(Proposed::Nothing(why)),
        Admission::Refused(reasons) => {
            let refusal = Refusal {
                digest: candidate.image.digest.clone(),
                tag: candidate.image.tag.clone(),
                reasons: reasons.clone(),
                at: context.now(),
            };
            remember(context, namespace, view, &environment.name, |e| {
                e.with_refusal(refusal)
            })
            .await?;
            Ok(Proposed::Refused(reasons))
        }
        Admission::Create { name, spec } => {
            if context.world.rollout(namespace, &name).is_some() {
                return Ok(Proposed::Rollout(name));
            }
            let rollout = Rollout {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    namespace: Some(namespace.to_owned()),
                    labels: Some(
                        [
                            ("sluice.dev/pipeline".to_owned(), spec.pipeline.clone()),
                            (
                                "sluice.dev/environment".to_owned(),
                                spec.environment.clone(),
                            ),
                        ]
                        .into(),
                    ),
                    ..ObjectMeta::default()
                },
                spec: RolloutBody { body: *spec },
                status: None,
            };
            match create_rollout(&context.writer, &rollout).await {
                Ok(Some(made)) => {
                    context.own.wrote(ROLLOUT, &made);
                    tracing::info!(rollout = name, "created");
                    Ok(Proposed::Rollout(name))
                }
                Ok(None) => Ok(Proposed::Rollout(name)),
                Err(fault) => Err(Held::soon(crate::rollout::chain(&fault))),
            }
        }
    }
}

/// What becomes of it. What the image says of itself is read only where something can come of it.
async fn admission(
    context: &Context,
    namespace: &str,
    view: &PipelineView,
    environment: &EnvironmentSpec,
    candidate: &Candidate,
) -> Result<Admission, Held> {
    let policy = context.policy();
    let known = admit(&policy, view, environment, candidate, context.now());
    let settled = match &known {
        Admission::Nothing(_) => true,
        Admission::Create { name, .. } => context.world.rollout(namespace, name).is_some(),
        Admission::Refused(_) => false,
    };
    // What has served is not asked again what it is.
    if settled || candidate.returns_to.is_some() || candidate.drill {
        return Ok(known);
    }
    let about = facts::about(context, &policy, environment, &candidate.image).await?;
    if about == candidate.image.about {
        return Ok(known);
    }
    let mut candidate = candidate.clone();
    candidate.image.about = about;
    let now = context.now();
    Ok(admit(&policy, view, environment, &candidate, now))
}

/// Removes ended and recorded Rollouts beyond the newest few of a Pipeline. Of dry runs as many are
/// kept again: looking often pushes nothing out that happened.
pub(super) async fn forget_old(context: &Context, namespace: &str, pipeline: &str) {
    for dry_run in [false, true] {
        forget_kind(context, namespace, pipeline, dry_run).await;
    }
}

async fn forget_kind(context: &Context, namespace: &str, pipeline: &str, dry_run: bool) {
    let mut ended = context.world.rollouts.state_filter(|r| {
        r.namespace().as_deref() == Some(namespace)
            && r.spec.body.pipeline == pipeline
            && r.spec.body.dry_run == dry_run
            && r.status
                .as_ref()
                .is_some_and(|j| j.state.ended() && j.recorded && j.outbox.is_empty())
    });
    ended.sort_by_key(|r| std::cmp::Reverse((created(r.as_ref()), r.name_any())));
    for r in ended.iter().skip(ENDED_KEPT) {
        if let Err(fault) = delete_rollout(&context.writer, r).await {
            tracing::debug!(%fault, "an old Rollout stays for now");
        }
    }
}
