//! The second door: guests that bring an HTTP library reach what is granted, and nothing else.

use serde_json::{Value, json};
use sluice_plugins::{HostOptions, SeenOutcome, Tape, Wire};

use crate::metrics::{measure, provider};
use crate::server::{self, Reply};
use crate::support::{Folder, operator_file, test_options, with_lines, with_token};

const SECRET: &str = "metrics-token-0815";

fn api(url: &str) -> Value {
    json!({ "api": {
        "url": url, "methods": ["GET", "POST"], "paths": ["/api/*"], "secrets": ["token"],
        "allowLoopback": true, "plaintextSecrets": true,
    } })
}

fn options() -> HostOptions {
    with_token(test_options(), "measurer", SECRET)
}

fn echo(seen: &server::Seen) -> Reply {
    let mut reply = server::text(&format!("{} got {}", seen.method, seen.header("x-token")));
    let headers = reply.headers_mut();
    headers.insert("set-cookie", "session=1".parse().unwrap());
    headers.insert("x-request-id", "7".parse().unwrap());
    reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_passes_the_same_checks_as_through_the_first_door() {
    let server = server::start(echo).await;
    let host = provider(api(&server.url()), options()).await;
    let url = format!("{}/api/query?x=1", server.url());
    let settings = json!({
        "url": url, "method": "POST", "body": 5000, "header": "x-token: ${secret:token}",
    });
    let answer = measure(&host, settings).await.unwrap().summary;
    assert!(answer.starts_with("200 ["), "{answer}");
    assert!(
        answer.ends_with("whole POST got [redacted:token]"),
        "{answer}"
    );
    assert!(
        answer.contains("x-request-id: 7") && !answer.contains("cookie"),
        "{answer}"
    );
    let seen = server.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].uri, "/api/query?x=1");
    assert_eq!(
        (seen[0].header("x-token"), seen[0].body.len()),
        (SECRET, 5000)
    );
    assert_eq!(server.url(), format!("http://{}", seen[0].header("host")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_granted_is_denied_and_the_log_says_what_to_add() {
    let server = server::start(echo).await;
    let elsewhere = server::start(echo).await;
    let url = server.url();
    for (settings, answer, note) in [
        (
            json!({ "url": format!("{}/api/x", elsewhere.url()) }),
            "ErrorCode::HttpRequestDenied",
            "to allow it, add a target with this url to grants.http of plugin measurer",
        ),
        (
            json!({ "url": format!("{url}/admin") }),
            "ErrorCode::HttpRequestDenied",
            "path /admin of target \"api\"; to allow it, add it to the target's paths",
        ),
        (
            json!({ "url": format!("{url}/api/x"), "method": "DELETE" }),
            "ErrorCode::HttpRequestDenied",
            "to allow it, add DELETE to its methods",
        ),
        (
            json!({ "url": format!("{}/api/x", url.replace("127.0.0.1", "localhost")) }),
            "ErrorCode::HttpRequestDenied",
            "to allow it, add a target",
        ),
        (
            json!({ "url": format!("{}/api/x", url.replace("http://", "http://u:p@")) }),
            "ErrorCode::InternalError",
            "write it as",
        ),
        (
            json!({ "url": format!("{url}/api/x"), "header": "te: trailers" }),
            "ErrorCode::InternalError",
            "the host sets the header",
        ),
        (
            json!({ "url": format!("{url}/api/x"), "method": "POST", "body": (1 << 20) + 1 }),
            "",
            "larger than 1048576 bytes",
        ),
    ] {
        let (with_lines, lines) = with_lines();
        let options = HostOptions {
            log: with_lines.log,
            ..options()
        };
        let host = provider(api(&url), options).await;
        let came = measure(&host, settings.clone()).await.unwrap().summary;
        assert!(came.starts_with(answer), "{settings}: {came}");
        let lines = lines.taken();
        assert!(
            lines.iter().any(|line| line.message.contains(note)),
            "{settings}: {lines:?}"
        );
    }
    assert!(server.requests().is_empty() && elsewhere.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_doors_share_one_quota_and_large_answers_are_cut() {
    let server = server::start(|seen| match seen.uri.path() {
        "/api/large" => server::text(&"x".repeat((1 << 20) + 10)),
        _ => server::text("ok"),
    })
    .await;
    let host = provider(api(&server.url()), options()).await;
    let settings = json!({ "url": format!("{}/api/x", server.url()), "times": 10 });
    let answers = measure(&host, settings).await.unwrap().summary;
    assert_eq!(answers.matches("whole ok").count(), 8, "{answers}");
    assert_eq!(
        answers.matches("ConnectionLimitReached").count(),
        2,
        "{answers}"
    );
    assert_eq!(server.requests().len(), 8);
    let settings = json!({ "url": format!("{}/api/large", server.url()) });
    let answer = measure(&host, settings).await.unwrap().summary;
    assert!(answer.ends_with("cut 1048576 bytes"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_opens_only_where_both_sides_say_so() {
    let folder = Folder::new()
        .plugin("hostile_measurer", "measurer.wasm")
        .file(
            "plugins.yaml",
            operator_file("measurer", "measurer.wasm", json!({})),
        );
    let host = folder.host().await;
    let card = host.problems().remove(0);
    assert_eq!(card.code, "plugin/grant-missing");
    assert_eq!(card.change, "add   wasi-http: true");
    assert!(
        card.to_string()
            .contains("import wasi:http/outgoing-handler"),
        "{card}"
    );
    // A grant that is taken back holds for the version that serves, at its next request.
    let server = server::start(|_| server::text("ok")).await;
    let grants = |open: bool| {
        let rest = json!({
            "grants": { "http": api(&server.url()), "wasi-http": open },
            "secrets": { "token": { "secret": "measurer", "key": "token" } },
        });
        operator_file("measurer", "measurer.wasm", rest)
    };
    folder.put("plugins.yaml", grants(true));
    assert_eq!(host.reload().await, []);
    let settings = json!({ "url": format!("{}/api/x", server.url()) });
    let answer = measure(&host, settings.clone()).await.unwrap().summary;
    assert!(answer.ends_with("whole ok"), "{answer}");
    folder.put("plugins.yaml", grants(false));
    assert_eq!(host.reload().await.len(), 1);
    let answer = measure(&host, settings).await.unwrap().summary;
    assert!(
        answer.starts_with("ErrorCode::HttpRequestDenied"),
        "{answer}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_recorded_plays_without_a_server() {
    let server = server::start(echo).await;
    let granted = api(&server.url());
    let settings = json!({
        "url": format!("{}/api/a", server.url()), "header": "x-token: ${secret:token}",
    });
    let tape = Tape::default();
    let recording = HostOptions {
        wire: Wire::Record(tape.clone()),
        ..options()
    };
    let host = provider(granted.clone(), recording).await;
    let live = measure(&host, settings.clone()).await.unwrap();
    let recorded = tape.recorded();
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].target, "api");
    // Unexpanded, and hidden where the server echoed it.
    let text = serde_json::to_string(&recorded).unwrap();
    assert!(
        text.contains("${secret:token}") && !text.contains(SECRET),
        "{text}"
    );
    assert!(matches!(&recorded[0].outcome, SeenOutcome::Response(seen) if seen.status == 200));
    drop(server);

    let tape = Tape::of(recorded);
    let playing = HostOptions {
        wire: Wire::Replay(tape.clone()),
        // No secret is needed where nothing is sent.
        ..test_options()
    };
    let host = provider(granted, playing).await;
    let played = measure(&host, settings.clone()).await.unwrap();
    assert_eq!(played, live);
    assert_eq!((tape.left().len(), tape.surprises().len()), (0, 0));
    let more = measure(&host, settings.clone()).await.unwrap().summary;
    assert!(
        more.contains("the recorded case expects no further request"),
        "{more}"
    );
    // What the grant does not give is refused before the tape is asked.
    let mut beyond = settings;
    beyond["method"] = json!("DELETE");
    let denied = measure(&host, beyond).await.unwrap().summary;
    assert!(
        denied.starts_with("ErrorCode::HttpRequestDenied"),
        "{denied}"
    );
    assert_eq!(tape.surprises().len(), 1);
}
