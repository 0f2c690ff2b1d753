//! What metric providers say in a random world.

use serde_json::json;

use super::rng::Rng;
use super::world::{Candidate, World};
use crate::analysis::AnalysisSpec;
use crate::duration::HumanDuration;
use crate::pipeline::{OnFailure, WatchSpec};
use crate::plugin::{Measurement, PluginAnswer, Series, SeriesRole};
use crate::rollout::RolloutSpec;

fn analysis(name: &str, count: u64) -> AnalysisSpec {
    let spec = json!({"plugin": "numbers", "name": name, "require": "< 1%", "count": count});
    serde_json::from_value(spec).unwrap()
}

/// Has it measured in its steps, and mostly watched; sometimes a person decides about failures.
pub(super) fn measured(rng: &mut Rng, spec: &mut RolloutSpec) {
    spec.course.analysis = vec![analysis("errors", 1 + rng.below(2))];
    if rng.chance(60) {
        let analysis = match rng.below(2) {
            0 => Vec::new(),
            _ => vec![analysis("errors", 1)],
        };
        let time = HumanDuration::from_secs(rng.pick(&[1, 30, 90]));
        spec.course.watch = Some(WatchSpec { time, analysis });
    }
    if rng.chance(30) {
        spec.course.on_failure = OnFailure::Hold;
    }
    if rng.chance(30) {
        spec.checks[0].every = Some(HumanDuration::from_secs(10));
    }
}

impl World {
    /// Whether metrics judge this one.
    pub(super) fn measures(&self) -> bool {
        !self.view.spec.course.analysis.is_empty()
    }

    /// The numbers of this candidate.
    pub(super) fn measured(&self) -> PluginAnswer {
        let bad = matches!(self.candidate, Candidate::Failing | Candidate::Bad);
        let candidate = Series {
            role: SeriesRole::Candidate,
            events: if bad { 50 } else { 0 },
            total: 1000,
            value: None,
        };
        PluginAnswer::Measurement(Measurement {
            series: vec![candidate],
            summary: String::new(),
        })
    }
}
