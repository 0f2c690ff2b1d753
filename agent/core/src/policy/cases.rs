//! The policy's own tests, as they stand in the file. `sluice policy test` runs them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TriggerKind;
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
    /// The instant, such as 2026-12-24T10:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
}

/// The answer that a test expects: `allowed` or `{refused: triggers}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expectation {
    /// Nothing stands against it.
    Allowed,
    /// This rule says no.
    Refused(Rule),
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
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Environment,
        Self::Triggers,
        Self::Images,
        Self::Windows,
        Self::Strategy,
    ];

    /// As written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Triggers => "triggers",
            Self::Images => "images",
            Self::Windows => "windows",
            Self::Strategy => "strategy",
        }
    }
}
