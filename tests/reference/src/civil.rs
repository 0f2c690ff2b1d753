//! The clock on the wall, by plain arithmetic: a table of offsets, one for each change of the clock, and
//! additions.
//!
//! The table comes out of the time zone database that is compiled in, which is data. How an instant
//! becomes a time of day, and a time of day one, two or no instants, is worked out here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// A time zone: from each of these instants on, this is added to UTC. Sorted.
#[derive(Clone, Debug)]
pub struct Zone {
    table: Vec<(i64, i64)>,
}

/// The years for which a table is kept: all that policies of the tests speak of.
const FROM: &str = "2015-01-01T00:00:00Z";
const TO: &str = "2042-01-01T00:00:00Z";

impl Zone {
    /// The table of an IANA name; read once, because histories ask for the same few.
    pub fn of(name: &str) -> Option<Arc<Self>> {
        static READ: Mutex<BTreeMap<String, Arc<Zone>>> = Mutex::new(BTreeMap::new());
        let mut known = READ.lock().unwrap();
        if let Some(zone) = known.get(name) {
            return Some(Arc::clone(zone));
        }
        let zone = Arc::new(Self::read(name)?);
        known.insert(name.to_owned(), Arc::clone(&zone));
        Some(zone)
    }

    fn read(name: &str) -> Option<Self> {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).ok()?;
        let (from, to): (jiff::Timestamp, jiff::Timestamp) =
            (FROM.parse().unwrap(), TO.parse().unwrap());
        let mut table = vec![(i64::MIN, i64::from(zone.to_offset(from).seconds()))];
        for change in zone.following(from) {
            if change.timestamp() > to {
                break;
            }
            let offset = i64::from(change.offset().seconds());
            table.push((change.timestamp().as_second(), offset));
        }
        Some(Self { table })
    }

    /// Seconds to add to UTC at this instant.
    pub fn offset(&self, at: i64) -> i64 {
        let mut offset = self.table[0].1;
        for (from, then) in &self.table {
            if *from <= at {
                offset = *then;
            }
        }
        offset
    }

    /// The instants between these two at which somebody has to turn the clock.
    pub fn changes(&self, from: i64, to: i64) -> Vec<i64> {
        self.table
            .windows(2)
            .filter(|pair| pair[0].1 != pair[1].1)
            .map(|pair| pair[1].0)
            .filter(|at| (from..=to).contains(at))
            .collect()
    }

    /// Every instant at which a clock on the wall shows this time, counted in seconds as if it were
    /// UTC. Two where the clock is put back over it, none where it is put forward over it.
    pub fn instants(&self, wall: i64) -> Vec<i64> {
        let ends = self.table.iter().skip(1).map(|(from, _)| *from);
        let spans = self.table.iter().zip(ends.chain([i64::MAX]));
        spans
            .map(|((from, offset), end)| (*from, wall - offset, end))
            .filter(|(from, at, end)| from <= at && at < end)
            .map(|(_, at, _)| at)
            .collect()
    }

    /// The instant at which the clock jumps over a time that no clock shows.
    pub fn jump_over(&self, wall: i64) -> Option<i64> {
        let jumps = self.table.windows(2);
        jumps
            .filter(|pair| pair[1].0 + pair[0].1 <= wall && wall < pair[1].0 + pair[1].1)
            .map(|pair| pair[1].0)
            .next()
    }
}

/// Days from 1970-01-01 to a date, counted year by year and month by month.
pub fn days(year: i64, month: usize, day: i64) -> i64 {
    let leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let months = |y: i64| {
        let february = if leap(y) { 29 } else { 28 };
        [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    };
    let years: i64 = (1970..year).map(|y| months(y).iter().sum::<i64>()).sum();
    let this_year: i64 = months(year)[..month - 1].iter().sum();
    years + this_year + day - 1
}

/// `2026-12-20T00:00`, with or without seconds, as seconds since 1970 as if it were UTC.
pub fn wall(text: &str) -> i64 {
    let numbers: Vec<i64> = text
        .split(['-', 'T', ':'])
        .map(|part| part.parse().unwrap())
        .collect();
    let seconds = numbers.get(5).copied().unwrap_or(0);
    let month = usize::try_from(numbers[1]).unwrap();
    days(numbers[0], month, numbers[2]) * DAY + numbers[3] * 3600 + numbers[4] * 60 + seconds
}

/// `2026-12-20T00:00:00` of seconds since 1970 as if they were UTC: the other way.
pub fn written(wall: i64) -> String {
    let (mut day, second) = (wall.div_euclid(DAY), wall.rem_euclid(DAY));
    let mut year = 1970;
    while day >= days(year + 1, 1, 1) {
        year += 1;
    }
    day -= days(year, 1, 1);
    let mut month = 12;
    while days(year, month, 1) - days(year, 1, 1) > day {
        month -= 1;
    }
    day -= days(year, month, 1) - days(year, 1, 1);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}",
        day + 1
    )
}

/// Day of the week of a day since 1970: Monday is 0. 1970-01-01 was a Thursday.
pub fn weekday(day: i64) -> usize {
    usize::try_from((day + 3).rem_euclid(7)).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_right() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        // 2026-11-26 is a Thursday.
        assert_eq!(weekday(days(2026, 11, 26)), 3);
        assert_eq!(wall("2026-11-26T20:51"), 1_795_726_260);
        for text in [
            "2024-02-29T23:59:59",
            "2030-12-31T00:00:00",
            "2028-03-01T12:30:00",
        ] {
            assert_eq!(written(wall(text)), text);
        }
    }

    #[test]
    fn the_wall_shows_a_time_once_twice_or_never() {
        let berlin = Zone::of("Europe/Berlin").unwrap();
        assert_eq!(berlin.instants(wall("2026-10-25T02:30")).len(), 2);
        assert_eq!(berlin.instants(wall("2026-10-25T12:30")).len(), 1);
        assert!(berlin.instants(wall("2026-03-29T02:30")).is_empty());
        let jump = wall("2026-03-29T01:00");
        assert_eq!(berlin.jump_over(wall("2026-03-29T02:30")), Some(jump));
        assert_eq!(berlin.jump_over(wall("2026-03-29T03:00")), None);
        assert_eq!((berlin.offset(jump - 1), berlin.offset(jump)), (3600, 7200));
        assert_eq!(Zone::of("UTC").unwrap().changes(0, i64::MAX), [0_i64; 0]);
        assert!(Zone::of("Mars/Olympus").is_none());
    }
}
