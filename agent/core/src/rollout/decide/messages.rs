//! What happened, for the timeline and for notifiers.

use jiff::Timestamp;

use super::Turn;
use crate::plugin::{Event, Severity};
use crate::rollout::journal::{clip, clip_short};
use crate::rollout::{Journal, RolloutView};

impl Turn<'_> {
    /// How loud the ordinary steps of this Rollout are: nobody shall overlook an emergency.
    pub(super) fn loudness(&self) -> Severity {
        match self.rollout.spec.emergency {
            Some(_) => Severity::Critical,
            None => Severity::Info,
        }
    }

    /// Notes a moment and queues the message for every notifier.
    pub(super) fn happened(&mut self, kind: &str, severity: Severity, text: &str) {
        tell(
            self.rollout,
            &mut self.journal,
            self.now,
            kind,
            severity,
            text,
        );
    }
}

/// Notes a moment and queues the message for every notifier.
pub(in crate::rollout) fn tell(
    rollout: &RolloutView,
    journal: &mut Journal,
    now: Timestamp,
    kind: &str,
    severity: Severity,
    text: &str,
) {
    journal.note(now, kind, text);
    let event = Event {
        id: format!("{}/{}", rollout.uid, journal.next_seq),
        kind: kind.to_owned(),
        severity,
        title: clip_short(&rollout.spec.title()),
        body: clip(text),
        links: Vec::new(),
        thread: None,
    };
    journal.send(now, event, rollout.spec.notify.len());
}
