//! The candidate against the stable version, over all windows of a rollout.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::betting::{SignTest, worse};
use super::run::Window;
use super::sequential::{CountTest, Counts};
use super::spec::{AnalysisSpec, Compare, Compared};
use super::verdict::{Verdict, counted, enough, ratio, series, shown, valued};
use crate::plugin::{Measurement, Series, SeriesRole};

/// A comparison as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Comparison {
    /// The end of the last window that was taken in. Windows may overlap; what is counted twice
    /// would be no evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Of counts.
    pub counts: CountTest,
    /// Of values.
    pub signs: SignTest,
}

impl Comparison {
    /// Whether nothing was compared yet.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes a measurement in, if no earlier window overlaps its own, and says where it stands.
    pub(super) fn look(
        &mut self,
        spec: &AnalysisSpec,
        compare: &Compare,
        measurement: &Measurement,
        window: Window,
    ) -> Verdict {
        let new = self.until.is_none_or(|until| window.from >= until);
        let seen = series(measurement, SeriesRole::Candidate)
            .and_then(|c| Ok((c, series(measurement, SeriesRole::Stable)?)))
            .and_then(|(candidate, stable)| match spec.compared(compare) {
                Compared::Ratio => self.ratio(spec, compare, measurement, [candidate, stable], new),
                Compared::Value => self.value(spec, compare, measurement, [candidate, stable], new),
            });
        match seen {
            Ok(verdict) => {
                if new {
                    self.until = Some(window.to);
                }
                verdict
            }
            Err(why) => Verdict::Inconclusive(why),
        }
    }

    fn ratio(
        &mut self,
        spec: &AnalysisSpec,
        compare: &Compare,
        measurement: &Measurement,
        [candidate, stable]: [&Series; 2],
        new: bool,
    ) -> Result<Verdict, String> {
        counted(candidate, measurement)?;
        counted(stable, measurement)?;
        // The test counts what is bad: where less is worse, the events that are missing.
        let turned = |counts: Counts| {
            if spec.more_is_worse(compare) {
                return counts;
            }
            let events = counts.total.saturating_sub(counts.events);
            Counts { events, ..counts }
        };
        let bad = |s: &Series| {
            let (events, total) = (s.events, s.total);
            turned(Counts { events, total })
        };
        if new {
            let margin = compare.margin.fraction();
            self.counts.look(bad(stable), bad(candidate), margin);
        }
        let (c, s) = (turned(self.counts.candidate), turned(self.counts.stable));
        let what = format!(
            "candidate {}, stable {}",
            ratio(c.events, c.total),
            ratio(s.events, s.total)
        );
        let number = compare.margin.to_string();
        let room = format!("{} points", number.trim_end_matches('%'));
        let rejects = self.counts.rejects(compare.alpha.fraction());
        let verdict = told(compare, &what, &room, rejects);
        Ok(match verdict {
            Verdict::Pass(_) => {
                let few = enough(spec, SeriesRole::Candidate, c.total)
                    .and_then(|()| enough(spec, SeriesRole::Stable, s.total));
                few.map_or_else(Verdict::Inconclusive, |()| verdict)
            }
            Verdict::Fail(_) | Verdict::Inconclusive(_) => verdict,
        })
    }

    fn value(
        &mut self,
        spec: &AnalysisSpec,
        compare: &Compare,
        measurement: &Measurement,
        [candidate, stable]: [&Series; 2],
        new: bool,
    ) -> Result<Verdict, String> {
        let c = valued(spec, candidate, measurement)?;
        let s = valued(spec, stable, measurement)?;
        let above = worse(c, s, compare.margin.fraction(), spec.more_is_worse(compare))
            .ok_or("a value is no number")?;
        if new {
            self.signs.look(above);
        }
        let what = format!(
            "candidate {}, stable {}, the candidate worse in {} of {} windows",
            shown(c),
            shown(s),
            self.signs.above,
            self.signs.windows
        );
        let rejects = self.signs.rejects(compare.alpha.fraction());
        Ok(told(compare, &what, &compare.margin.to_string(), rejects))
    }
}

fn told(compare: &Compare, what: &str, room: &str, rejects: bool) -> Verdict {
    let by = if compare.margin.against(0).is_eq() {
        String::new()
    } else {
        format!(" by more than {room}")
    };
    if rejects {
        Verdict::Fail(format!(
            "{what}: worse{by}; a good candidate looks like that in at most {} of rollouts",
            compare.alpha
        ))
    } else {
        Verdict::Pass(format!("{what}: not seen to be worse{by}"))
    }
}

#[cfg(test)]
mod tests;
