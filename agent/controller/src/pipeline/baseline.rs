//! The baseline of a target: adopted at first sight, and again when the target was made anew or when
//! only its configuration changed and it is healthy.

use sluice_cluster::execute::save_revision;
use sluice_cluster::observe::target_of;
use sluice_cluster::targets::pods;
use sluice_core::admit::PipelineView;
use sluice_core::adopt::{Running, adopt};
use sluice_core::pipeline::EnvironmentSpec;
use sluice_core::rollout::{OwnerRef, Seen, WorkloadSeen};
use sluice_core::template::template_hash;

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
    let found = match target_of(&context.client, target).await {
        Seen::Present(w) => w,
        Seen::Absent => {
            return Err(Held::soon(format!(
                "{} {target} does not exist",
                target.kind()
            )));
        }
        Seen::Unknown(why) => return Err(Held::soon(why)),
    };
    if let Some(stable) = &status.stable {
        let same_object = stable.target_uid == found.uid;
        if same_object && stable.template_hash == template_hash(found.template()) {
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

/// Takes what serves now as the stable revision.
pub(super) async fn adopt_now(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
    found: &WorkloadSeen,
) -> Result<(), Held> {
    let revision = revision_of(context, found, environment, view).await?;
    let owner = OwnerRef {
        kind: found.kind,
        name: found.name.clone(),
        uid: found.uid.clone(),
    };
    save_revision(
        &context.writer,
        &found.namespace,
        &revision.name,
        &owner,
        found.template(),
        &revision.template_hash,
    )
    .await
    .map_err(|f| Held::soon(f.to_string()))?;
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

async fn revision_of(
    context: &Context,
    found: &WorkloadSeen,
    environment: &EnvironmentSpec,
    view: &PipelineView,
) -> Result<sluice_core::pipeline::Revision, Held> {
    let running: Vec<Vec<Running>> = pods(&context.client, found)
        .await
        .map_err(|f| Held::soon(f.to_string()))?
        .into_iter()
        .filter(|p| p.ready)
        .map(|p| p.running)
        .collect();
    adopt(
        found,
        &running,
        &environment.target,
        &view.spec.image,
        context.now(),
    )
    .map_err(Held::soon)
}

/// Whether a Rollout has begun to change this target: its template is not anybody's drift then.
fn under_way(context: &Context, environment: &EnvironmentSpec) -> bool {
    let target = &environment.target;
    context.world.rollouts.state().iter().any(|r| {
        let other = &r.spec.body.target;
        other.namespace == target.namespace
            && other.name() == target.name()
            && other.kind() == target.kind()
            && r.status.as_ref().is_some_and(|j| {
                j.state.begun() || matches!(j.state, sluice_core::rollout::State::Recording(_))
            })
    })
}
