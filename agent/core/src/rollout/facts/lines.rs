//! The facts as plain text: the same lines in the terminal and in messages.

use super::{Facts, StepShown};
use crate::rollout::clock;

/// Width of the labels.
const LABEL: usize = 10;

impl Facts {
    /// The title, and a line for each thing that is known. Plain text: control characters were taken
    /// out, markup was not.
    pub fn lines(&self) -> Vec<String> {
        let mut out = vec![self.title.clone()];
        let mut say = |label: &str, text: String| out.push(format!("{label:LABEL$} {text}"));
        say("rollout", self.rollout.clone());
        say("workload", format!("{}/{}", self.namespace, self.workload));
        say(
            "image",
            format!("{}@{}", self.image.repository, self.image.digest),
        );
        if let Some(replaced) = &self.replaces {
            let tag = replaced.tag.as_deref().unwrap_or("no tag");
            say("replaces", format!("{tag} ({})", replaced.digest));
        }
        let source = self
            .image
            .source_link
            .as_ref()
            .or(self.image.source.as_ref());
        if let Some(source) = source {
            say("source", source.clone());
        }
        if let Some(revision) = &self.image.revision {
            say("revision", revision.clone());
        }
        if let Some(created) = &self.image.created {
            say("built", clock(created));
        }
        if !self.image.signed_by.is_empty() {
            say("signed by", self.image.signed_by.join(", "));
        }
        for change in &self.changes {
            say("changes", change.clone());
        }
        let steps: Vec<String> = self.plan.iter().map(step).collect();
        if !steps.is_empty() {
            say("plan", steps.join(", "));
        }
        for shown in &self.course {
            say(&shown.label, shown.text.clone());
        }
        if !self.checks.is_empty() {
            say("checks", self.checks.join(", "));
        }
        for earlier in &self.earlier {
            let (place, at) = (&earlier.environment, clock(&earlier.at));
            say("passed", format!("{place} at {at} ({})", earlier.rollout));
        }
        let by = match &self.requester {
            Some(person) => format!("{person} ({})", self.trigger),
            None => self.trigger.to_string(),
        };
        say("asked by", by);
        if let Some(reason) = &self.reason {
            say("reason", one_line(reason));
        }
        for given in &self.given {
            let at = clock(&given.at);
            say("given", format!("{}: {} at {at}", given.role, given.person));
        }
        if !self.missing.is_empty() {
            say("missing", self.missing.join(", "));
        }
        for ignored in &self.ignored {
            say("no vote", format!("{}: {}", ignored.person, ignored.why));
        }
        say("gate", one_line(&self.opens));
        if let Some(at) = &self.expires_at {
            say("lapses", clock(at));
        }
        match (&self.rollback_until, &self.rollback_window) {
            (Some(until), _) => say("back", format!("without approval until {}", clock(until))),
            (None, Some(window)) => say(
                "back",
                format!("without approval within {window} after the success"),
            ),
            (None, None) => {}
        }
        for asked in &self.asked {
            say(
                "asked",
                format!("{}: {}", asked.plugin, one_line(&asked.text)),
            );
        }
        if let Some(hash) = &self.hash {
            say("hash", hash.clone());
        }
        if let Some(link) = &self.link {
            say("page", link.clone());
        }
        out
    }
}

fn step(step: &StepShown) -> String {
    let mut text = step.share.clone();
    if let Some(hold) = &step.hold {
        text.push_str(&format!(" for {hold}"));
    }
    if !step.checked {
        text.push_str(" without checks");
    }
    match &step.gate {
        Some(gate) => format!("{text} after the gate {gate}"),
        None => text,
    }
}

/// A text of several lines as one: a second line could pass for a label of ours.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
