//! Hot reload (plugins.md section 7, attack 23): whatever happens to the folder, what served keeps
//! serving, and somebody is told.

use std::time::Duration;

use serde_json::json;
use sluice_core::plugin::{Outcome, PluginInfo};
use sluice_core::port::PluginHost as _;
use sluice_plugins::Host;

use crate::support::{Folder, PATIENCE, attack, built, invocation, operator_file, smoke};

fn hostile() -> Folder {
    Folder::new().plugin("hostile", "hostile.wasm")
}

fn the_one(host: &Host) -> PluginInfo {
    let mut catalog = host.catalog();
    assert_eq!(catalog.len(), 1, "{catalog:?}");
    catalog.remove(0)
}

/// Waits until the catalog looks as wanted. Bounded.
async fn until(host: &Host, wanted: impl Fn(&[PluginInfo]) -> bool) {
    let waiting = async {
        while !wanted(&host.catalog()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("the folder was not followed: {:?}", host.catalog()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_folder_serves_under_the_manifests_names() {
    let folder = Folder::new()
        .plugin("http_smoke", "a.wasm")
        .plugin("canary", "b.wasm")
        .plugin("rolling", "c.wasm")
        .file("notes.txt", "not a plugin")
        .file(".hidden.wasm", "");
    let host = folder.host().await;
    let names: Vec<String> = host.catalog().into_iter().map(|info| info.name).collect();
    assert_eq!(names, ["canary", "http-smoke", "rolling"]);
    // It asks for more time than the default, and is served with less.
    let codes: Vec<String> = host.problems().into_iter().map(|card| card.code).collect();
    assert_eq!(codes, ["plugin/limit-smaller"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_keeps_the_old_version_and_a_good_one_takes_over() {
    let folder = hostile();
    let host = folder.host().await;
    let before = the_one(&host);
    assert_eq!(before.problem, None);
    let whole = std::fs::read(built("hostile")).unwrap();
    folder.put("hostile.wasm", &whole[..whole.len() / 2]);
    host.reload().await;
    let during = the_one(&host);
    assert_eq!(during.digest, before.digest);
    let problem = during.problem.unwrap();
    assert!(
        problem.starts_with(
            "[plugin/truncated] hostile.wasm was not loaded; hostile 0.1.0 keeps serving"
        ),
        "{problem}"
    );
    assert_eq!(attack(&host, "none").await.unwrap().outcome, Outcome::Pass);
    // One byte more in a section that nobody reads: another digest, the same plugin.
    let mut newer = whole;
    newer.extend([0, 4, 1, b'x', 1, 1]);
    folder.put("hostile.wasm", newer);
    assert_eq!(host.reload().await, []);
    let after = the_one(&host);
    assert_ne!(after.digest, before.digest);
    assert_eq!(after.problem, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_a_file_lets_running_calls_end() {
    let folder = hostile().file(
        "plugins.yaml",
        operator_file(
            "hostile",
            "hostile.wasm",
            json!({"grants": {"limits": {"wall-ms": 1000}}}),
        ),
    );
    let host = folder.host().await;
    let running = tokio::spawn({
        let host = host.clone();
        async move { attack(&host, "sleep").await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    folder.remove("hostile.wasm");
    let cards = host.reload().await;
    assert_eq!(cards[0].code, "plugin/file-missing");
    assert!(host.catalog().is_empty());
    let fault = attack(&host, "none").await.unwrap_err();
    assert_eq!(fault.code, "plugin/missing");
    assert!(
        fault.message.contains("plugin/file-missing"),
        "{}",
        fault.message
    );
    assert_eq!(running.await.unwrap().unwrap_err().code, "plugin/deadline");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_operator_file_changes_nothing_and_is_told() {
    let good = operator_file("hostile", "hostile.wasm", json!({}));
    let folder = hostile().file("plugins.yaml", &good);
    let host = folder.host().await;
    for (text, code) in [
        ("plugins: [", "plugin/config-invalid"),
        ("plugins: []\nextra: 1", "plugin/config-invalid"),
    ] {
        folder.put("plugins.yaml", text);
        assert_eq!(host.reload().await[0].code, code);
        assert!(
            the_one(&host)
                .problem
                .unwrap()
                .contains("keep serving as before")
        );
        assert_eq!(attack(&host, "none").await.unwrap().outcome, Outcome::Pass);
    }
    folder.remove("plugins.yaml");
    let card = host.reload().await.remove(0);
    assert_eq!(card.code, "plugin/config-unreadable");
    assert!(card.why[0].contains("gone"), "{card}");
    folder.put("plugins.yaml", good);
    assert_eq!(host.reload().await, []);
    assert_eq!(the_one(&host).problem, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_is_compared_before_anything_is_read_from_the_file() {
    let folder = hostile();
    let host = folder.host().await;
    let digest = the_one(&host).digest;
    let pin = |hex: &str| {
        operator_file(
            "hostile",
            "hostile.wasm",
            json!({"verify": {"sha256": hex}}),
        )
    };
    let folder = hostile().file("plugins.yaml", pin(&"0".repeat(64)));
    let host = folder.host().await;
    let card = host.problems().remove(0);
    assert_eq!(card.code, "plugin/digest-mismatch");
    assert!(card.why[0].contains(&digest), "{card}");
    folder.put("plugins.yaml", pin(digest.strip_prefix("sha256:").unwrap()));
    assert_eq!(host.reload().await, []);
    assert_eq!(the_one(&host).digest, digest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_checked_when_loading() {
    let folder = hostile().file(
        "plugins.yaml",
        operator_file(
            "hostile",
            "hostile.wasm",
            json!({"settings": {"attack": "refuse"}}),
        ),
    );
    let host = folder.host().await;
    let card = host.problems().remove(0);
    assert_eq!(card.code, "plugin/settings-invalid");
    assert_eq!(card.why, ["/attack: not today[31m (tomorrow)"]);
    assert!(host.catalog().is_empty());
    // A plugin that hangs while its settings are checked does not hang the agent.
    folder.put(
        "plugins.yaml",
        operator_file(
            "hostile",
            "hostile.wasm",
            json!({"settings": {"attack": "loop-in-validate"}}),
        ),
    );
    assert_eq!(host.reload().await[0].code, "plugin/settings-unchecked");
    folder.put(
        "plugins.yaml",
        operator_file(
            "hostile",
            "hostile.wasm",
            json!({"settings": {"attack": "none"}}),
        ),
    );
    assert_eq!(host.reload().await, []);
    // New settings that do not fit leave the old ones in force.
    folder.put(
        "plugins.yaml",
        operator_file(
            "hostile",
            "hostile.wasm",
            json!({"settings": {"attack": "refuse"}}),
        ),
    );
    let card = host.reload().await.remove(0);
    assert_eq!(card.effect, "keeps serving with its earlier settings");
    let call = invocation(json!({}), &["http://127.0.0.1:9".to_owned()]);
    assert_eq!(
        smoke(&host, "hostile", call).await.unwrap().summary,
        "nothing was attacked"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_folder_is_followed_by_itself() {
    let folder = Folder::new();
    let host = folder.host().await;
    let _watch = host.watch();
    folder.put("hostile.wasm", std::fs::read(built("hostile")).unwrap());
    until(&host, |catalog| catalog.len() == 1).await;
    // Written in pieces, as `cp` does: the half file may be seen, the whole one wins.
    let whole = std::fs::read(built("canary")).unwrap();
    let path = folder.path().join("canary.wasm");
    std::fs::write(&path, &whole[..1000]).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    std::fs::write(&path, &whole).unwrap();
    until(&host, |catalog| {
        catalog.len() == 2 && catalog.iter().all(|i| i.problem.is_none())
    })
    .await;
    folder.remove("hostile.wasm");
    until(&host, |catalog| catalog.len() == 1).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_swap_is_seen() {
    // Kubernetes swaps the symlink `..data`; the files themselves never change.
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let version = |name: &str, file: &str| {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::copy(built(file), folder.path().join(name).join("plugin.wasm")).unwrap();
    };
    version("..1", "hostile");
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/plugin.wasm", folder.path().join("plugin.wasm")).unwrap();
    let host = folder.host().await;
    let before = the_one(&host);
    let _watch = host.watch();
    version("..2", "rolling");
    symlink("..2", folder.path().join("..data_tmp")).unwrap();
    std::fs::rename(
        folder.path().join("..data_tmp"),
        folder.path().join("..data"),
    )
    .unwrap();
    until(&host, |catalog| {
        catalog
            .first()
            .is_some_and(|info| info.digest != before.digest)
    })
    .await;
    assert_eq!(the_one(&host).name, "rolling");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloading_while_calls_run_loses_none_of_them() {
    let folder = hostile();
    let host = folder.host().await;
    let whole = std::fs::read(built("hostile")).unwrap();
    let calls = tokio::spawn({
        let host = host.clone();
        async move {
            for _ in 0..40 {
                assert_eq!(attack(&host, "none").await.unwrap().outcome, Outcome::Pass);
            }
        }
    });
    for round in 0..6u8 {
        let mut other = whole.clone();
        other.extend([0, 4, 1, b'x', round, 1]);
        folder.put("hostile.wasm", other);
        assert_eq!(host.reload().await, []);
    }
    calls.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_gets_every_card_at_once() {
    let folder = hostile()
        .file("broken.wasm", "hello")
        .file("empty.wasm", "");
    let cards = Host::from_dir(folder.path(), Default::default())
        .await
        .err()
        .unwrap();
    let codes: Vec<&str> = cards.iter().map(|card| card.code.as_str()).collect();
    assert_eq!(codes, ["plugin/text", "plugin/empty"]);
    let missing = Host::from_dir(folder.path().join("nowhere"), Default::default()).await;
    assert_eq!(missing.err().unwrap()[0].code, "plugin/folder-unreadable");
}
