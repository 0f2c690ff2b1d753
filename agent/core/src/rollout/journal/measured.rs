//! What analyses found, for people and for the record: one entry for each analysis of each step.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Journal, SHORT_LIMIT, bytes, cut};
use crate::plugin::{Outcome, Series};

/// Bytes of JSON that all of it may take: eight analyses of a step with long sentences.
const MEASUREMENTS_BYTES: usize = 5 * 1024;

/// What one analysis found in one step, as of its newest window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeasurementRecord {
    /// Step, from 0.
    pub step: u32,
    /// Whether it was in the watch after promotion, whose step is the last one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub watch: bool,
    /// Label of the analysis.
    pub name: String,
    /// The verdict on the newest window.
    pub outcome: Outcome,
    /// Windows of the step that passed.
    pub passes: u32,
    /// Windows that failed, in the whole rollout.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub failures: u32,
    /// Windows in a row that said nothing.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub inconclusive: u32,
    /// One sentence with the figures.
    pub summary: String,
    /// The candidate's numbers, where there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Numbers>,
    /// The stable version's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<Numbers>,
    /// When the answer came.
    pub at: Timestamp,
    /// Whether a person let it go on without enough of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waived: bool,
}

/// One version's numbers in a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Numbers {
    /// Events of interest.
    #[serde(default, skip_serializing_if = "none_of")]
    pub events: u64,
    /// All events.
    #[serde(default, skip_serializing_if = "none_of")]
    pub total: u64,
    /// A value that is no ratio of counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn none_of(n: &u64) -> bool {
    *n == 0
}

impl Numbers {
    /// The numbers of a series; none where it has no data.
    pub(crate) fn of(series: &Series) -> Option<Self> {
        // What is no number would differ from itself, and the journal would be written for ever.
        let value = series.value.filter(|value| value.is_finite());
        (series.total > 0 || value.is_some()).then_some(Self {
            events: series.events,
            total: series.total,
            value,
        })
    }

    /// As one number: the value, or else the part of the events.
    #[expect(
        clippy::cast_precision_loss,
        reason = "shown and compared, not counted"
    )]
    pub fn number(&self) -> Option<f64> {
        let part = || (self.total > 0).then(|| self.events as f64 / self.total as f64);
        self.value.or_else(part)
    }
}

impl MeasurementRecord {
    fn about(&self, step: u32, watch: bool) -> bool {
        self.step == step && self.watch == watch
    }
}

impl Journal {
    /// What an analysis found in a step.
    pub(crate) fn measurement(
        &self,
        step: u32,
        watch: bool,
        name: &str,
    ) -> Option<&MeasurementRecord> {
        let mut all = self.measurements.iter();
        all.find(|m| m.about(step, watch) && m.name == name)
    }

    /// Keeps what an analysis found, in the place of what it had found in the same step. Past the
    /// limit the oldest steps fall out first; what the step that is being left rests on stays.
    pub(crate) fn keep_measurement(&mut self, record: MeasurementRecord) {
        let (step, watch) = (record.step, record.watch);
        let mut all = self.measurements.iter_mut();
        match all.find(|m| m.about(step, watch) && m.name == record.name) {
            Some(found) => *found = record,
            None => self.measurements.push(record),
        }
        while bytes(&self.measurements) > MEASUREMENTS_BYTES {
            let old = self.measurements.iter().position(|m| !m.about(step, watch));
            if let Some(i) = old {
                self.measurements.remove(i);
                self.measurements_cut = self.measurements_cut.saturating_add(1);
                continue;
            }
            let long = |m: &&mut MeasurementRecord| m.summary.len() > SHORT_LIMIT;
            match self.measurements.iter_mut().find(long) {
                Some(m) => m.summary = cut(&m.summary, SHORT_LIMIT),
                None => return,
            }
        }
    }

    /// A step begins, or begins anew: what passed in it before counts no more.
    pub(crate) fn measure_anew(&mut self, step: u32, watch: bool) {
        for m in &mut self.measurements {
            if m.about(step, watch) {
                m.passes = 0;
                m.waived = false;
            }
        }
    }
}

#[cfg(test)]
mod tests;
