//! What people ask of a Rollout under way. Each wish is acted on once, and only if the policy lets
//! this person have it.

use super::{Flow, Turn};
use crate::authorize::{self, authorize};
use crate::pipeline::OutcomeKind;
use crate::plugin::Severity;
use crate::rollout::{Action, Moment, RequestSeen, State};

impl Turn<'_> {
    /// Acts on the oldest wish that was not acted on yet.
    pub(super) fn requests(&mut self) -> Option<Flow> {
        if matches!(
            self.journal.state,
            State::RollingBack(_) | State::Recording(_) | State::Ended(_)
        ) {
            return None;
        }
        let request =
            self.seen.requests.iter().find(|r| !self.is_handled(&r.uid))?.clone();
        let allowed = self.may(&request);
        self.journal.handle(&request.uid, allowed.clone().err());
        if let Err(denied) = allowed {
            let now = self.now;
            self.journal.note(now, "request-refused", &denied);
            return Some(Flow::Again);
        }
        Some(self.act(&request))
    }

    fn is_handled(&self, uid: &str) -> bool {
        self.journal.handled.iter().any(|h| h.uid == uid)
    }

    fn may(&self, request: &RequestSeen) -> Result<(), String> {
        let action = match request.action {
            Action::Abort => authorize::Action::Abort,
            Action::Rollback => authorize::Action::Rollback,
            Action::Pause => authorize::Action::Pause,
            Action::Resume => authorize::Action::Resume,
            Action::Promote => authorize::Action::Promote,
        };
        let policy = self.environment_policy().map_err(|why| why.to_string())?;
        authorize(action, &request.by, policy, self.policy).map_err(|d| d.to_string())
    }

    fn act(&mut self, request: &RequestSeen) -> Flow {
        let by = &request.by.username;
        let said = request.reason.as_deref().unwrap_or("no reason given");
        let begun = self.journal.state.begun();
        match request.action {
            Action::Abort if begun => {
                let text = format!("aborted by {by}: {said}");
                self.go_back("aborted", &text, false, OutcomeKind::RolledBack)
            }
            Action::Rollback if begun => {
                let text = format!("rolled back by {by}: {said}");
                self.go_back("rolled-back-by-person", &text, true, OutcomeKind::RolledBack)
            }
            Action::Abort | Action::Rollback => {
                let text = format!("cancelled by {by} before it began: {said}");
                self.end_unbegun(OutcomeKind::Cancelled, &text)
            }
            Action::Pause => {
                let moment =
                    Moment { at: self.now, kind: "paused".into(), text: by.clone() };
                self.journal.paused = Some(moment);
                self.happened("paused", Severity::Warning, &format!("paused by {by}: {said}"));
                Flow::Again
            }
            Action::Resume => {
                self.journal.paused = None;
                self.happened("resumed", Severity::Info, &format!("resumed by {by}"));
                Flow::Again
            }
            Action::Promote => {
                if let State::Progressing(step) | State::Promoting(step) =
                    &mut self.journal.state
                {
                    step.promoted = true;
                }
                self.happened("promoted", Severity::Warning, &format!("{by} goes on: {said}"));
                Flow::Again
            }
        }
    }
}
