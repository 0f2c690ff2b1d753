//! What concerns everything: a global stop, and a policy file that could not be read again.

use schemars::JsonSchema;
use serde::Serialize;
use sluice_core::policy::Outdated;
use sluice_core::stop::Stop;

use super::Scene;
use super::time::When;

/// What stands above every page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Banner {
    /// The global stop in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop: Option<Stop>,
    /// Why the policy in force is not what the file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outdated: Option<Outdated>,
    #[serde(skip)]
    stopped_since: Option<When>,
    #[serde(skip)]
    lifts: Option<When>,
    #[serde(skip)]
    outdated_since: Option<When>,
}

impl Banner {
    pub(crate) fn new(scene: &Scene) -> Self {
        let when = |at| When::new(at, scene.now);
        let stop = scene.world.stop(&scene.policy, scene.now);
        let outdated = scene.policy.outdated().cloned();
        Self {
            stopped_since: stop.as_ref().map(|s| when(s.since)),
            lifts: stop.as_ref().and_then(|s| s.until).map(when),
            outdated_since: outdated.as_ref().map(|o| when(o.since)),
            stop,
            outdated,
        }
    }

    pub(crate) fn stopped_since(&self) -> Option<&When> {
        self.stopped_since.as_ref()
    }

    pub(crate) fn lifts(&self) -> Option<&When> {
        self.lifts.as_ref()
    }

    pub(crate) fn outdated_since(&self) -> Option<&When> {
        self.outdated_since.as_ref()
    }
}
