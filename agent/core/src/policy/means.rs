//! How a new version may be brought in, and what must judge it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Share;
use crate::duration::HumanDuration;
use crate::pipeline::RouterSpec;

/// How the new version may be brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StrategyPolicy {
    /// Names of traffic-strategy plugins. None: every one that the agent has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// What may move traffic. None: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<RouterKind>,
    /// Greatest share of the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_step_at_most: Option<Share>,
    /// Greatest growth from one step to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_step_increase: Option<Share>,
}

impl StrategyPolicy {
    /// Whether a strategy plugin may be used.
    pub fn allows(&self, plugin: &str) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|allowed| allowed == plugin)
    }

    /// Whether a router may be used.
    pub fn routes(&self, router: RouterKind) -> bool {
        self.routers.is_empty() || self.routers.contains(&router)
    }
}

/// The kinds of routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RouterKind {
    /// By the number of pods behind one Service.
    Replicas,
    /// All or nothing, by the Service's selector.
    Service,
    /// By the weights of an HTTPRoute.
    HttpRoute,
    /// By the canary annotations of ingress-nginx.
    IngressNginx,
}

impl RouterKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Replicas,
        Self::Service,
        Self::HttpRoute,
        Self::IngressNginx,
    ];

    /// As written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replicas => "replicas",
            Self::Service => "service",
            Self::HttpRoute => "httpRoute",
            Self::IngressNginx => "ingressNginx",
        }
    }
}

impl From<&RouterSpec> for RouterKind {
    fn from(spec: &RouterSpec) -> Self {
        match spec {
            RouterSpec::Replicas(_) => Self::Replicas,
            RouterSpec::Service(_) => Self::Service,
            RouterSpec::HttpRoute(_) => Self::HttpRoute,
            RouterSpec::IngressNginx(_) => Self::IngressNginx,
        }
    }
}

impl fmt::Display for RouterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What must judge it: smoke tests, metrics, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckPolicy {
    /// Names of smoke-test plugins that the pipeline must run, and not as optional ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<String>,
    /// Names of metric-provider plugins whose numbers must judge every step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub analysis: Vec<String>,
}

/// How long things may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// A step without progress for so long is rolled back. Default 10m.
    pub progress_deadline: HumanDuration,
    /// A rollout that is not done after so long is rolled back; a plan that would take longer is refused.
    /// Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_time: Option<HumanDuration>,
    /// A rollout that was found bad and holds for a person (`onFailure: hold`) goes back after so long.
    /// Default 1h.
    pub hold_failed: HumanDuration,
    /// Rollouts that may be under way in the environment at the same time. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub concurrent_rollouts: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            progress_deadline: HumanDuration::from_mins(10),
            total_time: None,
            hold_failed: HumanDuration::from_hours(1),
            concurrent_rollouts: None,
        }
    }
}

/// Who may hold drills: everything up to all traffic with the version that serves, and back again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillPolicy {
    /// Roles of which one is needed.
    #[schemars(length(min = 1))]
    pub allowed_for: Vec<String>,
}
