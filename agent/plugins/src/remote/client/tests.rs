use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Mutex;

use serde_json::json;
use sluice_core::plugin::Invocation;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::super::{ANSWER_BYTES, serve, server::serve_for, socket::listen};
use super::*;
use crate::host::{Host, HostOptions};

/// Longer than any of these tests needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s/host.sock");
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(folder.path().join("s"))
        .unwrap();
    (folder, path)
}

async fn empty_host(folder: &Path) -> Host {
    let plugins = folder.join("plugins");
    let _ = std::fs::create_dir(&plugins);
    Host::open(plugins, HostOptions::default()).await.unwrap()
}

fn smoke_call() -> PluginCall {
    let invocation: Invocation = serde_json::from_value(json!({
        "release": {
            "id": "r", "from_revision": null, "to_revision": "sha256:2", "images": [],
            "subject_digest": "sha256:3",
            "workload": {"cluster": "c", "namespace": "n", "kind": "Deployment", "name": "d", "uid": "u"},
        },
        "settings": {}, "idempotency_key": "k", "attributes": [],
        "targets": {"candidate": ["http://10.0.0.1:80"], "stable": [], "service": null},
    }))
    .unwrap();
    PluginCall::RunSmokeTest {
        plugin: "http-smoke".to_owned(),
        invocation,
    }
}

async fn fault(host: &RemoteHost) -> PluginFault {
    match tokio::time::timeout(PATIENCE * 60, host.call(smoke_call()))
        .await
        .expect("it hangs")
    {
        PluginAnswer::Failed(fault) => fault,
        other => panic!("taken for an answer: {other:?}"),
    }
}

async fn until_away(host: &RemoteHost) {
    let mut view = host.view.clone();
    tokio::time::timeout(PATIENCE, view.wait_for(|view| view.away.is_some()))
        .await
        .unwrap()
        .unwrap();
}

/// What a server that is not ours does with one connection.
#[derive(Clone)]
enum Act {
    Say(Vec<u8>),
    Hang,
    Break,
    /// A head, and then bytes without end.
    Flood,
}

fn ok(body: &str) -> Act {
    Act::Say(
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

fn good_state() -> Act {
    let plugin = json!({
        "name": "http-smoke", "kind": "smoke-test", "version": "1.0.0",
        "digest": format!("sha256:{}", "a".repeat(64)), "problem": null,
    });
    ok(&json!({"version": "0".repeat(64), "plugins": [plugin], "problems": []}).to_string())
}

/// A server whose behaviour can be changed while it runs: for the state, and for calls.
struct Liar {
    acts: Arc<Mutex<(Act, Act)>>,
    _task: AbortOnDropHandle<()>,
}

impl Liar {
    fn at(path: &Path, state: Act, call: Act) -> Liar {
        let listener: UnixListener = listen(path).unwrap();
        let acts = Arc::new(Mutex::new((state, call)));
        let of_task = acts.clone();
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                open.spawn(lie(stream, of_task.clone()));
            }
        });
        Liar {
            acts,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn now(&self, state: Act, call: Act) {
        *self.acts.lock().unwrap() = (state, call);
    }
}

async fn lie(mut stream: UnixStream, acts: Arc<Mutex<(Act, Act)>>) {
    let mut head = vec![0; 4096];
    let read = stream.read(&mut head).await.unwrap_or(0);
    let of_state = head[..read].starts_with(b"GET /v1/state/");
    let act = {
        let acts = acts.lock().unwrap();
        if of_state {
            acts.0.clone()
        } else {
            acts.1.clone()
        }
    };
    match act {
        Act::Say(bytes) => {
            // A host that has nothing new waits, too.
            if of_state && !head[..read].starts_with(b"GET /v1/state/-") {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let _ = stream.write_all(&bytes).await;
        }
        Act::Hang => std::future::pending().await,
        Act::Break => {}
        Act::Flood => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await;
            while stream.write_all(b"1000\r\n").await.is_ok()
                && stream.write_all(&[b' '; 0x1000]).await.is_ok()
                && stream.write_all(b"\r\n").await.is_ok()
            {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_state_cross_the_socket_and_a_host_may_come_and_go() {
    let (folder, path) = place();
    let remote = RemoteHost::connect(&path);
    assert!(!remote.found(Duration::from_millis(50)).await);
    assert_eq!(remote.problems()[0].code, "plugin/host-away");
    let host = empty_host(folder.path()).await;
    let serving = AbortOnDropHandle::new(tokio::spawn(serve(host.clone(), listen(&path).unwrap())));
    assert!(remote.found(PATIENCE).await);
    assert_eq!(remote.problems(), []);
    assert_eq!(fault(&remote).await.code, "plugin/missing");
    // A change is told without being asked for.
    std::fs::write(folder.path().join("plugins/x.wasm"), "no plugin").unwrap();
    host.reload().await;
    let mut view = remote.view.clone();
    let told = view.wait_for(|view| !view.state.problems.is_empty());
    tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
    assert_eq!(remote.problems(), host.problems());
    drop(serving);
    until_away(&remote).await;
    assert_eq!(remote.problems()[0].code, "plugin/host-away");
    let _again = AbortOnDropHandle::new(tokio::spawn(serve(host, listen(&path).unwrap())));
    assert!(remote.found(PATIENCE).await);
    assert_eq!(fault(&remote).await.code, "plugin/missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_dies_in_mid_call_is_a_fault_that_may_be_tried_again() {
    let (_folder, path) = place();
    let liar = Liar::at(&path, good_state(), Act::Hang);
    let remote = RemoteHost::connect(&path);
    assert!(remote.found(PATIENCE).await);
    let calling = tokio::spawn({
        let remote = remote.clone();
        async move { fault(&remote).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!calling.is_finished());
    drop(liar);
    let fault = calling.await.unwrap();
    assert_eq!(
        (fault.code.as_str(), fault.retryable),
        ("plugin/host-away", true)
    );
    until_away(&remote).await;
    // What serves is still known, with what is wrong.
    let catalog = remote.catalog();
    assert_eq!(catalog[0].name, "http-smoke");
    let problem = catalog[0].problem.as_deref().unwrap();
    assert!(problem.starts_with("[plugin/host-away]"), "{problem}");
}

/// Whatever arrives that is no answer to the question: a fault, and never a pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lying_host_is_taken_for_what_it_is() {
    let (_folder, path) = place();
    let liar = Liar::at(&path, good_state(), Act::Break);
    let remote = RemoteHost::connect(&path);
    assert!(remote.found(PATIENCE).await);
    let large = "x".repeat(ANSWER_BYTES);
    for (act, code) in [
        (Act::Break, "plugin/host-away"),
        (Act::Flood, "plugin/bad-answer"),
        (
            Act::Say(b"SSH-2.0-OpenSSH\r\n".to_vec()),
            "plugin/host-away",
        ),
        (
            Act::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}".to_vec()),
            "plugin/host-away",
        ),
        (
            Act::Say(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_vec()),
            "plugin/bad-answer",
        ),
        (
            Act::Say([&b"HTTP/1.1 200 OK\r\nx: "[..], large.as_bytes()].concat()),
            "plugin/host-away",
        ),
        (ok(""), "plugin/bad-answer"),
        (ok("null"), "plugin/bad-answer"),
        (ok("\"withdrawn\""), "plugin/bad-answer"),
        (ok(r#"{"plan": []}"#), "plugin/bad-answer"),
        (
            ok(r#"{"report": {"outcome": "pass", "summary": "ok"}}"#),
            "plugin/bad-answer",
        ),
        (
            ok(r#"{"report": {"outcome": "passed", "summary": "ok", "checks": []}}"#),
            "plugin/bad-answer",
        ),
        (ok(&"[".repeat(100_000)), "plugin/bad-answer"),
        (
            ok(&format!(
                r#"{{"report": {{"outcome": "pass", "summary": "{large}", "checks": []}}}}"#
            )),
            "plugin/bad-answer",
        ),
    ] {
        liar.now(good_state(), act.clone());
        let shown = match &act {
            Act::Say(bytes) => String::from_utf8_lossy(bytes).chars().take(80).collect(),
            Act::Hang | Act::Break | Act::Flood => String::new(),
        };
        assert_eq!(fault(&remote).await.code, code, "{shown}");
        assert!(remote.found(PATIENCE).await);
    }
    liar.now(
        good_state(),
        ok(r#"{"report": {"outcome": "pass", "summary": "ok", "checks": []}}"#),
    );
    assert!(matches!(
        remote.call(smoke_call()).await,
        PluginAnswer::Report(_)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_cannot_be_is_not_taken_over() {
    let (_folder, path) = place();
    let liar = Liar::at(&path, good_state(), Act::Break);
    let remote = RemoteHost::connect(&path);
    assert!(remote.found(PATIENCE).await);
    let known = remote.catalog();
    for bad in [
        ok("{}"),
        ok(r#"{"version": "", "plugins": [], "problems": []}"#),
        Act::Flood,
        Act::Break,
    ] {
        liar.now(bad, Act::Break);
        until_away(&remote).await;
        let kept = remote.catalog();
        assert_eq!((kept.len(), &kept[0].digest), (1, &known[0].digest));
        assert!(kept[0].problem.is_some());
        liar.now(good_state(), Act::Break);
        assert!(remote.found(PATIENCE).await);
    }
    assert_eq!(remote.catalog(), known);
}

/// The clock is virtual from where nothing but waiting is left.
#[tokio::test]
async fn a_host_that_hangs_is_noticed_by_its_state_and_by_the_deadline() {
    let (_folder, path) = place();
    let liar = Liar::at(&path, good_state(), Act::Hang);
    let remote = RemoteHost::connect(&path);
    assert!(remote.found(PATIENCE).await);
    liar.now(Act::Hang, Act::Hang);
    tokio::time::sleep(Duration::from_secs(2)).await;
    tokio::time::pause();
    let before = Instant::now();
    let fault = fault(&remote).await;
    assert_eq!(
        (fault.code.as_str(), fault.retryable),
        ("plugin/host-away", true)
    );
    let waited = before.elapsed();
    assert!(waited <= STATE_WAIT + STATE_GRACE + RETURN, "{waited:?}");
}

#[test]
fn the_deadline_covers_what_the_host_may_take() {
    let with_pods = |pods: usize| {
        let PluginCall::RunSmokeTest {
            plugin,
            mut invocation,
        } = smoke_call()
        else {
            panic!("another call")
        };
        invocation.targets.candidate = vec![String::new(); pods];
        deadline(&PluginCall::RunSmokeTest { plugin, invocation })
    };
    let longest = crate::limits::Limits::effective(
        &crate::limits::LimitSettings {
            wall_ms: Some(u32::MAX),
            ..Default::default()
        },
        &crate::limits::LimitSettings {
            wall_ms: Some(u32::MAX),
            ..Default::default()
        },
    );
    assert!(ONE_CALL > Duration::from_secs(30) + longest.0.wall() * 2);
    assert_eq!(with_pods(0), ONE_CALL);
    assert_eq!(with_pods(4), ONE_CALL);
    assert_eq!(with_pods(5), ONE_CALL * 2);
    assert_eq!(with_pods(500), ONE_CALL * 4);
}

/// Only root can make a process of another user; that we are another is the same to the kernel's answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_of_another_user_is_turned_away_by_both_ends() {
    let (folder, path) = place();
    let host = empty_host(folder.path()).await;
    let another = socket::own() + 1;
    let served = serve_for(host.clone(), listen(&path).unwrap(), another);
    let served = AbortOnDropHandle::new(tokio::spawn(served));
    let remote = RemoteHost::connect(&path);
    assert!(!remote.found(Duration::from_millis(500)).await);
    drop(served);
    let _served = AbortOnDropHandle::new(tokio::spawn(serve(host, listen(&path).unwrap())));
    let stranger = RemoteHost::of(path.clone(), another);
    assert!(!stranger.found(Duration::from_millis(500)).await);
    assert!(stranger.away().unwrap().contains("another user"));
    assert!(remote.found(PATIENCE).await);
}
