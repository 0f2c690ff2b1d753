//! Jobs before and after a Rollout.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::HumanDuration;

/// One hook: a Job made of a suspended CronJob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookSpec {
    /// Its name, unique among the hooks of the environment.
    pub name: String,
    /// The CronJob, in the target's namespace, whose template the Job gets. Containers of the
    /// Pipeline's repository get the release's image.
    pub cron_job: String,
    /// A CronJob that takes it back: it runs when the Rollout goes back after this hook was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// How long the Job may take. Default 10m.
    #[serde(default = "ten_minutes")]
    pub timeout: HumanDuration,
    /// Whether the Job has to report `"verified": true` in its termination message, as a backup that
    /// was read back does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
}

fn ten_minutes() -> HumanDuration {
    HumanDuration::from_mins(10)
}
