//! The gate: votes, timer, windows. Recounted every time; nothing "already approved" is believed.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::queue::cannot_see;
use super::{Flow, Turn, later};
use crate::admit::{Proposal, refusals};
use crate::approval::{IgnoredWhy, Tally, count_votes};
use crate::pipeline::OutcomeKind;
use crate::policy::{EnvironmentPolicy, EnvironmentVerdict};
use crate::rollout::journal::{clip, clip_short};
use crate::rollout::{ApprovalRequest, Replaced, State, Why};
use crate::template::diff;

/// Votes that are shown of each kind; anyone may vote, so their number is not ours.
const VOTES_SHOWN: usize = 8;

impl Turn<'_> {
    /// What is in force for this Rollout, or why its environment is closed. An emergency leaves out
    /// what the policy offers to leave out.
    pub(super) fn environment_policy(&self) -> Result<Cow<'_, EnvironmentPolicy>, Why> {
        let rules = self.whole_policy()?;
        Ok(rules.for_rollout(&self.rollout.spec))
    }

    /// The same with nothing left out.
    pub(super) fn whole_policy(&self) -> Result<&EnvironmentPolicy, Why> {
        let spec = &self.rollout.spec;
        match self
            .policy
            .environment(&spec.environment, &spec.target.namespace)
        {
            EnvironmentVerdict::Open(policy) => Ok(policy),
            EnvironmentVerdict::Closed(reason) => Err(Why::Closed {
                reason: clip(&reason.to_string()),
            }),
        }
    }

    pub(super) fn gate(&mut self) -> Flow {
        if self.rollout.spec.dry_run {
            return self.planned();
        }
        if let Some(flow) = self.shut() {
            // A gate before it has closed again: the place in the line goes to the next.
            self.journal.slot_wanted_at = None;
            return flow;
        }
        match self.no_slot() {
            Some(why) => Flow::Wait(why),
            None => self.start(),
        }
    }

    /// Why it may not start now, or `None`: every gate is open.
    pub(super) fn shut(&mut self) -> Option<Flow> {
        if let Some(flow) = self.pointless() {
            return Some(flow);
        }
        let policy = match self.environment_policy() {
            Ok(p) => p.into_owned(),
            Err(closed) => return Some(Flow::Wait(closed)),
        };
        if let Some(flow) = self.fix_config().or_else(|| self.members_known()) {
            return Some(flow);
        }
        let Some(template) = self.target().map(|t| self.candidate_template(t.template())) else {
            return Some(cannot_see(&self.target_name(), "it cannot be read"));
        };
        if let Err(no) = template {
            return Some(self.without_template(no));
        }
        if self.journal.plan.is_none() {
            self.journal.state = State::Planning {
                attempt: 1,
                not_before: self.now,
            };
            return Some(Flow::Again);
        }
        if self.rollout.spec.returns_to.is_some() {
            return None;
        }
        if let Some(missing) = self.missing_plugins() {
            return Some(Flow::Wait(missing));
        }
        let broken = self.broken_rules();
        if !broken.is_empty() {
            return Some(self.end_unbegun(OutcomeKind::Refused, &broken.join("; ")));
        }
        if let Some(flow) = self.unprepared() {
            return Some(flow);
        }
        let policy_hash = policy.hash(self.policy);
        let Some(hash) = self.approval_hash(&policy_hash) else {
            return Some(cannot_see(
                &self.target_name(),
                "what would change cannot be told",
            ));
        };
        self.ask_people(&policy, hash, policy_hash);
        self.closed_gate(&policy)
    }

    /// The rules of the policy of now that this release breaks.
    pub(super) fn broken_rules(&self) -> Vec<String> {
        let Ok(rules) = self.whole_policy() else {
            // Closed as a whole is said elsewhere.
            return Vec::new();
        };
        let proposal = Proposal::of(&self.rollout.spec);
        refusals(self.policy, rules, &proposal, self.now)
            .into_iter()
            .map(|refused| refused.text)
            .collect()
    }

    /// Opens a new approval request where what would be signed has changed; old votes are void.
    fn ask_people(&mut self, policy: &EnvironmentPolicy, hash: String, policy_hash: String) {
        if self
            .journal
            .approval
            .as_ref()
            .is_some_and(|a| a.hash == hash)
        {
            return;
        }
        let again = self.journal.approval.is_some();
        self.journal.approval = Some(self.request(policy, hash, policy_hash));
        if policy.approvals.require.is_empty() {
            return;
        }
        let roles: Vec<&str> = policy
            .approvals
            .require
            .iter()
            .map(|r| r.role.as_str())
            .collect();
        let text = if again {
            format!(
                "what would change is not what was signed: asks again ({})",
                roles.join(", ")
            )
        } else {
            format!("waits for {}", roles.join(" and "))
        };
        self.happened("approval-requested", self.loudness(), &text);
    }

    /// What people are asked to sign.
    pub(super) fn request(
        &self,
        policy: &EnvironmentPolicy,
        hash: String,
        policy_hash: String,
    ) -> ApprovalRequest {
        let expires = policy.approvals.expire_after.as_millis();
        let stable = self.seen.environment.present();
        let changes = self.target().and_then(|target| {
            let template = self.candidate_template(target.template()).ok()?;
            let mut lines = self.config_lines(target.template());
            lines.extend(diff(target.template(), &template));
            lines.extend(self.member_lines());
            Some(lines)
        });
        ApprovalRequest {
            hash,
            policy_hash,
            plugins: self.used_plugins(),
            replaces: stable.and_then(|e| e.stable.as_ref()).map(|r| Replaced {
                tag: r.tag.clone(),
                digest: r.digest.clone(),
            }),
            changes: changes.unwrap_or_default(),
            requested_at: self.now,
            expires_at: later(self.now, i64::try_from(expires).unwrap_or(i64::MAX)),
        }
    }

    /// Why the gate is closed now, or `None` where it is open.
    fn closed_gate(&mut self, policy: &EnvironmentPolicy) -> Option<Flow> {
        let request = self.journal.approval.clone()?;
        let tally = self.tally(policy, &request.hash);
        if let Some(no) = &tally.rejected_by {
            let text = format!("rejected by {} ({}): {}", no.person, no.role, no.reason);
            return Some(self.end_unbegun(OutcomeKind::Rejected, &text));
        }
        let in_time = tally.opened_at.is_none_or(|t| t <= request.expires_at);
        if !tally.is_complete() || !in_time {
            if self.now >= request.expires_at {
                let text = if tally.missing.is_empty() {
                    "the last vote came too late".to_owned()
                } else {
                    format!(
                        "nobody decided in time; missing: {}",
                        tally.missing.join(", ")
                    )
                };
                return Some(self.end_unbegun(OutcomeKind::Expired, &text));
            }
            self.wake(request.expires_at);
            return Some(Flow::Wait(votes_missing(&tally, request.expires_at)));
        }
        // Where no vote is required the gate opens with the request.
        let opened_at = tally.opened_at.unwrap_or(request.requested_at);
        let timer = i64::try_from(policy.approvals.wait_timer.as_millis()).unwrap_or(i64::MAX);
        let until = later(opened_at.max(request.requested_at), timer);
        if self.now < until {
            self.wake(until);
            return Some(Flow::Wait(Why::WaitsForTimer { until }));
        }
        let held = self.stopped().or_else(|| self.closed_window(policy));
        held.map(Flow::Wait)
    }

    /// Whether a person stopped everything.
    pub(super) fn stopped(&mut self) -> Option<Why> {
        let stop = self.seen.stop.clone()?;
        if let Some(until) = stop.until {
            self.wake(until);
        }
        Some(Why::Stopped {
            by: clip_short(&stop.by),
            reason: clip_short(&stop.reason),
            until: stop.until,
        })
    }

    /// Votes that count for `hash`.
    fn tally(&self, policy: &EnvironmentPolicy, hash: &str) -> Tally {
        let behind = self.policy.behind(&self.rollout.spec);
        count_votes(
            policy,
            self.policy,
            &behind,
            &self.seen.votes,
            hash,
            self.now,
        )
    }

    /// A holder of a required role who says no after the start ends it as before the start (A10).
    pub(super) fn rejection(&self) -> Option<String> {
        let policy = self.environment_policy().ok()?;
        let no = self
            .tally(&policy, &self.journal.approval.as_ref()?.hash)
            .rejected_by?;
        Some(format!(
            "rejected by {} ({}): {}",
            no.person, no.role, no.reason
        ))
    }

    pub(super) fn closed_window(&mut self, policy: &EnvironmentPolicy) -> Option<Why> {
        let verdict = policy.windows.evaluate(self.now);
        if verdict.open {
            return None;
        }
        if let Some(t) = verdict.changes_at {
            self.wake(t);
        }
        Some(Why::WindowClosed {
            reason: verdict.reason.to_string(),
            until: verdict.changes_at,
        })
    }

    /// Whether exposure may grow now: looked at anew before every step (W11). A later policy may
    /// hold a running Rollout, never loosen it; a return is never held by windows or votes.
    pub(super) fn held_before_next_step(&mut self) -> Option<Why> {
        if let Some(p) = &self.journal.paused {
            return Some(Why::Paused { by: p.text.clone() });
        }
        if self.rollout.spec.returns_to.is_some() {
            return None;
        }
        if let Some(stopped) = self.stopped() {
            return Some(stopped);
        }
        let policy = match self.environment_policy() {
            Ok(p) => p.into_owned(),
            Err(closed) => return Some(closed),
        };
        let broken = self.broken_rules();
        if !broken.is_empty() {
            return Some(Why::Closed {
                reason: clip(&broken.join("; ")),
            });
        }
        if let Some(request) = self.journal.approval.clone() {
            let tally = self.tally(&policy, &request.hash);
            if !tally.is_complete() {
                return Some(votes_missing(&tally, request.expires_at));
            }
        }
        self.closed_window(&policy)
    }

    /// Ends a Rollout that has changed nothing.
    pub(super) fn end_unbegun(&mut self, kind: OutcomeKind, message: &str) -> Flow {
        self.journal.state = State::Recording(crate::rollout::Ending {
            kind,
            message: crate::rollout::journal::clip(message),
            quarantine: None,
        });
        Flow::Again
    }
}

fn votes_missing(tally: &Tally, expires_at: jiff::Timestamp) -> Why {
    // What merely repeats or comes on top is no news; what its voter believes in and is not is.
    let ignored: BTreeSet<String> = tally
        .ignored
        .iter()
        .filter(|v| !matches!(v.why, IgnoredWhy::Duplicate | IgnoredWhy::NotNeeded))
        .map(|v| format!("{} ({})", v.person, v.why))
        .collect();
    let shown = |list: Vec<String>| -> Vec<String> {
        list.iter()
            .take(VOTES_SHOWN)
            .map(|text| clip_short(text))
            .collect()
    };
    Why::WaitsForVotes {
        missing: shown(tally.missing.clone()),
        given: shown(
            tally
                .filled
                .iter()
                .map(|f| format!("{}: {}", f.role, f.person))
                .collect(),
        ),
        ignored: shown(ignored.into_iter().collect()),
        expires_at,
    }
}
