//! A digest that was promoted in the environment before.

use std::time::Duration;

use sluice_core::admit::{Candidate, PipelineView};
use sluice_core::pipeline::{EnvironmentSpec, TriggerKind};
use sluice_core::rollout::{CandidateImage, Cause};
use sluice_core::trigger::upstream;

use crate::context::Context;
use crate::pipeline::{Held, propose, status_of};

/// Proposes what the environment before promoted last. Its event looks at this Pipeline again.
pub(crate) async fn fire(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
) -> Result<Option<Duration>, Held> {
    let Some(revision) = upstream(view, environment) else {
        return Ok(None);
    };
    let attempt = status_of(view, &environment.name).attempt;
    let candidate = Candidate::release(
        CandidateImage::new(
            view.spec.image.repository.clone(),
            revision.tag,
            revision.digest,
        ),
        Cause {
            trigger: TriggerKind::Upstream,
            id: format!("upstream-{attempt}"),
            requester: None,
            reason: None,
        },
    );
    propose(context, namespace, view, environment, &candidate).await?;
    Ok(None)
}
