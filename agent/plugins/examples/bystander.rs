use serde_json::json;
use sluice_core::plugin::*;
use sluice_core::port::PluginHost as _;
use sluice_plugins::{Host, HostOptions};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn invocation(settings: serde_json::Value) -> Invocation {
    Invocation {
        release: Release {
            id: "r".into(),
            workload: WorkloadRef {
                cluster: "c".into(),
                namespace: "n".into(),
                kind: "Deployment".into(),
                name: "s".into(),
                uid: "u".into(),
            },
            from_revision: None,
            to_revision: "sha256:2".into(),
            images: vec![],
            subject_digest: "sha256:3".into(),
        },
        settings,
        idempotency_key: "k".into(),
        attributes: vec![],
        targets: Targets {
            candidate: vec!["http://127.0.0.1:9".into()],
            ..Targets::default()
        },
    }
}
fn smoke(plugin: &str, attack: &str) -> PluginCall {
    PluginCall::RunSmokeTest {
        plugin: plugin.into(),
        invocation: invocation(json!({"attack": attack})),
    }
}
fn show(name: &str, mut v: Vec<Duration>) {
    v.sort();
    let p = |q: f64| v[((v.len() - 1) as f64 * q) as usize].as_nanos() as f64 / 1000.0;
    println!(
        "{name:28} n={:6} p50 {:8.1} p90 {:8.1} p99 {:8.1} p99.9 {:8.1} max {:8.1} us",
        v.len(),
        p(0.5),
        p(0.9),
        p(0.99),
        p(0.999),
        p(1.0)
    );
}
async fn measure(host: &Host, time: Duration, pause: Option<Duration>) -> Vec<Duration> {
    let begun = Instant::now();
    let mut v = Vec::new();
    while begun.elapsed() < time {
        let t = Instant::now();
        let a = host.call(smoke("other", "none")).await;
        v.push(t.elapsed());
        assert!(matches!(a, PluginAnswer::Report(_)), "{a:?}");
        if let Some(p) = pause {
            tokio::time::sleep(p).await;
        }
    }
    v
}
fn raw(bytes: &[u8]) {
    use wasmtime::*;
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_component_model(true);
    let engine = Engine::new(&config).unwrap();
    let component = component::Component::from_binary(&engine, bytes).unwrap();
    let mut linker: component::Linker<()> = component::Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&component).unwrap();
    let pre = linker.instantiate_pre(&component).unwrap();
    let iface = component
        .get_export_index(None, "sluice:plugin/settings@0.1.0")
        .unwrap();
    let func = component
        .get_export_index(Some(&iface), "validate")
        .unwrap();
    let rt = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut v = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        let t = Instant::now();
        rt.block_on(async {
            let mut store = Store::new(&engine, ());
            store.set_epoch_deadline(1000);
            let i = pre.instantiate_async(&mut store).await.unwrap();
            let f = i.get_func(&mut store, &func).unwrap();
            let mut out = [component::Val::Bool(false)];
            f.call_async(&mut store, &[component::Val::String("{}".into())], &mut out)
                .await
                .unwrap();
            drop(store);
        });
        v.push(t.elapsed());
    }
    show("raw settings.validate", v);
}
fn main() {
    let rt = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let folder = std::env::temp_dir().join(format!("bystander-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let wasm = "target/wasm32-wasip2/plugin/hostile.wasm";
    std::fs::copy(wasm, folder.join("hostile.wasm")).unwrap();
    std::fs::write(
        folder.join("plugins.yaml"),
        json!({"plugins": [
        {"name": "hostile", "source": {"file": "hostile.wasm"}},
        {"name": "other", "source": {"file": "hostile.wasm"}}]})
        .to_string(),
    )
    .unwrap();
    let bytes = std::fs::read(wasm).unwrap();
    raw(&bytes);
    rt.block_on(async {
        let host = Host::open(
            folder.clone(),
            HostOptions {
                allow_loopback: true,
                ..HostOptions::default()
            },
        )
        .await
        .unwrap();
        assert_eq!(host.problems(), []);
        let begun = Instant::now();
        let mut v = Vec::new();
        while begun.elapsed() < Duration::from_secs(2) {
            let t = Instant::now();
            host.call(PluginCall::ValidateSettings {
                plugin: "other".into(),
                settings: json!({}),
            })
            .await;
            v.push(t.elapsed());
        }
        show("host settings.validate", v);
        let h = host.clone();
        let task = tokio::spawn(async move {
            for round in 0..3 {
                show(
                    &format!("alone {round}"),
                    measure(&h, Duration::from_secs(3), None).await,
                );
                let mut hogs = tokio::task::JoinSet::new();
                let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
                for _ in 0..2 {
                    let h = h.clone();
                    let stop = stop.clone();
                    hogs.spawn(async move {
                        let mut codes = std::collections::BTreeMap::new();
                        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                            if let PluginAnswer::Failed(f) = h.call(smoke("hostile", "loop")).await
                            {
                                *codes.entry(f.code).or_insert(0) += 1;
                            }
                            h.call(smoke("hostile", "none")).await;
                        }
                        codes
                    });
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
                show(
                    &format!("two slots spin {round}"),
                    measure(&h, Duration::from_secs(3), None).await,
                );
                show(
                    &format!("  with pauses of 1 ms"),
                    measure(&h, Duration::from_secs(3), Some(Duration::from_millis(1))).await,
                );
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
                while let Some(c) = hogs.join_next().await {
                    println!("   hog {:?}", c.unwrap());
                }
                show(
                    &format!("  alone, pauses of 1 ms"),
                    measure(&h, Duration::from_secs(2), Some(Duration::from_millis(1))).await,
                );
            }
        });
        task.await.unwrap();
    });
    std::fs::remove_dir_all(folder).unwrap();
}
