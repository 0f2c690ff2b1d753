//! Watches, raw and through kube's own watcher, reflector and controller.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;
use sluice_sim::{ADMIN, AGENT, Cluster};

use crate::support::{code, until, within};

const MINUTE: Duration = Duration::from_secs(60);

fn maps(cluster: &Cluster, user: &str) -> Api<ConfigMap> {
    Api::namespaced(cluster.client(user), "shop")
}

async fn put(api: &Api<ConfigMap>, name: &str, value: &str) -> ConfigMap {
    let body = json!({ "data": { "v": value } });
    let patch = Patch::Apply(&body);
    api.patch(name, &PatchParams::apply("test"), &patch)
        .await
        .unwrap()
}

/// `+name`, `~name`, `-name`, `@` for a bookmark, `!code` for an error.
fn short(event: &WatchEvent<ConfigMap>) -> String {
    match event {
        WatchEvent::Added(map) => format!("+{}", map.name_any()),
        WatchEvent::Modified(map) => format!("~{}", map.name_any()),
        WatchEvent::Deleted(map) => format!("-{}", map.name_any()),
        WatchEvent::Bookmark(_) => "@".to_owned(),
        WatchEvent::Error(status) => format!("!{}", status.code),
    }
}

/// What a watch from a version sends until it ends or is silent for this long.
async fn events(
    api: &Api<ConfigMap>,
    params: &WatchParams,
    version: &str,
    silence: Duration,
) -> Vec<String> {
    let mut stream = api.watch(params, version).await.unwrap().boxed();
    let mut events = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(silence, stream.next()).await {
        events.push(short(&event.unwrap()));
    }
    events
}

#[tokio::test(start_paused = true)]
async fn a_watch_replays_from_its_version() {
    let cluster = Cluster::fast(1);
    let api = maps(&cluster, ADMIN);
    put(&api, "a", "1").await;
    let list = api.list(&ListParams::default()).await.unwrap();
    let version = list.metadata.resource_version.unwrap();
    put(&api, "b", "1").await;
    put(&api, "a", "2").await;
    api.delete("b", &DeleteParams::default()).await.unwrap();
    let seen = events(&api, &WatchParams::default(), &version, MINUTE / 2).await;
    // Apply stores the object, then its managed fields.
    assert_eq!(seen, ["+b", "~b", "~a", "-b"]);
    let named = WatchParams::default().fields("metadata.name=a");
    assert_eq!(events(&api, &named, &version, MINUTE / 2).await, ["~a"]);
    let none = events(&api, &WatchParams::default(), "0", MINUTE / 2).await;
    assert_eq!(none, ["+a"], "from nowhere: what is there");
}

#[tokio::test(start_paused = true)]
async fn leaving_a_selector_looks_like_a_deletion() {
    let cluster = Cluster::fast(1);
    let api = maps(&cluster, ADMIN);
    let label = |value: &str| json!({ "metadata": { "labels": { "track": value } } });
    put(&api, "a", "1").await;
    let version = cluster.version().to_string();
    for value in ["canary", "canary2", "stable"] {
        api.patch("a", &PatchParams::default(), &Patch::Merge(&label(value)))
            .await
            .unwrap();
    }
    let params = WatchParams::default().labels("track in (canary,canary2)");
    assert_eq!(
        events(&api, &params, &version, MINUTE / 2).await,
        ["+a", "~a", "-a"]
    );
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_by_the_minute_and_a_watch_ends_with_one() {
    let cluster = Cluster::fast(1);
    let api = maps(&cluster, ADMIN);
    let version = cluster.version().to_string();
    let params = WatchParams::default().timeout(150);
    assert_eq!(
        events(&api, &params, &version, MINUTE * 10).await,
        ["@", "@", "@"]
    );
    let plain = WatchParams {
        bookmarks: false,
        ..params
    };
    assert!(events(&api, &plain, &version, MINUTE * 10).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn versions_beyond_the_history_are_gone() {
    let cluster = Cluster::builder().history(5).fast();
    let api = maps(&cluster, ADMIN);
    let version = cluster.version().to_string();
    for value in 0..10 {
        put(&api, "a", &value.to_string()).await;
    }
    let seen = events(&api, &WatchParams::default(), &version, MINUTE).await;
    assert_eq!(seen, ["!410"]);
    let exact = ListParams::default()
        .at(&version)
        .matching(kube::api::VersionMatch::Exact);
    assert_eq!(code(api.list(&exact).await.unwrap_err()), 410);
}

/// The names in a reflector's store, kept by kube's watcher.
struct Mirror {
    store: reflector::Store<ConfigMap>,
    task: tokio::task::JoinHandle<()>,
}

impl Mirror {
    fn start(api: Api<ConfigMap>, config: watcher::Config) -> Self {
        let (store, writer) = reflector::store();
        let stream = watcher(api, config)
            .default_backoff()
            .reflect(writer)
            .applied_objects();
        let task = tokio::spawn(async move {
            stream.for_each(|_| std::future::ready(())).await;
        });
        Self { store, task }
    }

    fn sees(&self) -> BTreeSet<String> {
        let text = |map: &ConfigMap| {
            let value = map.data.as_ref().and_then(|data| data.get("v").cloned());
            format!("{}={}", map.name_any(), value.unwrap_or_default())
        };
        self.store.state().iter().map(|map| text(map)).collect()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn kubes_reflector_keeps_up_whatever_happens_to_its_watch() {
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        let cluster = Cluster::fast(1);
        let api = maps(&cluster, ADMIN);
        put(&api, "a", "1").await;
        let mirror = Mirror::start(maps(&cluster, AGENT), config);
        until(|| mirror.sees() == set(&["a=1"])).await;
        put(&api, "b", "1").await;
        until(|| mirror.sees() == set(&["a=1", "b=1"])).await;

        let faults = cluster.faults(AGENT);
        faults.close_watches();
        put(&api, "b", "2").await;
        until(|| mirror.sees() == set(&["a=1", "b=2"])).await;

        // The deletion happens where the watch cannot see it, and its history is forgotten.
        faults.watch_lag(Duration::from_secs(3600));
        api.delete("a", &DeleteParams::default()).await.unwrap();
        cluster.compact();
        faults.expire_watches();
        faults.watch_lag(Duration::ZERO);
        until(|| mirror.sees() == set(&["b=2"])).await;

        // kube gives a silent watch up after 295 seconds.
        faults.wedge_watches();
        put(&api, "c", "1").await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(mirror.sees(), set(&["b=2"]), "wedged");
        until(|| mirror.sees() == set(&["b=2", "c=1"])).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_stays_lost_until_the_next() {
    let cluster = Cluster::fast(1);
    let api = maps(&cluster, ADMIN);
    let faults = cluster.faults(AGENT);
    let mirror = Mirror::start(maps(&cluster, AGENT), watcher::Config::default());
    faults.lose_event(faults.events() + 1);
    until(|| mirror.store.wait_until_ready().now_or_never().is_some()).await;
    api.create(&PostParams::default(), &map("a", "1"))
        .await
        .unwrap();
    tokio::time::sleep(MINUTE).await;
    assert!(mirror.sees().is_empty());
    assert_eq!(faults.events(), 1);
    put(&api, "a", "2").await;
    until(|| mirror.sees() == set(&["a=2"])).await;
}

fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": name }, "data": { "v": value } })).unwrap()
}

#[tokio::test(start_paused = true)]
async fn stale_views_are_of_the_past_and_move_on() {
    let cluster = Cluster::fast(1);
    let api = maps(&cluster, ADMIN);
    for value in 1..=9 {
        let name = if value == 9 { "b" } else { "a" };
        let body = map(name, &value.to_string());
        if value == 1 || value == 9 {
            api.create(&PostParams::default(), &body).await.unwrap();
        } else {
            api.replace(name, &PostParams::default(), &body)
                .await
                .unwrap();
        }
    }
    cluster.faults(AGENT).stale(3, Duration::from_secs(30));
    let agent = maps(&cluster, AGENT);
    let list = agent.list(&ListParams::default()).await.unwrap();
    let seen: Vec<_> = list
        .items
        .iter()
        .map(|m| m.data.as_ref().unwrap()["v"].clone())
        .collect();
    assert_eq!(seen, ["6"], "three changes ago there was no b");
    assert_eq!(
        agent.get("b").await.unwrap().data.unwrap()["v"],
        "9",
        "a single read is live"
    );
    let mirror = Mirror::start(agent, watcher::Config::default());
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(mirror.sees(), set(&["a=6"]));
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(mirror.sees(), set(&["a=8", "b=9"]));
}

#[tokio::test(start_paused = true)]
async fn lag_delays_events_by_what_it_says() {
    let cluster = Cluster::fast(1);
    let api = maps(&cluster, ADMIN);
    let mirror = Mirror::start(maps(&cluster, AGENT), watcher::Config::default());
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster.faults(AGENT).watch_lag(Duration::from_secs(5));
    put(&api, "a", "1").await;
    tokio::time::sleep(Duration::from_millis(4900)).await;
    assert!(mirror.sees().is_empty());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(mirror.sees(), set(&["a=1"]));
}

#[tokio::test(start_paused = true)]
async fn kubes_controller_runs_on_it() {
    let cluster = Cluster::fast(1);
    let api = maps(&cluster, ADMIN);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let controller = Controller::new(maps(&cluster, AGENT), watcher::Config::default()).run(
        |map: Arc<ConfigMap>, seen: Arc<Mutex<Vec<String>>>| async move {
            seen.lock().unwrap().push(map.name_any());
            Ok::<_, std::convert::Infallible>(Action::requeue(Duration::from_secs(30)))
        },
        |_, _, _| Action::await_change(),
        Arc::clone(&seen),
    );
    let task = tokio::spawn(controller.for_each(|_| std::future::ready(())));
    put(&api, "a", "1").await;
    until(|| seen.lock().unwrap().as_slice() == ["a"]).await;
    within(MINUTE * 2, async {
        while seen.lock().unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    task.abort();
}
