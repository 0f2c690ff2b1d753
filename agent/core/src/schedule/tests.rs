use proptest::prelude::*;

use super::*;

mod oracle;

fn ts(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The first `count` instants after `start`, as UTC without year and seconds: `10-25T00:30`.
fn first(cron: &str, zone: &str, start: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(cron, zone).unwrap();
    let mut at = ts(start);
    let mut out = Vec::new();
    for _ in 0..count {
        at = schedule.next(at).unwrap();
        out.push(at.to_string()[5..16].to_owned());
    }
    out
}

#[test]
fn golden_spring_gap() {
    assert_eq!(
        first("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3),
        ["03-28T01:30", "03-29T01:00", "03-30T00:30"]
    );
    // Hours that start with a star do not happen in the gap.
    assert_eq!(
        first("30 * * * *", "Europe/Berlin", "2026-03-28T23:45:00Z", 3),
        ["03-29T00:30", "03-29T01:30", "03-29T02:30"]
    );
    // Several missed times of one gap are one instant; one that is due there anyway as well.
    assert_eq!(
        first("*/15 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
        ["03-29T01:00", "03-29T01:15", "03-29T01:30"]
    );
}

#[test]
fn golden_autumn_fold() {
    assert_eq!(
        first("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["10-25T00:30", "10-26T01:30"]
    );
    assert_eq!(
        first("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 3),
        ["10-25T00:00", "10-25T01:00", "10-25T02:00"]
    );
    assert_eq!(
        first("*/15 * * * *", "Europe/Berlin", "2026-10-25T00:40:00Z", 4),
        ["10-25T00:45", "10-25T01:00", "10-25T01:15", "10-25T01:30"]
    );
    // Asked in the second pass, as after a restart: the first pass was the one.
    assert_eq!(
        first("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1),
        ["10-26T01:30"]
    );
}

#[test]
fn golden_odd_zones() {
    // Half an hour of daylight saving: 02:00 to 02:30 does not exist on 2026-10-04.
    assert_eq!(
        first(
            "10 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-02T18:00:00Z",
            2
        ),
        ["10-03T15:30", "10-04T15:10"]
    );
    // Samoa skipped 2011-12-30 altogether: Friday noon happens when Saturday begins.
    assert_eq!(
        first("0 12 * * *", "Pacific/Apia", "2011-12-29T20:00:00Z", 3),
        ["12-29T22:00", "12-30T10:00", "12-30T22:00"]
    );
    // The calendar of the `cron` crate ends in 2100, which is no leap year.
    assert_eq!(
        Schedule::parse("0 0 29 2 *", "UTC")
            .unwrap()
            .next(ts("2096-03-01T00:00:00Z")),
        None
    );
}

#[test]
fn weekdays_count_as_in_kubernetes() {
    let monday = ["11-23T09:00", "11-30T09:00"];
    for weekday in ["1", "MON", "mon", "1-1", "8"] {
        let made = Schedule::parse(&format!("0 9 * * {weekday}"), "UTC");
        if weekday == "8" {
            assert!(made.is_err());
            continue;
        }
        assert_eq!(
            first(
                &format!("0 9 * * {weekday}"),
                "UTC",
                "2026-11-21T12:00:00Z",
                2
            ),
            monday
        );
    }
    for sunday in ["0", "7", "SUN", "7-7", "SAT-SUN/2"] {
        let expected = if sunday.starts_with("SAT") {
            "11-28T09:00"
        } else {
            "11-22T09:00"
        };
        assert_eq!(
            first(
                &format!("0 9 * * {sunday}"),
                "UTC",
                "2026-11-21T12:00:00Z",
                1
            ),
            [expected]
        );
    }
    // Over the end of the week.
    assert_eq!(
        first("0 9 * * FRI-MON", "UTC", "2026-11-21T12:00:00Z", 4),
        ["11-22T09:00", "11-23T09:00", "11-27T09:00", "11-28T09:00"]
    );
    assert_eq!(
        first("0 9 * * 5-7", "UTC", "2026-11-21T12:00:00Z", 2),
        ["11-22T09:00", "11-27T09:00"]
    );
}

#[test]
fn day_of_month_or_day_of_week() {
    assert_eq!(
        first("0 0 13 * FRI", "UTC", "2026-11-01T00:00:00Z", 5),
        [
            "11-06T00:00",
            "11-13T00:00",
            "11-20T00:00",
            "11-27T00:00",
            "12-04T00:00"
        ]
    );
    assert_eq!(
        first("0 0 13 * *", "UTC", "2026-11-01T00:00:00Z", 2),
        ["11-13T00:00", "12-13T00:00"]
    );
    assert_eq!(
        first("0 0 */1 * FRI", "UTC", "2026-11-01T00:00:00Z", 1),
        ["11-06T00:00"]
    );
    assert_eq!(
        first("0 0 ? * FRI", "UTC", "2026-11-01T00:00:00Z", 1),
        ["11-06T00:00"]
    );
    assert_eq!(
        first("0 0 */10 * FRI", "UTC", "2026-11-01T00:00:00Z", 2),
        ["11-06T00:00", "11-11T00:00"]
    );
}

#[test]
fn words_for_whole_schedules() {
    assert_eq!(
        first("@daily", "UTC", "2026-11-21T12:00:00Z", 1),
        ["11-22T00:00"]
    );
    assert_eq!(
        first("@hourly", "UTC", "2026-11-21T12:00:00Z", 1),
        ["11-21T13:00"]
    );
    assert_eq!(
        first("@weekly", "UTC", "2026-11-21T12:00:00Z", 1),
        ["11-22T00:00"]
    );
    assert_eq!(
        first("@monthly", "UTC", "2026-11-21T12:00:00Z", 1),
        ["12-01T00:00"]
    );
    assert_eq!(
        first("@yearly", "UTC", "2026-11-21T12:00:00Z", 1),
        ["01-01T00:00"]
    );
}

#[test]
fn refuses_with_the_field_and_a_reason() {
    for (cron, says) in [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("0 0 2 * * *", "6 fields"),
        ("60 * * * *", "`60` is not a minute: 0 to 59"),
        ("0 24 * * *", "`24` is not a hour"),
        ("0 0 0 * *", "day of month"),
        ("0 0 32 * *", "day of month"),
        ("0 0 1 13 *", "JAN to DEC"),
        ("0 0 * * 8", "SUN to SAT"),
        ("0 0 * * MONDAY", "day of week"),
        ("5-1 * * * *", "runs backwards"),
        ("*/0 * * * *", "step"),
        ("*/61 * * * *", "step"),
        ("*/x * * * *", "step"),
        ("+5 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("0 0 L * *", "day of month"),
        ("0 0 * * MON#1", "day of week"),
        ("0 0 31 2 *", "never happens"),
        ("0 0 31 4,6,9,11 *", "never happens"),
        ("TZ=UTC 0 0 * * *", "6 fields"),
        ("@reboot", "1 fields"),
    ] {
        let problem = Schedule::parse(cron, "UTC").unwrap_err();
        assert_eq!(problem.field, "cron");
        assert!(
            problem.message.contains(says),
            "{cron:?}: {}",
            problem.message
        );
    }
    assert_eq!(
        Schedule::parse("0 0 * * *", "Berlin").unwrap_err().field,
        "timeZone"
    );
    assert_eq!(
        Schedule::parse("0 0 * * *", "").unwrap_err().field,
        "timeZone"
    );
    assert!(Schedule::parse(&"1,".repeat(200), "UTC").is_err());
    // 31 February alone never happens, but either-or makes it every Monday.
    assert!(Schedule::parse("0 0 31 2 MON", "UTC").is_ok());
}

#[test]
fn catch_up_takes_the_last_one() {
    let schedule = Schedule::parse("*/5 * * * *", "Europe/Berlin").unwrap();
    let latest = |after: &str, upto: &str| schedule.latest_in(ts(after), ts(upto));
    assert_eq!(
        latest("2026-01-01T00:00:00Z", "2026-11-21T12:03:00Z"),
        Some(ts("2026-11-21T12:00:00Z"))
    );
    assert_eq!(
        latest("2026-11-21T11:58:00Z", "2026-11-21T12:00:00Z"),
        Some(ts("2026-11-21T12:00:00Z")),
        "the end belongs to it"
    );
    assert_eq!(
        latest("2026-11-21T12:00:00Z", "2026-11-21T12:04:59Z"),
        None,
        "the start does not"
    );
    assert_eq!(latest("2026-11-21T12:03:00Z", "2026-11-21T12:00:00Z"), None);
    let yearly = Schedule::parse("0 0 1 1 *", "UTC").unwrap();
    assert_eq!(
        yearly.latest_in(ts("1990-01-01T00:00:00Z"), ts("2026-11-21T12:00:00Z")),
        Some(ts("2026-01-01T00:00:00Z"))
    );
}

#[test]
fn the_edges_of_time_are_no_trouble() {
    let schedule = Schedule::parse("* * * * *", "Europe/Berlin").unwrap();
    assert_eq!(schedule.next(Timestamp::MAX), None);
    // The calendar of the `cron` crate starts in 1970.
    assert!(
        schedule
            .next(Timestamp::MIN)
            .is_none_or(|t| t > Timestamp::MIN)
    );
    assert_eq!(
        schedule.next(ts("2026-11-21T12:00:00.5Z")),
        Some(ts("2026-11-21T12:01:00Z"))
    );
    assert_eq!(
        schedule.next(ts("2026-11-21T11:59:59.999Z")),
        Some(ts("2026-11-21T12:00:00Z"))
    );
}

/// Zones with every kind of oddity.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "America/St_Johns",
    "UTC",
];

fn any_zone() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&ZONES[..])
}

/// Instants near a transition of the zone, and elsewhere.
fn instant_near(zone: &'static str) -> impl Strategy<Value = i64> {
    let zone = zone::find(zone).unwrap();
    (
        1_200_000_000i64..1_900_000_000,
        -90_000i64..90_000,
        any::<bool>(),
    )
        .prop_map(
            move |(base, shift, near)| match zone::next_transition(&zone, base) {
                Some(transition) if near => transition + shift,
                Some(_) | None => base + shift,
            },
        )
}

/// Around every transition of every zone: asked at any moment, as after a restart, the answer is
/// the next one of the one walk.
#[test]
fn asked_at_any_moment_around_every_transition() {
    let mut asked = 0;
    for name in ZONES {
        let zone = zone::find(name).unwrap();
        let mut at = ts("2009-06-01T00:00:00Z").as_second();
        let until = ts("2012-06-01T00:00:00Z").as_second();
        while let Some(transition) = zone::next_transition(&zone, at).filter(|t| *t < until) {
            at = transition;
            let (from, to) = (transition - 30 * 3600, transition + 30 * 3600);
            for cron in [
                "30 2 * * *",
                "15 1 * * *",
                "0 0 * * *",
                "50 23 * * *",
                "20 * * * *",
            ] {
                let schedule = Schedule::parse(cron, name).unwrap();
                let mut walk = Vec::new();
                let mut last = from;
                while last <= to + 86_400 {
                    let next = schedule
                        .next(Timestamp::from_second(last).unwrap())
                        .unwrap();
                    last = next.as_second();
                    walk.push(last);
                }
                for moment in (from..to).step_by(600) {
                    asked += 1;
                    let expected = walk.iter().find(|fire| **fire > moment).copied();
                    let next = schedule.next(Timestamp::from_second(moment).unwrap());
                    assert_eq!(
                        next.map(|t| t.as_second()),
                        expected,
                        "{name} {cron} {moment}"
                    );
                }
            }
        }
    }
    assert!(asked > 50_000, "only {asked}");
}

fn field(min: u8, max: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        3 => (min..=max).prop_map(|n| n.to_string()),
        1 => (2u8..=(max - min).min(10)).prop_map(|n| format!("*/{n}")),
        1 => (min..=max, min..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => prop::collection::vec(min..=max, 1..4)
            .prop_map(|list| list.iter().map(u8::to_string).collect::<Vec<_>>().join(",")),
    ]
}

fn any_cron() -> impl Strategy<Value = String> {
    let weekday = prop_oneof![
        4 => Just("*".to_owned()),
        2 => field(0, 6),
        1 => prop::sample::select(vec!["MON-FRI", "SAT,SUN", "7", "5-7"]).prop_map(str::to_owned),
    ];
    (
        field(0, 59),
        field(0, 23),
        prop_oneof![4 => Just("*".to_owned()), 1 => field(1, 28)],
        prop_oneof![4 => Just("*".to_owned()), 1 => field(1, 12)],
        weekday,
    )
        .prop_map(|(minute, hour, day, month, weekday)| {
            format!("{minute} {hour} {day} {month} {weekday}")
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_changes_nothing(
        (zone, start) in any_zone().prop_flat_map(|zone| (Just(zone), instant_near(zone))),
        cron in any_cron(),
        cut in 0.0f64..1.0,
    ) {
        let schedule = Schedule::parse(&cron, zone).unwrap();
        let mut at = Timestamp::from_second(start).unwrap();
        for _ in 0..6 {
            let Some(next) = schedule.next(at) else { break };
            prop_assert!(next > at, "{} is not after {}", next, at);
            let between = at.as_second() + ((next.as_second() - at.as_second()) as f64 * cut) as i64;
            let between = Timestamp::from_second(between).unwrap();
            if between < next {
                prop_assert_eq!(schedule.next(between), Some(next), "asked at {}", between);
            }
            at = next;
        }
    }

    #[test]
    fn the_latest_is_the_last_of_a_walk(
        (zone, start) in any_zone().prop_flat_map(|zone| (Just(zone), instant_near(zone))),
        cron in any_cron(),
        span in 0i64..200_000,
    ) {
        let schedule = Schedule::parse(&cron, zone).unwrap();
        let (after, upto) =
            (Timestamp::from_second(start).unwrap(), Timestamp::from_second(start + span).unwrap());
        let mut walked = None;
        let mut at = after;
        while let Some(next) = schedule.next(at).filter(|next| *next <= upto) {
            walked = Some(next);
            at = next;
        }
        prop_assert_eq!(schedule.latest_in(after, upto), walked);
    }

    #[test]
    fn never_panics(cron in "\\PC{0,30}|[0-9*,/ -]{0,30}", zone in "\\PC{0,20}", second in any::<i64>()) {
        let _ = Schedule::parse(&cron, &zone);
        if let (Ok(schedule), Ok(at)) = (Schedule::parse(&cron, "Europe/Berlin"), Timestamp::from_second(second % 200_000_000_000)) {
            let _ = schedule.next(at);
        }
    }
}
