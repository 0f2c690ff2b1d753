//! Metric providers: numbers in, numbers or a fault out.

use serde_json::{Value, json};
use sluice_core::plugin::{Measurement, PluginAnswer, PluginCall, PluginFault, Series, SeriesRole};
use sluice_plugins::{Host, HostOptions};

use crate::support::{Folder, call, invocation, operator_file, test_options};

/// The provider with odd numbers, granted `http` and its second door.
pub(crate) async fn provider(http: Value, options: HostOptions) -> Host {
    let grants = json!({
        "grants": { "http": http, "wasi-http": true },
        "secrets": { "token": { "secret": "measurer", "key": "token" } },
    });
    let folder = Folder::new()
        .plugin("hostile_measurer", "measurer.wasm")
        .file(
            "plugins.yaml",
            operator_file("measurer", "measurer.wasm", grants),
        );
    let host = folder.host_with(options).await;
    assert_eq!(host.problems(), []);
    host
}

/// Asks for the numbers of a window.
pub(crate) async fn measure(host: &Host, settings: Value) -> Result<Measurement, PluginFault> {
    let question = PluginCall::EvaluateMetrics {
        plugin: "measurer".to_owned(),
        invocation: invocation(settings, &["http://127.0.0.1:9".to_owned()]),
        from_unix_ms: 1_700_000_000_000,
        to_unix_ms: 1_700_000_060_000,
    };
    match call(host, question).await {
        PluginAnswer::Measurement(measurement) => Ok(measurement),
        PluginAnswer::Failed(fault) => Err(fault),
        other => panic!("another answer: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_both_versions_come_as_they_were_measured() {
    let host = provider(json!({}), test_options()).await;
    let measured = measure(&host, json!({ "measure": "both" })).await.unwrap();
    assert_eq!(measured.summary, "from 1700000000000 to 1700000060000");
    let series = |role, events, total, value| Series {
        role,
        events,
        total,
        value,
    };
    assert_eq!(
        measured.series,
        [
            series(SeriesRole::Stable, 3, 1000, None),
            series(SeriesRole::Candidate, 5, 100, Some(41.5)),
        ]
    );
    let nothing = measure(&host, json!({ "measure": "nothing" })).await;
    assert_eq!(nothing.unwrap().series, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_number_is_a_fault_and_never_a_measurement() {
    for which in ["nan", "infinite", "impossible", "twice", "many"] {
        // A host each: five faults in a row rest a plugin.
        let host = provider(json!({}), test_options()).await;
        let fault = measure(&host, json!({ "measure": which }))
            .await
            .unwrap_err();
        assert_eq!(fault.code, "plugin/bad-answer", "{which}");
    }
    let host = provider(json!({}), test_options()).await;
    let fault = measure(&host, json!({ "measure": "?" })).await.unwrap_err();
    assert_eq!(fault.code, "plugin/said-invalid-config");
    let long = measure(&host, json!({ "measure": "long" })).await.unwrap();
    assert!(long.summary.len() <= 1024 && !long.summary.contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_metric_provider_measures() {
    let folder = Folder::new().plugin("hostile", "measurer.wasm").file(
        "plugins.yaml",
        operator_file("measurer", "measurer.wasm", json!({})),
    );
    let fault = measure(&folder.host().await, json!({})).await.unwrap_err();
    assert_eq!(fault.code, "plugin/missing");
    assert!(
        fault
            .message
            .contains("is a smoke-test, and a metric-provider is asked for"),
        "{}",
        fault.message
    );
}
