//! The plugin under a scripted host.

use serde_json::{Value, json};
use sluice_sdk::testing::{Played, Reply, Script};
use sluice_sdk::{Error, Event, Issue, NetError, Severity};

use crate::{Settings, notify, validate};

fn event(id: &str, thread: Option<&str>) -> Event {
    Event {
        id: id.into(),
        kind: "rolled-back".into(),
        severity: Severity::Warning,
        title: "storefront went \"back\" {{kind}}".into(),
        body: "p95 too high\nagain".into(),
        links: vec![("page".into(), "https://sluice.example.com/r/1".into())],
        thread: thread.map(Into::into),
    }
}

fn script(settings: Value) -> Script {
    Script::new()
        .settings(settings)
        .attribute("environment", "production")
}

fn tell(settings: Value, reply: Reply) -> Played<Option<String>> {
    script(settings)
        .answer_with(move |_| reply.clone())
        .notify(notify, &event("uid/7", None))
}

fn sent(played: &Played<Option<String>>) -> Value {
    serde_json::from_slice(&played.requests[0].body).unwrap()
}

fn header<'r>(played: &'r Played<Option<String>>, name: &str) -> Option<&'r str> {
    let headers = &played.requests[0].headers;
    headers
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn an_event_is_sent_with_everything_there_is() {
    let played = tell(json!({"path": "/hook"}), Reply::status(204));
    assert_eq!(*played.answer(), Some(" uid/7".into()));
    let document = sent(&played);
    assert_eq!(document["title"], "storefront went \"back\" {{kind}}");
    assert_eq!(document["severity"], "warning");
    assert_eq!(
        document["links"][0]["url"],
        "https://sluice.example.com/r/1"
    );
    assert_eq!(document["workload"], "storefront");
    assert_eq!(document["environment"], "production");
    assert_eq!(document["thread"], Value::Null);
    assert_eq!(header(&played, "idempotency-key"), Some("uid/7"));
    assert_eq!(
        header(&played, "content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(
        header(&played, "x-sluice-signature"),
        Some("sha256=${hmac-sha256:webhook-key}")
    );
    assert_eq!(
        header(&played, "authorization"),
        Some("Bearer ${secret:webhook-token}")
    );
}

#[test]
fn cloudevents_have_what_the_specification_requires() {
    let settings = json!({"path": "/", "format": "cloudevents", "template": {"text": "{{title}}"}});
    let played = tell(settings, Reply::status(200));
    assert_eq!(
        sent(&played),
        json!({
            "specversion": "1.0",
            "id": "uid/7",
            "source": "/sluice/test",
            "type": "dev.sluice.rolled-back",
            "subject": "shop/storefront",
            "datacontenttype": "application/json",
            "data": {"text": "storefront went \"back\" {{kind}}"},
        })
    );
    assert_eq!(
        header(&played, "content-type"),
        Some("application/cloudevents+json; charset=utf-8")
    );
}

#[test]
fn a_template_takes_facts_and_no_fact_becomes_a_template() {
    let template = json!({
        "text": "[{{severity}}] {{title}} in {{ environment }}, {{fromRevision}}{{thread}}",
        "links": "{{links}}",
        "n": 7,
        "list": ["{{workload}}", {"{{kind}}": "{{kind}}"}],
        "open": "{{title",
    });
    let played = tell(
        json!({"path": "/", "template": template}),
        Reply::status(200),
    );
    let document = sent(&played);
    let text = document["text"].as_str().unwrap();
    assert!(
        text.starts_with("[warning] storefront went \"back\" {{kind}} in production, sha256:aaa"),
        "{text}"
    );
    assert_eq!(
        document["links"],
        json!([{"label": "page", "url": "https://sluice.example.com/r/1"}])
    );
    assert_eq!(
        document["list"],
        json!(["storefront", {"{{kind}}": "rolled-back"}])
    );
    assert_eq!(
        (&document["n"], &document["open"]),
        (&json!(7), &json!("{{title"))
    );
}

#[test]
fn an_event_that_was_told_is_not_told_again_and_a_repetition_has_the_same_bytes() {
    let settings = json!({"path": "/"});
    let told = Script::new()
        .settings(settings.clone())
        .notify(notify, &event("uid/7", Some("INC-7 uid/7")));
    assert_eq!(*told.answer(), Some("INC-7 uid/7".into()));
    let at = |now| {
        script(settings.clone())
            .now_unix_ms(now)
            .answer_with(|_| Reply::status(200))
            .notify(notify, &event("uid/7", None))
            .requests
    };
    assert_eq!(at(1_000), at(90_000_000));
}

#[test]
fn later_events_update_what_the_first_one_made() {
    let settings = json!({"path": "/incidents", "thread": {"pointer": "/data/id", "update": {"path": "/incidents/{{thread}}"}}});
    let made = Reply::json(201, &json!({"data": {"id": "INC-7"}}));
    let played = script(settings.clone())
        .call_on("webhook", "POST", "/incidents", made.clone())
        .notify(notify, &event("uid/1", None));
    assert_eq!(*played.answer(), Some("INC-7 uid/1".into()));
    let played = script(settings.clone())
        .call_on("webhook", "PUT", "/incidents/INC-7", Reply::status(200))
        .notify(notify, &event("uid/2", Some("INC-7 uid/1")));
    assert_eq!(*played.answer(), Some("INC-7 uid/2".into()));
    assert_eq!(sent(&played)["thread"], "INC-7");
    // Somebody removed it.
    let anew = Reply::json(201, &json!({"data": {"id": 8}}));
    let played = script(settings.clone())
        .call_on("webhook", "PUT", "/incidents/INC-7", Reply::status(404))
        .call_on("webhook", "POST", "/incidents", anew)
        .notify(notify, &event("uid/3", Some("INC-7 uid/2")));
    assert_eq!(*played.answer(), Some("8 uid/3".into()));
    // An id that could lead elsewhere is none.
    let evil = Reply::json(201, &json!({"data": {"id": "../admin"}}));
    let played = script(settings)
        .call_on("webhook", "POST", "/incidents", evil)
        .notify(notify, &event("uid/1", None));
    assert_eq!(*played.answer(), Some(" uid/1".into()));
    assert_eq!(played.log.len(), 1);
}

#[test]
fn refusals_say_whether_it_is_worth_another_try() {
    let refused = |reply: Reply| tell(json!({"path": "/"}), reply).result.unwrap_err();
    assert_eq!(
        refused(Reply::status(429).header("retry-after", "7")),
        Error::RateLimited(7_000)
    );
    assert_eq!(refused(Reply::status(429)), Error::RateLimited(30_000));
    assert_eq!(
        refused(Reply::status(503).header("retry-after", "2")),
        Error::RateLimited(2_000)
    );
    for status in [500, 502, 503, 504, 408] {
        assert!(
            matches!(refused(Reply::status(status)), Error::Unavailable(_)),
            "{status}"
        );
    }
    for status in [401, 403] {
        assert!(
            matches!(refused(Reply::status(status)), Error::Denied(_)),
            "{status}"
        );
    }
    for status in [301, 400, 404, 405, 413, 422] {
        assert!(
            matches!(refused(Reply::status(status)), Error::InvalidConfig(_)),
            "{status}"
        );
    }
    let told = refused(Reply::text(422, "field \"title\"\nis missing"));
    assert!(format!("{told:?}").contains("is missing"), "{told:?}");
    assert!(matches!(
        refused(Reply::error(NetError::Timeout)),
        Error::Unavailable(_)
    ));
    let denied = refused(Reply::error(NetError::NotGranted("path /".into())));
    assert!(matches!(denied, Error::Denied(_)));
    // The server has seen this key already.
    assert_eq!(
        *tell(json!({"path": "/"}), Reply::status(409)).answer(),
        Some(" uid/7".into())
    );
}

#[test]
fn signing_follows_the_settings_and_the_secrets() {
    let with = |secrets: &str, settings: Value| {
        script(settings)
            .attribute("secrets", secrets)
            .now_unix_ms(1_795_737_600_000)
            .answer_with(|_| Reply::status(200))
            .notify(notify, &event("uid/7", None))
    };
    let bare = with("", json!({"path": "/"}));
    assert_eq!(header(&bare, "x-sluice-signature"), None);
    assert_eq!(header(&bare, "authorization"), None);
    let sign =
        json!({"path": "/", "sign": {"header": "x-signature", "timestampHeader": "x-timestamp"}});
    let timed = with("webhook-key", sign.clone());
    assert_eq!(header(&timed, "x-timestamp"), Some("1795737600"));
    assert_eq!(
        header(&timed, "x-signature"),
        Some("sha256=${hmac-sha256:webhook-key:1795737600.}")
    );
    let without = script(sign)
        .attribute("secrets", "")
        .notify(notify, &event("uid/7", None));
    assert!(matches!(without.result, Err(Error::InvalidConfig(_))));
}

#[test]
fn quiet_events_are_left_out_where_the_settings_say_so() {
    let played = script(json!({"path": "/", "minSeverity": "critical"}))
        .notify(notify, &event("uid/7", Some("INC-7 uid/1")));
    assert_eq!(*played.answer(), Some("INC-7 uid/1".into()));
    let played = script(json!({"path": "/", "minSeverity": "warning"}))
        .call_on("webhook", "POST", "/", Reply::status(200))
        .notify(notify, &event("uid/7", None));
    assert!(played.answer().is_some());
}

fn issues(settings: &Value) -> Vec<Issue> {
    sluice_sdk::settings::check::<Settings>(&settings.to_string(), validate)
}

#[test]
fn settings_are_refused_with_their_place() {
    let good = json!({"path": "/", "headers": {"x-team": "shop"}, "template": {"t": "{{title}}"},
        "thread": {"pointer": "id", "update": {"method": "PATCH", "path": "/i/{{thread}}"}}});
    assert_eq!(issues(&good), []);
    let cases = [
        (json!({"path": "hook"}), "/path"),
        (json!({"source": "/a"}), "/source"),
        (json!({"format": "cloudevents", "source": ""}), "/source"),
        (json!({"format": "xml"}), "/format"),
        (
            json!({"headers": {"Authorization": "x"}}),
            "/headers/Authorization",
        ),
        (json!({"headers": {"a b": "x"}}), "/headers/a b"),
        (json!({"template": ["{{titel}}"]}), "/template"),
        (json!({"template": "x".repeat(70_000)}), "/template"),
        (json!({"sign": {"header": ""}}), "/sign/header"),
        (json!({"thread": {"pointer": ""}}), "/thread/pointer"),
        (
            json!({"thread": {"pointer": "id", "update": {"path": "/i"}}}),
            "/thread/update/path",
        ),
        (
            json!({"thread": {"pointer": "id", "update": {"method": "GET", "path": "/i/{{thread}}"}}}),
            "/thread/update/method",
        ),
        (json!({"minSeverity": "low"}), "/minSeverity"),
    ];
    for (change, place) in cases {
        let mut settings = json!({"path": "/"});
        let change = change.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(change);
        let found = issues(&settings);
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert_eq!(found[0].pointer, place, "{settings}: {found:?}");
    }
}
