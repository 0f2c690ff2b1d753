//! The baseline of a target: adopted at first sight, and again when the target was made anew or when
//! only its configuration changed and it is healthy.

use sluice_cluster::execute::save_revision;
use sluice_cluster::observe::target_of;
use sluice_cluster::targets::pods;
use sluice_core::admit::PipelineView;
use sluice_core::adopt::{Running, adopt, adopt_member};
use sluice_core::pipeline::{EnvironmentSpec, Revision, TargetSpec};
use sluice_core::rollout::{OwnerRef, Seen, WorkloadSeen};
use sluice_core::template::template_hash;
use sluice_core::workload::config::copies;

use super::{Held, remember, status_of};
use crate::context::Context;

/// Sees to it that the environment has a stable revision that is the one that serves.
pub(super) async fn ensure(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
) -> Result<(), Held> {
    let status = status_of(view, &environment.name);
    if under_way(context, environment) {
        return Ok(());
    }
    let target = &environment.target;
    let found = serves(context, target).await.map_err(Missing::held)?;
    if let Some(stable) = &status.stable {
        let same_object = stable.target_uid == found.target.uid;
        if same_object && found.is(stable) {
            return Ok(());
        }
        if same_object {
            // Somebody changed the template outside of Sluice. The same image with another
            // configuration is adopted when it is healthy; another image is for a person to judge.
            let now_serves = revision_of(context, &found, environment, view).await?;
            if now_serves.digest != stable.digest {
                return Err(Held::soon(format!(
                    "drift: {target} runs {} and not {}, which was last promoted or adopted; put \
                     it back, or take it over with `sluice adopt {} --to {}`",
                    now_serves.digest, stable.digest, view.name, environment.name
                )));
            }
        }
    }
    adopt_now(context, namespace, view, environment, &found).await
}

/// The workloads of an environment as they are now.
pub(super) struct Found {
    target: WorkloadSeen,
    members: Vec<WorkloadSeen>,
}

impl Found {
    fn is(&self, stable: &Revision) -> bool {
        let kept = |w: &WorkloadSeen| {
            stable
                .members
                .iter()
                .any(|m| m.uid == w.uid && m.template_hash == template_hash(w.template()))
        };
        stable.template_hash == template_hash(self.target.template())
            && self.members.len() == stable.members.len()
            && self.members.iter().all(kept)
    }
}

/// Why the workloads of an environment cannot be told.
pub(super) enum Missing {
    /// One of them is not there.
    Absent(String),
    /// One of them cannot be read now.
    Unseen(String),
}

impl Missing {
    fn held(self) -> Held {
        match self {
            Self::Absent(why) | Self::Unseen(why) => Held::soon(why),
        }
    }
}

/// What serves in an environment, read live.
pub(super) async fn serves(context: &Context, target: &TargetSpec) -> Result<Found, Missing> {
    let mut members = Vec::new();
    let first = one(context, target).await?;
    for member in &target.with {
        members.push(one(context, &target.as_target(member)).await?);
    }
    Ok(Found {
        target: first,
        members,
    })
}

async fn one(context: &Context, target: &TargetSpec) -> Result<WorkloadSeen, Missing> {
    match target_of(&context.client, target).await {
        Seen::Present(w) => Ok(w),
        Seen::Absent => Err(Missing::Absent(format!(
            "{} {target} does not exist",
            target.kind()
        ))),
        Seen::Unknown(why) => Err(Missing::Unseen(why)),
    }
}

/// Takes what serves now as the stable revision.
pub(super) async fn adopt_now(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
    found: &Found,
) -> Result<(), Held> {
    let revision = revision_of(context, found, environment, view).await?;
    keep(context, &found.target, &revision.name).await?;
    for (member, kept) in found.members.iter().zip(&revision.members) {
        keep(context, member, &kept.name).await?;
    }
    tracing::info!(
        pipeline = view.name,
        environment = environment.name,
        digest = revision.digest,
        "adopted what serves as the baseline"
    );
    remember(context, namespace, view, &environment.name, |e| {
        e.with_stable(revision)
    })
    .await
}

/// Keeps the pod template of a workload beside it.
async fn keep(context: &Context, found: &WorkloadSeen, name: &str) -> Result<(), Held> {
    let owner = OwnerRef {
        kind: found.kind,
        name: found.name.clone(),
        uid: found.uid.clone(),
    };
    let hash = template_hash(found.template());
    save_revision(
        &context.writer,
        &found.namespace,
        name,
        &owner,
        found.template(),
        &hash,
    )
    .await
    .map_err(|f| Held::soon(f.to_string()))
}

async fn revision_of(
    context: &Context,
    found: &Found,
    environment: &EnvironmentSpec,
    view: &PipelineView,
) -> Result<Revision, Held> {
    let (target, image) = (&environment.target, &view.spec.image);
    let running = running(context, &found.target).await?;
    let mut revision =
        adopt(&found.target, &running, target, image, context.now()).map_err(Held::soon)?;
    for (member, spec) in found.members.iter().zip(&target.with) {
        let pods = self::running(context, member).await?;
        let spec = target.as_target(spec);
        let kept = adopt_member(member, &pods, &spec, image, &revision.digest);
        revision.members.push(kept.map_err(Held::soon)?);
        for copy in copies(member.template()) {
            if !revision.copies.contains(&copy) {
                revision.copies.push(copy);
            }
        }
    }
    Ok(revision)
}

/// What the ready pods of a workload run.
async fn running(context: &Context, found: &WorkloadSeen) -> Result<Vec<Vec<Running>>, Held> {
    let pods = pods(&context.client, found)
        .await
        .map_err(|f| Held::soon(f.to_string()))?;
    let ready = pods.into_iter().filter(|p| p.ready);
    Ok(ready.map(|p| p.running).collect())
}

/// Whether a Rollout has begun to change this target: its template is not anybody's drift then.
fn under_way(context: &Context, environment: &EnvironmentSpec) -> bool {
    let target = &environment.target;
    context.world.rollouts.state().iter().any(|r| {
        target.shares(&r.spec.body.target)
            && r.status.as_ref().is_some_and(|j| {
                j.state.begun() || matches!(j.state, sluice_core::rollout::State::Recording(_))
            })
    })
}
