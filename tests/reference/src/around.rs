//! Windows and freezes around a change of the clock, minute by minute: the product's evaluator and the
//! reference side by side (reliability.md P11).

use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::window::{WindowRule, Windows};

use crate::civil::{DAY, Zone, weekday, written};
use crate::meaning::Calendar;

/// Minutes before and after a change that are looked at.
const AROUND: i64 = 8 * 60;
/// Minutes over which an announced change is looked for by the reference: a week and two days.
const WEEK: i64 = 9 * 1440;

/// What was compared.
#[derive(Debug, Default)]
pub struct Seen {
    /// Instants around which was looked.
    pub instants: usize,
    /// Sets of windows.
    pub sets: usize,
    /// Minutes at which both were asked.
    pub minutes: usize,
    /// Changes within them, each announced from every minute before.
    pub announced: usize,
    /// Where the two do not say the same.
    pub differences: Vec<String>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} instants, {} sets of windows, {} minutes, {} announced changes, {} differences",
            self.instants,
            self.sets,
            self.minutes,
            self.announced,
            self.differences.len()
        )
    }
}

/// The windows that are put around a change: `at` the instant, `before` and `after` the offsets.
fn sets(zone: &str, at: i64, before: i64, after: i64) -> Vec<Vec<Value>> {
    let (low, high) = (at + before.min(after), at + before.max(after));
    // Where nothing changes, the hour after stands for what is skipped or repeated.
    let high = if low == high { high + 3600 } else { high };
    let clock = |t: i64| written(t)[11..16].to_owned();
    let stamp = |t: i64| written(t)[..16].to_owned();
    let day =
        |t: i64| ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"][weekday(t.div_euclid(DAY))];
    let allow = |text: String| json!({"allow": text, "timeZone": zone});
    let freeze = |from: i64, to: i64| json!({"freeze": format!("{}/{}", stamp(from), stamp(to)), "timeZone": zone, "reason": "x"});
    vec![
        // Over midnight, and only from the day before or of the change.
        vec![allow(format!("{} 22:00-06:00", day(low - DAY / 2)))],
        // Exactly what is skipped or repeated, and a part of it.
        vec![allow(format!("* {}-{}", clock(low), clock(high)))],
        vec![
            allow(format!("* {}-{}", clock(low + 900), clock(low + 1500))),
            allow(format!(
                "{} {}-{}",
                day(low),
                clock(high + 600),
                clock(high + 4200)
            )),
        ],
        // A union over zones.
        vec![
            allow("MON-FRI 09:00-17:00".into()),
            allow(format!("* 00:00-{}", clock(low + 1800)).replace("00:00-00:00", "00:00-24:00")),
            json!({"allow": "SUN,WED-FRI 00:00-03:30", "timeZone": "UTC"}),
        ],
        // A freeze over the change; one that begins in it; one that ends in it; both.
        vec![freeze(low - 7200, high + 7200)],
        vec![freeze(low + 600, high + 5400)],
        vec![freeze(low - 5400, low + 1200)],
        vec![freeze(low + 300, low + 2100)],
        // A freeze beats the windows; overlapping freezes are one.
        vec![
            allow("* 00:00-24:00".into()),
            freeze(low - 3600, low + 900),
            json!({"freeze": format!("{}/{}", stamp(at - 1200), stamp(at + 4800)), "reason": "x"}),
        ],
        vec![
            allow(format!("* {}-{}", clock(low - 7200), clock(high + 7200))),
            freeze(low + 1800, high + 1800),
        ],
    ]
}

/// Compares around an instant, with windows that are made for it.
pub fn around(name: &str, zone: &Zone, at: i64, seen: &mut Seen) {
    let (before, after) = (zone.offset(at - 1), zone.offset(at));
    seen.instants += 1;
    for set in sets(name, at, before, after) {
        seen.sets += 1;
        let rules: Vec<WindowRule> = serde_json::from_value(json!(set)).unwrap();
        let calendar = Calendar::read(&set);
        let windows = match (Windows::compile(rules), calendar.sound()) {
            (Ok(windows), true) => windows,
            (Err(_), false) => continue,
            (found, sound) => {
                seen.differences.push(format!(
                    "{name} {set:?}: sound is {sound}, and not {found:?}"
                ));
                continue;
            }
        };
        let minutes = (-AROUND..=AROUND).map(|minute| at + minute * 60);
        let expected: Vec<(i64, bool)> = minutes.map(|t| (t, calendar.open(t))).collect();
        let mut next = calendar.next_change(at + AROUND * 60, WEEK);
        for (place, (t, open)) in expected.iter().enumerate().rev() {
            seen.minutes += 1;
            if let Some((then, other)) = expected.get(place + 1)
                && other != open
            {
                next = Some(*then);
                seen.announced += 1;
            }
            let verdict = windows.evaluate(Timestamp::from_second(*t).unwrap());
            let announced = verdict.changes_at.map(Timestamp::as_second);
            // Past a week the reference does not look; the announcement may be there, not before.
            let same = match next {
                Some(_) => announced == next,
                None => announced.is_none_or(|then| then > at + (AROUND + WEEK) * 60),
            };
            if verdict.open != *open || !same {
                seen.differences.push(format!(
                    "{name} {set:?} at {}Z: {open} until {next:?}, and not {verdict:?}",
                    written(*t)
                ));
            }
        }
        // The last second before each change, and the second of it.
        for pair in expected.windows(2) {
            let [(_, was), (t, is)] = pair else { continue };
            let exact = |s: i64| windows.evaluate(Timestamp::from_second(s).unwrap()).open;
            if was != is && (exact(t - 1) != *was || exact(*t) != *is) {
                seen.differences.push(format!(
                    "{name} {set:?}: not at the second {}Z",
                    written(*t)
                ));
            }
        }
    }
}
