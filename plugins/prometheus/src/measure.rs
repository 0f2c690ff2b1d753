//! One version's numbers.

use sluice_sdk::{Client, Error, Role, Series, Window};

use crate::answer::Answer;
use crate::settings::{Metric, Range, Settings};
use crate::template::Template;
use crate::{api, facts};

/// Largest count that a floating-point number holds exactly: 2^53.
const MAX_COUNT: f64 = 9_007_199_254_740_992.0;
/// By how much `increase` may differ between two series that count the same: it extrapolates.
const EXTRAPOLATED: f64 = 1.1;

/// Numbers, and the same in words.
pub(crate) struct Measured {
    pub(crate) series: Series,
    pub(crate) told: String,
}

/// Asks about one version.
///
/// # Errors
/// As [`crate::evaluate`].
pub(crate) fn role(
    client: &Client<'_>,
    settings: &Settings,
    role: Role,
    window: Window,
) -> Result<Measured, Error> {
    let ask = |query: &str, range: Option<Range>| {
        let template = Template::parse(query).map_err(Error::InvalidConfig)?;
        let query = template
            .filled(|name| facts::fact(client, settings, role, window, name))
            .map_err(Error::InvalidConfig)?;
        api::ask(client, settings, &query, range, window)
    };
    let measured = |events, total, value, told| Measured {
        series: Series {
            role,
            events,
            total,
            value,
        },
        told,
    };
    match settings.metric() {
        None => Err(Error::InvalidConfig(
            "the settings do not say one thing to measure".into(),
        )),
        Some(Metric::Ratio { events, total }) => {
            let total = match ask(total, None)? {
                Answer::Number(number) => count(number, "total")?,
                Answer::Nothing(why) => {
                    return Ok(measured(0, 0, None, format!("no data: total: {why}")));
                }
            };
            if total.whole == 0 {
                return Ok(measured(0, 0, None, "no data: nothing happened".into()));
            }
            let events = match ask(events, None)? {
                Answer::Number(number) => count(number, "events")?,
                // Not zero: a misspelt name would never find an error. Whoever means zero says so.
                Answer::Nothing(why) => {
                    let told = format!(
                        "no data: events: {why}; where that means none, write: … or vector(0)"
                    );
                    return Ok(measured(0, 0, None, told));
                }
            };
            if events.exact > total.exact * EXTRAPOLATED + 1.0 {
                return Err(Error::InvalidConfig(format!(
                    "{} events among {}: do both queries look at the same series?",
                    events.whole, total.whole
                )));
            }
            let events = events.whole.min(total.whole);
            let told = format!("{events} of {}", total.whole);
            Ok(measured(events, total.whole, None, told))
        }
        Some(Metric::Value { value, total }) => {
            let total = match total.map(|total| ask(total, None)).transpose()? {
                None => 0,
                Some(Answer::Number(number)) => count(number, "total")?.whole,
                Some(Answer::Nothing(why)) => {
                    return Ok(measured(0, 0, None, format!("no data: total: {why}")));
                }
            };
            match ask(value, settings.range)? {
                Answer::Number(number) => Ok(measured(0, total, Some(number), shown(number))),
                // Without a value there is no count either: nothing of so many would look like a
                // share of zero.
                Answer::Nothing(why) => Ok(measured(0, 0, None, format!("no data: {why}"))),
            }
        }
    }
}

struct Count {
    exact: f64,
    whole: u64,
}

/// A count: `increase` gives fractions, so it is rounded.
fn count(number: f64, what: &str) -> Result<Count, Error> {
    if !(-0.5..=MAX_COUNT).contains(&number) {
        return Err(Error::InvalidConfig(format!(
            "`{what}` gives {number}, which is no count: use increase(…) over a counter"
        )));
    }
    let exact = number.max(0.0);
    Ok(Count {
        exact,
        whole: exact.round() as u64,
    })
}

/// A number as people read it: three digits behind the point at most.
fn shown(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}
