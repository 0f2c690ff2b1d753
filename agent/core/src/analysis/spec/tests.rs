use serde_json::json;

use super::*;

fn spec(value: Value) -> AnalysisSpec {
    let mut all = json!({"plugin": "prometheus"});
    all.as_object_mut()
        .unwrap()
        .extend(value.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

/// Each problem as one line.
fn problems(value: Value) -> Vec<String> {
    spec(value)
        .problems("spec.environments[0].analysis[1]")
        .iter()
        .map(|p| {
            let line = p.to_string();
            line.strip_prefix("spec.environments[0].analysis[1]")
                .expect("the place")
                .to_owned()
        })
        .collect()
}

#[test]
fn what_is_left_out_has_a_default() {
    let one = spec(json!({"require": "< 0.1%", "compare": {}}));
    assert_eq!(one.label(), "prometheus");
    assert_eq!(one.every, HumanDuration::from_secs(10));
    assert_eq!(one.window(), one.every);
    assert_eq!((one.count, one.failures, one.inconclusive), (1, 0, 3));
    assert_eq!(one.least(), 50);
    let compare = one.compare.as_ref().unwrap();
    assert_eq!(
        (compare.margin, compare.alpha),
        (Percent::ZERO, Percent::ONE)
    );
    assert_eq!(one.problems(""), []);
    let named = spec(json!({"name": "errors", "window": "1m", "compare": {"margin": "0.5%"}}));
    assert_eq!(named.label(), "errors");
    assert_eq!(named.window(), HumanDuration::from_mins(1));
    assert_eq!(named.problems(""), []);
    // What was left out is not written down either, and reads back the same.
    let again = serde_json::to_value(&named).unwrap();
    assert_eq!(again["minimum"], Value::Null);
    assert_eq!(
        serde_json::from_value::<AnalysisSpec>(again).unwrap(),
        named
    );
}

#[test]
fn the_comparison_follows_the_requirement() {
    for (value, compared, more_is_worse) in [
        (json!({"compare": {}}), Compared::Ratio, true),
        (
            json!({"require": "< 0.1%", "compare": {}}),
            Compared::Ratio,
            true,
        ),
        (
            json!({"require": "> 99.9%", "compare": {}}),
            Compared::Ratio,
            false,
        ),
        (
            json!({"require": "< 1000", "compare": {}}),
            Compared::Value,
            true,
        ),
        (
            json!({"require": ">= 100", "compare": {}}),
            Compared::Value,
            false,
        ),
        (json!({"compare": {"of": "value"}}), Compared::Value, true),
        (
            json!({"compare": {"of": "value", "worse": "less"}}),
            Compared::Value,
            false,
        ),
        (
            json!({"require": "> 99.9%", "compare": {"worse": "more"}}),
            Compared::Ratio,
            true,
        ),
        (
            json!({"require": "< 1000", "compare": {"of": "ratio"}}),
            Compared::Ratio,
            true,
        ),
    ] {
        let one = spec(value.clone());
        let compare = one.compare.as_ref().unwrap();
        assert_eq!(one.compared(compare), compared, "{value}");
        assert_eq!(one.more_is_worse(compare), more_is_worse, "{value}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let found = problems(json!({
        "every": "500ms", "window": "2h", "count": 0, "failures": 5000, "inconclusive": 5000,
        "minimum": 0, "require": "> 100%", "compare": {"margin": "100%", "alpha": "0%"},
    }));
    for (line, field) in found.iter().zip([
        ".every:",
        ".window:",
        ".count:",
        ".failures:",
        ".inconclusive:",
        ".minimum:",
        ".require:",
        ".compare.margin:",
        ".compare.alpha:",
    ]) {
        assert!(line.starts_with(field), "{line} is not about {field}");
        assert!(line.contains("; "), "no hint: {line}");
    }
    assert_eq!(found.len(), 9, "{found:#?}");
}

#[test]
fn single_problems() {
    for (value, expected) in [
        (json!({}), Some("nothing is required")),
        (json!({"require": "< 1"}), None),
        (
            json!({"require": "< 1", "every": "1s", "window": "1h"}),
            None,
        ),
        (
            json!({"require": "< 1", "every": "1h1s"}),
            Some("not between 1s and 1h"),
        ),
        (
            json!({"require": "< 1", "count": 1000, "failures": 1000}),
            None,
        ),
        (json!({"require": "< 1", "count": 1001}), Some("1001")),
        (json!({"require": "< 1", "minimum": 1}), None),
        (
            json!({"require": "< 1", "minimum": 1_000_000_001}),
            Some("minimum"),
        ),
        (json!({"compare": {"margin": "99.9%"}}), None),
        (
            json!({"compare": {"margin": "200%"}}),
            Some("with so much room"),
        ),
        (json!({"compare": {"margin": "200%", "of": "value"}}), None),
        (
            json!({"compare": {"margin": "1000.1%", "of": "value"}}),
            Some("too much"),
        ),
        (json!({"compare": {"alpha": "20%"}}), None),
        (
            json!({"compare": {"alpha": "20.000001%"}}),
            Some("at most 20%"),
        ),
        (json!({"compare": {"alpha": "0.000001%"}}), None),
    ] {
        let found = problems(value.clone());
        match expected {
            None => assert_eq!(found, Vec::<String>::new(), "{value}"),
            Some(words) => {
                assert_eq!(found.len(), 1, "{value}: {found:?}");
                assert!(found[0].contains(words), "{value}: {found:?}");
            }
        }
    }
}

#[test]
fn what_is_no_analysis_is_not_read() {
    for value in [
        json!({"require": "< 1"}),
        json!({"plugin": "p", "require": "under 1"}),
        json!({"plugin": "p", "require": 1}),
        json!({"plugin": "p", "compare": {"margin": 0.5}}),
        json!({"plugin": "p", "compare": {"margin": "-1%"}}),
        json!({"plugin": "p", "compare": {"margin": "1"}}),
        json!({"plugin": "p", "compare": {"of": "count"}}),
        json!({"plugin": "p", "every": "soon"}),
        json!({"plugin": "p", "minimum": -1}),
    ] {
        assert!(
            serde_json::from_value::<AnalysisSpec>(value.clone()).is_err(),
            "{value}"
        );
    }
}
