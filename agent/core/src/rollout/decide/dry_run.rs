//! The end of a dry run: everything was looked at, the plan is there, and nothing changed (requirement
//! A8).

use super::{Flow, Turn};
use crate::pipeline::OutcomeKind;
use crate::plan::outline::outline;
use crate::policy::EnvironmentPolicy;
use crate::rollout::Why;
use crate::rollout::journal::clip;

impl Turn<'_> {
    /// Says what would happen, who would have to agree, and what stands against it now.
    pub(super) fn planned(&mut self) -> Flow {
        if let Some(flow) = self.pointless() {
            return flow;
        }
        let policy = match self.environment_policy() {
            Ok(policy) => policy.into_owned(),
            Err(closed) => return Flow::Wait(closed),
        };
        let against = self.broken_rules();
        if !against.is_empty() {
            return self.end_unbegun(OutcomeKind::Refused, &against.join("; "));
        }
        let mut text = vec![self.steps(), who_agrees(&policy)];
        if let Some(missing) = self.missing_plugins() {
            text.push(missing.to_string());
        }
        text.extend(self.not_ready(true).map(|why| why.to_string()));
        for held in [self.stopped(), self.closed_window(&policy), self.crowded()] {
            text.extend(held.map(|why| format!("now it would wait: {why}")));
        }
        let policy_hash = policy.hash(self.policy);
        if let Some(hash) = self.approval_hash(&policy_hash) {
            self.journal.approval = Some(self.request(&policy, hash, policy_hash));
        }
        self.end_unbegun(OutcomeKind::Planned, &clip(&text.join("; ")))
    }

    fn steps(&self) -> String {
        let way = self.journal.plan.as_ref();
        let way = way.map(|plan| outline(plan, &self.rollout.spec).brief());
        format!(
            "nothing was changed; the plan is {}",
            way.unwrap_or_default()
        )
    }

    /// Who is at the target now.
    fn crowded(&self) -> Option<Why> {
        let first = self.seen.siblings.first()?;
        Some(Why::WaitsForRollout {
            name: first.name.clone(),
            title: first.title.clone(),
        })
    }
}

fn who_agrees(policy: &EnvironmentPolicy) -> String {
    let roles: Vec<String> = policy
        .approvals
        .require
        .iter()
        .map(|required| match required.count {
            1 => required.role.clone(),
            count => format!("{count} × {}", required.role),
        })
        .collect();
    if roles.is_empty() {
        "nobody has to approve".to_owned()
    } else {
        format!("{} would have to approve", roles.join(" and "))
    }
}
