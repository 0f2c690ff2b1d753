//! A weekly allow window in wall-clock time.

use std::fmt;

use jiff::tz::TimeZone;

use crate::problem::{Problem, quoted};
use crate::zone;

const NAMES: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
const DAY: i64 = 1440;
const WEEK: i64 = 7 * DAY;
/// Seconds from 1970-01-01, a Thursday, back to the Monday before.
const MONDAY_SHIFT: i64 = 3 * 86_400;

/// Minutes of the week that are allowed, counted from Monday 00:00.
#[derive(Clone, Debug)]
pub(super) struct Week {
    text: String,
    zone_name: String,
    zone: TimeZone,
    /// Sorted, apart from each other; start inside, end outside.
    spans: Vec<(i64, i64)>,
}

impl Week {
    pub(super) fn parse(text: &str, zone_name: &str) -> Result<Self, Problem> {
        let bad = |message: String| {
            Problem::new("allow", message).with_hint(
                "write weekdays and a time span: MON-THU 09:00-17:00, or SAT,SUN 22:00-06:00",
            )
        };
        let zone = zone::find(zone_name).map_err(|message| Problem::new("timeZone", message))?;
        let mut words = text.split_whitespace();
        let (Some(days), Some(times), None) = (words.next(), words.next(), words.next()) else {
            return Err(bad(format!(
                "{} is not weekdays and a time span",
                quoted(text)
            )));
        };
        let days = weekdays(days)
            .ok_or_else(|| bad(format!("{} is not a list of weekdays", quoted(days))))?;
        let (start, end) = times
            .split_once('-')
            .and_then(|(start, end)| Some((minute(start)?, minute(end)?)))
            .filter(|(start, _)| *start < DAY)
            .ok_or_else(|| bad(format!("{} is not a time span", quoted(times))))?;
        if start == end {
            return Err(
                bad(format!("{} is empty", quoted(times))).with_hint("a whole day is 00:00-24:00")
            );
        }
        // Over midnight: it ends on the day after.
        let end = if end < start { end + DAY } else { end };
        let mut pieces = Vec::new();
        for day in days {
            let (from, to) = (day * DAY + start, day * DAY + end);
            pieces.push((from, to.min(WEEK)));
            if to > WEEK {
                pieces.push((0, to - WEEK));
            }
        }
        let spans = merged(pieces);
        Ok(Self {
            text: text.trim().to_owned(),
            zone_name: zone_name.to_owned(),
            zone,
            spans,
        })
    }

    pub(super) fn holds(&self, second: i64) -> bool {
        let minute = minute_of_week(second + zone::offset_at(&self.zone, second));
        self.spans
            .iter()
            .any(|(start, end)| (*start..*end).contains(&minute))
    }

    /// The first second after this one at which `holds` may change. None: never.
    pub(super) fn next_edge(&self, second: i64) -> Option<i64> {
        if self.spans == [(0, WEEK)] {
            return None;
        }
        let wall = second + zone::offset_at(&self.zone, second);
        let into_week = (wall + MONDAY_SHIFT).rem_euclid(WEEK * 60);
        let edges = self.spans.iter().flat_map(|(start, end)| [*start, *end]);
        let ahead = edges
            .map(|edge| (edge * 60 - into_week).rem_euclid(WEEK * 60))
            .map(|wait| if wait == 0 { WEEK * 60 } else { wait })
            .min()?;
        let edge = second + ahead;
        // The clock may be changed before the edge comes: look again from there.
        match zone::next_transition(&self.zone, second) {
            Some(transition) if transition < edge => Some(transition),
            Some(_) | None => Some(edge),
        }
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone_name)
    }
}

fn minute_of_week(wall: i64) -> i64 {
    (wall + MONDAY_SHIFT).rem_euclid(WEEK * 60) / 60
}

/// `MON-THU,SUN`, `FRI-MON` or `*`.
fn weekdays(text: &str) -> Option<Vec<i64>> {
    let day = |name: &str| {
        let index = NAMES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))?;
        i64::try_from(index).ok()
    };
    let mut days = Vec::new();
    for item in text.split(',') {
        match item.split_once('-') {
            _ if item == "*" => days.extend(0..7),
            Some((from, to)) => {
                let (from, to) = (day(from)?, day(to)?);
                let length = (to - from).rem_euclid(7);
                days.extend((0..=length).map(|step| (from + step) % 7));
            }
            None => days.push(day(item)?),
        }
    }
    Some(days)
}

/// `09:00` to `24:00`, in minutes.
fn minute(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|c| c.is_ascii_digit());
        digits.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    ((hour < 24 && minute < 60) || (hour, minute) == (24, 0)).then_some(hour * 60 + minute)
}

fn merged(mut pieces: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    pieces.sort_unstable();
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for (start, end) in pieces {
        match spans.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            Some(_) | None => spans.push((start, end)),
        }
    }
    spans
}
