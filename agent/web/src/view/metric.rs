//! What the metrics of a Rollout said.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use sluice_core::analysis::AnalysisRun;
use sluice_core::plugin::Outcome;

use super::time::When;

/// One analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetricView {
    pub(crate) name: String,
    /// How its newest window ended, or how it stands.
    pub(crate) state: &'static str,
    #[serde(skip)]
    pub(crate) tone: &'static str,
    /// The newest figures, or why the candidate is bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<String>,
    /// Windows of this step that passed.
    pub(crate) passes: u32,
    /// Windows that failed, in the whole rollout.
    pub(crate) failures: u32,
    /// Windows in a row that said nothing.
    pub(crate) inconclusive: u32,
    /// When the newest answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<When>,
}

impl MetricView {
    pub(crate) fn new(run: &AnalysisRun, now: Timestamp) -> Self {
        let last = run.last.as_ref();
        let (state, tone) = match (&run.failed, last.map(|look| look.outcome)) {
            (Some(_), _) => ("failed", "bad"),
            (None, Some(Outcome::Pass)) => ("passed", "good"),
            (None, Some(Outcome::Fail)) => ("failed in one window", "hold"),
            (None, Some(Outcome::Inconclusive | Outcome::Skipped)) => ("inconclusive", "hold"),
            (None, None) => ("has no window yet", "run"),
        };
        Self {
            name: run.name.clone(),
            state,
            tone,
            summary: run
                .failed
                .clone()
                .or_else(|| last.map(|look| look.summary.clone())),
            passes: run.passes,
            failures: run.failures,
            inconclusive: run.inconclusive,
            at: last.map(|look| When::new(look.at, now)),
        }
    }
}
