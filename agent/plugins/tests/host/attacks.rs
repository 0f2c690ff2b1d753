//! What a hostile guest does to its host (plugins.md section 10). Numbers are those of the table.

use std::time::{Duration, Instant};

use serde_json::json;
use sluice_core::plugin::{Outcome, PluginAnswer, PluginCall};

use crate::server;
use crate::support::{
    Folder, attack, call, invocation, operator_file, smoke, test_options, with_lines,
};

fn hostile() -> Folder {
    Folder::new().plugin("hostile", "hostile.wasm")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_1_a_loop_ends_with_the_cpu_budget() {
    let host = hostile().host().await;
    let begun = Instant::now();
    let fault = attack(&host, "loop").await.unwrap_err();
    assert_eq!(fault.code, "plugin/cpu-budget");
    assert!(!fault.message.contains("wasm"), "{}", fault.message);
    // 200 ms of budget; the rest is room for a busy machine.
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    let settings = json!({ "attack": "loop-in-validate" });
    let answer = call(
        &host,
        PluginCall::ValidateSettings {
            plugin: "hostile".to_owned(),
            settings,
        },
    )
    .await;
    assert!(matches!(answer, PluginAnswer::Failed(fault) if fault.code == "plugin/cpu-budget"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_2_bulk_operations_stay_within_memory_and_budget() {
    let fault = attack(&hostile().host().await, "fill").await.unwrap_err();
    assert_eq!(fault.code, "plugin/cpu-budget");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_3_a_memory_bomb_is_refused() {
    // Touching 64 MiB takes more than 200 ms on a busy machine; memory is the question here.
    let folder = hostile().file(
        "plugins.yaml",
        operator_file(
            "hostile",
            "hostile.wasm",
            json!({"grants": {"limits": {"cpu-ms": 10000}}}),
        ),
    );
    let fault = attack(&folder.host().await, "memory").await.unwrap_err();
    assert_eq!(fault.code, "plugin/memory");
    assert!(fault.message.contains("64 MiB"), "{}", fault.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_4_deep_recursion_is_a_trap_not_an_abort() {
    let fault = attack(&hostile().host().await, "recursion")
        .await
        .unwrap_err();
    assert_eq!(fault.code, "plugin/trap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_5_a_huge_payload_does_not_reach_the_host() {
    let (options, lines) = with_lines();
    let fault = attack(&hostile().host_with(options).await, "huge-log")
        .await
        .unwrap_err();
    assert_eq!(fault.code, "plugin/payload");
    assert!(lines.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_6_logs_are_bounded_and_say_so() {
    let (options, lines) = with_lines();
    let folder = hostile().file(
        "plugins.yaml",
        operator_file(
            "hostile",
            "hostile.wasm",
            json!({"grants": {"limits": {"cpu-ms": 5000}}}),
        ),
    );
    let host = folder.host_with(options).await;
    for flood in ["logs", "prints"] {
        let outcome = attack(&host, flood).await;
        let kept = lines.taken();
        assert!(kept.len() <= 201, "{}", kept.len());
        let bytes: usize = kept.iter().map(|line| line.message.len()).sum();
        assert!(bytes <= 70 << 10, "{bytes}");
        assert!(
            kept.len() > 100,
            "{flood}: {} lines, {outcome:?}",
            kept.len()
        );
        assert!(kept.last().unwrap().message.contains("dropped"), "{flood}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_6_requests_are_counted() {
    let server = server::start(|_| server::text("hello")).await;
    let host = hostile().host().await;
    let settings = json!({ "attack": "requests" });
    let report = smoke(&host, "hostile", invocation(settings, &[server.url()]))
        .await
        .unwrap();
    assert_eq!(report.summary, "8 answered, 92 over quota, 0 others");
    assert_eq!(server.requests().len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_8_sleeping_for_ever_ends_at_the_deadline() {
    let folder = hostile().file(
        "plugins.yaml",
        operator_file(
            "hostile",
            "hostile.wasm",
            json!({"grants": {"limits": {"wall-ms": 300}}}),
        ),
    );
    let host = folder.host().await;
    let begun = Instant::now();
    let fault = attack(&host, "sleep").await.unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.retryable),
        ("plugin/deadline", true)
    );
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    // Both slots are free again: nothing was leaked.
    for _ in 0..2 {
        assert_eq!(attack(&host, "none").await.unwrap().outcome, Outcome::Pass);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_19_forged_text_is_inert() {
    let host = hostile().host().await;
    let report = attack(&host, "forge").await.unwrap();
    assert_eq!(report.summary, "fine[2J  [error] forged line ");
    assert_eq!(report.checks[0].name, "a b");
    assert!(report.checks[0].message.len() <= 1024);
    let fault = attack(&host, "unavailable").await.unwrap_err();
    assert_eq!(fault.code, "plugin/said-unavailable");
    assert!(fault.message.ends_with("no answer"), "{}", fault.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lie_is_a_failure_and_odd_answers_are_faults() {
    let host = hostile().host().await;
    assert_eq!(attack(&host, "lie").await.unwrap().outcome, Outcome::Fail);
    for (what, code) in [
        ("many-checks", "plugin/bad-answer"),
        ("exit", "plugin/trap"),
        ("out-of-bounds", "plugin/trap"),
    ] {
        assert_eq!(attack(&host, what).await.unwrap_err().code, code, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_plugin_says_keeps_its_meaning() {
    let host = hostile().host().await;
    let fault = attack(&host, "rate-limited").await.unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.retryable),
        ("plugin/said-rate-limited", true)
    );
    let fault = attack(&host, "nonsense").await.unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.retryable),
        ("plugin/said-invalid-config", false)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_faults_in_a_row_rest_the_plugin_and_only_it() {
    let entries = json!({ "plugins": [
        { "name": "hostile", "source": { "file": "hostile.wasm" } },
        { "name": "other", "source": { "file": "hostile.wasm" } },
    ]});
    let folder = hostile().file("plugins.yaml", entries.to_string());
    let host = folder.host().await;
    for _ in 0..5 {
        assert_eq!(attack(&host, "exit").await.unwrap_err().code, "plugin/trap");
    }
    let fault = attack(&host, "none").await.unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.retryable),
        ("plugin/circuit-open", true)
    );
    let call = invocation(json!({}), &["http://127.0.0.1:9".to_owned()]);
    assert_eq!(
        smoke(&host, "other", call).await.unwrap().outcome,
        Outcome::Pass
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_22_a_hog_does_not_starve_its_neighbour() {
    let limits = json!({ "limits": { "cpu-ms": 1000 } });
    let entries = json!({ "plugins": [
        { "name": "hostile", "source": { "file": "hostile.wasm" }, "grants": limits },
        { "name": "other", "source": { "file": "hostile.wasm" } },
    ]});
    let folder = hostile().file("plugins.yaml", entries.to_string());
    let host = folder.host().await;
    let mut hogs = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let host = host.clone();
        hogs.spawn(async move { attack(&host, "loop").await });
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..10 {
        let call = invocation(json!({}), &["http://127.0.0.1:9".to_owned()]);
        let begun = Instant::now();
        assert_eq!(
            smoke(&host, "other", call).await.unwrap().outcome,
            Outcome::Pass
        );
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
    }
    hogs.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_pod_nothing_can_pass() {
    let host = hostile().host().await;
    let report = smoke(&host, "hostile", invocation(json!({}), &[]))
        .await
        .unwrap();
    assert_eq!(report.outcome, Outcome::Inconclusive);
    assert!(report.summary.contains("no pod"), "{}", report.summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loopback_stays_closed_outside_of_demo_and_tests() {
    let server = server::start(|_| server::text("hello")).await;
    let options = sluice_plugins::HostOptions {
        allow_loopback: false,
        ..test_options()
    };
    let host = hostile().host_with(options).await;
    let call = invocation(json!({ "attack": "fetch" }), &[server.url()]);
    let report = smoke(&host, "hostile", call).await.unwrap();
    assert_eq!(report.outcome, Outcome::Inconclusive);
    assert!(report.summary.contains("loopback"), "{}", report.summary);
    assert!(server.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_wait_for_each_others_memory() {
    let limits = json!({ "limits": { "wall-ms": 400 } });
    let entries = json!({ "plugins": [
        { "name": "hostile", "source": { "file": "hostile.wasm" }, "grants": limits },
        { "name": "other", "source": { "file": "hostile.wasm" }, "grants": limits },
    ]});
    let folder = hostile().file("plugins.yaml", entries.to_string());
    // Memory for one call of 64 MiB, not for two.
    let options = sluice_plugins::HostOptions {
        memory_mib: 100,
        ..test_options()
    };
    let host = folder.host_with(options).await;
    let begun = Instant::now();
    let sleep = || {
        invocation(
            json!({ "attack": "sleep" }),
            &["http://127.0.0.1:9".to_owned()],
        )
    };
    let (one, two) = tokio::join!(
        smoke(&host, "hostile", sleep()),
        smoke(&host, "other", sleep())
    );
    assert_eq!((one.unwrap_err().code, two.unwrap_err().code), {
        ("plugin/deadline".to_owned(), "plugin/deadline".to_owned())
    });
    assert!(
        begun.elapsed() >= Duration::from_millis(800),
        "{:?}",
        begun.elapsed()
    );
}
