//! What happened, for the timeline and for notifiers.

use super::Turn;
use crate::plugin::{Event, Severity};

impl Turn<'_> {
    /// Notes a moment and queues the message for every notifier.
    pub(super) fn happened(&mut self, kind: &str, severity: Severity, text: &str) {
        let now = self.now;
        self.journal.note(now, kind, text);
        let spec = &self.rollout.spec;
        let event = Event {
            id: format!("{}/{}", self.rollout.uid, self.journal.next_seq),
            kind: kind.to_owned(),
            severity,
            title: spec.title(),
            body: crate::rollout::journal::clip(text),
            links: Vec::new(),
            thread: None,
        };
        let notifiers = spec.notify.len();
        self.journal.send(now, event, notifiers);
    }
}
