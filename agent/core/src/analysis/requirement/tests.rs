use proptest::prelude::*;
use regex::Regex;

use super::*;

fn read(text: &str) -> Result<String, String> {
    text.parse::<Requirement>()
        .map(|r| r.to_string())
        .map_err(|p| p.to_string())
}

#[test]
fn reads_what_people_write() {
    for (text, shown) in [
        ("< 0.1%", "< 0.1%"),
        ("<= 0.5 %", "<= 0.5%"),
        ("> 99.9%", "> 99.9%"),
        (">= 0.999", ">= 0.999"),
        ("< 1000", "< 1000"),
        ("<1", "< 1"),
        (">=  99.90%", ">= 99.9%"),
        ("< 007", "< 7"),
        ("< 999999999999.999999", "< 999999999999.999999"),
        ("< 0.000001%", "< 0.000001%"),
    ] {
        assert_eq!(read(text), Ok(shown.to_owned()), "{text}");
    }
}

#[test]
fn refuses_everything_else_and_says_what_to_write() {
    for text in [
        "",
        "0.1%",
        "<",
        "< %",
        "= 1",
        "== 1",
        "=< 1",
        "<> 1",
        "< -1",
        "< +1",
        "< 1e3",
        "< .5",
        "< 1.",
        "< 1,5",
        "< 0.1 % ",
        " < 1",
        "< 1 ",
        "< 1%%",
        "<\t1",
        "< 1000ms",
        "< ٣",
        "< NaN",
        "< inf",
        "< 1234567890123",
        "< 0.1234567",
        "< 1\n",
    ] {
        let error = read(text).unwrap_err();
        assert!(
            error.contains("< 0.1%") && error.contains("< 1000"),
            "{text:?}: {error}"
        );
    }
    assert!(read("under 1").unwrap_err().contains("`under 1`"));
}

#[test]
fn is_a_string_in_json() {
    let one: Requirement = serde_json::from_str("\"<0.10%\"").unwrap();
    assert_eq!(serde_json::to_string(&one).unwrap(), "\"< 0.1%\"");
    assert!(serde_json::from_str::<Requirement>("0.1").is_err());
    let message = serde_json::from_str::<Requirement>("\"low\"")
        .unwrap_err()
        .to_string();
    assert!(message.contains("`low` is no requirement"), "{message}");
}

/// Shares are compared as fractions of whole numbers: `1 / 1000.0 < 0.1 / 100.0` would be left to
/// the rounding of three divisions.
#[test]
fn shares_are_exact() {
    for (text, events, total, holds) in [
        ("< 0.1%", 0, 1, true),
        ("< 0.1%", 1, 1000, false),
        ("<= 0.1%", 1, 1000, true),
        ("< 0.1%", 999_999, 1_000_000_000, true),
        ("<= 0.1%", 1_000_001, 1_000_000_000, false),
        (">= 99.9%", 999, 1000, true),
        ("> 99.9%", 999, 1000, false),
        ("> 99.9%", 1000, 1000, true),
        (">= 99.9%", 998, 1000, false),
        ("<= 0.000001%", u64::MAX / 100_000_000, u64::MAX, true),
        ("< 0.000001%", u64::MAX / 100_000_000 + 1, u64::MAX, false),
        ("< 0.1%", 0, 0, false),
        ("> 99.9%", 0, 0, false),
        // A plain number is about the value, never about counts.
        ("< 1", 0, 1000, false),
        (">= 0.999", 1000, 1000, false),
    ] {
        let requirement: Requirement = text.parse().unwrap();
        assert_eq!(
            requirement.share_holds(events, total),
            holds,
            "{text}: {events} of {total}"
        );
    }
}

#[test]
fn values_hold_or_not_and_nan_never_does() {
    for (text, value, holds) in [
        ("< 1000", 999.9, true),
        ("< 1000", 1000.0, false),
        ("<= 1000", 1000.0, true),
        ("> 0.999", 0.9991, true),
        (">= 0.999", 0.999, true),
        ("< 0.3", 0.1 + 0.2, false),
        ("< 1000", -5.0, true),
        ("< 1000", f64::NAN, false),
        ("> 0", f64::NAN, false),
        // A percentage is about counts, never about the value.
        ("< 50%", 0.1, false),
    ] {
        let requirement: Requirement = text.parse().unwrap();
        assert_eq!(requirement.value_holds(value), holds, "{text}: {value}");
    }
}

#[test]
fn a_bound_that_excludes_nobody_or_everybody_is_told() {
    for (text, word) in [
        ("< 0%", "no candidate"),
        ("> 100%", "no candidate"),
        (">= 101%", "no candidate"),
        ("<= 100%", "every candidate"),
        ("< 100.5%", "every candidate"),
        (">= 0%", "every candidate"),
        (">= 0.0%", "every candidate"),
    ] {
        let problem = text
            .parse::<Requirement>()
            .unwrap()
            .emptiness()
            .expect(text);
        assert!(problem.message.contains(word), "{text}: {problem}");
    }
    for text in [
        "<= 0%", "> 0%", "< 100%", ">= 100%", "< 0", ">= 0", "> 100", "< 0.1%",
    ] {
        assert_eq!(
            text.parse::<Requirement>().unwrap().emptiness(),
            None,
            "{text}"
        );
    }
}

proptest! {
    /// What the API server lets through can be read, and nothing else is.
    #[test]
    fn reads_what_the_schema_takes(text in "[<>=]{1,2} {0,2}[0-9]{0,13}(\\.[0-9]{0,7})? ?%?|\\PC{0,12}") {
        let taken = Regex::new(PATTERN).unwrap().is_match(&text);
        prop_assert_eq!(text.parse::<Requirement>().is_ok(), taken, "{}", text);
    }

    #[test]
    fn prints_what_it_reads(text in "(<|<=|>|>=) [0-9]{1,12}(\\.[0-9]{1,6})?%?") {
        let one: Requirement = text.parse().unwrap();
        prop_assert_eq!(one.to_string().parse::<Requirement>().unwrap(), one);
    }
}
