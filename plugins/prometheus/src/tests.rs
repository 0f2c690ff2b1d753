//! The plugin under a scripted host.

use serde_json::{Value, json};
use sluice_sdk::testing::{Played, Reply, Script};
use sluice_sdk::{Error, Issue, Measurement, NetError, Release, Request, Role, Window};

use crate::{Settings, evaluate, validate};

const FROM: u64 = 1_795_737_600_000;
const WINDOW: Window = Window {
    from_unix_ms: FROM,
    to_unix_ms: FROM + 300_000,
};

/// A field of the form that was sent.
fn field(request: &Request, name: &str) -> Option<String> {
    let body = String::from_utf8(request.body.clone()).unwrap();
    let pair = body
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    let mut out = Vec::new();
    let mut bytes = pair.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    Some(String::from_utf8(out).unwrap())
}

fn query(request: &Request) -> String {
    field(request, "query").unwrap()
}

fn vector(values: &[&str]) -> Reply {
    let result: Vec<Value> = values
        .iter()
        .enumerate()
        .map(|(i, value)| json!({"metric": {"pod": format!("p{i}")}, "value": [1_795_737_900.0, value]}))
        .collect();
    success(json!({"resultType": "vector", "result": result}))
}

fn success(data: Value) -> Reply {
    Reply::json(200, &json!({"status": "success", "data": data}))
}

fn ask(settings: Value, answer: impl FnMut(&Request) -> Reply + 'static) -> Played<Measurement> {
    Script::new()
        .settings(settings)
        .answer_with(answer)
        .evaluate(evaluate, WINDOW)
}

fn ratio() -> Value {
    json!({
        "name": "errors",
        "events": "sum(increase(http_requests_total{namespace=\"{{namespace}}\", pod=~\"{{pod-selector}}\", code=~\"5..\"}[{{window}}]))",
        "total": "sum(increase(http_requests_total{namespace=\"{{namespace}}\", pod=~\"{{pod-selector}}\"}[{{window}}]))",
    })
}

fn value() -> Value {
    json!({"name": "p95", "value": "job:p95{ {{labels}} }", "labels": {"candidate": {"version": "new"}, "stable": {"version": "old"}}})
}

/// What one version's value is, and the whole summary.
fn only(played: &Played<Measurement>) -> (Option<f64>, String) {
    let measurement = played.answer();
    assert_eq!(measurement.series.len(), 1, "{measurement:?}");
    (measurement.series[0].value, measurement.summary.clone())
}

/// Asks about the candidate alone, and answers the same each time.
fn candidate(reply: Reply) -> Played<Measurement> {
    ask(
        json!({"name": "p95", "value": "p95", "stable": false}),
        move |_| reply.clone(),
    )
}

#[test]
fn a_ratio_is_counted_for_both_versions() {
    let played = ask(ratio(), |request| {
        let query = query(request);
        match (query.contains("canary"), query.contains("5..")) {
            (true, true) => vector(&["2.6"]),
            (true, false) => vector(&["1200.2"]),
            (false, true) => vector(&["0"]),
            (false, false) => vector(&["9000"]),
        }
    });
    let measurement = played.answer();
    assert_eq!(
        measurement.summary,
        "errors: candidate 3 of 1200; stable 0 of 9000"
    );
    let counts: Vec<(Role, u64, u64, Option<f64>)> = measurement
        .series
        .iter()
        .map(|s| (s.role, s.events, s.total, s.value))
        .collect();
    assert_eq!(
        counts,
        [
            (Role::Candidate, 3, 1200, None),
            (Role::Stable, 0, 9000, None)
        ]
    );
    let first = &played.requests[0];
    assert_eq!(
        query(first),
        "sum(increase(http_requests_total{namespace=\"shop\", pod=~\"storefront-canary-[a-z0-9]+-[a-z0-9]+-[a-z0-9]{5}\"}[300s]))"
    );
    assert_eq!(field(first, "time").unwrap(), "1795737900.000");
    assert_eq!(first.path, "/api/v1/query");
    assert_eq!(
        first.headers.last().unwrap().1,
        "Bearer ${secret:prometheus-token}"
    );
}

#[test]
fn the_agent_may_name_the_pods() {
    let played = Script::new()
        .settings(ratio())
        .attribute("candidate-pods", "a.b-1, c-2")
        .answer_with(|_| vector(&["1"]))
        .evaluate(evaluate, WINDOW);
    let asked = query(&played.requests[0]);
    assert!(asked.contains("pod=~\"(?:a\\\\.b-1|c-2)\""), "{asked}");
}

#[test]
fn where_the_agent_sees_no_pods_none_are_asked_about() {
    let played = Script::new()
        .settings(ratio())
        .attribute("candidate-pods", "a-1")
        .attribute("stable-pods", "")
        .answer_with(|_| vector(&["1"]))
        .evaluate(evaluate, WINDOW);
    let asked = query(played.requests.last().unwrap());
    assert!(asked.contains("pod=~\"_\""), "{asked}");
}

/// A share of nothing would be zero percent, which holds to every bound.
#[test]
fn without_a_value_there_is_no_count() {
    let mut settings = value();
    settings["total"] = json!("count");
    let played = ask(settings, |request| match query(request).as_str() {
        "count" => vector(&["70"]),
        _ => vector(&[]),
    });
    let series = &played.answer().series[0];
    assert_eq!((series.events, series.total, series.value), (0, 0, None));
}

#[test]
fn a_value_is_taken_as_it_is_and_versions_are_told_apart_by_labels() {
    let mut settings = value();
    settings["total"] = json!("count");
    let played = ask(settings, |request| match query(request).as_str() {
        "count" => vector(&["70"]),
        "job:p95{ version=\"new\" }" => vector(&["431.25"]),
        "job:p95{ version=\"old\" }" => vector(&["400"]),
        other => panic!("{other}"),
    });
    let measurement = played.answer();
    assert_eq!(measurement.summary, "p95: candidate 431.25; stable 400");
    assert_eq!(measurement.series[0].value, Some(431.25));
    assert_eq!(measurement.series[0].total, 70);
}

#[test]
fn a_first_release_has_no_stable_version_to_ask_about() {
    let workload = sluice_sdk::Workload {
        cluster: "test".into(),
        namespace: "shop".into(),
        kind: "Deployment".into(),
        name: "storefront".into(),
        uid: "1".into(),
    };
    let release = Release {
        id: "storefront-1".into(),
        workload,
        from_revision: None,
        to_revision: "sha256:b".into(),
        images: vec![],
        subject_digest: "sha256:c".into(),
    };
    let played = Script::new()
        .release(release)
        .settings(value())
        .answer_with(|_| vector(&["1"]))
        .evaluate(evaluate, WINDOW);
    assert_eq!(played.answer().series.len(), 1);
}

#[test]
fn no_data_is_never_a_number() {
    for (reply, words) in [
        (vector(&[]), "no data: no series matches"),
        (vector(&["NaN"]), "no data: the value is NaN"),
        (vector(&["+Inf"]), "no data: the value is inf"),
        (
            success(json!({"resultType": "scalar", "result": [1.0, "NaN"]})),
            "no data: the value is NaN",
        ),
    ] {
        let (came, summary) = only(&candidate(reply));
        assert_eq!(came, None);
        assert_eq!(summary, format!("p95: candidate {words}"));
    }
    let scalar = success(json!({"resultType": "scalar", "result": [1.0, "7"]}));
    assert_eq!(only(&candidate(scalar)).0, Some(7.0));
}

#[test]
fn an_error_series_that_is_missing_is_not_zero_errors() {
    let measure = |events: &'static [&'static str], total: &'static [&'static str]| {
        let mut settings = ratio();
        settings["stable"] = json!(false);
        ask(settings, move |request| {
            let is_events = query(request).contains("5..");
            vector(if is_events { events } else { total })
        })
    };
    let counts = |played: &Played<Measurement>| {
        let series = &played.answer().series[0];
        (series.events, series.total)
    };
    let missing = measure(&[], &["100"]);
    assert_eq!(counts(&missing), (0, 0));
    assert!(
        missing.answer().summary.contains("or vector(0)"),
        "{:?}",
        missing.answer()
    );
    assert_eq!(counts(&measure(&["3"], &[])), (0, 0));
    assert_eq!(counts(&measure(&["0"], &["0.2"])), (0, 0));
    // `increase` extrapolates: a little more than all is all, much more is another series.
    assert_eq!(counts(&measure(&["104"], &["100"])), (100, 100));
    for (events, total) in [
        (&["200"], &["100"]),
        (&["-3"], &["100"]),
        (&["1"], &["1e300"]),
    ] {
        let result = measure(events, total).result;
        assert!(matches!(result, Err(Error::InvalidConfig(_))), "{result:?}");
    }
}

#[test]
fn several_series_and_other_forms_are_refused_in_words() {
    let series = |result_type: &str, result: Value| {
        success(json!({"resultType": result_type, "result": result}))
    };
    for (reply, words) in [
        (
            vector(&["1", "2", "3"]),
            "3 series where one number is wanted, such as {\"pod\":\"p0\"} and {\"pod\":\"p1\"}: wrap it",
        ),
        (series("matrix", json!([])), "a range of points"),
        (series("string", json!([1.0, "x"])), "gives a text"),
        (
            series("vector", json!([{"metric": {}, "histogram": [1.0, {}]}])),
            "histogram_quantile",
        ),
    ] {
        match candidate(reply).result {
            Err(Error::InvalidConfig(text)) => assert!(text.contains(words), "{text}"),
            other => panic!("{words}: {other:?}"),
        }
    }
    let odd = candidate(series("vector", json!([{"value": [1.0, "seven"]}]))).result;
    assert!(matches!(odd, Err(Error::Unavailable(_))), "{odd:?}");
}

#[test]
fn a_partial_answer_is_an_outage_unless_the_settings_take_it() {
    let partial = || {
        let data = json!({"resultType": "vector", "result": [{"metric": {}, "value": [1.0, "5"]}]});
        Reply::json(
            200,
            &json!({"status": "success", "data": data, "warnings": ["store gateway down"], "infos": ["a note"]}),
        )
    };
    let played = candidate(partial());
    assert!(
        matches!(&played.result, Err(Error::Unavailable(text)) if text.contains("store gateway down"))
    );
    assert_eq!(played.log.len(), 1);
    let settings = json!({"value": "p95", "stable": false, "acceptWarnings": true});
    let taken = ask(settings, move |_| partial());
    assert_eq!(only(&taken).0, Some(5.0));
}

#[test]
fn every_refusal_says_whether_it_is_worth_another_try() {
    let error = |status: u16, kind: &str| {
        Reply::json(
            status,
            &json!({"status": "error", "errorType": kind, "error": "parse error: unexpected \"{\""}),
        )
    };
    let refused = |reply: Reply| candidate(reply).result.unwrap_err();
    for (reply, kind) in [
        (
            error(400, "bad_data"),
            "InvalidConfig(\"Prometheus refuses the query: parse error",
        ),
        (
            error(422, "execution"),
            "InvalidConfig(\"Prometheus refuses the query",
        ),
        (error(503, "timeout"), "Unavailable("),
        (error(500, "internal"), "Unavailable("),
        (Reply::status(401), "Denied("),
        (Reply::status(403), "Denied("),
        (Reply::text(404, "page not found"), "InvalidConfig("),
        (Reply::status(302), "InvalidConfig("),
        (
            Reply::status(429).header("retry-after", "3"),
            "RateLimited(3000)",
        ),
        (Reply::status(502), "Unavailable("),
        (
            Reply::text(200, "<html>sign in</html>"),
            "Unavailable(\"what answers does not speak",
        ),
        (Reply::text(200, "{").truncated(), "InvalidConfig("),
        (
            Reply::error(NetError::Connect("refused".into())),
            "Unavailable(",
        ),
        (Reply::error(NetError::NotGranted("path".into())), "Denied("),
    ] {
        let came = format!("{:?}", refused(reply));
        assert!(
            came.starts_with(&format!("Error::{kind}")),
            "{kind}: {came}"
        );
    }
}

#[test]
fn a_range_is_reduced_and_a_series_that_ended_is_stale() {
    let end = (FROM + 300_000) / 1_000;
    let points = |last: u64, values: &[&str]| {
        let from = last - 15 * (values.len() as u64 - 1);
        let points: Vec<Value> = values
            .iter()
            .enumerate()
            .map(|(i, v)| json!([from + 15 * i as u64, v]))
            .collect();
        success(json!({"resultType": "matrix", "result": [{"metric": {}, "values": points}]}))
    };
    let measure = |reduce: &str, reply: Reply| {
        let range = json!({"stepSeconds": 15, "reduce": reduce});
        let settings = json!({"value": "p95", "stable": false, "range": range});
        ask(settings, move |_| reply.clone())
    };
    let fresh = points(end, &["4", "NaN", "9", "2"]);
    for (reduce, number) in [("last", 2.0), ("max", 9.0), ("min", 2.0), ("mean", 5.0)] {
        let played = measure(reduce, fresh.clone());
        assert_eq!(only(&played).0, Some(number), "{reduce}");
        let request = &played.requests[0];
        assert_eq!(request.path, "/api/v1/query_range");
        assert_eq!(field(request, "start").unwrap(), "1795737600.000");
        assert_eq!(field(request, "step").unwrap(), "15");
    }
    assert_eq!(only(&measure("mean", points(end, &["NaN"]))).0, None);
    let (came, summary) = only(&measure("last", points(end - 60, &["4", "2"])));
    assert_eq!(came, None);
    assert_eq!(
        summary,
        "measured: candidate no data: stale: the series ended 60 s before the window did"
    );
    let empty = success(json!({"resultType": "matrix", "result": []}));
    assert_eq!(only(&measure("last", empty)).0, None);
}

#[test]
fn the_prefix_and_headers_of_other_servers_are_sent() {
    let settings = json!({"value": "up", "stable": false, "pathPrefix": "/prometheus", "headers": {"x-scope-orgid": "shop"}});
    let played = Script::new()
        .settings(settings)
        .attribute("secrets", "")
        .answer_with(|_| vector(&["1"]))
        .evaluate(evaluate, WINDOW);
    let request = &played.requests[0];
    assert_eq!(request.path, "/prometheus/api/v1/query");
    assert_eq!(
        request.headers.last().unwrap(),
        &("x-scope-orgid".to_owned(), "shop".to_owned())
    );
}

fn issues(settings: &Value) -> Vec<Issue> {
    sluice_sdk::settings::check::<Settings>(&settings.to_string(), validate)
}

#[test]
fn settings_are_refused_with_their_place() {
    for good in [
        ratio(),
        value(),
        json!({"value": "up", "range": {"stepSeconds": 15}, "pathPrefix": "/prometheus"}),
    ] {
        assert_eq!(issues(&good), []);
    }
    let cases = [
        (json!({}), ""),
        (json!({"events": "a"}), ""),
        (json!({"events": "a", "total": "b", "value": "c"}), ""),
        (json!({"value": " "}), "/value"),
        (json!({"value": "x".repeat(20_000)}), "/value"),
        (json!({"value": "up{a=\"{{nothing}}\"}"}), "/value"),
        (json!({"value": "up{{{labels}}}"}), "/value"),
        (json!({"value": "up{ {{labels}} }"}), "/value"),
        (
            json!({"value": "up", "labels": {"candidate": {"a-b": "c"}}}),
            "/labels/candidate/a-b",
        ),
        (
            json!({"events": "a", "total": "b", "range": {"stepSeconds": 5}}),
            "/range",
        ),
        (
            json!({"value": "up", "range": {"stepSeconds": 0}}),
            "/range/stepSeconds",
        ),
        (json!({"value": "up", "pathPrefix": "/a/"}), "/pathPrefix"),
        (
            json!({"value": "up", "headers": {"Authorization": "x"}}),
            "/headers/Authorization",
        ),
        (json!({"value": "up", "timeoutMs": 0}), "/timeoutMs"),
        (json!({"query": "up"}), "/query"),
    ];
    for (settings, place) in cases {
        let found = issues(&settings);
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert_eq!(found[0].pointer, place, "{settings}: {found:?}");
    }
}
