use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Zoned};
use proptest::prelude::*;

use super::*;

fn ts(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn allow(text: &str, zone: &str) -> WindowRule {
    WindowRule::Allow {
        allow: text.to_owned(),
        time_zone: zone.to_owned(),
    }
}

fn freeze(text: &str, zone: Option<&str>, reason: &str) -> WindowRule {
    WindowRule::Freeze {
        freeze: text.to_owned(),
        time_zone: zone.map(str::to_owned),
        reason: reason.to_owned(),
    }
}

fn windows(rules: &[WindowRule]) -> Windows {
    Windows::compile(rules.to_vec()).unwrap()
}

/// Open or closed, and when it changes.
fn verdict(windows: &Windows, at: &str) -> (bool, Option<String>) {
    let verdict = windows.evaluate(ts(at));
    (verdict.open, verdict.changes_at.map(|at| at.to_string()))
}

fn changes(open: bool, at: &str) -> (bool, Option<String>) {
    (open, Some(at.to_owned()))
}

#[test]
fn no_rule_is_open_for_ever() {
    assert_eq!(
        verdict(&Windows::default(), "2026-11-21T12:00:00Z"),
        (true, None)
    );
    assert_eq!(
        Windows::default()
            .evaluate(ts("2026-11-21T12:00:00Z"))
            .reason,
        WindowReason::Unrestricted
    );
}

#[test]
fn office_hours() {
    let windows = windows(&[allow("MON-THU 09:00-17:00", "Europe/Berlin")]);
    // Saturday: the next opening is Monday at 09:00 CET.
    assert_eq!(
        verdict(&windows, "2026-11-21T12:00:00Z"),
        changes(false, "2026-11-23T08:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-11-23T07:59:59Z"),
        changes(false, "2026-11-23T08:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-11-23T08:00:00Z"),
        changes(true, "2026-11-23T16:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-11-23T16:00:00Z"),
        changes(false, "2026-11-24T08:00:00Z")
    );
    // Summer time.
    assert_eq!(
        verdict(&windows, "2026-07-06T06:30:00Z"),
        changes(false, "2026-07-06T07:00:00Z")
    );
    let reason = windows.evaluate(ts("2026-11-23T12:00:00Z")).reason;
    assert_eq!(
        reason.to_string(),
        "inside the window MON-THU 09:00-17:00 Europe/Berlin"
    );
    let reason = windows.evaluate(ts("2026-11-21T12:00:00Z")).reason;
    assert_eq!(
        reason.to_string(),
        "outside the windows MON-THU 09:00-17:00 Europe/Berlin"
    );
}

#[test]
fn several_windows_are_a_union() {
    let windows = windows(&[
        allow("MON-FRI 09:00-12:00", "UTC"),
        allow("MON-FRI 12:00-17:00", "UTC"),
        allow("SUN 23:00-24:00", "UTC"),
    ]);
    assert_eq!(
        verdict(&windows, "2026-11-23T10:00:00Z"),
        changes(true, "2026-11-23T17:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-11-22T12:00:00Z"),
        changes(false, "2026-11-22T23:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-11-22T23:30:00Z"),
        changes(true, "2026-11-23T00:00:00Z")
    );
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    let windows = windows(&[allow("FRI,SUN 22:00-06:00", "UTC")]);
    assert_eq!(
        verdict(&windows, "2026-11-20T21:00:00Z"),
        changes(false, "2026-11-20T22:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-11-21T03:00:00Z"),
        changes(true, "2026-11-21T06:00:00Z")
    );
    // Sunday night runs over the end of the week.
    assert_eq!(
        verdict(&windows, "2026-11-22T23:30:00Z"),
        changes(true, "2026-11-23T06:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-11-23T05:59:00Z"),
        changes(true, "2026-11-23T06:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-11-23T22:30:00Z"),
        changes(false, "2026-11-27T22:00:00Z")
    );
}

#[test]
fn weekdays_wrap_around() {
    let windows = windows(&[allow("SAT-MON 00:00-24:00", "UTC")]);
    assert_eq!(
        verdict(&windows, "2026-11-20T12:00:00Z"),
        changes(false, "2026-11-21T00:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-11-22T12:00:00Z"),
        changes(true, "2026-11-24T00:00:00Z")
    );
}

#[test]
fn all_week_never_changes() {
    let one = windows(&[allow("* 00:00-24:00", "Europe/Berlin")]);
    assert_eq!(verdict(&one, "2026-11-21T12:00:00Z"), (true, None));
    // Two zones that cover the week together.
    let two = windows(&[
        allow("* 00:00-12:00", "UTC"),
        allow("* 12:00-24:00", "Etc/GMT"),
    ]);
    assert_eq!(verdict(&two, "2026-11-21T12:00:00Z"), (true, None));
    // London leaves a hole of an hour in summer.
    let hole = windows(&[
        allow("* 00:00-12:00", "UTC"),
        allow("* 12:00-24:00", "Europe/London"),
    ]);
    assert_eq!(
        verdict(&hole, "2026-11-21T12:00:00Z"),
        changes(true, "2027-03-28T23:00:00Z")
    );
}

#[test]
fn a_freeze_beats_a_window() {
    let windows = windows(&[
        allow("MON-THU 09:00-17:00", "Europe/Berlin"),
        freeze(
            "2026-12-20T00:00/2027-01-04T00:00",
            Some("Europe/Berlin"),
            "year end",
        ),
    ]);
    // Thursday 17 December, 17:00: the next opening is after the freeze, on Monday 4 January.
    assert_eq!(
        verdict(&windows, "2026-12-17T16:00:00Z"),
        changes(false, "2027-01-04T08:00:00Z")
    );
    let verdict = windows.evaluate(ts("2026-12-21T10:00:00Z"));
    assert!(!verdict.open);
    assert_eq!(
        verdict.reason.to_string(),
        "frozen until 2027-01-03T23:00:00Z: year end"
    );
    assert_eq!(verdict.changes_at, Some(ts("2027-01-04T08:00:00Z")));
}

#[test]
fn a_freeze_starts_inside_a_window() {
    let windows = windows(&[
        allow("* 00:00-24:00", "UTC"),
        freeze("2030-01-01T00:00/2030-01-02T00:00", None, "audit"),
        freeze("2030-01-01T12:00/2030-01-03T00:00", None, "audit goes on"),
    ]);
    // Years ahead: freezes are found at any distance. Overlapping ones are one closed time.
    assert_eq!(
        verdict(&windows, "2026-11-21T12:00:00Z"),
        changes(true, "2030-01-01T00:00:00Z")
    );
    assert_eq!(
        verdict(&windows, "2030-01-01T00:00:00Z"),
        changes(false, "2030-01-03T00:00:00Z")
    );
    assert_eq!(verdict(&windows, "2030-01-03T00:00:00Z"), (true, None));
    let reason = windows.evaluate(ts("2030-01-01T18:00:00Z")).reason;
    assert!(
        reason.to_string().contains("audit goes on"),
        "the longest: {reason}"
    );
}

#[test]
fn the_opening_after_a_freeze_of_years_is_found() {
    let windows = windows(&[
        allow("MON 09:00-17:00", "UTC"),
        freeze("2027-01-01T00:00/2030-01-01T00:00", None, "merger"),
    ]);
    assert_eq!(
        verdict(&windows, "2027-06-01T00:00:00Z"),
        changes(false, "2030-01-07T09:00:00Z")
    );
}

#[test]
fn daylight_saving_goes_by_the_wall() {
    // 02:00 to 03:00 does not exist on 2026-03-29 in Berlin.
    let windows = windows(&[allow("SUN 02:15-02:45", "Europe/Berlin")]);
    assert_eq!(
        verdict(&windows, "2026-03-28T12:00:00Z"),
        changes(false, "2026-04-05T00:15:00Z")
    );
    // On 2026-10-25 it exists twice: two openings of half an hour.
    assert_eq!(
        verdict(&windows, "2026-10-25T00:00:00Z"),
        changes(false, "2026-10-25T00:15:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-10-25T00:15:00Z"),
        changes(true, "2026-10-25T00:45:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-10-25T00:45:00Z"),
        changes(false, "2026-10-25T01:15:00Z")
    );
    assert_eq!(
        verdict(&windows, "2026-10-25T01:15:00Z"),
        changes(true, "2026-10-25T01:45:00Z")
    );
}

#[test]
fn freezes_are_as_wide_as_the_wall_clock_allows() {
    let span = |text: &str| {
        let windows = windows(&[freeze(text, Some("Europe/Berlin"), "x")]);
        let start = windows
            .evaluate(ts("2026-01-01T00:00:00Z"))
            .changes_at
            .unwrap();
        let end = windows.evaluate(start).changes_at.unwrap();
        (start.to_string(), end.to_string())
    };
    // Both ends in the fold: the first 02:30 to the second 02:30.
    assert_eq!(
        span("2026-10-25T02:30/2026-10-25T02:30:01"),
        (
            "2026-10-25T00:30:00Z".to_owned(),
            "2026-10-25T01:30:01Z".to_owned()
        )
    );
    // A start in the gap is the jump.
    assert_eq!(
        span("2026-03-29T02:30/2026-03-29T03:30"),
        (
            "2026-03-29T01:00:00Z".to_owned(),
            "2026-03-29T01:30:00Z".to_owned()
        )
    );
}

#[test]
fn refuses_all_mistakes_at_once() {
    let problems = Windows::compile(vec![
        allow("MON-THU 9-17", "Europe/Berlin"),
        allow("MON-THU 09:00-17:00", "Berlin"),
        freeze("2026-12-20/2027-01-04", None, "year end"),
        allow("MON 09:00-17:00", "UTC"),
        freeze("2027-01-04T00:00/2026-12-20T00:00", None, "year end"),
        freeze("2026-12-20T00:00/2027-01-04T00:00", Some("X"), "year end"),
        freeze("2026-12-20T00:00/2027-01-04T00:00", None, " "),
        allow("MONDAY 09:00-17:00", "UTC"),
        allow("MON 09:00-09:00", "UTC"),
        allow("MON 09:00-24:01", "UTC"),
        allow("MON 24:00-25:00", "UTC"),
        allow("09:00-17:00", "UTC"),
        freeze("2026-12-20T00:00Z/2027-01-04T00:00Z", None, "year end"),
        freeze("2026-02-30T00:00/2026-03-04T00:00", None, "year end"),
    ])
    .unwrap_err();
    let fields: Vec<&str> = problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "[0].allow",
            "[1].timeZone",
            "[2].freeze",
            "[4].freeze",
            "[5].timeZone",
            "[6].reason",
            "[7].allow",
            "[8].allow",
            "[9].allow",
            "[10].allow",
            "[11].allow",
            "[12].freeze",
            "[13].freeze",
        ]
    );
    assert!(Windows::compile(vec![allow("MON 09:00-17:00", "UTC"); RULE_LIMIT + 1]).is_err());
}

#[test]
fn reads_from_json_as_written() {
    let json = serde_json::json!([
        {"allow": "MON-THU 09:00-17:00", "timeZone": "Europe/Berlin"},
        {"freeze": "2026-12-20T00:00/2027-01-04T00:00", "reason": "year end"},
    ]);
    let windows: Windows = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&windows).unwrap(), json);
    let unknown = serde_json::json!([{"allow": "* 00:00-24:00", "timeZone": "UTC", "x": 1}]);
    assert!(serde_json::from_value::<Windows>(unknown).is_err());
}

/// The rules once more, written the slow and plain way: reliability.md P11.
fn reference_open(
    rules: &[(Vec<i8>, i64, i64, &TimeZone)],
    freezes: &[(i64, i64)],
    at: Timestamp,
) -> bool {
    if freezes
        .iter()
        .any(|(start, end)| (*start..*end).contains(&at.as_second()))
    {
        return false;
    }
    rules.is_empty()
        || rules.iter().any(|(days, start, end, zone)| {
            let wall: Zoned = at.to_zoned((*zone).clone());
            let minute = i64::from(wall.hour()) * 60 + i64::from(wall.minute());
            let today = wall.weekday().to_monday_zero_offset();
            let yesterday = Weekday::from_monday_zero_offset((today + 6) % 7)
                .unwrap()
                .to_monday_zero_offset();
            if start < end {
                days.contains(&today) && (*start..*end).contains(&minute)
            } else {
                (days.contains(&today) && minute >= *start)
                    || (days.contains(&yesterday) && minute < *end)
            }
        })
}

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

/// One allow rule: weekdays, start and end minute, zone.
fn any_rule() -> impl Strategy<Value = (Vec<i8>, i64, i64, &'static str)> {
    (
        prop::collection::btree_set(0i8..7, 1..=7),
        (0i64..96, 1i64..=96).prop_filter("empty", |(start, end)| start != end),
        prop::sample::select(&ZONES[..]),
    )
        .prop_map(|(days, (start, end), zone)| {
            (days.into_iter().collect(), start * 15, end * 15, zone)
        })
}

fn written(days: &[i8], start: i64, end: i64, zone: &str) -> WindowRule {
    let names = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
    let days: Vec<&str> = days
        .iter()
        .map(|day| names[usize::try_from(*day).unwrap()])
        .collect();
    let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
    allow(
        &format!("{} {}-{}", days.join(","), clock(start), clock(end)),
        zone,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    /// Minute by minute over a transition of one of the zones, against the reference; and the
    /// announced change is where the reference changes.
    #[test]
    fn equal_to_the_reference_minute_by_minute(
        rules in prop::collection::vec(any_rule(), 0..4),
        freezes in prop::collection::vec((0i64..8 * 1440, 1i64..3000), 0..3),
        base in 1_200_000_000i64..1_900_000_000,
        zone in prop::sample::select(&ZONES[..]),
    ) {
        let zone = zone::find(zone).unwrap();
        let start = zone::next_transition(&zone, base).unwrap_or(base) / 60 * 60 - 2 * 86_400;
        let spans: Vec<(i64, i64)> =
            freezes.iter().map(|(from, length)| (start + from * 60, start + (from + length) * 60)).collect();
        let mut list: Vec<WindowRule> = rules.iter().map(|(d, s, e, z)| written(d, *s, *e, z)).collect();
        for (from, to) in &spans {
            let civil = |second: i64| Timestamp::from_second(second).unwrap().to_string()[..19].to_owned();
            list.push(freeze(&format!("{}/{}", civil(*from), civil(*to)), None, "x"));
        }
        let windows = windows(&list);
        let zones: Vec<TimeZone> = rules.iter().map(|rule| zone::find(rule.3).unwrap()).collect();
        let plain: Vec<_> = rules.iter().zip(&zones).map(|((d, s, e, _), z)| (d.clone(), *s, *e, z)).collect();

        let mut announced: Option<Timestamp> = None;
        let mut was: Option<bool> = None;
        for minute in 0..9 * 1440 {
            let at = Timestamp::from_second(start + minute * 60).unwrap();
            let expected = reference_open(&plain, &spans, at);
            if was != Some(expected) {
                // Here the reference changes: exactly where it was announced.
                if was.is_some() {
                    prop_assert_eq!(announced, Some(at));
                }
                let verdict = windows.evaluate(at);
                prop_assert_eq!(verdict.open, expected, "{}", at);
                prop_assert!(verdict.changes_at.is_none_or(|change| change > at));
                announced = verdict.changes_at;
                was = Some(expected);
            } else {
                prop_assert_eq!(windows.is_open(at.as_second()), expected, "{}", at);
                if minute % 97 == 0 {
                    // Asked in between, as after a restart: the same announcement.
                    let between = at + SignedDuration::from_millis(59_999);
                    prop_assert_eq!(windows.evaluate(between).changes_at, announced, "{}", at);
                }
            }
        }
    }

    #[test]
    fn never_panics(text in "\\PC{0,30}|[A-Z0-9:*/T -]{0,40}", second in -300_000_000_000i64..250_000_000_000) {
        let at = Timestamp::from_second(second).unwrap();
        for rule in [allow(&text, "Europe/Berlin"), freeze(&text, None, "x"), allow("MON 09:00-10:00", "Asia/Kolkata")] {
            if let Ok(windows) = Windows::compile(vec![rule]) {
                let _ = windows.evaluate(at);
            }
        }
    }
}
