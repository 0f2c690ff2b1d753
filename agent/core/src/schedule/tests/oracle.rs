//! An independent implementation, `croner`, answers the same questions.
//!
//! Known differences, each with its reason:
//! - Several hours, or a list of minutes, under fixed hours (`*/15 2 * * *`): croner calls it an
//!   interval, we go by the hour field alone (docs/dependencies.md, fact 2). So such expressions
//!   are compared where no transition is near, and single times everywhere.
//! - Samoa's lost day (2011-12-30): asked in the last second before it, croner finds nothing at all.
//!   Compared only after it; `golden_odd_zones` holds our answer.
//! - `*/1` in a day field: croner takes it for a restriction, Kubernetes and we do not.

use std::str::FromStr;

use jiff::tz::TimeZone;

use super::*;

/// The first instants after `start`, by croner.
fn expected(cron: &str, zone: &TimeZone, start: i64, count: usize) -> Vec<i64> {
    let pattern = croner::Cron::from_str(cron).unwrap();
    let start = Timestamp::from_second(start)
        .unwrap()
        .to_zoned(zone.clone());
    pattern
        .iter_after(start)
        .take(count)
        .map(|zoned| zoned.timestamp().as_second())
        .collect()
}

fn ours(cron: &str, zone: &str, start: i64, count: usize) -> Vec<i64> {
    let schedule = Schedule::parse(cron, zone).unwrap();
    let mut at = Timestamp::from_second(start).unwrap();
    std::iter::from_fn(|| {
        at = schedule.next(at)?;
        Some(at.as_second())
    })
    .take(count)
    .collect()
}

/// One fixed minute and hour, or an hour field with a star: both sides call them the same.
fn agreed_cron() -> impl Strategy<Value = String> {
    let day = || prop_oneof![4 => Just("*".to_owned()), 1 => field(1, 28)];
    let month = prop_oneof![6 => Just("*".to_owned()), 1 => field(1, 12)];
    let weekday = prop_oneof![4 => Just("*".to_owned()), 2 => field(0, 6)];
    let time = prop_oneof![
        3 => (0u8..60, 0u8..24).prop_map(|(minute, hour)| format!("{minute} {hour}")),
        2 => field(0, 59).prop_map(|minute| format!("{minute} *")),
        1 => (0u8..60, 2u8..12).prop_map(|(minute, step)| format!("{minute} */{step}")),
    ];
    (time, day(), month, weekday)
        .prop_map(|(time, day, month, weekday)| format!("{time} {day} {month} {weekday}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn equal_near_transitions(
        (zone, start) in any_zone().prop_flat_map(|zone| (Just(zone), instant_near(zone))),
        cron in agreed_cron(),
    ) {
        prop_assume!(zone != "Pacific/Apia" || start > 1_325_300_000);
        let tz = zone::find(zone).unwrap();
        prop_assert_eq!(ours(&cron, zone, start, 20), expected(&cron, &tz, start, 20), "{} {} {}", cron, zone, start);
    }

    #[test]
    fn equal_for_every_expression_without_transitions(
        cron in any_cron(),
        zone in prop::sample::select(vec!["UTC", "Asia/Kolkata"]),
        start in 1_200_000_000i64..1_900_000_000,
    ) {
        let tz = zone::find(zone).unwrap();
        prop_assert_eq!(ours(&cron, zone, start, 20), expected(&cron, &tz, start, 20), "{} {}", cron, zone);
    }
}
