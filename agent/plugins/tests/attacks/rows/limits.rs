//! Attacks on the machine: CPU, memory, stack, handles, clocks (1 to 6, 8, 22, 24).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use sluice_core::plugin::{Outcome, PluginAnswer, PluginCall};
use sluice_plugins::{CallUsage, Host, HostOptions, UsageSink};

use super::{bare, mode, overrun};
use crate::ground::{Ground, Setting, child};
use crate::instances::with_instances;
use crate::module::Module;
use crate::server;
use crate::support::{Folder, attack, call, with_lines};

/// One tick of the clock that stops guests.
const TICK: Duration = Duration::from_millis(10);
const SPIN: &str = "(loop $l (br $l)) (unreachable)";

/// The most CPU that a call used. Not the wall clock: a busy machine lets whoever computes a lot wait.
#[derive(Clone, Default)]
struct Used(Arc<Mutex<Duration>>);

impl Used {
    fn options(&self) -> HostOptions {
        HostOptions {
            usage: Arc::new(self.clone()),
            ..child(&[])
        }
    }

    fn most(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

impl UsageSink for Used {
    fn used(&self, usage: CallUsage) {
        let mut most = self.0.lock().unwrap();
        *most = usage.cpu.max(*most);
    }
}

/// The code that `run`, or loading, ends with.
async fn code(module: &Module) -> String {
    let host = module.folder().host().await;
    match host.problems().first() {
        Some(card) => card.code.clone(),
        None => attack(&host, "any").await.unwrap_err().code,
    }
}

async fn validating(host: &Host, plugin: &str, settings: serde_json::Value) -> String {
    let plugin = plugin.to_owned();
    match call(host, PluginCall::ValidateSettings { plugin, settings }).await {
        PluginAnswer::Failed(fault) => fault.code,
        other => format!("{other:?}"),
    }
}

pub(crate) async fn loops() -> String {
    let used = Used::default();
    let ground = Ground::new(Setting {
        options: used.options(),
        ..Setting::limits(json!({ "cpu-ms": 50 }))
    })
    .await;
    for _ in 0..5 {
        let ended = ground.ending_and_rest("loop").await;
        assert_eq!(ended, "plugin/cpu-budget");
    }
    let most = used.most();
    assert!(
        most <= Duration::from_millis(50) + 2 * TICK,
        "{most:?} of CPU"
    );
    let settings = mode("loop-in-validate");
    let ended = validating(&ground.host, "hostile", settings).await;
    assert_eq!(ended, "plugin/cpu-budget");
    for more in [
        "(func $spin (loop $l (br $l))) (start $spin)",
        "(func (export \"_initialize\") (loop $l (br $l)))",
    ] {
        let module = Module {
            more,
            ..Module::default()
        };
        assert_eq!(code(&module).await, "plugin/cpu-budget", "{more}");
    }
    let realloc = Module {
        realloc: SPIN,
        ..Module::default()
    };
    let post_return = Module {
        more: r#"(func (export "cabi_post_sluice:plugin/settings@0.1.0#validate") (param i32)
                  (loop $l (br $l)))"#,
        ..Module::default()
    };
    for module in [realloc, post_return] {
        let host = module.folder().host().await;
        let ended = validating(&host, "hostile", json!({ "some": "settings" })).await;
        assert_eq!(ended, "plugin/cpu-budget");
    }
    format!(
        "cpu-budget in run, validate, start, _initialize, cabi_realloc, post-return; {most:?} of 50 ms used"
    )
}

pub(crate) async fn fills() -> String {
    // All that may be granted without asking, in one operation; each is not interruptible.
    let whole = Module {
        memory: "(memory (export \"memory\") 1024)",
        run: "(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x4000000)) (br $l)) unreachable",
        ..Module::default()
    };
    let used = Used::default();
    let host = whole.folder().host_with(used.options()).await;
    assert_eq!(host.problems(), []);
    for _ in 0..3 {
        let ended = attack(&host, "any").await.unwrap_err().code;
        assert_eq!(ended, "plugin/cpu-budget");
    }
    // One operation is begun before the budget ends, and cannot be interrupted.
    let most = used.most();
    let allowed = Duration::from_millis(200 + 50) + 2 * TICK;
    assert!(most <= allowed, "{most:?} of CPU");
    let gibibyte = Module {
        run: "(memory.fill (i32.const 0) (i32.const 7) (i32.const 0x40000000)) unreachable",
        ..Module::default()
    };
    assert_eq!(code(&gibibyte).await, "plugin/trap");
    let grown = Module {
        run: "(if (i32.eq (memory.grow (i32.const 16384)) (i32.const -1)) (then unreachable)) (i32.const 0)",
        ..Module::default()
    };
    assert_eq!(code(&grown).await, "plugin/memory");
    format!("64 MiB at a time: cpu-budget, {most:?} of 200 ms used; 1 GiB: trap, not granted")
}

pub(crate) async fn bombs() -> String {
    let ground = bare(json!({ "cpu-ms": 10_000 })).await;
    assert_eq!(ground.ending("memory").await, "plugin/memory");
    let before = resident_mib();
    for _ in 0..10 {
        assert_eq!(ground.ending("memory").await, "plugin/memory");
        assert_eq!(ground.hostile("none").await.unwrap().outcome, Outcome::Pass);
    }
    let grown = resident_mib().saturating_sub(before);
    assert!(grown <= 16, "ten bombs left {grown} MiB behind");
    for (more, expected) in [
        ("(table 20001 funcref)", "plugin/limits"),
        (
            "(memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1)",
            "plugin/limits",
        ),
        (
            "(table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)
             (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)
             (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)
             (table 1 funcref) (table 1 funcref)",
            "plugin/limits",
        ),
    ] {
        let module = Module {
            more,
            ..Module::default()
        };
        assert_eq!(code(&module).await, expected, "{more}");
    }
    let sum = Module {
        more: "(memory $second 1)",
        run: "(drop (memory.grow 0 (i32.const 640)))
              (if (i32.eq (memory.grow $second (i32.const 640)) (i32.const -1)) (then unreachable))
              (i32.const 0)",
        ..Module::default()
    };
    assert_eq!(code(&sum).await, "plugin/memory");
    let crowd = Folder::new().file(
        "hostile.wasm",
        with_instances(Module::default().component(), 60),
    );
    let host = crowd.host().await;
    let ended = match host.problems().first() {
        Some(card) => card.code.clone(),
        None => attack(&host, "any").await.unwrap_err().code,
    };
    assert_ne!(ended, "plugin/missing");
    format!("memory, limits, {ended}; ten bombs left {grown} MiB behind")
}

/// Pages are 4 KiB.
fn resident_mib() -> u64 {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm")
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    pages / 256
}

pub(crate) async fn recursion() -> String {
    let ground = bare(json!({})).await;
    assert_eq!(ground.ending("recursion").await, "plugin/trap");
    let deep = Module {
        run: "(call $run (local.get 0))",
        ..Module::default()
    };
    assert_eq!(code(&deep).await, "plugin/trap");
    // The host writes an answer into the guest, for that the guest asks the host, and so on.
    let through_the_host = Module {
        imports: r#"(import "sluice:plugin/context@0.1.0" "[method]invocation.settings"
            (func $settings (param i32 i32)))"#,
        realloc: "(call $settings (global.get $handle) (i32.const 2048)) (i32.const 4096)",
        run: "(global.set $handle (local.get 0))
              (call $settings (local.get 0) (i32.const 2048)) unreachable",
        more: "(global $handle (mut i32) (i32.const 0))",
        ..Module::default()
    };
    assert_eq!(code(&through_the_host).await, "plugin/trap");
    "trap in the guest, trap at the second entry".to_owned()
}

pub(crate) async fn payloads() -> String {
    let (options, lines) = with_lines();
    let setting = Setting {
        options,
        ..Setting::limits(json!({}))
    };
    let ground = Ground::new(setting).await;
    assert_eq!(ground.ending("huge-log").await, "plugin/payload");
    const LOG: &str = r#"(import "sluice:plugin/log@0.1.0" "emit"
        (func $emit (param i32 i32 i32 i32 i32)))"#;
    let before = resident_mib();
    for run in [
        "(call $emit (i32.const 2) (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) (i32.const 0)) unreachable",
        "(call $emit (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000000000)) unreachable",
    ] {
        let module = Module {
            imports: LOG,
            run,
            ..Module::default()
        };
        let ended = code(&module).await;
        assert!(
            ["plugin/payload", "plugin/trap"].contains(&ended.as_str()),
            "{run}: {ended}"
        );
    }
    let grown = resident_mib().saturating_sub(before);
    assert!(grown < 512, "{grown} MiB were allocated");
    assert!(lines.taken().is_empty());
    "stopped; nothing was allocated or logged".to_owned()
}

pub(crate) async fn floods() -> String {
    let (options, lines) = with_lines();
    let server = server::start(|_| server::text("hello")).await;
    let setting = Setting {
        options,
        ..Setting::limits(json!({ "cpu-ms": 10_000 }))
    };
    let mut ground = Ground::new(setting).await;
    for flood in ["logs", "prints"] {
        let ended = ground.ending(flood).await;
        let kept = lines.taken();
        assert!((100..=201).contains(&kept.len()), "{} {ended}", kept.len());
        let bytes: usize = kept.iter().map(|line| line.message.len()).sum();
        assert!(bytes <= 70 << 10, "{bytes}");
        assert!(kept.last().unwrap().message.contains("dropped"));
    }
    ground.pods = vec![server.url()];
    let requests = ground.ending("requests").await;
    assert_eq!(requests, "8 answered, 92 over quota, 0 others");
    assert_eq!(server.requests().len(), 8);
    assert_eq!(ground.ending("handles").await, "plugin/handles");
    "201 lines kept; quota after 8 requests; stopped at 1000 handles".to_owned()
}

pub(crate) async fn sleeps() -> String {
    let ground = bare(json!({ "wall-ms": 200 })).await;
    let over = overrun(
        Duration::from_millis(200),
        Duration::from_millis(50),
        "plugin/deadline",
        || ground.ending_and_rest("sleep"),
    )
    .await;
    // Its slots are free again: no task was leaked.
    for _ in 0..4 {
        assert_eq!(ground.hostile("none").await.unwrap().outcome, Outcome::Pass);
    }
    format!("deadline, {over}; its slots are free")
}

pub(crate) async fn hog() -> String {
    let ground = bare(json!({})).await;
    for _ in 0..5 {
        assert_eq!(ground.ending("exit").await, "plugin/trap");
    }
    assert_eq!(ground.ending("none").await, "plugin/circuit-open");
    "two calls at once; circuit-open after five faults".to_owned()
}

/// Eight calls want to run at once, of two attackers.
pub(crate) async fn crowd(ground: &Ground) {
    let calls = (0..4).map(|_| ground.blow(mode("loop")));
    futures::future::join_all(calls).await;
}

pub(crate) async fn clocks() -> String {
    let ground = bare(json!({ "cpu-ms": 5000 })).await;
    let summary = ground.hostile("clocks").await.unwrap().summary;
    let steps: Vec<u64> = summary
        .split(' ')
        .map(|step| step.parse().unwrap())
        .collect();
    assert!(steps.iter().all(|step| *step >= 1_000_000), "{summary}");
    "1 ms is the finest step of both clocks; a documented limit, no guarantee".to_owned()
}
