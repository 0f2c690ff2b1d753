//! What the settings refuse, with its place.

use serde_json::{Value, json};
use sluice_sdk::Issue;

use crate::{Settings, validate};

fn issues(settings: &Value) -> Vec<Issue> {
    sluice_sdk::settings::check::<Settings>(&settings.to_string(), validate)
}

#[test]
fn what_the_documentation_shows_is_accepted() {
    let settings = json!({"requests": [
        {"path": "/health", "expect": {"status": 200, "json": {"status": "ok"}}},
        {"path": "/metrics", "expect": {"contains": "# TYPE"}, "retries": 5, "timeoutMs": 2000},
        {"path": "/", "target": "plain", "expect": {"redirectTo": "https://*"}},
        {"path": "/me", "auth": {"secret": "smoke-token"}},
        {"path": "/hook", "body": {"id": 1}, "sign": {"secret": "webhook-secret", "badStatus": [401, 403]}},
        {"path": "/x", "method": "HEAD", "headers": {"accept": "*/*"}, "expect": {"header": {"etag": "*"}}},
    ]});
    assert_eq!(issues(&settings), []);
}

#[test]
fn each_mistake_is_named_with_its_place() {
    let cases = [
        (json!({"path": "health"}), "/requests/0/path"),
        (json!({"path": "/a b"}), "/requests/0/path"),
        (json!({"path": "/a#b"}), "/requests/0/path"),
        (json!({"path": "/a\r\nhost: x"}), "/requests/0/path"),
        (json!({"path": "/", "method": "get"}), "/requests/0/method"),
        (
            json!({"path": "/", "target": "http://10.0.0.1"}),
            "/requests/0/target",
        ),
        (
            json!({"path": "/", "timeoutMs": 0}),
            "/requests/0/timeoutMs",
        ),
        (
            json!({"path": "/", "timeoutMs": 60001}),
            "/requests/0/timeoutMs",
        ),
        (json!({"path": "/", "retries": 11}), "/requests/0/retries"),
        (
            json!({"path": "/", "retryWaitMs": 30001}),
            "/requests/0/retryWaitMs",
        ),
        (
            json!({"path": "/", "headers": {"a b": "c"}}),
            "/requests/0/headers/a b",
        ),
        (
            json!({"path": "/", "headers": {"a/b": "c"}}),
            "/requests/0/headers/a~1b",
        ),
        (
            json!({"path": "/", "headers": {"a": "b\r\nc: d"}}),
            "/requests/0/headers/a",
        ),
        (
            json!({"path": "/", "headers": {"Authorization": "x"}, "auth": {"secret": "t"}}),
            "/requests/0/headers/Authorization",
        ),
        (
            json!({"path": "/", "auth": {"secret": "A B"}}),
            "/requests/0/auth/secret",
        ),
        (json!({"path": "/", "auth": {}}), "/requests/0/auth"),
        (
            json!({"path": "/", "sign": {"secret": "x", "badStatus": []}}),
            "/requests/0/sign/badStatus",
        ),
        (
            json!({"path": "/", "sign": {"secret": "x", "badStatus": 1}}),
            "/requests/0/sign/badStatus",
        ),
        (
            json!({"path": "/", "expect": {"status": 42}}),
            "/requests/0/expect/status",
        ),
        (
            json!({"path": "/", "expect": {"status": "ok"}}),
            "/requests/0/expect/status",
        ),
        (
            json!({"path": "/", "expect": {"statuses": 200}}),
            "/requests/0/expect/statuses",
        ),
        (
            json!({"path": "/", "expect": {"contains": ""}}),
            "/requests/0/expect/contains",
        ),
        (
            json!({"path": "/", "expect": {"maxMs": 0}}),
            "/requests/0/expect/maxMs",
        ),
        (
            json!({"path": "/", "expect": {"json": {"": 1}}}),
            "/requests/0/expect/json/",
        ),
        (
            json!({"path": "/", "method": "HEAD", "expect": {"contains": "x"}}),
            "/requests/0/expect",
        ),
        (json!({"pth": "/"}), "/requests/0/pth"),
        (json!({}), "/requests/0"),
    ];
    for (request, place) in cases {
        let found = issues(&json!({"requests": [request]}));
        assert_eq!(found.len(), 1, "{request}: {found:?}");
        assert_eq!(found[0].pointer, place, "{request}: {found:?}");
    }
}

#[test]
fn the_list_itself_has_bounds() {
    assert_eq!(issues(&json!({"requests": []}))[0].pointer, "/requests");
    assert_eq!(issues(&json!({}))[0].message, "missing field `requests`");
    let many: Vec<Value> = (0..33).map(|_| json!({"path": "/"})).collect();
    assert_eq!(issues(&json!({"requests": many})).len(), 1);
}

#[test]
fn all_mistakes_come_at_once() {
    let settings =
        json!({"requests": [{"path": "a"}, {"path": "/", "retries": 99, "timeoutMs": 0}]});
    assert_eq!(issues(&settings).len(), 3);
}

#[test]
fn a_wrong_type_says_what_was_expected() {
    let found = issues(&json!({"requests": [{"path": "/", "expect": {"status": true}}]}));
    assert_eq!(
        found[0].message,
        "invalid type: boolean `true`, expected one value or a list"
    );
}
