//! The plugin under a scripted host, against receivers that look more or less closely.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_sdk::testing::{Played, Reply, Script};
use sluice_sdk::{Issue, Outcome, Report, Request};

use crate::{Settings, run, validate};

/// 2026-11-27, in seconds.
const NOW: u64 = 1_795_737_600;

fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let found = request.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

fn play(webhook: Value, receiver: impl FnMut(&Request) -> Reply + 'static) -> Played<Report> {
    Script::new()
        .now_unix_ms(NOW * 1_000)
        .settings(json!({"webhooks": [webhook]}))
        .answer_with(receiver)
        .smoke_test(run)
}

/// Knows the host's placeholder as the good signature, and looks at times and ids where told so.
fn careful() -> impl FnMut(&Request) -> Reply {
    let seen = RefCell::new(BTreeSet::new());
    move |request| {
        let signature = header(request, "stripe-signature").unwrap_or_default();
        let Some((time, signed)) = signature
            .strip_prefix("t=")
            .and_then(|s| s.split_once(",v1="))
        else {
            return Reply::status(401);
        };
        if signed != format!("${{hmac-sha256:webhook-secret:{time}.}}") {
            return Reply::status(401);
        }
        if NOW.abs_diff(time.parse().unwrap()) > 300 {
            return Reply::status(400);
        }
        if !seen.borrow_mut().insert(request.body.clone()) {
            return Reply::status(409);
        }
        Reply::status(202)
    }
}

fn stripe() -> Value {
    json!({
        "name": "pay", "path": "/hooks/pay", "body": {"id": "{{id}}", "sent": "{{timestamp}}"},
        "sign": {"secret": "webhook-secret", "style": "stripe"}, "replay": {}, "stale": {},
    })
}

#[test]
fn a_careful_receiver_passes_every_line() {
    let played = play(stripe(), careful());
    assert_eq!(
        played.report().outcome,
        Outcome::Pass,
        "{:?}",
        played.report()
    );
    let names: Vec<&str> = played
        .report()
        .checks
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "pay, bad signature",
            "pay, no signature",
            "pay, good signature",
            "pay, replayed",
            "pay, signed long ago"
        ]
    );
    let body = |i: usize| String::from_utf8(played.requests[i].body.clone()).unwrap();
    assert_eq!(
        body(2),
        "{\"id\":\"storefront-production-1-test-1795737600-0-good\",\"sent\":\"1795737600\"}"
    );
    assert_eq!(body(2), body(3));
    assert!(body(4).contains("\"1795737000\""), "{}", body(4));
}

#[test]
fn each_carelessness_fails_its_line() {
    type Taken = fn(&Request) -> bool;
    let cases: [(&str, Taken); 4] = [
        // Takes any signature.
        ("pay, bad signature", |r| {
            header(r, "stripe-signature").is_some_and(|s| s.ends_with("00"))
        }),
        // Takes a delivery without one.
        ("pay, no signature", |r| {
            header(r, "stripe-signature").is_none()
        }),
        // Does not look at the time.
        ("pay, signed long ago", |r| {
            header(r, "stripe-signature").is_some_and(|s| s.contains(":1795737000."))
        }),
        // Refuses its sender.
        ("pay, good signature", |_| false),
    ];
    for (line, taken) in cases {
        let mut receiver = careful();
        let played = play(stripe(), move |request| match receiver(request) {
            _ if line == "pay, good signature" => Reply::status(401),
            _ if taken(request) => Reply::status(202),
            reply => reply,
        });
        assert_eq!(played.line(line).outcome, Outcome::Fail, "{line}");
        let bad = played
            .report()
            .checks
            .iter()
            .filter(|c| c.outcome == Outcome::Fail);
        assert!(bad.count() <= 2, "{line}: {:?}", played.report());
    }
    // Takes everything twice.
    let played = play(stripe(), {
        let mut receiver = careful();
        move |request| {
            let mut fresh = careful();
            let _ = receiver(request);
            fresh(request)
        }
    });
    assert_eq!(played.line("pay, replayed").outcome, Outcome::Fail);
    assert_eq!(played.line("pay, signed long ago").outcome, Outcome::Pass);
}

#[test]
fn a_refused_sender_has_nothing_to_repeat() {
    let played = play(stripe(), |_| Reply::status(401));
    assert_eq!(played.line("pay, good signature").outcome, Outcome::Fail);
    assert_eq!(played.line("pay, replayed").outcome, Outcome::Skipped);
}

#[test]
fn every_style_stands_where_its_receiver_looks() {
    let signed = |sign: Value| {
        let hook = json!({"path": "/h", "body": "x", "sign": sign, "unsigned": false});
        let played = play(hook, |_| Reply::status(202));
        played.requests.last().unwrap().headers.clone()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        signed(json!({"secret": "s"})),
        [pair("x-hub-signature-256", "sha256=${hmac-sha256:s}")]
    );
    assert_eq!(
        signed(json!({"secret": "s", "style": "slack"})),
        [
            pair("x-slack-request-timestamp", "1795737600"),
            pair("x-slack-signature", "v0=${hmac-sha256:s:v0:1795737600:}")
        ]
    );
    assert_eq!(
        signed(json!({"secret": "s", "style": "stripe"})),
        [pair(
            "stripe-signature",
            "t=1795737600,v1=${hmac-sha256:s:1795737600.}"
        )]
    );
    assert_eq!(
        signed(
            json!({"secret": "s", "header": "x-sig", "value": "{{signature}}", "timestampHeader": "x-time", "before": "{{timestamp}}."})
        ),
        [
            pair("x-time", "1795737600"),
            pair("x-sig", "${hmac-sha256:s:1795737600.}")
        ]
    );
}

#[test]
fn without_the_secret_a_receiver_that_checks_nothing_is_still_caught() {
    let run_with = |status| {
        Script::new()
            .attribute("secrets", "")
            .settings(json!({"webhooks": [stripe()]}))
            .answer_with(move |_| Reply::status(status))
            .smoke_test(run)
    };
    let careless = run_with(202);
    assert_eq!(careless.report().outcome, Outcome::Fail);
    let strict = run_with(401);
    assert_eq!(strict.report().outcome, Outcome::Pass);
    assert_eq!(strict.report().summary, "2 of 5 checks passed, 3 skipped");
    assert_eq!(strict.requests.len(), 2);
    let told = &strict.line("pay, replayed").message;
    assert!(
        told.contains("secret `webhook-secret` holds no value"),
        "{told}"
    );
}

#[test]
fn a_slow_answer_and_a_wrong_body_fail_the_good_delivery() {
    let hook = json!({"path": "/h", "sign": {"secret": "s"}, "expect": {"maxMs": 100, "json": {"accepted": true}}});
    let played = play(hook, |request| {
        match header(request, "x-hub-signature-256") {
            Some(value) if value.contains("hmac") => {
                Reply::json(202, &json!({"accepted": false})).after_ms(150)
            }
            Some(_) | None => Reply::status(401),
        }
    });
    let told = &played.line("POST /h, good signature").message;
    assert!(
        told.contains("less than 100 ms") && told.contains("came false"),
        "{told}"
    );
}

#[test]
fn what_must_be_refused_is_tried_again_and_the_good_delivery_is_not() {
    let mut count = 0;
    let hook = json!({"path": "/h", "sign": {"secret": "s"}, "unsigned": false});
    let played = play(hook, move |_| {
        count += 1;
        Reply::status(if count == 2 { 401 } else { 503 })
    });
    let bad = played.line("POST /h, bad signature");
    assert!(
        bad.outcome == Outcome::Pass && bad.message.ends_with("(at try 2)"),
        "{bad:?}"
    );
    assert_eq!(played.requests.len(), 3);
    assert_eq!(
        played.line("POST /h, good signature").outcome,
        Outcome::Fail
    );
}

fn issues(settings: &Value) -> Vec<Issue> {
    sluice_sdk::settings::check::<Settings>(&settings.to_string(), validate)
}

#[test]
fn settings_are_refused_with_their_place() {
    assert_eq!(issues(&json!({"webhooks": [stripe()]})), []);
    let cases = [
        (json!({"path": "h"}), "/path"),
        (json!({"method": "GET"}), "/method"),
        (json!({"target": "A"}), "/target"),
        (json!({"badStatus": []}), "/badStatus"),
        (json!({"badStatus": [401, 202]}), "/badStatus"),
        (json!({"sign": {"secret": "A B"}}), "/sign/secret"),
        (
            json!({"sign": {"secret": "s", "style": "gitlab"}}),
            "/sign/style",
        ),
        (
            json!({"sign": {"secret": "s", "value": "sha256="}}),
            "/sign/value",
        ),
        (
            json!({"sign": {"secret": "s", "before": "}"}}),
            "/sign/before",
        ),
        (
            json!({"sign": {"secret": "s", "header": "a b"}}),
            "/sign/header",
        ),
        (json!({"stale": {}}), "/stale"),
        (
            json!({"sign": {"secret": "s", "style": "slack"}, "stale": {"ageSeconds": 0}}),
            "/stale/ageSeconds",
        ),
        (json!({"replay": {"status": 42}}), "/replay/status"),
        (json!({"timeoutMs": 0}), "/timeoutMs"),
        (json!({"expect": {"maxMs": 0}}), "/expect/maxMs"),
    ];
    for (change, place) in cases {
        let mut hook = json!({"path": "/h", "sign": {"secret": "s"}});
        let change = change.as_object().unwrap().clone();
        hook.as_object_mut().unwrap().extend(change);
        let found = issues(&json!({"webhooks": [hook]}));
        assert_eq!(found.len(), 1, "{hook}: {found:?}");
        assert_eq!(
            found[0].pointer,
            format!("/webhooks/0{place}"),
            "{hook}: {found:?}"
        );
    }
    assert_eq!(issues(&json!({"webhooks": []}))[0].pointer, "/webhooks");
    let many: Vec<Value> = (0..9).map(|_| stripe()).collect();
    assert_eq!(issues(&json!({"webhooks": many})).len(), 1);
}
