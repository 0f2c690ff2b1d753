use serde_json::{Value, json};
use sluice_sdk::testing::{Played, Reply, Script};
use sluice_sdk::{Decision, NetError};

use super::*;

/// The approval hash of the scripted release.
const SUBJECT: &str = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

fn script() -> Script {
    Script::new()
        .settings(json!({"path": "/v1/approvals"}))
        .attribute("secrets", KEY)
}

fn asked(reply: Reply) -> Played<Status> {
    let facts = json!({"service": "storefront", "state": "open"});
    script()
        .attribute(ATTRIBUTE, &facts.to_string())
        .call_on(TARGET, "POST", "/v1/approvals", reply)
        .approval(ask)
}

fn polled(reply: Reply) -> Result<Status, Error> {
    script()
        .call_on(TARGET, "GET", "/v1/approvals/CHG-7", reply)
        .approval(|client, settings| poll(client, settings, "CHG-7"))
        .result
}

fn decided(approved: bool) -> Status {
    Status::Decided(Decision {
        approved,
        approver: "erin".into(),
        reason: "board of 2 March".into(),
        subject_digest: SUBJECT.into(),
    })
}

fn standing(status: &str) -> Value {
    json!({"id": "CHG-7", "status": status, "approver": "erin", "reason": "board of 2 March", "subject": SUBJECT})
}

#[test]
fn a_question_is_signed_and_carries_the_facts() {
    let played = asked(Reply::json(
        202,
        &json!({"id": "CHG-7", "status": "pending"}),
    ));
    assert_eq!(played.result, Ok(Status::Pending("CHG-7".into())));
    let request = &played.requests[0];
    let sent: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(sent["subject"], SUBJECT);
    assert_eq!(sent["facts"]["service"], "storefront");
    assert_eq!(sent["idempotencyKey"], "storefront-production-1/test");
    let signature = (
        "x-sluice-signature".to_string(),
        "sha256=${hmac-sha256:approval-key}".to_string(),
    );
    assert!(
        request.headers.contains(&signature),
        "{:?}",
        request.headers
    );
    assert!(
        !request
            .headers
            .iter()
            .any(|(name, _)| name == "authorization")
    );
}

#[test]
fn without_a_key_nothing_is_asked() {
    let played = Script::new()
        .settings(json!({"path": "/v1/approvals"}))
        .attribute("secrets", TOKEN)
        .approval(ask);
    assert!(
        matches!(played.result, Err(Error::InvalidConfig(_))),
        "{played:?}"
    );
}

#[test]
fn a_decision_is_polled() {
    assert_eq!(
        polled(Reply::json(200, &standing("pending"))),
        Ok(Status::Pending("CHG-7".into()))
    );
    assert_eq!(
        polled(Reply::json(200, &standing("approved"))),
        Ok(decided(true))
    );
    assert_eq!(
        polled(Reply::json(200, &standing("rejected"))),
        Ok(decided(false))
    );
    assert_eq!(
        polled(Reply::json(200, &standing("expired"))),
        Ok(Status::Expired)
    );
    assert_eq!(polled(Reply::status(410)), Ok(Status::Expired));
}

#[test]
fn whatever_is_not_plainly_a_decision_is_none() {
    let mut without = standing("approved");
    without.as_object_mut().unwrap().remove("subject");
    let mut other = standing("approved");
    other["id"] = json!("CHG-8");
    for reply in [
        Reply::json(200, &without),
        Reply::json(200, &other),
        Reply::json(200, &standing("Approved")),
        Reply::json(200, &json!([])),
        Reply::json(200, &json!({"status": true})),
        Reply::text(200, "approved"),
        Reply::text(200, &"[".repeat(100_000)),
        Reply::status(404),
        Reply::status(302),
        Reply::status(401),
        Reply::status(429).header("retry-after", "7"),
        Reply::status(503),
        Reply::error(NetError::Timeout),
        Reply::error(NetError::NotGranted("method GET".into())),
    ] {
        let answer = polled(reply.clone());
        assert!(answer.is_err(), "{reply:?}: {answer:?}");
    }
    let merely_approved = json!({"id": "CHG-7", "approved": true, "subject": SUBJECT});
    assert_eq!(
        polled(Reply::json(200, &merely_approved)),
        Ok(Status::Pending("CHG-7".into())),
        "an answer decides by its status"
    );
}

#[test]
fn an_id_that_would_change_the_path_is_refused() {
    for id in ["", "a/b", "..", ".", "a?b", "a b", "é", &"x".repeat(129)] {
        let played = asked(Reply::json(200, &json!({"id": id, "status": "pending"})));
        assert!(played.result.is_err(), "{id}");
    }
    for ticket in ["../admin", "", "a?b"] {
        let played = script().approval(|client, settings| poll(client, settings, ticket));
        assert!(matches!(played.result, Err(Error::Denied(_))), "{ticket}");
        let played = script().approval(|client, settings| withdraw(client, settings, ticket));
        assert!(matches!(played.result, Err(Error::Denied(_))), "{ticket}");
    }
}

#[test]
fn taking_back_may_be_repeated() {
    let taken = |status| {
        script()
            .call_on(
                TARGET,
                "DELETE",
                "/v1/approvals/CHG-7",
                Reply::status(status),
            )
            .approval(|client, settings| withdraw(client, settings, "CHG-7"))
            .result
    };
    for status in [200, 204, 404, 410] {
        assert_eq!(taken(status), Ok(()), "{status}");
    }
    assert!(taken(500).is_err() && taken(403).is_err());
}

#[test]
fn a_callback_decides_for_its_own_request_only() {
    let read = |body: &str| {
        script()
            .approval(|client, settings| {
                on_callback(client, settings, "CHG-7", &[], body.as_bytes())
            })
            .result
    };
    let mut good = json!({"id": "CHG-7", "subject": SUBJECT, "approved": true, "approver": "erin", "reason": "board of 2 March"});
    assert_eq!(read(&good.to_string()), Ok(Some(decided(true))));
    good["approved"] = json!(false);
    assert_eq!(read(&good.to_string()), Ok(Some(decided(false))));
    for (name, value) in [
        ("id", json!("CHG-8")),
        ("subject", json!(null)),
        ("approved", json!(null)),
        ("approved", json!("true")),
    ] {
        let mut body = good.clone();
        body[name] = value;
        assert_eq!(read(&body.to_string()), Ok(None), "{body}");
    }
    let by_subject = json!({"subject": SUBJECT, "approved": true, "approver": "erin", "reason": "board of 2 March"});
    assert_eq!(read(&by_subject.to_string()), Ok(Some(decided(true))));
    let elsewhere = json!({"subject": "sha256:other", "approved": true});
    assert_eq!(read(&elsewhere.to_string()), Ok(None));
    for body in ["", "{", "[]", "{}", &"[".repeat(100_000)] {
        assert_eq!(read(body), Ok(None), "{body:.20}");
    }
}

#[test]
fn a_path_is_checked_before_it_is_used() {
    let issues = |path: &str| {
        let settings = json!({ "path": path }).to_string();
        sluice_sdk::settings::check::<Settings>(&settings, validate)
    };
    for path in ["/v1/approvals", "/a"] {
        assert_eq!(issues(path), [], "{path}");
    }
    for path in [
        "",
        "v1",
        "/v1/",
        "/v1?x=1",
        "/../x",
        "//x",
        "/a b",
        "/",
        &format!("/{}", "x".repeat(200)),
    ] {
        assert_eq!(issues(path).len(), 1, "{path}");
    }
}
