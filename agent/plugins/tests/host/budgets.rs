//! Each budget of a call has its own stop, with a code that stays. CPU, memory, wall clock and requests
//! are in `attacks`.

use serde_json::json;

use crate::metrics::{measure, provider};
use crate::module::Module;
use crate::support::{Folder, attack, operator_file, test_options, with_lines};

const LOG: &str = r#"(import "sluice:plugin/log@0.1.0" "emit"
    (func $emit (param i32 i32 i32 i32 i32)))"#;

async fn ended(module: &Module) -> String {
    let host = module.folder().host().await;
    assert_eq!(host.problems(), []);
    attack(&host, "any").await.unwrap_err().code
}

/// Calls the log so many times, and then does what no answer can come after.
fn calls(times: u32) -> &'static str {
    let text = format!(
        "(local $n i32)
         (loop $again
           (call $emit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))
         unreachable"
    );
    Box::leak(text.into_boxed_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_into_the_host_are_counted_over_all_imports() {
    for (times, code) in [(100_000, "plugin/trap"), (100_001, "plugin/host-calls")] {
        let module = Module {
            imports: LOG,
            run: calls(times),
            ..Module::default()
        };
        let folder = module.folder().file(
            "plugins.yaml",
            operator_file(
                "hostile",
                "hostile.wasm",
                json!({"grants": {"limits": {"cpu-ms": 10000}}}),
            ),
        );
        let host = folder.host().await;
        assert_eq!(
            attack(&host, "any").await.unwrap_err().code,
            code,
            "{times}"
        );
    }
    // WASI's count as well. They cannot fail on their own, so the call ends with the next tick.
    let host = provider(json!({}), test_options()).await;
    let fault = measure(&host, json!({ "measure": "clock" }))
        .await
        .unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.retryable),
        ("plugin/host-calls", false)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handles_are_counted() {
    let folder = Folder::new().plugin("hostile", "hostile.wasm");
    let fault = attack(&folder.host().await, "handles").await.unwrap_err();
    assert_eq!(fault.code, "plugin/handles");
    assert!(
        fault.message.contains("more than 1000 handles"),
        "{}",
        fault.message
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_may_cross_at_once_is_a_stop_of_its_own() {
    let module = Module {
        imports: LOG,
        memory: "(memory (export \"memory\") 800)",
        run: "(call $emit (i32.const 2) (i32.const 0) (i32.const 0x300000) (i32.const 0) (i32.const 0)) (i32.const 0)",
        ..Module::default()
    };
    assert_eq!(ended(&module).await, "plugin/payload");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_floods_at_every_call_is_cut_to_a_trickle() {
    let (options, lines) = with_lines();
    let limits = json!({ "grants": { "limits": { "cpu-ms": 5000 } } });
    let folder = Folder::new().plugin("hostile", "hostile.wasm").file(
        "plugins.yaml",
        operator_file("hostile", "hostile.wasm", limits),
    );
    let host = folder.host_with(options).await;
    let mut kept = Vec::new();
    for _ in 0..8 {
        let _ = attack(&host, "prints").await;
        kept.push(lines.taken().len());
    }
    // 200 lines each at first, and one that says so; a thousand in a row, then 20 a second.
    assert_eq!(kept[..4], [201; 4], "{kept:?}");
    assert!(kept[6] < 150 && kept[7] < 150, "{kept:?}");
    assert!(kept.iter().all(|lines| *lines > 0), "{kept:?}");
}
