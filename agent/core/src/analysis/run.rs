//! One analysis of one rollout: when to ask, what came, and where it stands. Kept in the journal.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::spec::AnalysisSpec;
use super::verdict::{Verdict, required};
use crate::duration::HumanDuration;
use crate::plugin::{Measurement, Outcome, PluginAnswer};

/// Longest sentence that is kept, in bytes: there may be many analyses in a journal (D1).
const SENTENCE_LIMIT: usize = 200;

/// The time that a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

impl Window {
    /// Both ends in milliseconds since 1970-01-01 UTC, as a plugin is asked.
    pub fn unix_ms(&self) -> (u64, u64) {
        let ms = |t: Timestamp| u64::try_from(t.as_millisecond()).unwrap_or(0);
        (ms(self.from), ms(self.to))
    }
}

/// One look, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// When the answer came.
    pub at: Timestamp,
    /// The verdict.
    pub outcome: Outcome,
    /// One sentence with the figures.
    pub summary: String,
}

/// The state of one analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRun {
    /// The label of the analysis.
    pub name: String,
    /// No window begins earlier: traffic was shared otherwise before.
    pub since: Timestamp,
    /// How many questions were asked; the number of the open one.
    pub seq: u32,
    /// Not asked again before.
    pub not_before: Timestamp,
    /// The question that has no answer yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Window>,
    /// Windows that passed, since `since`.
    #[serde(default)]
    pub passes: u32,
    /// Windows that failed, in the whole rollout.
    #[serde(default)]
    pub failures: u32,
    /// Windows in a row that said nothing.
    #[serde(default)]
    pub inconclusive: u32,
    /// What the comparison has seen, in the whole rollout.
    #[serde(default, skip_serializing_if = "Comparison::is_empty")]
    pub comparison: Comparison,
    /// Why the candidate is bad, once that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The newest look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Look>,
}

/// Where an analysis stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// More windows must pass.
    Open,
    /// As many passed as must, and no more failed than may.
    Satisfied,
    /// The candidate is bad, and why.
    Failed(String),
    /// Too many windows in a row said nothing, and what the last one said: no pass, whatever passed
    /// before.
    Unknown(String),
}

impl AnalysisRun {
    /// A run that begins where the candidate gets its first traffic.
    pub fn new(spec: &AnalysisSpec, since: Timestamp) -> Self {
        Self {
            name: spec.label().to_owned(),
            since,
            seq: 0,
            not_before: spec.window().after(since),
            open: None,
            passes: 0,
            failures: 0,
            inconclusive: 0,
            comparison: Comparison::default(),
            failed: None,
            last: None,
        }
    }

    /// Goes on in another step: that step must pass anew, in windows of its own, and an answer that
    /// is still to come is about the step before. Failures and the comparison stay.
    pub fn begin_step(&mut self, spec: &AnalysisSpec, since: Timestamp) {
        self.since = since;
        self.not_before = spec.window().after(since);
        self.open = None;
        self.passes = 0;
        self.inconclusive = 0;
    }

    /// The window to ask about now, if there is one: the open question's, or a new one that is
    /// open from here on. The question's key has [`AnalysisRun::seq`], read after this.
    pub fn ask(&mut self, spec: &AnalysisSpec, now: Timestamp) -> Option<Window> {
        if self.open.is_none() && now >= self.not_before && now > self.since {
            self.seq = self.seq.saturating_add(1);
            self.open = Some(Window {
                from: before(spec.window(), now).max(self.since),
                to: now,
            });
        }
        self.open
    }

    /// Takes the answer to the open question in. None: no question is open, and nothing changed.
    pub fn observe(
        &mut self,
        spec: &AnalysisSpec,
        answer: &PluginAnswer,
        now: Timestamp,
    ) -> Option<Verdict> {
        let window = self.open.take()?;
        self.not_before = spec.every.after(window.to);
        let (verdict, lost) = match answer {
            PluginAnswer::Measurement(measurement) => self.judge(spec, measurement, window),
            other => (Verdict::Inconclusive(other.no_answer()), false),
        };
        let verdict = bounded(verdict);
        match &verdict {
            Verdict::Pass(_) => {
                self.passes = self.passes.saturating_add(1);
                self.inconclusive = 0;
            }
            Verdict::Fail(why) => {
                self.failures = self.failures.saturating_add(1);
                self.inconclusive = 0;
                if lost || self.failures > spec.failures {
                    self.failed.get_or_insert_with(|| why.clone());
                }
            }
            Verdict::Inconclusive(_) => self.inconclusive = self.inconclusive.saturating_add(1),
        }
        self.last = Some(Look {
            at: now,
            outcome: verdict.outcome(),
            summary: verdict.sentence().to_owned(),
        });
        Some(verdict)
    }

    /// Where it stands.
    pub fn standing(&self, spec: &AnalysisSpec) -> Standing {
        if let Some(why) = &self.failed {
            return Standing::Failed(why.clone());
        }
        if self.inconclusive > spec.inconclusive {
            let why = self.last.as_ref().map(|look| look.summary.clone());
            return Standing::Unknown(why.unwrap_or_default());
        }
        if self.passes >= spec.count.max(1) {
            Standing::Satisfied
        } else {
            Standing::Open
        }
    }

    /// The verdict on a window, and whether the comparison is lost: that is not one of the failures
    /// that may happen, but a conclusion from all windows.
    fn judge(
        &mut self,
        spec: &AnalysisSpec,
        measurement: &Measurement,
        window: Window,
    ) -> (Verdict, bool) {
        let held = spec.require.map(|r| required(spec, r, measurement));
        let compared = spec
            .compare
            .as_ref()
            .map(|c| self.comparison.look(spec, c, measurement, window));
        let lost = matches!(compared, Some(Verdict::Fail(_)));
        let verdict = match (held, compared) {
            (Some(a), Some(b)) => a.and(b),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Verdict::Inconclusive("nothing is required of the numbers".to_owned()),
        };
        (verdict, lost)
    }
}

fn before(time: HumanDuration, now: Timestamp) -> Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    now.checked_sub(jiff::SignedDuration::from_millis(millis))
        .unwrap_or(Timestamp::MIN)
}

fn bounded(verdict: Verdict) -> Verdict {
    // On one line, without control characters: those take six bytes each in JSON.
    let cut = |text: String| {
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut out = String::new();
        for c in plain {
            if out.len() + c.len_utf8() + '…'.len_utf8() > SENTENCE_LIMIT {
                out.push('…');
                break;
            }
            out.push(c);
        }
        out
    };
    match verdict {
        Verdict::Pass(text) => Verdict::Pass(cut(text)),
        Verdict::Fail(text) => Verdict::Fail(cut(text)),
        Verdict::Inconclusive(text) => Verdict::Inconclusive(cut(text)),
    }
}

#[cfg(test)]
mod tests;
