//! Versions of configuration that go with the image: fixed before people sign, copied before traffic
//! moves, removed when no revision needs them any more.

use super::queue::cannot_see;
use super::{Flow, Turn, later};
use crate::pipeline::{ConfigSource, EnvironmentStatus, OutcomeKind};
use crate::rollout::{Effect, Journal, ObjectRef, RolloutView, Seen, State, Why, WorkloadSeen};
use crate::workload::config::{ConfigVersion, copies, unused};

/// Removing old copies is tried for so long, and never holds the end of a Rollout: milliseconds.
const SWEEP_MS: i64 = 60_000;

/// The sources until it begins, with the copies while they are made; at the end those that go.
pub(super) fn looks(rollout: &RolloutView, journal: &Journal) -> Vec<ObjectRef> {
    let target = &rollout.spec.target;
    let reference = |source: &ConfigSource| {
        let (kind, name) = source.object();
        ObjectRef::new(kind, &target.namespace, name)
    };
    match &journal.state {
        State::Recording(_) => journal.stale.iter().map(reference).collect(),
        _ if rollout.spec.returns_to.is_some() => Vec::new(),
        State::Queued | State::Planning { .. } | State::AwaitingApproval => {
            target.config.iter().map(reference).collect()
        }
        State::Preparing(_) => {
            let made = journal
                .config
                .iter()
                .map(|v| ObjectRef::new(v.source.object().0, &target.namespace, &v.copy));
            target.config.iter().map(reference).chain(made).collect()
        }
        State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_)
        | State::Finishing(_)
        | State::RollingBack(_)
        | State::Ended(_) => Vec::new(),
    }
}

impl Turn<'_> {
    /// Fixes the versions that the candidate's template refers to. What people sign contains them, so
    /// another version asks again. `None`: all of them are known.
    pub(super) fn fix_config(&mut self) -> Option<Flow> {
        let spec = &self.rollout.spec;
        if spec.target.config.is_empty() || spec.returns_to.is_some() {
            return None;
        }
        let mut versions = Vec::new();
        let mut problems = Vec::new();
        for source in &spec.target.config {
            let (kind, name) = source.object();
            let reference = ObjectRef::new(kind, &spec.target.namespace, name);
            match self.seen.object(&reference) {
                Seen::Present(found) => {
                    let (uid, version) = (&found.uid, &found.resource_version);
                    versions.push(ConfigVersion::of(source, &spec.target_uid, uid, version));
                }
                Seen::Absent => problems.push(format!("{reference} does not exist")),
                Seen::Unknown(why) => return Some(cannot_see(&reference.to_string(), &why)),
            }
        }
        for idle in unused(&versions, &self.templates()) {
            let (kind, name) = idle.source.object();
            problems.push(format!(
                "no container of {} reads {kind} {name}, which is to go with it",
                spec.target
            ));
        }
        if !problems.is_empty() {
            return Some(Flow::Wait(Why::NotReady { problems }));
        }
        self.journal.config = versions;
        None
    }

    /// The pod templates that are there now.
    fn templates(&self) -> Vec<&serde_json::Value> {
        let members = self.seen.members.iter().filter_map(|m| m.target.present());
        let all = self.target().into_iter().chain(members);
        all.map(WorkloadSeen::template).collect()
    }

    /// What changes in the configuration, for whoever has to sign it.
    pub(super) fn config_lines(&self, stable: &serde_json::Value) -> Vec<String> {
        let now = copies(stable);
        let mut out = Vec::new();
        for version in &self.journal.config {
            let (kind, name) = version.source.object();
            let same = now.iter().any(|c| c.object() == (kind, &version.copy));
            if !same {
                out.push(format!("config: {kind} {name} changes with it"));
            }
        }
        out
    }

    /// The copies that the candidate needs. `None`: all of them are there.
    pub(super) fn copies(&mut self) -> Option<Flow> {
        let target = self.target().cloned()?;
        let mut changed = Vec::new();
        for version in self.journal.config.clone() {
            let (kind, name) = version.source.object();
            let copy = ObjectRef::new(kind, &target.namespace, &version.copy);
            let source = ObjectRef::new(kind, &target.namespace, name);
            match self.seen.object(&copy) {
                // The name is the version: whoever of Sluice made it, it holds the same.
                Seen::Present(found) if found.created_by.is_some() => continue,
                Seen::Present(_) => {
                    let why = "it has the name of a copy, but Sluice did not create it";
                    return Some(cannot_see(&copy.to_string(), why));
                }
                Seen::Unknown(why) => return Some(self.not_looked_at(&copy, &why)),
                Seen::Absent => {}
            }
            match self.seen.object(&source) {
                Seen::Unknown(why) => return Some(self.not_looked_at(&source, &why)),
                Seen::Present(found)
                    if found.uid == version.uid
                        && found.resource_version == version.resource_version =>
                {
                    self.effects.push(Effect::CopyConfig {
                        from: found.guard(&source),
                        to: version.copy.clone(),
                        owner: Self::owner(&target),
                        rollout_uid: self.rollout.uid.clone(),
                    });
                }
                Seen::Present(_) | Seen::Absent => changed.push(source.to_string()),
            }
        }
        if !changed.is_empty() {
            let text = format!(
                "{} changed after it was signed for; propose the version again",
                changed.join(", ")
            );
            return Some(self.go_back("config-changed", &text, false, OutcomeKind::RolledBack));
        }
        (!self.effects.is_empty()).then_some(Flow::Wait(Why::Prepares))
    }

    /// What this very decision made worth looking at is there with the next look.
    fn not_looked_at(&mut self, object: &ObjectRef, why: &str) -> Flow {
        if self.seen.objects.contains_key(&object.to_string()) {
            return cannot_see(&object.to_string(), why);
        }
        let now = self.now;
        self.wake(now);
        Flow::Wait(Why::Prepares)
    }

    /// Notes the copies that no revision needs when this end has been recorded. Only for a Rollout
    /// that had the target: the copies of another one that is under way have the same names.
    pub(super) fn note_stale(&mut self, before: &EnvironmentStatus, after: &EnvironmentStatus) {
        let of = |e: &EnvironmentStatus| -> Vec<ConfigSource> {
            let revisions = e.stable.iter().chain(&e.earlier);
            revisions.flat_map(|r| r.copies.clone()).collect()
        };
        let kept = of(after);
        let mut stale = of(before);
        if self.journal.claimed {
            stale.extend(self.journal.config.iter().map(ConfigVersion::as_copy));
        }
        stale.retain(|copy| !kept.contains(copy));
        stale.dedup();
        self.journal.stale = stale;
    }

    /// Removes the copies that are not needed any more. `None`: they are gone, or it took too long.
    pub(super) fn sweep(&mut self) -> Option<Flow> {
        let until = later(self.journal.since?, SWEEP_MS);
        if self.now >= until {
            return None;
        }
        let mut left = false;
        for copy in self.journal.stale.clone() {
            let (kind, name) = copy.object();
            let reference = ObjectRef::new(kind, &self.rollout.spec.target.namespace, name);
            match self.seen.object(&reference) {
                Seen::Present(found) if found.created_by.is_some() => {
                    let object = found.guard(&reference);
                    self.effects.push(Effect::Delete { object });
                    left = true;
                }
                Seen::Unknown(_) => left = true,
                Seen::Present(_) | Seen::Absent => {}
            }
        }
        if !left {
            return None;
        }
        self.wake(until);
        Some(Flow::Wait(Why::Records))
    }
}
