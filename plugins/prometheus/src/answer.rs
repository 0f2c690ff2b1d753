//! What Prometheus answers, made one number or none.

use serde::Deserialize;
use serde_json::Value;
use sluice_sdk::text::excerpt;
use sluice_sdk::{Error, Window};

use crate::settings::{Range, Reduce};

/// Longest account of a series' labels.
const LABEL_CHARS: usize = 120;
/// How many steps before the end of the window the last point of a range may be.
const FRESH_STEPS: u64 = 2;

/// One number, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// It is finite.
    Number(f64),
    /// There is no data, in words.
    Nothing(String),
}

/// The envelope of every answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    #[serde(default)]
    pub(crate) infos: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: Value,
    #[serde(default)]
    value: Option<Point>,
    #[serde(default)]
    values: Vec<Point>,
}

/// Seconds since 1970, and a number as text.
#[derive(Clone, Deserialize)]
struct Point(f64, String);

impl Document {
    pub(crate) fn is_success(&self) -> bool {
        self.status == "success" && self.data.is_some()
    }

    /// The kind of error and its words, if it is one.
    pub(crate) fn refusal(self) -> Option<(String, String)> {
        (self.status == "error").then_some((self.error_type, self.error))
    }

    /// The one number of it.
    ///
    /// # Errors
    /// It is of another form, or there are several.
    pub(crate) fn number(self, range: Option<Range>, window: Window) -> Result<Answer, Error> {
        let Some(data) = self.data else {
            return Err(strange("it has no data"));
        };
        match (data.result_type.as_str(), range) {
            ("scalar", None) => {
                let point: Point = serde_json::from_value(data.result)
                    .map_err(|_| strange("its scalar is no number"))?;
                of_points(&[point], Reduce::Last)
            }
            ("vector", None) => {
                let Some(series) = only(data.result)? else {
                    return Ok(nothing("no series matches"));
                };
                let point = series.value.ok_or_else(no_number)?;
                of_points(&[point], Reduce::Last)
            }
            ("matrix", Some(range)) => {
                let Some(series) = only(data.result)? else {
                    return Ok(nothing("no series matches"));
                };
                over(&series.values, range, window)
            }
            ("matrix", None) => Err(Error::InvalidConfig(
                "the query gives a range of points: wrap it in a function such as increase(…)"
                    .into(),
            )),
            ("string", _) => Err(Error::InvalidConfig(
                "the query gives a text, no number".into(),
            )),
            (other, _) => Err(strange(&format!("its result is a {}", excerpt(other, 40)))),
        }
    }
}

/// The only series.
fn only(result: Value) -> Result<Option<Series>, Error> {
    let series: Vec<Series> =
        serde_json::from_value(result).map_err(|_| strange("its series cannot be read"))?;
    if series.len() > 1 {
        let shown: Vec<String> = series
            .iter()
            .take(2)
            .map(|one| excerpt(&one.metric.to_string(), LABEL_CHARS))
            .collect();
        return Err(Error::InvalidConfig(format!(
            "the query gives {} series where one number is wanted, such as {}: wrap it in sum(…) or max(…)",
            series.len(),
            shown.join(" and ")
        )));
    }
    Ok(series.into_iter().next())
}

/// The points of a window. A series that ended before the window did is stale: what it said last is
/// not how things are.
fn over(points: &[Point], range: Range, window: Window) -> Result<Answer, Error> {
    // A series of native histograms has its points elsewhere.
    let Some(Point(last, _)) = points.last() else {
        return Err(no_number());
    };
    let fresh_ms = FRESH_STEPS * u64::from(range.step_seconds) * 1_000;
    let oldest = window.to_unix_ms.saturating_sub(fresh_ms) as f64 / 1_000.0;
    if *last < oldest {
        let ago = (window.to_unix_ms as f64 / 1_000.0 - last).round();
        return Ok(Answer::Nothing(format!(
            "stale: the series ended {ago} s before the window did"
        )));
    }
    of_points(points, range.reduce)
}

fn of_points(points: &[Point], reduce: Reduce) -> Result<Answer, Error> {
    let mut numbers = Vec::new();
    for Point(_, text) in points {
        numbers.push(
            text.parse::<f64>()
                .map_err(|_| strange("a value is no number"))?,
        );
    }
    // A quotient over no requests is NaN. Where others are there, they count.
    numbers.retain(|number| !number.is_nan());
    let chosen = match reduce {
        Reduce::Last => numbers.last().copied(),
        Reduce::Max => numbers.iter().copied().reduce(f64::max),
        Reduce::Min => numbers.iter().copied().reduce(f64::min),
        Reduce::Mean if numbers.is_empty() => None,
        Reduce::Mean => Some(numbers.iter().sum::<f64>() / numbers.len() as f64),
    };
    Ok(match chosen {
        Some(number) if number.is_finite() => Answer::Number(number),
        Some(number) => Answer::Nothing(format!("the value is {number}")),
        None => nothing("the value is NaN"),
    })
}

fn nothing(why: &str) -> Answer {
    Answer::Nothing(why.into())
}

fn no_number() -> Error {
    Error::InvalidConfig(
        "the query gives a histogram: take a number of it, as with histogram_quantile(…)".into(),
    )
}

fn strange(why: &str) -> Error {
    Error::Unavailable(format!("Prometheus' answer cannot be understood: {why}"))
}
