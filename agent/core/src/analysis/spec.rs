//! What people write about an analysis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decimal::Percent;
use super::requirement::Requirement;
use crate::duration::HumanDuration;
use crate::problem::Problem;

/// Between two questions at least: a metric provider and what it asks are shared by everybody.
const EVERY_LEAST: HumanDuration = HumanDuration::from_secs(1);
/// Between two questions at most, and the longest window: longer, nothing would be noticed before
/// a rollout is over.
const LONGEST: HumanDuration = HumanDuration::from_hours(1);
/// Most passes, failures or windows without an answer that anybody may ask for.
const COUNT_LIMIT: u32 = 1_000;
/// Most events that a window can be required to have.
const MINIMUM_LIMIT: u32 = 1_000_000_000;
/// Events that a window must have, where nothing is said: with fewer, one unlucky request is 2 %.
const MINIMUM: u32 = 50;
/// The largest share of false alarms, in percent. Above, the comparison would be a lottery.
const ALPHA_MOST: u64 = 20;
/// The largest margin of a value, in percent: ten times as much more.
const MARGIN_MOST: u64 = 1_000;

/// One use of a metric provider: which numbers, and what they must hold to. With `require`, the
/// candidate is held to a bound; with `compare`, to the stable version. With both, to both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSpec {
    /// Name of a metric-provider plugin.
    pub plugin: String,
    /// Name of this use of it, unique among the analyses of the environment. Default: the
    /// plugin's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Settings of the plugin.
    #[serde(default)]
    #[schemars(schema_with = "crate::pipeline::any_object")]
    pub settings: Value,
    /// Between two questions. Default 10s.
    #[serde(default = "every")]
    pub every: HumanDuration,
    /// The time that one question is about; it ends when the question is asked. Default: `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<HumanDuration>,
    /// What the candidate must hold to in each window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<Requirement>,
    /// How it must compare with the stable version, over all windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Compare>,
    /// Windows that must pass before a step is left. Default 1.
    #[serde(default = "count")]
    pub count: u32,
    /// Windows that may fail; one more, and the candidate is bad. Default 0.
    #[serde(default)]
    pub failures: u32,
    /// Windows in a row that may say nothing; one more, and somebody has to look. Default 3.
    #[serde(default = "inconclusive")]
    pub inconclusive: u32,
    /// Events that a window must have to say anything. Default 50, and for a value that comes
    /// without a count, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u32>,
}

/// How the candidate must compare with the stable version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compare {
    /// By how much it may be worse: percentage points of a ratio (1% may become 1.5% with `0.5%`),
    /// a part of a value (200 may become 220 with `10%`). Default 0%.
    #[serde(default = "no_margin")]
    pub margin: Percent,
    /// Share of good candidates that may be called bad by mistake, over all windows together.
    /// Default 1%.
    #[serde(default = "alpha")]
    pub alpha: Percent,
    /// What is compared. Default: what `require` is about; without it the ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Compared>,
    /// Which way is worse. Default: against what `require` wants; without it more is worse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worse: Option<Worse>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compared {
    /// `events` of `total`.
    Ratio,
    /// `value`.
    Value,
}

/// Which way is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Worse {
    /// As for errors and latency.
    More,
    /// As for successes.
    Less,
}

const fn every() -> HumanDuration {
    HumanDuration::from_secs(10)
}

const fn count() -> u32 {
    1
}

const fn inconclusive() -> u32 {
    3
}

const fn no_margin() -> Percent {
    Percent::ZERO
}

const fn alpha() -> Percent {
    Percent::ONE
}

impl AnalysisSpec {
    /// The name in reports: `name`, or else the plugin's.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.plugin)
    }

    /// How long one question looks back.
    pub fn window(&self) -> HumanDuration {
        self.window.unwrap_or(self.every)
    }

    /// Events that a window, or a comparison, must have.
    pub(super) fn least(&self) -> u64 {
        u64::from(self.minimum.unwrap_or(MINIMUM))
    }

    /// What the comparison is about.
    pub(super) fn compared(&self, compare: &Compare) -> Compared {
        let asked = match self.require {
            Some(require) if !require.is_share() => Compared::Value,
            Some(_) | None => Compared::Ratio,
        };
        compare.of.unwrap_or(asked)
    }

    /// Whether more of it is worse.
    pub(super) fn more_is_worse(&self, compare: &Compare) -> bool {
        match compare.worse {
            Some(Worse::More) => true,
            Some(Worse::Less) => false,
            None => !self.require.is_some_and(Requirement::wants_more),
        }
    }

    /// Everything that is wrong with it, all at once; `at` is its place, such as
    /// `spec.environments[0].analysis[1]`. Names are checked where those of checks are.
    pub fn problems(&self, at: &str) -> Vec<Problem> {
        let mut out = Vec::new();
        let mut bad = |field: &str, message: String, hint: &str| {
            out.push(Problem::new(field, message).with_hint(hint).under(at));
        };
        if self.require.is_none() && self.compare.is_none() {
            let hint = "add require: \"< 0.1%\", or compare: {margin: 0.5%}, or both";
            bad("", "nothing is required of the numbers".to_owned(), hint);
        }
        for (field, time) in [("every", Some(self.every)), ("window", self.window)] {
            let Some(time) = time else { continue };
            if time < EVERY_LEAST || time > LONGEST {
                let message = format!("{time} is not between {EVERY_LEAST} and {LONGEST}");
                bad(field, message, "write it like 10s or 1m");
            }
        }
        if !(1..=COUNT_LIMIT).contains(&self.count) {
            let message = format!("{} is not between 1 and {COUNT_LIMIT}", self.count);
            bad("count", message, "without a pass nothing would be judged");
        }
        for (field, n) in [
            ("failures", self.failures),
            ("inconclusive", self.inconclusive),
        ] {
            if n > COUNT_LIMIT {
                bad(field, format!("{n} is more than {COUNT_LIMIT}"), "lower it");
            }
        }
        if self
            .minimum
            .is_some_and(|n| !(1..=MINIMUM_LIMIT).contains(&n))
        {
            let message = format!("not between 1 and {MINIMUM_LIMIT}");
            bad("minimum", message, "no events are never a pass");
        }
        if let Some(problem) = self.require.and_then(Requirement::emptiness) {
            out.push(problem.under("require").under(at));
        }
        if let Some(compare) = &self.compare {
            let compared = self.compared(compare);
            out.extend(compare.problems(compared).into_iter().map(|p| p.under(at)));
        }
        out
    }
}

impl Compare {
    fn problems(&self, compared: Compared) -> Vec<Problem> {
        let mut out = Vec::new();
        let (most, why) = match compared {
            Compared::Ratio if self.margin.against(100).is_ge() => {
                (100, "with so much room no candidate is worse")
            }
            Compared::Value if self.margin.against(MARGIN_MOST).is_gt() => {
                (MARGIN_MOST, "write how much worse a value may be, like 10%")
            }
            Compared::Ratio | Compared::Value => (0, ""),
        };
        if most > 0 {
            let message = format!("{} is too much for {most}%", self.margin);
            out.push(Problem::new("compare.margin", message).with_hint(why));
        }
        if self.alpha.against(0).is_eq() || self.alpha.against(ALPHA_MOST).is_gt() {
            let message = format!("{} is not above 0% and at most {ALPHA_MOST}%", self.alpha);
            out.push(
                Problem::new("compare.alpha", message)
                    .with_hint("1% calls at most one in a hundred good candidates bad"),
            );
        }
        out
    }
}

#[cfg(test)]
mod tests;
