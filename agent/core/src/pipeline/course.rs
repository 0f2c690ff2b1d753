//! What a Rollout does on its way beside shifting traffic: hooks, and how long it can go back at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HookSpec;
use crate::analysis::AnalysisSpec;
use crate::duration::HumanDuration;
use crate::problem::Problem;
use crate::router::ALL_TRAFFIC;

/// Hooks of one environment, before and after together.
const HOOK_LIMIT: usize = 8;
/// Analyses of one environment, of the steps and of the watch each.
const ANALYSIS_LIMIT: usize = 8;

/// What else a Rollout does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// Jobs before traffic moves, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<HookSpec>,
    /// Jobs when nothing goes back any more, in this order. In an environment, `after` says what it
    /// waits for.
    #[serde(default, rename = "afterwards", skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<HookSpec>,
    /// Metrics that judge every step, and the time after promotion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub analysis: Vec<AnalysisSpec>,
    /// How the candidate is watched after promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchSpec>,
    /// How long the old version is kept beside the new one for an instant return, where the router can
    /// keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_window: Option<HumanDuration>,
    /// What happens when a check or an analysis finds the candidate bad.
    #[serde(default, skip_serializing_if = "OnFailure::is_default")]
    pub on_failure: OnFailure,
}

/// How a candidate is watched after promotion. Checks with an interval go on, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchSpec {
    /// How long.
    #[serde(rename = "for")]
    pub time: HumanDuration,
    /// Metrics that judge it then. None: those of the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub analysis: Vec<AnalysisSpec>,
}

/// What happens when the candidate is found bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// The stable version is put back.
    #[default]
    Rollback,
    /// Everything stays as it is, and a person decides; after the policy's time it goes back.
    Hold,
}

impl OnFailure {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde calls"
    )]
    fn is_default(&self) -> bool {
        *self == Self::Rollback
    }
}

impl Course {
    /// The analyses that judge a candidate with this share of the traffic. Without any traffic there
    /// is nothing to measure; with all of it, nobody is left to compare it with.
    pub(crate) fn analyses(&self, weight_bp: u16, watch: bool) -> Vec<AnalysisSpec> {
        let list = match &self.watch {
            _ if weight_bp == 0 => return Vec::new(),
            None if watch => return Vec::new(),
            Some(w) if watch && !w.analysis.is_empty() => &w.analysis,
            None | Some(_) => &self.analysis,
        };
        let here = |analysis: &AnalysisSpec| {
            let mut analysis = analysis.clone();
            if weight_bp >= ALL_TRAFFIC {
                analysis.compare = None;
            }
            let judged = analysis.require.is_some() || analysis.compare.is_some();
            judged.then_some(analysis)
        };
        list.iter().filter_map(here).collect()
    }

    /// Metric providers that it needs, each once.
    pub(crate) fn metric_providers(&self) -> Vec<&str> {
        let watch = self.watch.iter().flat_map(|w| &w.analysis);
        let mut out: Vec<&str> = Vec::new();
        for analysis in self.analysis.iter().chain(watch) {
            if !out.contains(&analysis.plugin.as_str()) {
                out.push(&analysis.plugin);
            }
        }
        out
    }

    /// Everything that is wrong with it. `at` is where it stands, with a dot at the end.
    pub(super) fn problems(&self, at: &str, out: &mut Vec<Problem>) {
        let hooks: Vec<&HookSpec> = self.before.iter().chain(&self.after).collect();
        if hooks.len() > HOOK_LIMIT {
            out.push(Problem::new(
                format!("{at}before"),
                format!("more than {HOOK_LIMIT} hooks"),
            ));
        }
        let watch = self.watch.as_ref().map(|w| w.analysis.as_slice());
        for (field, list) in [
            ("analysis", self.analysis.as_slice()),
            ("watch.analysis", watch.unwrap_or_default()),
        ] {
            if list.len() > ANALYSIS_LIMIT {
                out.push(Problem::new(
                    format!("{at}{field}"),
                    format!("more than {ANALYSIS_LIMIT} analyses"),
                ));
            }
            for (i, analysis) in list.iter().enumerate() {
                let here = format!("{at}{field}[{i}]");
                out.extend(analysis.problems(&here));
                if field == "watch.analysis" && analysis.require.is_none() {
                    out.push(
                        Problem::new(
                            here.clone(),
                            "after promotion nobody is left to compare with",
                        )
                        .with_hint("write require: what the candidate must hold to by itself"),
                    );
                }
                if list.iter().take(i).any(|o| o.label() == analysis.label()) {
                    out.push(
                        Problem::new(
                            here,
                            format!("an analysis named `{}` is already there", analysis.label()),
                        )
                        .with_hint("give each use of a plugin its own `name`"),
                    );
                }
            }
        }
        for (i, hook) in hooks.iter().enumerate() {
            if hooks.iter().take(i).any(|other| other.name == hook.name) {
                out.push(
                    Problem::new(
                        format!("{at}before"),
                        format!("a hook named `{}` is already there", hook.name),
                    )
                    .with_hint("give each hook a name of its own"),
                );
            }
        }
    }
}
