//! Hot reload under load (plugins.md section 7): every call of fifty rollouts has a new version of its
//! plugin swapped in while it runs, now and then a broken one. The plugins are real components in the
//! real host; the cluster and its clock are the simulator's.
//!
//! Needs `make plugins`.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "indexing JSON by key gives null, never a panic; tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_core::plugin::{PluginAnswer, PluginCall, PluginInfo};
use sluice_core::policy::Policy;
use sluice_core::port::{BoxFuture, PluginHost};
use sluice_plugins::{Host, HostOptions};
use sluice_scenarios::{Crew, Life, POLICY, Stage, beside, digest, on_virtual_time, until};
use sluice_sim::Resource;
use tokio::runtime::Runtime;

const HOURS: Duration = Duration::from_secs(5 * 3600);
const ROLLOUTS: usize = 50;
const RELOADS: usize = 200;
/// Every so many reloads the file is cut in half.
const BROKEN: usize = 10;
/// Versions that take turns; each is compiled once.
const VERSIONS: usize = 7;
/// Real time for all of it.
const LIMIT: Duration = Duration::from_secs(60);
/// What the component says, and where its version is written over it.
const SAYS: &[u8] = b"nothing was attacked";

/// The real host, in real time. The simulator's clock stands while a call is on its way.
struct Outside {
    runtime: Runtime,
    host: Host,
    folder: tempfile::TempDir,
    judges: Vec<Vec<u8>>,
    planners: Vec<Vec<u8>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: usize,
    reloads: usize,
    broken: usize,
    /// Calls during which another version began to serve.
    overtaken: usize,
}

fn built(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/wasm32-wasip2/plugin")
        .join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run `make plugins` first, it builds the plugins from source",
            path.display()
        )
    })
}

fn says(version: usize) -> String {
    format!("judged by version {version:02}")
}

/// The component with another thing to say.
fn judge(whole: &[u8], version: usize) -> Vec<u8> {
    let says = says(version);
    assert_eq!(says.len(), SAYS.len());
    let mut bytes = whole.to_vec();
    let mut found = 0;
    for at in 0..bytes.len() - SAYS.len() {
        if bytes[at..].starts_with(SAYS) {
            bytes[at..at + SAYS.len()].copy_from_slice(says.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "the component no longer says what it said");
    bytes
}

impl Outside {
    fn start() -> Outside {
        let folder = tempfile::tempdir().unwrap();
        let hostile = built("hostile");
        let canary = built("canary");
        let judges: Vec<_> = (0..VERSIONS).map(|n| judge(&hostile, n)).collect();
        let planners: Vec<_> = (0..VERSIONS)
            .map(|n| [canary.as_slice(), &[0, 4, 1, b'x', n as u8, 1]].concat())
            .collect();
        let operator = json!({ "plugins": [
            { "name": "http-smoke", "source": { "file": "judge.wasm" } },
            { "name": "canary", "source": { "file": "planner.wasm" } },
        ]});
        std::fs::write(folder.path().join("plugins.yaml"), operator.to_string()).unwrap();
        put(folder.path(), "judge.wasm", &judges[0]);
        put(folder.path(), "planner.wasm", &planners[0]);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = HostOptions {
            cache: Some(folder.path().join("cache")),
            allow_loopback: true,
            ..HostOptions::default()
        };
        let host = runtime
            .block_on(Host::open(folder.path(), options))
            .unwrap();
        assert_eq!(host.problems(), []);
        Outside {
            runtime,
            host,
            folder,
            judges,
            planners,
            seen: Mutex::default(),
        }
    }

    /// Makes the call, and swaps its plugin meanwhile.
    fn during(&self, question: PluginCall) -> PluginAnswer {
        let before = self.host.catalog();
        let (tell, hear) = channel();
        let host = self.host.clone();
        self.runtime.spawn(async move {
            let _ = tell.send(host.call(question).await);
        });
        let mut seen = self.seen.lock().unwrap();
        seen.calls += 1;
        if seen.reloads < RELOADS {
            self.reload(&mut seen);
        }
        let answer = hear.recv_timeout(LIMIT).unwrap();
        let after = self.host.catalog();
        seen.overtaken += usize::from(before != after);
        if let PluginAnswer::Report(report) = &answer {
            one_version(report.checks.iter().map(|check| check.message.as_str()));
        }
        answer
    }

    fn reload(&self, seen: &mut Seen) {
        seen.reloads += 1;
        let version = seen.reloads % VERSIONS;
        let broken = seen.reloads.is_multiple_of(BROKEN);
        let whole = &self.judges[version];
        let bytes = match broken {
            true => &whole[..whole.len() / 2],
            false => whole,
        };
        put(self.folder.path(), "judge.wasm", bytes);
        put(self.folder.path(), "planner.wasm", &self.planners[version]);
        let before = served(&self.host.catalog());
        let (tell, hear) = channel();
        let host = self.host.clone();
        self.runtime.spawn(async move {
            let _ = tell.send(host.reload().await);
        });
        let cards = hear.recv_timeout(LIMIT).unwrap();
        let now = served(&self.host.catalog());
        if broken {
            seen.broken += 1;
            assert_eq!(cards.len(), 1, "{cards:?}");
            assert_eq!(cards[0].code, "plugin/truncated");
            assert_eq!(
                now["http-smoke"], before["http-smoke"],
                "the old one serves"
            );
        } else {
            assert_eq!(cards, []);
            assert_ne!(now["http-smoke"], before["http-smoke"]);
        }
    }
}

fn served(catalog: &[PluginInfo]) -> BTreeMap<String, String> {
    let pair = |info: &PluginInfo| (info.name.clone(), info.digest.clone());
    catalog.iter().map(pair).collect()
}

/// All pods of a step are judged by the same version.
fn one_version<'a>(mut said: impl Iterator<Item = &'a str>) {
    let first = said.next().unwrap();
    assert!(first.starts_with("judged by version "), "{first}");
    assert!(said.all(|other| other == first), "a step saw two versions");
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let hidden = folder.join(format!(".{name}.new"));
    std::fs::write(&hidden, bytes).unwrap();
    std::fs::rename(hidden, folder.join(name)).unwrap();
}

impl PluginHost for Outside {
    fn call(&self, call: PluginCall) -> BoxFuture<'_, PluginAnswer> {
        Box::pin(async move { self.during(call) })
    }

    fn catalog(&self) -> Vec<PluginInfo> {
        self.host.catalog()
    }
}

/// Fifty services in staging, each released by a canary.
fn stage() -> Stage {
    let mut stage = Stage::new(23);
    stage.policy = Arc::new(Policy::parse(POLICY).unwrap());
    let strategy = json!({
        "plugin": "canary",
        "router": {"replicas": {}},
        "settings": {"steps": [
            {"weight": "25%", "hold": "1m"},
            {"weight": "50%", "hold": "1m"},
            {"weight": "100%"},
        ]},
    });
    for n in 0..ROLLOUTS {
        stage.add_service(&format!("svc-{n}"), 4, &strategy, &json!({"attack": "nap"}));
    }
    stage.push("v1.0.0", 'a');
    stage
}

/// No plan of a Rollout ever becomes another.
fn watch_plans(stage: &Stage) -> Arc<Mutex<BTreeMap<String, Value>>> {
    let plans = Arc::new(Mutex::new(BTreeMap::new()));
    let kept = plans.clone();
    stage.cluster.on_event(move |moment| {
        let changed = moment.after();
        if moment.resource() != Resource::Rollouts || !changed["status"]["plan"].is_object() {
            return;
        }
        let name = changed["metadata"]["name"].as_str().unwrap().to_owned();
        let plan = changed["status"]["plan"]["hash"].clone();
        let first = kept
            .lock()
            .unwrap()
            .entry(name)
            .or_insert(plan.clone())
            .clone();
        assert_eq!(first, plan, "a stored plan changed");
    });
    plans
}

#[test]
fn two_hundred_reloads_disturb_none_of_fifty_rollouts() {
    let begun = Instant::now();
    let outside = Arc::new(Outside::start());
    let real = outside.clone();
    on_virtual_time(async move {
        let stage = stage();
        stage.plugins.behind(real);
        let plans = watch_plans(&stage);
        let life = Life::new(&stage);
        beside(&stage, &life, &Crew::absent(), async {
            until(&stage, "every baseline is adopted", HOURS, |s| {
                (0..ROLLOUTS).all(|n| {
                    s.cluster
                        .object(Resource::Pipelines, "delivery", &format!("svc-{n}"))
                        .is_some_and(|p| {
                            p["status"]["environments"]["staging"]["stable"].is_object()
                        })
                })
            })
            .await;
            for n in 0..ROLLOUTS {
                let spec = json!({"action": "deploy", "pipeline": format!("svc-{n}"),
                                  "environment": "staging", "digest": digest('b')});
                Crew::ask(&stage, "alice@example.com", &format!("ask-{n}"), spec).await;
            }
            until(&stage, "all have succeeded", HOURS, |s| {
                let all = s.cluster.objects(Resource::Rollouts, "delivery");
                all.len() == ROLLOUTS && all.iter().all(|r| r["status"]["phase"] == "Succeeded")
            })
            .await;
        })
        .await;
        for rollout in stage.cluster.objects(Resource::Rollouts, "delivery") {
            let status = &rollout["status"];
            let checks = status["checks"].as_array().unwrap();
            let steps: Vec<&Value> = checks.iter().map(|check| &check["step"]).collect();
            assert_eq!(steps, [0, 1, 2], "one verdict a step: {status}");
            for check in checks {
                assert_eq!(check["outcome"], "pass", "{check}");
                assert_eq!(
                    check["attempt"], checks[0]["attempt"],
                    "never tried again: {check}"
                );
            }
        }
        assert_eq!(plans.lock().unwrap().len(), ROLLOUTS);
    });
    let seen = outside.seen.lock().unwrap();
    assert_eq!(seen.reloads, RELOADS, "after {} calls", seen.calls);
    assert_eq!(seen.broken, RELOADS / BROKEN);
    assert!(seen.overtaken > RELOADS / 2, "{} calls", seen.overtaken);
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
}
