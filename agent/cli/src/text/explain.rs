//! The answer of `sluice explain` about a Rollout.

use jiff::Timestamp;

use super::picture::{Style, picture};
use super::{rollout, way, when};
use crate::explain::{Explanation, Next, Sight, Workload};
use sluice_core::plan::outline::Place;
use sluice_core::rollout::Journal;

/// The whole answer.
pub(crate) fn rollout(e: &Explanation, now: Timestamp, style: Style) -> String {
    let journal = Journal {
        phase: e.phase.clone(),
        since: e.since,
        ..Journal::default()
    };
    let mut out = rollout::head(
        &e.namespace,
        &e.rollout,
        &e.spec,
        &journal,
        e.replaces.as_ref(),
        now,
    );
    section(&mut out, "Why it is there", [e.message.clone()]);
    // The title and the name stand above.
    let facts = e.facts.iter().flat_map(|f| f.lines().into_iter().skip(2));
    section(&mut out, "What an approver sees", facts);
    let checks = e.failed_checks.iter().map(|c| {
        format!(
            "{}  {}",
            when::time(c.at),
            rollout::check(c).replace('\n', "\n            ")
        )
    });
    section(&mut out, "Checks that did not pass", checks);
    section(&mut out, "What people can do", e.can.iter().cloned());
    section(&mut out, "Metrics", e.metrics.iter().map(way::metric));
    section(&mut out, "Hooks", e.hooks.iter().map(way::hook));
    let way = e.outline.as_ref().filter(|_| e.phase == "AwaitingApproval");
    let takes = way.map(|way| format!("all of it takes {}", way.takes()));
    let lines = next(&e.next)
        .into_iter()
        .chain(takes)
        .chain(e.if_bad.clone());
    section(&mut out, "What happens next", lines);
    let lines = e.curve.iter().flat_map(|curve| picture(curve, style));
    section(
        &mut out,
        "Traffic of the new version over time, not to scale",
        lines,
    );
    section(
        &mut out,
        "The cluster at this moment",
        e.now.iter().map(workload),
    );
    let happened = e
        .happened
        .iter()
        .map(|m| format!("{}  {}", when::instant(m.at), m.text));
    section(&mut out, "What happened", happened);
    out
}

/// One line each: its place, not before when, and what happens.
fn next(all: &[Next]) -> Vec<String> {
    let widths = all.iter().filter_map(|n| n.not_before.as_ref());
    let width = widths.map(|text| text.chars().count()).max().unwrap_or(0);
    all.iter()
        .map(|n| {
            let mark = match n.place {
                Place::Done => "done",
                Place::Now => "now",
                Place::Later => "then",
            };
            let at = n.not_before.as_deref().unwrap_or_default();
            match width {
                0 => format!("{mark:<4}  {}", n.text),
                _ => format!("{mark:<4}  {at:>width$}  {}", n.text),
            }
        })
        .collect()
}

fn workload(w: &Workload) -> String {
    match &w.seen {
        Sight::Pods(pods) => {
            let mut text = format!("{}: {} of {} pods ready", w.name, pods.ready, pods.wanted);
            if pods.updated < pods.wanted {
                text.push_str(&format!(", {} of the newest template", pods.updated));
            }
            text
        }
        Sight::Unknown(why) => format!("{}: {why}", w.name),
    }
}

/// A headed list; nothing where there is nothing to say.
pub(super) fn section(out: &mut String, title: &str, lines: impl IntoIterator<Item = String>) {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return;
    }
    out.push_str(&format!("\n\n{title}"));
    for line in lines {
        out.push_str(&format!("\n  {line}"));
    }
}
