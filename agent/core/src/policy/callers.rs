//! Machines that may propose a version by a hook. They never vote: see `authorize`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Policy;

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

impl Policy {
    /// Whether a machine may propose a version there, or why not. Whether that version may come, the
    /// environment says.
    pub fn caller_may_propose(
        &self,
        name: &str,
        pipeline: &str,
        environment: &str,
    ) -> Result<(), String> {
        let caller = self
            .callers
            .get(name)
            .ok_or_else(|| format!("the policy's `callers` does not name {name}"))?;
        if caller.may_propose(pipeline, environment) {
            return Ok(());
        }
        Err(format!(
            "the policy's callers.{name} does not list the pipeline {pipeline} and the environment \
             {environment}"
        ))
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
