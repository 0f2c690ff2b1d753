//! Cron schedules with a time zone.
//!
//! The `cron` crate must never see a time zone (docs/dependencies.md, fact 2): it skips the spring
//! gap, fires twice in the autumn fold, and can answer with a time in the past. Here it enumerates
//! wall-clock times in a calendar without gaps, and this module maps them to instants, segment by
//! segment between the zone's transitions:
//!
//! | the wall-clock time falls in | fixed hour (`30 2 * * *`) | hour field starts with `*` |
//! |---|---|---|
//! | a gap (spring) | the first instant after the gap, once | not at all |
//! | a fold (autumn) | the first pass only | both passes |
//!
//! The set of instants depends on the schedule alone, not on when it was asked: a restart changes
//! nothing.

use std::fmt;

use chrono::{DateTime, Utc};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::problem::Problem;
use crate::zone;

mod fields;

use fields::Fields;

/// How far back a fold can make the wall clock repeat itself, in seconds. The largest on record is
/// a day (a change of side of the date line).
const FOLD_LOOKBACK: i64 = 48 * 3600;

/// Segments that one search walks: two transitions a year until the calendar of the `cron` crate
/// ends in 2100, with room for zones that change four times.
const SEGMENT_LIMIT: usize = 600;

/// A schedule ready for use.
#[derive(Clone)]
pub struct Schedule {
    cron: String,
    time_zone: String,
    zone: TimeZone,
    /// One, or two where day of month and day of week are both restricted: either may match.
    calendars: Vec<cron::Schedule>,
    /// Whether the hour field starts with `*`.
    every_hour: bool,
}

impl Schedule {
    /// Reads five fields and an IANA zone name. The problem's field is `cron` or `timeZone`.
    pub fn parse(cron: &str, time_zone: &str) -> Result<Self, Problem> {
        let fields = Fields::parse(cron).map_err(|text| {
            Problem::new("cron", text)
                .with_hint("write minute, hour, day of month, month, day of week: 0 9 * * MON-FRI")
        })?;
        let zone = zone::find(time_zone).map_err(|text| Problem::new("timeZone", text))?;
        let mut calendars = Vec::new();
        for expression in fields.civil_expressions() {
            let calendar = expression.parse::<cron::Schedule>().map_err(|_| {
                Problem::new("cron", "this combination of fields cannot be scheduled")
            })?;
            calendars.push(calendar);
        }
        Ok(Self {
            cron: cron.trim().to_owned(),
            time_zone: time_zone.to_owned(),
            zone,
            calendars,
            every_hour: fields.every_hour,
        })
    }

    /// The first instant of the schedule later than `after`. None when there is none before 2100.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = zone::floor_second(after);
        let mut offset = zone::offset_at(&self.zone, after);
        // Wall-clock times below this belong to the first pass of a fold and have had their turn.
        let mut passed = self.high_water(after);
        let mut below = self.lower_bound(after + offset, passed);
        let mut at = after;
        for _ in 0..SEGMENT_LIMIT {
            let civil = self.civil_after(below)?;
            let Some(transition) = zone::next_transition(&self.zone, at) else {
                return Timestamp::from_second(civil - offset).ok();
            };
            let end = transition + offset;
            if civil < end {
                return Timestamp::from_second(civil - offset).ok();
            }
            let next_offset = zone::offset_at(&self.zone, transition);
            let reopens = transition + next_offset;
            if !self.every_hour && civil < reopens {
                return Timestamp::from_second(transition).ok();
            }
            passed = passed.max(end);
            below = self.lower_bound(reopens - 1, passed);
            (at, offset) = (transition, next_offset);
        }
        None
    }

    /// The last instant of the schedule in `(after, upto]`: what a catch-up after an outage runs.
    /// Its work is bounded whatever the number of missed instants (reliability.md T3).
    pub fn latest_in(&self, after: Timestamp, upto: Timestamp) -> Option<Timestamp> {
        let mut latest = self.next(after).filter(|first| *first <= upto)?;
        // `next(m) <= upto` holds up to the latest instant and fails from it on: bisect for it.
        let (mut low, mut high) = (latest.as_second(), zone::floor_second(upto));
        while low < high {
            let middle = low + (high - low) / 2;
            match Timestamp::from_second(middle)
                .ok()
                .and_then(|m| self.next(m))
            {
                Some(found) if found <= upto => {
                    latest = found;
                    low = found.as_second();
                }
                Some(_) | None => high = middle,
            }
        }
        Some(latest)
    }

    /// The wall-clock second (as if the zone were UTC) after which a segment is searched.
    fn lower_bound(&self, wall: i64, passed: i64) -> i64 {
        if self.every_hour {
            wall
        } else {
            wall.max(passed - 1)
        }
    }

    /// The highest wall-clock time that the zone showed before `second`, exclusive.
    fn high_water(&self, second: i64) -> i64 {
        let mut highest = i64::MIN + 1;
        let mut at = second;
        while let Some(transition) = zone::last_transition(&self.zone, at)
            && transition > second.saturating_sub(FOLD_LOOKBACK)
        {
            highest = highest.max(transition + zone::offset_at(&self.zone, transition - 1));
            at = transition - 1;
        }
        highest
    }

    fn civil_after(&self, wall: i64) -> Option<i64> {
        let wall = DateTime::<Utc>::from_timestamp(wall, 0)?;
        self.calendars
            .iter()
            .filter_map(|c| c.after(&wall).next())
            .map(|t| t.timestamp())
            .min()
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.cron == other.cron && self.time_zone == other.time_zone
    }
}

impl Eq for Schedule {}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self})")
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cron, self.time_zone)
    }
}

#[cfg(test)]
mod tests;
