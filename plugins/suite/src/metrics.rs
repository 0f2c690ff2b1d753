//! A page in Prometheus' text format, and a line of the report for each series that it has to show.

use std::cell::RefCell;

use sluice_sdk::probe::attempt;
use sluice_sdk::{Examination, Outcome, Request, Response, SmokeTest};

use crate::settings::{MetricsSettings, ServiceSettings};

/// What became of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It has a number.
    There,
    /// It is there, and is not a number.
    NoNumber,
    Missing,
    /// It may stand behind the part of the page that was read.
    Cut,
}

/// Asks until every series is there or the tries are used up; the last page is what is reported.
pub(crate) fn examine(
    t: &mut SmokeTest<'_>,
    service: &ServiceSettings,
    settings: &MetricsSettings,
) {
    let wanted = &settings.series.0;
    let last: RefCell<Option<(bool, Vec<Seen>)>> = RefCell::new(None);
    let request = Request::get(&settings.path).on(service.target());
    let name = format!("{}: metrics", service.name);
    let check = attempt(t, settings.patience(), &request, &name, |response| {
        let seen: Vec<Seen> = wanted.iter().map(|series| find(response, series)).collect();
        let complete = seen.iter().all(|seen| *seen == Seen::There);
        let mut examination = Examination::of(response);
        examination.status(200);
        let (outcome, message) = examination.verdict();
        let good = outcome == Outcome::Pass;
        *last.borrow_mut() = Some((good, seen));
        // Another try may show what is missing; if not, the lines below say what it is.
        let wanted = if complete { outcome } else { Outcome::Fail };
        (wanted, message)
    });
    let (page_is_good, seen) = last.into_inner().unwrap_or_default();
    let outcome = if page_is_good {
        Outcome::Pass
    } else {
        check.outcome
    };
    t.record(&check.name, outcome, &check.message, check.elapsed_ms);
    for (index, series) in wanted.iter().enumerate() {
        let name = format!("{}: series {series}", service.name);
        let (outcome, message) = match seen.get(index) {
            Some(Seen::There) if page_is_good => (Outcome::Pass, "it has a number"),
            Some(Seen::NoNumber) if page_is_good => (Outcome::Fail, "its values are not numbers"),
            Some(Seen::Missing) if page_is_good => (Outcome::Fail, "the page does not show it"),
            Some(Seen::Cut) if page_is_good => (
                Outcome::Inconclusive,
                "the page is longer than the host reads, and it is not in the part that was read",
            ),
            Some(_) | None => (
                Outcome::Skipped,
                "not tested: there is no good page to look at",
            ),
        };
        t.record(&name, outcome, message, 0);
    }
}

fn find(response: &Response, series: &str) -> Seen {
    let text = response.text();
    let mut values = text
        .lines()
        .filter_map(|line| value_of(line, series))
        .peekable();
    if values.peek().is_none() {
        return if response.truncated {
            Seen::Cut
        } else {
            Seen::Missing
        };
    }
    let number = |value: &str| value.parse::<f64>().is_ok_and(|number| !number.is_nan());
    if values.any(number) {
        Seen::There
    } else {
        Seen::NoNumber
    }
}

/// The value of a line `name{labels} value [time]`, if its name is the one that is wanted.
fn value_of<'l>(line: &'l str, series: &str) -> Option<&'l str> {
    let line = line.trim_start();
    let end = line.find(['{', ' ', '\t'])?;
    let (name, rest) = line.split_at(end);
    let fits = match series.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == series,
    };
    if !fits || name.starts_with('#') {
        return None;
    }
    // A label's value may hold a brace or a space; what follows the last brace cannot.
    let value = rest.rsplit_once('}').map_or(rest, |(_, value)| value);
    value.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::value_of;

    #[test]
    fn lines_of_the_text_format_are_told_apart() {
        let cases = [
            ("up 1", "up", Some("1")),
            ("up{job=\"a\"} 1 1700000000000", "up", Some("1")),
            ("up{a=\"} 7 {\",b=\"c\"}\t2", "up", Some("2")),
            ("up_total 1", "up", None),
            ("up_total 1", "up*", Some("1")),
            ("# TYPE up gauge", "#*", None),
            ("# HELP up is 1", "up", None),
            ("  up 3", "up", Some("3")),
            ("up", "up", None),
            ("", "up", None),
        ];
        for (line, series, value) in cases {
            assert_eq!(value_of(line, series), value, "{line}");
        }
    }
}
