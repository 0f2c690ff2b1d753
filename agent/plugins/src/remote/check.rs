//! What arrives from the host, made fit to be believed as far as a guest is.
//!
//! The host has bounded and cleaned all of this already. It is done again here because a guest that
//! broke out of its sandbox speaks as the host. Text that only people read is cut; what is compared or
//! counted is refused where it is out of bounds, for half of it would mean something else.

use std::collections::BTreeSet;

use sluice_core::plugin::{
    ApprovalStatus, CheckLine, Judgement, Measurement, PlanStep, PluginAnswer, PluginCall,
    PluginFault, PluginInfo, Report, SettingsIssue,
};

use super::State;
use crate::card::Card;
use crate::operator::MAX_PLUGINS;
use crate::text::{LINE, block, line};
use crate::world::{metric_provider, smoke_test, traffic_strategy};

/// Most lines of a report over all pods, as the host merges them.
const MAX_LINES: usize = 128;
/// Longest name of a line: a pod's address before the plugin's words.
const LINE_NAME: usize = 256;
/// Largest share of a step, in basis points.
const ALL_TRAFFIC: u16 = 10_000;
/// Longest reference to a thread, as the host keeps it.
const MAX_THREAD_BYTES: usize = 1024;
/// Longest ticket, as the host keeps it.
const MAX_TICKET_BYTES: usize = 4 << 10;
/// Longest name of an approver.
const MAX_APPROVER_BYTES: usize = 256;
/// Longest reference to what was approved.
const MAX_SUBJECT_BYTES: usize = 128;
/// Most complaints about settings.
const MAX_ISSUES: usize = 64;
/// Longest message of a fault: one that lists why a plugin does not serve has several cards in it.
const MAX_MESSAGE_BYTES: usize = 4 << 10;
/// Longest code.
const MAX_CODE_BYTES: usize = 64;
/// Most cards: one for each plugin, and one for the file.
const MAX_CARDS: usize = MAX_PLUGINS + 1;
/// Most reasons of one card.
const MAX_REASONS: usize = 16;
/// Longest reason, and longest text to paste.
const MAX_REASON_BYTES: usize = 2 << 10;
/// Longest complaint about one plugin: some cards.
const MAX_PROBLEM_BYTES: usize = 8 << 10;

/// An answer to `call`, within its bounds.
///
/// # Errors
/// Why it cannot be used.
pub(super) fn answer(call: &PluginCall, answer: PluginAnswer) -> Result<PluginAnswer, String> {
    match (call, answer) {
        (_, PluginAnswer::Failed(said)) => Ok(PluginAnswer::Failed(fault(said))),
        (PluginCall::RunSmokeTest { .. }, PluginAnswer::Report(said)) => {
            report(said).map(PluginAnswer::Report)
        }
        (PluginCall::EvaluateMetrics { .. }, PluginAnswer::Measurement(said)) => {
            Ok(PluginAnswer::Measurement(Measurement {
                series: metric_provider::sound(said.series)?,
                summary: line(&said.summary, LINE),
            }))
        }
        (PluginCall::Plan { .. }, PluginAnswer::Plan(steps)) => plan(steps).map(PluginAnswer::Plan),
        (PluginCall::Judge { .. }, PluginAnswer::Judgement(said)) => {
            Ok(PluginAnswer::Judgement(match said {
                Judgement::Rollback(reason) => Judgement::Rollback(line(&reason, LINE)),
                Judgement::Proceed | Judgement::Hold(_) => said,
            }))
        }
        (PluginCall::Notify { .. }, PluginAnswer::Notified(thread)) => match thread {
            Some(thread) if !is_token(&thread, MAX_THREAD_BYTES) => {
                Err("a reference to a thread that is too long or has control characters".into())
            }
            Some(_) | None => Ok(PluginAnswer::Notified(thread)),
        },
        (
            PluginCall::AskApproval { .. } | PluginCall::PollApproval { .. },
            PluginAnswer::Approval(said),
        ) => status(said).map(PluginAnswer::Approval),
        (PluginCall::WithdrawApproval { .. }, PluginAnswer::Withdrawn) => {
            Ok(PluginAnswer::Withdrawn)
        }
        (PluginCall::ApprovalCallback { .. }, PluginAnswer::ApprovalCallback(said)) => Ok(
            PluginAnswer::ApprovalCallback(said.map(status).transpose()?),
        ),
        (PluginCall::ValidateSettings { .. }, PluginAnswer::Settings(said)) => {
            issues(said).map(PluginAnswer::Settings)
        }
        (
            PluginCall::RunSmokeTest { .. }
            | PluginCall::EvaluateMetrics { .. }
            | PluginCall::Plan { .. }
            | PluginCall::Judge { .. }
            | PluginCall::Notify { .. }
            | PluginCall::AskApproval { .. }
            | PluginCall::PollApproval { .. }
            | PluginCall::WithdrawApproval { .. }
            | PluginCall::ApprovalCallback { .. }
            | PluginCall::ValidateSettings { .. },
            PluginAnswer::Report(_)
            | PluginAnswer::Measurement(_)
            | PluginAnswer::Plan(_)
            | PluginAnswer::Judgement(_)
            | PluginAnswer::Notified(_)
            | PluginAnswer::Approval(_)
            | PluginAnswer::Withdrawn
            | PluginAnswer::ApprovalCallback(_)
            | PluginAnswer::Settings(_),
        ) => Err("it answered another question".to_owned()),
    }
}

fn report(said: Report) -> Result<Report, String> {
    if said.checks.len() > MAX_LINES {
        return Err(format!(
            "{} checks; at most {MAX_LINES} are read",
            said.checks.len()
        ));
    }
    let checks = said
        .checks
        .into_iter()
        .map(|check| CheckLine {
            name: line(&check.name, LINE_NAME),
            message: line(&check.message, MAX_MESSAGE_BYTES),
            outcome: check.outcome,
            elapsed_ms: check.elapsed_ms,
        })
        .collect();
    // Twice a line: the host puts its own words before the plugin's.
    let summary = line(&said.summary, 2 * LINE);
    Ok(smoke_test::honest(Report {
        outcome: said.outcome,
        summary,
        checks,
    }))
}

fn plan(steps: Vec<PlanStep>) -> Result<Vec<PlanStep>, String> {
    if steps.len() > traffic_strategy::MAX_STEPS {
        return Err(format!(
            "{} steps; at most {} are read",
            steps.len(),
            traffic_strategy::MAX_STEPS
        ));
    }
    steps
        .into_iter()
        .map(|step| {
            if step.weight_bp > ALL_TRAFFIC {
                return Err(format!(
                    "step \"{}\" has a weight of {} basis points; all traffic is {ALL_TRAFFIC}",
                    line(&step.name, 128),
                    step.weight_bp
                ));
            }
            Ok(PlanStep {
                name: line(&step.name, 128),
                gate: step.gate.map(|gate| line(&gate, 128)),
                ..step
            })
        })
        .collect()
}

fn status(said: ApprovalStatus) -> Result<ApprovalStatus, String> {
    match said {
        ApprovalStatus::Pending(ticket) if !is_token(&ticket, MAX_TICKET_BYTES) => {
            Err("a ticket that is too long or has control characters".to_owned())
        }
        ApprovalStatus::Decided(decision)
            if decision.subject_digest.len() > MAX_SUBJECT_BYTES
                || !decision
                    .subject_digest
                    .bytes()
                    .all(|b| b.is_ascii_graphic()) =>
        {
            Err("a decision about something that is no hash".to_owned())
        }
        ApprovalStatus::Decided(mut decision) => {
            decision.approver = line(&decision.approver, MAX_APPROVER_BYTES);
            decision.reason = line(&decision.reason, LINE);
            Ok(ApprovalStatus::Decided(decision))
        }
        ApprovalStatus::Pending(_) | ApprovalStatus::Expired => Ok(said),
    }
}

fn issues(said: Vec<SettingsIssue>) -> Result<Vec<SettingsIssue>, String> {
    if said.len() > MAX_ISSUES {
        return Err(format!(
            "{} issues; at most {MAX_ISSUES} are read",
            said.len()
        ));
    }
    Ok(said
        .into_iter()
        .map(|issue| SettingsIssue {
            pointer: line(&issue.pointer, 256),
            message: line(&issue.message, LINE),
            hint: issue.hint.map(|hint| line(&hint, LINE)),
        })
        .collect())
}

fn fault(said: PluginFault) -> PluginFault {
    let code = match is_code(&said.code) {
        true => said.code,
        false => "plugin/bad-answer".to_owned(),
    };
    PluginFault {
        code,
        message: block(&said.message, MAX_MESSAGE_BYTES),
        retryable: said.retryable,
    }
}

/// A state whose shapes hold, cut to its bounds.
///
/// # Errors
/// Why it cannot be used. Nothing of it is taken over then: what was known stays.
pub(super) fn state(said: State) -> Result<State, String> {
    if said.version.len() != 64 || !said.version.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("what it says of itself has no version".to_owned());
    }
    if said.plugins.len() > MAX_PLUGINS {
        return Err(format!(
            "it says that it serves {} plugins; at most {MAX_PLUGINS} are",
            said.plugins.len()
        ));
    }
    let mut names = BTreeSet::new();
    for plugin in &said.plugins {
        let hash = plugin.digest.strip_prefix("sha256:").unwrap_or_default();
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        if !crate::manifest::is_name(&plugin.name) || !is_hash || !names.insert(&plugin.name) {
            return Err(format!(
                "it says that it serves \"{}\", which has no fit name or digest, or is there twice",
                line(&plugin.name, 64)
            ));
        }
    }
    Ok(cut(said))
}

/// The same state, every text and list within its bounds. Cut once, it stays as it is.
pub(super) fn cut(said: State) -> State {
    let plugins = said
        .plugins
        .into_iter()
        .map(|plugin| PluginInfo {
            version: line(&plugin.version, 64),
            problem: plugin.problem.map(|text| block(&text, MAX_PROBLEM_BYTES)),
            ..plugin
        })
        .collect();
    let problems = said
        .problems
        .into_iter()
        .take(MAX_CARDS)
        .map(card)
        .collect();
    State {
        version: said.version,
        plugins,
        problems,
    }
}

fn card(said: Card) -> Card {
    let code = match is_code(&said.code) {
        true => said.code,
        false => "plugin/host".to_owned(),
    };
    Card {
        code,
        subject: line(&said.subject, LINE),
        effect: line(&said.effect, LINE),
        place: line(&said.place, LINE),
        why: said
            .why
            .iter()
            .take(MAX_REASONS)
            .map(|why| block(why, MAX_REASON_BYTES))
            .collect(),
        change: block(&said.change, MAX_REASON_BYTES),
    }
}

/// `plugin/…` in lower-case letters, digits and dashes, as all codes are.
fn is_code(code: &str) -> bool {
    code.len() <= MAX_CODE_BYTES
        && code.strip_prefix("plugin/").is_some_and(|rest| {
            !rest.is_empty()
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

/// A text that comes back as it is: short, and without anything that forges.
fn is_token(text: &str, most: usize) -> bool {
    text.len() <= most && line(text, most) == text
}

#[cfg(test)]
mod tests;
