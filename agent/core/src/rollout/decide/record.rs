//! The end: what must outlive the Rollout is written to the Pipeline first.

use super::queue::cannot_see;
use super::{Flow, Turn};
use crate::pipeline::{Outcome, OutcomeKind, Quarantine, Revision};
use crate::plugin::Severity;
use crate::rollout::journal::clip;
use crate::rollout::{Effect, End, Ending, Seen, State, Why};
use crate::template::template_hash;
use crate::workload::config::copies;

impl Turn<'_> {
    pub(super) fn succeed(&mut self) -> Flow {
        let tag = self.rollout.spec.image.tag.as_deref();
        let mut text = format!("{} serves", tag.unwrap_or(&self.rollout.spec.image.digest));
        // The time counts from the record of the success, which comes after this: never less.
        if let Ok(rules) = self.whole_policy()
            && let Some(window) = rules.rollback.window
        {
            self.journal.return_until = Some(window.after(self.now));
            let until = crate::rollout::clock(&window.after(self.now));
            text.push_str(&format!("; going back needs no approval until {until}"));
        }
        text.push_str(&self.hooks_left());
        self.journal.state = State::Recording(Ending {
            kind: OutcomeKind::Succeeded,
            message: clip(&text),
            quarantine: None,
        });
        Flow::Again
    }

    pub(super) fn record(&mut self, ending: &Ending) -> Flow {
        // What only looked leaves no mark on what triggers propose next.
        if self.rollout.spec.dry_run {
            return self.end(ending);
        }
        match &self.seen.environment {
            Seen::Unknown(why) => return cannot_see("the pipeline's status", why),
            // The pipeline is gone: nobody is left to remember.
            Seen::Absent => return self.end(ending),
            Seen::Present(e) if e.has_outcome(&self.rollout.name) => {
                return self.sweep().unwrap_or_else(|| self.end(ending));
            }
            Seen::Present(_) => {}
        }
        let spec = &self.rollout.spec;
        let promoted = if ending.kind == OutcomeKind::Succeeded {
            let target = match &self.seen.target {
                Seen::Unknown(why) => return cannot_see(&self.target_name(), why),
                Seen::Present(t) if t.uid == spec.target_uid => t.clone(),
                Seen::Present(_) | Seen::Absent => {
                    return self.lost_before_recorded("deleted");
                }
            };
            let hash = template_hash(target.template());
            // Only what was checked may become a revision to go back to (W6).
            if self.journal.candidate_template_hash.as_ref() != Some(&hash) {
                return self.lost_before_recorded("given another pod template by somebody else");
            }
            let save = Self::save_revision(&target, target.template());
            self.effects.push(save);
            let mut copies = copies(target.template());
            self.member_copies(&mut copies);
            let mut members = Vec::new();
            match self.members_promoted() {
                Ok(kept) => {
                    for (revision, save) in kept {
                        members.push(revision);
                        self.effects.push(save);
                    }
                }
                Err(Some(flow)) => return flow,
                Err(None) => {
                    self.effects.clear();
                    return self.lost_before_recorded(
                        "left by a workload of its group, which somebody else changed,",
                    );
                }
            }
            Some(Revision {
                digest: spec.image.digest.clone(),
                tag: spec.image.tag.clone(),
                name: super::context::revision_name(&target.name, &target.uid, &hash),
                template_hash: hash,
                copies,
                target_uid: target.uid,
                since: self.now,
                promoted_by: Some(self.rollout.name.clone()),
                members,
            })
        } else {
            None
        };
        let outcome = Outcome {
            rollout: self.rollout.name.clone(),
            digest: spec.image.digest.clone(),
            tag: spec.image.tag.clone(),
            kind: ending.kind,
            drill: spec.drill,
            at: self.now,
        };
        let quarantine = self.quarantine(ending);
        let seen = self.seen;
        if let Seen::Present(before) = &seen.environment {
            let after =
                before
                    .clone()
                    .with_outcome(outcome.clone(), promoted.clone(), quarantine.clone());
            self.note_stale(before, &after);
        }
        self.effects.push(Effect::RecordOutcome {
            outcome,
            promoted,
            quarantine,
        });
        Flow::Wait(Why::Records)
    }

    /// It succeeded, but what succeeded is not there any more.
    fn lost_before_recorded(&mut self, how: &str) -> Flow {
        self.journal.state = State::Recording(Ending {
            kind: OutcomeKind::Failed,
            message: clip(&format!(
                "{} was {how} before the success could be recorded",
                self.target_name()
            )),
            quarantine: None,
        });
        Flow::Again
    }

    /// The digest that nothing may propose any more: the candidate that was seen to be bad, or,
    /// after a successful way back, the one that people wanted gone.
    fn quarantine(&self, ending: &Ending) -> Option<Quarantine> {
        let spec = &self.rollout.spec;
        let entry = |digest: &str, tag: &Option<String>, reason: &str| Quarantine {
            digest: digest.to_owned(),
            tag: tag.clone(),
            reason: reason.to_owned(),
            rollout: self.rollout.name.clone(),
            at: self.now,
        };
        // Whatever a drill found: the digest is the one that serves.
        if spec.drill {
            return None;
        }
        if spec.returns_to.is_some() {
            let left = self.journal.stable.as_ref()?;
            let by = spec
                .cause
                .requester
                .as_ref()
                .map_or("a person", |r| r.username.as_str());
            let reason = format!(
                "{by} went back to {}: {}",
                spec.image.tag.as_deref().unwrap_or(&spec.image.digest),
                spec.cause.reason.as_deref().unwrap_or("no reason given")
            );
            return (ending.kind == OutcomeKind::Succeeded && left.digest != spec.image.digest)
                .then(|| entry(&left.digest, &left.tag, &reason));
        }
        ending
            .quarantine
            .as_ref()
            .map(|why| entry(&spec.image.digest, &spec.image.tag, why))
    }

    fn end(&mut self, ending: &Ending) -> Flow {
        self.journal.state = State::Ended(End {
            kind: ending.kind,
            message: ending.message.clone(),
            at: self.now,
        });
        self.journal.ended_at = Some(self.now);
        let severity = match ending.kind {
            OutcomeKind::Succeeded => Severity::Info,
            // A drill that came back as planned is no alarm.
            OutcomeKind::RolledBack
                if self
                    .journal
                    .drill_report()
                    .is_some_and(|drill| drill.as_planned) =>
            {
                Severity::Info
            }
            OutcomeKind::RolledBack | OutcomeKind::Failed => Severity::Critical,
            OutcomeKind::Refused
            | OutcomeKind::Rejected
            | OutcomeKind::Expired
            | OutcomeKind::Superseded
            | OutcomeKind::Cancelled => Severity::Warning,
            OutcomeKind::Planned => Severity::Info,
        };
        let kind = match ending.kind {
            OutcomeKind::Succeeded => "succeeded",
            OutcomeKind::RolledBack => "rolled-back",
            OutcomeKind::Refused => "refused",
            OutcomeKind::Rejected => "rejected",
            OutcomeKind::Expired => "expired",
            OutcomeKind::Superseded => "superseded",
            OutcomeKind::Cancelled => "cancelled",
            OutcomeKind::Failed => "failed",
            OutcomeKind::Planned => "planned",
        };
        self.happened(kind, severity, &ending.message);
        Flow::Again
    }
}
