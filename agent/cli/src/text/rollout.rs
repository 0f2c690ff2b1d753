//! The parts of a Rollout that several texts show.

use jiff::Timestamp;
use sluice_cluster::crd::Rollout;
use sluice_core::pipeline::Revision;
use sluice_core::plan::curve::curve;
use sluice_core::plan::outline::outline;
use sluice_core::plugin::Outcome;
use sluice_core::policy::TriggerKind;
use sluice_core::rollout::{Cause, CheckRecord, Journal, RolloutSpec};

use super::explain::section;
use super::picture::{Style, picture};
use super::{way, when};

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
    rows.push(("target", target(spec)));
    rows.push(("asked by", cause(&spec.cause)));
    rows.push(("phase", format!("{phase}{since}")));
    format!("{}\n{}", spec.title(), facts(&rows))
}

/// Everything that it changes.
pub(crate) fn target(spec: &RolloutSpec) -> String {
    let t = &spec.target;
    let mut out = format!("{} {t}, Service {}", t.kind(), t.service);
    if !t.with.is_empty() {
        let names: Vec<&str> = t.with.iter().map(|m| m.deployment.as_str()).collect();
        out.push_str(&format!(", in lockstep with {}", names.join(", ")));
    }
    out
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
pub(crate) fn status(rollout: &Rollout, now: Timestamp, style: Style) -> String {
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
    section(
        &mut out,
        "Metrics",
        journal.analysis.iter().map(way::metric),
    );
    section(&mut out, "Hooks", journal.hooks.iter().map(way::hook));
    drawn(&mut out, spec, &journal, now, style);
    out
}

/// The picture, where there is something to see.
fn drawn(out: &mut String, spec: &RolloutSpec, journal: &Journal, now: Timestamp, style: Style) {
    let lines = curve(spec, journal, now).map(|curve| picture(&curve, style));
    let title = "Traffic of the new version over time, not to scale";
    section(out, title, lines.into_iter().flatten());
}

/// The whole way of what was only to be planned, or what was done: after one was followed.
pub(crate) fn way_of(rollout: &Rollout, now: Timestamp, style: Style) -> String {
    let spec = &rollout.spec.body;
    let journal = rollout.status.clone().unwrap_or_default();
    let mut out = String::new();
    if let Some(plan) = journal.plan.as_ref().filter(|_| spec.dry_run) {
        let shown = outline(plan, spec);
        let lines = way::parts(&shown, plan).into_iter();
        section(&mut out, "The way", lines.chain([way::promise(&shown)]));
    }
    drawn(&mut out, spec, &journal, now, style);
    out.trim_start_matches('\n').to_owned()
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
