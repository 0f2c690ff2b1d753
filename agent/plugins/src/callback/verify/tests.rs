//! The attacks of reliability.md section 5 on a callback, without a host.

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::json;
use sha2::Sha256;

use super::*;

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const NOW: i64 = 1_800_000_000;

fn grant() -> CallbackGrant {
    serde_saphyr::from_str(
        "
signature: { slack: { secret: slack-signing-secret } }
body: { form: payload }
person: { provider: slack, pointer: /user/id }
subject: { pointer: /actions/0/value }
require: { /api_app_id: A123, /team/id: T123, /type: block_actions, /enterprise: null }
forbid: [/user/is_admin_of_nothing]
",
    )
    .unwrap()
}

fn press() -> Value {
    json!({
        "type": "block_actions",
        "api_app_id": "A123",
        "team": {"id": "T123", "domain": "shop"},
        "enterprise": null,
        "is_enterprise_install": false,
        "user": {"id": "U024BE7LH", "username": "alice", "name": "alice", "team_id": "T123"},
        "channel": {"id": "C024BE91L"},
        "container": {"type": "message", "message_ts": "1503435956.000001"},
        "actions": [{"action_id": "approve", "type": "button", "value": "sha256:abc"}],
    })
}

fn form(document: &Value) -> Vec<u8> {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", &document.to_string())
        .finish()
        .into_bytes()
}

fn sign(secret: &str, text: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    for part in text {
        mac.update(part);
    }
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn headers(secret: &str, second: i64, body: &[u8]) -> Vec<(String, String)> {
    let signature = sign(secret, &[format!("v0:{second}:").as_bytes(), body]);
    vec![
        ("X-Slack-Request-Timestamp".to_owned(), second.to_string()),
        ("X-Slack-Signature".to_owned(), format!("v0={signature}")),
        (
            "Content-Type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ),
        ("X-Forwarded-User".to_owned(), "erin".to_owned()),
    ]
}

fn receive(headers: &[(String, String)], body: &[u8]) -> Result<VerifiedCallback, CallbackRefused> {
    let now = Timestamp::from_second(NOW).unwrap();
    let secret = SecretValue::new(SECRET).unwrap();
    verify("slack-approval", &grant(), &secret, headers, body, now)
}

fn signed(document: &Value) -> Result<VerifiedCallback, CallbackRefused> {
    let body = form(document);
    receive(&headers(SECRET, NOW, &body), &body)
}

fn with(place: &str, value: Value) -> Value {
    let mut document = press();
    let (parent, key) = place.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    parent
        .as_object_mut()
        .unwrap()
        .insert(key.to_owned(), value);
    document
}

fn status(document: &Value) -> u16 {
    signed(document).unwrap_err().status
}

#[test]
fn a_press_of_a_button_says_who_and_about_what() {
    let callback = signed(&press()).unwrap();
    assert_eq!(
        callback.person,
        Identity::of(IdentityProvider::Slack, "U024BE7LH")
    );
    assert_eq!(callback.subject.as_deref(), Some("sha256:abc"));
    assert_eq!(
        serde_json::from_slice::<Value>(&callback.body).unwrap(),
        press()
    );
    let names: Vec<_> = callback
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["content-type"], "neither signature nor claims pass");
}

/// Attack 7.
#[test]
fn a_signature_holds_for_these_bytes_at_this_time_only() {
    let body = form(&press());
    let good = headers(SECRET, NOW, &body);
    assert!(receive(&good, &body).is_ok());
    assert_eq!(
        receive(&headers("another-secret", NOW, &body), &body)
            .unwrap_err()
            .status,
        401
    );
    for second in [NOW - 301, NOW + 301] {
        let refusal = receive(&headers(SECRET, second, &body), &body).unwrap_err();
        assert_eq!(refusal.status, 401);
    }
    for second in [NOW - 300, NOW + 300] {
        assert!(receive(&headers(SECRET, second, &body), &body).is_ok());
    }
    let mut refreshed = headers(SECRET, NOW - 301, &body);
    refreshed[0].1 = NOW.to_string();
    assert_eq!(receive(&refreshed, &body).unwrap_err().status, 401);
    let reencoded = String::from_utf8(body.clone())
        .unwrap()
        .replace("%22", "\"");
    assert_eq!(
        receive(&good, reencoded.as_bytes()).unwrap_err().status,
        401
    );
    for index in [0, 1] {
        let mut missing = good.clone();
        missing.remove(index);
        assert_eq!(receive(&missing, &body).unwrap_err().status, 401);
        let mut twice = good.clone();
        let (name, value) = twice[index].clone();
        twice.push((name.to_lowercase(), value));
        assert_eq!(receive(&twice, &body).unwrap_err().status, 401);
    }
    let mut other_version = good.clone();
    other_version[1].1 = other_version[1].1.replace("v0=", "v1=");
    assert_eq!(receive(&other_version, &body).unwrap_err().status, 401);
}

/// Attack 8.
#[test]
fn an_exact_replay_has_the_same_key_and_another_press_has_not() {
    let key = |document: &Value, second| {
        let body = form(document);
        receive(&headers(SECRET, second, &body), &body).unwrap().key
    };
    assert_eq!(key(&press(), NOW), key(&press(), NOW));
    assert_ne!(key(&press(), NOW), key(&press(), NOW - 1));
    assert_ne!(
        key(&press(), NOW),
        key(&with("/user/id", json!("U999")), NOW)
    );
}

/// Attack 9.
#[test]
fn whoever_is_no_colleague_is_refused() {
    let strangers = [
        ("/api_app_id", json!("A999")),
        ("/team/id", json!("T999")),
        ("/type", json!("view_submission")),
        ("/enterprise", json!({"id": "E1"})),
        ("/user/team_id", json!("T999")),
        ("/user/team_id", json!(null)),
        ("/user/is_bot", json!(true)),
        ("/user/is_app_user", json!(true)),
        ("/user/is_restricted", json!(true)),
        ("/user/is_ultra_restricted", json!("true")),
        ("/user/is_stranger", json!(1)),
        ("/user/deleted", json!(true)),
        ("/user/is_admin_of_nothing", json!([])),
    ];
    for (place, value) in strangers {
        assert_eq!(status(&with(place, value.clone())), 403, "{place} {value}");
    }
    assert!(signed(&with("/user/is_bot", json!(false))).is_ok());
    let mut homeless = press();
    homeless["user"].as_object_mut().unwrap().remove("team_id");
    assert_eq!(status(&homeless), 403);
    let renamed = signed(&with("/user/name", json!("bob"))).unwrap();
    assert_eq!(renamed.person.username, "U024BE7LH");
}

/// A grant whose person is the plugin, but whose sender is Slack, keeps strangers out all the same.
#[test]
fn strangers_of_slack_do_not_decide_for_the_plugin_either() {
    let anonymous = CallbackGrant {
        person: super::super::CallbackPerson::default(),
        ..grant()
    };
    let secret = SecretValue::new(SECRET).unwrap();
    let now = Timestamp::from_second(NOW).unwrap();
    let send = |document: &Value| {
        let body = form(document);
        verify(
            "x",
            &anonymous,
            &secret,
            &headers(SECRET, NOW, &body),
            &body,
            now,
        )
    };
    assert_eq!(
        send(&press()).unwrap().person,
        Identity::of(IdentityProvider::Plugin, "x")
    );
    assert_eq!(
        send(&with("/user/team_id", json!("T999")))
            .unwrap_err()
            .status,
        403
    );
}

/// Attack 14.
#[test]
fn a_name_anywhere_else_is_ignored() {
    let mut document = with("/user/username", json!("U0000001"));
    document["approver"] = json!("bob");
    document["user_id"] = json!("U0000002");
    assert_eq!(signed(&document).unwrap().person.username, "U024BE7LH");
    for id in [
        json!("alice"),
        json!("U1 "),
        json!("u024be7lh"),
        json!(7),
        json!(null),
        json!("U"),
        json!("U".repeat(65)),
    ] {
        assert_eq!(status(&with("/user/id", id.clone())), 400, "{id}");
    }
}

#[test]
fn what_is_no_hash_is_no_subject() {
    let about = |value: Value| {
        let mut document = press();
        document["actions"][0]["value"] = value;
        signed(&document)
    };
    assert_eq!(about(json!(null)).unwrap().subject, None);
    for value in [
        json!(1),
        json!(""),
        json!("a b"),
        json!("x".repeat(129)),
        json!({"a": 1}),
    ] {
        assert_eq!(about(value.clone()).unwrap_err().status, 400, "{value}");
    }
    let mut nothing = press();
    nothing.as_object_mut().unwrap().remove("actions");
    assert_eq!(signed(&nothing).unwrap().subject, None);
}

/// Attack 23.
#[test]
fn what_cannot_be_read_is_refused_in_bounded_time() {
    let bodies: [Vec<u8>; 5] = [
        Vec::new(),
        vec![0x1f, 0x8b, 8, 0, 0],
        format!("payload={}", "[".repeat(200_000)).into_bytes(),
        b"payload=".to_vec(),
        form(&json!([press()])),
    ];
    for body in bodies {
        let refusal = receive(&headers(SECRET, NOW, &body), &body).unwrap_err();
        assert_eq!(refusal.status, 400, "{refusal}");
    }
    for field in ["type", "api_app_id", "team", "user"] {
        let mut document = press();
        document.as_object_mut().unwrap().remove(field);
        assert_eq!(status(&document), 403, "{field}");
    }
    let large = vec![b'x'; MAX_CALLBACK_BYTES + 1];
    assert_eq!(
        receive(&headers(SECRET, NOW, &large), &large)
            .unwrap_err()
            .status,
        413
    );
}

#[test]
fn the_general_form_signs_time_and_body() {
    let plain: CallbackGrant = serde_saphyr::from_str(
        "signature: { hmac: { secret: hook, header: x-signature, timestampHeader: x-timestamp } }\nbody: json\nsubject: { pointer: /subject }",
    )
    .unwrap();
    let secret = SecretValue::new(SECRET).unwrap();
    let now = Timestamp::from_second(NOW).unwrap();
    let body = br#"{"subject": "sha256:abc", "approver": "bob"}"#;
    let signature = sign(SECRET, &[NOW.to_string().as_bytes(), b".", body]);
    let send = |signature: &str| {
        let headers = [
            ("x-signature".to_owned(), signature.to_owned()),
            ("x-timestamp".to_owned(), NOW.to_string()),
        ];
        verify("hook", &plain, &secret, &headers, body, now)
    };
    let callback = send(&signature).unwrap();
    assert_eq!(
        callback.person,
        Identity::of(IdentityProvider::Plugin, "hook")
    );
    assert_eq!(callback.subject.as_deref(), Some("sha256:abc"));
    assert_eq!(send(&format!("sha256={signature}")), Ok(callback));
    let body_only = sign(SECRET, &[body]);
    assert_eq!(
        send(&body_only).unwrap_err().status,
        401,
        "no time, no freshness"
    );
}

proptest! {
    /// Whatever comes, signed or not: an answer, never a panic.
    #[test]
    fn no_bytes_bring_it_down(body in proptest::collection::vec(any::<u8>(), 0..300), is_form: bool) {
        let mut open = grant();
        if !is_form {
            open.body = super::super::CallbackBody::Json;
        }
        let secret = SecretValue::new(SECRET).unwrap();
        let now = Timestamp::from_second(NOW).unwrap();
        let refusal = verify("x", &open, &secret, &headers(SECRET, NOW, &body), &body, now).unwrap_err();
        prop_assert!([400, 403].contains(&refusal.status));
        let unsigned = verify("x", &open, &secret, &headers("other-secret", NOW, &body), &body, now);
        prop_assert_eq!(unsigned.unwrap_err().status, 401);
    }
}
