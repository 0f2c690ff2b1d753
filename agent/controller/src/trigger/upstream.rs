//! A digest that was promoted in the environment before.

use std::time::Duration;

use sluice_core::admit::{Candidate, PipelineView};
use sluice_core::pipeline::{EnvironmentSpec, TriggerKind};
use sluice_core::rollout::{CandidateImage, Cause};
use sluice_core::trigger::upstream;

use crate::context::Context;
use crate::pipeline::{Held, Proposed, propose, status_of};

/// As often as an image that lacks something is looked at.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);

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
    let proposed = propose(context, namespace, view, environment, &candidate).await?;
    Ok(match proposed {
        // What the image lacks may come later, a signature for one; no event tells of it.
        Proposed::Refused(_) => Some(AFTER_REFUSAL),
        Proposed::Rollout(_) | Proposed::Nothing(_) => None,
    })
}
