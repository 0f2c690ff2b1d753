//! The fail-closed table (plugins.md section 1), on the host's side: whatever a plugin of whatever kind
//! does instead of answering is `Failed` with a code that says so. What the agent makes of that is
//! tested in the core: it holds, keeps waiting, does not start, or tries again; it never passes.

use std::fmt::Write as _;

use serde_json::json;
use sluice_core::plugin::{Event, PlanStep, PluginAnswer, PluginCall, Severity};

use crate::module::{encode, with_manifest};
use crate::support::{Folder, call, invocation, operator_file};

/// One kind: its name, its world, its exports with their parameters as the ABI flattens them, and the
/// address of an answer that is an error.
struct Kind {
    name: &'static str,
    exports: &'static [(&'static str, &'static str, u32)],
}

/// An error begins after the largest alignment of the other answer: four bytes, eight for `judge`.
const ERROR: u32 = 64;
const WIDE_ERROR: u32 = 128;

const KINDS: [Kind; 5] = [
    Kind {
        name: "smoke-test",
        exports: &[("run", "i32", ERROR)],
    },
    Kind {
        name: "metric-provider",
        exports: &[("evaluate", "i32 i64 i64", ERROR)],
    },
    Kind {
        name: "approval-provider",
        exports: &[
            ("ask", "i32", ERROR),
            ("poll", "i32 i32 i32", ERROR),
            ("withdraw", "i32 i32 i32", ERROR),
            ("on-callback", "i32 i32 i32 i32 i32 i32 i32", ERROR),
        ],
    },
    Kind {
        name: "traffic-strategy",
        exports: &[
            ("plan", "i32", ERROR),
            (
                "judge",
                "i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32",
                WIDE_ERROR,
            ),
        ],
    },
    Kind {
        name: "notifier",
        exports: &[(
            "notify",
            "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32",
            ERROR,
        )],
    },
];

/// What it does instead of answering, and the code that follows.
const BEHAVIOURS: [(&str, &str); 3] = [
    ("error", "plugin/said-other"),
    ("trap", "plugin/trap"),
    ("time-out", "plugin/deadline"),
];

impl Kind {
    fn of(name: &str) -> &'static Kind {
        KINDS.iter().find(|kind| kind.name == name).unwrap()
    }

    /// A component of this kind whose every export behaves so.
    fn component(&self, behaviour: &str) -> Vec<u8> {
        let mut functions = String::new();
        for (export, parameters, error) in self.exports {
            let body = match behaviour {
                // What is borrowed is given back before anything is answered.
                "error" => format!("(call $give_back (local.get 0)) (i32.const {error})"),
                "trap" => "unreachable".to_owned(),
                _ => "(loop $l (br $l)) unreachable".to_owned(),
            };
            let name = self.name;
            writeln!(
                functions,
                r#"(func (export "sluice:plugin/{name}@0.1.0#{export}") (param {parameters}) (result i32) {body})"#
            )
            .unwrap();
        }
        let text = format!(
            r#"(module
                (import "sluice:plugin/context@0.1.0" "[resource-drop]invocation"
                    (func $give_back (param i32)))
                (memory (export "memory") 1)
                (data (i32.const 64) "\01") (data (i32.const 68) "\04")
                (data (i32.const 128) "\01") (data (i32.const 136) "\04")
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "sluice:plugin/settings@0.1.0#validate") (param i32 i32) (result i32) (i32.const 16))
                {functions}
            )"#
        );
        let manifest = format!(
            "api = \"sluice:plugin@0.1\"\n\
             plugin = {{ kind = \"{}\", name = \"silent\", version = \"0.0.1\" }}\n\
             limits = {{ cpu-ms = 5000, wall-ms = 150 }}\n",
            self.name
        );
        let module = wat::parse_str(text).unwrap();
        let component = encode(&module, &format!("{}-plugin", self.name));
        with_manifest(component, &manifest)
    }
}

/// Every question that this kind is ever asked.
fn questions(kind: &str, plugin: &str) -> Vec<PluginCall> {
    let plugin = plugin.to_owned();
    let invocation = || invocation(json!({}), &["http://127.0.0.1:9".to_owned()]);
    let ticket = || "ticket".to_owned();
    match kind {
        "smoke-test" => vec![PluginCall::RunSmokeTest {
            plugin,
            invocation: invocation(),
        }],
        "metric-provider" => vec![PluginCall::EvaluateMetrics {
            plugin,
            invocation: invocation(),
            from_unix_ms: 0,
            to_unix_ms: 60_000,
        }],
        "approval-provider" => vec![
            PluginCall::AskApproval {
                plugin: plugin.clone(),
                invocation: invocation(),
            },
            PluginCall::PollApproval {
                plugin: plugin.clone(),
                invocation: invocation(),
                ticket: ticket(),
            },
            PluginCall::WithdrawApproval {
                plugin: plugin.clone(),
                invocation: invocation(),
                ticket: ticket(),
            },
            PluginCall::ApprovalCallback {
                plugin,
                invocation: invocation(),
                ticket: ticket(),
                headers: Vec::new(),
                body: b"{}".to_vec(),
            },
        ],
        "traffic-strategy" => vec![
            PluginCall::Plan {
                plugin: plugin.clone(),
                invocation: invocation(),
            },
            PluginCall::Judge {
                plugin,
                invocation: invocation(),
                step: PlanStep {
                    name: "10 %".to_owned(),
                    weight_bp: 1000,
                    capacity_replicas: None,
                    hold_ms: 0,
                    checks: true,
                    gate: None,
                },
                observations: Vec::new(),
            },
        ],
        _ => vec![PluginCall::Notify {
            plugin,
            invocation: invocation(),
            event: Event {
                id: "1/1".to_owned(),
                kind: "started".to_owned(),
                severity: Severity::Info,
                title: "started".to_owned(),
                body: String::new(),
                links: Vec::new(),
                thread: None,
            },
        }],
    }
}

async fn every_cell(kind: &str) {
    for (behaviour, code) in BEHAVIOURS {
        let entry = json!({ "grants": { "limits": { "cpu-ms": 5000, "wall-ms": 150 } } });
        let folder = Folder::new()
            .file("silent.wasm", Kind::of(kind).component(behaviour))
            .file(
                "plugins.yaml",
                operator_file("silent", "silent.wasm", entry),
            );
        let host = folder.host().await;
        assert_eq!(host.problems(), [], "{kind} {behaviour}");
        for question in questions(kind, "silent") {
            match call(&host, question.clone()).await {
                PluginAnswer::Failed(fault) => {
                    assert_eq!(fault.code, code, "{behaviour}: {question:?}");
                }
                other => panic!("{behaviour}: {question:?} is answered with {other:?}"),
            }
        }
        for question in questions(kind, "no-such-plugin") {
            match call(&host, question).await {
                PluginAnswer::Failed(fault) => assert_eq!(fault.code, "plugin/missing"),
                other => panic!("nobody answers {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_smoke_test_without_an_answer_has_failed_to_answer() {
    every_cell("smoke-test").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metric_provider_without_an_answer_has_failed_to_answer() {
    every_cell("metric-provider").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_provider_without_an_answer_has_failed_to_answer() {
    every_cell("approval-provider").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strategy_without_an_answer_has_failed_to_answer() {
    every_cell("traffic-strategy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_without_an_answer_has_failed_to_answer() {
    every_cell("notifier").await;
}
