//! What one measurement says about the candidate. Only what was seen, on enough events, is a pass;
//! whatever could not be told is inconclusive, with the reason (W12).

use super::requirement::Requirement;
use super::spec::AnalysisSpec;
use crate::plugin::{Measurement, Outcome, Series, SeriesRole};
use crate::problem::quoted;

/// What one look says, in one sentence with its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Seen to hold.
    Pass(String),
    /// Seen not to hold.
    Fail(String),
    /// Could not be told, and why.
    Inconclusive(String),
}

impl Verdict {
    /// The verdict without its sentence.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Pass(_) => Outcome::Pass,
            Self::Fail(_) => Outcome::Fail,
            Self::Inconclusive(_) => Outcome::Inconclusive,
        }
    }

    /// The sentence.
    pub fn sentence(&self) -> &str {
        match self {
            Self::Pass(text) | Self::Fail(text) | Self::Inconclusive(text) => text,
        }
    }

    /// The worse of two about the same look: a failure before a doubt, a doubt before a pass. Two
    /// of a kind are told together.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        let both = |a: String, b: &str| format!("{a}; {b}");
        match (self, other) {
            (Self::Fail(a), Self::Fail(b)) => Self::Fail(both(a, &b)),
            (Self::Fail(a), _) | (_, Self::Fail(a)) => Self::Fail(a),
            (Self::Inconclusive(a), Self::Inconclusive(b)) if a == b => Self::Inconclusive(a),
            (Self::Inconclusive(a), Self::Inconclusive(b)) => Self::Inconclusive(both(a, &b)),
            (Self::Inconclusive(a), Self::Pass(_)) | (Self::Pass(_), Self::Inconclusive(a)) => {
                Self::Inconclusive(a)
            }
            (Self::Pass(a), Self::Pass(b)) => Self::Pass(both(a, &b)),
        }
    }
}

/// What a measurement has about a version, or why that is of no use.
pub(super) fn series(measurement: &Measurement, role: SeriesRole) -> Result<&Series, String> {
    let who = name(role);
    let mut all = measurement.series.iter().filter(|s| s.role == role);
    let one = all.next().ok_or_else(|| no_data(role, measurement))?;
    if all.next().is_some() {
        return Err(format!("the provider answered twice about {who}"));
    }
    if one.events > one.total {
        return Err(format!(
            "the provider counted {} events of only {} for {who}",
            one.events, one.total
        ));
    }
    if one.value.is_some_and(|value| !value.is_finite()) {
        return Err(format!("the value of {who} is no number"));
    }
    Ok(one)
}

/// That nothing is known about a version, with what the provider says about it.
pub(super) fn no_data(role: SeriesRole, measurement: &Measurement) -> String {
    let who = name(role);
    if measurement.summary.is_empty() {
        format!("no data about {who}")
    } else {
        format!(
            "no data about {who}; the provider said {}",
            quoted(&measurement.summary)
        )
    }
}

fn name(role: SeriesRole) -> &'static str {
    match role {
        SeriesRole::Stable => "the stable version",
        SeriesRole::Candidate => "the candidate",
    }
}

/// The counts behind a ratio; what comes with a value is no ratio.
pub(super) fn counted(series: &Series, measurement: &Measurement) -> Result<(), String> {
    if series.value.is_some() {
        return Err(
            "the provider gave a value, and a ratio of events is asked for: write the requirement \
             without %, or ask the provider for events and total"
                .to_owned(),
        );
    }
    if series.total == 0 {
        return Err(no_data(series.role, measurement));
    }
    Ok(())
}

/// The value of a series, made from enough events. A value without a count is taken where no
/// count was asked for.
pub(super) fn valued(
    spec: &AnalysisSpec,
    series: &Series,
    measurement: &Measurement,
) -> Result<f64, String> {
    let Some(value) = series.value else {
        if series.events > 0 {
            return Err(
                "the provider gave counts, and a value is asked for: write the requirement with %, \
                 or ask the provider for a value"
                    .to_owned(),
            );
        }
        return Err(no_data(series.role, measurement));
    };
    if series.total == 0 && spec.minimum.is_some() {
        return Err(format!(
            "the value comes without a count, and minimum asks for {}",
            spec.least()
        ));
    }
    if series.total > 0 {
        enough(spec, series.role, series.total)?;
    }
    Ok(value)
}

/// Whether there are as many events as the analysis asks for.
pub(super) fn enough(spec: &AnalysisSpec, role: SeriesRole, total: u64) -> Result<(), String> {
    let least = spec.least();
    if total < least {
        return Err(format!("too few for {}: {total} of {least}", name(role)));
    }
    Ok(())
}

/// Whether the candidate holds to a bound in this measurement.
pub(super) fn required(
    spec: &AnalysisSpec,
    require: Requirement,
    measurement: &Measurement,
) -> Verdict {
    let seen = series(measurement, SeriesRole::Candidate).and_then(|candidate| {
        if require.is_share() {
            counted(candidate, measurement)?;
            enough(spec, SeriesRole::Candidate, candidate.total)?;
            let holds = require.share_holds(candidate.events, candidate.total);
            Ok((holds, ratio(candidate.events, candidate.total)))
        } else {
            let value = valued(spec, candidate, measurement)?;
            Ok((require.value_holds(value), shown(value)))
        }
    });
    match seen {
        Ok((true, what)) => Verdict::Pass(format!("{what}, required {require}")),
        Ok((false, what)) => Verdict::Fail(format!("{what}, required {require}")),
        Err(why) => Verdict::Inconclusive(why),
    }
}

/// `9 of 431 (2.09%)`.
pub(super) fn ratio(events: u64, total: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let percent = events as f64 * 100.0 / total.max(1) as f64;
    format!("{events} of {total} ({}%)", shown(percent))
}

/// A number with about three digits that count, for people.
pub(super) fn shown(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e12).contains(&size) {
        return format!("{value:.2e}");
    }
    let text = match size {
        _ if size >= 100.0 => format!("{value:.1}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ if size >= 0.1 => format!("{value:.3}"),
        _ if size >= 0.01 => format!("{value:.4}"),
        _ => format!("{value:.6}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
