use serde_json::json;

use super::*;

const EXAMPLE: &str = r"
signature: { slack: { secret: slack-signing-secret } }
body: { form: payload }
person: { provider: slack, pointer: /user/id }
subject: { pointer: /actions/0/value }
require: { /api_app_id: A123, /team/id: T123, /type: block_actions, /enterprise: null, /n: 5 }
forbid: [/user/is_bot]
";

fn read(text: &str) -> CallbackGrant {
    serde_saphyr::from_str(text).unwrap()
}

fn faults(grant: &CallbackGrant) -> Vec<String> {
    let mut faults = Vec::new();
    grant.faults("callbacks", &mut faults);
    faults
}

#[test]
fn the_example_is_read_and_has_no_faults() {
    let grant = read(EXAMPLE);
    assert_eq!(faults(&grant), Vec::<String>::new());
    assert_eq!(grant.signature.secret(), "slack-signing-secret");
    assert_eq!(grant.body, CallbackBody::Form("payload".to_owned()));
    assert_eq!(grant.require["/team/id"], json!("T123"));
    assert_eq!(grant.slack_home(), Some("T123"));
}

#[test]
fn a_plain_sender_vouches_for_nobody_in_particular() {
    let grant = read(
        "signature: { hmac: { secret: hook, header: x-signature, timestampHeader: x-timestamp } }\nbody: json",
    );
    assert_eq!(faults(&grant), Vec::<String>::new());
    assert_eq!(grant.person.provider, IdentityProvider::Plugin);
    assert_eq!(grant.signature.header(), "x-signature");
    assert_eq!(grant.signature.timestamp_header(), "x-timestamp");
}

#[test]
fn unknown_fields_are_refused_on_every_level() {
    for (from, to) in [
        ("body:", "bodies:"),
        ("secret: slack", "secrets: slack"),
        ("{ slack:", "{ github:"),
        ("{ form:", "{ query:"),
        ("pointer: /user", "place: /user"),
        ("pointer: /actions", "place: /actions"),
        ("provider: slack", "provider: email"),
    ] {
        let text = EXAMPLE.replace(from, to);
        assert!(
            serde_saphyr::from_str::<CallbackGrant>(&text).is_err(),
            "{to}"
        );
    }
}

#[test]
fn slack_without_pins_is_refused() {
    let open = read(
        "signature: { slack: { secret: s } }\nbody: json\nperson: { provider: slack, pointer: /user/id }\nrequire: { /api_app_id: null }",
    );
    insta::assert_snapshot!(faults(&open).join("\n"));
}

#[test]
fn every_fault_is_listed_at_once() {
    let grant = read(
        r#"
signature: { hmac: { secret: "No Name", header: "x y", timestampHeader: "x y" } }
body: { form: "" }
person: { provider: slack, pointer: user }
subject: { pointer: actions }
require: { "": 1, /a~2: 1, /list: [1] }
forbid: [user]
"#,
    );
    insta::assert_snapshot!(faults(&grant).join("\n"));
    for provider in ["kubernetes", "oidc", "caller"] {
        let text = EXAMPLE.replace("provider: slack", &format!("provider: {provider}"));
        assert_eq!(faults(&read(&text)).len(), 1, "{provider}");
    }
    let named = EXAMPLE.replace("provider: slack", "provider: plugin");
    assert_eq!(faults(&read(&named)).len(), 1, "plugin names nobody");
    let nameless = EXAMPLE.replace(", pointer: /user/id", "");
    assert_eq!(faults(&read(&nameless)).len(), 1, "whom?");
}
