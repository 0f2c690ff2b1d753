//! `sluice plugin run`: one smoke test, in the host that the agent uses, against addresses that the
//! caller names.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use sluice_core::plugin::{
    Invocation, Outcome, PluginAnswer, PluginCall, PluginFault, PluginKind, Release, Report,
    Targets, WorkloadRef,
};
use sluice_core::port::PluginHost as _;
use sluice_plugins::{
    DirectorySecrets, FILE_NAME, Host, HostOptions, LogLine, LogSink, Manifest, PluginEntry,
    PluginsFile,
};

use super::{read_component, unfit, unreadable};
use crate::args::PluginRunArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::text::rollout::verdict;

/// The name of the component in its own folder.
const COMPONENT: &str = "plugin.wasm";
/// A digest that stands for "none": the version under test was not rolled out.
const NO_DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

pub(crate) async fn run(args: &PluginRunArgs, out: &mut Output) -> Result<Exit, Failure> {
    let settings = settings(&args.settings)?;
    let manifest = manifest(&args.plugin)?;
    let name = manifest.plugin.name.clone();
    if manifest.plugin.kind != PluginKind::SmokeTest {
        return Err(
            Failure::new("plugin-kind", format!("{name} is no smoke test"))
                .at(args.plugin.display().to_string())
                .because("only smoke tests can be run alone")
                .change("name a component whose plugin.toml says kind = \"smoke-test\"")
                .exit(Exit::NotDone),
        );
    }
    let folder = folder(&args.plugin, args.plugins_config.as_deref(), &manifest)?;
    let log = Arc::new(Lines::default());
    let mut options = HostOptions {
        allow_loopback: true,
        log: log.clone(),
        ..HostOptions::default()
    };
    if let Some(secrets) = &args.secrets {
        options.secrets = Arc::new(DirectorySecrets::new(secrets));
    }
    let host = Host::open(folder.path(), options)
        .await
        .map_err(|card| unfit(&args.plugin, &[card]))?;
    let problems = host.problems();
    if host.catalog().is_empty() {
        return Err(unfit(&args.plugin, &problems));
    }
    // It serves all the same, with less than it asks for: worth knowing before a test fails of it.
    for card in &problems {
        out.note(&card.line())?;
    }
    let answer = host.call(question(args, &name, settings)).await;
    for line in log.take() {
        out.note(&line)?;
    }
    match answer {
        PluginAnswer::Report(report) => {
            out.json(&report, false)?;
            out.text(&text(&name, &report))?;
            Ok(if report.outcome == Outcome::Pass {
                Exit::Done
            } else {
                Exit::NotDone
            })
        }
        PluginAnswer::Failed(fault) => Err(failed(&name, fault)),
        PluginAnswer::Measurement(_)
        | PluginAnswer::Plan(_)
        | PluginAnswer::Judgement(_)
        | PluginAnswer::Notified(_)
        | PluginAnswer::Approval(_)
        | PluginAnswer::Withdrawn
        | PluginAnswer::ApprovalCallback(_)
        | PluginAnswer::Settings(_) => Err(Failure::new(
            "internal",
            format!("{name} answered another question"),
        )),
    }
}

/// What the plugin logs, to be shown after the call. The host bounds it per call.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LogSink for Lines {
    fn line(&self, line: LogLine) {
        let fields: String = line
            .fields
            .iter()
            .map(|(k, v)| format!(" {k}={v:?}"))
            .collect();
        let text = format!("log: {:?}: {}{fields}", line.level, line.message);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }
}

pub(super) fn settings(given: &str) -> Result<Value, Failure> {
    let failure = |why: String| {
        Failure::new("usage", "--settings cannot be used")
            .because(why)
            .change("write a JSON object, or @FILE with one in it")
            .exit(Exit::Usage)
    };
    let text = match given.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|e| failure(format!("{path}: {e}")))?,
        None => given.to_owned(),
    };
    let value: Value = serde_json::from_str(&text).map_err(|e| failure(e.to_string()))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(failure("it is no object".into()))
    }
}

fn manifest(path: &Path) -> Result<Manifest, Failure> {
    let bytes = read_component(path)?;
    Manifest::of_component(&bytes, COMPONENT).map_err(|card| unfit(path, &[card]))
}

/// A folder with this plugin alone. Under the grants of the operator's file, where one is given; else
/// it gets the limits that it asks for, and no server but those of the command line.
pub(super) fn folder(
    plugin: &Path,
    config: Option<&Path>,
    manifest: &Manifest,
) -> Result<tempfile::TempDir, Failure> {
    let io = |e: std::io::Error| {
        Failure::new("runtime", "no folder for the plugin can be made")
            .because(e.to_string())
            .change("make room in the folder for temporary files, or name another with TMPDIR")
    };
    let name = &manifest.plugin.name;
    let folder = tempfile::tempdir().map_err(io)?;
    std::fs::copy(plugin, folder.path().join(COMPONENT)).map_err(io)?;
    let alone = match config {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|e| unreadable(path, &e.to_string()))?;
            let file = PluginsFile::parse(&text).map_err(|card| unfit(path, &[card]))?;
            json!({"plugins": [here(path, file, name)?]})
        }
        None => json!({"plugins": [{
            "name": name,
            "source": {"file": COMPONENT},
            "grants": {"limits": manifest.limits},
        }]}),
    };
    std::fs::write(folder.path().join(FILE_NAME), alone.to_string()).map_err(io)?;
    Ok(folder)
}

/// The operator's entry, with the component that is to be run, whatever the pin says of another.
fn here(path: &Path, file: PluginsFile, name: &str) -> Result<PluginEntry, Failure> {
    let known: Vec<String> = file.plugins.iter().map(|p| p.name.clone()).collect();
    let entry = file.plugins.into_iter().find(|p| p.name == name);
    let mut entry = entry.ok_or_else(|| {
        Failure::new(
            "not-found",
            format!("{} has no plugin {name}", path.display()),
        )
        .because(format!("it has: {}", known.join(", ")))
        .change("add an entry of that name")
    })?;
    entry.source.file = Some(COMPONENT.to_owned());
    entry.source.oci = None;
    entry.verify = None;
    Ok(entry)
}

fn question(args: &PluginRunArgs, name: &str, settings: Value) -> PluginCall {
    PluginCall::RunSmokeTest {
        plugin: name.to_owned(),
        invocation: Invocation {
            release: Release {
                id: "plugin-run".into(),
                workload: WorkloadRef {
                    cluster: "none".into(),
                    namespace: "default".into(),
                    kind: "Deployment".into(),
                    name: "plugin-run".into(),
                    uid: "plugin-run".into(),
                },
                from_revision: None,
                to_revision: NO_DIGEST.into(),
                images: Vec::new(),
                subject_digest: String::new(),
            },
            settings,
            idempotency_key: "plugin-run".into(),
            attributes: vec![("step".into(), "1".into())],
            targets: Targets {
                candidate: args.target.clone(),
                stable: args.stable.iter().cloned().collect(),
                service: args.service.clone(),
            },
        },
    }
}

fn failed(name: &str, fault: PluginFault) -> Failure {
    Failure::new("plugin-failed", format!("{name} gave no verdict"))
        .because(format!("[{}] {}", fault.code, fault.message))
        .change("a rollout would hold here; the message says what the plugin needs")
        .exit(Exit::NotDone)
}

fn text(name: &str, report: &Report) -> String {
    let mut out = format!("{name} {}: {}", verdict(report.outcome), report.summary);
    for line in &report.checks {
        out.push_str(&format!(
            "\n  {:<14} {}: {} ({} ms)",
            verdict(line.outcome),
            line.name,
            line.message,
            line.elapsed_ms
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use sluice_core::plugin::CheckLine;

    use super::*;

    #[test]
    fn a_report_is_one_line_per_check() {
        let line = |name: &str, outcome, message: &str| CheckLine {
            name: name.into(),
            outcome,
            message: message.into(),
            elapsed_ms: 12,
        };
        let report = Report {
            outcome: Outcome::Fail,
            summary: "1 of 2 requests failed".into(),
            checks: vec![
                line("GET /health", Outcome::Fail, "expected status 200, got 503"),
                line("GET /ready", Outcome::Pass, "200"),
            ],
        };
        insta::assert_snapshot!(text("http-smoke", &report), @r"
        http-smoke failed: 1 of 2 requests failed
          failed         GET /health: expected status 200, got 503 (12 ms)
          passed         GET /ready: 200 (12 ms)
        ");
    }

    #[test]
    fn settings_are_an_object() {
        assert!(settings("{}").is_ok());
        for bad in ["", "[]", "{", "@/nowhere"] {
            assert_eq!(settings(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_component_gets_a_clear_card() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wasm");
        std::fs::write(&path, "<html>").unwrap();
        let (mut out, _) = Output::captured(crate::output::Format::Text);
        let args = PluginRunArgs {
            plugin: path,
            target: vec!["http://127.0.0.1:1".into()],
            stable: None,
            service: None,
            settings: "{}".into(),
            plugins_config: None,
            secrets: None,
        };
        let failure = run(&args, &mut out).await.unwrap_err();
        assert_eq!(failure.code, "plugin-unfit");
        assert!(failure.why[0].starts_with("[plugin/"), "{failure}");
    }
}
