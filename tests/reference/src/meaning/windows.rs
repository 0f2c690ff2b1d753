//! When an environment may change.

use std::sync::Arc;

use serde_json::Value;

use crate::civil::{DAY, Zone, wall, weekday};

/// The names that a policy uses, Monday first.
const WEEKDAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// One line of `windows`.
#[derive(Clone, Debug)]
enum Line {
    /// Open on these days (Monday first) between two minutes of the day.
    Allow {
        days: [bool; 7],
        from: i64,
        to: i64,
        zone: Arc<Zone>,
    },
    /// Closed from an instant to before another.
    Freeze { from: i64, to: i64 },
}

/// The windows of an environment, read once.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    lines: Vec<Line>,
}

impl Calendar {
    /// Reads a list as it stands in a policy that is known to be right.
    pub fn read(windows: &[Value]) -> Self {
        let mut calendar = Self::default();
        for line in windows {
            let zone = Zone::of(line["timeZone"].as_str().unwrap_or("UTC")).unwrap();
            calendar.lines.push(match line["allow"].as_str() {
                Some(text) => allow(text, zone),
                None => freeze(line["freeze"].as_str().unwrap(), &zone),
            });
        }
        calendar
    }

    /// Whether changes may start at this second: no freeze is on, and one of the allow windows is, if
    /// there are any.
    pub fn open(&self, at: i64) -> bool {
        let frozen = |line: &Line| match line {
            Line::Freeze { from, to } => *from <= at && at < *to,
            Line::Allow { .. } => false,
        };
        let allows = |line: &Line| matches!(line, Line::Allow { .. });
        let allowed = |line: &Line| match line {
            Line::Allow {
                days,
                from,
                to,
                zone,
            } => inside(days, *from, *to, at + zone.offset(at)),
            Line::Freeze { .. } => false,
        };
        !self.lines.iter().any(frozen)
            && (!self.lines.iter().any(allows) || self.lines.iter().any(allowed))
    }

    /// Whether every freeze lasts at all: one from and to what the clock jumps over does not, and may not
    /// stand in a policy.
    pub fn sound(&self) -> bool {
        self.lines.iter().all(|line| match line {
            Line::Freeze { from, to } => from < to,
            Line::Allow { .. } => true,
        })
    }

    /// The first minute after this instant at which `open` is another, within so many minutes. Every
    /// window begins and ends with a minute.
    pub fn next_change(&self, at: i64, minutes: i64) -> Option<i64> {
        let minute = at.div_euclid(60) * 60;
        let was = self.open(at);
        (1..=minutes)
            .map(|n| minute + n * 60)
            .find(|then| self.open(*then) != was)
    }
}

/// Whether a clock that shows this stands inside. A span over midnight belongs to the day on which it
/// begins.
fn inside(days: &[bool; 7], from: i64, to: i64, shown: i64) -> bool {
    let minute = shown.rem_euclid(DAY) / 60;
    let today = weekday(shown.div_euclid(DAY));
    let yesterday = (today + 6) % 7;
    if from < to {
        return days[today] && from <= minute && minute < to;
    }
    (days[today] && from <= minute) || (days[yesterday] && minute < to)
}

/// `MON-THU,SUN 09:00-17:00`.
fn allow(text: &str, zone: Arc<Zone>) -> Line {
    let (names, span) = text.split_once(' ').unwrap();
    let index = |name: &str| WEEKDAYS.iter().position(|day| *day == name).unwrap();
    let mut days = [false; 7];
    for part in names.split(',') {
        let (first, last) = match part.split_once('-') {
            _ if part == "*" => (0, 6),
            Some((first, last)) => (index(first), index(last)),
            None => (index(part), index(part)),
        };
        let mut day = first;
        days[day] = true;
        while day != last {
            day = (day + 1) % 7;
            days[day] = true;
        }
    }
    let minute = |clock: &str| {
        let (hour, minute) = clock.split_once(':').unwrap();
        hour.parse::<i64>().unwrap() * 60 + minute.parse::<i64>().unwrap()
    };
    let (from, to) = span.split_once('-').unwrap();
    Line::Allow {
        days,
        from: minute(from),
        to: minute(to),
        zone,
    }
}

/// `2026-12-20T00:00/2027-01-04T00:00`, as wide as the clock on the wall allows.
fn freeze(text: &str, zone: &Zone) -> Line {
    let (from, to) = text.split_once('/').unwrap();
    let (from, to) = (wall(from), wall(to));
    let first = zone.instants(from).into_iter().min();
    let last = zone.instants(to).into_iter().max();
    Line::Freeze {
        from: first.or_else(|| zone.jump_over(from)).unwrap(),
        to: last.or_else(|| zone.jump_over(to)).unwrap(),
    }
}
