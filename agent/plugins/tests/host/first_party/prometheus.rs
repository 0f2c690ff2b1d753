//! `prometheus` against the real program, Debian's package, which scrapes two servers of the test's.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sluice_core::analysis::{AnalysisRun, AnalysisSpec, Standing};
use sluice_core::plugin::{Measurement, PluginAnswer, PluginCall, PluginFault, Series, SeriesRole};
use sluice_plugins::Host;

use crate::server::{self, Seen, Server};
use crate::support::{Folder, call, invocation, operator_file, test_options};

/// Longest wait for Prometheus to have seen something: it scrapes five times a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pods, as Kubernetes and the agent would call them.
const CANDIDATE: &str = "storefront-canary-abcdefgh23-5d4c8b7f6-x2x4z";
const STABLE: &str = "storefront-6c5b7d8f9-q7w8e";

/// A pod that counts: ten requests and `errors` errors at each scrape.
async fn pod(errors: u64) -> Server {
    let scrapes = AtomicU64::new(0);
    server::start(move |_: &Seen| {
        let scrapes = scrapes.fetch_add(1, Ordering::Relaxed) + 1;
        let (all, bad) = (scrapes * 10, scrapes * errors);
        let (good, latency) = (all - bad, 400 + errors);
        server::text(&format!(
            "requests_total{{code=\"200\"}} {good}\nrequests_total{{code=\"500\"}} {bad}\nlatency_ms {latency}\nbroken NaN\n"
        ))
    })
    .await
}

/// Prometheus on a port of its own. It ends with the test.
struct Prometheus {
    program: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Where the program is. Without it the test says so; in CI it must be there.
#[expect(clippy::print_stdout, reason = "a skipped test says what it misses")]
fn program() -> Option<PathBuf> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("prometheus"))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        let missing = "first_party::prometheus: prometheus is not on PATH; get it with: \
                       apt-get install --no-install-recommends prometheus";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        println!("skipped: {missing}");
    }
    found
}

fn start(program: &PathBuf, candidate: &Server, stable: &Server) -> Prometheus {
    let folder = tempfile::tempdir().unwrap();
    let target = |server: &Server, pod: &str| {
        let labels = json!({ "namespace": "shop", "pod": pod });
        json!({ "targets": [server.url().trim_start_matches("http://")], "labels": labels })
    };
    let config = json!({
        "global": { "scrape_interval": "200ms", "scrape_timeout": "200ms" },
        "scrape_configs": [{ "job_name": "shop", "static_configs": [
            target(candidate, CANDIDATE),
            target(stable, STABLE),
        ] }],
    });
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, config.to_string()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let program = Command::new(program)
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args(["--log.level=error", "--query.lookback-delta=30s"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Prometheus {
        program,
        url: format!("http://127.0.0.1:{port}"),
        _folder: folder,
    }
}

async fn host(url: &str) -> Host {
    let grants = json!({ "grants": {
        "http": { "prometheus": {
            "url": url, "methods": ["POST"], "allowLoopback": true,
            "paths": ["/api/v1/query", "/api/v1/query_range"],
        } },
        "limits": { "cpu-ms": 500, "wall-ms": 30000 },
    } });
    Folder::new()
        .plugin("prometheus", "prometheus.wasm")
        .file(
            "plugins.yaml",
            operator_file("prometheus", "prometheus.wasm", grants),
        )
        .host_with(test_options())
        .await
}

/// Measures the last four seconds.
async fn measure(host: &Host, settings: &Value) -> Result<Measurement, PluginFault> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = u64::try_from(now.as_millis()).unwrap();
    let question = PluginCall::EvaluateMetrics {
        plugin: "prometheus".to_owned(),
        invocation: invocation(settings.clone(), &[]),
        from_unix_ms: now - 4_000,
        to_unix_ms: now,
    };
    match call(host, question).await {
        PluginAnswer::Measurement(measurement) => Ok(measurement),
        PluginAnswer::Failed(fault) => Err(fault),
        other => panic!("{other:?}"),
    }
}

/// Plays an analysis as a rollout does, second by second, until it stands otherwise than open.
async fn judged(host: &Host, settings: &Value, wanted: Value) -> Standing {
    let mut spec = json!({
        "plugin": "prometheus", "settings": settings, "every": "2s", "minimum": 20,
        "inconclusive": 1,
    });
    let map = spec.as_object_mut().unwrap();
    map.extend(wanted.as_object().unwrap().clone());
    let spec: AnalysisSpec = serde_json::from_value(spec).unwrap();
    assert_eq!(spec.problems("analysis"), []);
    let begun = Timestamp::now();
    let since = begun - SignedDuration::from_secs(2);
    let mut run = AnalysisRun::new(&spec, since);
    loop {
        let now = Timestamp::now();
        if let Some(window) = run.ask(&spec, now) {
            let (from_unix_ms, to_unix_ms) = window.unix_ms();
            let mut invocation = invocation(spec.settings.clone(), &[]);
            // As the agent names them: the pods that are ready.
            for (role, pod) in [("candidate", CANDIDATE), ("stable", STABLE)] {
                let attribute = (format!("{role}-pods"), pod.to_owned());
                invocation.attributes.push(attribute);
            }
            let question = PluginCall::EvaluateMetrics {
                plugin: "prometheus".to_owned(),
                invocation,
                from_unix_ms,
                to_unix_ms,
            };
            run.observe(&spec, &call(host, question).await, Timestamp::now());
        }
        match run.standing(&spec) {
            Standing::Open => {}
            other => return other,
        }
        let waited = Timestamp::now().duration_since(begun);
        assert!(
            waited < SignedDuration::from_secs(60),
            "{settings}: {run:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Measures until the answer is as wanted.
async fn until(
    host: &Host,
    settings: Value,
    wanted: impl Fn(&Result<Measurement, PluginFault>) -> bool,
) -> Result<Measurement, PluginFault> {
    let begun = Instant::now();
    loop {
        let came = measure(host, &settings).await;
        if wanted(&came) {
            return came;
        }
        assert!(begun.elapsed() < PATIENCE, "{settings}: {came:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn of(measurement: &Measurement, role: SeriesRole) -> &Series {
    let mut series = measurement.series.iter();
    series.find(|series| series.role == role).unwrap()
}

fn ratio() -> Value {
    let all = "requests_total{namespace=\"{{namespace}}\", pod=~\"{{pod-selector}}\"";
    json!({
        "name": "errors",
        "events": format!("sum(increase({all}, code=~\"5..\"}}[{{{{window}}}}]))"),
        "total": format!("sum(increase({all}}}[{{{{window}}}}]))"),
    })
}

fn value(query: &str) -> Value {
    json!({ "name": "p95", "value": query })
}

const LATENCY: &str = "latency_ms{pod=~\"{{pod-selector}}\"}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_is_asked_about_both_versions() {
    let Some(program) = program() else { return };
    let (candidate, stable) = (pod(2).await, pod(0).await);
    let prometheus = start(&program, &candidate, &stable);
    let host = host(&prometheus.url).await;
    assert_eq!(host.problems(), []);

    // Until it listens, its silence is an outage; until it has scraped twice, there is no data.
    let counted = until(&host, ratio(), |came| match came {
        Ok(came) => came.series.iter().all(|series| series.total >= 40),
        Err(fault) => {
            assert_eq!(fault.code, "plugin/said-unavailable", "{fault:?}");
            false
        }
    })
    .await
    .unwrap();
    let (new, old) = (
        of(&counted, SeriesRole::Candidate),
        of(&counted, SeriesRole::Stable),
    );
    // Two of ten at each scrape; `increase` extrapolates both counts alike.
    let share = new.events as f64 / new.total as f64;
    assert!((0.15..0.25).contains(&share), "{counted:?}");
    assert_eq!((old.events, old.value), (0, None), "{counted:?}");

    let measured = measure(&host, &value(LATENCY)).await.unwrap();
    assert_eq!(of(&measured, SeriesRole::Candidate).value, Some(402.0));
    assert_eq!(of(&measured, SeriesRole::Stable).value, Some(400.0));
    let mut range = value(LATENCY);
    range["range"] = json!({ "stepSeconds": 1, "reduce": "max" });
    let measured = measure(&host, &range).await.unwrap();
    assert_eq!(of(&measured, SeriesRole::Candidate).value, Some(402.0));

    for (query, words) in [
        ("nothing_like_it", "no series matches"),
        ("max(broken)", "the value is NaN"),
        ("vector(1) / vector(0)", "the value is inf"),
    ] {
        let came = measure(&host, &value(query)).await.unwrap();
        assert_eq!(of(&came, SeriesRole::Candidate).value, None, "{query}");
        assert!(came.summary.contains(words), "{query}: {}", came.summary);
    }
    for (query, words) in [
        ("latency_ms", "2 series where one number is wanted"),
        ("sum(", "Prometheus refuses the query"),
        ("latency_ms[5s]", "a range of points"),
        ("\"text\"", "gives a text"),
    ] {
        let fault = measure(&host, &value(query)).await.unwrap_err();
        assert_eq!(fault.code, "plugin/said-invalid-config", "{fault:?}");
        assert!(fault.message.contains(words), "{query}: {}", fault.message);
    }

    // The verdict is the agent's: a fifth of the candidate's requests fail, none of the others'.
    let good = judged(&host, &ratio(), json!({ "require": "< 50%", "count": 2 })).await;
    assert_eq!(good, Standing::Satisfied);
    let bad = judged(&host, &ratio(), json!({ "require": "< 1%" })).await;
    assert!(
        matches!(&bad, Standing::Failed(why) if why.contains("required < 1%")),
        "{bad:?}"
    );
    let compare = json!({ "compare": { "margin": "1%" }, "count": 1000 });
    let worse = judged(&host, &ratio(), compare).await;
    assert!(matches!(worse, Standing::Failed(_)), "{worse:?}");
    let latency = judged(
        &host,
        &value(LATENCY),
        json!({ "require": "< 405", "minimum": null }),
    )
    .await;
    assert_eq!(latency, Standing::Satisfied);
    let mut missing = ratio();
    missing["total"] = json!("sum(increase(request_totals[{{window}}]))");
    let mut share_of_a_value = value("nothing_like_it");
    share_of_a_value["total"] = ratio()["total"].clone();
    for settings in [missing, value("max(broken)"), share_of_a_value] {
        let told = judged(&host, &settings, json!({ "require": "< 1%" })).await;
        assert!(matches!(told, Standing::Unknown(_)), "{settings}: {told:?}");
    }

    // A pod that is gone leaves no number behind: Prometheus marks its series as stale.
    drop(candidate);
    let gone = until(&host, value(LATENCY), |came| {
        came.as_ref()
            .is_ok_and(|came| of(came, SeriesRole::Candidate).value.is_none())
    })
    .await
    .unwrap();
    assert_eq!(of(&gone, SeriesRole::Stable).value, Some(400.0));

    drop(prometheus);
    let fault = measure(&host, &ratio()).await.unwrap_err();
    assert_eq!(
        fault.code, "plugin/said-unavailable",
        "an outage is not no data"
    );
    assert!(fault.retryable);
    let told = judged(&host, &ratio(), json!({ "require": "< 50%" })).await;
    assert!(matches!(told, Standing::Unknown(_)), "{told:?}");
}
