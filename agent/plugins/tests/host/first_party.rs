//! The plugins of this repository, through the whole host, against servers that look closely.

mod budget;
mod notify;
mod prometheus;
mod readmes;
mod suite;
mod tls;
mod webhook;

use std::sync::Arc;

use serde_json::{Value, json};
use sluice_core::plugin::{
    Event, Judgement, Outcome, PlanStep, PluginAnswer, PluginCall, PluginKind, Severity,
    StepObservation, Targets,
};
use sluice_core::port::PluginHost as _;
use sluice_plugins::{Host, HostOptions, MemorySecrets};

use crate::server::{self, Reply, Seen, Server};
use crate::support::{Folder, call, invocation, operator_file, smoke, test_options};

const TOKEN: &str = "xoxb-1234-5678-abcdef";

fn health(status: &'static str) -> impl Fn(&Seen) -> Reply {
    move |seen| match seen.uri.path() {
        "/health" => server::json(200, &json!({ "status": status })),
        _ => server::json(404, &json!({})),
    }
}

fn health_settings() -> Value {
    json!({ "requests": [{ "path": "/health", "expect": { "json": { "status": "ok" } } }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_smoke_passes_a_healthy_pod_and_fails_a_sick_one() {
    let (good, bad) = (
        server::start(health("ok")).await,
        server::start(health("broken")).await,
    );
    let host = Folder::new()
        .plugin("http_smoke", "http_smoke.wasm")
        .host()
        .await;
    let report = smoke(
        &host,
        "http-smoke",
        invocation(health_settings(), &[good.url()]),
    )
    .await
    .unwrap();
    assert_eq!(report.outcome, Outcome::Pass, "{report:?}");
    assert_eq!(
        good.requests()[0].header("host"),
        good.url().trim_start_matches("http://")
    );
    assert!(
        good.requests()[0]
            .header("user-agent")
            .starts_with("sluice/")
    );
    let pods = [good.url(), bad.url()];
    let report = smoke(&host, "http-smoke", invocation(health_settings(), &pods))
        .await
        .unwrap();
    assert_eq!(report.outcome, Outcome::Fail, "{report:?}");
    assert!(
        report.checks[0]
            .name
            .starts_with(bad.url().trim_start_matches("http://")),
        "{report:?}"
    );
    assert!(report.checks[0].message.contains("broken"), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_smoke_reaches_the_service_and_the_stable_version() {
    let servers: Vec<Server> = vec![
        server::start(health("ok")).await,
        server::start(health("ok")).await,
        server::start(health("ok")).await,
    ];
    let host = Folder::new()
        .plugin("http_smoke", "http_smoke.wasm")
        .host()
        .await;
    let settings = json!({ "requests": [
        { "name": "new", "path": "/health" },
        { "name": "old", "path": "/health", "target": "stable" },
        { "name": "users", "path": "/health", "target": "service" },
    ]});
    let mut call = invocation(settings, &[]);
    call.targets = Targets {
        candidate: vec![servers[0].url()],
        stable: vec![servers[1].url()],
        service: Some(servers[2].url()),
    };
    let report = smoke(&host, "http-smoke", call).await.unwrap();
    assert_eq!(report.outcome, Outcome::Pass, "{report:?}");
    for server in &servers {
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_smoke_complains_about_settings_before_they_are_used() {
    let host = Folder::new()
        .plugin("http_smoke", "http_smoke.wasm")
        .host()
        .await;
    let answer = |settings: Value| {
        let call_ = PluginCall::ValidateSettings {
            plugin: "http-smoke".to_owned(),
            settings,
        };
        call(&host, call_)
    };
    assert_eq!(
        answer(health_settings()).await,
        PluginAnswer::Settings(vec![])
    );
    match answer(json!({ "requests": [{ "path": 7 }] })).await {
        PluginAnswer::Settings(issues) => assert!(!issues.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_smoke_without_an_answer_is_not_a_pass() {
    let host = Folder::new()
        .plugin("http_smoke", "http_smoke.wasm")
        .host()
        .await;
    let nobody = ["http://127.0.0.1:9".to_owned()];
    match smoke(&host, "http-smoke", invocation(health_settings(), &nobody)).await {
        Ok(report) => assert_ne!(report.outcome, Outcome::Pass, "{report:?}"),
        Err(fault) => panic!("{fault:?}"),
    }
}

async fn strategies() -> Host {
    let folder = Folder::new()
        .plugin("canary", "canary.wasm")
        .plugin("rolling", "rolling.wasm");
    let host = folder.host().await;
    assert_eq!(host.problems(), []);
    host
}

async fn plan(host: &Host, plugin: &str, settings: Value) -> Vec<PlanStep> {
    let invocation = invocation(settings, &[]);
    match call(
        host,
        PluginCall::Plan {
            plugin: plugin.to_owned(),
            invocation,
        },
    )
    .await
    {
        PluginAnswer::Plan(steps) => steps,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canary_plans_the_same_twice_and_judges() {
    let host = strategies().await;
    let settings = json!({ "steps": [
        { "weight": "10%", "hold": "2m" },
        { "weight": "50%", "hold": "5m" },
        { "weight": "100%" },
    ]});
    let steps = plan(&host, "canary", settings.clone()).await;
    let weights: Vec<(u16, u64)> = steps.iter().map(|s| (s.weight_bp, s.hold_ms)).collect();
    assert_eq!(&weights[..2], [(1000, 120_000), (5000, 300_000)]);
    assert_eq!(weights[2].0, 10_000);
    assert_eq!(steps, plan(&host, "canary", settings.clone()).await);
    let judge = |healthy: bool| {
        let seen = StepObservation {
            elapsed_ms: 1000,
            weight_bp: 1000,
            healthy,
            samples: vec![],
        };
        call(
            &host,
            PluginCall::Judge {
                plugin: "canary".to_owned(),
                invocation: invocation(settings.clone(), &[]),
                step: steps[0].clone(),
                observations: vec![seen],
            },
        )
    };
    assert_eq!(
        judge(true).await,
        PluginAnswer::Judgement(Judgement::Proceed)
    );
    assert!(matches!(
        judge(false).await,
        PluginAnswer::Judgement(Judgement::Hold(_))
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_plans_one_step() {
    let steps = plan(&strategies().await, "rolling", json!({})).await;
    assert_eq!(steps.last().unwrap().weight_bp, 10_000, "{steps:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blue_green_plans_a_step_without_traffic() {
    let folder = Folder::new().plugin("blue_green", "blue_green.wasm");
    let steps = plan(&folder.host().await, "blue-green", json!({})).await;
    let weights: Vec<u16> = steps.iter().map(|step| step.weight_bp).collect();
    assert_eq!(weights, [0, 10_000]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_is_not_asked_what_its_kind_cannot_answer() {
    let host = strategies().await;
    let fault = smoke(&host, "canary", invocation(json!({}), &[]))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "plugin/missing");
    assert!(
        fault.message.contains("is a traffic-strategy"),
        "{}",
        fault.message
    );
    let fault = smoke(&host, "nobody", invocation(json!({}), &[]))
        .await
        .unwrap_err();
    assert!(
        fault.message.contains("known: canary, rolling"),
        "{}",
        fault.message
    );
}

/// What Slack would say about a request.
fn slack(seen: &Seen) -> Reply {
    let refuse = |error: &str| server::json(200, &json!({ "ok": false, "error": error }));
    if seen.method != http::Method::POST {
        return refuse("invalid_method");
    }
    if seen.header("content-type") != "application/json; charset=utf-8" {
        return refuse("invalid_content_type");
    }
    if seen.header("authorization") != format!("Bearer {TOKEN}") {
        return refuse("invalid_auth");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&seen.body) else {
        return refuse("invalid_json");
    };
    if let Some(error) = slack_refuses(&body) {
        return refuse(error);
    }
    match (seen.uri.path(), body["channel"].as_str()) {
        ("/api/chat.postMessage", Some("#deploys" | "C024BE91L")) => {}
        ("/api/chat.update", Some("C024BE91L")) if body["ts"] == "1503435956.000247" => {}
        ("/api/chat.update", Some("C024BE91L")) => return refuse("message_not_found"),
        ("/api/chat.postMessage" | "/api/chat.update", _) => return refuse("channel_not_found"),
        _ => return server::json(404, &json!({ "ok": false, "error": "unknown_method" })),
    }
    server::json(
        200,
        &json!({ "ok": true, "channel": "C024BE91L", "ts": "1503435956.000247" }),
    )
}

/// Slack's limits on a message: https://docs.slack.dev/reference/block-kit/blocks.
fn slack_refuses(body: &Value) -> Option<&'static str> {
    let text = body["text"].as_str().unwrap_or_default();
    if text.is_empty() {
        return Some("no_text");
    }
    if text.chars().count() > 4000 {
        return Some("msg_too_long");
    }
    let Some(blocks) = body["blocks"].as_array() else {
        return Some("invalid_blocks");
    };
    if blocks.is_empty() || blocks.len() > 50 {
        return Some("invalid_blocks");
    }
    for block in blocks {
        let valid = match block["type"].as_str() {
            Some("section") => block["text"]["text"]
                .as_str()
                .is_some_and(|t| (1..=3000).contains(&t.chars().count())),
            Some("context") => block["elements"]
                .as_array()
                .is_some_and(|elements| (1..=10).contains(&elements.len())),
            Some("header") => block["text"]["text"]
                .as_str()
                .is_some_and(|t| (1..=150).contains(&t.chars().count())),
            Some("divider" | "actions") => true,
            _ => false,
        };
        if !valid {
            return Some("invalid_blocks");
        }
    }
    None
}

async fn slack_host(url: &str) -> Host {
    let grants = json!({
        "grants": { "http": { "slack": {
            "url": url, "methods": ["POST"],
            "paths": ["/api/chat.postMessage", "/api/chat.update"],
            "secrets": ["slack-token"], "allowLoopback": true, "plaintextSecrets": true,
        } }, "limits": { "wall-ms": 15000 } },
        "secrets": { "slack-token": { "secret": "slack", "key": "token" } },
        "settings": { "channel": "#deploys" },
    });
    let folder = Folder::new()
        .plugin("slack_notify", "slack_notify.wasm")
        .file(
            "plugins.yaml",
            operator_file("slack-notify", "slack_notify.wasm", grants),
        );
    let secrets = MemorySecrets::default()
        .with("slack", "token", TOKEN)
        .unwrap();
    let options = HostOptions {
        secrets: Arc::new(secrets),
        ..test_options()
    };
    let host = folder.host_with(options).await;
    assert_eq!(host.problems(), []);
    host
}

fn event(id: &str, kind: &str, severity: Severity, thread: Option<String>) -> PluginCall {
    PluginCall::Notify {
        plugin: "slack-notify".to_owned(),
        invocation: invocation(json!({}), &[]),
        event: Event {
            id: id.to_owned(),
            kind: kind.to_owned(),
            severity,
            title: "storefront v1.2.0 <production> & more".to_owned(),
            body: "x".repeat(10_000),
            links: vec![(
                "dashboard".to_owned(),
                "https://sluice.example.com/r/1".to_owned(),
            )],
            thread,
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_gets_what_slack_accepts() {
    let slack = server::start(slack).await;
    let host = slack_host(&slack.url()).await;
    let thread = match call(&host, event("0b7d/1", "started", Severity::Info, None)).await {
        PluginAnswer::Notified(Some(thread)) => thread,
        other => panic!("{other:?}"),
    };
    let first = &slack.requests()[0];
    assert_eq!(first.uri.path(), "/api/chat.postMessage");
    let body = first.json();
    assert_eq!(body["channel"], "#deploys");
    let shown = body.to_string();
    assert!(shown.contains("&lt;production&gt; &amp; more"), "{shown}");
    assert!(!shown.contains("<production>"), "{shown}");
    let later = event("0b7d/2", "rolled-back", Severity::Critical, Some(thread));
    assert!(matches!(
        call(&host, later).await,
        PluginAnswer::Notified(Some(_))
    ));
    let paths: Vec<String> = slack
        .requests()
        .iter()
        .map(|seen| seen.uri.path().to_owned())
        .collect();
    assert_eq!(
        paths,
        [
            "/api/chat.postMessage",
            "/api/chat.update",
            "/api/chat.postMessage"
        ]
    );
    let reply = slack.requests()[2].json();
    assert_eq!(reply["thread_ts"], "1503435956.000247");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_s_refusals_become_faults_that_say_what_to_do() {
    let limited = server::start(|_| {
        let mut reply = server::json(429, &json!({ "ok": false, "error": "ratelimited" }));
        reply
            .headers_mut()
            .insert("retry-after", http::HeaderValue::from_static("7"));
        reply
    })
    .await;
    for (server, code, retryable, words) in [
        (limited, "plugin/said-rate-limited", true, "7000"),
        (
            server::start(|_| {
                server::json(200, &json!({"ok": false, "error": "channel_not_found"}))
            })
            .await,
            "plugin/said-invalid-config",
            false,
            "channel",
        ),
        (
            server::start(|_| server::json(200, &json!({"ok": false, "error": "invalid_auth"})))
                .await,
            "plugin/said-denied",
            false,
            "",
        ),
        (
            server::start(|_| server::json(503, &json!({}))).await,
            "plugin/said-unavailable",
            true,
            "",
        ),
    ] {
        let host = slack_host(&server.url()).await;
        match call(&host, event("0b7d/1", "started", Severity::Info, None)).await {
            PluginAnswer::Failed(fault) => {
                assert_eq!(
                    (fault.code.as_str(), fault.retryable),
                    (code, retryable),
                    "{fault:?}"
                );
                assert!(fault.message.contains(words), "{}", fault.message);
                assert!(!fault.message.contains(TOKEN), "{}", fault.message);
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_without_a_grant_is_not_loaded_and_the_card_says_what_to_add() {
    let host = Folder::new()
        .plugin("slack_notify", "slack_notify.wasm")
        .host()
        .await;
    let card = host.problems().remove(0);
    assert_eq!(card.code, "plugin/grant-missing");
    assert_eq!(
        card.change,
        "add   http: { slack: { url: \"https://slack.com:443\", methods: [POST], \
         paths: [/api/chat.postMessage, /api/chat.update], secrets: [slack-token] } }"
    );
    assert!(
        host.catalog()
            .iter()
            .all(|info| info.kind != PluginKind::Notifier)
    );
}

/// A13: an authenticated call is skipped, visibly, where no token is configured, and made with the
/// token where one is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_smoke_skips_what_needs_a_secret_that_is_not_configured() {
    let shop = server::start(|seen: &Seen| match seen.header("authorization") {
        "Bearer smoke-secret-1" => server::json(200, &json!({ "user": "smoke" })),
        _ => server::json(401, &json!({})),
    })
    .await;
    let entry = r#"plugins:
  - name: http-smoke
    source: {file: http_smoke.wasm}
    grants:
      http: {candidate: {methods: [GET], paths: ["/*"], secrets: [smoke-token], allowLoopback: true, plaintextSecrets: true}}
    secrets: {smoke-token: {secret: smoke, key: token}}
"#;
    let settings = json!({ "requests": [
        { "path": "/me", "auth": { "secret": "smoke-token" }, "expect": { "status": 200 } }] });
    for (value, wanted) in [
        (None, Outcome::Skipped),
        (Some("smoke-secret-1"), Outcome::Pass),
    ] {
        let secrets = match value {
            None => MemorySecrets::default(),
            Some(value) => MemorySecrets::default()
                .with("smoke", "token", value)
                .unwrap(),
        };
        let options = HostOptions {
            secrets: Arc::new(secrets),
            ..test_options()
        };
        let folder = Folder::new()
            .plugin("http_smoke", "http_smoke.wasm")
            .file("plugins.yaml", entry);
        let host = folder.host_with(options).await;
        let report = smoke(
            &host,
            "http-smoke",
            invocation(settings.clone(), &[shop.url()]),
        )
        .await;
        assert_eq!(report.unwrap().outcome, wanted);
    }
}
