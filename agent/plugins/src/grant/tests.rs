//! Golden tests of the cards: wrong hints live for years (plugins.md section 6).

use super::*;
use crate::manifest::Manifest;
use crate::operator::PluginsFile;

const SLACK: &str = r#"
    api = "sluice:plugin@0.1"
    plugin = { kind = "notifier", name = "slack", version = "1.2.0" }
    limits = { memory-mib = 128, requests = 200 }
    http.targets.slack = { hosts = ["https://slack.com:443"], methods = ["POST"], paths = ["/api/chat.postMessage", "/api/chat.update"], secrets = ["slack-token"] }
    http.targets.files = { hosts = ["https://files.slack.com:443"], methods = ["PUT"], paths = ["/upload/*"] }
    http.targets.webhook = { hosts = ["*"], methods = ["POST"], paths = ["/*"] }
"#;

const SMOKE: &str = r#"
    api = "sluice:plugin@0.1"
    plugin = { kind = "smoke-test", name = "http-smoke", version = "0.1.0" }
    http.targets.candidate = { methods = ["GET"], paths = ["/public/*"], secrets = ["smoke-token"] }
"#;

fn outcome(manifest: &str, entry: &str, loopback: bool) -> Outcome {
    let manifest = Manifest::parse(manifest.as_bytes(), "x.wasm").unwrap();
    let file = format!("plugins:\n  - name: slack\n    source: {{ file: slack.wasm }}\n{entry}");
    let file = PluginsFile::parse(&file).unwrap();
    permissions(
        &manifest,
        &file.plugins[0],
        "plugins.yaml, plugins[0].grants",
        loopback,
    )
}

fn cards(outcome: &Outcome) -> String {
    let cards: Vec<String> = outcome
        .missing
        .iter()
        .chain(&outcome.smaller)
        .map(ToString::to_string)
        .collect();
    cards.join("\n")
}

#[test]
fn nothing_granted_names_everything_to_add() {
    let outcome = outcome(SLACK, "", false);
    insta::assert_snapshot!(cards(&outcome));
    assert!(outcome.permissions.targets.is_empty());
    assert_eq!(outcome.permissions.limits.memory_mib, 64);
}

#[test]
fn a_narrow_grant_names_what_it_lacks() {
    let outcome = outcome(
        SLACK,
        r#"    grants:
      limits: { memory-mib: 256, requests: 128 }
      http:
        slack: { url: "https://slack.com:443", methods: [GET], paths: [/api/chat.postMessage] }
        files: { url: "https://evil.example:443", methods: [PUT], paths: ["/*"] }
        webhook: { url: "https://hooks.example.com", methods: [], paths: [/a] }
"#,
        false,
    );
    insta::assert_snapshot!(cards(&outcome));
    let slack = &outcome.permissions.targets["slack"];
    assert!(slack.methods.is_empty() && slack.secrets.is_empty());
    assert!(!outcome.permissions.targets.contains_key("files"));
}

#[test]
fn a_full_grant_leaves_nothing_to_say() {
    let outcome = outcome(
        SLACK,
        r#"    grants:
      limits: { memory-mib: 128, requests: 128 }
      http:
        slack: { url: "https://slack.com", methods: [POST, GET], paths: ["/api/*"], secrets: [slack-token, other], plaintextSecrets: true }
        files: { url: "https://files.slack.com:443", methods: [PUT], paths: ["/*"] }
    secrets: { slack-token: { secret: slack, key: token } }
"#,
        false,
    );
    assert_eq!(outcome.missing, []);
    let slack = &outcome.permissions.targets["slack"];
    assert_eq!(
        Vec::from_iter(&slack.methods),
        ["POST"],
        "only what was asked for"
    );
    assert_eq!(Vec::from_iter(&slack.secrets), ["slack-token"]);
    assert!(!slack.plaintext_secrets, "in clear only within the cluster");
    assert_eq!(
        slack.reach,
        Reach {
            private: false,
            loopback: false
        }
    );
    // Asked for 200 requests; the ceiling is 128.
    assert_eq!(outcome.permissions.limits.requests, 128);
    let smaller = outcome.smaller.unwrap();
    assert_eq!(
        smaller.why,
        ["it asks for requests = 200; 128 is granted, the most there is"]
    );
}

#[test]
fn a_granted_secret_needs_a_place_where_it_lies() {
    let entry = r#"    grants:
      http:
        slack: { url: "https://slack.com", methods: [POST], paths: ["/api/*"], secrets: [slack-token] }
        files: { url: "https://files.slack.com:443", methods: [PUT], paths: ["/*"] }
"#;
    let outcome = outcome(
        &SLACK.replace("memory-mib = 128, requests = 200", ""),
        entry,
        false,
    );
    insta::assert_snapshot!(cards(&outcome));
}

#[test]
fn loopback_stands_in_for_a_server_only_where_the_host_allows_it() {
    let entry = r#"    grants:
      http:
        slack: { url: "http://127.0.0.1:8080", methods: [POST], paths: ["/*"], secrets: [slack-token], allowLoopback: true, plaintextSecrets: true }
        files: { url: "https://files.slack.com:443", methods: [PUT], paths: ["/*"] }
    secrets: { slack-token: { secret: slack, key: token } }
"#;
    let demo = outcome(SLACK, entry, true);
    assert_eq!(demo.missing, []);
    let slack = &demo.permissions.targets["slack"];
    assert!(slack.plaintext_secrets);
    assert_eq!(
        slack.reach,
        Reach {
            private: false,
            loopback: true
        }
    );
    let real = outcome(SLACK, entry, false);
    insta::assert_snapshot!(cards(&real));
}

#[test]
fn the_rollouts_targets_need_no_grant_and_secrets_need_one() {
    let closed = outcome(SMOKE, "", false);
    assert_eq!(cards(&closed), "");
    let candidate = &closed.permissions.targets["candidate"];
    assert!(candidate.secrets.is_empty());
    assert_eq!(Vec::from_iter(&candidate.methods), ["GET"]);
    assert_eq!(
        candidate.reach,
        Reach {
            private: true,
            loopback: false
        }
    );
    assert_eq!(closed.permissions.targets["service"].methods.len(), 7);
    let open = outcome(
        SMOKE,
        r#"    grants: { http: { candidate: { secrets: [smoke-token], plaintextSecrets: true } } }
    secrets: { smoke-token: { secret: smoke, key: token } }
"#,
        false,
    );
    assert_eq!(cards(&open), "");
    let candidate = &open.permissions.targets["candidate"];
    assert!(candidate.plaintext_secrets && candidate.secrets.contains("smoke-token"));
}
