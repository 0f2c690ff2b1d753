//! The verbs of a plugin's author, with a plugin that comes with Sluice: its cases hold, or the difference
//! is told by its place; what is recorded holds when it is played.

use std::path::Path;

use clap::Parser as _;
use serde_json::Value;
use sluice::{Cli, Exit, Format, Output};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PLUGIN: &str = "http-smoke";

/// What the case is about; each test spoils one part of it.
const CASE: &str = r#"
    settings = { requests = [{ path = "/health", expect = { json = { status = "ok" } } }] }

    [[exchange]]
    request = { method = "GET", path = "/health" }
    response = { status = 200, json = { status = "ok" } }

    [expect]
    outcome = "pass"
"#;

/// A project whose component is there already, so that nothing is built.
fn project(case: &str) -> tempfile::TempDir {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(
        root.join("plugins/http-smoke/plugin.toml"),
        at("plugin.toml"),
    )
    .unwrap();
    let built = root.join("target/wasm32-wasip2/plugin/http_smoke.wasm");
    assert!(built.is_file(), "run `make plugins` first");
    // Written, not copied: younger than what lies beside it.
    let component = std::fs::read(built).unwrap();
    std::fs::write(at(&format!("{PLUGIN}.wasm")), component).unwrap();
    std::fs::create_dir(at("cases")).unwrap();
    std::fs::write(at("cases/health.toml"), case).unwrap();
    folder
}

/// One command, its document, and what it wrote to standard error.
async fn plugin(words: &[&str]) -> (Exit, Value, String) {
    let fixed = ["sluice", "-o", "json", "plugin"];
    let cli = Cli::parse_from(fixed.iter().chain(words));
    let (out, seen) = Output::captured(Format::Json);
    let exit = sluice::run(cli, out).await;
    let document = serde_json::from_str(&seen.out()).unwrap_or_default();
    (exit, document, seen.err())
}

async fn tested(case: &str) -> (Exit, Value) {
    let folder = project(case);
    let (exit, document, err) = plugin(&["test", folder.path().to_str().unwrap()]).await;
    assert!(err.is_empty(), "{err}");
    (exit, document["cases"][0].clone())
}

#[tokio::test]
async fn a_case_that_holds_shows_what_it_used() {
    let (exit, case) = tested(CASE).await;
    assert_eq!(exit, Exit::Done, "{case:#}");
    assert_eq!(case["holds"], true);
    for budget in ["cpu", "wall", "memory", "requests"] {
        let used = &case["used"][budget];
        assert!(used["used"].as_f64().unwrap() > 0.0, "{budget}: {used}");
        let share = used["percent"].as_f64().unwrap();
        assert!(share > 0.0 && share < 100.0, "{budget}: {used}");
    }
}

#[tokio::test]
async fn each_difference_is_told_by_its_place() {
    let more = "[[exchange]]\nrequest = { path = \"/b\" }\nresponse = { status = 200 }\n[expect]";
    for (from, to, told) in [
        (
            "\"pass\"",
            "\"fail\"",
            "/expect/outcome: expected \"fail\", came \"pass\"",
        ),
        (
            "path = \"/health\" }\n    resp",
            "path = \"/ready\" }\n    resp",
            "/exchange/0/request/path: expected \"/ready\", came \"/health\"",
        ),
        (
            "method = \"GET\"",
            "method = \"POST\"",
            "/exchange/0/request/method: expected \"POST\", came \"GET\" (GET /health on candidate)",
        ),
        (
            "[expect]",
            more,
            "expected GET /b on candidate, it never came",
        ),
    ] {
        assert!(CASE.contains(from), "{from}");
        let (exit, case) = tested(&CASE.replacen(from, to, 1)).await;
        assert_eq!(exit, Exit::NotDone, "{case:#}");
        let differences = case["differences"].as_array().unwrap();
        assert!(differences.iter().any(|d| d == told), "{case:#}");
    }
    let silent =
        "settings = { requests = [{ path = \"/health\" }] }\nexpect = { outcome = \"pass\" }";
    let (_, case) = tested(silent).await;
    assert_eq!(
        case["differences"][0],
        "no further request was expected, came GET /health on candidate"
    );
}

#[tokio::test]
async fn the_time_that_a_case_says_passes_and_its_limit_is_the_calls() {
    let slow = CASE.replace("status = 200, json", "after-ms = 300, status = 200, json");
    let (exit, case) = tested(&slow).await;
    assert_eq!(exit, Exit::Done, "{case:#}");
    let wall = case["used"]["wall"]["used"].as_f64().unwrap();
    assert!(wall >= 300.0, "{case:#}");
    let late = slow.replace("settings =", "remaining-ms = 200\n    settings =");
    let (_, case) = tested(&late).await;
    assert_eq!(case["holds"], false, "{case:#}");
    assert_eq!(case["used"]["wall"]["limit"], 200.0);
}

#[tokio::test]
async fn what_is_no_case_is_refused_with_its_place() {
    let folder = project(&CASE.replace("[expect]", "[expected]"));
    let (exit, _, err) = plugin(&["test", folder.path().to_str().unwrap()]).await;
    assert_eq!(exit, Exit::NotDone);
    assert!(
        err.contains("health.toml") && err.contains("expected"),
        "{err}"
    );
}

#[tokio::test]
async fn what_is_recorded_holds_when_it_is_played() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        let body = r#"{"status": "ok"}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let folder = project(CASE);
    let at = folder.path().to_str().unwrap();
    let settings = r#"{"requests": [{"path": "/health", "expect": {"json": {"status": "ok"}}}]}"#;
    let record = ["--record", "seen", "--target", &address];
    let words = [&["test", at][..], &record, &["--settings", settings]].concat();
    let (exit, document, err) = plugin(&words).await;
    server.await.unwrap();
    assert_eq!(exit, Exit::Done, "{err}");
    assert_eq!(document["exchanges"], 1);
    let text = std::fs::read_to_string(folder.path().join("cases/seen.toml")).unwrap();
    assert!(text.contains("path = \"/health\""), "{text}");
    let (exit, document, _) = plugin(&["test", at]).await;
    assert_eq!(exit, Exit::Done, "{document:#}\n{text}");
    assert_eq!(document["cases"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_component_is_looked_into_and_measured() {
    let folder = project(CASE);
    let file = folder.path().join(format!("{PLUGIN}.wasm"));
    let file = file.to_str().unwrap();
    let (exit, seen, err) = plugin(&["inspect", file]).await;
    assert_eq!(exit, Exit::Done, "{err}");
    assert_eq!(seen["kind"], "smoke-test");
    assert_eq!(seen["permissions"][0], "sluice:plugin/http@0.1.0");
    assert!(seen["entry"].as_str().unwrap().contains("name: http-smoke"));
    let config = folder.path().join("plugins.yaml");
    let entry = "plugins:\n  - { name: http-smoke, source: { file: x.wasm } }\n";
    std::fs::write(&config, entry).unwrap();
    let words = [
        "inspect",
        file,
        "--plugins-config",
        config.to_str().unwrap(),
    ];
    let (_, seen, err) = plugin(&words).await;
    assert!(seen["missing"].is_array(), "{seen:#}{err}");
    assert!(seen["entry"].is_null());
    let (exit, bench, err) = plugin(&["bench", file, "--calls", "3"]).await;
    assert_eq!(exit, Exit::Done, "{err}");
    let exports = bench["exports"].as_array().unwrap();
    assert_eq!(exports.len(), 2, "{bench:#}");
    for row in exports {
        let figure = |name: &str| row[name].as_f64().unwrap();
        assert!(figure("p50Ms") > 0.0, "{row}");
        assert!(figure("p99Ms") >= figure("p50Ms"), "{row}");
        assert!(figure("memoryBytes") > 0.0, "{row}");
    }
}
