//! From a case to a call of the host, and from its answer to the value that a case expects.

use std::time::Duration;

use serde_json::Value;
use sluice_case::{Case, Exchange as Expected, Made, Trouble, answer};
use sluice_core::plugin::{
    ApprovalStatus, Event, Invocation, Judgement, Measurement, PlanStep, PluginAnswer, PluginCall,
    PluginKind, Release, Report, SeriesRole, Severity, StepObservation, Targets, WorkloadRef,
};
use sluice_plugins::{
    Body, Door, Exchange, Manifest, NetFault, SeenCertificate, SeenChain, SeenOutcome, SeenResponse,
};

use super::Kind;
use crate::exit::Exit;
use crate::failure::Failure;

/// Targets whose addresses the rollout knows.
pub(crate) const OF_THE_ROLLOUT: [&str; 3] = ["candidate", "service", "stable"];
/// Nobody is there: nothing is sent.
const NOWHERE: &str = "http://192.0.2.1:80";

/// The question of a case.
pub(crate) fn question(manifest: &Manifest, case: &Case) -> Result<PluginCall, Failure> {
    let kind = manifest.plugin.kind;
    let plugin = manifest.plugin.name.clone();
    let exports = exports(kind);
    let export = match (&case.call, exports) {
        (Some(named), _) => named.as_str(),
        (None, [only]) => *only,
        (None, _) => "",
    };
    let invocation = invocation(manifest, case);
    let arguments = &case.arguments;
    let ticket = arguments.ticket.clone();
    Ok(match (kind, export) {
        (_, "validate") => PluginCall::ValidateSettings {
            plugin,
            settings: Value::Object(case.settings.clone()),
        },
        (PluginKind::SmokeTest, "run") => PluginCall::RunSmokeTest { plugin, invocation },
        (PluginKind::MetricProvider, "evaluate") => PluginCall::EvaluateMetrics {
            plugin,
            invocation,
            from_unix_ms: arguments.window.from_unix_ms,
            to_unix_ms: arguments.window.to_unix_ms,
        },
        (PluginKind::ApprovalProvider, "ask") => PluginCall::AskApproval { plugin, invocation },
        (PluginKind::ApprovalProvider, "poll") => PluginCall::PollApproval {
            plugin,
            invocation,
            ticket,
        },
        (PluginKind::ApprovalProvider, "withdraw") => PluginCall::WithdrawApproval {
            plugin,
            invocation,
            ticket,
        },
        (PluginKind::ApprovalProvider, "on-callback") => PluginCall::ApprovalCallback {
            plugin,
            invocation,
            ticket,
            headers: arguments.headers.clone().into_iter().collect(),
            body: arguments.body(),
        },
        (PluginKind::TrafficStrategy, "plan") => PluginCall::Plan { plugin, invocation },
        (PluginKind::TrafficStrategy, "judge") => PluginCall::Judge {
            plugin,
            invocation,
            step: step(&arguments.step),
            observations: arguments.observations.iter().map(observation).collect(),
        },
        (PluginKind::Notifier, "notify") => PluginCall::Notify {
            plugin,
            invocation,
            event: event(&arguments.event),
        },
        (_, other) => {
            return Err(
                Failure::new("bad-case", format!("case {} cannot be played", case.name))
                    .because(format!(
                        "/call: a {} has no export {other:?}",
                        Kind::from(kind).name()
                    ))
                    .change(format!(
                        "write call = one of {}, validate",
                        exports.join(", ")
                    ))
                    .exit(Exit::NotDone),
            );
        }
    })
}

fn exports(kind: PluginKind) -> &'static [&'static str] {
    match kind {
        PluginKind::SmokeTest => &["run"],
        PluginKind::MetricProvider => &["evaluate"],
        PluginKind::ApprovalProvider => &["ask", "poll", "withdraw", "on-callback"],
        PluginKind::TrafficStrategy => &["plan", "judge"],
        PluginKind::Notifier => &["notify"],
    }
}

fn invocation(manifest: &Manifest, case: &Case) -> Invocation {
    let given = case.release.clone();
    let at = given.workload;
    let nowhere = || NOWHERE.to_owned();
    let talks = matches!(
        manifest.plugin.kind,
        PluginKind::SmokeTest | PluginKind::MetricProvider
    );
    Invocation {
        idempotency_key: format!("{}/test", given.id),
        release: Release {
            id: given.id,
            workload: WorkloadRef {
                cluster: at.cluster,
                namespace: at.namespace,
                kind: at.kind,
                name: at.name,
                uid: at.uid,
            },
            from_revision: given.from_revision,
            to_revision: given.to_revision,
            images: given.images,
            subject_digest: given.subject_digest,
        },
        settings: Value::Object(case.settings.clone()),
        attributes: case.attributes.clone().into_iter().collect(),
        targets: if talks {
            Targets {
                candidate: vec![nowhere()],
                stable: vec![nowhere()],
                service: Some(nowhere()),
            }
        } else {
            Targets::default()
        },
    }
}

fn step(step: &sluice_case::Step) -> PlanStep {
    PlanStep {
        name: step.name.clone(),
        weight_bp: step.weight_bp,
        capacity_replicas: step.capacity_replicas,
        hold_ms: step.hold_ms,
        checks: step.checks,
        gate: step.gate.clone(),
    }
}

fn observation(seen: &sluice_case::Observation) -> StepObservation {
    StepObservation {
        elapsed_ms: seen.elapsed_ms,
        weight_bp: seen.weight_bp,
        healthy: seen.healthy,
        samples: seen.samples.clone().into_iter().collect(),
    }
}

fn event(event: &sluice_case::Event) -> Event {
    Event {
        id: event.id.clone(),
        kind: event.kind.clone(),
        severity: match event.severity {
            sluice_case::Severity::Info => Severity::Info,
            sluice_case::Severity::Warning => Severity::Warning,
            sluice_case::Severity::Critical => Severity::Critical,
        },
        title: event.title.clone(),
        body: event.body.clone(),
        links: event.links.clone().into_iter().collect(),
        thread: event.thread.clone(),
    }
}

/// What the tape answers. It looks at target and method only: path, headers and body are compared
/// afterwards, with what came, so that the plugin runs to its end and every difference is told.
pub(crate) fn tape(case: &Case) -> Vec<(Exchange, Duration)> {
    case.exchanges.iter().map(exchange).collect()
}

fn exchange(expected: &Expected) -> (Exchange, Duration) {
    let (request, response) = (&expected.request, &expected.response);
    let handshake = request.inspect.is_some();
    let outcome = match (&response.error, &response.chain) {
        (Some(trouble), _) => SeenOutcome::Fault(fault(trouble)),
        (None, Some(chain)) => SeenOutcome::Chain(SeenChain {
            certificates: chain
                .certificates
                .iter()
                .map(|certificate| SeenCertificate {
                    subject: certificate.subject.clone(),
                    issuer: certificate.issuer.clone(),
                    not_after_unix_ms: certificate.not_after_unix_ms,
                })
                .collect(),
            unverified: chain.unverified.clone(),
        }),
        (None, None) => SeenOutcome::Response(SeenResponse {
            status: response.status.unwrap_or(200),
            headers: response.headers(),
            body: Body(response.body()),
            truncated: response.truncated,
        }),
    };
    let exchange = Exchange {
        door: if handshake { Door::Tls } else { Door::Http },
        target: request.target().to_owned(),
        method: if handshake {
            String::new()
        } else {
            request.method().to_owned()
        },
        path: String::new(),
        headers: Vec::new(),
        body: None,
        outcome,
    };
    (exchange, Duration::from_millis(response.after_ms.into()))
}

fn fault(trouble: &Trouble) -> NetFault {
    match trouble.clone() {
        Trouble::NotGranted(why) => NetFault::NotGranted(why),
        Trouble::Resolve(why) => NetFault::Resolve(why),
        Trouble::Connect(why) => NetFault::Connect(why),
        Trouble::Tls(why) => NetFault::Tls(why),
        Trouble::Timeout => NetFault::Timeout,
        Trouble::TooLarge(limit) => NetFault::TooLarge(limit),
        Trouble::Quota => NetFault::Quota,
        Trouble::Protocol(why) => NetFault::Protocol(why),
        Trouble::Other(why) => NetFault::Other(why),
    }
}

/// A request as cases speak of it.
pub(crate) fn made(exchange: &Exchange) -> Made {
    Made {
        target: exchange.target.clone(),
        method: exchange.method.clone(),
        path: exchange.path.clone(),
        headers: exchange.headers.clone(),
        body: exchange.body.clone().unwrap_or_default().0,
    }
}

/// The answer as the value of the contract, in its spelling.
pub(crate) fn value(given: &PluginAnswer) -> Value {
    match given {
        PluginAnswer::Report(report) => of_report(report),
        PluginAnswer::Measurement(measurement) => of_measurement(measurement),
        PluginAnswer::Plan(steps) => answer::plan(steps.iter().map(of_step)),
        PluginAnswer::Judgement(Judgement::Proceed) => answer::proceed(),
        PluginAnswer::Judgement(Judgement::Hold(ms)) => answer::hold(*ms),
        PluginAnswer::Judgement(Judgement::Rollback(why)) => answer::rollback(why),
        PluginAnswer::Notified(thread) => answer::thread(thread.as_deref()),
        PluginAnswer::Approval(status) | PluginAnswer::ApprovalCallback(Some(status)) => {
            of_status(status)
        }
        PluginAnswer::ApprovalCallback(None) => answer::not_ours(),
        PluginAnswer::Withdrawn => answer::withdrawn(),
        PluginAnswer::Settings(issues) => {
            let issues = issues
                .iter()
                .map(|issue| answer::issue(&issue.pointer, &issue.message, issue.hint.as_deref()));
            answer::issues(issues.collect())
        }
        PluginAnswer::Failed(fault) => answer::error(&fault.code, &fault.message),
    }
}

fn of_report(report: &Report) -> Value {
    let checks = report
        .checks
        .iter()
        .map(|check| answer::check(&check.name, check.outcome, &check.message, check.elapsed_ms));
    answer::report(report.outcome, &report.summary, checks.collect())
}

fn of_measurement(measurement: &Measurement) -> Value {
    let series = measurement.series.iter().map(|series| {
        let role = match series.role {
            SeriesRole::Stable => "stable",
            SeriesRole::Candidate => "candidate",
        };
        answer::series(role, series.events, series.total, series.value)
    });
    answer::measurement(series.collect(), &measurement.summary)
}

fn of_step(step: &PlanStep) -> sluice_case::Step {
    sluice_case::Step {
        name: step.name.clone(),
        weight_bp: step.weight_bp,
        capacity_replicas: step.capacity_replicas,
        hold_ms: step.hold_ms,
        checks: step.checks,
        gate: step.gate.clone(),
    }
}

fn of_status(status: &ApprovalStatus) -> Value {
    match status {
        ApprovalStatus::Pending(ticket) => answer::pending(ticket),
        ApprovalStatus::Expired => answer::expired(),
        ApprovalStatus::Decided(of) => {
            answer::decided(of.approved, &of.approver, &of.reason, &of.subject_digest)
        }
    }
}
