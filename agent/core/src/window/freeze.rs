//! A span between two instants, written in wall-clock time.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::problem::{Problem, quoted};
use crate::zone;

/// From the first second to before the last, in seconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Freeze {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) reason: String,
}

impl Freeze {
    pub(super) fn parse(text: &str, zone: &str, reason: &str) -> Result<Self, Problem> {
        let bad = |message: String| {
            Problem::new("freeze", message)
                .with_hint("write START/END in wall-clock time: 2026-12-20T00:00/2027-01-04T00:00")
        };
        let zone = zone::find(zone).map_err(|message| Problem::new("timeZone", message))?;
        if reason.trim().is_empty() || reason.len() > 200 {
            return Err(Problem::new(
                "reason",
                "a freeze says why in 1 to 200 characters",
            ));
        }
        let (start, end) = text
            .split_once('/')
            .ok_or_else(|| bad(format!("{} is not a start and an end", quoted(text))))?;
        let civil = |part: &str| {
            wall_time(part).ok_or_else(|| bad(format!("{} is not a date and time", quoted(part))))
        };
        let (start, end) = (
            instant(civil(start)?, &zone, Pass::First),
            instant(civil(end)?, &zone, Pass::Second),
        );
        let (Some(start), Some(end)) = (start, end) else {
            return Err(bad(format!(
                "{} is outside the years that can be counted",
                quoted(text)
            )));
        };
        if start >= end {
            return Err(bad(format!("{} ends before it starts", quoted(text))));
        }
        Ok(Self {
            start,
            end,
            reason: reason.trim().to_owned(),
        })
    }

    pub(super) fn holds(&self, second: i64) -> bool {
        (self.start..self.end).contains(&second)
    }
}

/// `2026-12-20T00:00` or with seconds. No zone: it stands beside.
fn wall_time(text: &str) -> Option<DateTime> {
    let shape = |c: u8| c.is_ascii_digit() || matches!(c, b'-' | b':' | b'T');
    let text = text.trim();
    let complete = text.len() == 16 || text.len() == 19;
    if !complete || !text.bytes().all(shape) || text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    text.parse().ok()
}

#[derive(Clone, Copy)]
enum Pass {
    First,
    Second,
}

fn instant(civil: DateTime, zone: &TimeZone, pass: Pass) -> Option<i64> {
    let offset = match (zone.to_ambiguous_timestamp(civil).offset(), pass) {
        (AmbiguousOffset::Unambiguous { offset }, _) => offset,
        (AmbiguousOffset::Fold { before, .. }, Pass::First) => before,
        (AmbiguousOffset::Fold { after, .. }, Pass::Second) => after,
        (AmbiguousOffset::Gap { after, .. }, _) => {
            // Read with the later offset the time lies before the jump; the jump is what follows.
            let early = after.to_timestamp(civil).ok()?.as_second();
            return zone::next_transition(zone, early);
        }
    };
    Some(offset.to_timestamp(civil).ok()?.as_second())
}
