//! Machines that may propose a version by a hook. They never vote: see `authorize`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most claims of a caller's token that are compared.
pub(super) const CLAIM_LIMIT: usize = 16;

/// One entry of `callers`: one of `oidc` and `hmac`, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Caller {
    /// It proves who it is by a token of an OpenID Connect issuer, such as a CI service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<CallerToken>,
    /// It proves who it is by a signature over time and body, with a secret that both know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac: Option<CallerSecret>,
    /// Pipelines for which it may propose, by name.
    #[schemars(length(min = 1))]
    pub pipelines: Vec<String>,
    /// Environments for which it may propose, by name.
    #[schemars(length(min = 1))]
    pub environments: Vec<String>,
}

impl Caller {
    /// Whether it may propose a version there. Whether that version may come, the environment says.
    pub fn may_propose(&self, pipeline: &str, environment: &str) -> bool {
        self.pipelines.iter().any(|known| known == pipeline)
            && self.environments.iter().any(|known| known == environment)
    }
}

/// What a caller's token must say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallerToken {
    /// The issuer, exactly.
    pub issuer: String,
    /// Claims that must all be there with exactly these values. Name what cannot be taken over by
    /// somebody else: numeric ids, not names (reliability.md I6).
    pub claims: BTreeMap<String, String>,
}

/// Where a caller's secret is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallerSecret {
    /// NAME/KEY in the agent's folder of secrets.
    pub secret: String,
}
