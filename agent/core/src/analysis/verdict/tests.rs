use serde_json::json;

use super::*;

fn spec(require: &str, minimum: Option<u32>) -> AnalysisSpec {
    serde_json::from_value(json!({
        "plugin": "prometheus", "name": "errors", "require": require, "minimum": minimum,
    }))
    .unwrap()
}

fn candidate(events: u64, total: u64, value: Option<f64>) -> Series {
    Series {
        role: SeriesRole::Candidate,
        events,
        total,
        value,
    }
}

fn measured(series: Vec<Series>) -> Measurement {
    Measurement {
        series,
        summary: String::new(),
    }
}

/// The verdict as one word and its sentence.
fn judge(require: &str, minimum: Option<u32>, series: Vec<Series>) -> String {
    let spec = spec(require, minimum);
    match required(&spec, spec.require.unwrap(), &measured(series)) {
        Verdict::Pass(text) => format!("pass: {text}"),
        Verdict::Fail(text) => format!("fail: {text}"),
        Verdict::Inconclusive(text) => format!("inconclusive: {text}"),
    }
}

#[test]
fn ratios() {
    for (require, minimum, (events, total), expected) in [
        (
            "< 0.1%",
            None,
            (0, 431),
            "pass: 0 of 431 (0%), required < 0.1%",
        ),
        (
            "< 0.1%",
            None,
            (9, 431),
            "fail: 9 of 431 (2.09%), required < 0.1%",
        ),
        (
            "< 0.1%",
            None,
            (1, 1_000),
            "fail: 1 of 1000 (0.1%), required < 0.1%",
        ),
        (
            "> 99.9%",
            None,
            (4_999, 5_000),
            "pass: 4999 of 5000 (99.98%), required > 99.9%",
        ),
        (
            "> 99.9%",
            None,
            (990, 1_000),
            "fail: 990 of 1000 (99%), required > 99.9%",
        ),
        (
            "< 0.1%",
            None,
            (0, 12),
            "inconclusive: too few for the candidate: 12 of 50",
        ),
        (
            "< 0.1%",
            None,
            (12, 12),
            "inconclusive: too few for the candidate: 12 of 50",
        ),
        (
            "< 0.1%",
            None,
            (0, 49),
            "inconclusive: too few for the candidate: 49 of 50",
        ),
        (
            "< 0.1%",
            None,
            (0, 50),
            "pass: 0 of 50 (0%), required < 0.1%",
        ),
        (
            "< 0.1%",
            Some(1),
            (0, 1),
            "pass: 0 of 1 (0%), required < 0.1%",
        ),
        (
            "< 0.1%",
            Some(500),
            (0, 431),
            "inconclusive: too few for the candidate: 431 of 500",
        ),
        (
            "< 0.1%",
            Some(1),
            (0, 0),
            "inconclusive: no data about the candidate",
        ),
    ] {
        let said = judge(require, minimum, vec![candidate(events, total, None)]);
        assert_eq!(said, expected);
    }
}

#[test]
fn values() {
    for (require, minimum, (total, value), expected) in [
        (
            "< 1000",
            None,
            (0, Some(431.26)),
            "pass: 431.3, required < 1000",
        ),
        (
            "< 1000",
            None,
            (0, Some(1_000.0)),
            "fail: 1000, required < 1000",
        ),
        (
            "< 0.5",
            None,
            (80, Some(0.25)),
            "pass: 0.25, required < 0.5",
        ),
        (
            "< 0.5",
            None,
            (12, Some(0.25)),
            "inconclusive: too few for the candidate: 12 of 50",
        ),
        (
            "< 0.5",
            None,
            (12, Some(9.0)),
            "inconclusive: too few for the candidate: 12 of 50",
        ),
        // Counted requests without a value are no ratio of zero.
        (
            "< 0.5",
            None,
            (431, None),
            "inconclusive: no data about the candidate",
        ),
        (
            "< 0.5",
            None,
            (0, None),
            "inconclusive: no data about the candidate",
        ),
        (
            "< 0.5",
            Some(5),
            (0, Some(0.25)),
            "inconclusive: the value comes without a count, and minimum asks for 5",
        ),
    ] {
        assert_eq!(
            judge(require, minimum, vec![candidate(0, total, value)]),
            expected
        );
    }
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for require in ["< 1000", "> 1", "< 50%"] {
            let said = judge(require, None, vec![candidate(0, 100, Some(odd))]);
            assert_eq!(
                said,
                "inconclusive: the value of the candidate is no number"
            );
        }
    }
}

/// What was asked for and what came are not of a kind: never a pass, and the way out is told.
#[test]
fn a_value_is_no_ratio_and_counts_are_no_value() {
    for (require, series) in [
        ("< 2%", candidate(0, 1_000, Some(0.1))),
        ("< 2%", candidate(0, 0, Some(0.1))),
        ("< 2", candidate(3, 1_000, None)),
    ] {
        let said = judge(require, None, vec![series]);
        assert!(
            said.starts_with("inconclusive:") && said.contains("write the requirement"),
            "{said}"
        );
    }
}

#[test]
fn measurements_that_cannot_be_judged() {
    let stable = Series {
        role: SeriesRole::Stable,
        ..candidate(0, 1_000, None)
    };
    for (series, expected) in [
        (vec![], "no data about the candidate"),
        (vec![stable.clone()], "no data about the candidate"),
        (
            vec![candidate(0, 100, None), candidate(90, 100, None)],
            "the provider answered twice about the candidate",
        ),
        (
            vec![candidate(101, 100, None)],
            "the provider counted 101 events of only 100 for the candidate",
        ),
    ] {
        assert_eq!(
            judge("< 0.1%", None, series),
            format!("inconclusive: {expected}")
        );
    }
    // The stable version's numbers are no matter of a requirement.
    let said = judge(
        "< 0.1%",
        None,
        vec![candidate(0, 100, None), stable.clone(), stable],
    );
    assert!(said.starts_with("pass"), "{said}");
}

#[test]
fn the_provider_is_quoted_on_one_line() {
    let spec = spec("< 0.1%", None);
    let measurement = Measurement {
        series: Vec::new(),
        summary: "no series\nfor x\u{1b}[2J".into(),
    };
    let verdict = required(&spec, spec.require.unwrap(), &measurement);
    assert_eq!(
        verdict.sentence(),
        "no data about the candidate; the provider said `no series for x [2J`"
    );
}

#[test]
fn the_worse_of_two_counts() {
    let all = |n: u8| match n {
        0 => Verdict::Pass("p".to_owned()),
        1 => Verdict::Inconclusive("i".to_owned()),
        _ => Verdict::Fail("f".to_owned()),
    };
    for a in 0..3 {
        for b in 0..3 {
            let both = all(a).and(all(b));
            assert_eq!(both.outcome(), all(a.max(b)).outcome(), "{a} {b}");
        }
    }
    assert_eq!(all(2).and(all(2)).sentence(), "f; f");
    assert_eq!(
        all(1).and(all(1)).sentence(),
        "i",
        "the same doubt is told once"
    );
    assert_eq!(all(0).and(all(1)).sentence(), "i");
}

#[test]
fn numbers_are_short() {
    for (value, text) in [
        (0.0, "0"),
        (-0.0, "0"),
        (2.088_167, "2.09"),
        (0.1, "0.1"),
        (0.555_555, "0.556"),
        (0.004_2, "0.0042"),
        (0.000_001, "1.00e-6"),
        (431.26, "431.3"),
        (1_000.0, "1000"),
        (-12.5, "-12.5"),
        (0.1 + 0.2, "0.3"),
        (1e300, "1.00e300"),
        (99.999_9, "100"),
    ] {
        assert_eq!(shown(value), text, "{value}");
    }
}
