//! The plugin under a scripted host.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_sdk::testing::{Played, Reply, Script};
use sluice_sdk::{Issue, NetError, Outcome, Report};

use crate::{Settings, run, validate};

/// Answers by target and path; anything else is 404.
fn play(services: &Value, answers: &[(&str, &str, Reply)]) -> Played<Report> {
    let answers: BTreeMap<(String, String), Reply> = answers
        .iter()
        .map(|(target, path, reply)| (((*target).into(), (*path).into()), reply.clone()))
        .collect();
    Script::new()
        .settings(json!({"services": services}))
        .remaining_ms(60_000)
        .answer_with(move |request| {
            let at = (request.target.clone(), request.path.clone());
            answers.get(&at).cloned().unwrap_or(Reply::status(404))
        })
        .smoke_test(run)
}

fn shop() -> Value {
    json!([
        {"name": "gateway", "target": "candidate", "after": ["auth", "orders"],
         "requests": [{"name": "home", "path": "/", "expect": {"contains": "Shop", "maxMs": 500}}]},
        {"name": "auth", "readiness": {"dependencies": ["database", "cache"], "retryWaitMs": 100}},
        {"name": "orders", "after": "auth",
         "metrics": {"series": ["http_requests_total", "process_*"], "retries": 0},
         "requests": [{"path": "/orders?limit=1", "expect": {"json": {"/total": 7}}}]},
    ])
}

fn ready(database: &str) -> Reply {
    let status = if database == "ok" { 200 } else { 503 };
    let states =
        json!({"database": {"status": database, "error": "connection refused"}, "cache": "ok"});
    Reply::json(status, &json!({"status": "x", "dependencies": states}))
}

fn good() -> Vec<(&'static str, &'static str, Reply)> {
    vec![
        ("candidate", "/", Reply::text(200, "<h1>Shop</h1>")),
        ("auth", "/ready", ready("ok")),
        (
            "orders",
            "/metrics",
            Reply::text(
                200,
                "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} 4\nprocess_open_fds 3\n",
            ),
        ),
        (
            "orders",
            "/orders?limit=1",
            Reply::json(200, &json!({"total": 7})),
        ),
    ]
}

fn with(target: &str, path: &str, reply: Reply) -> Vec<(&'static str, &'static str, Reply)> {
    let mut answers = good();
    for (at, route, answer) in &mut answers {
        if (*at, *route) == (target, path) {
            *answer = reply.clone();
        }
    }
    answers
}

fn names(played: &Played<Report>) -> Vec<&str> {
    let lines = &played.report().checks;
    lines.iter().map(|line| line.name.as_str()).collect()
}

#[test]
fn services_are_tested_after_what_they_depend_on_a_line_a_check() {
    let played = play(&shop(), &good());
    assert_eq!(
        played.report().outcome,
        Outcome::Pass,
        "{:?}",
        played.report()
    );
    assert_eq!(
        names(&played),
        [
            "auth: ready",
            "auth: database",
            "auth: cache",
            "orders: metrics",
            "orders: series http_requests_total",
            "orders: series process_*",
            "orders: GET /orders?limit=1",
            "gateway: home",
        ]
    );
    assert_eq!(
        played.report().summary,
        "3 services well; 8 of 8 checks passed"
    );
}

#[test]
fn a_database_that_is_down_is_named_and_nobody_behind_it_is_tested() {
    let played = play(&shop(), &with("auth", "/ready", ready("down")));
    assert_eq!(played.report().outcome, Outcome::Fail);
    assert_eq!(
        played.line("auth: database").message,
        "database is not ready: down: connection refused"
    );
    assert_eq!(played.line("auth: cache").outcome, Outcome::Pass);
    assert_eq!(
        played.line("orders: not tested").message,
        "it depends on others: auth failed"
    );
    assert_eq!(
        played.line("gateway: not tested").message,
        "it depends on others: auth failed, orders was not tested"
    );
    let summary = &played.report().summary;
    assert!(
        summary.starts_with("failed: auth; not tested: gateway, orders; 1 of 5 checks passed, 2 skipped; auth: ready: after 3 tries:"),
        "{summary}"
    );
    // Twice as long each time.
    assert_eq!(played.slept_ms, 100 + 200);
}

#[test]
fn a_dependency_that_the_page_does_not_name_is_not_ready() {
    let page = Reply::json(
        200,
        &json!({"status": "ready", "dependencies": {"cache": "ok"}}),
    );
    let played = play(&shop(), &with("auth", "/ready", page));
    assert_eq!(
        played.line("auth: database").message,
        "database is not ready: the page does not name it, only cache"
    );
    let played = play(&shop(), &with("auth", "/ready", Reply::text(200, "fine")));
    assert!(
        played
            .line("auth: database")
            .message
            .contains("the body is no JSON")
    );
    let silent = Reply::error(NetError::Connect("refused".into()));
    let played = play(&shop(), &with("auth", "/ready", silent));
    assert_eq!(played.line("auth: ready").outcome, Outcome::Inconclusive);
    assert_eq!(played.line("auth: database").outcome, Outcome::Skipped);
    assert!(
        played
            .report()
            .summary
            .starts_with("could not be tested: auth; not tested: gateway, orders;")
    );
}

#[test]
fn a_series_has_to_be_there_with_a_number() {
    let page = |text: &str| with("orders", "/metrics", Reply::text(200, text));
    let line = |played: &Played<Report>| {
        let line = played.line("orders: series http_requests_total");
        (line.outcome, line.message.clone())
    };
    for (text, outcome, words) in [
        (
            "process_x 1\nhttp_requests_total_more 1",
            Outcome::Fail,
            "does not show it",
        ),
        (
            "http_requests_total NaN\nprocess_x 1",
            Outcome::Fail,
            "not numbers",
        ),
        (
            "http_requests_total{a=\"b\"} +Inf\nprocess_x 1",
            Outcome::Pass,
            "has a number",
        ),
    ] {
        let (came, message) = line(&play(&shop(), &page(text)));
        assert_eq!(came, outcome, "{text}");
        assert!(message.contains(words), "{message}");
    }
    let cut = Reply::text(200, "process_x 1\n").truncated();
    let (came, _) = line(&play(&shop(), &with("orders", "/metrics", cut)));
    assert_eq!(came, Outcome::Inconclusive);
    let played = play(&shop(), &with("orders", "/metrics", Reply::status(500)));
    assert_eq!(line(&played).0, Outcome::Skipped);
    assert_eq!(played.line("orders: metrics").outcome, Outcome::Fail);
}

#[test]
fn a_page_that_becomes_complete_passes_at_a_later_try() {
    let mut count = 0;
    let services = json!([{"name": "orders", "metrics": {"series": "up"}}]);
    let played = Script::new()
        .settings(json!({"services": services}))
        .answer_with(move |_| {
            count += 1;
            match count {
                1 => Reply::status(500),
                2 => Reply::text(200, "down 1\n"),
                _ => Reply::text(200, "up 1\n"),
            }
        })
        .smoke_test(run);
    assert_eq!(
        played.report().outcome,
        Outcome::Pass,
        "{:?}",
        played.report()
    );
    assert!(
        played
            .line("orders: metrics")
            .message
            .ends_with("(at try 3)")
    );
}

#[test]
fn a_slow_or_wrong_answer_fails_its_service_only() {
    let slow = Reply::text(200, "Shop").after_ms(600);
    let played = play(&shop(), &with("candidate", "/", slow));
    assert!(
        played
            .report()
            .summary
            .starts_with("failed: gateway; 7 of 8")
    );
    let wrong = Reply::json(200, &json!({"total": 8}));
    let played = play(&shop(), &with("orders", "/orders?limit=1", wrong));
    let told = &played.line("orders: GET /orders?limit=1").message;
    assert!(told.contains("expected /total to be 7, came 8"), "{told}");
    assert_eq!(played.line("gateway: not tested").outcome, Outcome::Skipped);
}

#[test]
fn what_needs_a_secret_that_is_not_there_blocks_nobody() {
    let services = json!([
        {"name": "auth", "requests": [{"path": "/me", "auth": {"secret": "smoke-token"}}]},
        {"name": "web", "after": "auth", "requests": [{"path": "/"}]},
    ]);
    let played = Script::new()
        .attribute("secrets", "")
        .settings(json!({"services": services}))
        .call_on("web", "GET", "/", Reply::status(200))
        .smoke_test(run);
    assert_eq!(played.report().outcome, Outcome::Pass);
    assert_eq!(played.line("auth: GET /me").outcome, Outcome::Skipped);
}

fn issues(services: &Value) -> Vec<Issue> {
    let settings = json!({"services": services}).to_string();
    sluice_sdk::settings::check::<Settings>(&settings, validate)
}

#[test]
fn settings_are_refused_with_their_place() {
    assert_eq!(issues(&shop()), []);
    let cases = [
        (json!([]), ""),
        (json!([{"name": "a"}]), "/0"),
        (
            json!([{"name": "", "target": "a", "metrics": {}}]),
            "/0/name",
        ),
        (json!([{"name": "Auth Service", "metrics": {}}]), "/0/name"),
        (
            json!([{"name": "Auth Service", "target": "A", "metrics": {}}]),
            "/0/target",
        ),
        (
            json!([{"name": "a", "after": "b", "metrics": {}}]),
            "/0/after",
        ),
        (json!([{"name": "a", "after": "a", "metrics": {}}]), ""),
        (
            json!([{"name": "a", "metrics": {}}, {"name": "a", "metrics": {}}]),
            "/1/name",
        ),
        (
            json!([{"name": "a", "requests": [{"path": "x"}]}]),
            "/0/requests/0/path",
        ),
        (
            json!([{"name": "a", "readiness": {"path": "x"}}]),
            "/0/readiness/path",
        ),
        (
            json!([{"name": "a", "readiness": {"dependencies": ""}}]),
            "/0/readiness/dependencies",
        ),
        (
            json!([{"name": "a", "metrics": {"series": "a{b=\"c\"}"}}]),
            "/0/metrics/series",
        ),
        (
            json!([{"name": "a", "metrics": {"series": "*"}}]),
            "/0/metrics/series",
        ),
    ];
    for (services, place) in cases {
        let found = issues(&services);
        assert_eq!(found.len(), 1, "{services}: {found:?}");
        assert_eq!(
            found[0].pointer,
            format!("/services{place}"),
            "{services}: {found:?}"
        );
    }
}

#[test]
fn services_that_wait_for_each_other_are_named() {
    let service = |name: &str, after: &[&str]| json!({"name": name, "after": after, "metrics": {}});
    let circle = json!([
        service("a", &["c"]),
        service("b", &["a"]),
        service("c", &["b"]),
        service("d", &[])
    ]);
    let found = issues(&circle);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "these wait for each other: a, b, c");
}

#[test]
fn a_report_never_has_more_lines_than_it_can_show() {
    let request = json!({"path": "/"});
    let services = json!([{"name": "a", "requests": vec![request; 65]}]);
    assert!(issues(&services)[0].message.contains("65 requests"));
    let names: Vec<String> = (0..100).map(|i| format!("d{i}")).collect();
    let services = json!([{"name": "a", "readiness": {"dependencies": names}}]);
    assert!(issues(&services)[0].message.contains("101 lines"));
}
