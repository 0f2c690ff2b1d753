//! The answer of `sluice explain` about a Rollout.

use jiff::Timestamp;

use super::{rollout, when};
use crate::explain::{Explanation, Place, Sight, Workload};
use sluice_core::rollout::Journal;

/// The whole answer.
pub(crate) fn rollout(e: &Explanation, now: Timestamp) -> String {
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
    let next = e.next.iter().map(|n| {
        let mark = match n.place {
            Place::Done => "done",
            Place::Now => "now ",
            Place::Later => "then",
        };
        format!("{mark}  {}", n.text)
    });
    section(&mut out, "What happens next", next.chain(e.if_bad.clone()));
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
