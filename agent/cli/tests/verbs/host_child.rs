//! The plugin host as a child of the agent: a real process, killed for real.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sluice::clock::WallClock;
use sluice::wiring::{ChildSettings, HostPlace, wire};
use sluice_core::plugin::{Outcome, PluginAnswer, PluginCall};
use sluice_core::port::PluginHost as _;
use sluice_scenarios::Stage;

use crate::wiring::settings;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the child may know of the environment.
const HARMLESS: [&str; 4] = ["proxy", "ssl_cert_", "tmpdir", "rust_backtrace"];

/// The plugin host that serves this folder, as `/proc` shows it.
fn child(folder: &Path) -> Option<u32> {
    let flag = format!("--plugins={}", folder.join("plugins").display());
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        let line = std::fs::read_to_string(path.join("cmdline")).ok()?;
        let is = line.split('\0').any(|word| word == "plugin-host") && line.contains(&flag);
        is.then(|| path.file_name()?.to_str()?.parse().ok())?
    })
}

async fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn smoke(attack: &str) -> PluginCall {
    let call = json!({
        "call": "run-smoke-test", "plugin": "hostile",
        "invocation": {
            "release": {
                "id": "r", "from_revision": null, "to_revision": "sha256:2", "images": [],
                "subject_digest": "sha256:3",
                "workload": {"cluster": "c", "namespace": "n", "kind": "Deployment", "name": "d", "uid": "u"},
            },
            "settings": {"attack": attack}, "idempotency_key": "k", "attributes": [],
            "targets": {"candidate": ["http://127.0.0.1:9"], "stable": [], "service": null},
        },
    });
    serde_json::from_value(call).unwrap()
}

/// The name of every thread of this process.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_is_a_process_that_may_die_and_ends_with_the_agent() {
    let stage = Stage::new(5);
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    let built = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/wasm32-wasip2/plugin/hostile.wasm");
    assert!(built.is_file(), "run `make plugins` first");
    std::fs::copy(built, folder.path().join("plugins/hostile.wasm")).unwrap();
    let file = json!({"plugins": [{
        "name": "hostile", "source": {"file": "hostile.wasm"},
        "grants": {"limits": {"wall-ms": 60_000}},
    }]});
    std::fs::write(folder.path().join("plugins/plugins.yaml"), file.to_string()).unwrap();
    settings.host = HostPlace::Child(Box::new(ChildSettings::of(
        env!("CARGO_BIN_EXE_sluice").into(),
    )));
    let client = stage.cluster.client(&stage.cluster.agent());
    let wired = wire(client, settings, Arc::new(WallClock)).await.unwrap();
    let host = wired.plugins().clone();
    assert!(host.found(PATIENCE).await, "{:?}", host.problems());
    assert_eq!(host.catalog()[0].name, "hostile");
    let passes = |answer| match answer {
        PluginAnswer::Report(report) => report.outcome == Outcome::Pass,
        other => panic!("no report: {other:?}"),
    };
    assert!(passes(host.call(smoke("none")).await));

    let first = child(folder.path()).unwrap();
    let environment = std::fs::read_to_string(format!("/proc/{first}/environ")).unwrap();
    for variable in environment
        .split('\0')
        .filter(|variable| !variable.is_empty())
    {
        let name = variable.to_lowercase();
        assert!(
            HARMLESS.iter().any(|part| name.contains(part)),
            "{variable}"
        );
    }
    assert!(
        !threads()
            .iter()
            .any(|name| name.starts_with("plugin-ticker")),
        "there is an engine in the agent's process: {:?}",
        threads()
    );

    // Killed in mid-call: a fault that may be tried again, and then all is as before.
    let calling = tokio::spawn({
        let host = host.clone();
        async move { host.call(smoke("sleep")).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!calling.is_finished());
    let killed = Command::new("kill")
        .args(["-9", &first.to_string()])
        .status();
    assert!(killed.unwrap().success());
    match calling.await.unwrap() {
        PluginAnswer::Failed(fault) => {
            assert_eq!(
                (fault.code.as_str(), fault.retryable),
                ("plugin/host-away", true)
            );
        }
        other => panic!("an answer of a dead process: {other:?}"),
    }
    assert_eq!(
        host.catalog()[0].name,
        "hostile",
        "what serves is still known"
    );
    let second = until(|| child(folder.path()).filter(|pid| *pid != first)).await;
    // The call itself waits for the host to be back.
    assert!(passes(host.call(smoke("none")).await));

    drop((wired, host));
    until(|| (child(folder.path()) != Some(second)).then_some(())).await;
}
