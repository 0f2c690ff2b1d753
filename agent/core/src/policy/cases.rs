//! The policy's own tests, as they stand in the file. `sluice policy test` runs them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RouterKind, TriggerKind};
use crate::duration::HumanDuration;
use crate::image::ImageRef;

/// One line of `tests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyTest {
    /// What the report calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The situation.
    pub given: Given,
    /// The answer.
    pub expect: Expectation,
}

/// A situation. What is left out is taken as allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Given {
    /// Name of the environment. It need not exist: then the answer is `refused: environment`.
    pub environment: String,
    /// What proposes the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerKind>,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// The strategy plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// What moves traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<RouterKind>,
    /// The namespace of the target. Default: the environment's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What the image says of itself: annotations or labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Who signed it, by the names of `signers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
    /// How long it has been known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<HumanDuration>,
    /// Who asks: a name from `people`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// Why they ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it is to go to all traffic at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_canary: bool,
    /// Whether it is an emergency that waits for nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// The instant, such as 2026-12-24T10:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
}

/// The answer that a test expects: `allowed`, `{refused: triggers}` or `{needs: [tech-lead]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expectation {
    /// Nothing stands against it.
    Allowed,
    /// This rule says no.
    Refused(Rule),
    /// Nothing says no, and holders of exactly these roles have to agree: a role for each vote.
    Needs(Vec<String>),
}

/// The rules of an environment that can say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Rule {
    /// The environment is not named.
    Environment,
    /// The trigger is not listed.
    Triggers,
    /// Repository or tag do not fit.
    Images,
    /// Outside the windows, or frozen.
    Windows,
    /// The strategy is not listed.
    Strategy,
    /// The router is not listed.
    Routers,
    /// A check that must run is not configured.
    Checks,
    /// Metrics that must judge are not configured.
    Analysis,
    /// The image is not known for long enough.
    MinimumAge,
    /// None of the signers signed it.
    Signature,
    /// An annotation is missing or does not fit.
    Annotations,
    /// One of the policy's own rules matches.
    Rules,
    /// Whoever asks may not.
    Permissions,
    /// Nobody may skip the canary there, or not this person, or not without a reason.
    SkipCanary,
    /// Nobody may break the glass there, or not this person, or not without a reason.
    BreakGlass,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Environment,
        Self::Triggers,
        Self::Images,
        Self::Windows,
        Self::Strategy,
        Self::Routers,
        Self::Checks,
        Self::Analysis,
        Self::MinimumAge,
        Self::Signature,
        Self::Annotations,
        Self::Rules,
        Self::Permissions,
        Self::SkipCanary,
        Self::BreakGlass,
    ];

    /// As written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Triggers => "triggers",
            Self::Images => "images",
            Self::Windows => "windows",
            Self::Strategy => "strategy",
            Self::Routers => "routers",
            Self::Checks => "checks",
            Self::Analysis => "analysis",
            Self::MinimumAge => "minimumAge",
            Self::Signature => "signature",
            Self::Annotations => "annotations",
            Self::Rules => "rules",
            Self::Permissions => "permissions",
            Self::SkipCanary => "skipCanary",
            Self::BreakGlass => "breakGlass",
        }
    }
}
