//! Whether the agent does its work: every live Rollout is looked at again and again (reliability.md
//! R5, R6). A process that answers its probe and looks at nothing must be started anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use sluice_core::policy::Policy;
use sluice_core::port::Clock;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::world::World;

/// Three periods in which every live Rollout is looked at.
pub const LOOK_LIMIT: Duration = Duration::from_secs(90);

/// When each Rollout was looked at last.
#[derive(Default)]
pub(crate) struct Looks {
    last: Mutex<HashMap<(String, String), Instant>>,
}

impl Looks {
    pub(crate) fn looked(&self, namespace: &str, name: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert((namespace.to_owned(), name.to_owned()), Instant::now());
    }
}

/// A handle on a running agent, for its probes and its metrics.
#[derive(Clone)]
pub struct Health {
    pub(crate) world: World,
    pub(crate) looks: Arc<Looks>,
    pub(crate) leads: watch::Receiver<bool>,
    pub(crate) ready: watch::Receiver<bool>,
    pub(crate) policy: watch::Receiver<Arc<Policy>>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// How the agent is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkup {
    /// Whether it has seen everything once, so that it could lead.
    pub ready: bool,
    /// Whether it leads.
    pub leads: bool,
    /// Rollouts by phase.
    pub rollouts: BTreeMap<String, u64>,
    /// Longest time since a live Rollout was looked at.
    pub oldest_look: Duration,
    /// Live Rollouts that were not looked at for longer than [`LOOK_LIMIT`].
    pub neglected: Vec<String>,
    /// Whether a person stopped everything.
    pub stopped: bool,
    /// Whether the policy file says something that cannot be read, and its last good content is in
    /// force.
    pub policy_outdated: bool,
}

impl Health {
    /// Looks at what the agent did. Cheap: nothing but memory is read.
    pub fn checkup(&self) -> Checkup {
        let policy = self.policy.borrow().clone();
        let mut found = Checkup {
            ready: *self.ready.borrow(),
            leads: *self.leads.borrow(),
            stopped: self.world.stop(&policy, self.clock.now()).is_some(),
            policy_outdated: policy.outdated().is_some(),
            ..Checkup::default()
        };
        let now = Instant::now();
        let mut last = self
            .looks
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut live = HashMap::new();
        for r in self.world.rollouts.state() {
            let journal = r.status.as_ref();
            let phase = journal.map_or("Queued", |j| j.state.phase());
            *found.rollouts.entry(phase.to_owned()).or_default() += 1;
            if journal.is_some_and(|j| j.state.ended()) {
                continue;
            }
            let key = (r.namespace().unwrap_or_default(), r.name_any());
            // Who does not lead looks at nothing; the time counts from when it begins to.
            let since = match last.remove(&key) {
                Some(at) if found.leads => at,
                Some(_) | None => now,
            };
            let age = now.duration_since(since);
            found.oldest_look = found.oldest_look.max(age);
            if age > LOOK_LIMIT {
                found.neglected.push(key.1.clone());
            }
            live.insert(key, since);
        }
        // What is over is forgotten with this: the map is as large as the work at hand.
        *last = live;
        found.neglected.sort();
        found
    }
}
