//! The scripted host must fail a test when plugin and script disagree.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sluice_sdk::prelude::*;
use sluice_sdk::settings::NoSettings;
use sluice_sdk::testing::{Reply, Script};
use sluice_sdk::{Certificate, Chain};

fn home(t: &mut SmokeTest, _: NoSettings) -> TestResult {
    let page = t.get("/")?;
    t.check("home", &page).status(200);
    Ok(())
}

fn why_it_fails(script: Script) -> String {
    let played = catch_unwind(AssertUnwindSafe(|| script.smoke_test(home)));
    played
        .err()
        .and_then(|panic| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

#[test]
fn an_unexpected_request_fails_the_test() {
    assert_eq!(
        why_it_fails(Script::new()),
        "no further call was expected, the plugin sent `GET / on candidate`"
    );
    let other = Script::new().call_on("service", "GET", "/", Reply::status(200));
    assert_eq!(
        why_it_fails(other),
        "expected `GET / on service`, the plugin sent `GET / on candidate`"
    );
}

#[test]
fn an_expected_request_that_never_comes_fails_the_test() {
    let script =
        Script::new()
            .call("GET", "/", Reply::status(200))
            .call("GET", "/more", Reply::status(200));
    assert!(
        why_it_fails(script).starts_with("expected but never sent: [\"GET /more on candidate\"]")
    );
}

#[test]
fn certificates_are_scripted_like_answers() {
    fn tls(t: &mut SmokeTest, _: NoSettings) -> TestResult {
        let chain = t.inspect_tls("shop", None)?;
        let outcome = if chain.verified.is_ok() {
            Outcome::Pass
        } else {
            Outcome::Fail
        };
        t.record("verified", outcome, &chain.certificates[0].subject, 0);
        t.inspect_tls("shop", None)?;
        t.record("never reached", Outcome::Pass, "", 0);
        Ok(())
    }
    let leaf = Certificate {
        subject: "CN=shop".into(),
        issuer: "CN=ca".into(),
        not_after_unix_ms: 0,
    };
    let chain = Chain {
        certificates: vec![leaf],
        verified: Ok(()),
    };
    let played = Script::new()
        .inspect("shop", Reply::chain(chain))
        .inspect("shop", Reply::error(NetError::Connect("refused".into())))
        .smoke_test(tls);
    assert_eq!(played.line("verified").outcome, Outcome::Pass);
    assert_eq!(
        played.line("certificate of shop").outcome,
        Outcome::Inconclusive
    );
    assert_eq!(played.report().checks.len(), 2);
}

#[test]
fn requests_are_recorded_whole() {
    fn push(t: &mut SmokeTest, _: NoSettings) -> TestResult {
        let request = Request::post("/api")
            .on("auth")
            .bearer("token")
            .json(&serde_json::json!({"a": 1}))
            .timeout_ms(700);
        let answer = t.request(&request)?;
        t.check("created", &answer)
            .status(201)
            .header("location", "/api/*");
        Ok(())
    }
    let played = Script::new()
        .call_on(
            "auth",
            "POST",
            "/api",
            Reply::status(201).header("Location", "/api/7"),
        )
        .smoke_test(push);
    assert_eq!(played.report().outcome, Outcome::Pass);
    let [request] = played.requests.as_slice() else {
        panic!("one request")
    };
    assert_eq!(request.body, br#"{"a":1}"#);
    assert_eq!(request.timeout_ms, Some(700));
    assert_eq!(
        request.headers,
        [
            (
                "authorization".to_string(),
                "Bearer ${secret:token}".to_string()
            ),
            (
                "content-type".to_string(),
                "application/json; charset=utf-8".to_string()
            ),
        ]
    );
}
