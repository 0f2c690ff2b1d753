//! The plugin under a scripted host.

mod settings;

use serde_json::{Value, json};
use sluice_sdk::testing::{Played, Reply, Script};
use sluice_sdk::{NetError, Outcome, Report};

use crate::run;

fn script(requests: Value) -> Script {
    Script::new().settings(json!({"requests": requests}))
}

/// One request without retries, and its answer.
fn one(mut request: Value, reply: Reply) -> Played<Report> {
    request["retries"] = json!(0);
    let (method, path) = (request["method"].clone(), request["path"].clone());
    let method = method.as_str().unwrap_or("GET").to_string();
    let target = request["target"]
        .as_str()
        .unwrap_or("candidate")
        .to_string();
    script(json!([request]))
        .call_on(&target, &method, path.as_str().unwrap(), reply)
        .smoke_test(run)
}

#[track_caller]
fn told(played: &Played<Report>, outcome: Outcome) -> String {
    let report = played.report();
    assert_eq!(report.outcome, outcome, "{report:?}");
    report.checks[0].message.clone()
}

#[test]
fn the_shipped_suite_of_three_passes() {
    let played = script(json!([
        {"name": "health", "path": "/health", "expect": {"json": {"status": "ok"}}},
        {"name": "ready", "path": "/ready", "expect": {"json": {"/status": "ready"}}},
        {"name": "login", "path": "/login", "expect": {"contains": "Sign in", "maxMs": 800}},
    ]))
    .call("GET", "/health", Reply::json(200, &json!({"status": "ok"})))
    .call(
        "GET",
        "/ready",
        Reply::json(200, &json!({"status": "ready"})),
    )
    .call(
        "GET",
        "/login",
        Reply::text(200, "<h1>Sign in</h1>").after_ms(30),
    )
    .smoke_test(run);
    assert_eq!(played.report().outcome, Outcome::Pass);
    assert_eq!(played.report().summary, "3 of 3 checks passed");
}

#[test]
fn a_lying_health_page_says_expected_and_came() {
    let request = json!({"path": "/health", "expect": {"json": {"status": "ok"}}});
    let played = one(request, Reply::json(200, &json!({"status": "failing"})));
    assert_eq!(
        told(&played, Outcome::Fail),
        "GET /health on candidate: expected status to be \"ok\", came \"failing\"; \
         body: {\"status\":\"failing\"}"
    );
}

#[test]
fn a_page_that_is_not_ready_names_the_dependency() {
    let request = json!({"path": "/ready", "expect": {"json": {"status": "ready"}}});
    let page = json!({"status": "waiting", "dependencies": {"db": {"status": "down", "error": "timeout"}, "cache": "ok"}});
    let message = told(&one(request, Reply::json(503, &page)), Outcome::Fail);
    assert!(
        message.contains("expected status 200, came 503"),
        "{message}"
    );
    assert!(
        message.contains("dependencies not ready: db (down: timeout);"),
        "{message}"
    );
}

#[test]
fn every_expectation_can_fail_on_its_own() {
    let good = || {
        Reply::json(200, &json!({"a": {"b": [1, 2.0]}, "text": "hello"}))
            .header("x-version", "1.2.3")
            .after_ms(100)
    };
    let cases = [
        (
            json!({"status": [200, 204]}),
            json!({"status": [201, 204]}),
            "expected status 201 or 204, came 200",
        ),
        (
            json!({"json": {"/a/b/1": 2}}),
            json!({"json": {"/a/b/1": 3}}),
            "expected /a/b/1 to be 3, came 2.0",
        ),
        (
            json!({"json": {"text": "hello"}}),
            json!({"json": {"texts": 1}}),
            "expected texts to be 1, but it is not there",
        ),
        (
            json!({"contains": "hello"}),
            json!({"contains": ["hello", "bye"]}),
            "expected the text \"bye\", it is missing",
        ),
        (
            json!({"notContains": "bye"}),
            json!({"notContains": "hello"}),
            "the text \"hello\" must not occur",
        ),
        (
            json!({"header": {"X-Version": "1.*"}}),
            json!({"header": {"x-version": "1."}}),
            "expected header x-version: 1., came 1.2.3",
        ),
        (
            json!({"header": {"content-type": "application/json"}}),
            json!({"header": {"x-none": "*"}}),
            "expected header x-none: *, but it is not there",
        ),
        (
            json!({"maxMs": 101}),
            json!({"maxMs": 100}),
            "expected an answer in less than 100 ms, it took 100 ms",
        ),
    ];
    for (holds, breaks, message) in cases {
        let played = one(json!({"path": "/x", "expect": holds}), good());
        assert_eq!(
            played.report().outcome,
            Outcome::Pass,
            "{holds}: {:?}",
            played.report()
        );
        let played = one(json!({"path": "/x", "expect": breaks}), good());
        let came = told(&played, Outcome::Fail);
        assert!(came.contains(message), "{breaks}: {came}");
    }
}

#[test]
fn a_redirect_is_seen_and_not_followed() {
    let request = json!({"path": "/", "target": "plain", "expect": {"redirectTo": "https://shop.example.com/*"}});
    let to = |status, place: &str| Reply::status(status).header("location", place);
    assert_eq!(
        one(request.clone(), to(308, "https://shop.example.com/"))
            .report()
            .outcome,
        Outcome::Pass
    );
    told(
        &one(request.clone(), to(302, "https://evil.example.com/")),
        Outcome::Fail,
    );
    told(
        &one(request.clone(), to(200, "https://shop.example.com/")),
        Outcome::Fail,
    );
    told(&one(request, Reply::status(301)), Outcome::Fail);
}

#[test]
fn it_tries_again_and_says_so() {
    let bad = || Reply::status(503);
    let request = json!([{"path": "/health", "retryWaitMs": 300}]);
    let played = script(request.clone())
        .call(
            "GET",
            "/health",
            Reply::error(NetError::Connect("refused".into())),
        )
        .call("GET", "/health", bad())
        .call("GET", "/health", Reply::status(200))
        .smoke_test(run);
    assert_eq!(
        told(&played, Outcome::Pass),
        "GET /health on candidate: status 200 (at try 3)"
    );
    assert_eq!(played.slept_ms, 300 + 600);

    let played = script(request)
        .call("GET", "/health", bad())
        .call("GET", "/health", bad())
        .call("GET", "/health", bad())
        .smoke_test(run);
    let message = told(&played, Outcome::Fail);
    assert!(
        message
            .starts_with("after 3 tries: GET /health on candidate: expected status 200, came 503")
    );
}

#[test]
fn a_method_that_may_change_something_is_sent_once() {
    let played = script(json!([{"path": "/orders", "body": {"item": 1}}]))
        .call("POST", "/orders", Reply::status(500))
        .smoke_test(run);
    told(&played, Outcome::Fail);
    assert_eq!(played.requests[0].body, br#"{"item":1}"#);
    assert_eq!(
        played.requests[0].headers[0].1,
        "application/json; charset=utf-8"
    );
    assert_eq!(played.requests[0].timeout_ms, Some(5_000));
}

#[test]
fn our_own_trouble_is_inconclusive_and_not_repeated() {
    for error in [NetError::NotGranted("path /x".into()), NetError::Quota] {
        let played = script(json!([{"path": "/x"}]))
            .call("GET", "/x", Reply::error(error))
            .smoke_test(run);
        told(&played, Outcome::Inconclusive);
    }
}

#[test]
fn a_failure_that_was_seen_outweighs_a_try_over_the_budget() {
    let played = script(json!([{"path": "/x"}]))
        .call("GET", "/x", Reply::status(500))
        .call("GET", "/x", Reply::error(NetError::Quota))
        .smoke_test(run);
    let message = told(&played, Outcome::Fail);
    assert!(message.contains("came 500"), "{message}");
}

#[test]
fn without_time_nothing_is_sent_and_nothing_passes() {
    let played = script(json!([{"path": "/a"}, {"path": "/b"}]))
        .remaining_ms(1_000)
        .call("GET", "/a", Reply::status(200).after_ms(900))
        .smoke_test(run);
    assert_eq!(played.report().outcome, Outcome::Inconclusive);
    assert_eq!(played.line("GET /a").outcome, Outcome::Pass);
    assert!(played.line("GET /b").message.starts_with("no time left"));
}

#[test]
fn a_hanging_candidate_fails_and_its_time_is_bounded() {
    let played = script(json!([{"path": "/a", "timeoutMs": 3000, "retries": 1}]))
        .call("GET", "/a", Reply::error(NetError::Timeout).after_ms(3_000))
        .call("GET", "/a", Reply::error(NetError::Timeout).after_ms(3_000))
        .smoke_test(run);
    assert_eq!(
        told(&played, Outcome::Fail),
        "after 2 tries: GET /a on candidate: no whole answer in time"
    );
    assert_eq!(played.requests[1].timeout_ms, Some(3_000));
}

#[test]
fn an_authenticated_call_is_skipped_visibly_without_its_secret() {
    let requests = json!([
        {"path": "/health"},
        {"name": "orders", "path": "/api/orders", "auth": {"secret": "smoke-token"}},
        {"name": "keyed", "path": "/api/keyed", "headers": {"x-key": "k ${secret:smoke-token}"}},
    ]);
    let health = || Reply::status(200);
    let played = script(requests.clone())
        .attribute("secrets", "webhook-secret")
        .call("GET", "/health", health())
        .smoke_test(run);
    assert_eq!(played.report().outcome, Outcome::Pass);
    assert_eq!(played.report().summary, "1 of 3 checks passed, 2 skipped");
    assert!(
        played
            .line("orders")
            .message
            .contains("secret `smoke-token` holds no value")
    );
    assert_eq!(played.line("keyed").outcome, Outcome::Skipped);

    let played = script(requests)
        .attribute("secrets", "smoke-token")
        .call("GET", "/health", health())
        .call("GET", "/api/orders", Reply::status(200))
        .call("GET", "/api/keyed", Reply::status(200))
        .smoke_test(run);
    assert_eq!(played.report().summary, "3 of 3 checks passed");
    let sent = (
        "authorization".to_string(),
        "Bearer ${secret:smoke-token}".to_string(),
    );
    assert_eq!(played.requests[1].headers, [sent]);
}

#[test]
fn a_webhook_must_refuse_a_bad_signature_and_accept_a_good_one() {
    let requests = json!([{
        "name": "hook", "path": "/hooks/pay", "body": "{\"id\":1}",
        "sign": {"secret": "webhook-secret", "header": "x-signature"},
    }]);
    let played = script(requests.clone())
        .call("POST", "/hooks/pay", Reply::status(401))
        .call("POST", "/hooks/pay", Reply::status(202))
        .smoke_test(run);
    assert_eq!(played.report().summary, "2 of 2 checks passed");
    let signature = |i: usize| played.requests[i].headers[0].clone();
    assert_eq!(
        signature(0),
        ("x-signature".into(), format!("sha256={}", "0".repeat(64)))
    );
    assert_eq!(
        signature(1),
        (
            "x-signature".into(),
            "sha256=${hmac-sha256:webhook-secret}".into()
        )
    );
    assert_eq!(played.requests[1].body, b"{\"id\":1}");

    // A receiver that checks nothing is caught even without the secret.
    let played = script(requests)
        .attribute("secrets", "")
        .call("POST", "/hooks/pay", Reply::status(202))
        .smoke_test(run);
    assert_eq!(played.line("hook, bad signature").outcome, Outcome::Fail);
    assert_eq!(
        played.line("hook, good signature").outcome,
        Outcome::Skipped
    );
    assert_eq!(played.report().outcome, Outcome::Fail);
}

#[test]
fn a_bystander_in_trouble_says_nothing_about_the_candidate() {
    let refused = || Reply::error(NetError::Connect("refused".into()));
    told(
        &one(json!({"path": "/", "target": "dependency"}), refused()),
        Outcome::Inconclusive,
    );
    told(
        &one(json!({"path": "/", "target": "service"}), refused()),
        Outcome::Fail,
    );
}

#[test]
fn a_huge_ugly_answer_stays_one_bounded_line() {
    let body = format!("\u{1b}[31m<html>\r\n{}", "x".repeat(100_000));
    let request = json!({"path": "/health", "expect": {"json": {"status": "ok"}}});
    let message = told(
        &one(request, Reply::text(502, &body).truncated()),
        Outcome::Fail,
    );
    assert!(message.chars().count() < 1_000, "{}", message.len());
    assert!(!message.contains(char::is_control), "{message:?}");
    assert!(
        message.contains("the body is longer than the host reads"),
        "{message}"
    );
}
