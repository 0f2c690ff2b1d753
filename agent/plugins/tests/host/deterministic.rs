//! A strategy that is asked the same twice answers the same, to the instruction.

use std::sync::Arc;

use serde_json::json;
use sluice_core::plugin::{PluginAnswer, PluginCall};
use sluice_plugins::{Compiler, Host, HostOptions};

use crate::support::{Folder, call, invocation, test_options};
use crate::usage::Figures;

async fn plan(host: &Host, attack: &str) -> PluginAnswer {
    let question = PluginCall::Plan {
        plugin: "hostile-strategist".to_owned(),
        invocation: invocation(json!({ "attack": attack }), &[]),
    };
    call(host, question).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_question_takes_the_same_instructions_to_the_same_answer() {
    let figures = Arc::new(Figures::default());
    let options = HostOptions {
        deterministic: true,
        usage: figures.clone(),
        ..test_options()
    };
    let folder = Folder::new().plugin("hostile_strategist", "strategist.wasm");
    let host = folder.host_with(options).await;
    assert_eq!(host.problems(), []);
    // Clocks, seeds and addresses decide over this plan; and a loop is stopped by a count.
    for attack in ["unstable", "loop"] {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let answer = plan(&host, attack).await;
            let used = figures.last();
            seen.push((answer, used.fuel.unwrap(), used.host_calls));
        }
        assert_eq!(seen[0], seen[1], "{attack}");
        assert!(seen[0].1 > 0);
    }
    let PluginAnswer::Failed(fault) = plan(&host, "loop").await else {
        panic!("a loop that ends");
    };
    assert_eq!(fault.code, "plugin/cpu-budget");
    let used = figures.last();
    assert_eq!(used.fuel, Some(u64::from(used.limits.cpu_ms) * 700_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deterministic_host_does_not_pretend_with_a_child() {
    let options = HostOptions {
        deterministic: true,
        compiler: Compiler::this_program(None),
        ..test_options()
    };
    let card = Host::open(Folder::new().path(), options)
        .await
        .err()
        .unwrap();
    assert_eq!(card.code, "plugin/host");
    assert!(
        card.why[0].contains("compiles in its own process"),
        "{card}"
    );
}
