//! Tests of the smoke test's own rules.

use serde_json::json;

use crate::prelude::*;
use crate::settings::NoSettings;
use crate::smoke::{MAX_CHECKS, no_answer};
use crate::testing::{Reply, Script};
use crate::{Level, Stop};

fn health(t: &mut SmokeTest, _: NoSettings) -> TestResult {
    let answer = t.get("/health")?;
    t.check("health", &answer)
        .status(200)
        .json("/status", "ok")
        .faster_than(500);
    Ok(())
}

fn with(reply: Reply) -> crate::testing::Played<crate::Report> {
    Script::new()
        .call("GET", "/health", reply)
        .smoke_test(health)
}

#[test]
fn a_good_answer_passes() {
    let played = with(Reply::json(200, &json!({"status": "ok"})).after_ms(12));
    let report = played.report();
    assert_eq!(report.outcome, Outcome::Pass);
    assert_eq!(report.summary, "1 of 1 checks passed");
    assert_eq!(report.checks[0].elapsed_ms, 12);
    assert_eq!(
        report.checks[0].message,
        "GET /health on candidate: status 200, /status is \"ok\", 12 ms"
    );
}

#[test]
fn every_broken_assertion_is_told_with_what_came() {
    let played = with(Reply::json(503, &json!({"status": "failing"})).after_ms(700));
    let report = played.report();
    assert_eq!(report.outcome, Outcome::Fail);
    assert_eq!(
        report.checks[0].message,
        "GET /health on candidate: expected status 200, came 503; \
         expected /status to be \"ok\", came \"failing\"; \
         expected an answer in less than 500 ms, it took 700 ms; body: {\"status\":\"failing\"}"
    );
    assert!(
        report
            .summary
            .starts_with("0 of 1 checks passed; health: GET /health on candidate")
    );
}

#[test]
fn a_candidate_that_refuses_fails_and_our_own_trouble_does_not() {
    let fail = [
        NetError::Connect("refused".into()),
        NetError::Tls("expired".into()),
        NetError::Timeout,
        NetError::Protocol("not HTTP".into()),
    ];
    for error in fail {
        let played = with(Reply::error(error.clone()));
        assert_eq!(played.report().outcome, Outcome::Fail, "{error:?}");
        assert_eq!(played.report().checks[0].name, "GET /health on candidate");
        // The same trouble with a bystander says nothing about the candidate.
        assert_eq!(
            no_answer(&error, "auth", 1_000).0,
            Outcome::Inconclusive,
            "{error:?}"
        );
        assert_eq!(
            no_answer(&error, "stable", 1_000).0,
            Outcome::Inconclusive,
            "{error:?}"
        );
        assert_eq!(
            no_answer(&error, "service", 1_000).0,
            Outcome::Fail,
            "{error:?}"
        );
    }
    let hold = [
        NetError::NotGranted("path".into()),
        NetError::Quota,
        NetError::Resolve("no such name".into()),
        NetError::TooLarge(5),
        NetError::Other("?".into()),
    ];
    for error in hold {
        let played = with(Reply::error(error.clone()));
        assert_eq!(played.report().outcome, Outcome::Inconclusive, "{error:?}");
    }
}

#[test]
fn a_time_out_at_the_end_of_the_call_is_not_the_candidates_fault() {
    let played = Script::new()
        .remaining_ms(5_000)
        .call(
            "GET",
            "/health",
            Reply::error(NetError::Timeout).after_ms(5_000),
        )
        .smoke_test(health);
    assert_eq!(played.report().outcome, Outcome::Inconclusive);
}

#[test]
fn a_check_that_expects_nothing_never_passes() {
    fn idle(t: &mut SmokeTest, _: NoSettings) -> TestResult {
        let answer = t.get("/")?;
        t.check("nothing", &answer);
        Ok(())
    }
    let played = Script::new()
        .call("GET", "/", Reply::status(200))
        .smoke_test(idle);
    assert_eq!(played.report().outcome, Outcome::Inconclusive);

    fn empty(_: &mut SmokeTest, _: NoSettings) -> TestResult {
        Ok(())
    }
    assert_eq!(
        Script::new().smoke_test(empty).report().outcome,
        Outcome::Inconclusive
    );
}

#[test]
fn the_worst_line_decides_and_a_skip_shows_beside_a_pass() {
    fn lines(t: &mut SmokeTest, outcomes: Vec<u8>) -> TestResult {
        for outcome in outcomes {
            let outcome = match outcome {
                0 => Outcome::Pass,
                1 => Outcome::Skipped,
                2 => Outcome::Inconclusive,
                _ => Outcome::Fail,
            };
            t.record("line", outcome, "why", 0);
        }
        Ok(())
    }
    let of = |outcomes: &[u8]| {
        let played = Script::new().settings(json!(outcomes)).smoke_test(lines);
        (played.report().outcome, played.report().summary.clone())
    };
    assert_eq!(
        of(&[0, 1]),
        (Outcome::Pass, "1 of 2 checks passed, 1 skipped".into())
    );
    assert_eq!(
        of(&[1, 1]),
        (Outcome::Skipped, "nothing tested: why".into())
    );
    assert_eq!(of(&[0, 2, 1]).0, Outcome::Inconclusive);
    assert_eq!(of(&[3, 2, 0]).0, Outcome::Fail);
    let mut many = vec![0; MAX_CHECKS + 20];
    many.push(3);
    assert_eq!(
        of(&many).0,
        Outcome::Fail,
        "a failure that found no room still counts"
    );
}

#[test]
fn an_error_of_the_plugin_is_no_report() {
    fn unable(_: &mut SmokeTest, _: NoSettings) -> TestResult {
        Err(Stop::Unable(Error::Unavailable("no".into())))
    }
    let played = Script::new().smoke_test(unable);
    assert_eq!(played.result, Err(Error::Unavailable("no".into())));
}

#[test]
fn context_reaches_the_test() {
    fn curious(t: &mut SmokeTest, _: NoSettings) -> TestResult {
        let release = t.release();
        t.log(Level::Info, "hello", &[("id", &release.id)]);
        t.pause(300);
        let message = format!("{} {}", release.to_revision, t.idempotency_key());
        let known = t.has_secret("a") && !t.has_secret("c");
        t.record(
            &t.attribute("environment").unwrap_or_default(),
            Outcome::Pass,
            &message,
            0,
        );
        if known {
            Ok(())
        } else {
            Err(Error::Other("secrets".into()).into())
        }
    }
    let played = Script::new()
        .attribute("environment", "production")
        .attribute("secrets", "a, b")
        .remaining_ms(350)
        .smoke_test(curious);
    let line = played.line("production");
    assert!(line.message.starts_with("sha256:"), "{}", line.message);
    assert_eq!(played.log, vec![(Level::Info, "hello".into())]);
    assert_eq!(played.slept_ms, 250, "a pause leaves 100 ms to answer");
}

#[test]
fn a_number_is_looked_at_by_its_bounds() {
    fn load(t: &mut SmokeTest, _: NoSettings) -> TestResult {
        let answer = t.get("/load")?;
        t.check("load", &answer).within("$.load[0]", 0.0, 0.8);
        Ok(())
    }
    let told = |body: serde_json::Value| {
        let script = Script::new().call("GET", "/load", Reply::json(200, &body));
        let played = script.smoke_test(load);
        let check = &played.report().checks[0];
        (check.outcome, check.message.clone())
    };
    assert_eq!(told(json!({"load": [0.8]})).0, Outcome::Pass);
    let (outcome, message) = told(json!({"load": [0.9]}));
    assert_eq!(outcome, Outcome::Fail);
    let words = "expected $.load[0] to be from 0 to 0.8, came 0.9";
    assert!(message.contains(words), "{message}");
    assert!(told(json!({"load": ["x"]})).1.contains("came \"x\""));
    assert!(told(json!({})).1.contains("it is not there"));
}

#[test]
fn patience_ends_with_a_good_answer_its_tries_or_the_call() {
    fn ready(t: &mut SmokeTest, _: NoSettings) -> TestResult {
        let answer = t.eventually(&Request::get("/ready"), 3, 1_000, |a| a.status == 200)?;
        t.check("ready", &answer).status(200);
        Ok(())
    }
    let refused = || Reply::error(NetError::Connect("refused".into()));
    let play = |script: Script, replies: Vec<Reply>| {
        let calls = replies.into_iter();
        calls
            .fold(script, |script, reply| script.call("GET", "/ready", reply))
            .smoke_test(ready)
    };
    let replies = vec![refused(), Reply::status(503), Reply::status(200)];
    let played = play(Script::new(), replies);
    assert_eq!(played.report().outcome, Outcome::Pass);
    assert_eq!((played.requests.len(), played.slept_ms), (3, 2_000));
    let played = play(Script::new(), vec![refused(), refused(), refused()]);
    assert_eq!(played.report().outcome, Outcome::Fail);
    let short = Script::new().remaining_ms(500);
    let played = play(short, vec![Reply::status(503)]);
    let told = (played.report().outcome, played.slept_ms);
    assert_eq!(told, (Outcome::Fail, 0));
}
