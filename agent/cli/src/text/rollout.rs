//! The parts of a Rollout that several texts show.

use jiff::Timestamp;
use sluice_cluster::crd::Rollout;
use sluice_core::pipeline::Revision;
use sluice_core::plan::{Plan, PlannedStep};
use sluice_core::plugin::Outcome;
use sluice_core::policy::TriggerKind;
use sluice_core::rollout::{Cause, CheckRecord, Journal, RolloutSpec};
use sluice_core::router::percent;

use super::when;

/// Characters of a digest that tell two apart at a glance.
const SHORT_DIGEST: usize = 12;

/// `v1.1.0`, or the beginning of the digest where there is no tag.
pub(crate) fn version(tag: Option<&str>, digest: &str) -> String {
    tag.map_or_else(|| short(digest), str::to_owned)
}

/// `v1.1.0 (sha256:0123456789ab)`.
pub(crate) fn version_and_digest(tag: Option<&str>, digest: &str) -> String {
    tag.map_or_else(|| short(digest), |tag| format!("{tag} ({})", short(digest)))
}

/// The beginning of a digest.
pub(crate) fn short(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) => {
            let hex: String = hex.chars().take(SHORT_DIGEST).collect();
            format!("{algorithm}:{hex}")
        }
        None => digest.to_owned(),
    }
}

/// The version of a stable revision.
pub(crate) fn revision(r: &Revision) -> String {
    version_and_digest(r.tag.as_deref(), &r.digest)
}

/// The whole name of the image.
pub(crate) fn image(spec: &RolloutSpec) -> String {
    let image = &spec.image;
    match &image.tag {
        Some(tag) => format!("{}:{tag}@{}", image.repository, image.digest),
        None => format!("{}@{}", image.repository, image.digest),
    }
}

/// Who or what is behind it.
pub(crate) fn cause(cause: &Cause) -> String {
    let by = match (&cause.requester, cause.trigger) {
        (Some(who), _) => who.username.clone(),
        (None, TriggerKind::Manual) => "a person".into(),
        (None, TriggerKind::Registry) => "the registry: a new digest".into(),
        (None, TriggerKind::Schedule) => format!("the schedule ({})", cause.id),
        (None, TriggerKind::Upstream) => "the environment before, where it succeeded".into(),
        (None, TriggerKind::Webhook) => "a webhook".into(),
    };
    match &cause.reason {
        Some(reason) => format!("{by}: {reason}"),
        None => by,
    }
}

/// Label and value, one line each.
pub(crate) fn facts(rows: &[(&str, String)]) -> String {
    let lines: Vec<String> = rows
        .iter()
        .map(|(label, value)| format!("  {label:<9} {value}"))
        .collect();
    lines.join("\n")
}

/// The phase in one word. No journal yet is a place in the queue.
pub(crate) fn phase(journal: &Journal) -> &str {
    if journal.phase.is_empty() {
        "Queued"
    } else {
        &journal.phase
    }
}

/// Title and what it is about.
pub(crate) fn head(
    namespace: &str,
    name: &str,
    spec: &RolloutSpec,
    journal: &Journal,
    replaces: Option<&Revision>,
    now: Timestamp,
) -> String {
    let phase = phase(journal);
    let since = journal.since.map_or_else(String::new, |since| {
        format!(
            " since {} ({})",
            when::instant(since),
            when::between(since, now)
        )
    });
    let mut rows = vec![
        ("rollout", format!("{name} (namespace {namespace})")),
        ("image", image(spec)),
    ];
    if let Some(r) = replaces {
        rows.push(("replaces", revision(r)));
    }
    rows.push((
        "target",
        format!(
            "Deployment {}, Service {}",
            spec.target, spec.target.service
        ),
    ));
    rows.push(("asked by", cause(&spec.cause)));
    rows.push(("phase", format!("{phase}{since}")));
    format!("{}\n{}", spec.title(), facts(&rows))
}

/// One step as a sentence: the share and the pods behind it.
pub(crate) fn step(plan: &Plan, index: usize, planned: &PlannedStep, checks: &[String]) -> String {
    let mut text = format!(
        "step {} of {} ({}): ",
        index + 1,
        plan.steps.len(),
        planned.step.name
    );
    if planned.promotes() {
        text.push_str(&format!(
            "100 %: the Deployment itself gets the new version ({}), the canary goes",
            pods(planned.stable_replicas)
        ));
    } else {
        text.push_str(&format!(
            "{} of the traffic: {} of the new version beside {} of the old",
            percent(planned.achieved_bp),
            pods(planned.candidate_replicas),
            planned.stable_replicas
        ));
        if planned.achieved_bp != planned.step.weight_bp {
            text.push_str(&format!(
                " (asked for: {})",
                percent(planned.step.weight_bp)
            ));
        }
    }
    if (planned.step.checks || planned.promotes()) && !checks.is_empty() {
        text.push_str(&format!("; checks: {}", checks.join(", ")));
    }
    if planned.step.hold_ms > 0 {
        text.push_str(&format!(
            "; then watched for {}",
            when::length(planned.step.hold_ms / 1000)
        ));
    }
    if let Some(gate) = &planned.step.gate {
        text.push_str(&format!("; before it a person opens `{gate}`"));
    }
    text
}

fn pods(n: u32) -> String {
    if n == 1 {
        "1 pod".into()
    } else {
        format!("{n} pods")
    }
}

/// The checks of the environment, by label.
pub(crate) fn check_names(spec: &RolloutSpec) -> Vec<String> {
    spec.checks.iter().map(|c| c.label().to_owned()).collect()
}

/// A check result as a sentence, and its lines that did not pass.
pub(crate) fn check(c: &CheckRecord) -> String {
    let again = if c.attempt > 1 {
        format!(", try {}", c.attempt)
    } else {
        String::new()
    };
    let mut text = format!(
        "step {}: {} {}{again}: {}",
        c.step + 1,
        c.name,
        verdict(c.outcome),
        c.summary
    );
    for line in &c.lines {
        text.push_str(&format!(
            "\n  {}: {}: {}",
            line.name,
            verdict(line.outcome),
            line.message
        ));
    }
    text
}

/// A verdict as a verb.
pub(crate) fn verdict(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "passed",
        Outcome::Fail => "failed",
        Outcome::Inconclusive => "could not tell",
        Outcome::Skipped => "was skipped",
    }
}

/// What `sluice status` shows without following.
pub(crate) fn status(rollout: &Rollout, now: Timestamp) -> String {
    use kube::ResourceExt as _;
    let spec = &rollout.spec.body;
    let journal = rollout.status.clone().unwrap_or_default();
    let (namespace, name) = (rollout.namespace().unwrap_or_default(), rollout.name_any());
    let mut out = head(
        &namespace,
        &name,
        spec,
        &journal,
        journal.stable.as_ref(),
        now,
    );
    out.push_str(&format!("\n  why       {}", why(&journal)));
    if let Some(advice) = journal.why.as_ref().and_then(|w| w.advice(&name)) {
        out.push_str(&format!("\n  do        {advice}"));
    }
    out
}

/// The last line of one that was followed: how it ended, and how long it took.
pub(crate) fn ended(rollout: &Rollout) -> String {
    let journal = rollout.status.clone().unwrap_or_default();
    let took = match (journal.started_at, journal.ended_at) {
        (Some(from), Some(to)) => format!(" in {}", when::between(from, to)),
        (_, _) => String::new(),
    };
    format!("{}: {}{took}", rollout.spec.body.title(), phase(&journal))
}

/// Why it is where it is. A Rollout that no agent has looked at says so.
pub(crate) fn why(journal: &Journal) -> String {
    match &journal.why {
        Some(why) => why.to_string(),
        None if !journal.message.is_empty() => journal.message.clone(),
        None => "the agent has not looked at it yet; is it running?".into(),
    }
}
