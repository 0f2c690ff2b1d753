use serde_json::{Value, json};

use super::*;

fn spec(compare: Value) -> AnalysisSpec {
    serde_json::from_value(json!({"plugin": "prometheus", "compare": compare})).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn window(from: i64, to: i64) -> Window {
    Window {
        from: at(from),
        to: at(to),
    }
}

type Numbers = (u64, u64, Option<f64>);

fn measured(candidate: Option<Numbers>, stable: Option<Numbers>) -> Measurement {
    let series = |role, (events, total, value)| Series {
        role,
        events,
        total,
        value,
    };
    Measurement {
        series: candidate
            .map(|n| series(SeriesRole::Candidate, n))
            .into_iter()
            .chain(stable.map(|n| series(SeriesRole::Stable, n)))
            .collect(),
        summary: String::new(),
    }
}

/// Looks at the same numbers in so many windows of ten seconds.
fn looks(spec: &AnalysisSpec, candidate: Numbers, stable: Numbers, times: i64) -> Vec<Verdict> {
    let mut comparison = Comparison::default();
    let compare = spec.compare.as_ref().unwrap();
    let m = measured(Some(candidate), Some(stable));
    (0..times)
        .map(|k| comparison.look(spec, compare, &m, window(10 * k, 10 * (k + 1))))
        .collect()
}

/// When the candidate is called bad, counted from 1.
fn bad_at(spec: &AnalysisSpec, candidate: Numbers, stable: Numbers) -> Option<usize> {
    looks(spec, candidate, stable, 60)
        .iter()
        .position(|v| matches!(v, Verdict::Fail(_)))
        .map(|k| k + 1)
}

#[test]
fn a_candidate_is_bad_once_there_is_evidence() {
    for (compare, candidate, stable, bad) in [
        (json!({}), (20, 20, None), (0, 180, None), Some(1)),
        (json!({}), (1, 20, None), (9, 180, None), None),
        (json!({}), (0, 20, None), (9, 180, None), None),
        (json!({}), (2, 40, None), (3, 360, None), Some(5)),
        (json!({"margin": "5%"}), (2, 40, None), (3, 360, None), None),
        (
            json!({"worse": "less"}),
            (38, 40, None),
            (357, 360, None),
            Some(5),
        ),
        (
            json!({"worse": "less"}),
            (2, 40, None),
            (3, 360, None),
            None,
        ),
        (
            json!({"of": "value"}),
            (0, 0, Some(210.0)),
            (0, 0, Some(200.0)),
            Some(9),
        ),
        (
            json!({"of": "value", "alpha": "5%"}),
            (0, 0, Some(210.0)),
            (0, 0, Some(200.0)),
            Some(6),
        ),
        (
            json!({"of": "value", "margin": "5%"}),
            (0, 0, Some(210.0)),
            (0, 0, Some(200.0)),
            None,
        ),
        (
            json!({"of": "value", "worse": "less"}),
            (0, 0, Some(210.0)),
            (0, 0, Some(200.0)),
            None,
        ),
    ] {
        let found = bad_at(&spec(compare.clone()), candidate, stable);
        assert_eq!(found, bad, "{compare} {candidate:?} {stable:?}");
    }
}

#[test]
fn sentences_have_the_figures() {
    let bad = looks(
        &spec(json!({"margin": "0.5%"})),
        (20, 20, None),
        (1, 180, None),
        1,
    );
    assert_eq!(
        bad[0].sentence(),
        "candidate 20 of 20 (100%), stable 1 of 180 (0.556%): worse by more than 0.5 points; a good \
         candidate looks like that in at most 1% of rollouts"
    );
    let good = looks(&spec(json!({})), (1, 100, None), (9, 900, None), 1);
    assert_eq!(
        good[0].sentence(),
        "candidate 1 of 100 (1%), stable 9 of 900 (1%): not seen to be worse"
    );
    let fewer = looks(
        &spec(json!({"worse": "less", "margin": "1%"})),
        (99, 100, None),
        (891, 900, None),
        1,
    );
    assert_eq!(
        fewer[0].sentence(),
        "candidate 99 of 100 (99%), stable 891 of 900 (99%): not seen to be worse by more than 1 points"
    );
    let value = looks(
        &spec(json!({"of": "value", "margin": "10%"})),
        (0, 0, Some(300.0)),
        (0, 0, Some(200.0)),
        9,
    );
    assert_eq!(
        value[8].sentence(),
        "candidate 300, stable 200, the candidate worse in 9 of 9 windows: worse by more than 10%; \
         a good candidate looks like that in at most 1% of rollouts"
    );
}

#[test]
fn too_few_are_no_pass_but_may_be_a_failure() {
    let spec = spec(json!({}));
    let words: Vec<String> = looks(&spec, (0, 20, None), (0, 180, None), 3)
        .iter()
        .map(|v| format!("{:?}: {}", v.outcome(), v.sentence()))
        .collect();
    assert_eq!(
        words[0],
        "Inconclusive: too few for the candidate: 20 of 50"
    );
    assert_eq!(
        words[1],
        "Inconclusive: too few for the candidate: 40 of 50"
    );
    assert!(
        words[2].starts_with("Pass: candidate 0 of 60 (0%)"),
        "{}",
        words[2]
    );
    let few_stable = looks(&spec, (0, 500, None), (0, 30, None), 1);
    assert_eq!(
        few_stable[0].sentence(),
        "too few for the stable version: 30 of 50"
    );
    assert_eq!(bad_at(&spec, (20, 20, None), (0, 180, None)), Some(1));
}

#[test]
fn what_cannot_be_compared_is_no_pass() {
    for (compare, candidate, stable, words) in [
        (
            json!({}),
            None,
            Some((0, 900, None)),
            "no data about the candidate",
        ),
        (
            json!({}),
            Some((0, 100, None)),
            None,
            "no data about the stable version",
        ),
        (
            json!({}),
            Some((0, 100, None)),
            Some((0, 0, None)),
            "no data about the stable version",
        ),
        (
            json!({}),
            Some((0, 100, Some(2.0))),
            Some((0, 900, Some(2.0))),
            "a ratio of events is asked for",
        ),
        (
            json!({"of": "value"}),
            Some((0, 100, None)),
            Some((0, 900, Some(2.0))),
            "no data about the candidate",
        ),
        (
            json!({"of": "value"}),
            Some((0, 100, Some(2.0))),
            Some((0, 900, None)),
            "no data about the stable version",
        ),
        (
            json!({"of": "value"}),
            Some((0, 100, Some(2.0))),
            Some((0, 9, Some(2.0))),
            "too few for the stable version",
        ),
        (
            json!({"of": "value"}),
            Some((0, 100, Some(f64::NAN))),
            Some((0, 900, Some(2.0))),
            "no number",
        ),
        (
            json!({"of": "value"}),
            Some((3, 100, None)),
            Some((4, 900, None)),
            "a value is asked for",
        ),
    ] {
        let spec = spec(compare.clone());
        let mut comparison = Comparison::default();
        let verdict = comparison.look(
            &spec,
            spec.compare.as_ref().unwrap(),
            &measured(candidate, stable),
            window(0, 10),
        );
        assert!(
            matches!(&verdict, Verdict::Inconclusive(why) if why.contains(words)),
            "{compare} {candidate:?} {stable:?}: {verdict:?}"
        );
        assert!(comparison.is_empty(), "nothing was taken in");
    }
}

/// A window of a minute every ten seconds counts each request six times; the test counts it once.
#[test]
fn overlapping_windows_are_counted_once() {
    let spec = spec(json!({}));
    let compare = spec.compare.as_ref().unwrap();
    let m = measured(Some((2, 40, None)), Some((3, 360, None)));
    let mut comparison = Comparison::default();
    for k in 0..19 {
        let verdict = comparison.look(&spec, compare, &m, window(10 * k, 10 * k + 60));
        assert!(!matches!(verdict, Verdict::Fail(_)), "{k}: {verdict:?}");
    }
    // At 0, 60, 120 and 180 seconds.
    assert_eq!(
        comparison.counts.candidate,
        Counts {
            events: 8,
            total: 160
        }
    );
    assert_eq!(comparison.until, Some(at(240)));
    // In windows that do not overlap, as many looks are enough.
    let found = bad_at(&spec, (2, 40, None), (3, 360, None));
    assert!(found.is_some_and(|k| k <= 19), "{found:?}");
    // Values likewise.
    let spec = self::spec(json!({"of": "value"}));
    let compare = spec.compare.as_ref().unwrap();
    let m = measured(Some((0, 0, Some(2.0))), Some((0, 0, Some(1.0))));
    let mut comparison = Comparison::default();
    for k in 0..19 {
        comparison.look(&spec, compare, &m, window(10 * k, 10 * k + 60));
    }
    assert_eq!(comparison.signs.windows, 4);
}
