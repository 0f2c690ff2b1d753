//! Calls that do nothing: what it costs to ask a plugin anything at all.

use std::path::Path;
use std::time::{Duration, Instant};

use criterion::Criterion;
use serde_json::json;
use sluice_core::plugin::PluginAnswer;
use sluice_core::port::PluginHost as _;

use crate::language::Language;
use crate::raw::Raw;
use crate::stage::Stage;
use crate::table::{Figure, Table, percentile};

/// Calls of each kind, in turns. Python's are ten times as long.
const CALLS: usize = 3000;
const FEWER_CALLS: usize = 300;
/// Calls before it counts.
const WARM_UP: usize = 50;
/// The host's share on top of wasmtime alone, in percent.
const OVERHEAD: f64 = 25.0;
/// Clients that call at the same time, how many plugins they call, and for how long.
const CLIENTS: usize = 20;
const PLUGINS: usize = 10;
const LOAD: Duration = Duration::from_secs(5);

fn targets(language: Language) -> (Duration, Duration) {
    let (p50, p99) = match language {
        Language::Rust => (100, 300),
        Language::JavaScript => (1000, 3000),
        Language::Python => (5000, 15_000),
    };
    (Duration::from_micros(p50), Duration::from_micros(p99))
}

fn called(stage: &Stage) {
    let answer = stage.runtime.block_on(stage.host.call(Stage::no_op("p0")));
    assert!(matches!(answer, PluginAnswer::Settings(_)), "{answer:?}");
}

/// A fresh instance that does nothing, by the host and by wasmtime alone.
pub(crate) fn measure(
    language: Language,
    component: &Path,
    criterion: &mut Criterion,
    table: &mut Table,
) {
    let stage = Stage::new(component, 1, &json!({ "cpu-ms": 5000, "memory-mib": 64 }));
    let raw = Raw::new(component);
    let count = match language {
        Language::Python => FEWER_CALLS,
        Language::Rust | Language::JavaScript => CALLS,
    };
    for _ in 0..WARM_UP {
        called(&stage);
        raw.no_op();
    }
    // In turns, so that whatever else the machine does strikes both.
    let (mut host, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let begun = Instant::now();
        called(&stage);
        host.push(begun.elapsed());
        let begun = Instant::now();
        raw.no_op();
        alone.push(begun.elapsed());
    }
    let mut group = criterion.benchmark_group(format!("no-op call, {language}"));
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3));
    group.bench_function("host", |bencher| bencher.iter(|| called(&stage)));
    group.bench_function("wasmtime alone", |bencher| bencher.iter(|| raw.no_op()));
    group.finish();
    let (p50, p99) = targets(language);
    let binding = language == Language::Rust;
    let (median, bare) = (percentile(&mut host, 50), percentile(&mut alone, 50));
    table.at_most(
        format!("{language}: fresh-instance no-op call, p50"),
        Figure::Time(median),
        Figure::Time(p50),
        binding,
    );
    table.at_most(
        format!("{language}: the same, p99"),
        Figure::Time(percentile(&mut host, 99)),
        Figure::Time(p99),
        binding,
    );
    table.figure(
        format!("{language}: wasmtime alone, p50"),
        Figure::Time(bare),
    );
    let overhead = (median.as_secs_f64() / bare.as_secs_f64() - 1.0) * 100.0;
    table.at_most(
        format!("{language}: the host on top of that"),
        Figure::Percent(overhead),
        Figure::Percent(OVERHEAD),
        binding,
    );
}

/// Calls a second with twenty clients at once, over ten plugins.
pub(crate) fn throughput(table: &mut Table) {
    let Some(component) = Language::Rust.component() else {
        return;
    };
    let stage = Stage::new(&component, PLUGINS, &json!({}));
    let end = Instant::now() + LOAD;
    let calls: usize = stage.runtime.block_on(async {
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..CLIENTS {
            let host = stage.host.clone();
            let plugin = format!("p{}", client % PLUGINS);
            clients.spawn(async move {
                let mut calls = 0;
                while Instant::now() < end {
                    let answer = host.call(Stage::no_op(&plugin)).await;
                    assert!(matches!(answer, PluginAnswer::Settings(_)), "{answer:?}");
                    calls += 1;
                }
                calls
            });
        }
        clients.join_all().await.into_iter().sum()
    });
    table.figure(
        format!("Rust: calls with {CLIENTS} clients, {PLUGINS} plugins"),
        Figure::PerSecond(calls as f64 / LOAD.as_secs_f64()),
    );
}
