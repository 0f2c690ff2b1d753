//! What people ask of a Rollout under way. Each wish is acted on once, and only if the policy lets
//! this person have it.

use super::{Flow, Turn};
use crate::authorize::{self, authorize};
use crate::pipeline::OutcomeKind;
use crate::plugin::Severity;
use crate::rollout::journal::clip_short;
use crate::rollout::{Action, Moment, RequestSeen, State};

impl Turn<'_> {
    /// Acts on the oldest wish that was not acted on yet.
    pub(super) fn requests(&mut self) -> Option<Flow> {
        if self.journal.state.ended() {
            return None;
        }
        let request = self
            .seen
            .requests
            .iter()
            .filter(|r| !self.journal.is_handled(r))
            .min_by_key(|r| (r.at, &r.uid))?
            .clone();
        let allowed = self.makes_sense(&request).and_then(|()| self.may(&request));
        self.journal
            .handle(&request, allowed.clone().err(), &self.seen.requests);
        if let Err(denied) = allowed {
            let now = self.now;
            self.journal.note(now, "request-refused", &denied);
            return Some(Flow::Again);
        }
        Some(self.act(&request))
    }

    /// Whether there is anything to do about it in this state: whoever asks for nothing is told so.
    fn makes_sense(&self, request: &RequestSeen) -> Result<(), String> {
        match (&self.journal.state, request.action) {
            (State::RollingBack(_), _) => {
                Err("it rolls back already; nothing else can be asked of it".into())
            }
            (State::Recording(_) | State::Ended(_), _) => Err("it is over".into()),
            (State::Finishing(_), _) => Err(
                "it has succeeded and clears up: ask for the way back with `sluice rollback` when it \
                 is over"
                    .into(),
            ),
            (
                State::Queued
                | State::Planning { .. }
                | State::AwaitingApproval
                | State::Preparing(_),
                Action::Promote,
            ) => {
                Err("it has not begun: there is no step to promote".into())
            }
            (_, Action::Resume) if self.journal.paused.is_none() => Err("it is not paused".into()),
            (
                State::Queued
                | State::Planning { .. }
                | State::AwaitingApproval
                | State::Preparing(_)
                | State::Progressing(_)
                | State::Promoting(_)
                | State::Watching(_),
                Action::Abort | Action::Rollback | Action::Pause | Action::Resume | Action::Promote,
            ) => Ok(()),
        }
    }

    fn may(&self, request: &RequestSeen) -> Result<(), String> {
        let action = match request.action {
            Action::Abort => authorize::Action::Abort,
            Action::Rollback => authorize::Action::Rollback,
            Action::Pause => authorize::Action::Pause,
            Action::Resume => authorize::Action::Resume,
            Action::Promote => authorize::Action::Promote,
        };
        match self.environment_policy() {
            Ok(policy) => {
                authorize(action, &request.by, &policy, self.policy).map_err(|d| d.to_string())
            }
            Err(closed) => self
                .towards_safety(request)
                .map_err(|()| closed.to_string()),
        }
    }

    /// A policy that is lost must not keep people from stopping what it once allowed (P6): whoever
    /// the API server let write the Request may, as where a policy is silent.
    fn towards_safety(&self, request: &RequestSeen) -> Result<(), ()> {
        match request.action {
            Action::Abort | Action::Rollback | Action::Pause if request.by.is_authenticated() => {
                Ok(())
            }
            Action::Abort | Action::Rollback | Action::Pause | Action::Resume | Action::Promote => {
                Err(())
            }
        }
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
                self.go_back(
                    "rolled-back-by-person",
                    &text,
                    true,
                    OutcomeKind::RolledBack,
                )
            }
            Action::Abort | Action::Rollback => {
                let text = format!("cancelled by {by} before it began: {said}");
                self.end_unbegun(OutcomeKind::Cancelled, &text)
            }
            Action::Pause => {
                let text = clip_short(by);
                let moment = Moment {
                    at: self.now,
                    kind: "paused".into(),
                    text,
                };
                self.journal.paused = Some(moment);
                self.happened(
                    "paused",
                    Severity::Warning,
                    &format!("paused by {by}: {said}"),
                );
                Flow::Again
            }
            Action::Resume => {
                self.journal.paused = None;
                self.happened("resumed", Severity::Info, &format!("resumed by {by}"));
                Flow::Again
            }
            Action::Promote if self.journal.failed.is_some() => self.overrule(by, said),
            Action::Promote => {
                if let State::Progressing(step) | State::Promoting(step) | State::Watching(step) =
                    &mut self.journal.state
                {
                    step.promoted = true;
                }
                self.happened(
                    "promoted",
                    Severity::Warning,
                    &format!("{by} goes on: {said}"),
                );
                Flow::Again
            }
        }
    }
}
